package twofactor_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"gatehouse/twofactor"
)

func TestKeyURI(t *testing.T) {
	secret := secretOf(t, []byte(rfcKey))
	for _, c := range []struct{ name, issuer, account, wantIssuer, wantAccount string }{
		{"a plain name", "Acme", "ada@acme.example", "Acme", "ada@acme.example"},
		{"a name full of reserved characters", "Acme & Söhne + 100% #1", "ada+totp@söhne.example",
			"Acme & Söhne + 100% #1", "ada+totp@söhne.example"},
		{"a name that would bring a second secret", "X&secret=AAAA", "a@b", "X&secret=AAAA", "a@b"},
		{"an address that would bring a second secret", "X", "a?secret=AAAA&issuer=Bank#@b", "X",
			"a?secret=AAAA&issuer=Bank#@b"},
		{"a name that is encoded already", "100%25%26", "a%40b", "100%25%26", "a%40b"},
		{"slashes and dots stay in the label", "../a//b", "./..", "../a//b", "./.."},
		{"colons become spaces", "Acme: Web:Shop:", "a:b@c", "Acme Web Shop", "a b@c"},
		{"runs of white space become one space", "  Acme \t\r\n Inc\u00a0\u2003", " a@b\n", "Acme Inc", "a@b"},
		{"invalid UTF-8 goes", "Ac\xffme\xc3", "a\xfe@b", "Acme", "a@b"},
		{"quotes and angle brackets", `<"Acme'>`, `"ada"@b`, `<"Acme'>`, `"ada"@b`},
		{"other scripts and emoji", "株式会社 🔐", "אדה@b", "株式会社 🔐", "אדה@b"},
		{"control characters", "A\x00b\x1b", "a\x7f@b", "A\x00b\x1b", "a\x7f@b"},
		{"no name leaves the account alone", "", "a@b", "", "a@b"},
		{"a name of colons is no name", " ::\xff ", "a@b", "", "a@b"},
		{"no account", "Acme", "", "Acme", ""},
		{"a long name", strings.Repeat("Long ", 20) + "Ltd", "ada@acme.example", strings.Repeat("Long ", 20) + "Ltd",
			"ada@acme.example"},
		{"a name of a hundred letters of another script", strings.Repeat("株式会社", 25), "taro@acme.example",
			strings.Repeat("株式会社", 25), "taro@acme.example"},
		{"letters of several signs", strings.Repeat("한국", 30), strings.Repeat("é", 60) + "@b", strings.Repeat("한국", 30),
			strings.Repeat("é", 60) + "@b"},
		{"families", strings.Repeat("👩‍👩‍👧", 30), "a@b", strings.Repeat("👩‍👩‍👧", 30), "a@b"},
		{"a long address alone", "Acme", strings.Repeat("a", 240) + "@acme.example", "Acme",
			strings.Repeat("a", 240) + "@acme.example"},
		{"an endless mark", "A" + strings.Repeat("\u0301", 300), "a@b", "A" + strings.Repeat("\u0301", 300), "a@b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkKeyURI(t, twofactor.KeyURI(c.issuer, c.account, secret), secret, c.wantIssuer, c.wantAccount)
		})
	}
}

// What people and their apps see of a long name: one name, whole where it fits.
func TestKeyURIOfALongName(t *testing.T) {
	for _, c := range []struct{ name, issuer, account, wantIssuer, wantLabel string }{
		{"a name that fits once", "合同会社みなと工房", "mia@example.org", "合同会社みなと工房", "mia@example.org"},
		{"a name that does not fit", strings.Repeat("株式会社", 25), "taro@acme.example", strings.Repeat("株式会社", 6) + "株…",
			"taro@acme.example"},
		{"an address that does not fit", "Acme", strings.Repeat("a", 240) + "@acme.example", "Acme",
			strings.Repeat("a", 240)[:149] + "…"},
		{"neither fits", strings.Repeat("株式会社", 25), strings.Repeat("a", 240) + "@acme.example",
			strings.Repeat("株式会社", 4) + "…", strings.Repeat("a", 91) + "…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, err := url.Parse(twofactor.KeyURI(c.issuer, c.account, secretOf(t, []byte(rfcKey))))
			if err != nil {
				t.Fatal(err)
			}
			if got := u.Query().Get("issuer"); got != c.wantIssuer {
				t.Errorf("the issuer is %q, want %q", got, c.wantIssuer)
			}
			if u.Path != "/"+c.wantLabel {
				t.Errorf("the label is %q, want %q", u.Path, c.wantLabel)
			}
		})
	}
}

