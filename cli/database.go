package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"gatehouse/db"
	"gatehouse/db/files"

	"github.com/gofrs/flock"
)

// databaseFlags say where a workspace on PostgreSQL is.
type databaseFlags struct {
	Database         string `help:"Address of a PostgreSQL database, e.g. postgres://gatehouse@db.example.org/gatehouse?sslmode=verify-full." env:"GATEHOUSE_DATABASE" placeholder:"URL"`
	DatabaseFile     string `name:"database-file" help:"A file that holds this address: other users of the machine see what stands on a command line." env:"GATEHOUSE_DATABASE_FILE" placeholder:"FILE"`
	InsecureDatabase bool   `name:"insecure-database" help:"Take a database server on another machine that does not prove who it is." env:"GATEHOUSE_INSECURE_DATABASE"`
}

// url is the address of the PostgreSQL database; "" for a file in the data directory.
func (f databaseFlags) url() (string, error) {
	switch {
	case f.Database != "" && f.DatabaseFile != "":
		return "", usageError("--database and --database-file name one thing; give one of them")
	case f.DatabaseFile != "":
		return readDatabaseFile(f.DatabaseFile)
	}
	return f.Database, nil
}

// readDatabaseFile reads the address of a database, which may hold a password.
func readDatabaseFile(path string) (string, error) {
	text, err := files.ReadPrivate("database's address", path)
	if err != nil {
		return "", fmt.Errorf("cannot read the database's address: %w", err)
	}
	url := strings.TrimSpace(string(text))
	if url == "" || strings.ContainsAny(url, "\r\n") {
		return "", fmt.Errorf("%s must hold the database's address, on one line", path)
	}
	return url, nil
}

// How long a server is waited for that does not answer: it may be starting with us.
const (
	serveWaits   = 30 * time.Second
	commandWaits = 2 * time.Second
)

// options say where the workspace is.
func (env *commandEnv) options() (db.Options, error) {
	url, err := env.flags.databaseFlags.url()
	if err != nil {
		return db.Options{}, err
	}
	o := db.Options{
		Dir:              env.flags.Data,
		KeyFile:          env.flags.KeyFile,
		Schema:           env.Files.Schema,
		Database:         url,
		InsecureDatabase: env.flags.InsecureDatabase,
		DatabaseWait:     commandWaits,
		Workspace:        defaultWorkspace,
		Times:            db.DefaultTimes,
		Now:              env.now(),
	}
	if url != "" {
		o.Schema, o.FileSchema = env.Files.PostgresSchema, env.Files.Schema
	}
	return o, nil
}

// isOnServer reports whether the workspace is in a PostgreSQL database.
func (env *commandEnv) isOnServer() bool {
	return env.flags.Database != "" || env.flags.DatabaseFile != ""
}

// prepareData looks at the data directory before anything is opened. With a database on a
// server it holds no more than the key file, if that.
func (env *commandEnv) prepareData() error {
	if env.isOnServer() && env.flags.KeyFile != "" {
		return nil
	}
	return files.PrepareDataDir(env.flags.Data)
}

// lockForServing takes the data directory for one server. On PostgreSQL there may be
// several, and nothing is locked.
func (env *commandEnv) lockForServing() (unlock func(), err error) {
	if env.isOnServer() {
		return func() {}, env.prepareData()
	}
	var lock *flock.Flock
	lock, err = env.lockData()
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("another gatehouse serves %s already; stop it, or name another directory with --data",
			env.flags.Data)
	}
	if err != nil {
		return nil, err
	}
	return func() { _ = lock.Unlock() }, nil
}

// place reads one end of a move: a data directory, the address of a database, or a file
// that holds one.
func (env *commandEnv) place(text string) (db.Options, error) {
	o := db.Options{
		Dir:              text,
		KeyFile:          env.flags.KeyFile,
		Schema:           env.Files.Schema,
		InsecureDatabase: env.flags.InsecureDatabase,
		DatabaseWait:     commandWaits,
		Times:            db.DefaultTimes,
		Now:              env.now(),
	}
	info, err := os.Stat(text)
	switch {
	case strings.Contains(text, "://"):
		o.Database = text
	case err == nil && info.Mode().IsRegular():
		if o.Database, err = readDatabaseFile(text); err != nil {
			return o, err
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return o, fmt.Errorf("cannot look at %s: %w", text, err)
	}
	if o.Database != "" {
		o.Dir, o.Schema = "", env.Files.PostgresSchema
	}
	return o, nil
}
