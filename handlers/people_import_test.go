package handlers_test

import (
	"testing"

	"gatehouse/roster"
	"gatehouse/twofactor"
)

// TestPeoplePageIsImported reads the table of the page People as the file of an import.
func TestPeoplePageIsImported(t *testing.T) {
	s := newSite(t)
	s.add("ada@example.org", twofactor.SuperAdmin)
	s.named("=1+1;-2", "mia@example.org", twofactor.Member)
	if err := s.store.SetActive(ctx, s.named("Bob", "bob@example.org", twofactor.Administrator), false, machine.Author(), s.now); err != nil {
		t.Fatal(err)
	}
	text := s.signedIn("ada@example.org").get("/admin/people.csv").body
	f := roster.Read(roster.Detect("-", text), text, roster.Options{Admins: true})
	if len(f.Faults) > 0 || len(f.People) != 3 {
		t.Fatalf("%+v", f)
	}
	for _, p := range f.People {
		stored, err := s.store.PersonByEmail(ctx, p.Email)
		if err != nil || stored.Name != p.Name || stored.Role != p.Role || stored.UserName != p.UserName || stored.Active == p.Inactive {
			t.Errorf("%+v is read as %+v, %v", stored, p, err)
		}
	}
}
