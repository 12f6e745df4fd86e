package db_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/db/dbtest/server"
)

// TestRefusedDatabases opens what cannot keep this workspace: each is refused with a
// sentence, holds afterwards what it held before, and no password is told.
func TestRefusedDatabases(t *testing.T) {
	t.Parallel()
	dbtest.OnlyPostgres(t)
	filled := func(statements ...string) func(t *testing.T, o *db.Options) {
		return func(t *testing.T, o *db.Options) {
			execRaw(t, filepath.Join(o.Dir, db.FileName), strings.Join(statements, ";"))
		}
	}
	empty := func(options string, statements ...string) func(t *testing.T, o *db.Options) {
		return func(t *testing.T, o *db.Options) {
			o.Database = server.Empty(t, options)
			on, err := sql.Open("pgx", o.Database)
			if err != nil {
				t.Fatal(err)
			}
			defer on.Close()
			for _, statement := range statements {
				if _, err := on.Exec(statement); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	address := func(url string) func(t *testing.T, o *db.Options) {
		return func(_ *testing.T, o *db.Options) { o.Database = url }
	}
	for name, c := range map[string]struct {
		change func(t *testing.T, o *db.Options)
		says   string
	}{
		"an address of another kind":   {address("mysql://ada:s3cret@127.0.0.1/x"), "must begin with postgres://"},
		"an address that has no end":   {address("postgres://ada:s3cret@127.0.0.1:99999/x"), "cannot be read"},
		"a password with a bad escape": {address("postgres://ada:s3cret%zz@127.0.0.1/x"), "cannot be read"},
		"a server that is not there":   {address("postgres://ada:s3cret@127.0.0.1:1/x?sslmode=disable"), "does not answer"},
		"no database of this name": {func(_ *testing.T, o *db.Options) {
			o.Database = strings.Replace(o.Database, "/test_", "/nothing_", 1)
		}, "no such database"},
		"no role of this name": {func(_ *testing.T, o *db.Options) {
			o.Database = strings.Replace(o.Database, "postgres@", "mallory:s3cret@", 1)
		}, "does not let this role in"},
		"another machine without TLS":          {address("postgres://ada:s3cret@192.0.2.1/x?sslmode=disable"), "is not proved"},
		"another machine, unproved":            {address("postgres://ada:s3cret@192.0.2.1/x?sslmode=require"), "is not proved"},
		"another machine, whatever its name":   {address("postgres://ada:s3cret@192.0.2.1/x?sslmode=verify-ca"), "is not proved"},
		"a second host without TLS":            {address("postgres://ada:s3cret@127.0.0.1,192.0.2.1/x?sslmode=prefer"), "is not proved"},
		"another encoding":                     {empty(`ENCODING 'LATIN1' TEMPLATE template0`), "encoding is LATIN1"},
		"fsync off":                            {func(_ *testing.T, o *db.Options) { o.VolatileDatabase = false }, "fsync off"},
		"tables of somebody else":              {empty(``, `CREATE TABLE person (id int)`), "tables that are not Gatehouse's"},
		"a table of somebody else's types":     {empty(``, `CREATE TABLE place (at point)`), "tables that are not Gatehouse's"},
		"another's table that is alike":        {empty(``, `CREATE TABLE workspace (id bigint PRIMARY KEY, name text)`), "tables that are not Gatehouse's"},
		"an older schema":                      {filled(`UPDATE workspace SET schema = 9`), "gatehouse migrate"},
		"a newer schema":                       {filled(`UPDATE workspace SET schema = 9999, oldest = 9999`), "newer Gatehouse"},
		"a role that may only read":            {func(_ *testing.T, o *db.Options) { o.Database += "&options=-c%20default_transaction_read_only%3Don" }, "takes no writes"},
		"no key for an empty database":         {func(t *testing.T, o *db.Options) { empty(``)(t, o); o.NewWorkspace = false; mustRemove(t, o) }, "there is no key file"},
		"another key":                          {writeKey(strings.Repeat("k", 32)), "does not belong"},
		"no key for a workspace that is there": {mustRemove, "is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			o := dbtest.Options(t, t.TempDir())
			o.Upgrade = false
			c.change(t, &o)
			before := contentOf(o.Database)
			store, err := db.Open(ctx, o)
			if err == nil {
				_ = store.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v; want %q, and no password", err, c.says)
			}
			if after := contentOf(o.Database); after != before {
				t.Errorf("it has become\n%s\nof\n%s", after, before)
			}
		})
	}
}

func mustRemove(t *testing.T, o *db.Options) {
	t.Helper()
	if err := os.Remove(filepath.Join(o.Dir, db.KeyFileName)); err != nil {
		t.Fatal(err)
	}
}

func writeKey(key string) func(t *testing.T, o *db.Options) {
	return func(t *testing.T, o *db.Options) {
		t.Helper()
		writeFile(t, filepath.Join(o.Dir, db.KeyFileName), []byte(key))
	}
}

// contentOf is every table with the transactions that have written to it, and the
// workspace's row.
func contentOf(url string) string {
	on, err := sql.Open("pgx", url)
	if err != nil {
		return ""
	}
	defer on.Close()
	var text string
	err = on.QueryRow(`SELECT coalesce(string_agg(c.relname || ' ' || pg_relation_size(c.oid), ' ' ORDER BY c.relname), '')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'`).Scan(&text)
	if err != nil {
		return ""
	}
	var row string
	if err := on.QueryRow(`SELECT xmin::text || ' ' || w::text FROM workspace w`).Scan(&row); err != nil {
		return text
	}
	return text + row
}
