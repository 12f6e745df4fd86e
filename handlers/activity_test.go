package handlers_test

import (
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// named adds somebody with a name.
func (s *site) named(name, email string, role twofactor.Role) int64 {
	s.t.Helper()
	n := db.NewPerson{Name: name, Email: email, Password: dbtest.Password, Role: role}
	id, err := s.store.AddPerson(ctx, n, machine, s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// TestTwoPeopleOfOneName looks everywhere that an act is told for which of two people
// it was, and about which of two.
func TestTwoPeopleOfOneName(t *testing.T) {
	s := newSite(t)
	s.named("Ada", "ada@example.org", twofactor.SuperAdmin)
	s.named("Kim Lee", "kim@example.org", twofactor.Member)
	s.named("Kim Lee", "lee@example.org", twofactor.SuperAdmin)
	s.named("Noor", "noor@example.org", twofactor.Member)
	noor := s.named("Noor", "noor.2@example.org", twofactor.Member)
	reset, _, _ := s.enrolled("noor.2@example.org")
	reset.get("/my").is(200)
	s.pass(time.Minute)
	lee := s.signedIn("lee@example.org")
	lee.post(path(noor, "/two-factor/reset")).to(path(noor, ""))

	lee.get("/admin/activity?event=authn_factor_reset").is(200, "Kim Lee", "lee@example.org", "noor.2@example.org").lacks("kim@example.org", ">noor@example.org")
	lee.get("/admin/activity.csv?event=authn_factor_reset").is(200, "lee@example.org", "noor.2@example.org", "who_kind").lacks("kim@example.org")
	lee.get("/admin/activity?person=kim@example.org").is(200).lacks("authn_factor_reset</code>")
	lee.get("/admin/activity?person=lee@example.org").is(200, "<code translate=\"no\">authn_factor_reset</code>")

	s.pass(time.Minute)
	back := s.signedIn("noor.2@example.org")
	back.get("/my").is(200, "reset by", "Kim Lee (lee@example.org)").lacks("kim@example.org")
	back.get("/my/profile").is(200, "Kim Lee (lee@example.org)")

	if err := s.store.Unlock(ctx, noor, machine.Author(), s.now); err != nil {
		t.Fatal(err)
	}
	lee.get("/my").is(200, "Failed attempts of", "Noor (noor.2@example.org)", "on the machine by").lacks("Noor (noor@example.org)")
}

// TestANameIsNotTheMachine has a person who is called like the machine's user.
func TestANameIsNotTheMachine(t *testing.T) {
	s := newSite(t)
	s.named("Ada", "ada@example.org", twofactor.SuperAdmin)
	s.named("os:root", "eve@example.org", twofactor.Administrator)
	ben := s.add("ben@example.org", twofactor.Member)
	s.signedIn("eve@example.org").post(path(ben, "/unlock")).to(path(ben, ""))
	ada := s.signedIn("ada@example.org")
	ada.get("/admin/activity?event=authn_login_unlock").is(200, "os:root", "eve@example.org").lacks("root on the machine")
	for i, row := range ada.get("/admin/activity.csv?event=authn_login_unlock").table() {
		if kind := row[len(row)-1]; i > 0 && kind != "person" {
			t.Errorf("the export says that it was a %s: %v", kind, row)
		}
	}
}
