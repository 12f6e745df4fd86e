package handlers_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/openid"
	"gatehouse/twofactor"
)

// A planSite is a site with one person who is signed in and one app.
type planSite struct {
	*site
	t   testing.TB
	b   *browser
	app *client
}

func newPlanSite(t testing.TB) *planSite {
	t.Helper()
	s := openIDSite(t)
	s.add("ada@example.org", twofactor.Member)
	return &planSite{site: s, t: t, b: s.signedIn("ada@example.org"), app: s.connect("Grafana")}
}

// id signs in at the app, and returns what its ID token says.
func (p *planSite) id(changes ...string) map[string]any {
	p.t.Helper()
	return p.app.claims(p.app.exchange(p.app.code(p.b, changes...)).ID)
}

// proved gives the password where a request leads, and returns where it goes on to.
func (p *planSite) proved(a answer) string {
	p.t.Helper()
	to := a.header.Get("Location")
	again, err := url.Parse(to)
	if err != nil || again.Path != "/signin/again" {
		p.t.Fatalf("led to %q; want /signin/again", to)
	}
	p.advance(time.Second)
	return onward(p.b.post("/signin/again", "next", again.Query().Get("next"), "password", dbtest.Password).wantStatus(200))
}

// TestBasicOP has a case for each module of the OpenID Foundation's Basic OP plan, by its
// name. What does not apply is listed in docs/security.md.
func TestBasicOP(t *testing.T) {
	t.Parallel()
	for name, check := range map[string]func(t *testing.T, p *planSite){
		"oidcc-server": func(t *testing.T, p *planSite) {
			id := p.id()
			if id["iss"] != issuer || id["aud"] != p.app.id || id["sub"] == "" || id["nonce"] != "n1" || id["acr"] != "aal1" || toText(t, id["amr"]) != `["pwd"]` {
				t.Errorf("%v", id)
			}
		},
		"oidcc-response-type-missing": func(t *testing.T, p *planSite) {
			if got := p.app.answer(p.b.get(p.app.request("-response_type"))).Get("error"); got != "invalid_request" {
				t.Error(got)
			}
		},
		"oidcc-userinfo-get": func(t *testing.T, p *planSite) {
			if status, info := p.app.userinfo(p.app.exchange(p.app.code(p.b)).Access); status != 200 || info["sub"] == nil {
				t.Error(status, info)
			}
		},
		"oidcc-userinfo-post-header": func(t *testing.T, p *planSite) {
			r := httptest.NewRequest("POST", "/oauth/userinfo", nil)
			r.Header.Set("Authorization", "Bearer "+p.app.exchange(p.app.code(p.b)).Access)
			p.browser().send(r).wantStatus(200, `"sub":`)
		},
		"oidcc-ensure-request-without-nonce-succeeds-for-code-flow": func(t *testing.T, p *planSite) {
			if id := p.id("-nonce"); id["nonce"] != nil {
				t.Error(id)
			}
		},
		"oidcc-scope-profile": func(t *testing.T, p *planSite) {
			if id := p.id("scope=openid profile"); id["name"] == nil || id["preferred_username"] != "ada" || id["email"] != nil {
				t.Error(id)
			}
		},
		"oidcc-scope-email": func(t *testing.T, p *planSite) {
			if id := p.id("scope=openid email"); id["email"] != "ada@example.org" || id["email_verified"] != true || id["name"] != nil {
				t.Error(id)
			}
		},
		"oidcc-scope-all": func(t *testing.T, p *planSite) {
			if id := p.id("scope=openid profile email address phone"); id["email"] == nil || id["address"] != nil {
				t.Error(id)
			}
		},
		"oidcc-scope-address": func(t *testing.T, p *planSite) { // no such claims, and not advertised: ignored
			if id := p.id("scope=openid address"); id["address"] != nil || id["sub"] == nil {
				t.Error(id)
			}
		},
		"oidcc-scope-phone": func(t *testing.T, p *planSite) {
			if id := p.id("scope=openid phone"); id["phone_number"] != nil || id["sub"] == nil {
				t.Error(id)
			}
		},
		"oidcc-userinfo-post-body": func(t *testing.T, p *planSite) { // the contract takes the header alone
			r := httptest.NewRequest("POST", "/oauth/userinfo", strings.NewReader("access_token="+p.app.exchange(p.app.code(p.b)).Access))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if a := p.browser().send(r); a.status != 401 || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("status %d, %v", a.status, a.header)
			}
		},
		"oidcc-idtoken-signature": func(t *testing.T, p *planSite) {
			app := p.connect("Nextcloud", func(_ *db.NewApp, c *db.NewConnection) { c.Algorithm = openid.RS256 })
			verifyRS256(t, p.site, app.exchange(app.code(p.b)).ID)
		},
		"oidcc-alternate-happy-flow": func(t *testing.T, p *planSite) { // every order of scopes and fields
			address, query, _ := strings.Cut(p.app.request("scope=email openid"), "?")
			fields := strings.Split(query, "&")
			slices.Reverse(fields)
			code := p.app.answer(p.b.get(address + "?" + strings.Join(fields, "&"))).Get("code")
			if id := p.app.claims(p.app.exchange(code).ID); id["email"] != "ada@example.org" {
				t.Error(id)
			}
		},
		"oidcc-ensure-other-scope-order-succeeds":              func(t *testing.T, p *planSite) { p.id("scope=email openid") },
		"oidcc-display-page":                                   func(t *testing.T, p *planSite) { p.id("display=page") },
		"oidcc-display-popup":                                  func(t *testing.T, p *planSite) { p.id("display=popup") },
		"oidcc-ui-locales":                                     func(t *testing.T, p *planSite) { p.id("ui_locales=se") },
		"oidcc-claims-locales":                                 func(t *testing.T, p *planSite) { p.id("claims_locales=se") },
		"oidcc-ensure-request-with-unknown-parameter-succeeds": func(t *testing.T, p *planSite) { p.id("extra=foobar") },
		"oidcc-claims-essential": func(t *testing.T, p *planSite) {
			p.id(`claims={"userinfo":{"name":{"essential":true}}}`)
		},
		"oidcc-ensure-request-with-valid-pkce-succeeds": func(t *testing.T, p *planSite) { p.id() },
		"oidcc-prompt-login": func(t *testing.T, p *planSite) {
			before := p.id()["auth_time"]
			p.advance(time.Minute)
			on := p.proved(p.b.get(p.app.request("prompt=login")))
			code := p.app.answer(p.b.get(on)).Get("code")
			if after := p.app.claims(p.app.exchange(code).ID)["auth_time"]; after == before {
				t.Error("the password was not given again")
			}
			p.proved(p.b.get(p.app.request("prompt=login"))) // a new request asks again
		},
		"oidcc-prompt-none-not-logged-in": func(t *testing.T, p *planSite) {
			if got := p.app.answer(p.browser().get(p.app.request("prompt=none"))).Get("error"); got != "login_required" {
				t.Error(got)
			}
		},
		"oidcc-prompt-none-logged-in": func(t *testing.T, p *planSite) {
			if first, second := p.id(), p.id("prompt=none"); first["sub"] != second["sub"] || first["auth_time"] != second["auth_time"] {
				t.Error(first, second)
			}
		},
		"oidcc-max-age-1": func(t *testing.T, p *planSite) {
			p.advance(2 * time.Second)
			on := p.proved(p.b.get(p.app.request("max_age=1")))
			p.advance(time.Minute) // what was asked for was given
			p.app.answer(p.b.get(on)).Get("code")
		},
		"oidcc-max-age-10000": func(t *testing.T, p *planSite) {
			first := p.id("max_age=10000")
			p.advance(time.Minute)
			if second := p.id("max_age=10000"); first["auth_time"] != second["auth_time"] {
				t.Error(first, second)
			}
		},
		"oidcc-id-token-hint": func(t *testing.T, p *planSite) {
			hint := p.app.exchange(p.app.code(p.b)).ID
			p.id("prompt=none", "id_token_hint="+hint)
		},
		"oidcc-login-hint": func(t *testing.T, p *planSite) {
			to := p.browser().get(p.app.request("login_hint=ada@example.org")).header.Get("Location")
			p.browser().get(to).wantStatus(200, `value="ada@example.org"`)
		},
		"oidcc-ensure-request-with-acr-values-succeeds": func(t *testing.T, p *planSite) { p.id("acr_values=1 2") },
		"oidcc-codereuse": func(t *testing.T, p *planSite) {
			code := p.app.code(p.b)
			p.app.exchange(code)
			p.app.call("/oauth/token", "grant_type", "authorization_code", "code", code, "redirect_uri", p.app.redirect,
				"code_verifier", pkceVerifier).wantRefusal(400, "invalid_grant")
		},
		"oidcc-codereuse-30seconds": func(t *testing.T, p *planSite) {
			code := p.app.code(p.b)
			got := p.app.exchange(code)
			p.advance(30 * time.Second)
			p.app.call("/oauth/token", "grant_type", "authorization_code", "code", code, "redirect_uri", p.app.redirect,
				"code_verifier", pkceVerifier).wantRefusal(400, "invalid_grant")
			if status, _ := p.app.userinfo(got.Access); status != 401 {
				t.Error("the access token still works")
			}
		},
		"oidcc-ensure-registered-redirect-uri": func(t *testing.T, p *planSite) {
			p.b.get(p.app.request("redirect_uri=" + p.app.redirect + "/x")).wantStatus(400)
		},
		"oidcc-ensure-post-request-succeeds": func(t *testing.T, p *planSite) {
			_, query, _ := strings.Cut(p.app.request(), "?")
			r := httptest.NewRequest("POST", "/oauth/authorize", strings.NewReader(query))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Origin", "https://grafana.example.org")
			to := p.browser().send(r).header.Get("Location") // without its cookies, as browsers send it
			if p.app.answer(p.b.get(to)).Get("code") == "" {
				t.Error("no code")
			}
		},
		"oidcc-server-client-secret-post": func(t *testing.T, p *planSite) {
			post := *p.app
			post.secret = ""
			p.app.read(post.call("/oauth/token", "grant_type", "authorization_code", "code", p.app.code(p.b), "redirect_uri",
				p.app.redirect, "code_verifier", pkceVerifier, "client_id", p.app.id, "client_secret", p.app.secret))
		},
		"oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported": func(t *testing.T, p *planSite) {
			if got := p.app.answer(p.b.get(p.app.request("request_uri=https://grafana.example.org/request"))).Get("error"); got != "request_uri_not_supported" {
				t.Error(got)
			}
		},
		"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported": func(t *testing.T, p *planSite) {
			if got := p.app.answer(p.b.get(p.app.request("request=eyJhbGciOiJub25lIn0.e30."))).Get("error"); got != "request_not_supported" {
				t.Error(got)
			}
		},
		"oidcc-ensure-request-object-with-redirect-uri": func(t *testing.T, p *planSite) {
			if got := p.app.answer(p.b.get(p.app.request("request=eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL2V2aWwifQ."))).Get("error"); got != "request_not_supported" {
				t.Error(got)
			}
		},
		"oidcc-refresh-token": func(t *testing.T, p *planSite) {
			first := p.app.exchange(p.app.code(p.b, "scope=openid email offline_access"))
			second := p.app.read(p.app.call("/oauth/token", "grant_type", "refresh_token", "refresh_token", first.Refresh))
			a, b := p.app.claims(first.ID), p.app.claims(second.ID)
			for _, name := range []string{"iss", "sub", "aud", "auth_time", "sid", "acr", "email", "email_verified"} {
				if a[name] != b[name] {
					t.Errorf("%s: %v, %v", name, a[name], b[name])
				}
			}
			if b["nonce"] != nil || second.Refresh == first.Refresh || b["at_hash"] != openid.AccessTokenHash(second.Access) {
				t.Error(b)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, newPlanSite(t))
		})
	}
}

