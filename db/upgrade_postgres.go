package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gatehouse/db/engine"
)

// A postgresStep is one step of an upgrade on PostgreSQL, like a migration on SQLite.
// Old and new programs serve together meanwhile: a step adds, and what it makes
// superfluous goes a release later, by a step that raises oldestSchema.
type postgresStep struct {
	sql  string
	inGo func(ctx context.Context, tx *sql.Tx) error // nil where SQL says it all
}

// firstPostgresSchema is the schema with which PostgreSQL began.
const firstPostgresSchema = 10

// postgresSteps lead from there to schema.postgres.sql, a step each.
var postgresSteps = []postgresStep{
	// To 11: what an operator is told of.
	{sql: operationStepPostgres + tallyTable11Postgres + fillTally + peopleStep},
}

// A serverSchema is what a program makes of a database on a server.
type serverSchema struct {
	script string // schema.postgres.sql
	steps  []postgresStep
	oldest int
}

func (s serverSchema) newest() int { return firstPostgresSchema + len(s.steps) }

// schemaLock is the advisory lock of whoever makes or changes the tables: "Gath".
const schemaLock = 1197569128

// MigrateOptions are what it takes to make or upgrade the tables of a server.
type MigrateOptions struct {
	Options
	ServerRole string // which may serve afterwards, and owns nothing; "" for no other role
}

// MigrateResult tells what became of the tables.
type MigrateResult struct {
	From, To int // schemas; From is 0 where there were no tables
}

// Migrate makes the tables in an empty database, or brings them up to date, as the role
// that owns them. Servers that run meanwhile go on.
func Migrate(ctx context.Context, o MigrateOptions) (MigrateResult, error) {
	pg, err := openServer(ctx, o.Options)
	if err != nil {
		return MigrateResult{}, err
	}
	done, err := migrateServer(ctx, pg.Pool(), serverSchema{o.Schema, postgresSteps, oldestSchema}, o.ServerRole)
	return done, errors.Join(err, pg.Close())
}

func migrateServer(ctx context.Context, pool *sql.DB, to serverSchema, serverRole string) (done MigrateResult, err error) {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return done, fmt.Errorf("beginning the upgrade: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	if done, err = to.prepare(ctx, tx); err != nil {
		return done, err
	}
	if serverRole != "" {
		if err := grantTo(ctx, tx, serverRole); err != nil {
			return done, err
		}
	}
	if err := tx.Commit(); err != nil {
		return done, fmt.Errorf("committing the upgrade: %w", err)
	}
	return done, nil
}

// prepare makes the tables, or runs the steps that they lack, in a transaction. Of several
// programs one does it, and the others find it done.
func (s serverSchema) prepare(ctx context.Context, tx *sql.Tx) (done MigrateResult, err error) {
	if err := engine.Unlimited(ctx, tx); err != nil {
		return done, err
	}
	if _, err := tx.ExecContext(ctx, `SELECT set_config('lock_timeout', '5s', TRUE)`); err != nil {
		return done, err
	}
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(schemaLock)); err != nil {
		return done, fmt.Errorf("waiting for another upgrade: %w", err)
	}
	version, err := tablesVersion(ctx, tx)
	if err != nil {
		return done, err
	}
	done = MigrateResult{From: version, To: max(version, s.newest())}
	if version >= s.newest() {
		return done, nil // a newer program's may be newer
	}
	if version == 0 {
		if _, err := tx.ExecContext(ctx, s.script); err != nil {
			return done, fmt.Errorf("making the tables: %w", err)
		}
	} else {
		for _, step := range s.steps[version-firstPostgresSchema:] {
			if err := step.run(ctx, tx); err != nil {
				return done, fmt.Errorf("upgrading from schema %d: %w; the database is as it was", version, err)
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE workspace SET schema = $1, oldest = $2`, s.newest(), s.oldest)
		if err != nil {
			return done, fmt.Errorf("noting the schema's version: %w", err)
		}
	}
	_, err = tx.ExecContext(ctx, `COMMENT ON TABLE workspace IS '`+schemaComment+strconv.Itoa(s.newest())+`'`)
	if err != nil {
		return done, fmt.Errorf("noting the schema's version: %w", err)
	}
	return done, nil
}

func (s postgresStep) run(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, s.sql); err != nil || s.inGo == nil {
		return err
	}
	return s.inGo(ctx, tx)
}

// schemaComment begins the comment of the table workspace, by which tables without a
// workspace are known, too.
const schemaComment = "Gatehouse, schema "

// tablesVersion returns the schema of a database's tables; 0 where there are none. Tables
// of somebody else are refused.
func tablesVersion(ctx context.Context, q interface {
	engine.Querier
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (int, error) {
	var tables int
	var comment string
	err := q.QueryRowContext(ctx, `SELECT count(*)::int4,
			coalesce(max(obj_description(t.oid, 'pg_class')) FILTER (WHERE t.relname = 'workspace'), '')
		FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
		WHERE n.nspname = current_schema() AND t.relkind IN ('r', 'p')`).Scan(&tables, &comment)
	if err != nil {
		return 0, fmt.Errorf("looking for tables: %w", err)
	}
	if tables == 0 {
		return 0, nil
	}
	text, found := strings.CutPrefix(comment, schemaComment)
	version, err := strconv.Atoi(text)
	if !found || err != nil || version < firstPostgresSchema {
		return 0, errors.New("the database holds tables that are not Gatehouse's; name an empty one")
	}
	return version, nil
}

// appendOnly are the tables in which the role of the servers changes and deletes nothing.
var appendOnly = []string{"activity"}

// grantTo lets a role serve.
func grantTo(ctx context.Context, tx *sql.Tx, role string) error {
	var quoted, schema string
	var is, owns bool
	err := tx.QueryRowContext(ctx, `SELECT quote_ident($1), quote_ident(current_schema()),
		EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1),
		EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE oid = 'workspace'::regclass AND pg_get_userbyid(relowner) = $1)`,
		role).Scan(&quoted, &schema, &is, &owns)
	if err != nil {
		return fmt.Errorf("looking for the role: %w", err)
	}
	if !is {
		return fmt.Errorf("there is no role %s on the server; make it with: CREATE ROLE %s LOGIN", role, quoted)
	}
	if owns {
		return fmt.Errorf("the role %s owns the tables, and may do everything; name another one for the servers", role)
	}
	tables, err := engine.Postgres.Catalogue(ctx, tx)
	if err != nil {
		return err
	}
	statements := []string{`GRANT USAGE ON SCHEMA ` + schema + ` TO ` + quoted}
	for _, t := range tables {
		rights := "SELECT, INSERT, UPDATE, DELETE"
		if slices.Contains(appendOnly, t.Name) {
			rights = "SELECT, INSERT"
		}
		statements = append(statements, `REVOKE ALL ON `+t.Name+` FROM `+quoted, `GRANT `+rights+` ON `+t.Name+` TO `+quoted)
	}
	statements = append(statements, `GRANT USAGE ON ALL SEQUENCES IN SCHEMA `+schema+` TO `+quoted)
	if _, err := tx.ExecContext(ctx, strings.Join(statements, "; ")); err != nil {
		return fmt.Errorf("granting: %w", err)
	}
	return nil
}
