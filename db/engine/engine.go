// Package engine is the database underneath: it opens connections, prepares
// statements, and runs transactions. No other package imports a driver, and this one
// knows no table.
package engine

import (
	"database/sql"
	"errors"
)

// A Lock names what a write locks before it reads anything that it decides by. On SQLite,
// with its one writer, nothing needs to be locked and the lock is ignored. It is an
// argument of every write all the same, so that none forgets it: on a database with
// several writers a write without one lets two requests spend one code.
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

// A Row is one answer of a query, or why there is none. Scan gives sql.ErrNoRows
// when nothing was found.
type Row struct {
	row *sql.Row
	err error
}

// Scan reads the columns.
func (r Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	return r.row.Scan(dest...)
}
