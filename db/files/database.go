package files

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"time"

	"gatehouse/db/engine"
)

// applicationID marks the file as ours, in PRAGMA application_id: "Gath".
const applicationID = 1197569128

// CheckDatabase returns the schema's version of a file. It refuses a file that is not a
// workspace or newer than newest, without changing a byte of it.
func CheckDatabase(ctx context.Context, path string, newest int) (schema int, err error) {
	return source{
		path:      path,
		mode:      "ro",
		ifForeign: "choose another data directory",
		ifDamaged: "restore a sound backup",
	}.check(ctx, newest)
}

// CheckBackup is CheckDatabase for a file that is to be restored.
func CheckBackup(ctx context.Context, path string, newest int) (schema int, err error) {
	return source{
		path:      path,
		mode:      backupMode(path),
		ifForeign: "choose another backup",
		ifDamaged: "choose another backup",
	}.check(ctx, newest)
}

// backupMode is how a backup is opened. One without a journal is only looked at: it may
// lie on a medium, or in a directory, in which nothing can be made beside it.
func backupMode(path string) string {
	for _, journal := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(path + journal); !errors.Is(err, fs.ErrNotExist) && (err != nil || info.Size() > 0) {
			return "ro"
		}
	}
	return engine.Immutable
}

// A source is a database file to be read, how it is opened, and what to do when it is
// no good.
type source struct{ path, mode, ifForeign, ifDamaged string }

func (s source) check(ctx context.Context, newest int) (schema int, err error) {
	path := s.path
	file, err := engine.OpenFile(path, s.mode)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	var id, version, pages, size int64
	for pragma, into := range map[string]*int64{
		"application_id": &id,
		"user_version":   &version,
		"page_count":     &pages,
		"page_size":      &size,
	} {
		if err := file.QueryRowContext(ctx, `PRAGMA `+pragma).Scan(into); err != nil {
			return 0, s.damagedError(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, fmt.Errorf("looking at %s: %w", path, err)
	}
	wal, walErr := os.Stat(path + "-wal")
	noWAL := errors.Is(walErr, fs.ErrNotExist) || walErr == nil && wal.Size() == 0
	switch {
	case id != applicationID:
		return 0, fmt.Errorf("%s is not a Gatehouse workspace; %s", path, s.ifForeign)
	case version > int64(newest):
		return 0, fmt.Errorf("%s was written by a newer Gatehouse (schema %d, this one knows %d); use that version",
			path, version, newest)
	case noWAL && info.Size() < pages*size:
		return 0, fmt.Errorf("%s is cut short; %s", path, s.ifDamaged)
	case pages*size > maxCheckedAtStart:
		return int(version), nil
	}
	return int(version), s.quickCheck(ctx, file)
}

// maxCheckedAtStart is the size, in bytes, up to which every page of a file is checked
// when it is opened. A larger one would take too long; gatehouse check does it.
const maxCheckedAtStart = 4 << 20

// quickCheck refuses a file whose pages are inconsistent.
func (s source) quickCheck(ctx context.Context, file *sql.DB) error {
	var verdict string
	if err := file.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		return s.damagedError(err)
	}
	if verdict != "ok" {
		return fmt.Errorf("%s is damaged (%s); %s", s.path, verdict, s.ifDamaged)
	}
	return nil
}

// damagedError says why a file cannot be read.
func (s source) damagedError(err error) error {
	if engine.IsDamaged(err) {
		return fmt.Errorf("%s is damaged or is no database; %s", s.path, s.ifDamaged)
	}
	return fmt.Errorf("reading %s: %w", s.path, ExplainError(s.path, err))
}

// ExplainError returns what the system says about a database that SQLite could not open
// or write, or SQLite's own error when the system has nothing against it.
func ExplainError(path string, err error) error {
	if !engine.IsUnusable(err) {
		return err
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		f, openErr := os.OpenFile(name, os.O_RDWR, 0)
		if openErr != nil && !errors.Is(openErr, fs.ErrNotExist) {
			return openErr
		}
		if openErr == nil {
			_ = f.Close()
		}
	}
	f, createErr := CreateBeside(path)
	if createErr != nil {
		return createErr
	}
	_, writeErr := f.Write(make([]byte, shmSize)) // a full disk shows in nothing smaller
	if closeErr := errors.Join(f.Close(), os.Remove(f.Name())); writeErr == nil {
		writeErr = closeErr
	}
	if writeErr != nil {
		return writeErr
	}
	return err
}

// shmSize is the room that SQLite takes beside a database to open it, in bytes.
const shmSize = 32 << 10

// CheckIntegrity runs SQLite's own checks.
func CheckIntegrity(ctx context.Context, file *sql.DB) error {
	var verdict string
	if err := file.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&verdict); err != nil {
		return fmt.Errorf("checking the file: %w", err)
	}
	if verdict != "ok" {
		return fmt.Errorf("the database is damaged (%s); restore a sound backup", verdict)
	}
	return CheckReferences(ctx, file)
}

// CheckReferences refuses a database whose rows refer to rows that are not there.
func CheckReferences(ctx context.Context, file interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}) error {
	rows, err := file.QueryContext(ctx, `PRAGMA foreign_key_check`)
	if err != nil {
		return fmt.Errorf("checking references: %w", err)
	}
	defer rows.Close()
	if rows.Next() {
		return errors.New("the database refers to rows that are not there; restore a sound backup")
	}
	return rows.Err()
}