// TestConfigOP is the Config OP plan: the document says what is there, and all of it answers.
func TestConfigOP(t *testing.T) {
	t.Parallel()
	t.Run("oidcc-discovery-endpoint-verification", func(t *testing.T) {
		p := newPlanSite(t)
		d := p.discovery()
		for _, name := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "revocation_endpoint", "end_session_endpoint"} {
			at, _ := d[name].(string)
			path, ok := strings.CutPrefix(at, issuer)
			if !ok {
				t.Errorf("%s is at %s", name, at)
			}
			method := "GET"
			if name == "token_endpoint" || name == "revocation_endpoint" {
				method = "POST"
			}
			if a := p.browser().send(httptest.NewRequest(method, path, nil)); a.status == 404 || a.status >= 500 {
				t.Errorf("%s answers %d", name, a.status)
			}
		}
		for _, name := range []string{"response_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported", "scopes_supported", "claims_supported"} {
			if list, _ := d[name].([]any); len(list) == 0 {
				t.Errorf("%s is missing", name)
			}
		}
	})
}

// discovery is the document by which apps find everything.
func (p *planSite) discovery() (d map[string]any) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(p.browser().get("/.well-known/openid-configuration").wantStatus(200).body), &d); err != nil {
		p.t.Fatal(err)
	}
	return d
}

