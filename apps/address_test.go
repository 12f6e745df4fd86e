package apps

import (
	"errors"
	"strings"
	"testing"

	"gatehouse/account"
)

// reasonOf is the reason for which a field was refused, "" for none.
func reasonOf(t *testing.T, field string, err error) account.Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	var e account.FieldError
	if !errors.As(err, &e) || e.Field != field {
		t.Fatalf("refused with %v", err)
	}
	return e.Reason
}

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"https://grafana.example.org":       "https://grafana.example.org",
		" https://Grafana.Example.ORG:443/": "https://grafana.example.org",
		"grafana.example.org":               "https://grafana.example.org",
		"grafana.example.org:8443":          "https://grafana.example.org:8443",
		"http://nas.lan:80":                 "http://nas.lan",
		"http://nas.lan:0080":               "http://nas.lan",
		"https://grafana.example.org.":      "https://grafana.example.org",
		"https://bücher.example":            "https://xn--bcher-kva.example",
		"https://BÜCHER.example":            "https://xn--bcher-kva.example",
		"https://my_nas.lan":                "https://my_nas.lan",
		"http://[2001:DB8::1]:3000":         "http://[2001:db8::1]:3000",
		"http://192.0.2.1":                  "http://192.0.2.1",
	} {
		if a, err := ParseAddress(typed, "portal.example.org"); err != nil || a.String() != want {
			t.Errorf("%q gives %q, %v; want %q", typed, a, err, want)
		}
	}
	for typed, want := range map[string]account.Reason{
		"":                                    account.Missing,
		"  ":                                  account.Missing,
		"https://":                            account.NotAddress,
		"ftp://grafana.example.org":           account.NotAddress,
		"javascript://grafana.example.org":    account.NotAddress,
		"https://*.example.org":               account.NotAddress,
		"https://ada:secret@example.org":      account.NotAddress,
		"https://graf ana.example.org":        account.NotAddress,
		"https://grafana..example.org":        account.NotAddress,
		"https://grafana.example.org:99999":   account.NotAddress,
		"https://example.org/grafana":         account.HasPath,
		"https://example.org/?a":              account.HasPath,
		"https://example.org?":                account.HasPath,
		"https://example.org#top":             account.HasPath,
		"https://portal.example.org":          account.OwnHost,
		"https://Portal.Example.org.:9000":    account.OwnHost,
		"http://portal.example.org":           account.OwnHost,
		"https://" + strings.Repeat("a", 300): account.TooLong,
	} {
		if a, err := ParseAddress(typed, "portal.example.org"); reasonOf(t, "address", err) != want {
			t.Errorf("%q gives %q, %v; want %s", typed, a, err, want)
		}
	}
	if a, err := ParseAddress("https://portal.example.org.evil.example", "portal.example.org"); err != nil {
		t.Errorf("hosts are compared by suffix: %q, %v", a, err)
	}
}

func TestParseOrigin(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://grafana.example.org":     "https://grafana.example.org",
		"https://GRAFANA.example.org:443": "https://grafana.example.org",
		"https://grafana.example.org/":    "",
		"https://grafana.example.org/x":   "",
		"grafana.example.org":             "",
		"null":                            "",
		"":                                "",
		"file://":                         "",
		"https://a, https://b":            "",
	} {
		if a, ok := ParseOrigin(text); a.String() != want || ok != (want != "") {
			t.Errorf("%q gives %q, %v; want %q", text, a, ok, want)
		}
	}
}

func TestParseOthers(t *testing.T) {
	t.Parallel()
	got, err := ParseOthers(" https://a.example \r\nb.example,https://a.example:443\n")
	if err != nil || strings.Join(got, " ") != "https://a.example https://b.example" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := ParseOthers(""); err != nil || got != nil {
		t.Errorf("got %q, %v for none", got, err)
	}
	for _, text := range []string{"https://*.example", "null", "https://a.example/path"} {
		if _, err := ParseOthers(text); text != "null" && reasonOf(t, "others", err) != account.NotAddress {
			t.Errorf("%q is taken: %v", text, err)
		}
	}
}
