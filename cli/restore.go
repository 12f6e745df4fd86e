package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/db"
	"gatehouse/db/files"

	"github.com/gofrs/flock"
)

// lockData takes the data directory for one server or one restore. It makes the
// directory when there is none.
func (env *commandEnv) lockData() (*flock.Flock, error) { return lockDir(env.flags.Data) }

func lockDir(dir string) (*flock.Flock, error) {
	if err := files.PrepareDataDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, files.LockName)
	made, err := files.Create(path)
	if err == nil {
		err = made.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("cannot lock the data directory: %w", err)
	}
	lock := flock.New(path, flock.SetFlag(os.O_RDWR|files.NoFollow))
	free, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("cannot lock the data directory: %w", err)
	}
	if !free {
		return nil, errLocked
	}
	return lock, nil
}

// errLocked means that a server or a restore has the data directory.
var errLocked = errors.New("the data directory is in use")

type restoreCommand struct {
	File    string `arg:"" optional:"" help:"The backup." type:"path"`
	InPlace bool   `name:"in-place" help:"After pg_restore: end the access of before in the PostgreSQL database, which holds what was restored already."`
}

// Run puts a backup in the database's place while no server runs. All admins
// see a notice of it.
func (c *restoreCommand) Run(env *commandEnv) error {
	o, err := env.options()
	if err != nil {
		return err
	}
	var done db.RestoreResult
	switch {
	case c.InPlace == (c.File != ""):
		return usageError("name the backup's file, or say --in-place after pg_restore")
	case c.InPlace:
		err := env.withProgress(func(ctx context.Context) (err error) {
			done, err = db.RestoreInPlace(ctx, o, env.actor())
			return err
		})
		if err != nil {
			return err
		}
		return c.report(env, "What pg_restore put there", done)
	}
	switch info, err := os.Stat(c.File); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no backup %s", c.File)
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file; name the backup's file", c.File)
	}
	if env.isOnServer() {
		if err := files.PrepareDataDir(env.flags.Data); err != nil { // the backup is upgraded there before it is copied
			return err
		}
	} else {
		if err := env.requireDataDir(); err != nil {
			return err
		}
		lock, err := env.lockData()
		if errors.Is(err, errLocked) {
			return fmt.Errorf("a server runs on %s; stop it before restoring", env.flags.Data)
		}
		if err != nil {
			return err
		}
		defer func() { _ = lock.Unlock() }()
	}
	err = env.withProgress(func(ctx context.Context) (err error) {
		done, err = db.Restore(ctx, o, c.File, env.actor())
		return err
	})
	if err != nil {
		return err
	}
	return c.report(env, c.File, done)
}

// report tells what a restore ended.
func (c *restoreCommand) report(env *commandEnv, what string, done db.RestoreResult) error {
	fmt.Fprintf(env.Stdout, "%s is the workspace's database now.\nIts newest activity: %s.\n", what,
		env.date(done.NewestActivity))
	if done.Previous != "" {
		fmt.Fprintf(env.Stdout, "The database from before is kept as %s; delete it when nobody misses anything.\n",
			done.Previous)
	}
	fmt.Fprintf(env.Stdout, `Ended: %s, %s under way, %s for invitations and passwords, and all known browsers. Everybody signs in again.
Kept as the backup had it: people, passwords, roles, the policy, second steps, recovery codes and the activity.
Recovery codes that were used after the backup work again, because voiding them all would lock out whoever has lost the phone: ask whoever used one to make a new set.
Authenticator codes of this minute are used up; the next ones work.
`, countOf(int(done.Sessions), "session"), countOf(int(done.Challenges), "sign-in"), countOf(int(done.Links), "link"))
	return nil
}

// requireDataDir refuses a data directory that holds neither a workspace nor a key:
// it may be mistyped, and no backup opens without its key.
func (env *commandEnv) requireDataDir() error {
	has, err := env.hasWorkspace()
	if has || err != nil {
		return err
	}
	key := env.flags.KeyFile
	if key == "" {
		key = filepath.Join(env.flags.Data, files.KeyName)
	}
	_, err = os.Stat(key)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no workspace in %s, and no key file %s; name the directory with --data, "+
			"or put the backup's key in its place first", env.flags.Data, key)
	}
	return err
}