// TestRPInitiatedLogoutOP has a case for each module of that plan.
func TestRPInitiatedLogoutOP(t *testing.T) {
	t.Parallel()
	t.Run("oidcc-rp-initiated-logout-discovery-endpoint-verification", func(t *testing.T) {
		t.Parallel()
		if at := newPlanSite(t).discovery()["end_session_endpoint"]; at != issuer+"/oauth/signout" {
			t.Errorf("end_session_endpoint is %v", at)
		}
	})
	const bye = "https://grafana.example.org/bye"
	address := func(pairs ...string) string {
		v := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return "/oauth/signout?" + v.Encode()
	}
	for name, c := range map[string]struct {
		request func(id string) string
		leads   string // where it leads at once; "ask" for a question; "refused" for a page that says no
	}{
		"oidcc-rp-initiated-logout": {func(id string) string {
			return address("id_token_hint", id, "post_logout_redirect_uri", bye, "state", "s1")
		}, bye + "?state=s1"},
		"oidcc-rp-initiated-logout-no-state": {func(id string) string {
			return address("id_token_hint", id, "post_logout_redirect_uri", bye)
		}, bye},
		"oidcc-rp-initiated-logout-no-post-logout-redirect-uri": {func(id string) string { return address("id_token_hint", id, "state", "s1") }, "/signin"},
		"oidcc-rp-initiated-logout-no-params":                   {func(string) string { return "/oauth/signout" }, "ask"},
		"oidcc-rp-initiated-logout-only-state":                  {func(string) string { return address("state", "s1") }, "ask"},
		"oidcc-rp-initiated-logout-no-id-token-hint":            {func(string) string { return address("post_logout_redirect_uri", bye) }, "refused"},
		"oidcc-rp-initiated-logout-bad-id-token-hint": {func(string) string {
			return address("id_token_hint", "bad", "post_logout_redirect_uri", bye)
		}, "refused"},
		"oidcc-rp-initiated-logout-modified-id-token-hint": {func(id string) string {
			return address("id_token_hint", id[:len(id)-6]+"AAAAAA", "post_logout_redirect_uri", bye)
		}, "refused"},
		"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri": {func(id string) string {
			return address("id_token_hint", id, "post_logout_redirect_uri", "https://evil.example/")
		}, "refused"},
		"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri": {func(id string) string {
			return address("id_token_hint", id, "post_logout_redirect_uri", bye+"?foo=bar")
		}, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlanSite(t)
			a := p.b.get(c.request(p.app.exchange(p.app.code(p.b)).ID))
			switch c.leads {
			case "ask":
				a.wantStatus(200, "Sign out?")
			case "refused":
				a.wantStatus(400, "cannot be followed")
			default:
				a.wantRedirect(c.leads)
				if got := p.app.answer(p.b.get(p.app.request("prompt=none"))).Get("error"); got != "login_required" {
					t.Errorf("after the sign-out prompt=none answers %q", got)
				}
			}
		})
	}
}