// CopyDatabase writes a checked copy of a database, its journal included, to a
// file that must not exist yet. The target is whole, or not there.
func CopyDatabase(ctx context.Context, source, target string) error {
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		return existsError(target)
	}
	made, err := copyBeside(ctx, source, "ro", target, CreateCopyBeside)
	if err != nil {
		return err
	}
	if err := Publish(made, target); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = existsError(target)
		}
		return errors.Join(fmt.Errorf("cannot make the copy: %w", err), os.Remove(made))
	}
	return nil
}

func existsError(path string) error {
	return fmt.Errorf("%s exists already; choose another name", path)
}

// CopyBackupBeside writes a checked copy of a backup under a name of its own beside a
// path whose place it is to take, and returns that name.
func CopyBackupBeside(ctx context.Context, backup, path string) (made string, err error) {
	return copyBeside(ctx, backup, backupMode(backup), path, CreateBeside)
}

func copyBeside(ctx context.Context, source, mode, path string,
	create func(path string) (*os.File, error)) (made string, err error) {
	f, err := create(path) // VACUUM INTO takes an empty file, and would make one that all may read
	if err != nil {
		return "", fmt.Errorf("cannot make the copy: %w", err)
	}
	made = f.Name()
	err = vacuumInto(ctx, source, mode, made)
	if err == nil {
		err = errors.Join(requireSameFile(f, made), f.Sync())
	}
	if err == nil {
		err = checkCopy(ctx, made)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(made))
	}
	return made, nil
}

// requireSameFile refuses a name under which no longer stands the file that was made: the
// directory may belong to somebody else.
func requireSameFile(f *os.File, path string) error {
	made, err := f.Stat()
	if err != nil {
		return fmt.Errorf("looking at the copy: %w", err)
	}
	found, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("looking at the copy: %w", err)
	}
	if !os.SameFile(made, found) {
		return fmt.Errorf("somebody has put another file in the place of %s", path)
	}
	return nil
}

func vacuumInto(ctx context.Context, path, mode, target string) error {
	source, err := engine.OpenFile(path, mode)
	if err != nil {
		return err
	}
	defer source.Close()
	watched, err := watchCopy(ctx, source, target)
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	defer watched()
	if _, err := source.ExecContext(ctx, `VACUUM INTO ?`, target); err != nil {
		return fmt.Errorf("copying %s: %w", path, err)
	}
	return nil
}

// checkCopy refuses a copy that is damaged.
func checkCopy(ctx context.Context, path string) error {
	if hear := engine.ProgressOf(ctx); hear != nil {
		hear(engine.StepChecking, 0, 0)
	}
	file, err := engine.OpenFile(path, "ro")
	if err != nil {
		return err
	}
	defer file.Close()
	return CheckIntegrity(ctx, file)
}

// SetAside gives the present database another name beside its own, with why in it,
// together with its journal, and returns that name; "" when there is none. The database
// keeps its own name too, so that a crash leaves it in place.
func SetAside(ctx context.Context, path, why string, now time.Time) (aside string, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	aside, err = FreeName(path + "." + why + "-" + now.UTC().Format("20060102T150405Z"))
	if err != nil {
		return "", fmt.Errorf("cannot keep the present database: %w", err)
	}
	if _, err := CheckDatabase(ctx, path, math.MaxInt); err == nil {
		_ = checkpoint(ctx, path)
	} // else SQLite would throw the journal of a damaged one away: it goes aside too
	if err := os.Link(path, aside); err != nil {
		return "", fmt.Errorf("cannot keep the present database: %w", err)
	}
	for _, journal := range []string{"-wal", "-shm"} {
		if err := os.Rename(path+journal, aside+journal); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("cannot keep the present database's journal: %w", err)
		}
	}
	return aside, nil
}

// checkpoint writes the journal back into the file and removes it.
func checkpoint(ctx context.Context, path string) error {
	file, err := engine.OpenFile(path, "rw")
	if err != nil {
		return err
	}
	_, err = file.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return errors.Join(err, file.Close())
}

// WriteBack writes the journal of a database that is in use back into its file,
// as far as nobody reads what was before, and then empties the journal unless
// somebody reads it.
func WriteBack(ctx context.Context, path string) error {
	file, err := engine.OpenFile(path, "rw", "busy_timeout(250)") // whoever writes meanwhile waits
	if err != nil {
		return err
	}
	file.SetMaxOpenConns(1)
	for _, mode := range []string{"PASSIVE", "TRUNCATE"} { // the second waits for readers, and is quick after the first
		var busy, pages, written int
		err := file.QueryRowContext(ctx, `PRAGMA wal_checkpoint(`+mode+`)`).Scan(&busy, &pages, &written)
		if err != nil {
			return errors.Join(fmt.Errorf("writing the journal back: %w", err), file.Close())
		}
	}
	return file.Close()
}

// FreeName returns a name that no file has: the name itself, or with a number.
func FreeName(name string) (string, error) {
	for n := 1; ; n++ {
		free := name
		if n > 1 {
			free = fmt.Sprintf("%s-%d", name, n)
		}
		info, err := os.Lstat(free)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return free, nil
		case err != nil:
			return "", err
		case !info.Mode().IsRegular():
			return "", fmt.Errorf("%s is in the way, and is no file; move it away and try again", free)
		}
	}
}
