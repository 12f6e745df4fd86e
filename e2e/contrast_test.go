package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestForcedColours looks at pages in the colours that somebody has chosen for all pages: the
// current page can be told apart in the
// sidebar and in the tabs, and the QR code stays dark on light.
func TestForcedColours(t *testing.T) {
	s := startSite(t)
	s.addPerson(sue, "super-administrator")
	w := &walkthrough{t: t, site: s, script: true, ledger: newLedger()}
	b := w.open()
	w.signIn(b, sue)
	for _, scheme := range []string{"light", "dark"} {
		_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
				{Name: "forced-colors", Value: "active"}, {Name: "prefers-color-scheme", Value: scheme}}})
		b.must("force the colours", err)
		for _, c := range [][2]string{
			{"/my", ".nav__link"}, {"/my/profile", ".nav__link"}, {"/admin/people", ".nav__link"},
			{"/admin/activity", ".nav__link"},
			{"/admin/settings/security", ".nav__link"}, {"/admin/settings/security", ".tabs__tab"},
			{"/admin/settings/general", ".tabs__tab"},
		} {
			b.Visit(c[0])
			if !evaluate[bool](b, `() => matchMedia("(forced-colors: active)").matches`) {
				b.fail("the colours are not forced")
			}
			looks := evaluate[[]string](b, `(selector) => [...document.querySelectorAll(selector)].map(e => {
				const s = getComputedStyle(e);
				return (e.ariaCurrent ? "current " : "") + [s.backgroundColor, s.color, s.borderBottomColor].join(" ");
			})`, c[1])
			current, others := "", map[string]bool{}
			for _, look := range looks {
				if rest, ok := strings.CutPrefix(look, "current "); ok {
					current = rest
				} else {
					others[look] = true
				}
			}
			if current == "" || others[current] || len(others) != 1 {
				b.fail("%s, %s: the current %s looks like %q, the others like %v", c[0], scheme, c[1], current, others)
			}
		}
		b.Visit(twoFactorPath)
		b.Click("Enable two-factor", card)
		b.Secret()
		scan(t, b.Screenshot("svg.qr"))
	}
}

// TestLongAddressesOnANarrowScreen shows a long name and address wherever people are shown, on the
// narrowest screen, with and without
// the text spacing of WCAG 1.4.12.
func TestLongAddressesOnANarrowScreen(t *testing.T) {
	s := startSite(t)
	long := person{"Wolfeschlegelsteinhausen Featherstonehaugh",
		"wolfgang.featherstonehaugh@engineering.harbour-studio.example.org", "tandem violet orbit"}
	s.addPerson(long, "super-administrator")
	s.addPerson(person{"Maximiliana Featherstonehaugh", "maximiliana@engineering.harbour-studio.example.org",
		"tandem violet orbit"}, "it-administrator")
	w := &walkthrough{t: t, site: s, script: true, ledger: newLedger()}
	g := &gallery{t: t, site: s, folder: os.Getenv("GATEHOUSE_SCREENS")}
	b := w.open()
	w.signIn(b, long)
	w.enrol(b)
	for _, path := range []string{"/my", "/my/profile", twoFactorPath, "/admin/people", "/admin/people/1",
		"/admin/activity", "/admin/settings/security", "/admin/settings/not-enrolled"} {
		b.Visit(path)
		b.emulate(320, 640, 1, false)
		if wider := evaluate[int](b, `() => document.documentElement.scrollWidth - innerWidth`); wider > 0 {
			t.Errorf("%s: the page is %d pixels wider than the screen", path, wider)
		}
		g.spaced(b, path)
		if g.folder != "" {
			g.picture(b, filepath.Join(g.folder, "narrow"+strings.ReplaceAll(path, "/", "-")+".png"))
		}
	}
}
