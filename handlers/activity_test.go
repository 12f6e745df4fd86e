package handlers_test

import (
	"strings"
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
	t.Parallel()
	s := newSite(t)
	s.named("Ada", "ada@example.org", twofactor.SuperAdmin)
	s.named("Kim Lee", "kim@example.org", twofactor.Member)
	s.named("Kim Lee", "lee@example.org", twofactor.SuperAdmin)
	s.named("Noor", "noor@example.org", twofactor.Member)
	noor := s.named("Noor", "noor.2@example.org", twofactor.Member)
	reset, _, _ := s.enrolled("noor.2@example.org")
	reset.get("/my").wantStatus(200)
	s.advance(time.Minute)
	lee := s.signedIn("lee@example.org")
	lee.post(personPath(noor, "/two-factor/reset")).wantRedirect(personPath(noor, ""))

	lee.get("/admin/activity?event=authn_factor_reset").wantStatus(200, "Kim Lee", "lee@example.org", "noor.2@example.org").
		wantNot("kim@example.org", ">noor@example.org")
	lee.get("/admin/activity.csv?event=authn_factor_reset").
		wantStatus(200, "lee@example.org", "noor.2@example.org", "who_kind").wantNot("kim@example.org")
	lee.get("/admin/activity?person=kim@example.org").wantStatus(200).wantNot("authn_factor_reset</code>")
	lee.get("/admin/activity?person=lee@example.org").wantStatus(200, "<code translate=\"no\">authn_factor_reset</code>")

	s.advance(time.Minute)
	back := s.signedIn("noor.2@example.org")
	back.get("/my").wantStatus(200, "reset by", "Kim Lee (lee@example.org)").wantNot("kim@example.org")
	back.get("/my/profile").wantStatus(200, "Kim Lee (lee@example.org)")

	if err := s.store.Unlock(ctx, noor, machine.Author(), s.now); err != nil {
		t.Fatal(err)
	}
	lee.get("/my").wantStatus(200, "Failed attempts of", "Noor (noor.2@example.org)", "on the machine by").
		wantNot("Noor (noor@example.org)")
}

// TestNameIsNotTheMachine has a person who is called like the machine's user.
func TestNameIsNotTheMachine(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.named("Ada", "ada@example.org", twofactor.SuperAdmin)
	s.named("os:root", "eve@example.org", twofactor.Administrator)
	ben := s.add("ben@example.org", twofactor.Member)
	s.signedIn("eve@example.org").post(personPath(ben, "/unlock")).wantRedirect(personPath(ben, ""))
	ada := s.signedIn("ada@example.org")
	ada.get("/admin/activity?event=authn_login_unlock").wantStatus(200, "os:root", "eve@example.org").
		wantNot("root on the machine")
	for i, row := range ada.get("/admin/activity.csv?event=authn_login_unlock").tableCells() {
		if kind := row[len(row)-1]; i > 0 && kind != "person" {
			t.Errorf("the export says that it was a %s: %v", kind, row)
		}
	}
}

// TestDismissAll takes all notices away that the page shows, and none that came since.
func TestDismissAll(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.SuperAdmin)
	mia := s.add("mia@example.org", twofactor.Member)
	unlock := func() {
		if err := s.store.Unlock(ctx, mia, machine.Author(), s.now); err != nil {
			t.Fatal(err)
		}
	}
	ada := s.signedIn("ada@example.org")
	unlock()
	ada.get("/my").wantStatus(200, ">Dismiss<").wantNot("Dismiss all")
	for range 24 {
		unlock()
	}
	page := ada.get("/admin/people").wantStatus(200, "Dismiss all", "25 notices, the newest 20 of which are shown")
	_, after, _ := strings.Cut(page.body, `name="through" value="`)
	through, _, _ := strings.Cut(after, `"`)
	s.signedIn("mia@example.org").post("/admin/notices/dismiss", "through", through).wantStatus(403)
	ada.post("/admin/notices/dismiss").wantStatus(422)
	ada.post("/admin/notices/dismiss", "through", "all").wantStatus(422)
	unlock() // meanwhile
	ada.post("/admin/notices/dismiss", "through", through).wantRedirect("/my")
	if left := strings.Count(ada.get("/my").wantStatus(200).body, `aria-describedby="notice-`); left != 1 {
		t.Errorf("%d notices are left, want the one that came meanwhile", left)
	}
	ada.get("/admin/activity?event=sys_notice_dismissed").wantStatus(200, "Notice dismissed (all 25)")
	ada.get("/admin/notices/dismiss").wantRedirect("/my")
}

// TestRemovePerson asks first, and then removes an account for good.
func TestRemovePerson(t *testing.T) {
	t.Parallel()
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := newSite(t)
		s.add("ada@example.org", twofactor.Administrator)
		root := s.add("root@example.org", twofactor.SuperAdmin)
		mia := s.named("Mia", "mia@example.org", twofactor.Member)
		hers := s.signedIn("mia@example.org")
		ada := s.signedIn("ada@example.org")
		ada.htmx = htmx
		ada.get(personPath(mia, "")).wantStatus(200, "Remove the account").wantNot("This cannot be undone")
		for _, confirmed := range []string{"", "no", "yes please"} {
			ada.post(personPath(mia, "/remove"), "confirmed", confirmed).
				wantStatus(200, "Remove this account? This cannot be undone.", `name="confirmed" value="yes"`)
		}
		hers.get("/my").wantStatus(200)
		ada.post(personPath(root, "/remove"), "confirmed", "yes").wantStatus(403)
		ada.post(personPath(1, "/remove"), "confirmed", "yes").wantStatus(422, "This is your own account.")

		ada.post(personPath(mia, "/remove"), "confirmed", "yes").wantRedirect("/admin/people")
		ada.htmx = false
		ada.get("/admin/people").wantStatus(200, "The account is removed.").wantNot("mia@example.org")
		ada.get("/admin/people").wantStatus(200).wantNot("The account is removed.")
		ada.get(personPath(mia, "")).wantStatus(404)
		ada.post(personPath(mia, "/remove"), "confirmed", "yes").wantStatus(404)
		hers.get("/my").wantRedirect("/signin")
		s.browser().post("/signin", "email", "mia@example.org", "password", dbtest.Password).wantStatus(422)
		ada.get("/admin/activity").wantStatus(200, "Account removed (Member)", "Removed account #3").
			wantNot("mia@example.org", "Mia")
		ada.get("/admin/activity?person=%233").wantStatus(200, "Account removed (Member)", "Account added")
		ada.get("/admin/activity.csv?person=%233").wantStatus(200, "user_deleted", `"#3","","","member"`).wantNot("Mia")
		ada.get("/admin/activity?person=%23many").wantStatus(422, "Nobody has this e-mail address")

		again := ada.post("/admin/people/invite", "name", "Mia Again", "email", "mia@example.org", "role", "member").
			wantStatus(200, "Invitation link")
		s.browser().get(again.link()).wantStatus(200, "You have been invited")
		ada.get(personPath(4, "")).wantStatus(200, "Withdraw the invitation")
		ada.post(personPath(4, "/remove"), "confirmed", "yes").wantRedirect("/admin/people")
		s.browser().get(again.link()).wantStatus(404)
	})
}
