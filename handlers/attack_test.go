package handlers_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/handlers"
	"gatehouse/twofactor"
)

// newSiteIn is newSite over a directory that the test looks into.
func newSiteIn(t *testing.T, dir string) *site {
	t.Helper()
	s := openSite(t, dbtest.OpenIn(t, dir))
	s.t = t
	return s
}

// openSite is a server over a store.
func openSite(t testing.TB, store *db.Store) *site {
	t.Helper()
	s := &site{store: store, now: dbtest.Start}
	var err error
	if s.server, err = handlers.New(handlers.Config{
		Store:  s.store,
		Static: staticFiles(),
		Log:    slog.New(slog.NewTextHandler(&s.log, nil)),
		Now:    func() time.Time { return s.now },
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

// execRaw runs a statement on the database beside the server.
func execRaw(t *testing.T, dir, statement string, args ...any) {
	t.Helper()
	file, err := sql.Open("sqlite", "file:"+filepath.Join(dir, db.FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.ExecContext(ctx, statement, args...); err != nil {
		t.Fatal(err)
	}
}

// TestHeaders looks at one answer of every kind.
func TestHeaders(t *testing.T) {
	t.Parallel()
	base, _ := url.Parse("https://portal.example.org")
	s := newSite(t, func(c *handlers.Config) { c.BaseURL, c.TrustedProxies = base, proxies })
	s.add("ada@example.org", twofactor.Member)
	browse := func() *browser {
		b := s.browser()
		b.host = base.Host
		return b
	}
	b := browse()
	b.post("/signin", "email", "ada@example.org", "password", dbtest.Password).wantRedirect("/my")
	asset := regexp.MustCompile(`/static/[^"]+`).FindString(b.get("/my").body)
	send := func(method, path, body string, headers ...string) func() answer {
		return func() answer {
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for i := 0; i+1 < len(headers); i += 2 {
				r.Header.Set(headers[i], headers[i+1])
			}
			return b.send(r)
		}
	}
	kinds := []struct {
		name   string
		status int
		ask    func() answer
	}{
		{"a page", 200, send("GET", "/my", "")},
		{"a fragment", 200, send("GET", "/my", "", "HX-Request", "true")},
		{"a static file", 200, send("GET", asset, "")},
		{"the icon", 200, send("GET", "/favicon.ico", "")},
		{"health", 200, send("GET", "/healthz", "")},
		{"a redirect", 303, send("GET", "/", "")},
		{"a redirect for htmx", 200, send("GET", "/", "", "HX-Request", "true")},
		{"a path that is cleaned", 307, send("GET", "/my//profile", "")},
		{"half a form", 422, send("POST", "/my/profile/password", "%zz")},
		{"another site", 403, send("POST", "/signout", "", "Sec-Fetch-Site", "cross-site")},
		{"not for the role", 403, send("GET", "/admin/settings/security", "")},
		{"no page", 404, send("GET", "/nowhere", "")},
		{"no method", 404, send("TRACE", "/my", "")},
		{"no static file", 404, send("GET", "/static/none.css", "")},
		{"no link", 404, send("GET", "/setup/none", "")},
		{"a form too large", 413, send("POST", "/my/profile/password", strings.Repeat("x", 65<<10))},
		{"another name", 421, func() answer { return s.browser().get("/my") }},
		{"wrong input", 422, send("POST", "/my/profile/password", "current_password=x&new_password=y")},
		{"waiting", 429, func() answer {
			var a answer
			for range 21 {
				a = browse().post("/signin", "email", "nobody@example.org", "password", "x")
			}
			return a
		}},
		{"a fault", 503, func() answer {
			if err := s.store.Close(); err != nil {
				t.Fatal(err)
			}
			return b.get("/my")
		}},
		{"health in a fault", 503, send("GET", "/healthz", "")},
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a := k.ask()
			if a.status != k.status {
				t.Errorf("status %d, want %d", a.status, k.status)
			}
			want := map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
				"Cross-Origin-Opener-Policy":   "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000",
				"Cache-Control": "no-store"}
			if strings.HasPrefix(k.name, "a static") || k.name == "the icon" {
				delete(want, "Cache-Control")
			}
			for header, value := range want {
				if got := a.header.Get(header); got != value {
					t.Errorf("%s: %q, want %q", header, got, value)
				}
			}
			policy := a.header.Get("Content-Security-Policy")
			if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self' 'sha256-") ||
				strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
				t.Errorf("policy %q", policy)
			}
			if a.header.Get("Permissions-Policy") == "" || a.header.Get("Vary") == "" {
				t.Error("no Permissions-Policy or Vary")
			}
			if k.status == 429 && a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
}

var (
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	anyScript    = regexp.MustCompile(`<script[ >]`)
	loaded       = regexp.MustCompile(`(?:src|href|action)="([^"]*)"`)
	handler      = regexp.MustCompile(`\s(?:on[a-z]+|style|hx-on[^=]*|data-hx-on[^=]*)="`)
)

// TestPagesKeepTheContentSecurityPolicy renders every kind of page: each inline script is one
// that the policy's hashes allow, and nothing comes from elsewhere.
func TestPagesKeepTheContentSecurityPolicy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token, err := s.store.NewSetupToken(ctx, s.now)
	if err != nil {
		t.Fatal(err)
	}
	var pages []answer
	keep := func(a answer) answer { pages = append(pages, a); return a }
	keep(s.browser().get("/setup/" + token))
	s.add("root@example.org", twofactor.SuperAdmin)
	root := s.signedIn("root@example.org")
	for _, path := range []string{"/my", "/my/profile", "/my/profile/two-factor", "/help/two-factor",
		"/admin/settings/security", "/admin/settings/general", "/admin/activity", "/nowhere"} {
		keep(root.get(path))
	}
	keep(s.browser().get("/signin"))
	keep(passkeySite(t).browser().get("/signin"))
	secret := keep(root.post("/my/profile/two-factor/enable")).secret()
	keep(root.post("/my/profile/two-factor/confirm", "code", "000000"))
	keep(root.post("/my/profile/two-factor/confirm", "code", s.code(secret)))
	keep(root.get("/my/profile/two-factor"))
	keep(root.post("/my/profile/two-factor/regenerate"))
	keep(root.post("/my/profile/two-factor/disable", "password", "wrong horse"))
	c := s.challenged("root@example.org")
	keep(c.get("/signin/two-factor"))
	keep(c.post("/signin/two-factor", "code", "000000"))
	keep(c.post("/signin/two-factor/recovery", "recovery_code", "0000-0000"))

	used := map[string]bool{}
	for _, a := range pages {
		policy := a.header.Get("Content-Security-Policy")
		scripts := inlineScript.FindAllStringSubmatch(a.body, -1)
		for _, m := range scripts {
			sum := sha256.Sum256([]byte(m[1]))
			source := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
			if used[source] = true; !strings.Contains(policy, source) {
				t.Errorf("the policy does not allow this script: %s", m[1])
			}
		}
		if n := len(anyScript.FindAllString(a.body, -1)) - strings.Count(a.body,
			`<script src="/static/`); n != len(scripts) {
			t.Errorf("%d scripts beside %d that the policy can allow", n, len(scripts))
		}
		if m := handler.FindString(a.body); m != "" {
			t.Errorf("an attribute%s…", m)
		}
		for _, m := range loaded.FindAllStringSubmatch(a.body, -1) {
			if strings.HasPrefix(m[1], "otpauth://totp/") {
				continue // opens the app on the phone itself
			}
			if !strings.HasPrefix(m[1], "/") && !strings.HasPrefix(m[1], "#") && !strings.HasPrefix(m[1], "?") ||
				strings.HasPrefix(m[1], "//") {
				t.Errorf("an address elsewhere: %s", m[1])
			}
		}
	}
	policy := pages[0].header.Get("Content-Security-Policy")
	for _, source := range regexp.MustCompile(`'sha256-[^']+'`).FindAllString(policy, -1) {
		if !used[source] {
			t.Errorf("the policy allows a script that no page has: %s", source)
		}
	}
}

// TestSlowForms sends a form so slowly that the code in it grows old.
func TestSlowForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	_, secret, _ := s.enrolled("ada@example.org")
	b := s.challenged("ada@example.org")
	body := &slowBody{text: strings.NewReader("code=" + s.code(secret)), before: func() { s.advance(2 * time.Minute) }}
	r := httptest.NewRequest("POST", "/signin/two-factor", body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	b.send(r).wantStatus(422, "That code did not match")
}

// A slowBody lets time pass before its first byte, and may end too early.
type slowBody struct {
	text   io.Reader
	before func()
	end    error
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.before != nil {
		b.before()
		b.before = nil
	}
	n, err := b.text.Read(p)
	if errors.Is(err, io.EOF) && b.end != nil {
		err = b.end
	}
	return n, err
}

// TestTruncatedForms cuts the policy's form off: its settings must not read as off.
func TestTruncatedForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("root@example.org", twofactor.SuperAdmin)
	b, _, _ := s.enrolled("root@example.org")
	b.save("/admin/settings/security", "require_everyone", "on", "require_admins", "on").wantStatus(200)
	seen := b.get("/admin/settings/security").seen()
	whole := url.Values{"as": {b.get("/my").shownHandle()}, "require_everyone": {"on"}}.Encode() + "&seen=" + seen
	on := twofactor.Policy{Everyone: true, Admins: true}
	for name, r := range map[string]*http.Request{
		"a connection that broke": httptest.NewRequest("POST", "/admin/settings/security", &slowBody{
			text: strings.NewReader(whole),
			end:  io.ErrUnexpectedEOF,
		}),
		"broken escapes": httptest.NewRequest("POST", "/admin/settings/security",
			strings.NewReader(whole+"&x=%zz")),
		"a JSON text": httptest.NewRequest("POST", "/admin/settings/security",
			strings.NewReader(`{"require_everyone":true}`)),
		"no type": httptest.NewRequest("POST", "/admin/settings/security", strings.NewReader(whole)),
		"half a multipart form": httptest.NewRequest("POST", "/admin/settings/security",
			strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"seen\"\r\n\r\n"+seen)),
	} {
		t.Run(name, func(t *testing.T) {
			r.Header.Set("Content-Type",
				map[string]string{"a JSON text": "application/json",
					"half a multipart form": "multipart/form-data; boundary=b"}[name])
			if name == "no type" {
				r.Header.Del("Content-Type")
			} else if r.Header.Get("Content-Type") == "" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			b.send(r).wantStatus(422, "The form was incomplete", "Nothing was changed.")
			if w, err := s.store.Workspace(ctx); err != nil || w.Policy != on {
				t.Errorf("the policy is %+v, %v", w.Policy, err)
			}
		})
	}
	for n := range whole {
		r := httptest.NewRequest("POST", "/admin/settings/security", strings.NewReader(whole[:n]))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if a := b.send(r); a.status != 422 && a.status != 409 {
			t.Errorf("%q: status %d", whole[:n], a.status)
		}
	}
	b.send(httptest.NewRequest("POST", "/admin/settings/security", nil)).
		wantStatus(422, "The form was incomplete.", `name="require_everyone"`)
	b.post("/admin/settings/security", "seen", seen, "seen", seen).wantStatus(422)
	if w, err := s.store.Workspace(ctx); err != nil || w.Policy != on {
		t.Fatalf("the policy is %+v, %v", w.Policy, err)
	}
	t.Run("a whole multipart form counts", func(t *testing.T) {
		r := httptest.NewRequest("POST", "/admin/settings/security",
			strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"require_everyone\"\r\n\r\non\r\n"+
				"--b\r\nContent-Disposition: form-data; name=\"seen\"\r\n\r\n"+seen+"\r\n--b--\r\n"))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		b.send(r).wantStatus(200)
		if w, err := s.store.Workspace(ctx); err != nil || w.Policy != (twofactor.Policy{Everyone: true}) {
			t.Errorf("the policy is %+v, %v", w.Policy, err)
		}
	})
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range 20 {
		s.browser().post("/signin", "email", "nobody@example.org", "password", "x")
	}
	s.advance(600 * time.Millisecond)
	a := s.browser().post("/signin", "email", "someone@example.org", "password", "x").wantStatus(429)
	if got := a.header.Get("Retry-After"); got != "15" {
		t.Fatalf("Retry-After %s, want 15", got)
	}
	s.advance(15 * time.Second)
	s.browser().post("/signin", "email", "someone@example.org", "password", "x").wantStatus(422)
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	_, secret, codes := s.enrolled("ada@example.org")
	for range 80 {
		s.challenged("ada@example.org").post("/signin/two-factor", "code", "000000").wantStatus(422)
		s.advance(31 * time.Minute) // longer than any wait
	}
	b := s.challenged("ada@example.org")
	b.post("/signin/two-factor", "code", s.code(secret)).wantStatus(429, "Too many wrong codes.")
	b.post("/signin/two-factor/recovery", "recovery_code", codes[0]).wantRedirect("/my")
}

