package db

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"gatehouse/db/engine"
	"gatehouse/db/seal"
)

// A Node is one process that serves the workspace beside others.
type Node struct {
	ID      string // random, another one after each start
	Name    string // the machine's, and where it listens
	Version string // of the program
	Schema  int    // the newest that it knows

	HasKey    bool          // the key that seals the workspace
	NextKey   string        // which key it has for the next rotation, in hexadecimal; "" for none
	Ahead     time.Duration // of the database's clock
	StartedAt time.Time
	SeenAt    time.Time
}

// BeatInterval is how often a node says that it is there, and nodeTTL for how long it
// counts as there.
const (
	BeatInterval = 10 * time.Second
	nodeTTL      = 30 * time.Second
)

// IsThere reports whether the node has said so lately. Clocks may differ a little.
func (n Node) IsThere(now time.Time) bool { return n.SeenAt.After(now.Add(-nodeTTL)) }

// How far the clock of a node may be off that of the database's server: a little is told
// of, much stops it, since codes, waits and sessions of all nodes are compared.
const (
	ClockWarns = 2 * time.Second
	ClockStops = 10 * time.Second
)

// An UnfitError is why this process may not write beside the others now: what it tells of
// itself is in Cause.
type UnfitError struct {
	Cause  string // key, clock, schema or moved, for /healthz
	reason string
}

func (e *UnfitError) Error() string { return e.reason }

// fitness is what the last look at the others came to.
type fitness struct {
	unfit atomic.Pointer[UnfitError]
	id    atomic.Pointer[string] // of the node, once it has said that it is there
}

// node is the id under which this process serves; "" for one that does not.
func (f *fitness) node() string {
	if id := f.id.Load(); id != nil {
		return *id
	}
	return ""
}

// refuse gives an error while this process is unfit.
func (f *fitness) refuse() error {
	if unfit := f.unfit.Load(); unfit != nil {
		return unfit
	}
	return nil
}

// Ahead is by how much this process's clock was ahead of the database's when it was
// looked at last.
func (s *Store) Ahead() time.Duration { return time.Duration(s.ahead.Load()) }

// IsShared reports whether other processes may serve the same database.
func (s *Store) IsShared() bool { return s.shared }

// ClockAhead measures by how much the clock of this process is ahead of that of the
// database's server.
func (s *Store) ClockAhead(ctx context.Context, clock func() time.Time) (time.Duration, error) {
	before := clock()
	var theirs int64
	if err := s.row(ctx, s.kind.ClockQuery()).Scan(&theirs); err != nil {
		return 0, fmt.Errorf("reading the database's clock: %w", err)
	}
	after := clock()
	return before.Add(after.Sub(before) / 2).Sub(time.UnixMilli(theirs)), nil
}

// clockError says what to do about a clock that is off too far.
func clockError(ahead time.Duration) *UnfitError {
	return &UnfitError{"clock", fmt.Sprintf("this machine's clock is %s the database server's; set both right (timedatectl), "+
		"since codes and sessions count by the clock", describeAhead(ahead))}
}

func describeAhead(ahead time.Duration) string {
	seconds := math.Round(ahead.Seconds()*10) / 10
	if seconds < 0 {
		return fmt.Sprintf("%g s behind", -seconds)
	}
	return fmt.Sprintf("%g s ahead of", seconds)
}

// Beat says that a node is there, and looks whether it may be: whether its clock, its key
// and its schema are those of the others. If not, nothing is written from now on but the
// row that says so, and the result is an UnfitError.
func (s *Store) Beat(ctx context.Context, n Node, clock func() time.Time) error {
	ahead, err := s.ClockAhead(ctx, clock)
	if err != nil {
		return err
	}
	unfit, keyID, err := s.findUnfit(ctx)
	if err != nil {
		return err
	}
	if unfit == nil && ahead.Abs() > ClockStops {
		unfit = clockError(ahead)
	}
	s.fitness.unfit.Store(unfit)
	s.fitness.id.Store(&n.ID)
	s.ahead.Store(int64(ahead))
	now := clock()
	next, err := s.nextKeyID(keyID)
	if err != nil {
		return err
	}
	err = s.writeUnfit(ctx, lockNothing(), func(t *tx) error {
		if _, err := t.exec(`INSERT INTO node (id, name, version, schema, key_id, next_key_id, ahead, started_at, seen_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (id) DO UPDATE SET key_id = excluded.key_id, next_key_id = excluded.next_key_id,
				ahead = excluded.ahead, seen_at = excluded.seen_at`,
			n.ID, n.Name, n.Version, newestSchema, keyID, next, ahead.Milliseconds(), unix(n.StartedAt), unix(now)); err != nil {
			return err
		}
		_, err := t.exec(`DELETE FROM node WHERE seen_at < $1`, unix(now.Add(-24*time.Hour)))
		return err
	})
	if err == nil && unfit != nil {
		return unfit
	}
	return err
}

