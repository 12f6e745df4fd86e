package handlers_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/handlers"
	"gatehouse/openid"
	"gatehouse/twofactor"
)

// The challenge and verifier of RFC 7636, appendix B.
const (
	pkceVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	pkceChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// issuer is the site's base URL.
const issuer = "http://example.com"

var byMachine = machine.Author()

// A client is a connected app, as a program of somebody else's would use it.
type client struct {
	site     *site
	app      int64
	id       string
	secret   string
	redirect string
}

// openIDSite is a site with a base URL.
func openIDSite(t testing.TB) *site {
	t.Helper()
	return newSite(t, func(c *handlers.Config) {
		base, err := url.Parse(issuer)
		if err != nil {
			t.Fatal(err)
		}
		c.BaseURL = base
	})
}

// connect adds a connected app that everybody may open.
func (s *site) connect(name string, change ...func(*db.NewApp, *db.NewConnection)) *client {
	s.t.Helper()
	host := "https://" + strings.ToLower(name) + ".example.org"
	n := db.NewApp{AppFacts: db.AppFacts{Name: name, Address: host}, Access: db.AppAccess{Everyone: true}}
	c := db.NewConnection{
		Connected: true, Redirects: host + "/cb", LogoutRedirects: host + "/bye", Backchannel: host + "/backchannel",
		Algorithm: openid.ES256, PKCE: true, Ours: true,
	}
	for _, f := range change {
		f(&n, &c)
	}
	id, err := s.store.AddApp(ctx, n, byMachine, s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	out := &client{site: s, app: id, redirect: strings.Fields(c.Redirects)[0]}
	if out.secret, err = s.store.ChangeConnection(ctx, id, account.Seen{}, c, byMachine, s.now); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.store.MakeSigningKeys(ctx, s.now); err != nil {
		s.t.Fatal(err)
	}
	connection, err := s.store.ConnectionOf(ctx, id)
	if err != nil {
		s.t.Fatal(err)
	}
	out.id = connection.Client.ID
	return out
}

// request is the address of a request to sign in, with fields changed: "name=value", "-name"
// to leave one out, "+name=value" to give it again.
func (c *client) request(changes ...string) string {
	v := url.Values{
		"client_id": {c.id}, "redirect_uri": {c.redirect}, "response_type": {"code"}, "scope": {"openid"},
		"state": {"s1"}, "nonce": {"n1"}, "code_challenge": {pkceChallenge}, "code_challenge_method": {"S256"},
	}
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		switch name[0] {
		case '-':
			v.Del(name[1:])
		case '+':
			v.Add(name[1:], value)
		default:
			v.Set(name, value)
		}
	}
	return "/oauth/authorize?" + v.Encode()
}

// answer is what the app is told: the fields of the redirect, which goes to it alone.
func (c *client) answer(a answer) url.Values {
	a.t.Helper()
	if a.status != 303 && a.status != 200 {
		a.t.Fatalf("status %d\n%s", a.status, a.body)
	}
	to := a.header.Get("Location")
	if a.status == 200 {
		to = onward(a)
	}
	rest, ok := strings.CutPrefix(to, c.redirect+"?")
	if !ok {
		a.t.Fatalf("leads to %q, want the app's %q", to, c.redirect)
	}
	v, err := url.ParseQuery(rest)
	if err != nil {
		a.t.Fatal(err)
	}
	return v
}

// onward is where a page goes on to by itself.
func onward(a answer) string {
	a.t.Helper()
	m := regexp.MustCompile(`<meta http-equiv="refresh" content="0; url=([^"]*)">`).FindStringSubmatch(a.body)
	if m == nil {
		a.t.Fatalf("this page goes nowhere by itself:\n%s", a.body)
	}
	return strings.ReplaceAll(m[1], "&amp;", "&")
}

// code signs a browser's person in at the app.
func (c *client) code(b *browser, changes ...string) string {
	b.site.t.Helper()
	v := c.answer(b.get(c.request(changes...)))
	if v.Get("code") == "" || v.Get("state") != "s1" || v.Get("iss") != issuer {
		b.site.t.Fatalf("the app is told %v", v)
	}
	return v.Get("code")
}

// call posts a form as the app's server does: without cookies, with its own name.
func (c *client) call(path string, fields ...string) answer {
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.secret != "" {
		r.SetBasicAuth(c.id, c.secret)
	}
	return c.site.browser().send(r)
}

// tokens are what the token address answers.
type tokens struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Seconds int    `json:"expires_in"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Scope   string `json:"scope"`
}

func (c *client) exchange(code string) tokens {
	c.site.t.Helper()
	return c.read(c.call("/oauth/token", "grant_type", "authorization_code", "code", code, "redirect_uri", c.redirect,
		"code_verifier", pkceVerifier))
}

func (c *client) read(a answer) (t tokens) {
	c.site.t.Helper()
	if a.status != 200 || a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
		c.site.t.Fatalf("status %d, %v\n%s", a.status, a.header, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &t); err != nil {
		c.site.t.Fatal(err)
	}
	return t
}

// claims are what an ID token says, without its signature being looked at.
func (c *client) claims(token string) (claims map[string]any) {
	c.site.t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err == nil {
		err = json.Unmarshal(raw, &claims)
	}
	if err != nil {
		c.site.t.Fatal(err)
	}
	return claims
}

// userinfo asks with an access token.
func (c *client) userinfo(token string) (status int, claims map[string]any) {
	c.site.t.Helper()
	r := httptest.NewRequest("GET", "/oauth/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	a := c.site.browser().send(r)
	if err := json.Unmarshal([]byte(a.body), &claims); err != nil {
		c.site.t.Fatal(err, a.body)
	}
	return a.status, claims
}

// wantRefusal fails unless an app's server is refused by a code.
func (a answer) wantRefusal(status int, code string) answer {
	a.t.Helper()
	var refusal struct {
		Code string `json:"error"`
	}
	if err := json.Unmarshal([]byte(a.body), &refusal); err != nil || a.status != status || refusal.Code != code {
		a.t.Fatalf("status %d, %s; want %d, %s (%v)", a.status, a.body, status, code, err)
	}
	return a
}

// TestSignInAtAnApp goes the whole way, with a sign-in in between, and checks the ID token
// with the standard library against the published key.
func TestSignInAtAnApp(t *testing.T) {
	t.Parallel()
	s := openIDSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	app := s.connect("Grafana", func(_ *db.NewApp, c *db.NewConnection) { c.Algorithm = openid.RS256 })
	b, secret, _ := s.enrolled("ada@example.org")
	b.post("/signout")
	b = s.browser()

	to := b.get(app.request("scope=openid profile email groups", "login_hint=ada@example.org")).header.Get("Location")
	if !strings.HasPrefix(to, "/signin?next=") {
		t.Fatalf("led to %q", to)
	}
	b.get(to).wantStatus(200, `value="ada@example.org"`)
	next, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	b.post("/signin", "email", "ada@example.org", "password", dbtest.Password, "next", next.Query().Get("next")).
		wantRedirect("/signin/two-factor")
	again := onward(b.post("/signin/two-factor", "code", s.code(secret)).wantStatus(200))
	code := app.answer(b.get(again)).Get("code")
	got := app.exchange(code)
	if got.Type != "Bearer" || got.Seconds != 600 || got.Refresh != "" || got.Scope != "openid profile email groups" {
		t.Errorf("the tokens: %+v", got)
	}
	verifyRS256(t, s, got.ID)
	id := app.claims(got.ID)
	for name, want := range map[string]any{
		"iss": issuer, "aud": app.id, "nonce": "n1", "acr": "aal2", "email": "ada@example.org", "email_verified": true,
		"name": "Person of ada@example.org", "preferred_username": "ada", "at_hash": openid.AccessTokenHash(got.Access),
	} {
		if id[name] != want {
			t.Errorf("%s is %v; want %v", name, id[name], want)
		}
	}
	if groups, _ := id["groups"].([]any); !slices.Contains(groups, any("administrator")) || !slices.Contains(groups, any("admins")) {
		t.Errorf("groups %v", groups)
	}
	status, info := app.userinfo(got.Access)
	if status != 200 || len(info) != 6 {
		t.Errorf("userinfo: %d, %v", status, info)
	}
	for name, value := range info {
		if toText(t, id[name]) != toText(t, value) {
			t.Errorf("%s is %v in the ID token and %v at userinfo", name, id[name], value)
		}
	}
}

func toText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// verifyRS256 finds the key that a token names where apps do, and checks the signature.
func verifyRS256(t *testing.T, s *site, token string) {
	t.Helper()
	parts := strings.Split(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	var header struct{ Alg, Kid string }
	var set struct {
		Keys []struct{ Kid, N, E, Alg string }
	}
	if err := json.Unmarshal(raw, &header); err != nil || header.Alg != "RS256" {
		t.Fatal(string(raw), err)
	}
	if err := json.Unmarshal([]byte(s.browser().get("/oauth/keys").wantStatus(200).body), &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		if key.Kid != header.Kid {
			continue
		}
		n, err := base64.RawURLEncoding.DecodeString(key.N)
		if err != nil || key.E != "AQAB" {
			t.Fatal(key, err)
		}
		signature, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
		if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature); err != nil {
			t.Error(err)
		}
		return
	}
	t.Fatalf("the key %s is not published: %v", header.Kid, set)
}

// TestAuthorizeRefusals: whatever is wrong, the app is told or the person, and nobody is sent
// to an address that is not registered. (Authelia GHSA-36f2-fcrx-fp4j, Pocket ID
// GHSA-2wvm-8mvp-22qv, vouch #335)
func TestAuthorizeRefusals(t *testing.T) {
	t.Parallel()
	s := openIDSite(t)
	s.add("ada@example.org", twofactor.Member)
	s.add("eve@example.org", twofactor.Administrator)
	app := s.connect("Grafana")
	s.connect("Gitea")
	for name, b := range map[string]*browser{"a stranger": s.browser(), "a member": s.signedIn("ada@example.org"), "an admin": s.signedIn("eve@example.org")} {
		for _, changes := range [][]string{
			{"redirect_uri=https://evil.example/cb"}, {"redirect_uri=https://grafana.example.org/cb/"}, {"redirect_uri=https://gitea.example.org/cb"},
			{"redirect_uri=https://grafana.example.org.evil.example/cb"}, {"redirect_uri=//evil.example"}, {"redirect_uri=javascript:alert(1)"},
			{"-redirect_uri"}, {"-client_id"}, {"client_id=nobody"}, {"+client_id=x"}, {"+redirect_uri=https://evil.example/cb"},
			{"redirect_uri=https://evil.example/cb", "prompt=none"}, {"redirect_uri=https://evil.example/cb", "response_type=token"},
			{"redirect_uri=https://evil.example/cb", "request=x"},
		} {
			a := b.get(app.request(changes...))
			if a.status != 400 || a.header.Get("Location") != "" || strings.Contains(a.body, `href="https://evil`) {
				t.Errorf("%s, %v: status %d, leads to %q", name, changes, a.status, a.header.Get("Location"))
			}
			if shown := strings.Contains(a.body, "evil.example/cb"); shown && name != "an admin" {
				t.Errorf("%s, %v: the address is shown", name, changes)
			}
		}
		for changes, want := range map[string]string{
			"response_type=token": "unsupported_response_type", "scope=email": "invalid_scope", "request=x": "request_not_supported",
			"request_uri=https://x.example": "request_uri_not_supported", "code_challenge_method=plain": "invalid_request",
			"-code_challenge": "invalid_request", "prompt=none login": "invalid_request", "max_age=-1": "invalid_request",
			"+scope=openid": "invalid_request", "+max_age=1": "", "response_mode=fragment": "invalid_request",
		} {
			if want == "" {
				continue
			}
			a := b.get(app.request(changes))
			if name == "a stranger" && !strings.Contains(changes, "prompt=none") {
				if to := a.header.Get("Location"); a.status != 303 || !strings.HasPrefix(to, "/signin?next=") {
					t.Errorf("%s, %s: led to %q before anybody knows who they are", name, changes, to)
				}
				continue
			}
			v := app.answer(a)
			if v.Get("error") != want || v.Get("state") != "s1" || v.Get("iss") != issuer || v.Has("code") {
				t.Errorf("%s, %s: the app is told %v", name, changes, v)
			}
		}
	}
}

