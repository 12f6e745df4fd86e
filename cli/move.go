package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/db"
	"gatehouse/db/files"

	"github.com/gofrs/flock"
)

type moveCommand struct {
	From string `help:"The data directory that holds the workspace." required:"" placeholder:"DIR"`
	To   string `help:"The data directory that is to hold it; its key file is there already." required:"" placeholder:"DIR"`
}

// Run copies a workspace that nobody serves to where there is none, and sets it aside.
func (c *moveCommand) Run(env *commandEnv) error {
	if filepath.Clean(c.From) == filepath.Clean(c.To) {
		return usageError("--from and --to must be two databases")
	}
	if _, err := os.Stat(filepath.Join(c.From, db.FileName)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no workspace in %s; name its directory with --from", c.From)
	} else if err != nil {
		return fmt.Errorf("cannot look into the data directory: %w", err)
	}
	for _, dir := range []string{c.From, c.To} {
		lock, err := lockForMove(dir)
		if err != nil {
			return err
		}
		defer func() { _ = lock.Unlock() }()
	}
	done, err := db.Move(env.ctx, env.movePlace(c.From), env.movePlace(c.To))
	if err != nil {
		return err
	}
	if done.WasWhole {
		fmt.Fprintf(env.Stdout, "%s held all of it already.\n", c.To)
	}
	fmt.Fprintf(env.Stdout, "%s holds the workspace now: %s of %s, each compared, and every sealed secret opens.\n",
		c.To, countOf(int(done.Rows), "row"), countOf(int(done.Tables), "table"))
	if done.Aside != "" {
		fmt.Fprintf(env.Stdout, "The old database is kept as %s; delete it when nobody misses anything.\n", done.Aside)
	}
	return nil
}

// movePlace is one end of a move.
func (env *commandEnv) movePlace(dir string) db.Options {
	return db.Options{
		Dir:     dir,
		KeyFile: env.flags.KeyFile,
		Schema:  env.Files.Schema,
		Times:   db.DefaultTimes,
		Now:     env.now(),
	}
}

// lockForMove takes a data directory, so that nobody serves it meanwhile.
func lockForMove(dir string) (*flock.Flock, error) {
	lock, err := lockDir(dir)
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("a server runs on %s; stop it before moving", files.Quoted(dir))
	}
	return lock, err
}