// TestWaitsAreShownEverywhere makes each place that checks a password wait.
func TestWaitsAreShownEverywhere(t *testing.T) {
	t.Parallel()
	for name, post := range map[string]func(b *browser, password string) answer{
		"disabling": func(b *browser, p string) answer {
			return b.post("/my/profile/two-factor/disable", "password",
				p)
		},
		"regenerating": func(b *browser, p string) answer {
			return b.post("/my/profile/two-factor/regenerate",
				"password", p)
		},
		"changing password": func(b *browser, p string) answer {
			return b.post("/my/profile/password", "current_password", p, "new_password", "violet copper lantern")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.add("ada@example.org", twofactor.Member)
			b, _, _ := s.enrolled("ada@example.org")
			s.advance(20 * time.Minute) // the sign-in is old
			for range 10 {
				post(b, "wrong horse").wantStatus(422)
			}
			a := post(b, dbtest.Password).wantStatus(429, "Too many tries.", "1 second")
			if a.header.Get("Retry-After") != "1" {
				t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
			}
			if log := s.log.String(); strings.Contains(log, "level=ERROR") {
				t.Error(log)
			}
		})
	}
}

func TestReauthentication(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b, _, old := s.enrolled("ada@example.org")
	s.advance(14 * time.Minute)
	b.post("/my/profile/two-factor/regenerate").
		wantStatus(200, "Generate new recovery codes? Old codes will stop working immediately.")
	s.advance(time.Minute)
	for _, fields := range [][]string{{}, {"confirmed", "yes"}} {
		b.post("/my/profile/two-factor/regenerate", fields...).wantStatus(200).
			wantNot("shown ONCE", "Old codes will stop working immediately.")
	}
	b.post("/my/profile/two-factor/regenerate", "confirmed", "yes", "password", "wrong horse").
		wantStatus(422, "Password did not match.").wantNot("shown ONCE")
	before := b.cookies["gatehouse"]
	b.post("/my/profile/two-factor/regenerate", "password", dbtest.Password).
		wantStatus(200, "Old codes will stop working immediately.")
	b.post("/my/profile/two-factor/regenerate", "confirmed", "yes").wantStatus(200, "shown ONCE")
	if b.cookies["gatehouse"] == before {
		t.Error("the session kept its id")
	}
	c := s.challenged("ada@example.org")
	c.post("/signin/two-factor/recovery", "recovery_code", old[0]).wantStatus(422)
}

