package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// An oidcApp is a web app of somebody else's that signs people in with coreos/go-oidc: at
// http://localhost, another host than the portal's 127.0.0.1.
type oidcApp struct {
	t        *testing.T
	url      string
	config   oauth2.Config
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier

	mu      sync.Mutex
	pending map[string][2]string // nonce and PKCE verifier by state
	visits  map[string]visit     // by cookie
	told    []string             // the sessions that the back channel has told of
}

type visit struct {
	raw  string // the ID token
	sid  string
	text string // who, and how
}

var printedClient = regexp.MustCompile(`Client ID: +(\S+)\s+Client secret: +(\S+)`)

// connect adds a connected app on the machine, and returns its id and secret.
func (s *site) connect(name, address string, flags ...string) (id, secret string) {
	s.t.Helper()
	args := []string{"app", "add", name, address, "--everyone", "--connect", "--base-url", s.url}
	m := printedClient.FindStringSubmatch(s.run("", append(args, flags...)...))
	if m == nil {
		s.t.Fatal("app add prints no id and secret")
	}
	return m[1], m[2]
}

// startOIDCApp starts the app, connected to a site.
func startOIDCApp(t *testing.T, s *site, flags ...string) *oidcApp {
	t.Helper()
	a := &oidcApp{t: t, pending: map[string][2]string{}, visits: map[string]visit{}}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	a.url = "http://localhost:" + server.URL[strings.LastIndex(server.URL, ":")+1:]
	id, secret := s.connect("Demo", a.url, append(flags, "--redirect", a.url+"/cb", "--logout-redirect", a.url+"/bye",
		"--backchannel", a.url+"/backchannel")...)
	var err error
	if a.provider, err = oidc.NewProvider(context.Background(), s.url); err != nil {
		t.Fatal(err)
	}
	a.verifier = a.provider.Verifier(&oidc.Config{ClientID: id})
	a.config = oauth2.Config{
		ClientID: id, ClientSecret: secret, Endpoint: a.provider.Endpoint(), RedirectURL: a.url + "/cb",
		Scopes: []string{oidc.ScopeOpenID, "profile", "email", "groups"},
	}
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /cb", a.callback)
	mux.HandleFunc("GET /signout", a.signOut)
	mux.HandleFunc("POST /backchannel", a.backchannel)
	mux.HandleFunc("GET /bye", func(w http.ResponseWriter, _ *http.Request) {
		showDemo(w, "Signed out of the demo.")
	})
	return a
}