// TestBackChannelOP: the sign-out that an app asks for is told to every app of the session.
func TestBackChannelOP(t *testing.T) {
	t.Parallel()
	t.Run("oidcc-backchannel-logout-discovery-endpoint-verification", func(t *testing.T) {
		d := newPlanSite(t).discovery()
		if d["backchannel_logout_supported"] != true || d["backchannel_logout_session_supported"] != true {
			t.Errorf("%v", d)
		}
	})
	t.Run("oidcc-backchannel-rp-initiated-logout", func(t *testing.T) {
		p := newPlanSite(t)
		id := p.app.exchange(p.app.code(p.b)).ID
		p.b.get("/oauth/signout?" + url.Values{"id_token_hint": {id}}.Encode())
		due, err := p.store.DueLogouts(ctx, p.now)
		if err != nil || len(due) != 1 || due[0].Session != p.app.claims(id)["sid"] || due[0].Backchannel != "https://grafana.example.org/backchannel" {
			t.Fatalf("%+v, %v", due, err)
		}
		token, key, ok, err := p.store.ClaimLogout(ctx, due[0], p.now)
		if err != nil || !ok || token.Subject != p.app.claims(id)["sub"] || token.Client != p.app.id {
			t.Fatalf("%+v, %v, %v", token, ok, err)
		}
		token.Issuer = issuer
		signed, err := key.SignLogoutToken(token, p.now)
		if err != nil {
			t.Fatal(err)
		}
		if claims := p.app.claims(signed); claims["nonce"] != nil || claims["sid"] != due[0].Session || claims["events"] == nil || claims["jti"] == nil {
			t.Errorf("%v", claims)
		}
	})
}