// TestCookieKindsAreNotInterchangeable tries each token as the other.
func TestCookieKindsAreNotInterchangeable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	signedIn, _, _ := s.enrolled("ada@example.org")
	c := s.challenged("ada@example.org")
	for _, path := range []string{"/my", "/my/profile", "/my/profile/two-factor"} {
		for name, token := range map[string]string{"a challenge": c.cookies["gatehouse-challenge"],
			"a known browser": signedIn.cookies["gatehouse-browser"], "nothing": ""} {
			b := s.browser()
			b.cookies["gatehouse"] = token
			if a := b.get(path); a.status != http.StatusSeeOther {
				t.Errorf("%s opened %s", name, path)
			}
		}
	}
	b := s.browser()
	b.cookies["gatehouse-challenge"] = signedIn.cookies["gatehouse"]
	b.get("/signin/two-factor").wantRedirect("/signin")
}

// TestSignInEndsTheSessionBefore signs in over a session: the old id is worth
// nothing afterwards, and the new one is another.
func TestSignInEndsTheSessionBefore(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	s.add("bob@example.org", twofactor.Member)
	b := s.signedIn("ada@example.org")
	before := b.clone()
	b.post("/signin", "email", "bob@example.org", "password", dbtest.Password).wantRedirect("/my")
	before.get("/my").wantRedirect("/signin")
	b.get("/my").wantStatus(200)
}