func showDemo(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><title>Demo</title><link rel="icon" href="data:,"><p>%s</p><a href="/signout">Leave the demo</a>`, text)
}

// home says who is signed in, and sends everybody else to sign in.
func (a *oidcApp) home(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c, err := r.Cookie("demo"); err == nil {
		if v, ok := a.visits[c.Value]; ok {
			showDemo(w, v.text)
			return
		}
	}
	state, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	a.pending[state] = [2]string{"nonce-" + state, verifier}
	http.Redirect(w, r, a.config.AuthCodeURL(state, oidc.Nonce("nonce-"+state), oauth2.S256ChallengeOption(verifier)), http.StatusFound)
}

func (a *oidcApp) callback(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	query := r.URL.Query()
	sent, ok := a.pending[query.Get("state")]
	delete(a.pending, query.Get("state"))
	if !ok || query.Get("iss") != a.config.Endpoint.AuthURL[:strings.Index(a.config.Endpoint.AuthURL, "/oauth/")] {
		showDemo(w, "state or iss is wrong: "+r.URL.RawQuery)
		return
	}
	v, err := a.exchange(r.Context(), query.Get("code"), sent)
	if err != nil {
		showDemo(w, "refused: "+err.Error())
		return
	}
	cookie := oauth2.GenerateVerifier()
	a.visits[cookie] = v
	http.SetCookie(w, &http.Cookie{Name: "demo", Value: cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/", http.StatusFound)
}

// exchange does what the library's documents say: code, ID token, nonce, at_hash, userinfo.
func (a *oidcApp) exchange(ctx context.Context, code string, sent [2]string) (v visit, err error) {
	token, err := a.config.Exchange(ctx, code, oauth2.VerifierOption(sent[1]))
	if err != nil {
		return v, err
	}
	v.raw, _ = token.Extra("id_token").(string)
	id, err := a.verifier.Verify(ctx, v.raw)
	if err != nil {
		return v, err
	}
	if id.Nonce != sent[0] {
		return v, fmt.Errorf("the nonce is %q", id.Nonce)
	}
	if err := id.VerifyAccessToken(token.AccessToken); err != nil {
		return v, err
	}
	info, err := a.provider.UserInfo(ctx, a.config.TokenSource(ctx, token))
	if err != nil {
		return v, err
	}
	var claims struct {
		Sid, Acr, Name, Email string
		Groups                []string
	}
	if err := id.Claims(&claims); err != nil {
		return v, err
	}
	if info.Subject != id.Subject || info.Email != claims.Email || !info.EmailVerified {
		return v, fmt.Errorf("userinfo is of %s, the ID token of %s", info.Email, claims.Email)
	}
	v.sid, v.text = claims.Sid, fmt.Sprintf("Hello %s (%s), %s.", claims.Name, strings.Join(claims.Groups, " "), claims.Acr)
	return v, nil
}

// signOut sends people to sign out at the portal, with their ID token.
func (a *oidcApp) signOut(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var metadata struct {
		SignOut string `json:"end_session_endpoint"`
	}
	c, err := r.Cookie("demo")
	if err != nil || a.provider.Claims(&metadata) != nil {
		showDemo(w, "nobody is signed in")
		return
	}
	to := metadata.SignOut + "?" + url.Values{
		"id_token_hint": {a.visits[c.Value].raw}, "post_logout_redirect_uri": {a.url + "/bye"}, "state": {"x"},
	}.Encode()
	delete(a.visits, c.Value)
	http.Redirect(w, r, to, http.StatusFound)
}

// backchannel ends the session that a logout token names.
func (a *oidcApp) backchannel(w http.ResponseWriter, r *http.Request) {
	id, err := a.verifier.Verify(r.Context(), r.PostFormValue("logout_token"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var claims struct {
		Sid    string
		Nonce  *string
		Events map[string]json.RawMessage
	}
	if err := id.Claims(&claims); err != nil || claims.Nonce != nil ||
		claims.Events["http://schemas.openid.net/event/backchannel-logout"] == nil {
		http.Error(w, "not a logout token", http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told = append(a.told, claims.Sid)
	for cookie, v := range a.visits {
		if v.sid == claims.Sid {
			delete(a.visits, cookie)
		}
	}
}

// signedIn is how many people are signed in at the app.
func (a *oidcApp) signedIn() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.visits)
}

// sessionsTold are the sessions that the app was told of.
func (a *oidcApp) sessionsTold() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.told...)
}

// TestAppSignsPeopleIn goes the whole way in a browser, with a client of somebody else's: app,
// sign-in, second step, app; sign-out in the app signs out at Gatehouse; after a sign-out at
// Gatehouse the app was told.
func TestAppSignsPeopleIn(t *testing.T) {
	t.Parallel()
	for _, script := range []bool{true, false} {
		t.Run(fmt.Sprintf("with script %v", script), func(t *testing.T) {
			t.Parallel()
			s := startSiteAtItsAddress(t)
			s.addPerson(ada, "administrator")
			app := startOIDCApp(t, s, "--second-step")
			w := &walkthrough{t: t, site: s, script: script, ledger: newLedger()}
			b := w.open()
			b.traffic.allow(strings.TrimPrefix(app.url, "http://"))
			w.signIn(b, ada)
			phone, recovery := w.enrol(b)
			w.signOut(b)

			const hello = "Hello Ada Lovelace (administrator admins), aal2."
			signInAtTheApp := func(secondStep func()) {
				b.Visit(app.url + "/")
				b.Sees("Sign in to continue.")
				b.Fill("email", ada.email)
				b.Fill("password", ada.password)
				b.Click("Sign in", "form")
				secondStep()
				b.WaitFor(hello)
				b.settle("arrive at the app", 0)
			}
			signInAtTheApp(func() { w.enterCode(b, phone.code()) })
			b.Click("Leave the demo")
			b.WaitFor("Signed out of the demo.")
			b.Visit("/my")
			w.want(b.Path() == "/signin", "after a sign-out in the app the portal leads to %s", b.Path())

			signInAtTheApp(func() { w.enterRecoveryCode(b, recovery[0]) })
			b.Visit("/my")
			w.signOut(b)
			err := poll(timeout, func() error {
				if app.signedIn() > 0 { // it may be told of the session before as well
					return fmt.Errorf("the app was told of %q alone", app.sessionsTold())
				}
				return nil
			})
			w.want(err == nil, "%v", err)
			b.Visit(app.url + "/")
			b.Sees("Sign in to continue.")
		})
	}
}

// startSiteAtItsAddress starts the program with the address that it has as its base URL.
func startSiteAtItsAddress(t *testing.T) *site {
	t.Helper()
	s := startSite(t)
	s.stop()
	s.start("--base-url", s.url)
	return s
}