// TestNoLinkLeadsThroughThePortal: a link with an error in it, which anybody can make, is no way to an app before
// the person has signed in (RFC 9700, 4.11.2); afterwards the app is told of it.
func TestNoLinkLeadsThroughThePortal(t *testing.T) {
	t.Parallel()
	s := openIDSite(t)
	s.add("ada@example.org", twofactor.Member)
	app := s.connect("Grafana")
	b := s.browser()
	to, err := url.Parse(b.get(app.request("scope=email")).header.Get("Location"))
	if err != nil || to.Path != "/signin" {
		t.Fatalf("led to %v, %v", to, err)
	}
	on := onward(b.post("/signin", "email", "ada@example.org", "password", dbtest.Password, "next", to.Query().Get("next")).wantStatus(200))
	if v := app.answer(b.get(on)); v.Get("error") != "invalid_scope" || v.Get("state") != "s1" {
		t.Errorf("the app is told %v", v)
	}
	long := "state=" + strings.Repeat("x", 9000)
	s.browser().get(app.request(long)).wantRedirect("/signin")
	if v := app.answer(s.browser().get(app.request(long, "prompt=none"))); v.Get("error") != "invalid_request" || v.Has("state") {
		t.Errorf("the app is told %v", v)
	}
}

// TestPromptNone never shows a page.
func TestPromptNone(t *testing.T) {
	t.Parallel()
	s := openIDSite(t)
	s.add("ada@example.org", twofactor.Member)
	app := s.connect("Grafana")
	foreign := s.connect("Gitea", func(_ *db.NewApp, c *db.NewConnection) { c.Ours = false })
	closed := s.connect("Jellyfin", func(n *db.NewApp, _ *db.NewConnection) { n.Access = db.AppAccess{Roles: []string{"administrator"}} })
	strict := s.connect("Immich", func(n *db.NewApp, _ *db.NewConnection) { n.Access.SecondStep = true })
	b := s.signedIn("ada@example.org")
	want := func(c *client, b *browser, code string, changes ...string) {
		t.Helper()
		v := c.answer(b.get(c.request(append(changes, "prompt=none")...)))
		if v.Get("error") != code || v.Get("state") != "s1" || v.Get("iss") != issuer || (v.Get("code") == "") == (code == "") {
			t.Errorf("%s: the app is told %v; want %q", c.redirect, v, code)
		}
	}
	want(app, s.browser(), "login_required")
	want(app, b, "")
	want(foreign, b, "consent_required")
	want(closed, b, "access_denied")
	want(strict, b, "interaction_required")
	s.advance(time.Minute)
	want(app, b, "login_required", "max_age=30")
	want(app, b, "", "max_age=90")
	id := app.exchange(app.code(b)).ID
	want(app, b, "", "id_token_hint="+id)
	s.add("bob@example.org", twofactor.Member)
	want(app, s.signedIn("bob@example.org"), "login_required", "id_token_hint="+id)
	if err := s.store.SetPolicy(ctx, twofactor.Policy{Everyone: true}, byMachine, s.now); err != nil {
		t.Fatal(err)
	}
	want(app, b, "interaction_required")
}

