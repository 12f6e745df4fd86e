package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/account"
	"gatehouse/db/engine"
	"gatehouse/db/files"
	"gatehouse/db/hash"
	"gatehouse/db/seal"
	"gatehouse/twofactor"
)

// The names of the files in a data directory.
const (
	FileName    = files.DatabaseName
	KeyFileName = files.KeyName
)

// SQLiteVersion is the version of SQLite that is built in.
const SQLiteVersion = engine.SQLiteVersion

// The errors that callers distinguish. Refusals (twofactor.Refusal, WrongCode and Wait)
// are not among them: they are answers.
var (
	ErrNotFound  = errors.New("not found")
	ErrSignedOut = errors.New("the session has ended")
	ErrBusy      = hash.ErrBusy
)

// Times are lifetimes.
type Times struct {
	SessionIdle  time.Duration // without a request; 0 for what an administrator has chosen
	SessionMax   time.Duration // from sign-in on, whatever happens; 0 likewise
	ChallengeTTL time.Duration
	PendingTTL   time.Duration
}

// DefaultTimes are those of a server that is told nothing else.
var DefaultTimes = Times{
	ChallengeTTL: 10 * time.Minute,
	PendingTTL:   10 * time.Minute,
}

// Options are what a store needs to open.
type Options struct {
	Dir       string // the data directory; made when it is missing
	KeyFile   string // "" for gatehouse.key in Dir
	Schema    string // schema.sql, or schema.postgres.sql where Database is set
	Workspace string // the name that a new workspace gets
	Times     Times
	Now       time.Time // when a new workspace is made

	// Hashing is what the slow hashes cost; zero for hash.Recommended, and never
	// anything else but in tests. The cost of recovery codes is not stored with them:
	// a workspace keeps to one.
	Hashing hash.Parameters

	Upgrade bool // an older file is brought up to date; only for who holds the data directory's lock

	// Database is the address of a PostgreSQL database, which may hold a password; "" for
	// a SQLite file in Dir.
	Database         string
	InsecureDatabase bool          // its server need not prove who it is
	VolatileDatabase bool          // one that loses what it has confirmed is taken: for tests
	DatabaseWait     time.Duration // how long to wait for its server

	FileSchema string // schema.sql where Database is set, for the files that backups are

	// NewWorkspace makes a key for a new workspace on PostgreSQL. Without it the key file
	// must be there: it is the same on every node.
	NewWorkspace bool
}

// A Store is an open workspace. Its methods may be called from any goroutine.
type Store struct {
	path       string // of the SQLite file; "" on PostgreSQL
	keyFile    string
	fileSchema string // of the files that backups of a server are
	times      Times
	keys       atomic.Pointer[seal.Keyring]
	hashing    hash.Parameters // of new passwords and recovery codes
	hashes     *hash.Limiter
	turns      keyedLimiter

	signIns signInCounter
	lookup  []byte       // keys the hashes of recovery codes and unknown names
	used    usedSessions // through apps, and not written yet
	signers sync.Map     // the keys that sign for apps, opened, by openid.Algorithm
	kind    engine.Kind
	writer  engine.Writing
	reader  engine.Reading
	health  health                   // what the last try to write came to, for Ping
	name    atomic.Pointer[readName] // the workspace's, once it was read
	lengths atomic.Pointer[readLengths]
	shared  bool         // other processes may write too
	fitness fitness      // whether this process may write
	ahead   atomic.Int64 // of the database server, in nanoseconds, when that was looked at last
	nameMu  sync.Mutex   // held while the name is read or changed
}

// Open opens the workspace in a data directory, and makes it when there is none. A file
// that is foreign, newer, damaged, or sealed under another key is refused with an error
// that says what to do, and left unchanged. An older one is copied and then upgraded if
// Options allow it, and refused otherwise.
func Open(ctx context.Context, o Options) (*Store, error) { return open(ctx, o, migrations) }

func open(ctx context.Context, o Options, steps []migration) (*Store, error) {
	o.KeyFile = o.keyFile()
	if o.Database != "" {
		return openPostgres(ctx, o)
	}
	path := filepath.Join(o.Dir, FileName)
	if err := files.MakeDir(o.Dir); err != nil {
		return nil, fmt.Errorf("cannot make the data directory: %w", err)
	}
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot look at %s: %w", path, err)
	}
	if err != nil {
		if _, err := os.Lstat(path + "-wal"); err == nil {
			// SQLite would replay it into the new file.
			return nil, fmt.Errorf("%s is missing, but its %s-wal is there; put both back, or choose another data directory", path, FileName)
		}
		keys, err := seal.ReadOrMakeKey(o.KeyFile)
		if err != nil {
			return nil, err
		}
		if err := createDatabase(ctx, path, o, keys); err != nil {
			return nil, err
		}
	}
	return openFile(ctx, path, o, steps, previousName)
}