// TestSecondStepAtAnApp: an app that needs the second step leads to set-up, and acr_values asks
// those for it who have one.
func TestSecondStepAtAnApp(t *testing.T) {
	t.Parallel()
	s := openIDSite(t)
	s.add("ada@example.org", twofactor.Member)
	app := s.connect("Vaultwarden", func(n *db.NewApp, _ *db.NewConnection) { n.Access.SecondStep = true })
	b := s.signedIn("ada@example.org")
	to := b.get(app.request()).header.Get("Location")
	if !strings.HasPrefix(to, "/my/profile/two-factor?next=") {
		t.Fatalf("led to %q", to)
	}
	secret := b.post("/my/profile/two-factor/enable").wantStatus(200).secret()
	b.post("/my/profile/two-factor/confirm", "code", s.code(secret)).wantStatus(200)
	id := app.claims(app.exchange(app.code(b)).ID)
	if id["acr"] != "aal2" || toText(t, id["amr"]) != `["pwd","otp","mfa"]` {
		t.Errorf("acr %v, amr %v", id["acr"], id["amr"])
	}
	// Taken away: the app's tokens end, and the next request leads to set-up again.
	if err := s.store.ResetTwoFactor(ctx, personID(t, s, "ada@example.org"), byMachine, s.now); err != nil {
		t.Fatal(err)
	}
	b = s.signedIn("ada@example.org")
	if to := b.get(app.request()).header.Get("Location"); !strings.HasPrefix(to, "/my/profile/two-factor?next=") {
		t.Errorf("led to %q", to)
	}
}

func personID(t *testing.T, s *site, email string) int64 {
	t.Helper()
	p, err := s.store.PersonByEmail(ctx, email)
	if err != nil {
		t.Fatal(err)
	}
	return p.ID
}

// TestStampsAreNotForged: nobody makes an old password pass by a field of the address, nor an
// agreement.
func TestStampsAreNotForged(t *testing.T) {
	t.Parallel()
	p := newPlanSite(t)
	p.advance(time.Hour / 2)
	old := p.now.Add(-time.Hour)
	for _, stamp := range []string{
		openid.JoinStamp(old, ""), openid.JoinStamp(old, "AAAAAAAAAAAAAAAAAAAAAA"), openid.JoinStamp(old, p.store.MAC("message", "x")),
	} {
		if to := p.b.get(p.app.request("prompt=login", "asked="+stamp)).header.Get("Location"); !strings.HasPrefix(to, "/signin/again") {
			t.Errorf("asked=%s leads to %q", stamp, to)
		}
		p.b.get(p.app.request("prompt=consent", "agreed="+stamp)).wantStatus(200, "Cancel")
	}
	// The stamp of one request is none of another's.
	to, err := url.Parse(p.b.get(p.app.request("prompt=login")).header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	asked, err := url.Parse(to.Query().Get("next"))
	if err != nil {
		t.Fatal(err)
	}
	p.advance(time.Second)
	p.b.post("/signin/again", "password", dbtest.Password, "next", "/my").wantRedirect("/my")
	other := p.app.request("prompt=login", "state=s2", "asked="+asked.Query().Get("asked"))
	if to := p.b.get(other).header.Get("Location"); !strings.HasPrefix(to, "/signin/again") {
		t.Errorf("the stamp of another request leads to %q", to)
	}
	p.app.answer(p.b.get(p.app.request("prompt=login", "asked="+asked.Query().Get("asked"))))
}

// FuzzAuthorizeOverHTTP: no request leads anywhere but to a page of the portal or to the
// registered address, and none is a fault.
func FuzzAuthorizeOverHTTP(f *testing.F) {
	f.Add("response_type=code&scope=openid&prompt=none", "post_logout_redirect_uri=https://evil.example")
	f.Add("redirect_uri=//evil.example", "id_token_hint=a.b.c&state=x")
	p := newPlanSite(f) // once: making one takes longer than a thousand requests
	f.Fuzz(func(t *testing.T, authorize, signOut string) {
		p.t, p.site.t = t, t
		base, _ := url.Parse(p.app.request())
		values := base.Query()
		given, _ := url.ParseQuery(authorize)
		for name, list := range given {
			values[name] = list
		}
		for _, address := range []string{"/oauth/authorize?" + values.Encode(), "/oauth/authorize?" + authorize, "/oauth/signout?" + signOut} {
			r := httptest.NewRequest("GET", "/", nil)
			u, err := url.Parse(address)
			if err != nil {
				return
			}
			r.URL = u
			a := p.b.send(r)
			to := a.header.Get("Location")
			if a.status >= 500 || to != "" && !strings.HasPrefix(to, p.app.redirect+"?") && !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
				t.Fatalf("%s: status %d, leads to %q", address, a.status, to)
			}
		}
		r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader(authorize))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(p.app.id, p.app.secret)
		if a := p.browser().send(r); a.status >= 500 || !json.Valid([]byte(a.body)) {
			t.Fatalf("token: status %d, %s", a.status, a.body)
		}
	})
}