func TestChosenSessionIDIsNotAdopted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b := s.browser()
	planted := strings.Repeat("A", 43)
	b.cookies["gatehouse"], b.cookies["gatehouse-challenge"], b.cookies["gatehouse-browser"] = planted, planted, planted
	b.post("/signin", "email", "ada@example.org", "password", dbtest.Password).wantRedirect("/my")
	for name, value := range b.cookies {
		if value == planted {
			t.Errorf("%s kept the planted value", name)
		}
	}
}

func TestDisablingWhilePendingShowsNoSecret(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b := s.signedIn("ada@example.org")
	secret := b.post("/my/profile/two-factor/enable").wantStatus(200).secret()
	b.post("/my/profile/two-factor/disable", "password", dbtest.Password).wantStatus(200, "Not configured").
		wantNot(secret, "<svg class=\"qr\"")
	b.post("/my/profile/two-factor/confirm", "code", s.code(secret)).wantStatus(422, "No pending enrollment.")
}

// TestNoSecretIsStoredInPlain walks through everything and then looks for every
// secret that occurred, in every spelling, in the log, in all addresses, in the
// activity and in the database's files.
func TestNoSecretIsStoredInPlain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSiteIn(t, dir)
	link, err := s.store.NewSetupToken(ctx, s.now)
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string][]byte{"the set-up link": []byte(link), "a wrong password": []byte("entirely wrong horse"),
		"a password as a name": []byte("hunter2hunter2hunter2"), "the password": []byte(dbtest.Password),
		"the new password": []byte("violet copper lantern")}
	var addresses []string
	note := func(a answer) answer {
		addresses = append(addresses, a.header.Get("Location"), a.header.Get("HX-Redirect"))
		return a
	}
	cookies := func(b *browser) {
		for name, value := range b.cookies {
			secrets["cookie "+name+" "+value[:4]] = []byte(value)
		}
	}
	b := s.browser()
	note(b.post("/setup/"+link, "workspace", "Acme", "name", "Ada", "email", "ada@example.org", "password",
		dbtest.Password)).wantRedirect("/my")
	cookies(b)
	secret := note(b.post("/my/profile/two-factor/enable")).wantStatus(200).secret()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	secrets["the TOTP secret"] = key
	note(b.post("/my/profile/two-factor/confirm", "code", "000000")).wantStatus(422)
	done := note(b.post("/my/profile/two-factor/confirm", "code", s.code(secret))).wantStatus(200)
	cookies(b)
	codes := done.codes()
	s.advance(time.Minute)
	codes = append(codes, note(b.post("/my/profile/two-factor/regenerate", "confirmed", "yes")).wantStatus(200).codes()...)
	for i, code := range codes {
		secrets[fmt.Sprintf("recovery code %d", i)] = []byte(code)
		secrets[fmt.Sprintf("recovery code %d without its hyphen", i)] = []byte(strings.ReplaceAll(code, "-", ""))
	}
	cookies(b)
	note(b.post("/my/profile/password", "current_password", dbtest.Password, "new_password", "violet copper lantern")).
		wantRedirect("/my/profile")
	cookies(b)
	note(s.browser().post("/signin", "email", "ada@example.org", "password", "entirely wrong horse")).wantStatus(422)
	note(s.browser().post("/signin", "email", "hunter2hunter2hunter2", "password", "x")).wantStatus(422)
	c := s.browser()
	note(c.post("/signin", "email", "ada@example.org", "password", "violet copper lantern", "next", "/my/profile")).
		wantRedirect("/signin/two-factor")
	cookies(c)
	note(c.post("/signin/two-factor/recovery", "recovery_code", codes[8])).wantRedirect("/my/profile")
	cookies(c)
	note(c.post("/my/profile/two-factor/disable", "password", "entirely wrong horse")).wantStatus(422)
	note(c.get("/my/profile")).wantStatus(200)
	note(c.post("/my/profile/two-factor/disable", "password", "violet copper lantern")).wantStatus(200)
	cookies(c)
	note(c.post("/signout")).wantRedirect("/signin")

	written := map[string]string{"the log": s.log.String(), "an address": strings.Join(addresses, "\n")}
	page, err := s.store.Activity(ctx, db.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	written["the activity"] = fmt.Sprintf("%+v", page.Rows)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		written[e.Name()] = string(text)
	}
	if len(written["the log"]) == 0 || len(page.Rows) < 10 || len(written["gatehouse.db-wal"]) == 0 {
		t.Fatal("there is nothing to look through")
	}
	for what, secret := range secrets {
		for where, text := range written {
			lower := strings.ToLower(text)
			for _, spelling := range encodings(secret) {
				if strings.Contains(text, spelling) || strings.Contains(lower, strings.ToLower(spelling)) {
					t.Errorf("%s stands in %s, as %q", what, where, spelling)
				}
			}
		}
	}
	if n := strings.Count(written["the log"],
		"msg=request"); n < 14 || strings.Contains(written["the log"], "/setup/"+link[:8]) ||
		!strings.Contains(written["the log"], `route="POST /setup/{token}"`) {
		t.Errorf("the log has %d lines of requests:\n%s", n, written["the log"])
	}
}

