package cli

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

func TestParseBaseURL(t *testing.T) {
	for given, want := range map[string]string{
		"https://portal.example.org":       "https://portal.example.org",
		"https://Portal.Example.org/":      "https://portal.example.org",
		"https://portal.example.org:443":   "https://portal.example.org",
		"https://portal.example.org:8443":  "https://portal.example.org:8443",
		"http://127.0.0.1:80":              "http://127.0.0.1",
		"http://[::1]:8080":                "http://[::1]:8080",
		"http://portal.example.org":        "", // passwords in the clear
		"https://portal.example.org/path":  "",
		"portal.example.org":               "",
		"https://ada@portal.example.org":   "",
		"https://bücher.example":           "https://xn--bcher-kva.example",
		"https://BÜCHER.example.:8443":     "https://xn--bcher-kva.example:8443",
		"https://straße.example":           "https://xn--strae-oqa.example",
		"https://例え。テスト":                   "https://xn--r8jz45g.xn--zckzah",
		"https://portal.example.org.":      "https://portal.example.org",
		"https://my_portal:443":            "https://my_portal",
		"https://[2001:DB8::1]":            "https://[2001:db8::1]",
		"https://\u200b.example":           "",
		"http://LOCALHOST:8080":            "http://localhost:8080",
		"https://portal.example.org:0443":  "https://portal.example.org",
		"https://portal.example.org:":      "https://portal.example.org",
		"https://portal.example.org:0":     "", // no browser could ask for these
		"https://portal.example.org:65536": "",
		"https://*.example.org":            "",
		"https://a.example,b.example":      "",
		"https://portal.example.org#top":   "",
	} {
		u, err := (&serveCommand{Listen: "127.0.0.1:8080", BaseURL: given}).parseBaseURL()
		switch {
		case want == "" && err == nil:
			t.Errorf("%s was taken as %s", given, u)
		case want != "" && (err != nil || u.String() != want):
			t.Errorf("%s: got %v, %v; want %s", given, u, err, want)
		}
	}
}

func TestProxyNetworks(t *testing.T) {
	for given, want := range map[string]string{
		"10.0.0.1":                      "[10.0.0.1/32]",
		"10.0.0.0/8, 192.168.1.7":       "[10.0.0.0/8 192.168.1.7/32]",
		" ::1 ,\tfd00::/8,":             "[::1/128 fd00::/8]",
		"::ffff:10.0.0.1":               "[10.0.0.1/32]",
		"::ffff:10.0.0.0/104 127.0.0.1": "[10.0.0.0/8 127.0.0.1/32]",
		"fe80::1%eth0":                  "[fe80::1/128]",
		"[::1],[2001:db8::7]":           "[::1/128 2001:db8::7/128]",
		",,10.0.0.1,":                   "[10.0.0.1/32]",
		"10.0.0.9/8":                    "[10.0.0.9/8]",
		"":                              "[]",
	} {
		got, err := proxyNetworks(strings.Split(given, ","))
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%q: got %v, %v; want %s", given, got, err, want)
		}
	}
	for _, given := range []string{"proxy", "10.0.0.0/33", "10.0.0", "10.0.0.1:80", "*"} {
		got, err := proxyNetworks([]string{given})
		if err == nil || !strings.Contains(err.Error(), "e.g. 10.0.0.1 or") || !strings.Contains(err.Error(), given) {
			t.Errorf("%q: got %v, %v; want a sentence with it and an example", given, got, err)
		}
	}
}

func TestReachable(t *testing.T) {
	for given, want := range map[string]string{
		"0.0.0.0:8080":   "localhost:8080",
		"[::]:8080":      "localhost:8080",
		"127.0.0.1:8080": "127.0.0.1:8080",
		"[::1]:8080":     "[::1]:8080",
		"192.0.2.7:80":   "192.0.2.7:80",
	} {
		at, err := net.ResolveTCPAddr("tcp", given)
		if err != nil {
			t.Fatal(err)
		}
		if got := reachable(at); got != want {
			t.Errorf("%s: got %s; want %s", given, got, want)
		}
	}
}

// TestDomainURLOfAnyPort serves with --tls-domain on a port that the system chooses.
func TestDomainURLOfAnyPort(t *testing.T) {
	c := serveCommand{Listen: "127.0.0.1:0"}
	c.TLSDomain = "portal.example.org"
	if u, err := c.parseBaseURL(); err != nil || u.Hostname() != "portal.example.org" {
		t.Errorf("got %v, %v", u, err)
	}
}

// TestBaseURLWithAPath refuses one and says why.
func TestBaseURLWithAPath(t *testing.T) {
	_, err := (&serveCommand{Listen: "127.0.0.1:8080", BaseURL: "https://example.org/gate"}).parseBaseURL()
	if err == nil || !strings.Contains(err.Error(), "takes no path") || !strings.Contains(err.Error(), "another app on it") {
		t.Errorf("got %v; want why not", err)
	}
}

// TestSocketNeedsABaseURL: nobody can tell from a socket how browsers reach it, and no proxy
// speaks TLS to it.
func TestSocketNeedsABaseURL(t *testing.T) {
	c := serveCommand{Listen: "unix:/run/gatehouse/gatehouse.sock"}
	if _, err := c.parseBaseURL(); err == nil || !strings.Contains(err.Error(), "--base-url") {
		t.Errorf("without one: %v", err)
	}
	c.BaseURL = "https://portal.example.org"
	if u, err := c.parseBaseURL(); err != nil || u.String() != c.BaseURL {
		t.Errorf("got %v, %v", u, err)
	}
	c.TLSDomain = "portal.example.org"
	if _, err := c.parseBaseURL(); err == nil || !strings.Contains(err.Error(), "plain http") {
		t.Errorf("with a certificate: %v", err)
	}
}
