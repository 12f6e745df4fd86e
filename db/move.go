package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse/db/engine"
	"gatehouse/db/files"
	"gatehouse/db/move"
	"gatehouse/db/seal"
)

// MoveResult tells what a move copied.
type MoveResult struct {
	Tables, Rows int64
	Aside        string // the name that the source's file has now; "" where it has none
	WasWhole     bool   // all was there already, of a move that lacked only its last step
}

// Move copies a workspace into a database that holds none, whatever engine either has,
// and sets the source aside. Whoever calls it holds a source that is a file, so that nobody
// serves it; one on a server is held here.
//
// Everything is copied from one snapshot in one transaction of the target. Before that
// commits, each table is read back and compared, and every sealed secret is opened there.
// Cut off before the commit, the target is empty and the source serves. Cut off after
// it, a second move finds the same content on both sides, and sets the source aside.
func Move(ctx context.Context, from, to Options) (MoveResult, error) {
	var done MoveResult
	source, err := openSource(ctx, from)
	if err != nil {
		return done, err
	}
	held, err := source.hold(ctx, from.Now)
	if err != nil {
		return done, errors.Join(err, source.Close())
	}
	contents, whole, err := copyTo(ctx, source, to)
	if err != nil {
		return done, errors.Join(err, held.release(), source.Close())
	}
	done.WasWhole = whole
	for _, c := range contents {
		done.Tables++
		done.Rows += c.Rows
	}
	if source.kind == engine.Postgres {
		return done, errors.Join(held.markMoved(ctx, from.Now), source.Close())
	}
	done.Aside, err = source.setAsideMoved(ctx, from.Now)
	return done, err
}

// openSource opens a workspace that is to be moved.
func openSource(ctx context.Context, o Options) (*Store, error) {
	o.KeyFile, o.Upgrade, o.Schema = o.keyFile(), false, "" // without a schema nothing is made
	if o.Database != "" {
		return openPostgres(ctx, o)
	}
	return openFile(ctx, filepath.Join(o.Dir, FileName), o, migrations, nil)
}

// A holding keeps a source on a server as it is: nobody begins to serve it, and nothing is
// written. On SQLite it is nothing.
type holding struct{ tx *sql.Tx }

// hold refuses a source that is served, and keeps it as it is until it is released. Reading
// goes on.
func (s *Store) hold(ctx context.Context, now time.Time) (holding, error) {
	if s.kind != engine.Postgres {
		return holding{}, nil
	}
	tables, err := engine.Postgres.Catalogue(ctx, s.reader.Pool())
	if err != nil {
		return holding{}, err
	}
	var names []string
	for _, t := range tables {
		if !slices.Contains(appendOnly, t.Name) { // whose rows are written with others, after a lock
			names = append(names, t.Name)
		}
	}
	tx, err := s.reader.Pool().BeginTx(ctx, nil)
	if err != nil {
		return holding{}, fmt.Errorf("holding the source: %w", err)
	}
	h := holding{tx}
	err = engine.Unlimited(ctx, tx)
	if err == nil {
		_, err = tx.ExecContext(ctx, `SELECT set_config('lock_timeout', '5s', TRUE)`)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `LOCK TABLE `+strings.Join(names, ", ")+` IN EXCLUSIVE MODE`)
	}
	if err == nil {
		err = s.requireUnserved(ctx, now)
	}
	if err != nil {
		return holding{}, errors.Join(fmt.Errorf("holding the source: %w", err), h.release())
	}
	return h, nil
}

// requireUnserved refuses a workspace that a node serves.
func (s *Store) requireUnserved(ctx context.Context, now time.Time) error {
	nodes, err := s.nodesThere(ctx, now)
	if err != nil || len(nodes) == 0 {
		return err
	}
	return fmt.Errorf("%s serves the workspace; stop all nodes first (one that was killed counts for %s more)", nodes[0].Name, nodeTTL)
}

func (h holding) release() error {
	if h.tx == nil {
		return nil
	}
	return h.tx.Rollback()
}

// markMoved sets the source aside: no program serves it any more.
func (h holding) markMoved(ctx context.Context, now time.Time) error {
	_, err := h.tx.ExecContext(ctx, `UPDATE workspace SET moved_at = $1`, unix(now))
	if err == nil {
		err = h.tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("the target is whole, but the source could not be set aside; move again, which finds both alike: %w", err)
	}
	return nil
}

// copyTo copies the workspace to where there is none.
func copyTo(ctx context.Context, source *Store, to Options) (contents []move.Content, whole bool, err error) {
	keys := source.keys.Load()
	target, err := makeTarget(ctx, to, keys)
	if errors.Is(err, errHasWorkspace) {
		contents, err = sameContents(ctx, source, to, err)
		return contents, true, err
	}
	if err != nil {
		return nil, false, err
	}
	contents, err = move.Copy(ctx, source.side(), target.side, func(ctx context.Context, tx *sql.Tx) error {
		return proveSealed(ctx, tx, keys)
	})
	if err != nil {
		return nil, false, errors.Join(fmt.Errorf("moving the workspace: %w", err), target.abandon())
	}
	return contents, false, target.finish()
}

// errHasWorkspace refuses a target that is in use.
var errHasWorkspace = errors.New("there is a workspace already")