// encodings returns a secret raw and as it is usually written down.
func encodings(secret []byte) []string {
	b32, b64 := base32.StdEncoding.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret)
	return []string{string(secret), strings.TrimRight(b32, "="), hex.EncodeToString(secret),
		strings.TrimRight(b64, "="), strings.TrimRight(base64.URLEncoding.EncodeToString(secret), "="),
		url.QueryEscape(string(secret))}
}

// TestLog checks that each request is one line with its route's pattern.
func TestLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b := s.signedIn("ada@example.org")
	s.log.Reset()
	b.get("/my/profile?done=password&x=secret-in-a-query")
	b.get("/nowhere/secret-in-a-path")
	b.post("/my/profile/sessions/end", "session", "secret-in-a-form")
	lines := strings.Split(strings.TrimSpace(s.log.String()), "\n")
	want := []string{`route="GET /my/profile" status=200`, `route=/ status=404`,
		`route="POST /my/profile/sessions/end" status=303`}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), s.log.String())
	}
	for i, line := range lines {
		if !strings.Contains(line, want[i]) || strings.Contains(line, "secret-in") {
			t.Errorf("line %d: %s", i+1, line)
		}
	}
}

// TestAbortedResponsesAreLogged breaks a download off, which is a line in the log
// like any other request.
func TestAbortedResponsesAreLogged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("root@example.org", twofactor.SuperAdmin)
	b, _, _ := s.enrolled("root@example.org")
	s.log.Reset()
	defer func() {
		if fault := recover(); fault != http.ErrAbortHandler {
			t.Errorf("the download ended with %v", fault)
		}
		if log := s.log.String(); strings.Count(log, "msg=request") != 1 ||
			!strings.Contains(log, `route="GET /admin/activity.csv"`) {
			t.Errorf("the log:\n%s", log)
		}
	}()
	r := httptest.NewRequest("GET", "/admin/activity.csv", nil)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	s.server.ServeHTTP(brokenPipe{httptest.NewRecorder()}, r)
	t.Error("the download looked whole")
}

