package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestQRCodeOfALongName scans the QR code of long names off a phone's screen, in both colour
// schemes: a module has four CSS
// pixels at least, and the app shows the name, or its beginning, and the address.
func TestQRCodeOfALongName(t *testing.T) {
	s := startSite(t)
	s.addPerson(sue, "super-administrator")
	w := &walkthrough{t: t, site: s, script: true, ledger: newLedger()}
	b := w.open()
	w.signIn(b, sue)
	for i, name := range []string{
		"Harbour Studio & Workshops for Boats, Sails and Rigging (Southampton) Ltd",
		"合同会社みなと工房 東京本社 情報システム部",
		"Общество с ограниченной ответственностью «Гавань»",
	} {
		b.emulate(1280, 1000, 1, false)
		b.Visit("/admin/settings/general")
		b.Fill("workspace", name)
		b.Click(savePolicy, "form")
		b.WaitFor("The name is saved.", success)
		b.Visit(twoFactorPath)
		secret := w.enable(b)
		for _, width := range []int64{360, 700, 768, 960, 1024} { // where the card changes its columns
			b.emulate(width, 800, 1, false)
			out := evaluate[float64](b,
				`() => document.querySelector("svg.qr").getBoundingClientRect().right - document.querySelector(".step").getBoundingClientRect().right`)
			if wider := evaluate[int](b, `() => document.documentElement.scrollWidth - innerWidth`); wider > 0 ||
				out > 0 && width > 700 {
				t.Errorf("%s, %d pixels: the page is %d pixels wider than the screen, the QR code %.0f than its column",
					name, width, wider, out)
			}
		}
		for _, v := range views {
			b.emulate(v.width, v.height, v.scale, v.dark)
			if wider := evaluate[int](b, `() => document.documentElement.scrollWidth - innerWidth`); wider > 0 {
				t.Errorf("%s, %s: the page is %d pixels wider than the screen", name, v.name, wider)
			}
			module := evaluate[float64](b,
				`() => { const e = document.querySelector("svg.qr"); return e.getBoundingClientRect().width / e.viewBox.baseVal.width }`)
			if module < 4 {
				t.Errorf("%s, %s: a module has %.2f pixels", name, v.name, module)
			}
			key, err := url.Parse(scan(t, b.Screenshot("svg.qr")))
			b.must("read the QR code's address", err)
			issuer := key.Query().Get("issuer")
			begin, cut := strings.CutSuffix(issuer, "…")
			if issuer != name && !(cut && len(begin) > 60 && strings.HasPrefix(name, begin)) {
				t.Errorf("%s, %s: the issuer is %q", name, v.name, issuer)
			}
			if key.Path != "/"+sue.email || key.Query().Get("secret") != strings.ReplaceAll(secret, " ", "") {
				t.Errorf("%s, %s: the label is %q", name, v.name, key.Path)
			}
			if folder := os.Getenv("GATEHOUSE_SCREENS"); folder != "" && v.width < 1000 {
				g := &gallery{t: t, site: s, folder: folder}
				g.picture(b, filepath.Join(folder, fmt.Sprintf("two-factor-pending-long-%d-%s.png", i+1, v.name)))
			}
		}
	}
}