// nextKeyID tells which key waits for the next rotation. One that the workspace has been
// sealed with meanwhile takes the key file's place, where this process may do that; it
// is read from its own place otherwise.
func (s *Store) nextKeyID(current []byte) ([]byte, error) {
	next, err := seal.NextKeyID(s.keyFile)
	if err != nil || !bytes.Equal(next, current) {
		return next, err
	}
	_ = seal.AdoptNextKey(s.keyFile, s.keys.Load())
	return nil, nil
}

// findUnfit looks whether the workspace is one for this program, here, with this key. It
// returns which key this process has.
func (s *Store) findUnfit(ctx context.Context) (unfit *UnfitError, keyID []byte, err error) {
	var id []byte
	var oldest int
	var moved bool
	err = s.row(ctx, `SELECT key_id, oldest, moved_at IS NOT NULL FROM workspace`).Scan(&id, &oldest, &moved)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the workspace: %w", err)
	}
	keys, keyErr := s.keyringByID(id)
	switch {
	case moved:
		unfit = movedError()
	case oldest > newestSchema:
		unfit = schemaError(oldest)
	case keyErr != nil:
		unfit = &UnfitError{"key", keyErr.Error()}
	}
	if keyErr != nil {
		keys = s.keys.Load()
	}
	return unfit, keys.ID(), nil
}

// movedError refuses a workspace that lives elsewhere now.
func movedError() *UnfitError {
	return &UnfitError{"moved", "the workspace was moved to another database; serve that one"}
}

// schemaError refuses a workspace that a newer program has changed.
func schemaError(oldest int) *UnfitError {
	return &UnfitError{"schema", fmt.Sprintf("the workspace needs a newer Gatehouse (schema %d, this one knows %d); use that version", oldest, newestSchema)}
}

// Leave says that a node stops.
func (s *Store) Leave(ctx context.Context, id string) error {
	return s.writeUnfit(ctx, lockNothing(), func(t *tx) error {
		_, err := t.exec(`DELETE FROM node WHERE id = $1`, id)
		return err
	})
}

// Nodes lists who serves the workspace, in the order of names.
func (s *Store) Nodes(ctx context.Context) ([]Node, error) {
	var current []byte
	if err := s.row(ctx, `SELECT key_id FROM workspace`).Scan(&current); err != nil {
		return nil, fmt.Errorf("reading the workspace: %w", err)
	}
	rows, err := s.rows(ctx, `SELECT id, name, version, schema, key_id, next_key_id, ahead, started_at, seen_at
		FROM node ORDER BY name, started_at, id`)
	if err != nil {
		return nil, fmt.Errorf("reading the nodes: %w", err)
	}
	defer rows.Close()
	var all []Node
	for rows.Next() {
		var n Node
		var key, next []byte
		var ahead, started, seen int64
		if err := rows.Scan(&n.ID, &n.Name, &n.Version, &n.Schema, &key, &next, &ahead, &started, &seen); err != nil {
			return nil, fmt.Errorf("reading a node: %w", err)
		}
		n.HasKey, n.NextKey = bytes.Equal(key, current), hex.EncodeToString(next)
		n.Ahead = time.Duration(ahead) * time.Millisecond
		n.StartedAt, n.SeenAt = time.Unix(started, 0).UTC(), time.Unix(seen, 0).UTC()
		all = append(all, n)
	}
	return all, rows.Err()
}

// A Status is what an administrator of the machines asks after.
type Status struct {
	Engine string // SQLite, or PostgreSQL
	Schema int    // of the workspace
	Oldest int    // which a program must know at least
	Newest int    // that this program knows
	Moved  bool   // the workspace is served elsewhere now
	Nodes  []Node // where several may serve
}

// Status reads it.
func (s *Store) Status(ctx context.Context) (Status, error) {
	st := Status{Engine: "SQLite", Newest: newestSchema}
	if s.kind == engine.Postgres {
		st.Engine = "PostgreSQL"
	}
	err := s.row(ctx, `SELECT schema, oldest, moved_at IS NOT NULL FROM workspace`).Scan(&st.Schema, &st.Oldest, &st.Moved)
	if err != nil {
		return st, fmt.Errorf("reading the workspace: %w", err)
	}
	st.Nodes, err = s.Nodes(ctx)
	return st, err
}

// nodesThere names the nodes that serve the workspace now.
func (s *Store) nodesThere(ctx context.Context, now time.Time) ([]Node, error) {
	all, err := s.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	var there []Node
	for _, n := range all {
		if n.IsThere(now) {
			there = append(there, n)
		}
	}
	return there, nil
}
