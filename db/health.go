package db

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"gatehouse/db/engine"
)

// pingInterval is how often Ping tries to write at most, whatever comes of it: anybody
// may ask after the server's health, and asking must not keep the writing connection or a
// failing disk busy.
const pingInterval = 5 * time.Second

// ErrNotTried marks an answer of Ping that is that of the last try to write.
var ErrNotTried = errors.New("writing was not tried again yet")

// health is what the last try to write came to.
type health struct {
	mu      sync.Mutex
	triedAt time.Time
	err     error
}

// isDue reports whether a try to write is due, and returns what the last one came to.
// When it is due, the caller is the one who tries.
func (h *health) isDue(now time.Time) (due bool, last error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if elapsed := now.Sub(h.triedAt); elapsed >= 0 && elapsed < pingInterval {
		return false, h.err
	}
	h.triedAt = now
	return true, h.err
}

func (h *health) note(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
}

// pingTimeout is how long a database on a server may take to answer.
const pingTimeout = 2 * time.Second

// Ping reports whether the database answers, for /healthz: it reads, and every five
// seconds at most it writes, since nothing else reveals a full or read-only disk. In
// between it gives what the last write came to; a fault is then marked with ErrNotTried.
// A database on a server is asked every five seconds at most for either, and a node that
// may not serve beside the others is not well.
func (s *Store) Ping(ctx context.Context, now time.Time) error {
	if s.kind == engine.Postgres {
		return s.pingServer(ctx, now)
	}
	var found int
	if err := s.row(ctx, `SELECT id FROM workspace`).Scan(&found); err != nil {
		return fmt.Errorf("reading the workspace: %w", err)
	}
	due, last := s.health.isDue(now)
	if !due {
		return notTried(last)
	}
	// Who asked may hang up: that is no fault of the database, and the next one
	// who asks gets this answer.
	err := s.write(context.WithoutCancel(ctx), lockNothing(), func(t *tx) error {
		// The version as it is: a change that alters nothing and still reaches the disk.
		var version int
		if err := t.row(`PRAGMA user_version`).Scan(&version); err != nil {
			return err
		}
		_, err := t.exec(`PRAGMA user_version = ` + strconv.Itoa(version))
		return err
	})
	if err != nil {
		err = fmt.Errorf("writing to the database: %w", err)
	}
	s.health.note(err)
	return err
}

// notTried marks what the last try came to.
func notTried(last error) error {
	if last == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrNotTried, last)
}
