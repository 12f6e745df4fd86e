package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gatehouse/account"
)

// lengthsTTL is how old the lengths of sessions that are kept in memory may be: a command on
// the machine, or another node, may change them.
const lengthsTTL = 5 * time.Second

// readLengths are the lengths of sessions, and when they were read.
type readLengths struct {
	account.SessionLengths
	at time.Time
}

// SessionLengths returns how long people stay signed in: what the server was started with,
// else what an administrator has chosen, at most five seconds ago, else the default.
func (s *Store) SessionLengths(ctx context.Context, now time.Time) (account.SessionLengths, error) {
	return s.sessionLengths(reading{s, ctx}, now)
}

func (s *Store) sessionLengths(q querier, now time.Time) (account.SessionLengths, error) {
	kept := s.lengths.Load()
	if kept == nil || now.Before(kept.at) || now.Sub(kept.at) >= lengthsTTL {
		chosen, err := chosenLengths(q)
		if err != nil {
			return account.SessionLengths{}, err
		}
		kept = &readLengths{chosen, now}
		s.lengths.Store(kept)
	}
	return s.inForce(kept.SessionLengths), nil
}

// inForce puts what the server was started with in the place of what was chosen.
func (s *Store) inForce(l account.SessionLengths) account.SessionLengths {
	if s.times.SessionIdle > 0 {
		l.Idle = s.times.SessionIdle
	}
	if s.times.SessionMax > 0 {
		l.Max = s.times.SessionMax
	}
	return l
}

// ChosenSessionLengths reads what an administrator has chosen, or the defaults.
func (s *Store) ChosenSessionLengths(ctx context.Context) (account.SessionLengths, error) {
	return chosenLengths(reading{s, ctx})
}

func chosenLengths(q querier) (account.SessionLengths, error) {
	var idle, most sql.NullInt64
	if err := q.row(`SELECT session_idle, session_max FROM workspace`).Scan(&idle, &most); err != nil {
		return account.SessionLengths{}, fmt.Errorf("reading how long sessions last: %w", err)
	}
	return scanLengths(idle, most), nil
}

// scanLengths are the lengths as their columns have them, in seconds, or the defaults.
func scanLengths(idle, most sql.NullInt64) account.SessionLengths {
	if !idle.Valid || !most.Valid {
		return account.DefaultSessionLengths
	}
	return account.SessionLengths{
		Idle: time.Duration(idle.Int64) * time.Second,
		Max:  time.Duration(most.Int64) * time.Second,
	}
}

// FixedSessionLengths returns those that the server was started with, which no administrator
// changes; zero for the others.
func (s *Store) FixedSessionLengths() account.SessionLengths {
	return account.SessionLengths{Idle: s.times.SessionIdle, Max: s.times.SessionMax}
}

// ChangeSessionLengths sets how long people stay signed in. It counts for the sessions that
// there are as well, from their next request on; in other processes within five seconds. It
// refuses as account.SessionLengths.Check does, and with account.ErrOutdated when they are
// not as the form showed them any more.
func (s *Store) ChangeSessionLengths(ctx context.Context, seen account.Seen, l account.SessionLengths, by Author,
	now time.Time) error {
	if err := l.Check(); err != nil {
		return err
	}
	defer s.lengths.Store(nil)
	return s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		before, err := chosenLengths(t)
		if err != nil {
			return err
		}
		if seen.Outdated(account.SessionLengthsVersion(before)) {
			return account.ErrOutdated
		}
		if l == before {
			return nil
		}
		if err := t.execOne(`UPDATE workspace SET session_idle = $1, session_max = $2 WHERE id = 1`,
			int64(l.Idle/time.Second), int64(l.Max/time.Second)); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{event: account.SessionLengthsChanged, actor: by.Actor, detail: l.String()})
		return err
	})
}

// openSince returns the instants after which a session must have been used, and must have
// begun, to be open.
func (s *Store) openSince(q querier, now time.Time) (seen, started int64, err error) {
	l, err := s.sessionLengths(q, now)
	return unix(now.Add(-l.Idle)), unix(now.Add(-l.Max)), err
}
