package db

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"gatehouse/db/engine"
	"gatehouse/db/files"
	"gatehouse/openid"
	"gatehouse/twofactor"
)

// Sweep deletes expired rows. Nothing depends on it: every query compares instants
// itself. It only keeps the file small. A person's expired browsers go when they sign in
// next. Then the journal is written back, so that it stays small, and so that a copy of
// the one file alone lacks no more than what came after the last sweep.
func (s *Store) Sweep(ctx context.Context, now time.Time) error {
	if err := s.NoteUsed(ctx); err != nil { // before sessions end that are used in apps alone
		return err
	}
	usedSince, _, err := s.openSince(reading{s, ctx}, now)
	if err != nil {
		return err
	}
	ends := expired(now, usedSince)
	if s.kind == engine.Postgres {
		return s.sweepServer(ctx, ends, now)
	}
	err = s.write(ctx, lockNothing(), func(t *tx) error {
		for _, end := range ends {
			if _, err := t.exec(end.query, end.before); err != nil {
				return fmt.Errorf("sweeping: %w", err)
			}
		}
		return t.sweepRest(now)
	})
	if err != nil {
		return err
	}
	return files.WriteBack(ctx, s.path)
}

// sweepBatch is how many rows one statement on a server deletes, in a transaction of its
// own: nobody waits for it, and it waits for nobody.
const sweepBatch = 1000

func (s *Store) sweepServer(ctx context.Context, ends []expiry, now time.Time) error {
	for _, end := range ends {
		query, batch := end.query, int64(math.MaxInt64)
		if from, ok := strings.CutPrefix(query, "DELETE FROM "); ok {
			table, where, _ := strings.Cut(from, " WHERE ")
			batch = sweepBatch
			query = fmt.Sprintf("DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE %s LIMIT %d FOR UPDATE SKIP LOCKED))",
				table, table, where, batch)
		}
		for n := batch; n >= batch; {
			err := s.write(ctx, lockNothing(), func(t *tx) (err error) {
				n, err = t.exec(query, end.before)
				return err
			})
			if err != nil {
				return fmt.Errorf("sweeping: %w", err)
			}
		}
	}
	return s.write(ctx, lockNothing(), func(t *tx) error { return t.sweepRest(now) })
}

// sweepRest is what is no deletion.
func (t *tx) sweepRest(now time.Time) error {
	if err := errors.Join(t.giveUpUseless(now), t.noteEnrolled(now)); err != nil {
		return fmt.Errorf("sweeping: %w", err)
	}
	return t.closeUnknownHour(now)
}

// An expiry is a statement that ends what is older than an instant.
type expiry struct {
	query  string
	before int64
}

// goneKept is how long it is remembered that an app went from somebody's portal: longer than
// most people stay away.
const goneKept = 90 * 24 * time.Hour

// expired are the statements of a sweep. Sessions that were not used since usedSince end.
func expired(now time.Time, usedSince int64) []expiry {
	at := unix(now)
	return []expiry{
		{`UPDATE connected_session SET expired = TRUE
			WHERE session_handle IN (SELECT handle FROM session WHERE seen_at <= $1)`, usedSince},
		{`DELETE FROM session WHERE seen_at <= $1`, usedSince},
		{`DELETE FROM tally WHERE day > 0 AND day <= $1`, dayOf(now) - tallyDays},
		{`DELETE FROM ticket WHERE expires_at <= $1`, at},
		{`DELETE FROM challenge WHERE expires_at <= $1`, at},
		{`DELETE FROM enrollment WHERE state = 'pending' AND expires_at <= $1`, at},
		{`DELETE FROM ceremony WHERE expires_at <= $1`, at},
		{`DELETE FROM link WHERE expires_at <= $1`, at},
		{`DELETE FROM mailed_link WHERE expires_at <= $1`, at},
		{`DELETE FROM outbox WHERE done_at <= $1`, unix(now.Add(-outboxTTL))},
		{`DELETE FROM attempt WHERE kind IN ('password', 'password-known') AND last_at <= $1 AND open_at <= $1`,
			unix(now.Add(-24 * time.Hour))},
		{`DELETE FROM portal_app WHERE gone_at <= $1`, unix(now.Add(-goneKept))},
		{`DELETE FROM access_token WHERE expires_at <= $1`, at},
		{`DELETE FROM app_grant WHERE made_at <= $1 AND family_hash IS NULL`,
			unix(now.Add(-openid.CodeTTL - openid.AccessTokenTTL))},
		{`DELETE FROM app_grant WHERE made_at <= $1`, unix(now.Add(-openid.RefreshMax))},
		{`DELETE FROM connected_session WHERE signed_in_at <= $1`, unix(now.Add(-openid.RefreshMax))},
		{`DELETE FROM signing_key WHERE ends_at <= $1`, at},
		{`DELETE FROM address_attempt WHERE at <= $1`, now.Add(-twofactor.AddressBucketTTL).UnixMilli()},
	}
}
