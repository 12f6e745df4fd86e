// Package move copies a whole workspace from one database to another, whatever engine
// either has. It reads what tables and columns there are from both catalogues, so that
// none can be forgotten, and knows neither keys nor rules.
package move

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"gatehouse/db/engine"
)

// A Side is one of the two databases.
type Side struct {
	Kind engine.Kind
	DB   *sql.DB

	// Prepare makes the target's tables where there are none, in the transaction that
	// fills them; nil where they are there.
	Prepare func(ctx context.Context, tx *sql.Tx) error
}

// ErrNotEmpty refuses a target that holds something.
var ErrNotEmpty = errors.New("the target holds rows already")

// Copy copies every row of every table from one snapshot of the source into the target,
// whose tables are empty, in one transaction. Before that commits, each table is
// read back and compared, and prove looks at the target; cut off anywhere, the target
// stays empty.
func Copy(ctx context.Context, from, to Side, prove func(ctx context.Context, tx *sql.Tx) error) ([]Content, error) {
	source, err := from.snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the source: %w", err)
	}
	defer func() { _ = source.Rollback() }()
	target, err := to.DB.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("writing the target: %w", err)
	}
	defer func() { _ = target.Rollback() }()
	tables, err := to.begin(ctx, target)
	if err != nil {
		return nil, fmt.Errorf("writing the target: %w", err)
	}
	present, err := from.Kind.Catalogue(ctx, source)
	if err != nil {
		return nil, fmt.Errorf("reading the source: %w", err)
	}
	if err := compareCatalogues(present, tables); err != nil {
		return nil, err
	}
	one, err := counting(ctx, source, tables)
	if err != nil {
		return nil, fmt.Errorf("reading the source: %w", err)
	}
	var all []Content
	for _, t := range tables {
		copied, err := copyTable(ctx, source, target, to.Kind, t, one(engine.StepCopying))
		if err != nil {
			return nil, fmt.Errorf("copying %s: %w", t.Name, err)
		}
		all = append(all, copied)
	}
	for i, t := range tables { // once all are there, so that nothing changes afterwards
		found, err := readContent(ctx, target, t, one(engine.StepComparing))
		if err != nil {
			return nil, fmt.Errorf("reading %s back: %w", t.Name, err)
		}
		if found != all[i] {
			return nil, fmt.Errorf("%s reads back differently (%d rows, written were %d); nothing was kept", t.Name,
				found.Rows, all[i].Rows)
		}
	}
	if prove != nil {
		if err := prove(ctx, target); err != nil {
			return nil, err
		}
	}
	if err := target.Commit(); err != nil {
		return nil, fmt.Errorf("committing: %w", err)
	}
	return all, nil
}

// Contents reads what a database holds, in one snapshot.
func Contents(ctx context.Context, of Side) ([]Content, error) {
	tx, err := of.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	tables, err := of.Kind.Catalogue(ctx, tx)
	if err != nil {
		return nil, err
	}
	one, err := counting(ctx, tx, tables)
	if err != nil {
		return nil, err
	}
	var all []Content
	for _, t := range tables {
		found, err := readContent(ctx, tx, t, one(engine.StepComparing))
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", t.Name, err)
		}
		all = append(all, found)
	}
	return all, nil
}

// snapshot begins a transaction that sees one state of the database.
func (s Side) snapshot(ctx context.Context) (*sql.Tx, error) {
	options := &sql.TxOptions{ReadOnly: true}
	if s.Kind == engine.Postgres {
		options.Isolation = sql.LevelRepeatableRead
	}
	tx, err := s.DB.BeginTx(ctx, options)
	if err != nil {
		return nil, err
	}
	if err := s.unlimited(ctx, tx); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

// begin looks at the target: its tables are empty.
func (s Side) begin(ctx context.Context, tx *sql.Tx) ([]engine.Table, error) {
	if err := s.unlimited(ctx, tx); err != nil {
		return nil, err
	}
	if s.Prepare != nil {
		if err := s.Prepare(ctx, tx); err != nil {
			return nil, err
		}
	}
	tables, err := s.Kind.Catalogue(ctx, tx)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		var some bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+t.Name+`)`).Scan(&some); err != nil {
			return nil, fmt.Errorf("looking into %s: %w", t.Name, err)
		}
		if some {
			return nil, fmt.Errorf("%w (in %s)", ErrNotEmpty, t.Name)
		}
	}
	return tables, nil
}

// unlimited lifts the limits that a server's role has for pages and steps.
func (s Side) unlimited(ctx context.Context, tx *sql.Tx) error {
	if s.Kind != engine.Postgres {
		return nil
	}
	_, err := tx.ExecContext(ctx, `SELECT set_config('statement_timeout', '0', TRUE),
		set_config('idle_in_transaction_session_timeout', '0', TRUE)`)
	return err
}

// compareCatalogues refuses two databases whose tables or columns differ, in their order
// too: one of them is of another version.
func compareCatalogues(source, target []engine.Table) error {
	for _, sides := range []struct {
		these, those []engine.Table
		missing      string
	}{{source, target, "the target"}, {target, source, "the source"}} {
		for _, t := range sides.these {
			i := slices.IndexFunc(sides.those, func(o engine.Table) bool { return o.Name == t.Name })
			if i < 0 {
				return fmt.Errorf("%s has no table %s; both must be of one version", sides.missing, t.Name)
			}
			if !slices.Equal(t.Names(), sides.those[i].Names()) {
				return fmt.Errorf("the columns of %s differ; both must be of one version", t.Name)
			}
		}
	}
	return nil
}