// sameContents reads both sides after a move that was cut off. If they differ, the error
// is why the target was refused.
func sameContents(ctx context.Context, source *Store, to Options, refused error) ([]move.Content, error) {
	target, err := openSource(ctx, to)
	if err != nil {
		return nil, errors.Join(refused, err)
	}
	defer func() { _ = target.Close() }()
	these, err := move.Contents(ctx, source.side())
	if err != nil {
		return nil, err
	}
	those, err := move.Contents(ctx, target.side())
	if err != nil {
		return nil, err
	}
	if !slices.Equal(these, those) {
		return nil, refused
	}
	return these, nil
}

// side is the store as a move reads it.
func (s *Store) side() move.Side { return move.Side{Kind: s.kind, DB: s.reader.Pool()} }

// A moveTarget is a database that is being filled.
type moveTarget struct {
	side            move.Side
	finish, abandon func() error
}

// makeTarget makes the database that a move fills.
func makeTarget(ctx context.Context, o Options, keys *seal.Keyring) (moveTarget, error) {
	if o.Database != "" {
		return newServerTarget(ctx, o)
	}
	path := filepath.Join(o.Dir, FileName)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return moveTarget{}, errors.Join(fmt.Errorf("%w in %s; name another directory", errHasWorkspace, o.Dir), err)
	}
	if err := files.MakeDir(o.Dir); err != nil {
		return moveTarget{}, fmt.Errorf("cannot make the data directory: %w", err)
	}
	if _, err := seal.FindKey(o.keyFile(), keys.ID()); err != nil {
		return moveTarget{}, fmt.Errorf("the target needs the workspace's key: %w", err)
	}
	return newFileTarget(path, o.Schema, files.CreateBeside)
}

// newServerTarget is a database on a server that holds no workspace.
func newServerTarget(ctx context.Context, o Options) (moveTarget, error) {
	pg, err := openServer(ctx, o)
	if err != nil {
		return moveTarget{}, err
	}
	version, has, err := lookAtServer(ctx, pg.Pool())
	switch {
	case err != nil:
	case has:
		err = fmt.Errorf("%w in the database; name an empty one", errHasWorkspace)
	case version > newestSchema:
		err = schemaError(version)
	}
	if err != nil {
		return moveTarget{}, errors.Join(err, pg.Close())
	}
	return moveTarget{
		side: move.Side{Kind: engine.Postgres, DB: pg.Pool(), Prepare: func(ctx context.Context, tx *sql.Tx) error {
			_, err := serverSchema{o.Schema, postgresSteps, oldestSchema}.prepare(ctx, tx)
			return err
		}},
		finish:  pg.Close,
		abandon: pg.Close,
	}, nil
}

// newFileTarget makes a file beside its place, in which it is put when it is whole.
func newFileTarget(path, schema string, create func(path string) (*os.File, error)) (moveTarget, error) {
	f, err := create(path)
	if err != nil {
		return moveTarget{}, fmt.Errorf("cannot make the database: %w", err)
	}
	made := f.Name()
	remove := func(err error) error { return errors.Join(err, files.RemoveDatabase(made)) }
	if err := f.Close(); err != nil {
		return moveTarget{}, remove(err)
	}
	file, err := engine.OpenFile(made, "rw", "foreign_keys(ON)", "trusted_schema(OFF)", "synchronous(FULL)")
	if err != nil {
		return moveTarget{}, remove(err)
	}
	return moveTarget{
		side: move.Side{Kind: engine.SQLite, DB: file, Prepare: func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, schema)
			return err
		}},
		finish: func() error {
			err := files.CheckIntegrity(context.Background(), file)
			if err := errors.Join(err, file.Close()); err != nil {
				return remove(err)
			}
			if err := files.Publish(made, path); err != nil {
				if errors.Is(err, fs.ErrExist) {
					err = fmt.Errorf("%s exists already; choose another name", path)
				}
				return remove(fmt.Errorf("cannot put the copy in place: %w", err))
			}
			return nil
		},
		abandon: func() error { return remove(file.Close()) },
	}, nil
}

// txRows runs queries in the transaction of a move.
type txRows struct {
	ctx context.Context
	tx  *sql.Tx
}

func (t txRows) rows(query string, args ...any) (*sql.Rows, error) {
	return t.tx.QueryContext(t.ctx, query, args...)
}

// proveSealed opens every sealed secret where it was copied to.
func proveSealed(ctx context.Context, tx *sql.Tx, keys *seal.Keyring) error {
	return eachSealed(ctx, txRows{ctx, tx}, StepOpening, func(c sealedColumn, r sealedRow) error {
		if _, err := c.open(keys, r); err != nil {
			return fmt.Errorf("%s: %w; run gatehouse check on the source", c.describe(r), err)
		}
		return nil
	})
}

// setAsideMoved closes the workspace, and gives its file another name, under which no
// server finds it: two live copies would take one code twice.
func (s *Store) setAsideMoved(ctx context.Context, now time.Time) (aside string, err error) {
	if err := s.Close(); err != nil {
		return "", err
	}
	aside, err = files.SetAside(ctx, s.path, "moved", now)
	if err == nil {
		err = os.Remove(s.path)
	}
	if err != nil {
		return "", fmt.Errorf("the target is whole, but the source cannot be set aside; move %s away: %w", s.path, err)
	}
	return aside, files.SyncDir(filepath.Dir(s.path))
}
