package db_test

import (
	"slices"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/doctor"
	"gatehouse/twofactor"
)

// TestDoctorFacts reads what is known of a workspace before and after somebody looked after it.
func TestDoctorFacts(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	read := func() doctor.Facts {
		t.Helper()
		f, err := store.DoctorFacts(ctx, start.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if f := read(); f.People || f.SuperAdmins != 0 || !f.BackedUpAt.IsZero() || f.MadeAt.IsZero() {
		t.Errorf("of an empty workspace: %+v", f)
	}
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	dbtest.Add(t, store, "bob@example.org", twofactor.Administrator)
	dbtest.Add(t, store, "eve@example.org", twofactor.Member)
	if f := read(); !f.People || f.SuperAdmins != 1 || f.PlainAdmins != 2 || f.WithoutCodes != 0 {
		t.Errorf("without second steps: %+v", f)
	}
	enrol(t, store, "ada@example.org", start)
	if f := read(); f.SuperAdmins != 1 || f.PlainAdmins != 1 || f.WithoutCodes != 0 {
		t.Errorf("with one: %+v", f)
	}
	if err := store.SetActive(ctx, ada, false, db.Machine("root").Author(), start); err == nil {
		t.Error("the last Super-administrator was deactivated")
	}
	guarded := db.NewApp{
		AppFacts: db.AppFacts{Name: "Wiki", Address: "https://wiki.example.org"},
		Access:   db.AppAccess{Everyone: true},
		Guarded:  true,
	}
	id, err := store.AddApp(ctx, guarded, db.Machine("root").Author(), start)
	if err != nil {
		t.Fatal(err)
	}
	if f := read(); f.UnaskedCount != 1 || !slices.Equal(f.UnaskedApps, []string{"Wiki"}) {
		t.Errorf("with an app that no proxy asks about: %+v", f)
	}
	v := enrol(t, store, "eve@example.org", start).visitor
	cookie, sent := db.NewState()
	ticket, err := store.NewTicket(ctx, v, id, sent, "/", db.Client{}, start)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.EnterApp(ctx, "wiki.example.org", ticket, cookie, start); err != nil {
		t.Fatal(err)
	}
	if f := read(); f.UnaskedCount != 0 || len(f.UnaskedApps) != 0 {
		t.Errorf("after somebody came through its proxy: %+v", f)
	}
}

// TestBaseURLIsNoted notes the address of each start, and keeps the one before.
func TestBaseURLIsNoted(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	for i, step := range []struct{ base, former string }{
		{"", ""},
		{"https://old.example.org", ""},
		{"https://old.example.org", ""},
		{"", "https://old.example.org"}, // tried out without one
		{"https://old.example.org", "https://old.example.org"},
		{"https://new.example.org", "https://old.example.org"},
	} {
		at := start.Add(time.Duration(i) * time.Minute)
		if err := store.SetBaseURL(ctx, step.base, at); err != nil {
			t.Fatal(err)
		}
		f, err := store.DoctorFacts(ctx, at)
		if err != nil || f.BaseURL != step.base || f.Former != step.former {
			t.Errorf("%d: got %q before %q, %v; want %+v", i, f.BaseURL, f.Former, err, step)
		}
	}
	if err := store.NoteBackup(ctx, start); err != nil {
		t.Fatal(err)
	}
	f, err := store.DoctorFacts(ctx, start)
	if err != nil || !f.BackedUpAt.Equal(start.Truncate(time.Second)) || !f.BaseURLAt.Equal(start.Add(5*time.Minute).Truncate(time.Second)) {
		t.Errorf("got %+v, %v", f, err)
	}
}

// TestDoctorSeesTheLastOneClosed has the only Super-administrator say "This wasn't me": nobody can put
// things right any more but on the machine.
func TestDoctorSeesTheLastOneClosed(t *testing.T) {
	t.Parallel()
	s := steal(t, twofactor.SuperAdmin)
	for _, want := range []int{1, 0} {
		f, err := s.store.DoctorFacts(ctx, s.now)
		if err != nil || f.SuperAdmins != want {
			t.Errorf("%d Super-administrators can sign in, %v; want %d", f.SuperAdmins, err, want)
		}
		if want == 1 {
			s.close(t, s.mail.Token, s.now)
		}
	}
}
