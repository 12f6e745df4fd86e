package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// migrations lead from schema 1 to that of schema.sql, a step each. A step is
// SQL without BEGIN, COMMIT and PRAGMA, and is never changed once it was released.
// The columns key_id and lookup_key of workspace stay as they are for ever: the
// key is proved before the first step.
var migrations = []string{
	// To 2: a sign-in is written to one index of activity less, and a search for a
	// beginning that all share stops at a full page.
	`DROP INDEX activity_by_actor;
	CREATE INDEX activity_by_actor ON activity (actor_id, at, id) WHERE actor_id IS DISTINCT FROM subject_id;
	DROP TABLE person_search;
	CREATE VIRTUAL TABLE person_search USING fts5 (name, email, content = 'person', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3 4 5 6 7 8');
	INSERT INTO person_search (person_search) VALUES ('rebuild');`,
}

// asideOf names the copy that is made before an upgrade.
func asideOf(path string, version int) string { return fmt.Sprintf("%s.schema-%d", path, version) }

// upgrade brings an older file up to date: a copy aside where one is wanted,
// then every step in one transaction. Cut off anywhere, it leaves the file as it
// was, and the next start begins again.
func upgrade(ctx context.Context, path string, version int, allowed bool, steps []string, aside func(path string, version int) string) error {
	if !allowed {
		return fmt.Errorf("%s was written by an older Gatehouse (schema %d, this one uses %d); start the server with this version first, which copies the file aside and upgrades it", path, version, len(steps)+1)
	}
	if aside != nil {
		if err := copyDatabase(ctx, path, aside(path, version)); err != nil {
			return fmt.Errorf("copying the database aside before its upgrade: %w", err)
		}
	}
	name, err := dsn(path, "rw", "synchronous(FULL)", "foreign_keys(OFF)", "trusted_schema(OFF)", "secure_delete(ON)") // a table that is made anew must not take what refers to it along
	if err != nil {
		return err
	}
	file, err := sql.Open("sqlite", name)
	if err != nil {
		return fmt.Errorf("opening %s: %w", path, err)
	}
	file.SetMaxOpenConns(1)
	return errors.Join(migrate(ctx, file, steps), file.Close())
}

// migrate runs the steps that a file lacks, in one transaction.
func migrate(ctx context.Context, file *sql.DB, steps []string) (err error) {
	conn, err := file.Conn(ctx)
	if err != nil {
		return fmt.Errorf("opening the database for its upgrade: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return fmt.Errorf("beginning the upgrade: %w", err)
	}
	defer func() {
		if err != nil {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`)
		}
	}()
	var version int
	if err := conn.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil { // anew: now nobody else can be at it
		return fmt.Errorf("reading the schema's version: %w", err)
	}
	for ; version <= len(steps); version++ {
		if _, err := conn.ExecContext(ctx, steps[version-1]); err != nil {
			return fmt.Errorf("upgrading from schema %d: %w; the database is as it was", version, err)
		}
	}
	if err := references(ctx, conn); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, version)); err != nil {
		return fmt.Errorf("noting the schema's version: %w", err)
	}
	if _, err := conn.ExecContext(ctx, `COMMIT`); err != nil {
		return fmt.Errorf("committing the upgrade: %w", err)
	}
	return nil
}
