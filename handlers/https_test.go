package handlers_test

import (
	"crypto/tls"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/handlers"
	"gatehouse/twofactor"
)

// TestPasswordsAreAcceptedOverHTTPSOnly comes to a workspace with an https base URL in every
// way: a password counts only where it came over TLS, or through a proxy or from this
// machine, unless that says that it came in the clear.
func TestPasswordsAreAcceptedOverHTTPSOnly(t *testing.T) {
	t.Parallel()
	const (
		taken     = "taken"     // as ever
		led       = "led"       // a page is led to https, a form is refused
		explained = "explained" // both are refused: leading on would go round in circles
	)
	for name, c := range map[string]struct {
		peer    string
		tls     bool
		headers []string
		want    string
	}{
		"http":                     {peer: "203.0.113.7:1", want: led},
		"a tunnel on this machine": {peer: "127.0.0.1:1", want: taken},
		"a proxy of this machine, in clear": {
			peer:    "[::1]:1",
			headers: []string{"X-Forwarded-Proto", "http"},
			want:    led,
		},
		"TLS": {peer: "203.0.113.7:1", tls: true, want: taken},
		"TLS, whatever a header says": {
			peer:    "203.0.113.7:1",
			tls:     true,
			headers: []string{"X-Forwarded-Proto", "http"},
			want:    taken,
		},
		"a proxy that serves https": {
			peer:    "192.0.2.7:1",
			headers: []string{"X-Forwarded-Proto", "https"},
			want:    taken,
		},
		"a proxy that does not say": {peer: "192.0.2.7:1", want: taken},
		"a proxy that serves http": {
			peer:    "192.0.2.7:1",
			headers: []string{"X-Forwarded-Proto", "http"},
			want:    led,
		},
		"a proxy that says it in capitals": {
			peer:    "192.0.2.7:1",
			headers: []string{"X-Forwarded-Proto", "https, HTTP "},
			want:    led,
		},
		"a proxy that another one asked": {
			peer:    "192.0.2.7:1",
			headers: []string{"X-Forwarded-Proto", "http", "Sec-Fetch-Site", "same-origin"},
			want:    taken,
		},
		"a proxy on a unix socket": {peer: "@", want: taken},
		"a proxy that is not listed": {
			peer:    "203.0.113.7:1",
			headers: []string{"X-Forwarded-Proto", "https"},
			want:    taken,
		},
		"a proxy that is not trusted": {
			peer:    "203.0.113.7:1",
			headers: []string{"X-Forwarded-For", "198.51.100.1"},
			want:    explained,
		},
		"a browser behind a proxy that not": {
			peer:    "203.0.113.7:1",
			headers: []string{"Sec-Fetch-Site", "none"},
			want:    explained,
		},
	} {
		t.Run(name, func(t *testing.T) {
			base, _ := url.Parse("https://portal.example.org:8443")
			s := newSite(t, func(c *handlers.Config) { c.BaseURL, c.TrustedProxies = base, proxies })
			s.add("ada@example.org", twofactor.Member)
			b := s.browser()
			b.host, b.address = "portal.example.org:8443", c.peer
			send := func(method, path, body string) answer {
				r := httptest.NewRequest(method, path, strings.NewReader(body))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				for i := 0; i < len(c.headers); i += 2 {
					r.Header.Set(c.headers[i], c.headers[i+1])
				}
				if c.tls {
					r.TLS = &tls.ConnectionState{}
				}
				return b.send(r)
			}
			page := send("GET", "/signin?next=/my/profile", "")
			form := send("POST", "/signin", "email=ada@example.org&password="+url.QueryEscape(dbtest.Password))
			send("GET", "/healthz", "").wantStatus(200, "ok")
			send("GET", "/favicon.ico", "").wantStatus(200)
			if c.want == taken {
				page.wantStatus(200, "Sign in")
				form.wantRedirect("/my")
				return
			}
			if c.want == led {
				page.wantRedirect("https://portal.example.org:8443/signin?next=/my/profile")
			} else {
				page.wantStatus(403, "Open this workspace over https", "--trusted-proxy")
			}
			form.wantStatus(403, "Open this workspace over https", "Nothing was changed.",
				`href="https://portal.example.org:8443"`)
			if len(b.cookies) != 0 {
				t.Errorf("it set %v", b.cookies)
			}
			if n := strings.Count(s.log.String(), "level=WARN msg=\"refused a request over http"); n != 1 {
				t.Errorf("%d warnings in the log, want one:\n%s", n, s.log.String())
			}
			if rows, err := s.store.Activity(ctx, db.Filter{Event: account.SignedIn}); err != nil ||
				len(rows.Rows) != 0 {
				t.Errorf("somebody has signed in: %v, %v", rows, err)
			}
		})
	}
}

// TestLostCookie signs in with a browser that keeps no cookie.
func TestLostCookie(t *testing.T) {
	t.Parallel()
	const says = "Your browser did not keep the sign-in cookie."
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	s.add("mia@example.org", twofactor.Member)
	s.enrolled("mia@example.org")
	from := func(b *browser, path, referer string) answer {
		r := httptest.NewRequest("GET", path, nil)
		if referer != "" {
			r.Header.Set("Referer", referer)
		}
		return b.send(r)
	}
	const form = "http://example.com/signin"
	for email, next := range map[string]string{"ada@example.org": "/my", "mia@example.org": "/signin/two-factor"} {
		s.browser().post("/signin", "email", email, "password", dbtest.Password).wantRedirect(next)
		from(s.browser(), next, form).wantRedirect("/signin") // without the cookies
		from(s.browser(), "/signin", form).wantStatus(200, says, "Allow cookies").wantNot("verification step expired")
	}
	from(s.browser(), "/my/profile", form).wantRedirect("/signin?next=%2Fmy%2Fprofile")
	from(s.browser(), "/signin?next=%2Fmy%2Fprofile", form).wantStatus(200, says, `value="/my/profile"`)
	from(s.browser(), "/signin", "http://example.com/setup/x").wantStatus(200, says)

	for _, referer := range []string{"", "http://example.com/help/two-factor", "http://example.com/signin/two-factor",
		"http://evil.example/signin", "http://example.com/my", "%"} {
		from(s.browser(), "/signin", referer).wantStatus(200).wantNot(says)
	}
	b := s.signedIn("ada@example.org")
	b.post("/signout").wantRedirect("/signin")
	from(b, "/signin", form).wantStatus(200, "You are signed out.").wantNot(says)
	for range 20 {
		s.browser().post("/signin", "email", "nobody@example.org", "password", "x")
	}
	busy := s.browser().post("/welcome/x", "password", newPassword) // a page whose link leads to the sign-in
	if strings.Contains(busy.body, `href="/signin"`) && !strings.Contains(busy.body, `rel="noreferrer"`) {
		t.Error("the link of a problem's page says where it comes from")
	}
}