// TestConsent: an app that is not the workspace's own asks once for what it wants to know,
// and again for more; one at a loopback address asks each time.
func TestConsent(t *testing.T) {
	t.Parallel()
	s := openIDSite(t)
	s.add("ada@example.org", twofactor.Member)
	app := s.connect("Gitea", func(_ *db.NewApp, c *db.NewConnection) { c.Ours = false })
	native := s.connect("Rclone", func(_ *db.NewApp, c *db.NewConnection) {
		c.Kind, c.Redirects = openid.Native, "http://127.0.0.1/cb"
	})
	b := s.signedIn("ada@example.org")
	ask := func(c *client, changes ...string) (request string) {
		t.Helper()
		a := b.get(c.request(changes...)).wantStatus(200, "Continue", "Cancel")
		m := regexp.MustCompile(`name="request" value="([^"]*)"`).FindStringSubmatch(a.body)
		if m == nil {
			t.Fatal(a.body)
		}
		return strings.ReplaceAll(m[1], "&amp;", "&")
	}
	request := ask(app, "scope=openid email")
	denied := app.answer(b.post("/oauth/consent", "request", request, "answer", "deny").wantStatus(200))
	if denied.Get("error") != "access_denied" || denied.Get("state") != "s1" {
		t.Errorf("the app is told %v", denied)
	}
	b.post("/oauth/consent", "request", request).wantStatus(422)
	b.post("/oauth/consent", "request", strings.ReplaceAll(request, "gitea", "evil"), "answer", "allow").wantStatus(400)
	on := onward(b.post("/oauth/consent", "request", request, "answer", "allow").wantStatus(200))
	if app.answer(b.get(on)).Get("code") == "" {
		t.Error("no code after agreeing")
	}
	app.code(b, "scope=openid email")
	app.code(b, "scope=openid")
	ask(app, "scope=openid email groups")
	ask(app, "scope=openid", "prompt=consent")
	ask(app, "scope=openid", "prompt=select_account")

	native.secret = ""
	request = ask(native)
	on = onward(b.post("/oauth/consent", "request", request, "answer", "allow").wantStatus(200))
	code := native.answer(b.get(on)).Get("code")
	native.read(native.call("/oauth/token", "grant_type", "authorization_code", "code", code, "redirect_uri", native.redirect,
		"code_verifier", pkceVerifier, "client_id", native.id))
	ask(native)
	other := "http://127.0.0.1:51999/cb"
	request = ask(native, "redirect_uri="+other)
	b.get(native.request("redirect_uri=http://127.0.0.1:51999/other")).wantStatus(400)
	on = onward(b.post("/oauth/consent", "request", request, "answer", "allow").wantStatus(200))
	if to := b.get(on).header.Get("Location"); !strings.HasPrefix(to, other+"?code=") {
		t.Errorf("led to %q", to)
	}

	// What somebody has agreed to counts for their session, for this request and for a minute.
	request = ask(native)
	on = onward(b.post("/oauth/consent", "request", request, "answer", "allow").wantStatus(200))
	s.add("eve@example.org", twofactor.Member)
	s.signedIn("eve@example.org").get(on).wantStatus(200, "Cancel")
	b.get(strings.Replace(on, "state=s1", "state=s2", 1)).wantStatus(200, "Cancel")
	s.advance(time.Minute)
	b.get(on).wantStatus(200, "Cancel")
}

