package views

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gatehouse/twofactor"
)

// A phone's camera reads modules of four CSS pixels and more, whatever the workspace and the person
// are called, and a screen
// of 320 pixels has 286 between the card's edges.
func TestQRCodeModulesAreLargeEnough(t *testing.T) {
	size := regexp.MustCompile(`<svg class="qr" width="(\d+)" height="(\d+)" viewBox="0 0 (\d+) (\d+)"`)
	secret := pending(t).Enrollment.Secret
	for _, c := range []struct{ name, issuer, account string }{
		{"short", "Acme", "ada@example.org"},
		{"reserved characters", "Acme & Söhne + 100% #1", "ada+totp@example.org"},
		{"a long name", strings.Repeat("Harbour Studio ", 7), "ada.lovelace@engineering.example.org"},
		{"Japanese", "合同会社みなと工房 東京本社 情報システム部", "yamada.taro@minato.example.jp"},
		{"Cyrillic", "Общество с ограниченной ответственностью «Северная гавань»", "ivan.petrov@example.org"},
		{"Devanagari", "हार्बर स्टूडियो प्राइवेट लिमिटेड", "mira@example.in"},
		{"emoji", strings.Repeat("🔐", 60), "ada@example.org"},
		{"everything at its longest", strings.Repeat("株", 100), strings.Repeat("a", 242) + "@example.org"},
	} {
		t.Run(c.name, func(t *testing.T) {
			qr, err := NewQR(twofactor.KeyURI(c.issuer, c.account, secret))
			if err != nil {
				t.Fatal(err)
			}
			found := size.FindStringSubmatch(qr.svg)
			if found == nil {
				t.Fatalf("no size in %.120s", qr.svg)
			}
			width, _ := strconv.Atoi(found[1])
			modules, _ := strconv.Atoi(found[3])
			if found[2] != found[1] || found[4] != found[3] {
				t.Errorf("not a square: %s", found[0])
			}
			if width%modules != 0 || width/modules < 4 || width > 286 {
				t.Errorf("%d modules in %d pixels", modules, width)
			}
			t.Logf("%d modules of %d pixels", modules, width/modules)
		})
	}
}
