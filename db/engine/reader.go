package engine

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// A Reader is the connections that only read. Its methods may be called from any
// goroutine.
type Reader struct {
	pool  *sql.DB
	stmts sync.Map // query to *sql.Stmt
}

// OpenReader opens a database file for reading.
func OpenReader(path string) (*Reader, error) {
	pool, err := openReading(path)
	if err != nil {
		return nil, err
	}
	return &Reader{pool: pool}, nil
}

// Close closes the connections.
func (r *Reader) Close() error { return r.pool.Close() }

// Pool returns the connections themselves: for their figures, and for checks of the whole
// file, which are not worth preparing.
func (r *Reader) Pool() *sql.DB { return r.pool }

// Row reads one row. Once begun it does not end with the context: nearly every row
// is found by an index, in less time than it takes to watch for that.
func (r *Reader) Row(ctx context.Context, query string, args ...any) Row {
	if err := ctx.Err(); err != nil {
		return Row{err: err}
	}
	ctx = context.WithoutCancel(ctx)
	stmt, err := r.stmt(ctx, query)
	if err != nil {
		return Row{err: err}
	}
	return Row{row: stmt.QueryRowContext(ctx, args...)}
}

// Rows reads rows, which the caller closes.
func (r *Reader) Rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := r.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// Statements returns the text of everything that was prepared.
func (r *Reader) Statements() (all []string) {
	r.stmts.Range(func(query, _ any) bool {
		all = append(all, query.(string))
		return true
	})
	return all
}

func (r *Reader) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := r.stmts.Load(query); ok {
		return stmt.(*sql.Stmt), nil
	}
	stmt, err := r.pool.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("preparing %q: %w", query, err)
	}
	if before, loaded := r.stmts.LoadOrStore(query, stmt); loaded {
		_ = stmt.Close()
		return before.(*sql.Stmt), nil
	}
	return stmt, nil
}