// TestMayNot: the person reads why, the activity tells it once an hour, and the app hears of
// it when they go back.
func TestMayNot(t *testing.T) {
	t.Parallel()
	s := openIDSite(t)
	s.add("ada@example.org", twofactor.Member)
	app := s.connect("Grafana", func(n *db.NewApp, _ *db.NewConnection) { n.Access = db.AppAccess{Roles: []string{"administrator"}} })
	b := s.signedIn("ada@example.org")
	for range 3 {
		a := b.get(app.request()).wantStatus(403, "You cannot open Grafana", "ada@example.org", "Sign in as a different user")
		if !strings.Contains(a.text(), app.redirect+"?error=access_denied") {
			t.Error("the app does not hear of it")
		}
	}
	if n := s.events(account.AppRefused); n != 1 {
		t.Errorf("%d rows of activity", n)
	}
	if err := s.store.PauseApp(ctx, app.app, true, byMachine, s.now); err != nil {
		t.Fatal(err)
	}
	b.get(app.request()).wantStatus(403, "paused")
}

// events counts the rows of activity of one event.
func (s *site) events(event account.Event) int {
	s.t.Helper()
	page, err := s.store.Activity(ctx, db.Filter{Event: event})
	if err != nil {
		s.t.Fatal(err)
	}
	return len(page.Rows)
}

