package handlers

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestClientAddress(t *testing.T) {
	s := &Server{proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	for name, c := range map[string]struct{ forwarded, remote, want string }{
		"a stranger is who connects":             {"203.0.113.9", "192.0.2.1:4711", "192.0.2.1"},
		"a proxy tells who":                      {"203.0.113.9", "10.0.0.1:80", "203.0.113.9"},
		"with a port":                            {"203.0.113.9:4711", "10.0.0.1:80", "203.0.113.9"},
		"an IPv6 address with a port":            {"[2001:db8::1]:4711", "[fd00::1]:80", "2001:db8::1"},
		"the last stranger, whatever they wrote": {"198.51.100.1, 203.0.113.9, 10.0.0.2", "10.0.0.1:80", "203.0.113.9"},
		"noise stops at the proxy before it":     {"198.51.100.1, noise, 10.0.0.2", "10.0.0.1:80", "10.0.0.2"},
		"a proxy that tells nothing":             {"", "10.0.0.1:80", "10.0.0.1"},
		"IPv6 in brackets":                       {"[2001:db8::1], 10.0.0.2", "10.0.0.1:80", "2001:db8::1"},
		"IPv6 in brackets with a port":           {"[2001:db8::1]:443", "10.0.0.1:80", "2001:db8::1"},
		"half a bracket":                         {"[2001:db8::1", "10.0.0.1:80", "10.0.0.1"},
		"empty elements say nothing":             {"203.0.113.9, ,", "10.0.0.1:80", "203.0.113.9"},
		"IPv4 within IPv6":                       {"::ffff:203.0.113.9", "[::ffff:10.0.0.1]:80", "203.0.113.9"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": {c.forwarded}}}
			if got := s.clientAddress(r); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestClientAddressOnASocket reads what a proxy on our own unix socket says, and through
// whom it was asked.
func TestClientAddressOnASocket(t *testing.T) {
	s := &Server{proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for forwarded, want := range map[string]string{
		"203.0.113.9":               "203.0.113.9",
		"198.51.100.1, 203.0.113.9": "203.0.113.9",
		"203.0.113.9, 10.0.0.2":     "203.0.113.9",
		"203.0.113.9, noise":        "",
		"":                          "",
	} {
		r := &http.Request{RemoteAddr: "@", Header: http.Header{"X-Forwarded-For": {forwarded}}}
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "/s", Net: "unix"}))
		if got := s.clientAddress(r); got != want {
			t.Errorf("%q: got %q, want %q", forwarded, got, want)
		}
		if peer := s.peer(r); !peer.isTrusted || peer.name() != "unix socket" || s.schemeOf(r) != overHTTPS {
			t.Errorf("the proxy is %+v, over %d", peer, s.schemeOf(r))
		}
	}
	r := &http.Request{RemoteAddr: "@", Header: http.Header{"X-Forwarded-For": {"203.0.113.9"}}}
	if peer := s.peer(r); peer.isTrusted {
		t.Error("an address that cannot be read is trusted")
	}
}

// FuzzNext looks for an address to go on to that leads off this server.
func FuzzNext(f *testing.F) {
	for _, seed := range []string{"/my", "/my/profile?x=1#y", "https://evil.example/", "//evil.example",
		"///evil.example", `/\evil.example`, `\\evil.example`, "/%2F/evil.example/..",
		"/%5Cevil.example", "javascript:alert(1)", "/\tevil", "/my\r\nX: y", "/.//evil.example", "/..//evil.example",
		"/my?next=//evil.example", "/%", "/\u2028", "/;@evil.example", "/signin"} {
		f.Add(seed)
	}
	here, err := url.Parse("https://portal.example.org/signin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := localPath(next)
		if got == "" {
			return
		}
		if !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n\t\x00") {
			t.Fatalf("%q leads to %q", next, got)
		}
		to, err := here.Parse(got)
		if err != nil || to.Host != here.Host || to.Scheme != here.Scheme || to.User != nil {
			t.Fatalf("%q leads to %v, %v", next, to, err)
		}
		if again := localPath(got); again != got {
			t.Fatalf("%q became %q and then %q", next, got, again)
		}
		w := httptest.NewRecorder()
		http.Redirect(w, httptest.NewRequest(http.MethodGet, "/signin", nil), got, http.StatusSeeOther)
		if location := w.Header().
			Get("Location"); !strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//") {
			t.Fatalf("%q is sent as %q", next, location)
		}
	})
}

// FuzzForwardedAddress looks for a header that makes a stranger's address
// something else than what the last trusted proxy says, or no address at all.
func FuzzForwardedAddress(f *testing.F) {
	for _, seed := range [][2]string{{"203.0.113.9", "192.0.2.1:4711"}, {"203.0.113.9, 10.0.0.2", "10.0.0.1:80"},
		{"garbage, 10.0.0.2", "10.0.0.1:80"}, {"", "[2001:db8::1%eth0]:80"},
		{"::ffff:10.0.0.3, 10.0.0.2", "10.0.0.1:80"}, {",,,", "10.0.0.1:80"}, {"10.0.0.1", "10.0.0.1"},
		{"1.2.3.4:80", "10.0.0.1:80"}, {"\x00", "@"}} {
		f.Add(seed[0], seed[1])
	}
	proxies := netip.MustParsePrefix("10.0.0.0/8")
	s := &Server{proxies: []netip.Prefix{proxies}}
	f.Fuzz(func(t *testing.T, forwarded, remote string) {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {forwarded}}}
		got := s.clientAddress(r)
		if got == "" {
			return // the connection has no address: not over TCP
		}
		address, err := netip.ParseAddr(got)
		if err != nil || address.Is4In6() || address.Zone() != "" {
			t.Fatalf("%q over %q gives %q, %v", forwarded, remote, got, err)
		}
		direct := (&Server{}).clientAddress(r)
		peer, err := netip.ParseAddr(direct)
		if err != nil {
			t.Fatal(err)
		}
		if !proxies.Contains(peer) && got != direct {
			t.Fatalf("a stranger at %q passes for %q", direct, got)
		}
	})
}
