package handlers_test

import (
	"database/sql"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/handlers"
	"gatehouse/twofactor"
)

func TestSetup(t *testing.T) {
	t.Parallel()
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := newSite(t)
		token, err := s.store.NewSetupToken(ctx, s.now)
		if err != nil {
			t.Fatal(err)
		}
		b := s.browser()
		b.get("/setup/"+token).wantStatus(200, `name="workspace"`, `name="name"`, `name="email"`, `name="password"`)
		b.get("/setup/another").wantStatus(404)
		b.htmx = htmx
		b.post("/setup/"+token, "workspace", "Acme", "name", "Ada", "email", "not an address", "password", "12345678").
			wantStatus(422, "Acme", "Ada", "not an address", "Enter an e-mail address", "too common").wantNot("12345678")
		b.post("/setup/"+token, "workspace", "Acme & Söhne", "name", "Ada", "email", "ada@example.org", "password",
			dbtest.Password).wantRedirect("/my")
		b.htmx = false
		b.get("/my").wantStatus(200, "Acme & Söhne", "Ada")
		b.get("/admin/settings/security").wantStatus(200)
		s.browser().get("/setup/" + token).wantStatus(404)
		s.browser().post("/setup/"+token, "workspace", "Evil", "name", "Eve", "email", "eve@example.org", "password",
			dbtest.Password).wantStatus(404)
		if _, err := s.store.NewSetupToken(ctx, s.now); err == nil {
			t.Error("a second set-up link was made")
		}
	})
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := newSite(t)
		s.add("ada@example.org", twofactor.Member)
		b := s.browser()
		b.get("/my/profile").wantRedirect("/signin?next=%2Fmy%2Fprofile")
		b.get("/signin?next=%2Fmy%2Fprofile").wantStatus(200, "Sign in", `value="/my/profile"`)
		b.htmx = htmx
		b.post("/signin", "email", "ada@example.org", "password", "wrong horse", "next", "/my/profile").
			wantStatus(422, "did not match", "ada@example.org", "/my/profile").wantNot("wrong horse")
		b.post("/signin", "email", "ada@example.org", "password", dbtest.Password, "next", "/my/profile").
			wantRedirect("/my/profile")
		b.htmx = false
		b.get("/signin").wantRedirect("/my")
		b.post("/signout").wantRedirect("/signin")
		b.get("/my").wantRedirect("/signin")
	})
}

