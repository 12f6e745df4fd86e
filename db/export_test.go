package db

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/db/engine"

	"github.com/jackc/pgx/v5"
)

// OpenSteps opens a workspace as a program does that has these migrations.
func OpenSteps(ctx context.Context, o Options, steps []string) (*Store, error) {
	made := make([]migration, 0, len(steps))
	for _, sql := range steps {
		made = append(made, migration{sql: sql})
	}
	return open(ctx, o, made)
}

// OpenEnrollments opens the sealed secrets of enrolments, which every schema has.
func (s *Store) OpenEnrollments(ctx context.Context) (n int, err error) {
	c := sealedColumns[slices.IndexFunc(sealedColumns, func(c sealedColumn) bool { return c.table == "enrollment" })]
	err = s.write(ctx, lockNothing(), func(t *tx) error {
		n = 0
		page, err := rowsSealedAfter(t, c, c.first)
		for _, r := range page {
			if _, err := c.open(s.keys.Load(), r); err != nil {
				return err
			}
			n++
		}
		return err
	})
	return n, err
}

// Newest is the schema that this program writes.
func Newest() int { return len(migrations) + 1 }

// SlowHashes tells how many slow hashes the store has computed.
func (s *Store) SlowHashes() int64 { return s.hashes.Acquired() }

// FillHashLimiter takes every place before the slow hash, until free is called.
func (s *Store) FillHashLimiter() (release func()) { return s.hashes.Fill() }

// Transaction runs do in a transaction of the one writing connection, with a function
// that runs statements in it. Do must not end its goroutine (t.Fatal): the transaction
// would stay open.
func (s *Store) Transaction(ctx context.Context, do func(exec func(query string, args ...any) error) error) error {
	return s.write(ctx, lockNothing(), func(t *tx) error {
		return do(func(query string, args ...any) error {
			_, err := t.exec(query, args...)
			return err
		})
	})
}

// Statements returns the text of everything that was prepared and not dropped since.
func (s *Store) Statements() []string {
	return append(s.reader.Statements(), s.writer.Statements()...)
}

// Plan returns the lines of EXPLAIN QUERY PLAN, or of PostgreSQL's EXPLAIN for arguments
// that are not known, told to walk through no table where an index would do.
func (s *Store) Plan(ctx context.Context, query string) (lines []string, err error) {
	args := 0
	for strings.Contains(query, "$"+strconv.Itoa(args+1)) {
		args++
	}
	if s.kind == engine.Postgres {
		return s.planOnServer(ctx, query, args)
	}
	rows, err := s.reader.Pool().QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, make([]any, args)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return nil, err
		}
		lines = append(lines, detail)
	}
	return lines, rows.Err()
}

func (s *Store) planOnServer(ctx context.Context, query string, args int) (lines []string, err error) {
	tx, err := s.reader.Pool().BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	execute := "EXPLAIN EXECUTE plan"
	if args > 0 {
		execute += "(NULL" + strings.Repeat(", NULL", args-1) + ")"
	}
	for _, before := range []string{"SET LOCAL enable_seqscan = off", "SET LOCAL plan_cache_mode = force_generic_plan",
		"PREPARE plan AS " + query} {
		if _, err := tx.ExecContext(ctx, before); err != nil {
			return nil, err
		}
	}
	rows, err := tx.QueryContext(ctx, execute, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	if err := rows.Close(); err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, "DEALLOCATE plan")
	return lines, err
}

// TakeTurn takes the turn to write, until end is called.
func (s *Store) TakeTurn() (end func()) { return s.writer.(*engine.Writer).TakeTurn() }

// Pragma sets something on the writing connection, between transactions.
func (s *Store) Pragma(ctx context.Context, text string) error {
	return s.writer.(*engine.Writer).Pragma(ctx, text)
}

// Number reads one number.
func (s *Store) Number(ctx context.Context, query string) (n int64, err error) {
	err = s.reader.Pool().QueryRowContext(ctx, query).Scan(&n)
	return n, err
}

// MailDue reports whether a mail waits to be claimed.
func (s *Store) MailDue(ctx context.Context, now time.Time) (bool, error) {
	return s.isMailDue(ctx, now)
}

// Scan reads one row.
func (s *Store) Scan(ctx context.Context, query string, args []any, dest ...any) error {
	return s.reader.Pool().QueryRowContext(ctx, query, args...).Scan(dest...)
}
