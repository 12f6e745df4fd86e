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

type moveCommand struct {
	From string `help:"Where the workspace is: a data directory, the address of a PostgreSQL database, or a file that holds one." required:"" placeholder:"PLACE"`
	To   string `help:"Where it is to be, likewise. A data directory holds the workspace's key file already." required:"" placeholder:"PLACE"`
}

// Run copies a workspace that nobody serves to where there is none, and sets it aside.
func (c *moveCommand) Run(env *commandEnv) error {
	from, err := env.place(c.From)
	if err != nil {
		return err
	}
	to, err := env.place(c.To)
	if err != nil {
		return err
	}
	if c.From == c.To || from.Database == "" && to.Database == "" && filepath.Clean(c.From) == filepath.Clean(c.To) {
		return usageError("--from and --to must be two databases")
	}
	if from.Database != "" && to.Database != "" && from.KeyFile == "" {
		return usageError("the key file lies in neither place; name it with --key-file")
	}
	if from.Dir == "" {
		from.Dir = to.Dir // where the key file is
	}
	if to.Dir == "" {
		to.Dir = from.Dir
	}
	if from.Database == "" {
		if _, err := os.Stat(filepath.Join(c.From, db.FileName)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no workspace in %s; name its directory with --from", c.From)
		} else if err != nil {
			return fmt.Errorf("cannot look into the data directory: %w", err)
		}
	}
	for _, place := range []db.Options{from, to} {
		if place.Database != "" {
			continue
		}
		lock, err := lockForMove(place.Dir)
		if err != nil {
			return err
		}
		defer func() { _ = lock.Unlock() }()
	}
	var done db.MoveResult
	err = env.withProgress(func(ctx context.Context) (err error) {
		done, err = db.Move(ctx, from, to)
		return err
	})
	if err != nil {
		return err
	}
	if done.WasWhole {
		fmt.Fprintf(env.Stdout, "%s held all of it already.\n", placeName(to))
	}
	fmt.Fprintf(env.Stdout, "%s holds the workspace now: %s of %s, each compared, and every sealed secret opens.\n",
		placeName(to), countOf(int(done.Rows), "row"), countOf(int(done.Tables), "table"))
	switch {
	case done.Aside != "":
		fmt.Fprintf(env.Stdout, "The old database is kept as %s; delete it when nobody misses anything.\n", done.Aside)
	default:
		fmt.Fprintln(env.Stdout, "The old database is marked as moved, and no server takes it any more; drop it when nobody misses anything.")
	}
	return nil
}

// placeName names one end of a move, without a password.
func placeName(o db.Options) string {
	if o.Database != "" {
		return "The PostgreSQL database"
	}
	return o.Dir
}

// lockForMove takes a data directory, so that nobody serves it meanwhile.
func lockForMove(dir string) (*flock.Flock, error) {
	lock, err := lockDir(dir)
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("a server runs on %s; stop it before moving", files.Quoted(dir))
	}
	return lock, err
}