// TestNext tries to lead somebody to another site after the sign-in.
func TestNext(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	for _, next := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example",
		"/%2F/evil.example/..", "javascript:alert(1)", "/\tevil", "/my\r\nX: y", "///evil.example",
		"/%5Cevil.example"} {
		a := s.browser().post("/signin", "email", "ada@example.org", "password", dbtest.Password, "next", next)
		to := a.header.Get("Location")
		u, err := url.Parse(to)
		if err != nil || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") ||
			strings.ContainsAny(to, "\\") {
			t.Errorf("next %q leads to %q", next, to)
		}
		s.advance(time.Minute)
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	t.Run("after an hour without a request", func(t *testing.T) {
		b := s.signedIn("ada@example.org")
		s.advance(59 * time.Minute)
		b.get("/my").wantStatus(200)
		s.advance(59 * time.Minute)
		b.get("/my").wantStatus(200)
		s.advance(time.Hour)
		b.get("/my").wantRedirect("/signin")
	})
	t.Run("a day after the sign-in, whatever happens", func(t *testing.T) {
		b := s.signedIn("ada@example.org")
		for range 47 {
			s.advance(30 * time.Minute)
			b.get("/my").wantStatus(200)
		}
		s.advance(31 * time.Minute)
		b.get("/my").wantRedirect("/signin")
	})
	t.Run("one by one, and all others", func(t *testing.T) {
		first, two, three := s.signedIn("ada@example.org"), s.signedIn("ada@example.org"), s.signedIn("ada@example.org")
		a := first.get("/my/profile").wantStatus(200, "Firefox on Linux", "192.0.2.7")
		_, after, _ := strings.Cut(a.body, `name="session" value="`)
		handle, _, _ := strings.Cut(after, `"`)
		first.post("/my/profile/sessions/end", "session", handle).wantRedirect("/my/profile")
		ended := 0
		for _, b := range []*browser{two, three} {
			if b.get("/my").status == http.StatusSeeOther {
				ended++
			}
		}
		if ended != 1 {
			t.Errorf("%d of two others ended, want one", ended)
		}
		first.post("/my/profile/sessions/end", "others", "all").wantRedirect("/my/profile")
		first.get("/my").wantStatus(200)
		two.get("/my").wantRedirect("/signin")
		three.get("/my").wantRedirect("/signin")
	})
	t.Run("another person's session does not", func(t *testing.T) {
		s.add("eve@example.org", twofactor.Member)
		ada, eve := s.signedIn("ada@example.org"), s.signedIn("eve@example.org")
		a := ada.get("/my/profile").wantStatus(200)
		_, after, _ := strings.Cut(a.body, `name="session" value="`)
		handle, _, _ := strings.Cut(after, `"`)
		eve.post("/my/profile/sessions/end", "session", handle)
		ada.get("/my").wantStatus(200)
	})
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := newSite(t)
		s.add("ada@example.org", twofactor.Member)
		b, other := s.signedIn("ada@example.org"), s.signedIn("ada@example.org")
		b.htmx = htmx
		b.post("/my/profile/password", "current_password", "wrong", "new_password", "a quite different one").
			wantStatus(422, "Password did not match.")
		b.post("/my/profile/password", "current_password", dbtest.Password, "new_password", "short").
			wantStatus(422, "at least 8 characters")
		other.get("/my").wantStatus(200)
		b.post("/my/profile/password", "current_password", dbtest.Password, "new_password", "a quite different one").
			wantRedirect("/my/profile")
		b.htmx = false
		b.get("/my/profile").wantStatus(200, "Your password is changed.")
		other.get("/my").wantRedirect("/signin")
		s.browser().post("/signin", "email", "ada@example.org", "password", dbtest.Password).wantStatus(422)
		s.browser().post("/signin", "email", "ada@example.org", "password", "a quite different one").wantRedirect("/my")
	})
}

func TestWaits(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	_, secret, _ := s.enrolled("ada@example.org")
	stranger := func() *browser { // knows the password, from ever other addresses
		b := s.browser()
		b.post("/signin", "email", "ada@example.org", "password", dbtest.Password).wantRedirect("/signin/two-factor")
		return b
	}
	b := stranger()
	for range 4 {
		b.post("/signin/two-factor", "code", "000000").wantStatus(422)
	}
	b.post("/signin/two-factor", "code", "000000").wantStatus(422, "That code did not match")
	b = stranger()
	right := s.code(secret)
	a := b.post("/signin/two-factor", "code", right).wantStatus(429)
	if a.header.Get("Retry-After") != "30" {
		t.Errorf("Retry-After %q, want 30", a.header.Get("Retry-After"))
	}
	s.advance(30 * time.Second)
	b.post("/signin/two-factor", "code", right).wantRedirect("/my") // it was not burnt while waiting
}

