package handlers_test

import (
	"fmt"
	"testing"

	"gatehouse/db"
	"gatehouse/twofactor"
)

// TestRefusedLinkLeadsBackToItself posts made-up links until the address has to wait:
// the page leads back to the link, which may be right, and a link that exists works all
// the while.
func TestRefusedLinkLeadsBackToItself(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	setup, err := s.store.NewSetupToken(ctx, s.now)
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	for i := range 20 {
		b.post(fmt.Sprintf("/setup/made-up-%d", i), "workspace", "Acme").wantStatus(404)
	}
	for _, path := range []string{"/setup/made-up", "/welcome/made-up"} {
		refused := b.post(path, "password", "lantern sofa marble").
			wantStatus(429, "Too many tries.", "Back to the link", `href="`+path+`"`)
		if refused.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	b.post("/setup/"+setup, "workspace", "Acme", "name", "Root", "email", "root@example.org", "password",
		"lantern sofa marble").wantRedirect("/my")
	_, token, err := s.store.Invite(ctx, db.NewPerson{
		Name:  "Neo",
		Email: "neo@example.org",
		Role:  twofactor.Member,
	}, machine.Author(), s.now)
	if err != nil {
		t.Fatal(err)
	}
	other := s.browser()
	other.post("/welcome/"+token, "name", "Neo", "password", "lantern sofa marble").wantRedirect("/signin")
	other.post("/signin", "email", "neo@example.org", "password", "lantern sofa marble").wantStatus(429)
}