// TestTokenAddress: who asks how, and what is answered.
func TestTokenAddress(t *testing.T) {
	t.Parallel()
	s := openIDSite(t)
	s.add("ada@example.org", twofactor.Member)
	app := s.connect("Grafana")
	b := s.signedIn("ada@example.org")
	right := func(extra ...string) []string {
		return append([]string{"grant_type", "authorization_code", "code", app.code(b), "redirect_uri", app.redirect,
			"code_verifier", pkceVerifier}, extra...)
	}
	app.call("/oauth/token", right("client_secret", app.secret)...).wantRefusal(400, "invalid_request")
	app.call("/oauth/token", right("code", "again")...).wantRefusal(400, "invalid_request")
	app.call("/oauth/token", "grant_type", "password").wantRefusal(400, "unsupported_grant_type")
	app.call("/oauth/token").wantRefusal(400, "invalid_request")
	post := *app
	post.secret = ""
	app.read(post.call("/oauth/token", right("client_id", app.id, "client_secret", app.secret)...))
	wrong := *app
	wrong.secret = "wrong"
	a := wrong.call("/oauth/token", right()...).wantRefusal(401, "invalid_client")
	if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic ") {
		t.Error("no challenge for the client")
	}
	unknown := wrong
	unknown.id = "nobody"
	if b := unknown.call("/oauth/token", right()...).wantRefusal(401, "invalid_client"); b.body != a.body {
		t.Error("an unknown client is told something else than a wrong secret")
	}

	// Another site's page may post, and no cookie counts.
	r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader("grant_type=authorization_code"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Origin", "https://grafana.example.org")
	if a := b.send(r).wantRefusal(401, "invalid_client"); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("scripts of other sites may read tokens")
	}
	r = httptest.NewRequest("POST", "/oauth/token", strings.NewReader(`{"grant_type":"authorization_code"}`))
	r.Header.Set("Content-Type", "application/json")
	b.send(r).wantRefusal(400, "invalid_request")

	// Parameters in the address count for nothing.
	app.call("/oauth/token?grant_type=authorization_code&code="+app.code(b), "x", "y").wantRefusal(400, "invalid_request")

	// userinfo takes the header alone.
	got := app.exchange(app.code(b))
	for _, r := range []string{"GET /oauth/userinfo?access_token=" + got.Access, "POST /oauth/userinfo"} {
		method, path, _ := strings.Cut(r, " ")
		request := httptest.NewRequest(method, path, strings.NewReader("access_token="+got.Access))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if a := b.send(request); a.status != 401 || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("%s: status %d, %v", r, a.status, a.header)
		}
	}
	if status, _ := app.userinfo(got.Access); status != 200 {
		t.Error(status)
	}
	b.post("/signout")
	if status, _ := app.userinfo(got.Access); status != 401 {
		t.Error("an access token outlives the sign-out")
	}
}

