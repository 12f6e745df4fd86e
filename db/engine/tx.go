package engine

import (
	"context"
	"database/sql"
	"fmt"
)

// A Tx is a transaction with the time that one job has.
type Tx struct {
	ctx     context.Context // ends when the job's time does
	running context.Context // what statements run with
	on      connection
}

// A connection is what a transaction runs on.
type connection interface {
	kind() Kind
	statement(query string) (statement, error)
	script(ctx context.Context, text string) error
}

// A statement is one that can be run.
type statement interface {
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, args ...any) *sql.Row
}

// Kind is which database it is: for the few statements that are one engine's own.
func (t *Tx) Kind() Kind { return t.on.kind() }

// statement returns one while there is time left.
func (t *Tx) statement(query string) (statement, error) {
	if err := t.ctx.Err(); err != nil {
		return nil, fmt.Errorf("before %q: %w", query, err)
	}
	return t.on.statement(query)
}

// Exec runs a statement and returns the number of rows that it changed.
func (t *Tx) Exec(query string, args ...any) (int64, error) {
	stmt, err := t.statement(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(t.running, args...)
	if err != nil {
		return 0, fmt.Errorf("running %q: %w", query, err)
	}
	return result.RowsAffected()
}

// ExecOne runs a statement that must change exactly one row: a race that was lost
// is a fault, and nothing of the job stays.
func (t *Tx) ExecOne(query string, args ...any) error {
	n, err := t.Exec(query, args...)
	if err == nil && n != 1 {
		err = fmt.Errorf("running %q: %d rows changed, not one", query, n)
	}
	return err
}

// Script runs several statements at once that take no arguments.
func (t *Tx) Script(text string) error { return t.on.script(t.running, text) }

// Row reads one row.
func (t *Tx) Row(query string, args ...any) Row {
	stmt, err := t.statement(query)
	if err != nil {
		return Row{err: err}
	}
	return Row{row: stmt.QueryRowContext(t.running, args...)}
}

// Rows reads rows, which the caller closes before the next statement.
func (t *Tx) Rows(query string, args ...any) (*sql.Rows, error) {
	stmt, err := t.statement(query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(t.running, args...)
}