// A brokenPipe is a browser that has gone.
type brokenPipe struct{ *httptest.ResponseRecorder }

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestCodesWorkOnceOverHTTP posts the same thing 64 times at once over real
// connections: exactly one may win.
func TestCodesWorkOnceOverHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	link, err := s.store.NewSetupToken(ctx, s.now)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(s.server.ServeHTTP))
	defer web.Close()
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
	}
	defer client.CloseIdleConnections()

	post := func(b *browser, path string, fields ...string) (won bool) {
		form := url.Values{}
		for i := 0; i+1 < len(fields); i += 2 {
			form.Add(fields[i], fields[i+1])
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, web.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Error(err)
			return false
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Host = "portal.example.org" // on the default port, as the browsers' cookies are
		for name, value := range b.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Error(err)
			return false
		}
		defer func() { _ = answer.Body.Close() }()
		_, _ = io.Copy(io.Discard, answer.Body)
		return slices.ContainsFunc(answer.Cookies(),
			func(c *http.Cookie) bool { return c.Name == "gatehouse" && c.Value != "" })
	}
	race := func(name string, b *browser, path string, fields ...string) {
		t.Run(name, func(t *testing.T) {
			wins := make(chan bool, 64)
			begin := make(chan struct{})
			for range cap(wins) {
				go func() {
					<-begin
					wins <- post(b, path, fields...)
				}()
			}
			close(begin)
			n := 0
			for range cap(wins) {
				if <-wins {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%d of %d won; want exactly one", n, cap(wins))
			}
		})
	}
	race("one set-up link", s.browser(), "/setup/"+link, "workspace", "Acme", "name", "Root", "email",
		"root@example.org", "password", dbtest.Password)
	s.add("ada@example.org", twofactor.Member)
	pending := s.signedIn("ada@example.org")
	secret := pending.post("/my/profile/two-factor/enable").wantStatus(200).secret()
	race("one confirmation", pending, "/my/profile/two-factor/confirm", "code", s.code(secret))
	s.advance(time.Hour)
	race("one code", s.challenged("ada@example.org"), "/signin/two-factor", "code", s.code(secret))
	b := s.challenged("ada@example.org")
	s.advance(time.Minute)
	b.post("/signin/two-factor", "code", s.code(secret)).wantRedirect("/my")
	codes := b.post("/my/profile/two-factor/regenerate", "confirmed", "yes").wantStatus(200).codes()
	race("one recovery code", s.challenged("ada@example.org"), "/signin/two-factor/recovery", "recovery_code", codes[0])
}
