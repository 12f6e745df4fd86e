package engine

import (
	"context"
	"database/sql"
	"fmt"
)

// A Tx is the writer's transaction with the time that one job has.
type Tx struct {
	ctx context.Context
	w   *Writer
}

// stmt returns a prepared statement while there is time left. Statements run with a
// context that does not end: nearly all find their rows by an index and take
// microseconds, and watching for the end of each takes longer.
func (t *Tx) stmt(query string) (*sql.Stmt, error) {
	if err := t.ctx.Err(); err != nil {
		return nil, fmt.Errorf("before %q: %w", query, err)
	}
	if stmt, ok := t.w.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := t.w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("preparing %q: %w", query, err)
	}
	t.w.stmts[query] = stmt
	return stmt, nil
}

// Exec runs a statement and returns the number of rows that it changed.
func (t *Tx) Exec(query string, args ...any) (int64, error) {
	stmt, err := t.stmt(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(context.Background(), args...)
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
func (t *Tx) Script(text string) error {
	_, err := t.w.conn.ExecContext(context.Background(), text)
	return err
}

// Row reads one row.
func (t *Tx) Row(query string, args ...any) Row {
	stmt, err := t.stmt(query)
	if err != nil {
		return Row{err: err}
	}
	return Row{row: stmt.QueryRowContext(context.Background(), args...)}
}

// Rows reads rows, which the caller closes before the next statement.
func (t *Tx) Rows(query string, args ...any) (*sql.Rows, error) {
	stmt, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(context.Background(), args...)
}
