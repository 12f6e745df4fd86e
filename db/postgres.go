package db

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gatehouse/db/engine"
	"gatehouse/db/seal"
)

// What can go wrong with a database on a server, for who has to answer meanwhile.

// ErrUnknownOutcome is the answer to a step that was being committed when the connection
// to the database was lost. Nobody knows whether it was: a code may be used up.
var ErrUnknownOutcome = engine.ErrUnknown

// IsUnavailable reports whether the database did not answer, or not in time.
func IsUnavailable(err error) bool { return engine.IsUnavailable(err) }

// ErrNoWorkspace refuses a database that holds nothing, and is not to be given a
// workspace.
var ErrNoWorkspace = errors.New("the database holds no workspace yet")

// openPostgres opens the workspace of a PostgreSQL database, and makes it where the
// database is empty and its key is there, or is to be made. What cannot keep it is
// refused, and nothing written.
func openPostgres(ctx context.Context, o Options) (*Store, error) {
	pg, err := engine.OpenPostgres(ctx, engine.PostgresOptions{
		URL:         o.Database,
		Insecure:    o.InsecureDatabase,
		Volatile:    o.VolatileDatabase,
		Wait:        o.DatabaseWait,
		Locks:       lockStatements,
		IsCommitted: isCountedRefusal,
	})
	if err != nil {
		return nil, err
	}
	s := newStore(o)
	s.kind, s.reader, s.writer, s.shared = engine.Postgres, pg, pg, true
	if err := s.prepare(ctx, pg, o); err != nil {
		return nil, errors.Join(err, pg.Close())
	}
	return s, nil
}

// prepare makes the workspace in an empty database, or proves that what is there is one
// which this program and this key serve.
func (s *Store) prepare(ctx context.Context, pg *engine.PostgresDB, o Options) error {
	empty, err := isEmpty(ctx, pg.Pool())
	if err == nil && empty {
		err = s.makeOnServer(ctx, o)
	}
	if err != nil {
		return err
	}
	if err := s.checkSchema(ctx); err != nil {
		return err
	}
	return s.openLookupKey(ctx)
}

// isEmpty reports whether a database holds no tables. It refuses one that holds tables of
// somebody else.
func isEmpty(ctx context.Context, q engine.Querier) (bool, error) {
	tables, err := engine.Postgres.Catalogue(ctx, q)
	if err == nil && len(tables) == 0 {
		return true, nil
	}
	if err != nil && engine.IsUnavailable(err) {
		return false, err
	}
	at := slices.IndexFunc(tables, func(t engine.Table) bool { return t.Name == "workspace" })
	if at < 0 || !slices.Contains(tables[at].Names(), "lookup_key") || !slices.Contains(tables[at].Names(), "oldest") {
		return false, errors.New("the database holds tables that are not Gatehouse's; name an empty one")
	}
	return false, nil
}

// makeOnServer makes the workspace. Of several nodes that find nothing one makes it.
func (s *Store) makeOnServer(ctx context.Context, o Options) error {
	if o.Schema == "" {
		return ErrNoWorkspace
	}
	if seal.IsMissing(o.KeyFile) && !o.NewWorkspace {
		return fmt.Errorf("%w, and there is no key file %s; bring the key file of the workspace, or make a new one with --new-workspace",
			ErrNoWorkspace, o.KeyFile)
	}
	keys, err := seal.ReadOrMakeKey(o.KeyFile)
	if err != nil {
		return err
	}
	return s.writer.WriteWithin(ctx, allSecretsTimeout, lockNothing(), func(t *engine.Tx) error {
		if _, err := t.Exec(`SELECT pg_advisory_xact_lock($1)`, int64(schemaLock)); err != nil {
			return err
		}
		var made bool
		if err := t.Row(`SELECT to_regclass('workspace') IS NOT NULL`).Scan(&made); err != nil || made {
			return err
		}
		return makeWorkspace(t, o, keys)
	})
}

// schemaLock is the advisory lock of whoever makes or changes the tables: "Gath".
const schemaLock = 1197569128

// checkSchema refuses a workspace of another version.
func (s *Store) checkSchema(ctx context.Context) error {
	var schema, oldest int
	if err := s.row(ctx, `SELECT schema, oldest FROM workspace`).Scan(&schema, &oldest); err != nil {
		return fmt.Errorf("reading the workspace: %w", err)
	}
	switch {
	case oldest > newestSchema:
		return fmt.Errorf("the database was written by a newer Gatehouse (schema %d, this one knows %d); use that version", schema, newestSchema)
	case schema < newestSchema:
		return fmt.Errorf("the database was written by an older Gatehouse (schema %d, this one uses %d); run gatehouse migrate", schema, newestSchema)
	}
	return nil
}
