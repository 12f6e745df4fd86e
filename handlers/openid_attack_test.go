package handlers_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/db"
	"gatehouse/openid"
	"gatehouse/twofactor"
)

// TestNoTokenIsStoredOrLogged looks for whatever lets somebody into an app in the database's files, in the log and in
// the activity.
func TestNoTokenIsStoredOrLogged(t *testing.T) {
	t.Parallel()
	p := newPlanSite(t)
	secrets := map[string]string{"the client's secret": p.app.secret, "the session": p.b.cookies["gatehouse"]}
	note := func(name string, got tokens) {
		secrets["access token "+name], secrets["refresh token "+name], secrets["ID token "+name] = got.Access, got.Refresh, got.ID
	}
	code := p.app.code(p.b, "scope=openid email offline_access")
	secrets["the code"] = code
	first := p.app.exchange(code)
	note("one", first)
	second := p.app.read(p.app.call("/oauth/token", "grant_type", "refresh_token", "refresh_token", first.Refresh))
	note("two", second)
	p.app.userinfo(second.Access)
	p.b.get("/oauth/signout?" + url.Values{"id_token_hint": {second.ID}}.Encode())
	p.app.call("/oauth/revoke", "token", second.Refresh).wantStatus(200)

	written := map[string]string{"the log": p.log.String()}
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(p.dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		written[e.Name()] = string(text)
	}
	for name, secret := range secrets {
		if len(secret) < 20 {
			t.Fatalf("%s is %q", name, secret)
		}
		for where, text := range written {
			if strings.Contains(text, secret) {
				t.Errorf("%s stands in %s", name, where)
			}
		}
	}
	if !strings.Contains(written["the log"], "/oauth/token") {
		t.Error("the log tells of no exchange")
	}
}

// TestNoOtherSiteReadsAnswers: scripts of other sites read the public documents and nothing else, whether they ask first
// or not (RFC 9700, 2.6: never at authorize).
func TestNoOtherSiteReadsAnswers(t *testing.T) {
	t.Parallel()
	p := newPlanSite(t)
	for _, path := range []string{"/oauth/authorize", p.app.request(), "/oauth/token", "/oauth/userinfo", "/oauth/revoke", "/oauth/signout",
		"/oauth/consent", "/oauth/signout/confirm"} {
		for _, method := range []string{"OPTIONS", "GET", "POST"} {
			r := httptest.NewRequest(method, path, nil)
			r.Header.Set("Origin", "https://grafana.example.org")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Access-Control-Request-Method", "POST")
			r.Header.Set("Access-Control-Request-Headers", "authorization")
			for name := range p.b.send(r).header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s: %s", method, path, name)
				}
			}
		}
	}
}

// TestTokensAreNotInterchangeable: nothing that was handed out for one thing is taken for another.
func TestTokensAreNotInterchangeable(t *testing.T) {
	t.Parallel()
	p := newPlanSite(t)
	code := p.app.code(p.b, "scope=openid offline_access")
	spare := p.app.exchange(p.app.code(p.b, "scope=openid offline_access"))
	for name, token := range map[string]string{"a code": code, "a refresh token": spare.Refresh, "an ID token": spare.ID, "a session": p.b.cookies["gatehouse"]} {
		if status, _ := p.app.userinfo(token); status != 401 {
			t.Errorf("%s is taken at userinfo: %d", name, status)
		}
	}
	for name, token := range map[string]string{"an access token": spare.Access, "a refresh token": spare.Refresh, "an ID token": spare.ID} {
		p.app.call("/oauth/token", "grant_type", "authorization_code", "code", token, "redirect_uri", p.app.redirect,
			"code_verifier", pkceVerifier).wantRefusal(400, "invalid_grant")
		if name != "a refresh token" {
			p.app.call("/oauth/token", "grant_type", "refresh_token", "refresh_token", token).wantRefusal(400, "invalid_grant")
		}
	}
	p.app.call("/oauth/token", "grant_type", "refresh_token", "refresh_token", code).wantRefusal(400, "invalid_grant")
	for _, token := range []string{spare.Access, spare.Refresh, spare.ID, code} {
		b := p.browser()
		b.cookies["gatehouse"] = token
		b.get("/my").wantRedirect("/signin")
	}
	// A hint is no proof of anything: whoever has somebody's ID token is not signed in by it.
	if got := p.app.answer(p.browser().get(p.app.request("prompt=none", "id_token_hint="+spare.ID))).Get("error"); got != "login_required" {
		t.Error(got)
	}
	p.app.exchange(code)
}

// TestHintOfAnotherApp: a token of another app says no more than who is signed in, and an app that shows one at the
// sign-out leads nobody to its own address with it.
func TestHintOfAnotherApp(t *testing.T) {
	t.Parallel()
	p := newPlanSite(t)
	other := p.connect("Gitea")
	hint := other.exchange(other.code(p.b)).ID
	p.id("prompt=none", "id_token_hint="+hint) // the same person
	p.add("bob@example.org", twofactor.Member)
	if got := p.app.answer(p.signedIn("bob@example.org").get(p.app.request("id_token_hint=" + hint))).Get("error"); got != "login_required" {
		t.Errorf("somebody else's hint: %q", got)
	}
	for _, client := range []string{"", p.app.id} {
		v := url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://grafana.example.org/bye"}}
		if client != "" {
			v.Set("client_id", client)
		}
		p.b.get("/oauth/signout?" + v.Encode()).wantStatus(400)
		p.b.get("/my").wantStatus(200)
	}
}