// TestPublicDocuments: discovery and keys may be read by any page and are kept for five
// minutes; nothing else has these headers.
func TestPublicDocuments(t *testing.T) {
	t.Parallel()
	s := openIDSite(t)
	for _, path := range []string{"/.well-known/openid-configuration", "/oauth/keys"} {
		a := s.browser().get(path).wantStatus(200)
		if a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Cache-Control") != "public, max-age=300" ||
			a.header.Get("Content-Type") != "application/json" || len(a.header.Values("Set-Cookie")) != 0 {
			t.Errorf("%s: %v", path, a.header)
		}
	}
	var d map[string]any
	if err := json.Unmarshal([]byte(s.browser().get("/.well-known/openid-configuration").body), &d); err != nil || d["issuer"] != issuer {
		t.Error(d, err)
	}
	bare := newSite(t)
	bare.browser().get("/.well-known/openid-configuration").wantRefusal(404, "invalid_request")
	bare.browser().get("/oauth/authorize?client_id=x").wantStatus(404)
}

// TestAppSignsOut: an app's sign-out asks, unless it shows a token of this very session; and
// nobody is sent to an address that is not registered.
func TestAppSignsOut(t *testing.T) {
	t.Parallel()
	s := openIDSite(t)
	s.add("ada@example.org", twofactor.Member)
	s.add("bob@example.org", twofactor.Member)
	app, other := s.connect("Grafana"), s.connect("Gitea")
	bye := "https://grafana.example.org/bye"
	tokenOf := func(b *browser) string { return app.exchange(app.code(b)).ID }
	address := func(pairs ...string) string {
		v := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return "/oauth/signout?" + v.Encode()
	}
	ada := func() (*browser, string) {
		s.advance(15 * time.Second)
		b := s.signedIn("ada@example.org")
		return b, tokenOf(b)
	}

	t.Run("with a token of this session", func(t *testing.T) {
		b, id := ada()
		b.get(address("id_token_hint", id, "post_logout_redirect_uri", bye, "state", "s 1")).wantRedirect(bye + "?state=s+1")
		b.get("/my").wantRedirect("/signin")
	})
	t.Run("with an expired token of this session, posted", func(t *testing.T) {
		b, id := ada()
		s.advance(20 * time.Minute)
		to := b.post("/oauth/signout", "id_token_hint", id, "post_logout_redirect_uri", bye).header.Get("Location")
		b.get(to).wantRedirect(bye)
	})
	asked := func(name string, request func(b *browser, id string) string, then string) {
		t.Run(name, func(t *testing.T) {
			b, id := ada()
			to := request(b, id)
			b.get(to).wantStatus(200, "Sign out?", "Stay signed in")
			b.get("/my").wantStatus(200)
			_, query, _ := strings.Cut(to, "?")
			a := b.post("/oauth/signout/confirm", "request", query)
			if then == "" {
				a.wantRedirect("/signin")
			} else if onward(a.wantStatus(200)) != then {
				t.Errorf("leads to %q", onward(a))
			}
			b.get("/my").wantRedirect("/signin")
		})
	}
	asked("without a token", func(*browser, string) string { return "/oauth/signout" }, "")
	asked("with the client's name alone", func(*browser, string) string {
		return address("client_id", app.id, "post_logout_redirect_uri", bye)
	}, bye)
	asked("with a token of another session of the same person", func(*browser, string) string {
		s.advance(15 * time.Second)
		return address("id_token_hint", tokenOf(s.signedIn("ada@example.org")), "post_logout_redirect_uri", bye)
	}, bye)
	asked("with a token of somebody else", func(*browser, string) string {
		s.advance(15 * time.Second)
		return address("id_token_hint", tokenOf(s.signedIn("bob@example.org")))
	}, "")
	asked("with a forged token", func(_ *browser, id string) string {
		return address("id_token_hint", id[:len(id)-8]+"AAAAAAAA")
	}, "")
	asked("with a token under a retired key", func(_ *browser, id string) string {
		if _, err := s.store.RotateSigningKeys(ctx, machine, s.now); err != nil {
			t.Fatal(err)
		}
		return address("id_token_hint", id, "client_id", app.id, "post_logout_redirect_uri", bye)
	}, bye)
	t.Run("from another site, by an image", func(t *testing.T) {
		b, _ := ada()
		r := httptest.NewRequest("GET", "/oauth/signout", nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		b.send(r)
		r = httptest.NewRequest("POST", "/oauth/signout/confirm", nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		b.send(r).wantStatus(403)
		b.get("/my").wantStatus(200)
	})
	for name, request := range map[string]func(id string) string{
		"another address": func(id string) string {
			return address("id_token_hint", id, "post_logout_redirect_uri", "https://evil.example/")
		},
		"a longer address": func(id string) string { return address("id_token_hint", id, "post_logout_redirect_uri", bye+"/x") },
		"another app's address": func(id string) string {
			return address("id_token_hint", id, "post_logout_redirect_uri", "https://gitea.example.org/bye")
		},
		"the sign-in's address": func(id string) string { return address("id_token_hint", id, "post_logout_redirect_uri", app.redirect) },
		"another client than token's": func(id string) string {
			return address("id_token_hint", id, "client_id", other.id, "post_logout_redirect_uri", "https://gitea.example.org/bye")
		},
		"an address of nobody": func(string) string { return address("post_logout_redirect_uri", bye) },
		"two addresses": func(id string) string {
			return address("id_token_hint", id, "post_logout_redirect_uri", bye) + "&post_logout_redirect_uri=x"
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, id := ada()
			a := b.get(request(id)).wantStatus(400)
			if a.header.Get("Location") != "" {
				t.Errorf("led to %q", a.header.Get("Location"))
			}
			b.get("/my").wantStatus(200)
		})
	}
	t.Run("signed out already", func(t *testing.T) {
		s.browser().get(address("client_id", app.id, "post_logout_redirect_uri", bye)).wantRedirect(bye)
		s.browser().get("/oauth/signout").wantRedirect("/signin")
	})
}
