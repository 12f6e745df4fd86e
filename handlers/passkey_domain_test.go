package handlers_test

import (
	"net/url"
	"testing"

	"gatehouse/handlers"
)

func TestRelatedOrigins(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) {
		c.BaseURL = &url.URL{Scheme: "https", Host: "gate.example.net"}
		c.PasskeyDomain, c.PasskeyOrigins = "old.example.org", []string{"https://other.example.net"}
	})
	b := s.browser()
	b.address = "127.0.0.1:4711" // a proxy on this machine
	for _, host := range []string{"old.example.org", "OLD.example.org:443", "gate.example.net"} {
		b.host = host
		a := b.get("/.well-known/webauthn").wantStatus(200, `{"origins":["https://gate.example.net","https://other.example.net"]}`)
		if got := a.header.Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: %s", host, got)
		}
	}
	b.host = "old.example.org"
	b.get("/signin").wantStatus(421)
	b.host = "evil.example.org"
	b.get("/.well-known/webauthn").wantStatus(421)
	newSite(t).browser().get("/.well-known/webauthn").wantStatus(404)
}

func TestPasskeyDomain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ scheme, host, domain, id string }{
		{"https", "gate.example.org", "", "gate.example.org"},
		{"https", "gate.example.org", "example.org", "example.org"},
		{"http", "localhost", "", "localhost"},
		{"http", "gate.localhost", "", "gate.localhost"},
		{"http", "gate.example.org", "", ""},
		{"https", "192.0.2.1", "", ""},
		{"https", "2001:db8::1", "", ""},
		{"http", "127.0.0.1", "", ""},
	} {
		id, unable := handlers.PasskeyDomain(c.scheme, c.host, c.domain)
		if id != c.id || (unable == "") != (c.id != "") {
			t.Errorf("%s://%s: %q, %q", c.scheme, c.host, id, unable)
		}
	}
}
