package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/db/dbtest/server"
)

// TestUpgradeBesideAnOlderProgram upgrades the tables by a made-up step while a program of
// today's schema serves: it goes on, until a second step takes what it needs away. Several
// programs that upgrade at once do it once, and a step that fails leaves nothing.
func TestUpgradeBesideAnOlderProgram(t *testing.T) {
	if !server.IsUsed() {
		t.Skip("this is about PostgreSQL")
	}
	t.Parallel()
	ctx := context.Background()
	s := openIn(t, t.TempDir())
	defer func() { _ = s.Close() }()
	script := optionsIn(t, t.TempDir()).Schema
	adds := postgresStep{sql: `CREATE TABLE pet (id BIGINT PRIMARY KEY); INSERT INTO pet VALUES (1)`}
	takes := postgresStep{sql: `DROP TABLE pet`}
	fails := postgresStep{sql: `DROP TABLE pet; SELECT 1 / 0`}
	upgrade := func(oldest int, steps ...postgresStep) (MigrateResult, error) {
		return migrateServer(ctx, s.reader.Pool(), serverSchema{script, append(append([]postgresStep{}, postgresSteps...), steps...), oldest}, "")
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	did := 0
	for range 4 {
		all.Go(func() {
			done, err := upgrade(oldestSchema, adds)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if done.From < done.To {
				did++
			}
		})
	}
	all.Wait()
	if did != 1 {
		t.Errorf("%d of 4 upgraded", did)
	}
	node := Node{ID: "old", Name: "old", StartedAt: rotateStart}
	if err := errors.Join(s.Beat(ctx, node, time.Now), rename(s)); err != nil {
		t.Errorf("the older program, beside tables that have more: %v", err)
	}
	if err := s.checkSchema(ctx); err != nil {
		t.Errorf("the older program does not start: %v", err)
	}
	if _, err := upgrade(newestSchema+2, adds, fails); err == nil || !strings.Contains(err.Error(), "as it was") {
		t.Errorf("a step that fails: %v", err)
	}
	var pets int
	if err := s.row(ctx, `SELECT count(*)::int4 FROM pet`).Scan(&pets); err != nil || pets != 1 {
		t.Errorf("after it: %d, %v", pets, err)
	}
	if done, err := upgrade(newestSchema+2, adds, takes); err != nil || done.To != newestSchema+2 {
		t.Errorf("the second step: %+v, %v", done, err)
	}
	var unfit *UnfitError
	if err := s.Beat(ctx, node, time.Now); !errors.As(err, &unfit) || unfit.Cause != "schema" || rename(s) == nil {
		t.Errorf("the older program goes on: %v", err)
	}
	if err := s.checkSchema(ctx); !errors.As(err, &unfit) {
		t.Errorf("the older program starts: %v", err)
	}
}

// TestReleasedTables makes the tables as a released version left them on a server: the steps
// bring them to what a new database has.
func TestReleasedTables(t *testing.T) {
	if !server.IsUsed() {
		t.Skip("this is about PostgreSQL")
	}
	t.Parallel()
	ctx := context.Background()
	script := optionsIn(t, t.TempDir()).Schema
	describe := func(pool *sql.DB) (lines []string) {
		for _, query := range []string{
			`SELECT table_name || ' ' || ordinal_position || ' ' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' ||
				coalesce(column_default, '') || ' ' || is_identity FROM information_schema.columns WHERE table_schema = 'public'`,
			`SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'`,
			`SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace`,
			`SELECT tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal`,
			`SELECT obj_description('workspace'::regclass, 'pg_class')`,
		} {
			rows, err := pool.QueryContext(ctx, query)
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				var line string
				if err := rows.Scan(&line); err != nil {
					t.Fatal(err)
				}
				lines = append(lines, line)
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(lines)
		return lines
	}
	tables := func(made serverSchema) *sql.DB {
		o := optionsIn(t, t.TempDir())
		o.Database, o.VolatileDatabase = server.Empty(t, ""), true
		pg, err := openServer(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = pg.Close() })
		if _, err := migrateServer(ctx, pg.Pool(), made, ""); err != nil {
			t.Fatal(err)
		}
		return pg.Pool()
	}
	newest := serverSchema{script, postgresSteps, oldestSchema}
	want := describe(tables(newest))
	for version := firstPostgresSchema; version < newestSchema; version++ {
		old, err := os.ReadFile(fmt.Sprintf("testdata/schema-%d/schema.postgres.sql", version))
		if err != nil {
			t.Fatal(err)
		}
		pool := tables(serverSchema{string(old), postgresSteps[:version-firstPostgresSchema], oldestSchema})
		fillBeforeTally(t, pool)
		if done, err := migrateServer(ctx, pool, newest, ""); err != nil || done != (MigrateResult{version, newestSchema}) {
			t.Fatalf("from %d: %+v, %v", version, done, err)
		}
		got := describe(pool)
		for _, line := range want {
			if !slices.Contains(got, line) {
				t.Errorf("from %d, it lacks %s", version, line)
			}
		}
		for _, line := range got {
			if !slices.Contains(want, line) {
				t.Errorf("from %d, it alone has %s", version, line)
			}
		}
		requireFilledTally(t, pool)
	}
}

// fillBeforeTally adds three people, of whom one is not active and one has enrolled later than
// they came, and a sign-in two days later.
func fillBeforeTally(t *testing.T, pool *sql.DB) {
	t.Helper()
	const day = 24 * 60 * 60
	if _, err := pool.ExecContext(context.Background(), fmt.Sprintf(`
		INSERT INTO person (email, name, sort_key, role, active, made_at, enrolled, enrolled_here, enrolled_at, sub) VALUES
			('a@example.org', 'A', 'a', 'member', TRUE, %[1]d, TRUE, TRUE, %[2]d, 'a'),
			('b@example.org', 'B', 'b', 'member', TRUE, %[2]d, FALSE, FALSE, NULL, 'b'),
			('c@example.org', 'C', 'c', 'member', FALSE, %[1]d, FALSE, FALSE, NULL, 'c');
		INSERT INTO activity (at, event, ok, actor_kind, actor) VALUES (%[3]d, 'authn_login_success', TRUE, 'machine', 'os:root')`,
		20000*day, 20200*day+5, 20202*day)); err != nil {
		t.Fatal(err)
	}
}

// requireFilledTally demands what an upgrade counts of fillBeforeTally.
func requireFilledTally(t *testing.T, pool *sql.DB) {
	t.Helper()
	var got string
	if err := pool.QueryRowContext(context.Background(), `SELECT string_agg(line, ', ' ORDER BY line) FROM (
		SELECT day || ' ' || what || ' ' || sum(n) AS line FROM tally GROUP BY day, what) AS lines`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := "0 enrolled 1, 0 people 2, 20112 people 1, 20200 enrolled 1, 20200 people 2, 20202 sign-in 1"; got != want {
		t.Errorf("the tally has %s, want %s", got, want)
	}
}

// TestStepsForBothEngines wants PostgreSQL's steps to lead to the schema that SQLite's do.
func TestStepsForBothEngines(t *testing.T) {
	t.Parallel()
	if got := firstPostgresSchema + len(postgresSteps); got != newestSchema {
		t.Errorf("PostgreSQL's steps lead to schema %d, SQLite's to %d", got, newestSchema)
	}
}

// TestForeignTables refuses a database that somebody else uses.
func TestForeignTables(t *testing.T) {
	if !server.IsUsed() {
		t.Skip("this is about PostgreSQL")
	}
	t.Parallel()
	ctx := context.Background()
	o := optionsIn(t, t.TempDir())
	o.Database, o.VolatileDatabase, o.NewWorkspace = server.Empty(t, ""), true, true
	pg, err := openServer(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pg.Close() }()
	if _, err := pg.Pool().ExecContext(ctx, `CREATE TABLE workspace (id int)`); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, o); err == nil || !strings.Contains(err.Error(), "not Gatehouse's") {
		t.Errorf("opened: %v", err)
	}
	if _, err := Migrate(ctx, MigrateOptions{Options: o}); err == nil || !strings.Contains(err.Error(), "not Gatehouse's") {
		t.Errorf("migrated: %v", err)
	}
}
