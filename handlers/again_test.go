package handlers_test

import (
	"strings"
	"testing"
	"time"

	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestWhatMattersAsksAgain does each act that asks for a fresh proof sixteen minutes after
// the sign-in: nothing happens before the password is given, and what was typed is kept.
func TestWhatMattersAsksAgain(t *testing.T) {
	t.Parallel()
	acts := map[string]struct {
		path   string
		fields []string
		kept   string
	}{
		"inviting":          {"/admin/people/invite", []string{"name", "Bob", "email", "bob@example.org", "role", "member"}, `value="bob@example.org"`},
		"a one-time link":   {"/admin/people/2/link", nil, ""},
		"resetting":         {"/admin/people/2/two-factor/reset", []string{"confirmed", "yes"}, `value="yes"`},
		"removing":          {"/admin/people/2/remove", []string{"confirmed", "yes"}, `value="yes"`},
		"making an admin":   {"/admin/people/2/edit", []string{"name", "Mia", "email", "mia@example.org", "role", "administrator"}, `value="administrator"`},
		"changing an admin": {"/admin/people/3/deactivate", []string{"confirmed", "yes"}, `value="yes"`},
		"the policy":        {"/admin/settings/security", []string{"everyone", "on"}, `value="on"`},
		"longer sessions":   {"/admin/settings/sessions", []string{"session_idle", "480", "session_max", "1440"}, `value="480"`},
		"adding an app":     {"/admin/apps/add", []string{"name", "Wiki", "address", "https://wiki.example.org"}, `value="https://wiki.example.org"`},
		"ending all others": {"/my/profile/sessions/end", []string{"others", "all"}, `value="all"`},
	}
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
				s := newSite(t)
				s.add("ada@example.org", twofactor.SuperAdmin)
				s.add("mia@example.org", twofactor.Member)
				s.add("otto@example.org", twofactor.Administrator)
				b := s.signedIn("ada@example.org")
				b.htmx = htmx
				s.advance(16 * time.Minute)
				asked := b.post(act.path, act.fields...).
					wantStatus(200, "Confirm it's you", `action="`+act.path+`"`, act.kept)
				if htmx != (asked.header.Get("HX-Retarget") == "#content") {
					t.Error("the panel is put where it does not belong")
				}
				b.post(act.path, append(act.fields, "password", "something else")...).
					wantStatus(422, "Password did not match.", act.kept).wantNot("something else")
				done := b.post(act.path, append(act.fields, "password", dbtest.Password)...)
				if done.asksAgain() {
					t.Errorf("%s asks again for what was given", act.path)
				}
				if b.post(act.path, act.fields...).asksAgain() {
					t.Errorf("%s asks again within 15 minutes", act.path)
				}
			})
		})
	}
}

// TestOrdinaryChangesAskNothing holds that a change of a member's name needs no proof.
func TestOrdinaryChangesAskNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.SuperAdmin)
	s.add("mia@example.org", twofactor.Member)
	b := s.signedIn("ada@example.org")
	s.advance(16 * time.Minute)
	b.post("/admin/people/2/edit", "name", "Mia M", "email", "mia@example.org", "role", "member").
		wantNot("Confirm it's you")
	b.get("/admin/apps/new").wantRedirect("/signin/again?next=%2Fadmin%2Fapps%2Fnew")
}

// TestSigningInAgain walks the page that asks for a proof by itself.
func TestSigningInAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.SuperAdmin)
	b := s.signedIn("ada@example.org")
	s.advance(16 * time.Minute)
	b.get("/signin/again?next=/admin/apps/new").wantStatus(200, "Confirm it's you", `name="next" value="/admin/apps/new"`)
	b.post("/signin/again", "next", "/admin/apps/new").wantStatus(200, "Confirm it's you")
	b.post("/signin/again", "next", "/admin/apps/new", "password", "something else").
		wantStatus(422, "Password did not match.", "/admin/apps/new")
	b.get("/admin/apps/new").wantRedirect("/signin/again?next=%2Fadmin%2Fapps%2Fnew")
	b.post("/signin/again", "next", "https://evil.example", "password", dbtest.Password).wantRedirect("/my")
	b.get("/admin/apps/new").wantStatus(200)
	b.post("/signin/again", "next", "/enter/wiki", "password", dbtest.Password).wantStatus(200, `http-equiv="refresh"`)
	// Nobody guesses faster here than at the sign-in.
	s.advance(16 * time.Minute)
	for range 30 {
		b.post("/signin/again", "password", "a guess")
	}
	b.post("/signin/again", "password", dbtest.Password).wantStatus(429)
}

// asksAgain reports whether an answer is the panel.
func (a answer) asksAgain() bool { return strings.Contains(a.text(), "Confirm it's you") }
