package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/db/engine"
	"gatehouse/db/seal"
)

// What can go wrong with a database on a server, for who has to answer meanwhile.

// ErrUnknownOutcome is the answer to a step that was being committed when the connection
// to the database was lost. Nobody knows whether it was: a code may be used up.
var ErrUnknownOutcome = engine.ErrUnknown

// IsUnavailable reports whether the database did not answer, or not in time.
func IsUnavailable(err error) bool { return engine.IsUnavailable(err) }

// IsUnknown reports whether nobody knows if something was committed.
func IsUnknown(err error) bool { return errors.Is(err, engine.ErrUnknown) }

// ErrNoWorkspace refuses a database that holds nothing, and is not to be given a
// workspace.
var ErrNoWorkspace = errors.New("the database holds no workspace yet")

// openServer connects to the server of a database.
func openServer(ctx context.Context, o Options) (*engine.PostgresDB, error) {
	return engine.OpenPostgres(ctx, engine.PostgresOptions{
		URL:         o.Database,
		Insecure:    o.InsecureDatabase,
		Volatile:    o.VolatileDatabase,
		Wait:        o.DatabaseWait,
		Locks:       lockStatements,
		IsCommitted: isCountedRefusal,
	})
}

// openPostgres opens the workspace of a PostgreSQL database, and makes it where the
// database is empty and its key is there, or is to be made. What cannot keep it is
// refused, and nothing written.
func openPostgres(ctx context.Context, o Options) (*Store, error) {
	pg, err := openServer(ctx, o)
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
// which this program and this key serve. Tables of an older version are brought up to date
// where that is allowed, and this role owns them.
func (s *Store) prepare(ctx context.Context, pg *engine.PostgresDB, o Options) error {
	version, has, err := lookAtServer(ctx, pg.Pool())
	switch {
	case err != nil:
		return err
	case !has:
		if err := s.makeOnServer(ctx, pg, o); err != nil {
			return err
		}
	case version < newestSchema && o.Upgrade:
		if err := s.openLookupKey(ctx); err != nil { // another key changes nothing
			return err
		}
		if err := upgradeServer(ctx, pg, o); err != nil {
			return err
		}
	case version < newestSchema:
		return olderServerError(version)
	}
	if err := s.checkSchema(ctx); err != nil {
		return err
	}
	return s.openLookupKey(ctx)
}

// lookAtServer returns the schema of a database's tables, 0 where there are none, and
// whether there is a workspace in them.
func lookAtServer(ctx context.Context, pool *sql.DB) (version int, has bool, err error) {
	version, err = tablesVersion(ctx, pool)
	if err == nil && version > 0 {
		err = pool.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM workspace)`).Scan(&has)
	}
	if err != nil && !engine.IsUnavailable(err) && version > 0 {
		err = fmt.Errorf("this role may not read the workspace; let it with gatehouse migrate --server-role ROLE: %w", err)
	}
	return version, has, err
}

// HasWorkspace reports whether a server's database holds a workspace.
func HasWorkspace(ctx context.Context, o Options) (bool, error) {
	pg, err := openServer(ctx, o)
	if err != nil {
		return false, err
	}
	_, has, err := lookAtServer(ctx, pg.Pool())
	return has, errors.Join(err, pg.Close())
}

// olderServerError says who brings the tables up to date.
func olderServerError(version int) error {
	return fmt.Errorf("the database was written by an older Gatehouse (schema %d, this one uses %d); run gatehouse migrate "+
		"with the role that owns the tables", version, newestSchema)
}

// upgradeServer brings the tables up to date, if this role owns them.
func upgradeServer(ctx context.Context, pg *engine.PostgresDB, o Options) error {
	var owns bool
	var version int
	err := pg.Pool().QueryRowContext(ctx, `SELECT pg_has_role(relowner, 'USAGE'), (SELECT schema FROM workspace)
		FROM pg_catalog.pg_class WHERE oid = 'workspace'::regclass`).Scan(&owns, &version)
	if err != nil {
		return fmt.Errorf("looking for the owner of the tables: %w", err)
	}
	if !owns {
		return olderServerError(version)
	}
	_, err = migrateServer(ctx, pg.Pool(), serverSchema{o.Schema, postgresSteps, oldestSchema}, "")
	return err
}

// makeOnServer makes the workspace. Of several nodes that find none one makes it.
func (s *Store) makeOnServer(ctx context.Context, pg *engine.PostgresDB, o Options) error {
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
	tx, err := pg.Pool().BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("making the workspace: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := (serverSchema{o.Schema, postgresSteps, oldestSchema}).prepare(ctx, tx); err != nil {
		return err
	}
	lookup, err := keys.Seal(seal.NewKey(), lookupKeyLabel)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, insertWorkspace+` ON CONFLICT (id) DO NOTHING`, o.Workspace, keys.ID(), lookup, o.Now.Unix(),
		newestSchema, oldestSchema)
	if err != nil {
		return fmt.Errorf("making the workspace: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("making the workspace: %w", err)
	}
	return nil
}

// checkSchema refuses a workspace of another version, and one that lives elsewhere.
func (s *Store) checkSchema(ctx context.Context) error {
	var schema, oldest int
	var moved bool
	err := s.row(ctx, `SELECT schema, oldest, moved_at IS NOT NULL FROM workspace`).Scan(&schema, &oldest, &moved)
	switch {
	case err != nil:
		return fmt.Errorf("reading the workspace: %w", err)
	case oldest > newestSchema:
		return schemaError(oldest)
	case moved:
		return movedError()
	case schema < newestSchema:
		return olderServerError(schema)
	}
	return nil
}

// requireOwner refuses a role of a server that does not own the tables: it may not lift
// the trigger.
func (s *Store) requireOwner(ctx context.Context) error {
	if s.kind != engine.Postgres {
		return nil
	}
	var owns bool
	err := s.reader.Pool().QueryRowContext(ctx, `SELECT pg_has_role(relowner, 'USAGE') FROM pg_catalog.pg_class
		WHERE oid = 'activity'::regclass`).Scan(&owns)
	if err == nil && !owns {
		err = errors.New("this role of the database may not delete activity; name the role that owns the tables in the database's address")
	}
	return err
}

// pingServer writes this node's own row as it is, for which nobody else waits.
func (s *Store) pingServer(ctx context.Context, now time.Time) error {
	if err := s.fitness.refuse(); err != nil {
		return err
	}
	due, last := s.health.isDue(now)
	if !due {
		return notTried(last)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { // a server that has vanished is noticed later than that
		done <- s.writeUnfit(ctx, lockNothing(), func(t *tx) error {
			_, err := t.exec(`UPDATE node SET ahead = ahead WHERE id = $1`, s.fitness.node())
			return err
		})
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.DeadlineExceeded
	}
	if err != nil {
		err = fmt.Errorf("writing to the database: %w", err)
	}
	s.health.note(err)
	return err
}
