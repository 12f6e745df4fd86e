package twofactor_test

import (
	"net/url"
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
		{"a name full of reserved characters", "Acme & Söhne + 100% #1", "ada+totp@söhne.example", "Acme & Söhne + 100% #1", "ada+totp@söhne.example"},
		{"a name that would bring a second secret", "X&secret=AAAA", "a@b", "X&secret=AAAA", "a@b"},
		{"an address that would bring a second secret", "X", "a?secret=AAAA&issuer=Bank#@b", "X", "a?secret=AAAA&issuer=Bank#@b"},
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
	} {
		t.Run(c.name, func(t *testing.T) {
			checkKeyURI(t, twofactor.KeyURI(c.issuer, c.account, secret), secret, c.wantIssuer, c.wantAccount)
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
	label := account
	if issuer != "" {
		label = issuer + ":" + account
	}
	if u.Path != "/"+label {
		t.Errorf("the label is %q, want %q", u.Path, "/"+label)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		t.Fatalf("%s: %v", uri, err)
	}
	want := map[string]string{"secret": secret.Base32()}
	if issuer != "" {
		want["issuer"] = issuer
	}
	for key, value := range want {
		if len(query[key]) != 1 || query.Get(key) != value {
			t.Errorf("%s is %q, want %q once", key, query[key], value)
		}
	}
	if len(query) != len(want) {
		t.Errorf("the parameters are %v", query)
	}
}

func FuzzKeyURI(f *testing.F) {
	for _, seed := range [][2]string{
		{"Acme", "ada@acme.example"}, {"Acme & Söhne + 100% #1", "a+b@c"}, {"X&secret=AAAA", "a@b"}, {"a:b", "c:d"},
		{"", ""}, {":", "\xff"}, {"%26secret%3DAAAA", "?secret=AAAA#"}, {"A\u2028B", "\x00"}, {"../..", "//host/"}, {"A；secret=1;b", "a;b"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, issuer, account string) {
		secret := secretOf(t, []byte(rfcKey))
		checkKeyURI(t, twofactor.KeyURI(issuer, account, secret), secret, cleaned(issuer), cleaned(account))
	})
}

// cleaned is what is left of a name: valid UTF-8, colons as white space, and
// white space as single spaces between words.
func cleaned(name string) string {
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
