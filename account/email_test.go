package account_test

import (
	"errors"
	"strings"
	"testing"

	"gatehouse/account"
)

func TestParseEmail(t *testing.T) {
	for name, c := range map[string]struct {
		text, want string
		reason     account.Reason
	}{
		"as most are":                       {"ada@example.org", "ada@example.org", ""},
		"capital letters":                   {" Ada.Lovelace+x@EXAMPLE.Org\r\n", "ada.lovelace+x@example.org", ""},
		"a domain with an umlaut":           {"ada@bücher.example", "ada@xn--bcher-kva.example", ""},
		"decomposed and in capitals":        {"ADA@BU\u0308CHER.example", "ada@xn--bcher-kva.example", ""},
		"as a browser sends it":             {"ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example", ""},
		"a sharp s stays one":               {"ada@straße.example", "ada@xn--strae-oqa.example", ""},
		"a final sigma stays one":           {"ada@βόλος.example", "ada@xn--nxasmm1c.example", ""},
		"a Japanese domain":                 {"taro@例え。テスト", "taro@xn--r8jz45g.xn--zckzah", ""},
		"an Arabic domain":                  {"ada@مثال.إختبار", "ada@xn--mgbh0fb.xn--kgbechtv", ""},
		"a full-width address":              {"ａｄａ＠ｅｘａｍｐｌｅ．ｏｒｇ", "ada@example.org", ""},
		"signs that nobody sees":            {"\ufeff\u200bada\u200d@exam\u00adple.org\u2069", "ada@example.org", ""},
		"no dot in the domain":              {"ada@intranet", "ada@intranet", ""},
		"hyphens where browsers allow them": {"ada@r3---sn.example", "ada@r3---sn.example", ""},
		"every sign that browsers take": {"a!#$%&'*+/=?^_`{|}~-z@example.org",
			"a!#$%&'*+/=?^_`{|}~-z@example.org", ""},
		"nothing":                            {"", "", account.Missing},
		"what nobody sees":                   {" \u200b\ufeff", "", account.Missing},
		"no address":                         {"ada", "", account.NotEmail},
		"two of them":                        {"ada@example.org, bob@example.org", "", account.NotEmail},
		"a name beside it":                   {"Ada <ada@example.org>", "", account.NotEmail},
		"a space inside":                     {"ada @example.org", "", account.NotEmail},
		"a NUL":                              {"ada\x00@example.org", "", account.NotEmail},
		"broken UTF-8":                       {"ada\xff@example.org", "", account.NotEmail},
		"two dots in a row":                  {"ada..l@example.org", "", account.NotEmail},
		"a domain that ends with a dot":      {"ada@example.org.", "", account.NotEmail},
		"an umlaut before the @":             {"jürgen@example.org", "", account.NoBrowser},
		"Japanese before the @":              {"太郎@example.jp", "", account.NoBrowser},
		"in quotes":                          {`"ada l"@example.org`, "", account.NoBrowser},
		"an underscore in the domain":        {"ada@my_host.example", "", account.NoBrowser},
		"a hyphen at the end of a label":     {"ada@host-.example", "", account.NoBrowser},
		"a label of 64":                      {"ada@" + strings.Repeat("a", 64) + ".example", "", account.NoBrowser},
		"punycode of nothing":                {"ada@xn--a.example", "", account.NotEmail},
		"a joiner where there is none to be": {"ada@a\u200db.example", "", account.NoBrowser},
		"254 characters": {strings.Repeat("a", 242) + "@example.org",
			strings.Repeat("a", 242) + "@example.org", ""},
		"255 are too long":                    {strings.Repeat("a", 243) + "@example.org", "", account.TooLong},
		"too long once it is punycode":        {strings.Repeat("a", 240) + "@ü.example", "", account.TooLong},
		"what could not be typed in a minute": {strings.Repeat("a", 1<<16) + "@example.org", "", account.TooLong},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := account.ParseEmail(c.text)
			var field account.FieldError
			errors.As(err, &field)
			if got != c.want || field.Reason != c.reason {
				t.Errorf("%q gives %q, %v; want %q, %q", c.text, got, err, c.want, c.reason)
			}
			if c.reason == account.TooLong && field.Limit != 254 {
				t.Errorf("the limit is %d", field.Limit)
			}
			if again := account.NormalizeEmail(got); again != got {
				t.Errorf("%q is looked up as %q", got, again)
			}
			if found := account.NormalizeEmail(c.text); err == nil && found != got {
				t.Errorf("%q is stored as %q and looked up as %q", c.text, got, found)
			}
		})
	}
}

func TestShownEmail(t *testing.T) {
	for name, c := range map[string]struct{ email, want string }{
		"ASCII":                       {"ada@example.org", "ada@example.org"},
		"Latin with accents":          {"ada@xn--bcher-kva.example", "ada@bücher.example"},
		"a sharp s":                   {"ada@xn--strae-oqa.example", "ada@straße.example"},
		"Japanese":                    {"taro@xn--r8jz45g.xn--zckzah", "taro@例え.テスト"},
		"Japanese under a Latin one":  {"taro@xn--wgv71a119e.jp", "taro@日本語.jp"},
		"Cyrillic throughout":         {"ada@xn--e1afmkfd.xn--p1ai", "ada@пример.рф"},
		"Cyrillic that looks Latin":   {"ada@xn--80ak6aa92e.com", "ada@xn--80ak6aa92e.com"},
		"Cyrillic and Latin together": {"ada@xn--exmple-4nf.org", "ada@xn--exmple-4nf.org"},
		"a dotless i":                 {"ada@xn--twtter-q4a.com", "ada@xn--twtter-q4a.com"},
		"a script of its own kind":    {"ada@xn--tdali.example", "ada@xn--tdali.example"},
		"no punycode at all":          {"ada@xn--a.example", "ada@xn--a.example"},
		"no address":                  {"ada", "ada"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := account.ShownEmail(c.email); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// FuzzNormalizeEmail looks for an address that is stored in one form and looked up
// in another, or stored though a browser could not send it.
func FuzzNormalizeEmail(f *testing.F) {
	for _, seed := range []string{"ada@example.org", "Ada@BÜCHER.example", "jürgen@example.org",
		"a@xn--bcher-kva.example", "a@例え。テスト", "\ufeffa@b\u00adc", "a@xn--a", `"a"@b`, "a@b\xff",
		"a@\u200db.example", "ａ＠ｂ", "a@b@c", "a@İstanbul.example", "ſ@ſ.example", "a@xn--mgbh0fb.xn--kgbechtv",
		"a@K.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		stored, err := account.ParseEmail(text)
		if err != nil {
			return
		}
		if again := account.NormalizeEmail(stored); again != stored {
			t.Fatalf("%q is stored as %q and looked up as %q", text, stored, again)
		}
		if found := account.NormalizeEmail(text); found != stored {
			t.Fatalf("%q is stored as %q, but looked up as %q", text, stored, found)
		}
		if strings.ContainsFunc(stored, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("%q is stored as %q, which no browser sends", text, stored)
		}
		if back := account.NormalizeEmail(account.ShownEmail(stored)); back != stored {
			t.Fatalf("%q is shown as %q, which is %q", stored, account.ShownEmail(stored), back)
		}
	})
}
