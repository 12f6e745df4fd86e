package engine

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLiteVersion is the version of SQLite that is built in.
const SQLiteVersion = sqlite3.SQLITE_VERSION

// Immutable opens a file that nobody writes, and makes nothing beside it.
const Immutable = "immutable"

// DSN names a database file, to be opened as mode says: ro, rw or Immutable. The path is
// percent-encoded: SQLite would read a "?" or "#" in it as the end of the name.
func DSN(path, mode string, pragmas ...string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", path, err)
	}
	abs = filepath.ToSlash(abs)
	if !strings.HasPrefix(abs, "/") {
		abs = "/" + abs // a drive letter
	}
	q := url.Values{
		"mode":    {mode},
		"_pragma": append([]string{"busy_timeout(5000)"}, pragmas...),
	}
	if mode == Immutable {
		q.Set("mode", "ro")
		q.Set("immutable", "1")
	}
	return (&url.URL{
		Scheme:   "file",
		OmitHost: true,
		Path:     abs,
		RawQuery: q.Encode(),
	}).String(), nil
}

// OpenFile opens a database file for what is neither page nor step: checking it,
// copying it, bringing it up to date. A file that is missing is an error of the
// first statement.
func OpenFile(path, mode string, pragmas ...string) (*sql.DB, error) {
	name, err := DSN(path, mode, pragmas...)
	if err != nil {
		return nil, err
	}
	file, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return file, nil
}

// openReading opens the connections that only read.
func openReading(path string) (*sql.DB, error) {
	pool, err := OpenFile(path, "ro",
		"query_only(ON)",
		"trusted_schema(OFF)",
		"temp_store(MEMORY)")
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(4)
	pool.SetMaxIdleConns(4)
	return pool, nil
}

// openWriting opens the connection that writes.
func openWriting(path string) (*sql.DB, error) {
	// fdatasync is as durable as fsync and quicker: it does not wait for the file's
	// times. SQLite's builds for Linux use it. The switch is the process's; macOS and
	// Windows have none and keep fsync.
	_, _ = sqlite.Fdatasync(true)
	return OpenFile(path, "rw",
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"foreign_keys(ON)",
		"trusted_schema(OFF)",
		"secure_delete(ON)",
		"temp_store(MEMORY)",
		"wal_autocheckpoint(4000)") // every 16 MB: pages that every sign-in writes are carried over a quarter as often
}

// IsUnique reports whether a statement broke a UNIQUE constraint.
func IsUnique(err error) bool {
	var fault *sqlite.Error
	return errors.As(err, &fault) && fault.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || postgresCode(err) == codeUnique
}

// IsUnusable reports whether the system did not let a database be opened, read or
// written.
func IsUnusable(err error) bool {
	switch primaryCode(err) {
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_AUTH:
		return true
	}
	return false
}

// IsReadOnly reports whether a database could be read and not written.
func IsReadOnly(err error) bool { return primaryCode(err) == sqlite3.SQLITE_READONLY }

// IsFull reports whether there is no room for what was to be written.
func IsFull(err error) bool {
	return primaryCode(err) == sqlite3.SQLITE_FULL || postgresCode(err) == codeDiskFull
}

// primaryCode is SQLite's result code without its details, or 0 for an error that
// is not SQLite's: https://sqlite.org/rescode.html
func primaryCode(err error) int {
	var fault *sqlite.Error
	if !errors.As(err, &fault) {
		return sqlite3.SQLITE_OK
	}
	return fault.Code() & 0xff
}

// IsDamaged reports whether a file is no database, or one whose pages are inconsistent.
func IsDamaged(err error) bool {
	code := primaryCode(err)
	return code == sqlite3.SQLITE_NOTADB || code == sqlite3.SQLITE_CORRUPT
}
