package openid

import (
	"errors"
	"testing"
)

func TestParseRedirect(t *testing.T) {
	for _, c := range []struct {
		name, typed string
		kind        Kind
		plain       bool
		want        error
	}{
		{"https", "https://cloud.example.org/apps/user_oidc/code", Web, false, nil},
		{"https with a port and a query", "https://cloud.example.org:8443/cb?tenant=1", Web, false, nil},
		{"http", "http://cloud.example.org/cb", Web, false, ErrAddressHTTP},
		{"http where Gatehouse is plain too", "http://cloud.example.org/cb", Web, true, nil},
		{"http on loopback of a web app", "http://127.0.0.1/cb", Web, false, ErrAddressHTTP},
		{"http on loopback of a native app", "http://127.0.0.1/cb", Native, false, nil},
		{"http on IPv6 loopback of a native app", "http://[::1]/cb", Native, false, nil},
		{"http on localhost, which may lead elsewhere", "http://localhost/cb", Native, false, ErrAddressHTTP},
		{"http on an address that begins like loopback", "http://127.0.0.1.evil.example/cb", Native, false, ErrAddressHTTP},
		{"private scheme", "com.example.app:/callback", Native, false, nil},
		{"private scheme with three slashes", "app.immich:///oauth-callback", Web, false, nil},
		{"private scheme with an authority", "com.example.app://host/callback", Native, false, ErrAddress},
		{"private scheme without a dot", "example:/callback", Native, false, ErrAddress},
		{"javascript", "javascript:alert(1)", Native, true, ErrAddress},
		{"data", "data:text/html,x", Native, true, ErrAddress},
		{"file", "file:///etc/passwd", Native, true, ErrAddress},
		{"wildcard", "https://*.example.org/cb", Web, true, ErrAddress},
		{"wildcard in the path", "https://example.org/*", Web, true, ErrAddress},
		{"fragment", "https://example.org/cb#x", Web, true, ErrAddress},
		{"userinfo", "https://example.org@evil.example/cb", Web, true, ErrAddress},
		{"backslash", `https://example.org\@evil.example/cb`, Web, true, ErrAddress},
		{"encoded host", "https://exa%6dple.org/cb", Web, true, ErrAddress},
		{"space inside", "https://example.org/a b", Web, true, ErrAddress},
		{"control character", "https://example.org/\x00", Web, true, ErrAddress},
		{"no host", "https:///cb", Web, true, ErrAddress},
		{"one slash", "https:/example.org/cb", Web, true, ErrAddress},
		{"port that does not exist", "https://example.org:99999/cb", Web, true, ErrAddress},
		{"capital scheme", "HTTPS://example.org/cb", Web, true, ErrAddress},
		{"nothing", "  ", Web, true, ErrAddress},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := ParseRedirect(c.typed, c.kind, c.plain); !errors.Is(err, c.want) {
				t.Errorf("got %v; want %v", err, c.want)
			}
		})
	}
}

// TestLoopbackRedirects: fosite CVE-2020-15233 let another path or query pass.
func TestLoopbackRedirects(t *testing.T) {
	native := Client{Kind: Native, Redirects: []string{"http://127.0.0.1/cb?a=1", "https://app.example.org/cb", "http://[::1]:8000/x"}}
	for _, c := range []struct {
		name, given string
		want        bool
	}{
		{"as registered", "http://127.0.0.1/cb?a=1", true},
		{"another port", "http://127.0.0.1:51234/cb?a=1", true},
		{"another path", "http://127.0.0.1:51234/other?a=1", false},
		{"a longer path", "http://127.0.0.1:51234/cb/x?a=1", false},
		{"another query", "http://127.0.0.1:51234/cb?a=2", false},
		{"no query", "http://127.0.0.1:51234/cb", false},
		{"a longer query", "http://127.0.0.1:51234/cb?a=1&b=2", false},
		{"another loopback address", "http://127.0.0.2:51234/cb?a=1", false},
		{"localhost", "http://localhost:51234/cb?a=1", false},
		{"IPv6 with another port", "http://[::1]:9/x", true},
		{"userinfo", "http://127.0.0.1:80@evil.example/cb?a=1", false},
		{"suffix", "http://127.0.0.1.evil.example/cb?a=1", false},
		{"port with letters", "http://127.0.0.1:8x/cb?a=1", false},
		{"empty port", "http://127.0.0.1:/cb?a=1", false},
		{"https with another port", "https://app.example.org:444/cb", false},
		{"capitals", "http://127.0.0.1/CB?a=1", false},
		{"nothing", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := native.AllowsRedirect(c.given); got != c.want {
				t.Errorf("got %v; want %v", got, c.want)
			}
		})
	}
	web := Client{Kind: Web, Redirects: native.Redirects}
	if web.AllowsRedirect("http://127.0.0.1:51234/cb?a=1") {
		t.Error("a web app chooses its own port")
	}
}

// TestRedirectIsExact: vouch #335, Pocket ID GHSA-2wvm-8mvp-22qv.
func TestRedirectIsExact(t *testing.T) {
	c := Client{Kind: Web, Redirects: []string{"https://app.example.org/cb"}, LogoutRedirects: []string{"https://app.example.org/bye"}}
	for _, given := range []string{
		"https://app.example.org/cb/", "https://app.example.org/cb?x", "https://app.example.org/CB",
		"https://app.example.org:443/cb", "https://app.example.org.evil.example/cb", "https://evilapp.example.org/cb",
		"https://app.example.org/cb/../x", "https://app.example.org/%63b", " https://app.example.org/cb", "http://app.example.org/cb",
	} {
		if c.AllowsRedirect(given) {
			t.Errorf("%q is taken for the registered address", given)
		}
	}
	if !c.AllowsRedirect("https://app.example.org/cb") || !c.AllowsLogoutRedirect("https://app.example.org/bye") ||
		c.AllowsLogoutRedirect("https://app.example.org/cb") || c.AllowsLogoutRedirect("") {
		t.Error("the registered address is not taken, or another is")
	}
}

func TestParseBackchannel(t *testing.T) {
	for _, c := range []struct {
		name, typed string
		plain       bool
		want        error
	}{
		{"none", "", false, nil},
		{"on the app's host", "https://cloud.example.org/backchannel", false, nil},
		{"another port of it", "https://cloud.example.org:8443/backchannel", false, nil},
		{"another host", "https://169.254.169.254/latest", false, ErrHost},
		{"a suffix", "https://cloud.example.org.evil.example/", false, ErrHost},
		{"userinfo", "https://cloud.example.org@evil.example/", false, ErrAddress},
		{"http", "http://cloud.example.org/backchannel", false, ErrAddressHTTP},
		{"http where Gatehouse is plain too", "http://cloud.example.org/backchannel", true, nil},
		{"file", "file:///etc/passwd", true, ErrAddress},
		{"fragment", "https://cloud.example.org/#x", false, ErrAddress},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := ParseBackchannel(c.typed, "cloud.example.org", c.plain); !errors.Is(err, c.want) {
				t.Errorf("got %v; want %v", err, c.want)
			}
		})
	}
}