func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	address := func(t *testing.T, b *browser) string {
		t.Helper()
		b.post("/signin", "email", "ada@example.org", "password", dbtest.Password).wantRedirect("/my")
		_, after, _ := strings.Cut(b.get("/my/profile").wantStatus(200).body, "<html")
		for _, known := range []string{"203.0.113.9", "198.51.100.1", "192.0.2.7"} {
			if strings.Contains(after, known) {
				return known
			}
		}
		return ""
	}
	t.Run("a stranger's header is ignored", func(t *testing.T) {
		s := newSite(t)
		s.add("ada@example.org", twofactor.Member)
		b := s.browser()
		b.forwarded = "203.0.113.9"
		if got := address(t, b); got != "192.0.2.7" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("a proxy's header counts, up to the first stranger", func(t *testing.T) {
		s := newSite(t, func(c *handlers.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
		s.add("ada@example.org", twofactor.Member)
		b := s.browser()
		b.forwarded = "203.0.113.9, 198.51.100.1, 192.0.2.8"
		if got := address(t, b); got != "198.51.100.1" {
			t.Errorf("got %s", got)
		}
	})
}

func TestCookies(t *testing.T) {
	t.Parallel()
	base, _ := url.Parse("https://portal.example.org")
	for name, https := range map[string]bool{"under http": false, "under https": true} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(c *handlers.Config) {
				if https {
					c.BaseURL, c.TrustedProxies = base, proxies
				}
			})
			s.add("ada@example.org", twofactor.Member)
			b := s.browser()
			if https {
				b.host = "portal.example.org"
			}
			a := b.post("/signin", "email", "ada@example.org", "password", dbtest.Password).wantRedirect("/my")
			for _, c := range a.header.Values("Set-Cookie") {
				name, rest, _ := strings.Cut(c, "=")
				if !strings.Contains(rest, "HttpOnly") || !strings.Contains(rest, "SameSite=Lax") ||
					!strings.Contains(rest, "Path=/") || strings.Contains(rest, "Domain") {
					t.Errorf("cookie %s", c)
				}
				if strings.Contains(rest, "Secure") != https || strings.HasPrefix(name, "__Host-") != https {
					t.Errorf("cookie %s, https %v", c, https)
				}
				if strings.Contains(rest, "Max-Age") != strings.HasSuffix(name, "-browser") {
					t.Errorf("cookie %s", c)
				}
			}
			if (a.header.Get("Strict-Transport-Security") != "") != https {
				t.Error("HSTS belongs to https")
			}
		})
	}
	t.Run("another host is refused", func(t *testing.T) {
		s := newSite(t, func(c *handlers.Config) { c.BaseURL = base })
		s.browser().get("/signin").wantStatus(421)
	})
}

func TestLogHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	token, err := s.store.NewSetupToken(ctx, s.now)
	if err == nil {
		t.Fatalf("a set-up link beside people: %s", token)
	}
	b, secret, codes := s.enrolled("ada@example.org")
	b.post("/my/profile/two-factor/disable", "password", "not my password")
	s.browser().get("/setup/abcdefghijklmnop")
	s.browser().post("/signin", "email", "a password typed as a name", "password", "x")
	log := s.log.String()
	for _, text := range append([]string{secret, dbtest.Password, "not my password", "abcdefghijklmnop",
		"a password typed", b.cookies["gatehouse"], b.cookies["gatehouse-browser"]}, codes...) {
		if strings.Contains(log, text) {
			t.Errorf("the log holds %q", text)
		}
	}
	if !strings.Contains(log, `route="POST /my/profile/two-factor/confirm"`) {
		t.Errorf("no route in the log:\n%s", log)
	}
}

// TestReadingWritesNothing reads pages and looks whether the database has changed:
// no page of a stranger may, and one of somebody signed in only once a minute.
func TestReadingWritesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	ada := s.signedIn("ada@example.org")
	file, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, db.FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	file.SetMaxOpenConns(1) // the version is one connection's view of what the others have done
	changed := func(look func()) (yes bool) {
		t.Helper()
		var before, after int
		if err := file.QueryRow(`PRAGMA data_version`).Scan(&before); err != nil {
			t.Fatal(err)
		}
		look()
		if err := file.QueryRow(`PRAGMA data_version`).Scan(&after); err != nil {
			t.Fatal(err)
		}
		return before != after
	}
	if changed(func() {
		for _, path := range []string{"/signin", "/signin?next=/my/profile", "/", "/my", "/signin/two-factor",
			"/nowhere", "/favicon.ico"} {
			if a := s.browser().get(path); len(a.header.Values("Set-Cookie")) > 0 {
				t.Errorf("%s set %q", path, a.header.Values("Set-Cookie"))
			}
		}
	}) {
		t.Error("a stranger's look was written down")
	}
	look := func() {
		for _, path := range []string{"/my", "/my/profile", "/my/profile/two-factor"} {
			ada.get(path).wantStatus(http.StatusOK)
		}
	}
	if changed(look) {
		t.Error("a second look within a minute was written down")
	}
	s.advance(time.Minute)
	if !changed(look) {
		t.Error("the session's last use was not noted after a minute")
	}
	if changed(look) {
		t.Error("it was noted twice within a minute")
	}
}
