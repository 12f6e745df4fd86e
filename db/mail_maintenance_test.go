package db_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestRestoreGivesMailsUp ends the links of mails, and the mails that wait, of an old copy; admins hear
// of the restore by a mail of its own.
func TestRestoreGivesMailsUp(t *testing.T) {
	t.Parallel()
	dbtest.OnlySQLite(t)
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	if err := store.SetMailFrom(ctx, "portal@example.org", start); err != nil {
		t.Fatal(err)
	}
	dbtest.Add(t, store, "root@example.org", twofactor.SuperAdmin)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	if err := store.SetPassword(ctx, ada, dbtest.Password+"!", db.Machine("root").Author(), start); err != nil {
		t.Fatal(err)
	}
	if err := store.ForgotPassword(ctx, "ada@example.org", firefox, start); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	if err := store.Backup(ctx, backup); err != nil {
		t.Fatal(err)
	}
	var forgot, notMe string
	for _, m := range drain(t, store, start) {
		switch m.Kind {
		case account.MailForgot:
			forgot = m.Token
		case account.MailEvent:
			notMe = m.Token
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	dir = withKeyOf(t, dir) // on a server into a database that holds nothing
	if _, err := db.Restore(ctx, options(t, dir), backup, db.Machine("root")); err != nil {
		t.Fatal(err)
	}
	restored, err := db.Open(ctx, options(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = restored.Close() })
	if _, err := restored.Link(ctx, forgot, start); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("the link of a mail works: %v", err)
	}
	if _, err := restored.NotMe(ctx, notMe, start); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("“This wasn't me” works: %v", err)
	}
	if m := oneMail(t, restored, account.MailAdmins, "root@example.org", start); m.Activity.Event != account.WorkspaceRestored {
		t.Errorf("it tells of %s", m.Activity.Event)
	}
	rows, err := restored.Outbox(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows[1:] {
		if r.State != "given-up" || r.Answer != "restored" {
			t.Errorf("%+v", r)
		}
	}
}

// TestRemovedPeopleLeaveNoMails removes somebody to whom mails wait: neither they nor their address
// stay.
func TestRemovedPeopleLeaveNoMails(t *testing.T) {
	t.Parallel()
	store := withMail(t)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	machine := db.Machine("root").Author()
	if err := store.SetPassword(ctx, ada, dbtest.Password+"!", machine, start); err != nil {
		t.Fatal(err)
	}
	if _, err := store.MailLink(ctx, ada, machine, start); err != nil {
		t.Fatal(err)
	}
	if err := store.RemovePerson(ctx, ada, machine, start); err != nil {
		t.Fatal(err)
	}
	if rows, err := store.Outbox(ctx); err != nil || len(rows) != 0 {
		t.Errorf("%+v, %v", rows, err)
	}
	requireNoSecrets(t, store)
}

// TestPruningTakesMailsAlong deletes the activity that mails tell of.
func TestPruningTakesMailsAlong(t *testing.T) {
	t.Parallel()
	store := withMail(t)
	dbtest.Add(t, store, "root@example.org", twofactor.SuperAdmin)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	if err := store.SetPassword(ctx, ada, dbtest.Password+"!", db.Machine("root").Author(), start); err != nil {
		t.Fatal(err)
	}
	drain(t, store, start)
	later := start.Add(365 * 24 * time.Hour)
	if n, err := store.PruneActivity(ctx, later.Add(-time.Hour), db.Machine("root"), later); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	if rows, err := store.Outbox(ctx); err != nil || len(rows) != 1 || rows[0].Event != account.ActivityPruned {
		t.Errorf("%+v, %v; want the mail about the pruning alone", rows, err)
	}
}

// TestSweepForgetsOldMails keeps those that are done for 30 days, and links in mails until they expire.
func TestSweepForgetsOldMails(t *testing.T) {
	t.Parallel()
	store := withMail(t)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	if err := store.SetPassword(ctx, ada, dbtest.Password+"!", db.Machine("root").Author(), start); err != nil {
		t.Fatal(err)
	}
	m := oneMail(t, store, account.MailEvent, "ada@example.org", start)
	for _, c := range []struct{ days, left int }{{29, 1}, {30, 0}} {
		if err := store.Sweep(ctx, start.Add(time.Duration(c.days)*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if rows, err := store.Outbox(ctx); err != nil || len(rows) != c.left {
			t.Errorf("after %d days: %d mails, %v; want %d", c.days, len(rows), err, c.left)
		}
	}
	if _, err := store.NotMe(ctx, m.Token, start); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("a link that has expired is still there: %v", err)
	}
}

// TestTwoStoresOnOneOutbox has two processes take from one database: each mail is one's.
func TestTwoStoresOnOneOutbox(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	if err := store.SetMailFrom(ctx, "portal@example.org", start); err != nil {
		t.Fatal(err)
	}
	for _, email := range []string{"a@example.org", "b@example.org", "c@example.org", "d@example.org"} {
		if _, err := store.MailLink(ctx, dbtest.Add(t, store, email, twofactor.Member), db.Machine("root").Author(), start); err != nil {
			t.Fatal(err)
		}
	}
	other := dbtest.OpenIn(t, dir)
	seen := map[string]bool{}
	for i := range 4 {
		from := []*db.Store{store, other}[i%2]
		m, err := from.ClaimMail(ctx, start)
		if err != nil || seen[m.Email] {
			t.Fatalf("%s a second time, %v", m.Email, err)
		}
		seen[m.Email] = true
	}
	for _, from := range []*db.Store{store, other} {
		if m, err := from.ClaimMail(ctx, start); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("%s, %v; want none", m.Email, err)
		}
	}
}