// IsReadOnly reports whether the database could be read and not written.
func IsReadOnly(err error) bool { return engine.IsReadOnly(err) }

// IsFull reports whether the disk has no room for what was to be written.
func IsFull(err error) bool { return engine.IsFull(err) }

// keyFile is where the key is.
func (o Options) keyFile() string {
	if o.KeyFile == "" {
		return filepath.Join(o.Dir, KeyFileName)
	}
	return o.KeyFile
}

// newStore makes a store without a database.
func newStore(o Options) *Store {
	s := &Store{
		keyFile:    o.KeyFile,
		fileSchema: o.FileSchema,
		times:      o.Times,
		hashing:    o.Hashing,
		hashes:     hash.NewLimiter(),
	}
	if s.hashing == (hash.Parameters{}) {
		s.hashing = hash.Recommended
	}
	return s
}

// openFile opens a file that exists. Its key is proved before anything is
// written, so that the wrong key changes nothing. Before an upgrade the file is
// copied to what aside names, or not at all where aside is nil.
func openFile(ctx context.Context, path string, o Options, steps []migration,
	copyName func(path string, version int) string) (*Store, error) {
	version, err := files.CheckDatabase(ctx, path, len(steps)+1)
	if err != nil {
		return nil, err
	}
	s := newStore(o)
	s.path = path
	if s.reader, err = engine.OpenReader(path); err != nil {
		return nil, err
	}
	err = s.openLookupKey(ctx)
	if err == nil && version <= len(steps) {
		err = upgrade(ctx, path, version, o.Upgrade, steps, copyName)
	}
	if err == nil {
		s.writer, err = engine.OpenWriter(ctx, path, isCountedRefusal)
	}
	if err != nil {
		return nil, errors.Join(files.ExplainError(path, err), s.reader.Close())
	}
	return s, nil
}

// Close writes everything back into the one file and closes it.
func (s *Store) Close() error {
	return errors.Join(s.reader.Close(), s.writer.Close())
}

// createDatabase makes a workspace under another name and then renames it, so that a
// crash leaves no half-made file.
func createDatabase(ctx context.Context, path string, o Options, keys *seal.Keyring) (err error) {
	f, err := files.CreateBeside(path)
	if err != nil {
		return fmt.Errorf("cannot make the database: %w", err)
	}
	making := f.Name()
	defer func() {
		if err != nil {
			err = errors.Join(err, files.RemoveDatabase(making))
		}
	}()
	if err := f.Close(); err != nil {
		return fmt.Errorf("cannot make the database: %w", err)
	}
	w, err := engine.OpenWriter(ctx, making, isCountedRefusal)
	if err != nil {
		return err
	}
	err = w.Write(ctx, lockNothing(), func(t *engine.Tx) error { return makeWorkspace(t, o, keys) })
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	if err := files.Publish(making, path); err != nil {
		return fmt.Errorf("cannot make the database: %w", err)
	}
	return nil
}

// makeWorkspace makes the tables and the workspace in an empty database.
func makeWorkspace(t *engine.Tx, o Options, keys *seal.Keyring) error {
	lookup, err := keys.Seal(seal.NewKey(), lookupKeyLabel)
	if err != nil {
		return err
	}
	if err := t.Script(o.Schema); err != nil {
		return fmt.Errorf("making the schema: %w", err)
	}
	_, err = t.Exec(insertWorkspace, o.Workspace, keys.ID(), lookup, o.Now.Unix(), newestSchema, oldestSchema)
	return err
}

const insertWorkspace = `INSERT INTO workspace (id, name, key_id, lookup_key, made_at, schema, oldest)
	VALUES (1, $1, $2, $3, $4, $5, $6)`

// isCountedRefusal reports whether an error is a refusal of the second step, whose
// counting must be stored.
func isCountedRefusal(err error) bool {
	var refusal twofactor.Refusal
	var wrong twofactor.WrongCode
	var wait twofactor.Wait
	return errors.As(err, &refusal) || errors.As(err, &wrong) || errors.As(err, &wait)
}

// IsRefusal reports whether an error is a rule's answer to what was typed, and
// not a fault.
func IsRefusal(err error) bool {
	var field account.FieldError
	return isCountedRefusal(err) || errors.As(err, &field)
}

// unix returns an instant as it is stored.
func unix(at time.Time) int64 { return at.Unix() }

// instant reads a stored instant; NULL is the zero time.
func instant(at sql.NullInt64) time.Time {
	if !at.Valid {
		return time.Time{}
	}
	return time.Unix(at.Int64, 0).UTC()
}

// nullable stores the zero time as NULL.
func nullable(at time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: at.Unix(), Valid: !at.IsZero()}
}
