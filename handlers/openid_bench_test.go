//go:build bench && unix

package handlers_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/handlers"
	"gatehouse/openid"
)

// openIDBench is a filled site with one app that signs people in, and somebody who is signed in.
type openIDBench struct {
	*bench
	app     *client
	session string
}

func newOpenIDBench(b *testing.B) *openIDBench {
	b.Helper()
	s := newBench(b)
	base, err := url.Parse(issuer)
	if err != nil {
		b.Fatal(err)
	}
	s.server, err = handlers.New(handlers.Config{
		Store:   s.store,
		Static:  staticFiles(),
		Log:     slog.New(slog.NewJSONHandler(io.Discard, nil)),
		Now:     func() time.Time { return s.now },
		BaseURL: base,
	})
	if err != nil {
		b.Fatal(err)
	}
	app := s.connect("Grafana", func(_ *db.NewApp, c *db.NewConnection) { c.Algorithm = openid.RS256 })
	return &openIDBench{bench: s, app: app, session: s.secondStep(s.newPendingSignIn())}
}

// authorize asks for a code, as a browser that is signed in does.
func (s *openIDBench) authorize(changes ...string) *httptest.ResponseRecorder {
	return s.serve(httptest.NewRequest("GET", s.app.request(changes...), nil), http.StatusSeeOther, "gatehouse", s.session)
}

// newCode is a code that the app has not yet exchanged.
func (s *openIDBench) newCode(changes ...string) string {
	to, err := url.Parse(s.authorize(changes...).Header().Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		s.t.Fatalf("no code: %v, %v", to, err)
	}
	return to.Query().Get("code")
}

// ask posts to the token address as the app does.
func (s *openIDBench) ask(fields url.Values) *httptest.ResponseRecorder {
	r := formRequest("/oauth/token", fields)
	r.SetBasicAuth(s.app.id, s.app.secret)
	return s.serve(r, http.StatusOK)
}

func (s *openIDBench) exchange(code string) {
	s.ask(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {s.app.redirect}, "code_verifier": {pkceVerifier}})
}

// BenchmarkAuthorizePage: the two-factor page against a request to sign in of somebody who is signed in, which
// leaves a code behind durably.
func BenchmarkAuthorizePage(b *testing.B) {
	s := newOpenIDBench(b)
	compare(b, func() {
		s.serve(httptest.NewRequest("GET", "/my/profile/two-factor", nil), http.StatusOK, "gatehouse", s.session)
	}, noSetup, func(struct{}) { s.authorize() })
}

// durableSignature is what no token can do without: a durable transaction, and an RSA signature.
func durableSignature(b *testing.B) func() {
	b.Helper()
	write := durableTransaction(b)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("claims"))
	return func() {
		write()
		if _, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]); err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkTokenStep: a durable transaction and an RSA signature against the exchange of a code.
func BenchmarkTokenStep(b *testing.B) {
	s := newOpenIDBench(b)
	compare(b, durableSignature(b), func() string { return s.newCode() }, s.exchange)
}

// BenchmarkTokenStepAtOnce: the same, sixteen at a time.
func BenchmarkTokenStepAtOnce(b *testing.B) {
	s := newOpenIDBench(b)
	compareConcurrent(b, durableSignature(b), func(n int) []func() {
		var jobs []func()
		for range min(n, 200) {
			code := s.newCode()
			jobs = append(jobs, func() { s.exchange(code) })
		}
		return jobs
	})
}
