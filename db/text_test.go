package db_test

import (
	"errors"
	"testing"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestTextThatNoDatabaseHolds sends NUL and broken UTF-8 in whatever strangers and people
// may send: the answer is the same on both engines, and no fault. What is looked for as it
// stands in a form or an address (a handle, an event) is cleaned by handlers.
func TestTextThatNoDatabaseHolds(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	signIn(t, store, "ada@example.org", start)
	for _, bad := range []string{"a\x00b", "a\xffb", "\xc3", "a\x00b@example.org", "ada\xff@example.org", "\xed\xa0\x80@example.org"} {
		client := db.Client{Address: "192.0.2.1", Browser: "Browser " + bad}
		if _, err := store.SignIn(ctx, bad, bad, bad, client, start); !db.IsRefusal(err) {
			t.Errorf("%q as a name: %v", bad, err)
		}
		p, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "/my?"+bad, client, start)
		if err != nil || p.Session == "" {
			t.Errorf("%q as a browser's name: %v", bad, err)
		}
		for what, ask := range map[string]func() error{
			"a search": func() error { _, err := store.People(ctx, account.PeopleFilter{Search: bad}, ""); return err },
			"a page":   func() error { _, err := store.People(ctx, account.PeopleFilter{}, "1 "+bad); return err },
			"a page of two": func() error {
				_, err := store.People(ctx, account.PeopleFilter{Search: "zz"}, "1 "+bad+"/"+bad)
				return err
			},
			"not enrolled":   func() error { _, err := store.NotEnrolled(ctx, "1 "+bad); return err },
			"a page of rows": func() error { _, err := store.Activity(ctx, db.Filter{After: bad}); return err },
		} {
			if err := ask(); err != nil {
				t.Errorf("%q as %s: %v", bad, what, err)
			}
		}
		if _, err := store.PersonByEmail(ctx, bad); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("%q as somebody's address: %v", bad, err)
		}
		if err := store.RenameWorkspace(ctx, account.Seen{}, "x"+bad, db.Machine("t").Author(), start); err != nil &&
			!db.IsRefusal(err) {
			t.Errorf("%q as the workspace's name: %v", bad, err)
		}
	}
}
