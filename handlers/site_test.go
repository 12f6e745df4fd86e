package handlers_test

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/handlers"
	"gatehouse/twofactor"
)

var ctx = context.Background()

// machine is the author of what tests do behind the server's back.
var machine = db.Machine("test")

// A site is the whole server over a real file, with a clock that the test sets.
type site struct {
	dir    string // the data directory
	t      testing.TB
	store  *db.Store
	server *handlers.Server
	now    time.Time
	host   string // that browsers use; "" for httptest's
	log    strings.Builder
}

func newSite(t testing.TB, change ...func(*handlers.Config)) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{t: t, dir: dir, store: dbtest.OpenIn(t, dir), now: dbtest.Start}
	c := handlers.Config{
		Store:  s.store,
		Static: staticFiles(),
		Log:    slog.New(slog.NewTextHandler(&s.log, nil)),
		Now:    func() time.Time { return s.now },
	}
	for _, f := range change {
		f(&c)
	}
	var err error
	if s.server, err = handlers.New(c); err != nil {
		t.Fatal(err)
	}
	return s
}

func staticFiles() fs.FS { return os.DirFS("../static") }

// add adds a person with dbtest.Password.
func (s *site) add(email string, role twofactor.Role) int64 {
	s.t.Helper()
	return dbtest.Add(s.t, s.store, email, role)
}

// A browser keeps cookies and speaks like one.
type browser struct {
	site    *site
	cookies map[string]string
	htmx    bool
	address string

	forwarded string // X-Forwarded-For
	host      string
}

func (s *site) browser() *browser {
	return &browser{site: s, cookies: map[string]string{}, address: "192.0.2.7:4711", host: s.host}
}

// An answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

func (b *browser) send(r *http.Request) answer {
	b.site.t.Helper()
	r.RemoteAddr = b.address
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if b.htmx {
		r.Header.Set("HX-Request", "true")
	}
	if b.forwarded != "" {
		r.Header.Set("X-Forwarded-For", b.forwarded)
	}
	if b.host != "" {
		r.Host = b.host
		r.Header.Del("Origin")
	}
	w := httptest.NewRecorder()
	b.site.server.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return answer{b.site.t, w.Code, w.Header(), w.Body.String()}
}

func (b *browser) get(path string) answer {
	b.site.t.Helper()
	return b.send(httptest.NewRequest("GET", path, nil))
}

// post sends a form: name, value, name, value.
func (b *browser) post(path string, fields ...string) answer {
	b.site.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "http://example.com")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.send(r)
}

// clone is another tab: the same cookies.
func (b *browser) clone() *browser {
	c := *b
	c.cookies = map[string]string{}
	for k, v := range b.cookies {
		c.cookies[k] = v
	}
	return &c
}

// wantStatus fails unless the answer has the status and holds every text.
func (a answer) wantStatus(status int, texts ...string) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d; Location %q, HX-Redirect %q\n%s", a.status, status, a.header.Get("Location"),
			a.header.Get("HX-Redirect"), a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.text(), text) {
			a.t.Fatalf("no %q in:\n%s", text, a.text())
		}
	}
	return a
}

// wantNot fails when the answer holds the text.
func (a answer) wantNot(texts ...string) answer {
	a.t.Helper()
	for _, text := range texts {
		if strings.Contains(a.text(), text) {
			a.t.Fatalf("%q stands in:\n%s", text, a.text())
		}
	}
	return a
}

// wantRedirect fails unless the answer leads on to the address, by 303 or HX-Redirect.
func (a answer) wantRedirect(address string) answer {
	a.t.Helper()
	got := a.header.Get("Location")
	if a.header.Get("HX-Redirect") != "" {
		got = a.header.Get("HX-Redirect")
	} else if a.status != http.StatusSeeOther {
		a.t.Fatalf("status %d, want 303 to %s\n%s", a.status, address, a.body)
	}
	if got != address {
		a.t.Fatalf("leads to %q, want %q", got, address)
	}
	return a
}

// text is the body as a person reads it and as a form sends it.
func (a answer) text() string {
	return strings.NewReplacer("&#39;", "'", "&#34;", `"`, "&quot;", `"`, "&amp;", "&", "&lt;", "<", "&gt;", ">").
		Replace(a.body)
}

// secret reads the secret off a Pending card.
func (a answer) secret() string {
	a.t.Helper()
	m := regexp.MustCompile(`id="secret"[^>]*>([A-Z2-7 ]+)<`).FindStringSubmatch(a.body)
	if m == nil {
		a.t.Fatalf("no secret in:\n%s", a.body)
	}
	return strings.ReplaceAll(m[1], " ", "")
}

// codes reads the recovery codes off their panel.
func (a answer) codes() []string {
	a.t.Helper()
	codes := regexp.MustCompile(`[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}`).FindAllString(a.body, -1)
	if len(codes) < twofactor.RecoveryCodes {
		a.t.Fatalf("%d recovery codes, want %d, in:\n%s", len(codes), twofactor.RecoveryCodes, a.body)
	}
	return codes[:twofactor.RecoveryCodes]
}

// code is what the app shows now.
func (s *site) code(secret string) string { return dbtest.Code(s.t, secret, s.now) }

// advance moves the clock on.
func (s *site) advance(d time.Duration) { s.now = s.now.Add(d) }

// signedIn is a browser of somebody without two-factor.
func (s *site) signedIn(email string) *browser {
	s.t.Helper()
	b := s.browser()
	b.post("/signin", "email", email, "password", dbtest.Password).wantRedirect("/my")
	return b
}

// enrolled is a browser of somebody who has just enabled two-factor.
func (s *site) enrolled(email string) (b *browser, secret string, codes []string) {
	s.t.Helper()
	b = s.signedIn(email)
	secret = b.post("/my/profile/two-factor/enable").wantStatus(200).secret()
	codes = b.post("/my/profile/two-factor/confirm", "code", s.code(secret)).wantStatus(200).codes()
	s.advance(30 * time.Second)
	return b, secret, codes
}

// challenged is a browser at the second step.
func (s *site) challenged(email string) *browser {
	s.t.Helper()
	b := s.browser()
	b.post("/signin", "email", email, "password", dbtest.Password).wantRedirect("/signin/two-factor")
	return b
}
