// Package engine is the database underneath: it opens connections, prepares
// statements, and runs transactions. No other package imports a driver, and this one
// knows no table.
package engine

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// A Lock names what a write locks before it reads anything that it decides by. On SQLite,
// with its one writer, nothing needs to be locked and the lock is ignored. It is an
// argument of every write all the same, so that none forgets it: on PostgreSQL a write
// without one lets two requests spend one code.
type Lock struct {
	subject string
	keys    []any
}

// LockOf returns the lock of a subject, such as "person", and the keys that tell which.
func LockOf(subject string, keys ...any) Lock { return Lock{subject: subject, keys: keys} }

// Subject is what the lock names; "" for a lock that nobody has chosen.
func (l Lock) Subject() string { return l.subject }

// errNoLock is the answer to a write that names no lock.
var errNoLock = errors.New("a write names what it locks")

// Reading is what reads outside of transactions.
type Reading interface {
	// Row reads one row, and Rows several, which the caller closes.
	Row(ctx context.Context, query string, args ...any) Row
	Rows(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	// Pool returns the connections themselves: for their figures, and for what is not
	// worth preparing.
	Pool() *sql.DB
	// Statements returns the text of everything that was run.
	Statements() []string
	Close() error
}

// Writing is what writes, in transactions.
type Writing interface {
	// Write runs do under a lock, all of it or nothing. What it did is committed when do
	// succeeds, or refuses in a way that is committed. Do may run twice: it sets every
	// result anew. Closing the tab does not undo it half-way: once it has begun, cancelling
	// the context has no effect.
	Write(ctx context.Context, lock Lock, do func(*Tx) error) error
	// WriteWithin is Write for the commands whose work grows with the workspace.
	WriteWithin(ctx context.Context, limit time.Duration, lock Lock, do func(*Tx) error) error
	// Waits tells how many writes had to wait before they began.
	Waits() uint64
	Statements() []string
	Close() error
}

// A Row is one answer of a query, or why there is none. Scan gives sql.ErrNoRows
// when nothing was found.
type Row struct {
	row  *sql.Row
	err  error
	done func() // after Scan; nil for nothing
}

// Scan reads the columns.
func (r Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	err := r.row.Scan(dest...)
	if r.done != nil {
		r.done()
	}
	return err
}
