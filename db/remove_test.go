package db_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/db/dbtest/server"
	"gatehouse/twofactor"
)

// TestRemovePerson removes somebody who uses everything that an account has.
func TestRemovePerson(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	dbtest.Add(t, store, "root@example.org", twofactor.SuperAdmin)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.Administrator)
	held := enrol(t, store, "ada@example.org", start)
	open := challenged(t, store, "ada@example.org", start)
	if !db.IsRefusal(guessPassword(store, "ada@example.org", db.Client{}, start)) {
		t.Fatal("a wrong password")
	}
	by := signIn(t, store, "root@example.org", start).Author(db.Client{})
	if _, err := store.NewLink(ctx, ada, by, start); err != nil {
		t.Fatal(err)
	}
	if err := store.RemovePerson(ctx, ada, by, start); err != nil {
		t.Fatal(err)
	}

	if _, err := store.Visitor(ctx, held.token, start); !errors.Is(err, db.ErrSignedOut) {
		t.Errorf("their session: %v", err)
	}
	if _, err := store.Challenge(ctx, open, start); !errors.Is(err, twofactor.ErrChallengeOver) {
		t.Errorf("their challenge: %v", err)
	}
	if _, err := store.Person(ctx, ada); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("their page: %v", err)
	}
	for _, email := range []string{"ada@example.org", fmt.Sprintf("removed:%d", ada)} {
		if _, err := store.PersonByEmail(ctx, email); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("%s: %v", email, err)
		}
		for _, password := range []string{dbtest.Password, ""} {
			if p, err := store.SignIn(ctx, email, password, "", db.Client{}, start); !errors.Is(err,
				twofactor.ErrWrongPassword) {
				t.Errorf("signing in as %s: %+v, %v", email, p, err)
			}
		}
	}
	for _, search := range []string{"", "ada", "ada@example.org", "removed", "person"} {
		page, err := store.People(ctx, account.PeopleFilter{Search: search}, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.People {
			if p.ID == ada {
				t.Errorf("a search for %q finds %+v", search, p)
			}
		}
	}
	if err := store.EachPerson(ctx, func(p db.Person) error {
		if p.ID == ada {
			t.Errorf("the list has %+v", p)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for what, do := range map[string]func() error{
		"removing":      func() error { return store.RemovePerson(ctx, ada, by, start) },
		"reactivating":  func() error { return store.SetActive(ctx, ada, true, by, start) },
		"giving a role": func() error { return store.SetRole(ctx, ada, twofactor.SuperAdmin, by, start) },
		"a link":        func() error { _, err := store.NewLink(ctx, ada, by, start); return err },
	} {
		if err := do(); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", what, err)
		}
	}

	// The activity still points at them, and the address is somebody else's now.
	page, err := store.Activity(ctx, db.Filter{Person: ada})
	if err != nil || len(page.Rows) == 0 {
		t.Fatalf("%+v, %v", page, err)
	}
	removed := account.Party{Kind: account.ActorPerson, ID: ada}
	if newest := page.Rows[0]; newest.Event != account.PersonRemoved || newest.Subject != removed ||
		newest.Detail != "administrator" {
		t.Errorf("the newest row is %+v", newest)
	}
	for _, r := range page.Rows {
		if strings.Contains(fmt.Sprint(r), "ada@example.org") {
			t.Errorf("a row has the address: %+v", r)
		}
	}
	if again := dbtest.Add(t, store, "ada@example.org", twofactor.Member); again == ada {
		t.Error("the number was given again")
	}
	signIn(t, store, "ada@example.org", start)

	// Nothing of them is left in any table but the activity.
	path := filepath.Join(dir, db.FileName)
	for _, table := range []string{"session", "challenge", "known_browser", "enrollment", "link"} {
		if n := queryText(t, path, fmt.Sprintf(`SELECT count(*) FROM %s WHERE person_id = %d`, table, ada)); n != "0" {
			t.Errorf("%s rows in %s", n, table)
		}
	}
	if n := queryText(t, path, fmt.Sprintf(`SELECT count(*) FROM attempt WHERE subject = '%d' OR subject LIKE '%d %%'`,
		ada, ada)); n != "0" {
		t.Errorf("%s counts of attempts", n)
	}
	if row := queryText(t, path, fmt.Sprintf(`SELECT name || '|' || role || '|' || password_hash || '|' || CASE WHEN active = FALSE AND enrolled = FALSE THEN 'off' ELSE 'on' END FROM person WHERE id = %d`, ada)); row != "|member||off" {
		t.Errorf("the row keeps %q", row)
	}
	if _, err := store.Check(ctx); err != nil {
		t.Error(err)
	}
}

// TestRemovalRefusals keeps the last Super-administrator, and oneself.
func TestRemovalRefusals(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	ben := dbtest.Add(t, store, "ben@example.org", twofactor.Administrator)
	mia := dbtest.Add(t, store, "mia@example.org", twofactor.Member)
	author := func(email string) db.Author { return signIn(t, store, email, start).Author(db.Client{}) }
	for name, c := range map[string]struct {
		whom int64
		by   db.Author
		want error
	}{
		"the last Super-administrator, on the machine": {ada, db.Machine("root").Author(), account.ErrLastSuperAdmin},
		"oneself":               {ada, author("ada@example.org"), account.ErrOwnAccount},
		"an admin, by an admin": {ada, author("ben@example.org"), account.ErrNotAllowed},
		"an admin, by a member": {ben, author("mia@example.org"), account.ErrNotAllowed},
		"a member, by a member": {ben, author("mia@example.org"), account.ErrNotAllowed},
		"nobody":                {999, author("ada@example.org"), db.ErrNotFound},
		"by nobody":             {mia, db.Author{}, account.ErrNotAllowed},
	} {
		if err := store.RemovePerson(ctx, c.whom, c.by, start); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, id := range []int64{ada, ben, mia} {
		if p, err := store.Person(ctx, id); err != nil || !p.Active {
			t.Errorf("%+v, %v", p, err)
		}
	}
}

// TestRemovedInvitation takes a mistaken invitation back.
func TestRemovedInvitation(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Administrator)
	by := signIn(t, store, "ada@example.org", start).Author(db.Client{})
	id, token, err := store.Invite(ctx, db.NewPerson{
		Name:  "Typo",
		Email: "typo@exmaple.org",
		Role:  twofactor.Member,
	}, by, start)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.RemovePerson(ctx, id, by, start); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Link(ctx, token, start); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("the link: %v", err)
	}
	if _, err := store.UseLink(ctx, token, "Eve", dbtest.Password, db.Client{}, start); !errors.Is(err,
		db.ErrNotFound) {
		t.Errorf("taking it up: %v", err)
	}
}

// TestPruneActivity deletes what is older than a day, with its notices, in several
// turns, and leaves a row that says so.
func TestPruneActivity(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	path := filepath.Join(dir, db.FileName)
	s := &workspace{t: t, store: store}
	machine := db.Machine("root")
	mia := dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	day := start.AddDate(0, 0, 2).Truncate(24 * time.Hour)
	if err := store.Transaction(ctx, func(exec func(string, ...any) error) error {
		for i := range 4500 {
			at := day.Add(-time.Duration(i/3+1) * time.Second)
			if err := exec(`INSERT INTO activity (at, event, ok, actor_kind)
				VALUES ($1, 'authn_login_fail', FALSE, 'stranger')`, at.Unix()); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{start, day} {
		if err := store.Unlock(ctx, mia, machine.Author(), at); err != nil {
			t.Fatal(err)
		}
	}
	before := queryText(t, path, `SELECT count(*) FROM activity`)
	now := day.Add(time.Hour)

	if _, err := store.PruneActivity(ctx, now.Add(time.Second), machine, now); !errors.Is(err, db.ErrFuture) {
		t.Errorf("up to the future: %v", err)
	}
	visitor := signIn(t, store, "ada@example.org", now)
	for name, by := range map[string]db.Actor{"a person": visitor.Actor(db.Client{}), "nobody": {}} {
		if _, err := store.PruneActivity(ctx, day, by, now); err == nil {
			t.Errorf("%s prunes", name)
		}
	}
	if got := queryText(t, path, `SELECT count(*) - 1 FROM activity`); got != before { // the sign-in's row
		t.Fatalf("%s rows of %s after refusals", got, before)
	}

	n, err := store.PruneActivity(ctx, day, machine, now)
	if err != nil || n != 4502 { // the sign-ins, the first person and the first unlock
		t.Errorf("%d rows, %v", n, err)
	}
	if got := queryText(t, path, `SELECT string_agg(event, ',') FROM (SELECT event FROM activity ORDER BY id) AS ordered`); got !=
		"authn_login_unlock,authn_login_success,sys_activity_pruned" {
		t.Errorf("left: %s", got)
	}
	newest := s.rows()[0]
	if newest.Event != account.ActivityPruned || newest.Actor.Kind != account.ActorMachine ||
		newest.Detail != "before "+day.Format(time.DateOnly)+", 4502 rows" {
		t.Errorf("the row is %+v", newest)
	}
	if open := s.notices(0); len(open) != 2 || open[0].Event != account.ActivityPruned ||
		open[1].Event != account.PersonUnlocked {
		t.Errorf("notices: %+v", open)
	}
	for _, statement := range []string{`DELETE FROM activity`, `UPDATE activity SET ok = TRUE`} {
		if err := store.Transaction(ctx,
			func(exec func(string, ...any) error) error { return exec(statement) }); err == nil ||
			!strings.Contains(err.Error(), "append only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	fresh := t.TempDir()
	dbtest.OpenIn(t, fresh)
	if got, want := triggersOf(t, path), triggersOf(t, filepath.Join(fresh, db.FileName)); got != want {
		t.Errorf("the schema has become\n%s\nwant\n%s", got, want)
	}
	if n, err := store.PruneActivity(ctx, day, machine, now); err != nil || n != 0 {
		t.Errorf("once more: %d, %v", n, err)
	}
	if got := queryText(t, path, `SELECT count(*) FROM activity`); got != "3" {
		t.Errorf("%s rows after pruning nothing", got)
	}
}

// TestDismissNotices takes away what an admin was shown, and not what came meanwhile.
func TestDismissNotices(t *testing.T) {
	t.Parallel()
	s := newWorkspace(t)
	before := len(s.notices(0))
	machine := db.Machine("root").Author()
	for range 2 {
		s.must(s.store.Unlock(ctx, s.id["member"], machine, start))
	}
	shown := s.notices(0)
	s.must(resetFactor(s, machine, "member"))
	s.must(s.store.DismissNotices(ctx, shown[0].ID, s.author("admin"), start))
	if left := s.notices(0); len(left) != 1 || left[0].Event != account.FactorReset {
		t.Errorf("left: %+v", left)
	}
	if newest := s.rows()[0]; newest.Event != account.NoticeDismissed ||
		newest.Detail != fmt.Sprintf("all %d", before+2) {
		t.Errorf("the row is %+v", newest)
	}
	if err := s.store.DismissNotices(ctx, 1<<40, s.author("member"), start); !errors.Is(err, account.ErrNotAllowed) {
		t.Errorf("a member: %v", err)
	}
	if left := s.notices(0); len(left) != 1 {
		t.Errorf("after a member's try: %+v", left)
	}
}

// triggersOf is what a prune lifts and puts back: on PostgreSQL every trigger and whether it
// is on, and on SQLite the whole schema.
func triggersOf(t *testing.T, path string) string {
	t.Helper()
	if !server.IsUsed() {
		return schemaOf(t, path)
	}
	return queryText(t, path, `SELECT string_agg(tgname || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger
		WHERE tgrelid = 'activity'::regclass AND NOT tgisinternal`)
}
