package handlers_test

import (
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestOverview shows administrators how many have enrolled, what sign-ins and apps came to, and
// what somebody has to do something about.
func TestOverview(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("eve@example.org", twofactor.SuperAdmin)
	s.add("ada@example.org", twofactor.Member)
	s.addApp("Wiki", "https://wiki.example.org", db.AppAccess{Everyone: true})
	s.browser().post("/signin", "email", "ada@example.org", "password", "something else").wantStatus(422)
	ada, _, _ := s.enrolled("ada@example.org")
	ada.get("/admin").wantStatus(403)
	eve := s.signedIn("eve@example.org")
	eve.get("/admin").wantStatus(200, "50 %", "1 of 2 people have enrolled", "1 person has not enrolled", "2</span> signed in",
		"1 try was refused", "Apps opened in 30 days", "1 admin has no second step", `aria-current="page"`).
		wantNot("The figures of these 90 days") // there is no day before

	if err := s.store.Sweep(ctx, s.now); err != nil {
		t.Fatal(err)
	}
	s.advance(24 * time.Hour)
	dbtest.Add(t, s.store, "mia@example.org", twofactor.Member)
	a := s.signedIn("eve@example.org").get("/admin")
	a.wantStatus(200, "1 of 3 people have enrolled", "2 people have not enrolled", "The figures of these 90 days",
		`17 Mar: 2 signed in, 1 refused`, `18 Mar: 1 signed in, 0 refused`,
		`<th scope="row">18 Mar</th><td>3</td><td>1</td>`, `<th scope="row">17 Mar</th><td>2</td><td>1</td>`)
}

// TestOverviewOfNobody begins with a workspace of one person.
func TestOverviewOfNobody(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("eve@example.org", twofactor.SuperAdmin)
	s.signedIn("eve@example.org").get("/admin").
		wantStatus(200, "0 of 1 person has enrolled", "1</span> signed in").wantNot("Apps opened")
}