func TestKeyURIToTheLetter(t *testing.T) {
	got := twofactor.KeyURI("Acme & Söhne + 100% #1", "ada@b.example", secretOf(t, []byte(rfcKey)))
	want := "otpauth://totp/Acme%20%26%20S%C3%B6hne%20%2B%20100%25%20%231:ada%40b.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" +
		"&issuer=Acme%20%26%20S%C3%B6hne%20%2B%20100%25%20%231"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// checkKeyURI reads an address as an authenticator app does.
func checkKeyURI(t *testing.T, uri string, secret twofactor.Secret, issuer, account string) {
	t.Helper()
	for _, r := range uri {
		if r <= ' ' || r > '~' || r == '+' || r == '#' {
			t.Errorf("%q stands raw in %s", r, uri)
		}
	}
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatalf("%s: %v", uri, err)
	}
	if u.Scheme != "otpauth" || u.Host != "totp" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		t.Errorf("%s is not an otpauth address", uri)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		t.Fatalf("%s: %v", uri, err)
	}
	if len(query["secret"]) != 1 || query.Get("secret") != secret.Base32() {
		t.Errorf("the secret is %q", query["secret"])
	}
	names := 0
	if issuer != "" {
		names = 1
	}
	if len(query["issuer"]) != names || len(query) != 1+names || !shows(query.Get("issuer"), issuer) {
		t.Errorf("the parameters are %v; the issuer is %q", query, issuer)
	}
	label := strings.TrimPrefix(u.Path, "/")
	if named := encodedLength(issuer); issuer != "" && 64+2*named+encodedLength(account) <= twofactor.KeyURIShort {
		account = issuer + ":" + account
	}
	if !shows(label, account) {
		t.Errorf("the label is %q, want %q", label, account)
	}
	if len(uri) > twofactor.KeyURIMax {
		t.Errorf("%d bytes: %s", len(uri), uri)
	}
}

// encodedLength is how many bytes a text takes in an address.
func encodedLength(text string) int {
	n := 0
	for _, c := range []byte(text) {
		if n++; !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~", rune(c)) {
			n += 2
		}
	}
	return n
}

// shows reports whether an app shows the whole text, or its beginning and an ellipsis, cut between letters.
func shows(shown, text string) bool {
	if shown == text {
		return true
	}
	begin, cut := strings.CutSuffix(shown, "…")
	rest, ok := strings.CutPrefix(text, begin)
	between := startsNewLetter(begin, strings.TrimLeft(rest, " ")) ||
		!slices.ContainsFunc(runeStarts(begin)[1:], func(at int) bool {
			return startsNewLetter(begin[:at], begin[at:])
		})
	return cut && ok && len(begin) > 8 && utf8.ValidString(begin) && between
}

// startsNewLetter reports whether a letter of its own begins with the second text.
func startsNewLetter(before, text string) bool {
	next, _ := utf8.DecodeRuneInString(text)
	return !unicode.Is(unicode.M, next) && next != '\u200d' && !strings.HasSuffix(before, "\u200d")
}

// runeStarts is where the signs of a text begin.
func runeStarts(text string) []int {
	var at []int
	for i := range text {
		at = append(at, i)
	}
	return at
}

func FuzzKeyURI(f *testing.F) {
	for _, seed := range [][2]string{
		{"Acme", "ada@acme.example"}, {"Acme & Söhne + 100% #1", "a+b@c"}, {"X&secret=AAAA", "a@b"}, {"a:b", "c:d"},
		{"", ""}, {":", "\xff"}, {"%26secret%3DAAAA", "?secret=AAAA#"}, {"A\u2028B", "\x00"}, {"../..", "//host/"},
		{"A；secret=1;b", "a;b"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, issuer, account string) {
		secret := secretOf(t, []byte(rfcKey))
		checkKeyURI(t, twofactor.KeyURI(issuer, account, secret), secret, cleanName(issuer), cleanName(account))
	})
}

// cleanName is what is left of a name: valid UTF-8, colons as white space, and
// white space as single spaces between words.
func cleanName(name string) string {
	var words []string
	word := ""
	for len(name) > 0 {
		r, size := utf8.DecodeRuneInString(name)
		switch {
		case r == utf8.RuneError && size == 1:
		case r == ':' || unicode.IsSpace(r):
			words, word = append(words, word), ""
		default:
			word += name[:size]
		}
		name = name[size:]
	}
	kept := words[:0]
	for _, w := range append(words, word) {
		if w != "" {
			kept = append(kept, w)
		}
	}
	return strings.Join(kept, " ")
}
