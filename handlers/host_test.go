package handlers_test

import (
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"gatehouse/db/dbtest"
	"gatehouse/handlers"
	"gatehouse/twofactor"
)

// proxies are where the tests' requests come from.
var proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}

// at is a site with a base URL, behind a proxy.
func at(t *testing.T, base string) *site {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	return newSite(t, func(c *handlers.Config) { c.BaseURL, c.TrustedProxies = u, proxies })
}

func TestHostsThatAreTheWorkspace(t *testing.T) {
	t.Parallel()
	for base, hosts := range map[string][]string{
		"https://bücher.example": {"xn--bcher-kva.example", "XN--Bcher-kva.Example", "bücher.example",
			"xn--bcher-kva.example:443"},
		"https://portal.example.org": {
			"portal.example.org", "Portal.Example.org", "portal.example.org.", "portal.example.org:443",
			"portal.example.org:80",
		},
		"https://portal.example.org:443": {"portal.example.org", "portal.example.org:443"},
		"https://portal.example.org:8443": {"portal.example.org:8443", "portal.example.org", "portal.example.org:443",
			"PORTAL.example.org.:8443"},
		"http://127.0.0.1:8080":      {"127.0.0.1:8080", "127.0.0.1"},
		"https://[2001:db8::1]:8443": {"[2001:db8::1]:8443", "[2001:DB8:0::1]:8443", "[2001:db8::1]"},
	} {
		s := at(t, base)
		for _, host := range hosts {
			r := httptest.NewRequest("GET", "/signin", nil)
			r.Host = host
			w := httptest.NewRecorder()
			if s.server.ServeHTTP(w, r); w.Code != 200 {
				t.Errorf("%s, Host %s: got %d", base, host, w.Code)
			}
		}
		if strings.Contains(s.log.String(), "WARN") {
			t.Errorf("%s: a warning\n%s", base, s.log.String())
		}
	}
}

// TestOtherHosts refuses other names, and tells the operator on the page
// and once in the log.
func TestOtherHosts(t *testing.T) {
	t.Parallel()
	s := at(t, "https://portal.example.org:8443")
	for _, host := range []string{"evil.example", "evil.example", "portal.example.org:9000",
		"portal.example.org.evil.example", "sub.portal.example.org", "", "<b>:80"} {
		r := httptest.NewRequest("GET", "/signin", nil)
		r.Host = host
		w := httptest.NewRecorder()
		s.server.ServeHTTP(w, r)
		body := w.Body.String()
		if w.Code != 421 || !strings.Contains(body, "https://portal.example.org:8443") ||
			!strings.Contains(body, "--base-url") {
			t.Errorf("Host %q: got %d\n%s", host, w.Code, body)
		}
		if host == "" && !strings.Contains(body, "Your request names no host") {
			t.Errorf("a request without a host is answered with:\n%s", body)
		}
		if host == "evil.example" && !strings.Contains(body, host) {
			t.Errorf("the page does not say what was asked for:\n%s", body)
		}
		if strings.Contains(body, "<b>:80") {
			t.Error("the page repeats markup")
		}
	}
	output := s.log.String()
	if n := strings.Count(output, "level=WARN msg=\"refused a request for another host\" host=evil.example"); n != 1 {
		t.Errorf("%d warnings of one name", n)
	}
	if !strings.Contains(output, "base_url=https://portal.example.org:8443") ||
		!strings.Contains(output, "GATEHOUSE_BASE_URL") {
		t.Errorf("the log does not say what to set:\n%s", output)
	}
	for i := range 100 {
		r := httptest.NewRequest("GET", "/signin", nil)
		r.Host = strings.Repeat("a", i+1) + ".example"
		s.server.ServeHTTP(httptest.NewRecorder(), r)
	}
	if n := strings.Count(s.log.String(), "level=WARN"); n > 10 {
		t.Errorf("a scanner fills the log with %d warnings", n)
	}
}

// TestTwoWorkspacesOnOneHost signs in at two ports of one host with one browser.
func TestTwoWorkspacesOnOneHost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ one, other string }{
		"with base URLs":    {"https://portal.example.org", "https://portal.example.org:8443"},
		"without base URLs": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			jar := map[string]string{}
			var browsers []*browser
			for i, base := range []string{c.one, c.other} {
				s, host := newSite(t), []string{"127.0.0.1:8080", "127.0.0.1:8081"}[i]
				if base != "" {
					s, host = at(t, base), strings.TrimPrefix(base, "https://")
				}
				s.add("ada@example.org", twofactor.Member)
				b := s.browser()
				b.cookies, b.host = jar, host
				b.post("/signin", "email", "ada@example.org", "password", dbtest.Password).wantRedirect("/my")
				browsers = append(browsers, b)
			}
			for i, b := range browsers {
				if a := b.get("/my"); a.status != 200 {
					t.Errorf("after signing in at both, the %d. answers %d", i+1, a.status)
				}
			}
		})
	}
}

// TestCookieNames pins the names: those of the default port are the ones from before.
func TestCookieNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ base, host, want string }{
		{"https://portal.example.org", "portal.example.org", "__Host-gatehouse"},
		{"https://portal.example.org:8443", "portal.example.org:8443", "__Host-gatehouse-8443"},
		// through a proxy that maps the port
		{"https://portal.example.org:8443", "portal.example.org", "__Host-gatehouse-8443"},
		{"http://127.0.0.1", "127.0.0.1", "gatehouse"},
		{"", "localhost", "gatehouse"},
		{"", "localhost:80", "gatehouse"},
		{"", "localhost:8080", "gatehouse-8080"},
		{"", "[::1]:8080", "gatehouse-8080"},
		{"", "localhost:80;80", "gatehouse"}, // what no browser sends gets into no name
	} {
		s := newSite(t)
		if c.base != "" {
			s = at(t, c.base)
		}
		s.add("ada@example.org", twofactor.Member)
		b := s.browser()
		b.host = c.host
		b.post("/signin", "email", "ada@example.org", "password", dbtest.Password).wantRedirect("/my")
		if b.cookies[c.want] == "" {
			t.Errorf("%s, Host %s: got %v; want %s", c.base, c.host, b.cookies, c.want)
		}
		b.get("/my").wantStatus(200)
		b.post("/signout")
		if b.cookies[c.want] != "" {
			t.Errorf("%s, Host %s: signing out leaves %s", c.base, c.host, c.want)
		}
	}
}

func TestForwardedForFromAnUntrustedPeer(t *testing.T) {
	t.Parallel()
	const warning = "X-Forwarded-For is ignored"
	s := newSite(t)
	s.browser().get("/signin").wantStatus(200)
	if strings.Contains(s.log.String(), warning) {
		t.Error("a warning without the header")
	}
	for range 3 {
		b := s.browser()
		b.address, b.forwarded = "10.0.0.5:4711", "203.0.113.9"
		b.get("/healthz").wantStatus(200)
	}
	if n := strings.Count(s.log.String(), warning); n != 1 {
		t.Errorf("%d warnings; want one", n)
	}
	for _, want := range []string{"--trusted-proxy 10.0.0.5", "GATEHOUSE_TRUSTED_PROXY", "level=WARN"} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("the warning lacks %s:\n%s", want, s.log.String())
		}
	}
	trusting := newSite(t, func(c *handlers.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.5/32")} })
	b := trusting.browser()
	b.address, b.forwarded = "10.0.0.5:4711", "203.0.113.9"
	b.get("/signin").wantStatus(200)
	if strings.Contains(trusting.log.String(), warning) {
		t.Error("a warning about a trusted proxy")
	}
}
