package handlers_test

import (
	"testing"

	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestFormsLeadNowhereElse: where a sign-in goes on to another host, the form is answered
// with a page that goes there, since browsers let no form be redirected there.
func TestFormsLeadNowhereElse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	for _, next := range []string{"/enter/grafana?to=%2Fd&state=x", "/oauth/authorize?client_id=a&scope=openid"} {
		b := s.browser()
		b.post("/signin", "email", "ada@example.org", "password", dbtest.Password, "next", next).
			wantStatus(200, `<meta http-equiv="refresh" content="0; url=`+next+`">`, `href="`+next+`"`)
		h := s.browser()
		h.htmx = true
		if got := h.post("/signin", "email", "ada@example.org", "password", dbtest.Password, "next", next).header.Get("HX-Redirect"); got != next {
			t.Errorf("htmx is led to %q; want %q", got, next)
		}
	}
	s.browser().post("/signin", "email", "ada@example.org", "password", dbtest.Password, "next", "/my/profile").wantRedirect("/my/profile")
}
