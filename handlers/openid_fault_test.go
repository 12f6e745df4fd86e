package handlers_test

import (
	"net/http/httptest"
	"testing"
)

// TestNothingIsHandedOutInAFault: while the store does not answer, apps are told to try again, and nobody is sent to one.
func TestNothingIsHandedOutInAFault(t *testing.T) {
	t.Parallel()
	p := newPlanSite(t)
	code, spare := p.app.code(p.b), p.app.exchange(p.app.code(p.b, "scope=openid offline_access"))
	if err := p.store.Close(); err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string][]string{
		"a code":          {"grant_type", "authorization_code", "code", code, "redirect_uri", p.app.redirect, "code_verifier", pkceVerifier},
		"a refresh token": {"grant_type", "refresh_token", "refresh_token", spare.Refresh},
	} {
		if a := p.app.call("/oauth/token", form...).wantRefusal(503, "temporarily_unavailable"); a.header.Get("Retry-After") == "" {
			t.Errorf("%s: not told when to try again", name)
		}
	}
	p.app.call("/oauth/revoke", "token", spare.Access).wantRefusal(503, "temporarily_unavailable")
	r := httptest.NewRequest("GET", "/oauth/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+spare.Access)
	p.browser().send(r).wantRefusal(503, "temporarily_unavailable")
	p.browser().get("/oauth/keys").wantRefusal(503, "temporarily_unavailable")
	for _, path := range []string{p.app.request(), p.app.request("prompt=none"), p.app.request("scope=email"), "/oauth/signout?id_token_hint=" + spare.ID} {
		if a := p.b.get(path); a.status != 503 || a.header.Get("Location") != "" {
			t.Errorf("%.40s: status %d, leads to %q", path, a.status, a.header.Get("Location"))
		}
	}
}