// TestAddressesThatLookAlike: whoever changes an address by a sign gets no answer there, whatever browsers make of it.
func TestAddressesThatLookAlike(t *testing.T) {
	t.Parallel()
	p := newPlanSite(t)
	for _, address := range []string{
		"https://grafana.example.org/cb?", "https://grafana.example.org/cb#", "https://grafana.example.org/cb#x", "https://grafana.example.org/cb?x=1",
		"https://grafana.example.org/cb;x", "https://grafana.example.org/cb%2f", "https://grafana.example.org/cb/..", "https://grafana.example.org/./cb",
		"https://grafana.example.org//cb", "https://grafana.example.org/CB", "https://GRAFANA.example.org/cb", "HTTPS://grafana.example.org/cb",
		"http://grafana.example.org/cb", "https://grafana.example.org:443/cb", "https://grafana.example.org:8443/cb", "https://grafana.example.org./cb",
		"https://grafana.example.org@evil.example/cb", "https://evil.example/https://grafana.example.org/cb", "https://x.grafana.example.org/cb",
		`https://grafana.example.org\@evil.example/cb`, "https://grafana.example.org/cb ", " https://grafana.example.org/cb",
		"https://grafana.example.org/cb\n", "https://grafana.example.org/c%62", "//grafana.example.org/cb", "/cb", "https://127.0.0.1/cb",
		"https://grafana.example.org/cb https://evil.example/",
	} {
		a := p.b.get(p.app.request("redirect_uri=" + address))
		if a.status != 400 || a.header.Get("Location") != "" {
			t.Errorf("%q: status %d, leads to %q", address, a.status, a.header.Get("Location"))
		}
	}
}

// TestHugeFields: what is too long is refused, and is never a fault.
func TestHugeFields(t *testing.T) {
	t.Parallel()
	p := newPlanSite(t)
	long := strings.Repeat("a", 60_000)
	for _, field := range []string{"client_id", "redirect_uri", "scope", "state", "nonce", "prompt", "max_age", "acr_values", "login_hint",
		"id_token_hint", "code_challenge", "ui_locales", "asked", "agreed"} {
		a := p.b.get(p.app.request(field + "=" + long))
		if a.status != 400 && a.status != 303 || len(a.header.Get("Location")) > 9000 {
			t.Errorf("authorize, %s: status %d, a Location of %d bytes", field, a.status, len(a.header.Get("Location")))
		}
		if a := p.browser().get(p.app.request(field + "=" + long)); a.status != 400 && a.status != 303 || len(a.header.Get("Location")) > 9000 {
			t.Errorf("authorize of a stranger, %s: status %d, a Location of %d bytes", field, a.status, len(a.header.Get("Location")))
		}
	}
	for _, field := range []string{"code", "redirect_uri", "code_verifier", "refresh_token", "grant_type", "scope", "client_id", "token", "x"} {
		for _, path := range []string{"/oauth/token", "/oauth/revoke"} {
			if a := p.app.call(path, field, long); a.status >= 500 || !json.Valid([]byte(a.body)) {
				t.Errorf("%s, %s: status %d", path, field, a.status)
			}
		}
	}
	p.app.call("/oauth/token", "x", long+long).wantRefusal(413, "invalid_request")
	wrong := *p.app
	wrong.id, wrong.secret = long, long
	wrong.call("/oauth/token", "grant_type", "authorization_code", "code", "x").wantRefusal(401, "invalid_client")
	for _, field := range []string{"id_token_hint", "client_id", "post_logout_redirect_uri", "state"} {
		if a := p.b.get("/oauth/signout?" + field + "=" + long); a.status >= 500 || a.header.Get("Location") != "" {
			t.Errorf("signout, %s: status %d, leads to %q", field, a.status, a.header.Get("Location"))
		}
	}
	if status, _ := p.app.userinfo(long); status != 401 {
		t.Error(status)
	}
}

// TestLookingMakesNoCode: a HEAD, with which programs look where a link leads, is answered without one.
func TestLookingMakesNoCode(t *testing.T) {
	t.Parallel()
	p := newPlanSite(t)
	if a := p.b.send(httptest.NewRequest("HEAD", p.app.request(), nil)); a.status != 200 || a.header.Get("Location") != "" {
		t.Errorf("status %d, leads to %q", a.status, a.header.Get("Location"))
	}
	p.b.send(httptest.NewRequest("HEAD", "/oauth/signout?"+url.Values{"id_token_hint": {p.app.exchange(p.app.code(p.b)).ID}}.Encode(), nil))
	p.b.get("/my").wantStatus(200)
}

// TestNativeAppsAskEachTime: anything on a device may claim an app's scheme or listen where it does, so a code goes there
// only after a click, though the app is the workspace's own (RFC 8252, 8.6).
func TestNativeAppsAskEachTime(t *testing.T) {
	t.Parallel()
	p := newPlanSite(t)
	native := func(name, redirect string) *client {
		return p.connect(name, func(_ *db.NewApp, c *db.NewConnection) { c.Kind, c.Redirects = openid.Native, redirect })
	}
	for _, app := range []*client{native("Rclone", "http://127.0.0.1/cb"), native("Notes", "org.example.notes:/cb")} {
		for range 2 {
			p.b.get(app.request()).wantStatus(200, "Continue", "Cancel")
			if got := app.answer(p.b.get(app.request("prompt=none"))).Get("error"); got != "consent_required" {
				t.Error(got)
			}
		}
	}
	claimed := native("Photos", "https://photos.example.org/cb") // which the device lets the app alone have
	claimed.code(p.b)
}
