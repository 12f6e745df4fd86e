package db_test

import (
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatehouse/db/dbtest"
	"gatehouse/db/dbtest/server"
	"gatehouse/db/engine"

	_ "github.com/jackc/pgx/v5/stdlib"
)

// TestSchemasAgree makes both schemas and compares what the catalogues tell: tables,
// columns in their order, types, what may be NULL, keys, references, and indexes.
func TestSchemasAgree(t *testing.T) {
	t.Parallel()
	dbtest.OnlyPostgres(t)
	file := openSQLite(t, filepath.Join(t.TempDir(), "schema.db"))
	if _, err := file.Exec(dbtest.SchemaFile(t, "schema.sql")); err != nil {
		t.Fatal(err)
	}
	on, err := sql.Open("pgx", server.Empty(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = on.Close() })
	if _, err := on.Exec(dbtest.SchemaFile(t, "schema.postgres.sql")); err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile(`(?m)^    (\w+) .*CHECK \((\w+) IN \(0, 1\)\)`)
	isFlag := map[string]bool{}
	for _, m := range flags.FindAllStringSubmatch(dbtest.SchemaFile(t, "schema.sql"), -1) {
		isFlag[m[1]] = m[1] == m[2]
	}
	want := map[string]string{}
	tables, err := engine.SQLite.Catalogue(ctx, file)
	if err != nil || len(tables) < 20 {
		t.Fatal(len(tables), err)
	}
	for _, table := range tables {
		for i, c := range table.Columns {
			if c.Type == engine.Number && isFlag[c.Name] {
				table.Columns[i].Type = engine.Flag
			}
		}
		table.Counted = ""
		want["table "+table.Name] = fmt.Sprint(table)
	}
	got := map[string]string{}
	if tables, err = engine.Postgres.Catalogue(ctx, on); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if isCounted := table.Counted == "id"; isCounted != (len(table.Key) == 1 && table.Key[0] == "id" &&
			table.Columns[0].Type == engine.Number && table.Name != "workspace") {
			t.Errorf("%s counts its ids: %v", table.Name, isCounted)
		}
		table.Counted = ""
		got["table "+table.Name] = fmt.Sprint(table)
	}
	for name, query := range map[string][2]string{
		"NOT NULL": {
			`SELECT t.name || '.' || c.name FROM pragma_table_list t JOIN pragma_table_info(t.name) c ON TRUE
				WHERE t.schema = 'main' AND t.type = 'table' AND (c."notnull" = 1 OR c.pk > 0) AND t.name NOT LIKE 'sqlite%'`,
			`SELECT table_name || '.' || column_name FROM information_schema.columns
				WHERE table_schema = 'public' AND is_nullable = 'NO'`,
		},
		"index": {
			`SELECT name || (sql LIKE 'CREATE UNIQUE%') FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL`,
			`SELECT c.relname || i.indisunique::int FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
				JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public'
				AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u'))`,
		},
		"text that is not in the order of its bytes": {
			`SELECT 'x' WHERE FALSE`,
			`SELECT table_name || '.' || column_name FROM information_schema.columns
				WHERE table_schema = 'public' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'`,
		},
	} {
		collect(t, file, query[0], name, want)
		collect(t, on, query[1], name, got)
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			t.Errorf("%s: %s on SQLite, %s on PostgreSQL", key, want[key], got[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			t.Errorf("%s: on PostgreSQL alone", key)
		}
	}
}

// collect notes what a query gives.
func collect(t *testing.T, from *sql.DB, query, name string, into map[string]string) {
	t.Helper()
	rows, err := from.Query(query)
	if err != nil {
		t.Fatal(name, err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		into[name+" "+strings.TrimSpace(text)] = "there"
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// openSQLite makes a file.
func openSQLite(t *testing.T, path string) *sql.DB {
	t.Helper()
	file, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}
