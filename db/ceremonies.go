package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/passkeys"
	"gatehouse/twofactor"
)

// The purposes of ceremonies. An answer to one is none to another.
const (
	ceremonyRegister = "register"
	ceremonyStepUp   = "step-up"
	ceremonySignIn   = "sign-in"
)

// hashChallenge returns what is stored of a ceremony's challenge.
func hashChallenge(challenge []byte) []byte {
	sum := sha256.Sum256(challenge)
	return sum[:]
}

// beginCeremony stores a ceremony of the visitor's session, in place of an older one of
// the same purpose.
func (s *Store) beginCeremony(ctx context.Context, v Visitor, purpose string, c passkeys.Ceremony,
	now time.Time) error {
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM ceremony WHERE session_hash = $1 AND purpose = $2`, v.session,
			purpose); err != nil {
			return err
		}
		return t.execOne(`INSERT INTO ceremony (challenge_hash, purpose, person_id, session_hash, state, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6)`, hashChallenge(c.Challenge), purpose, v.Person.ID, v.session, c.State,
			unix(now.Add(passkeys.Timeout)))
	})
}

// spendCeremony takes a ceremony of the visitor's session, right or wrong as its answer
// may be, and returns its state. It refuses with ErrPasskeyOver what has expired, was
// answered already, or is another session's or purpose's.
func (s *Store) spendCeremony(ctx context.Context, v Visitor, purpose string, challenge []byte,
	now time.Time) (state []byte, err error) {
	err = s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		var expires int64
		err := t.row(`DELETE FROM ceremony WHERE challenge_hash = $1 AND purpose = $2 AND session_hash = $3
			RETURNING state, expires_at`, hashChallenge(challenge), purpose, v.session).Scan(&state, &expires)
		if errors.Is(err, sql.ErrNoRows) {
			return twofactor.ErrPasskeyOver
		}
		if err != nil {
			return fmt.Errorf("reading a ceremony: %w", err)
		}
		if unix(now) >= expires || expires > unix(now.Add(2*passkeys.Timeout)) {
			state = nil
			return twofactor.ErrPasskeyOver // a refusal commits: it is spent
		}
		return nil
	})
	return state, err
}

// isSpent reports whether a public ceremony has led to a sign-in already.
func (t *tx) isSpent(challenge []byte) (spent bool, err error) {
	err = t.row(`SELECT EXISTS (SELECT 1 FROM ceremony WHERE challenge_hash = $1)`,
		hashChallenge(challenge)).Scan(&spent)
	if err != nil {
		return false, fmt.Errorf("looking for a ceremony: %w", err)
	}
	return spent, nil
}

// spendSignIn notes that a public ceremony has led to a sign-in, or refuses with
// ErrPasskeyOver when it had already.
func (t *tx) spendSignIn(challenge []byte, until time.Time) error {
	n, err := t.exec(`INSERT INTO ceremony (challenge_hash, purpose, state, expires_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (challenge_hash) DO NOTHING`, hashChallenge(challenge), ceremonySignIn, []byte{}, unix(until))
	if err == nil && n == 0 {
		err = twofactor.ErrPasskeyOver
	}
	return err
}
