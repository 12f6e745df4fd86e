package db_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"gatehouse/db"
	"gatehouse/db/dbtest"
)

// TestUpgradeGivesUserNames brings a workspace of schema 3 up to date: everybody gets a user
// name and a sub, but for whoever was removed.
func TestUpgradeGivesUserNames(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	dir, _ := unpack(t, 3)
	path := filepath.Join(dir, db.FileName)
	for _, p := range [][3]string{
		{"Ben of the sister company", "ben@example.com", "NULL"}, {"Root", "root@example.org", "NULL"},
		{"Taro", "山田@example.org", "NULL"}, {"", "removed:9", "1900000000"},
	} {
		execRaw(t, path, fmt.Sprintf(`INSERT INTO person (email, name, sort_key, role, active, made_at, removed_at)
			VALUES ('%s', '%s', '', 'member', 0, 1900000000, %s)`, p[1], p[0], p[2]))
	}
	store, err := db.Open(ctx, options(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	subs := map[string]bool{}
	for email, want := range map[string]string{"ada@example.org": "ada", "ben@example.org": "ben", "ben@example.com": "ben-2",
		"root@example.org": "root-2", "山田@example.org": "user-??????"} {
		p, err := store.PersonByEmail(ctx, email)
		if err != nil {
			t.Fatal(email, err)
		}
		if ok, err := filepath.Match(want, p.UserName); !ok || err != nil {
			t.Errorf("%s is called %q, want %q", email, p.UserName, want)
		}
		if len(p.Sub) < 20 || subs[p.Sub] {
			t.Errorf("%s has the sub %q", email, p.Sub)
		}
		subs[p.Sub] = true
	}
	if n := queryText(t, path, `SELECT count(*) FROM person WHERE user_name = '' AND sub = ''`); n != "1" {
		t.Errorf("%s people have no user name, want the one who was removed", n)
	}
}
