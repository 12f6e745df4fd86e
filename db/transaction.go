package db

import (
	"context"
	"database/sql"
	"time"

	"gatehouse/db/engine"
)

// A tx is one transaction, with the statements that several changes share.
type tx struct {
	*engine.Tx
	signIns []SignInCount // what it wrote of sign-ins, counted once it is committed
	tallied map[tallyKey]int64
	store   *Store
}

// write runs do in one transaction, all of it or nothing, under the lock of what it
// changes. What do did is committed when it succeeds or refuses a code, since the
// counting must last.
func (s *Store) write(ctx context.Context, lock engine.Lock, do func(*tx) error) error {
	if err := s.fitness.refuse(); err != nil {
		return err
	}
	return s.writeUnfit(ctx, lock, do)
}

// writeUnfit is write for what a process may say of itself even if it may not write
// anything else.
func (s *Store) writeUnfit(ctx context.Context, lock engine.Lock, do func(*tx) error) error {
	return s.counting(do, func(do func(*engine.Tx) error) error { return s.writer.Write(ctx, lock, do) })
}

// writeWithin is write for the commands whose work grows with the workspace.
func (s *Store) writeWithin(ctx context.Context, limit time.Duration, lock engine.Lock, do func(*tx) error) error {
	if err := s.fitness.refuse(); err != nil {
		return err
	}
	return s.counting(do, func(do func(*engine.Tx) error) error { return s.writer.WriteWithin(ctx, limit, lock, do) })
}

// counting runs a write, and counts the sign-ins of what was committed.
func (s *Store) counting(do func(*tx) error, write func(func(*engine.Tx) error) error) error {
	var last *tx
	err := write(func(t *engine.Tx) error {
		last = &tx{Tx: t, store: s} // anew: it may run twice
		err := do(last)
		if err == nil || isCountedRefusal(err) {
			if tally := last.writeTally(); tally != nil {
				return tally
			}
		}
		return err
	})
	if last != nil && (err == nil || isCountedRefusal(err)) {
		s.signIns.add(last.signIns...)
	}
	return err
}

// row and rows read without a transaction.

type row = engine.Row

func (s *Store) row(ctx context.Context, query string, args ...any) row {
	return s.reader.Row(ctx, query, args...)
}

func (s *Store) rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.reader.Rows(ctx, query, args...)
}

// exec runs a statement and returns the number of rows that it changed.
func (t *tx) exec(query string, args ...any) (int64, error) { return t.Exec(query, args...) }

// execOne runs a statement that must change exactly one row: a race that was lost is a
// fault, and nothing of the transaction stays.
func (t *tx) execOne(query string, args ...any) error { return t.ExecOne(query, args...) }

func (t *tx) row(query string, args ...any) row { return t.Row(query, args...) }

func (t *tx) rows(query string, args ...any) (*sql.Rows, error) { return t.Rows(query, args...) }
