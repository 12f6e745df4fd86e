package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// createChallenge opens a challenge, and deletes the oldest above the limit. Those of
// known and of other browsers are bounded apart: whoever has the password and no more
// could otherwise crowd out the owner's before the code is typed.
func (s *Store) createChallenge(t *tx, person int64, known bool, next string, now time.Time) (token string, err error) {
	token = newToken()
	if err := t.execOne(`INSERT INTO challenge (id_hash, handle, person_id, known, next, made_at, expires_at,
			authenticated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		hashToken(token), newHandle(), person, known, next, unix(now),
		unix(now.Add(s.times.ChallengeTTL)), now.UnixMilli()); err != nil {
		return "", fmt.Errorf("opening a challenge: %w", err)
	}
	// Among those of one second the new one counts as the newest.
	_, err = t.exec(`DELETE FROM challenge WHERE person_id = $1 AND known = $2 AND id_hash NOT IN (
			SELECT id_hash FROM challenge WHERE person_id = $3 AND known = $4
			ORDER BY made_at DESC, id_hash = $5 DESC LIMIT $6)`,
		person, known, person, known, hashToken(token), maxChallenges)
	return token, err
}

// A Challenge is a sign-in that waits for the second step.
type Challenge struct {
	Email  string
	Handle string // names the challenge in forms, and then the session that it leads to
	person int64
	hash   []byte
	wrong  int // codes so far
}

// Challenge finds the challenge that a token opens, or returns ErrChallengeOver.
func (s *Store) Challenge(ctx context.Context, token string, now time.Time) (Challenge, error) {
	c := Challenge{hash: hashToken(token)}
	var state twofactor.Challenge
	var made, expires sql.NullInt64
	err := s.row(ctx, `SELECT p.id, p.email, c.handle, c.wrong_codes, c.made_at, c.expires_at
		FROM challenge c JOIN person p ON p.id = c.person_id AND p.active = TRUE WHERE c.id_hash = $1`, c.hash).
		Scan(&c.person, &c.Email, &c.Handle, &state.WrongCodes, &made, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return c, twofactor.ErrChallengeOver
	}
	if err != nil {
		return c, fmt.Errorf("reading a challenge: %w", err)
	}
	state.MadeAt, state.ExpiresAt = instant(made), instant(expires)
	c.wrong = state.WrongCodes
	return c, state.Open(now)
}

// RecoverySheet returns the sheet whose codes pass a challenge; its ID is "" when the
// factor was taken away meanwhile.
func (s *Store) RecoverySheet(ctx context.Context, c Challenge) (twofactor.Sheet, error) {
	e, err := s.twoFactor(ctx, c.person)
	return e.Sheet, err
}

// CancelChallenge ends a challenge. It is not an error if the challenge has already
// ended.
func (s *Store) CancelChallenge(ctx context.Context, token string) error {
	return s.write(ctx, lockChallenge(token), func(t *tx) error {
		_, err := t.exec(`DELETE FROM challenge WHERE id_hash = $1`, hashToken(token))
		return err
	})
}

// openChallenge is a challenge within a transaction.
type openChallenge struct {
	twofactor.Challenge
	hash            []byte
	handle          string
	person          credentials
	next            string
	authenticatedAt time.Time // when the password was given

	suspicion Suspicion // which factors of the person pass nothing
}

// openChallenge finds a challenge that still counts, or returns ErrChallengeOver.
func (t *tx) openChallenge(token string, now time.Time) (openChallenge, error) {
	c := openChallenge{hash: hashToken(token)}
	var authenticated int64
	var expires, made, previous, from, until sql.NullInt64
	err := t.row(`SELECT c.handle, c.wrong_codes, c.expires_at, c.next, c.made_at, c.authenticated_at,
			p.id, p.last_sign_in_at, p.suspect_from, p.suspect_until
		FROM challenge c JOIN person p ON p.id = c.person_id AND p.active = TRUE WHERE c.id_hash = $1`, c.hash).
		Scan(&c.handle, &c.WrongCodes, &expires, &c.next, &made, &authenticated, &c.person.id,
			&previous, &from, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return c, twofactor.ErrChallengeOver
	}
	if err != nil {
		return c, fmt.Errorf("reading a challenge: %w", err)
	}
	c.ExpiresAt, c.MadeAt, c.person.previous = instant(expires), instant(made), instant(previous)
	c.authenticatedAt = instantMilli(authenticated)
	c.suspicion = Suspicion{From: instant(from), Until: instant(until)}
	return c, c.Open(now)
}

// failChallenge counts a wrong code against the challenge, which ends with the fifth.
func (t *tx) failChallenge(c openChallenge, method account.Method, client Client, now time.Time) (left int, err error) {
	c.WrongCodes++
	event := account.SignInFailed
	if left = c.Left(); left == 0 {
		event = account.SignInFailedMax
		err = t.execOne(`DELETE FROM challenge WHERE id_hash = $1`, c.hash)
	} else {
		err = t.execOne(`UPDATE challenge SET wrong_codes = $1 WHERE id_hash = $2`, c.WrongCodes, c.hash)
	}
	if err != nil {
		return left, err
	}
	_, err = t.appendActivity(now, activityEntry{
		event:   event,
		failed:  true,
		method:  method,
		subject: c.person.id,
		actor:   strangerAt(client.Address),
	})
	return left, err
}

// completeChallenge ends the challenge and completes the sign-in, with the factor that RFC
// 8176's words name.
func (t *tx) completeChallenge(c openChallenge, method account.Method, factor []string, client Client,
	now time.Time) (SignInResult, error) {
	if err := t.execOne(`DELETE FROM challenge WHERE id_hash = $1`, c.hash); err != nil {
		return SignInResult{}, err
	}
	session, browser, err := t.completeSignIn(c.person, c.handle, afterPassword(method, c.authenticatedAt, factor...),
		client, now)
	return SignInResult{
		Session:   session,
		Browser:   browser,
		Next:      c.next,
		CodesLeft: -1,
	}, err
}

// A codeCounter is where a wrong code is counted: at the known browser, up to 20
// in a row, and otherwise at the person, with its waits.
type codeCounter struct {
	browser []byte // nil when it is the person
	person  int64
	before  attemptRow
}

// readCodeCount finds the count, or refuses with Wait or ErrClosed.
func (t *tx) readCodeCount(person int64, c Client, now time.Time) (codeCounter, error) {
	known, wrong, err := t.isKnownBrowser(person, c, now)
	if err != nil {
		return codeCounter{}, err
	}
	if known && wrong < twofactor.KnownBrowserCodes {
		return codeCounter{browser: hashToken(c.Known), person: person}, nil
	}
	before, err := t.readAttempts(countCode, formatID(person), now)
	if err == nil {
		err = twofactor.Ladder(twofactor.CodeWaits).Check(before.count(), now)
	}
	return codeCounter{person: person, before: before}, err
}

// countWrongCode counts a wrong code.
func (t *tx) countWrongCode(c codeCounter, now time.Time) error {
	if c.browser != nil {
		return t.execOne(`UPDATE known_browser SET wrong_codes = wrong_codes + 1 WHERE token_hash = $1 AND person_id = $2`,
			c.browser, c.person)
	}
	next := c.before
	next.wrong = next.wrong.Increment(now)
	return t.writeAttempts(countCode, formatID(c.person), next)
}

// VerifyCode passes a challenge with a code from the app. The count, the mark of the used
// time step, the session and the activity row are one transaction: of many posts of one
// code, one signs in, and a wrong code is counted before its answer is sent. It refuses
// with WrongCode, whose Left of 0 says that the challenge is over, with Wait, or with
// ErrChallengeOver.
func (s *Store) VerifyCode(ctx context.Context, token, typed string, client Client, now time.Time) (SignInResult, error) {
	var out SignInResult
	err := s.write(ctx, lockChallenge(token), func(t *tx) error {
		c, err := t.openChallenge(token, now)
		if err != nil {
			return err
		}
		count, err := t.readCodeCount(c.person.id, client, now)
		if err != nil {
			return err
		}
		row, err := s.enrollment(t, c.person.id, nil)
		if err != nil {
			return err
		}
		if c.suspicion.Covers(row.ConfirmedAt) {
			return twofactor.ErrSwitchedOff
		}
		err = s.applyTransition(t, &row, now, func(e *twofactor.Enrollment) error { return e.Verify(typed, now) })
		var wrong twofactor.WrongCode
		if errors.As(err, &wrong) {
			if err := t.countWrongCode(count, now); err != nil {
				return err
			}
			if wrong.Left, err = t.failChallenge(c, account.ByCode, client, now); err != nil {
				return err
			}
			return wrong
		}
		if err != nil {
			return err
		}
		out, err = t.completeChallenge(c, account.ByCode, []string{amrCode}, client, now)
		return err
	})
	if err != nil {
		return SignInResult{}, err
	}
	return out, nil
}

// RedeemRecoveryCode passes a challenge with a recovery code. The slow hash is
// computed between two transactions: the first counts the attempt, the second
// uses the code up together with the session that it opens. Refusals are those
// of VerifyCode, with ErrWrongRecovery in place of WrongCode and left telling
// the wrong codes still allowed.
func (s *Store) RedeemRecoveryCode(ctx context.Context, token, typed string, client Client,
	now time.Time) (out SignInResult, left int, err error) {
	end, err := s.turns.acquire(ctx, "challenge "+token, 1)
	if err != nil {
		return out, left, err
	}
	defer end()
	var salt []byte
	var a passwordAttempt
	err = s.write(ctx, lockChallenge(token), func(t *tx) error {
		c, err := t.openChallenge(token, now)
		if err != nil {
			return err
		}
		a = passwordAttempt{kind: countRecovery, subject: formatID(c.person.id), caller: personCaller(c.person.id)}
		err = t.row(`SELECT salt FROM recovery_sheet WHERE person_id = $1`, c.person.id).Scan(&salt)
		if errors.Is(err, sql.ErrNoRows) {
			return twofactor.ErrChallengeOver // the factor was reset meanwhile
		}
		if err != nil {
			return err
		}
		return t.countAttempt(a.kind, a.subject, twofactor.CodeWaits, now)
	})
	if err != nil {
		return out, left, err
	}
	code, valid := twofactor.NormalizeRecoveryCode(typed)
	release, err := s.hashes.Acquire(ctx, a.caller)
	if err != nil {
		return out, left, s.refundUnchecked(ctx, lockChallenge(token), a, err)
	}
	slow := s.hashing.Derive([]byte(code.Symbols()), salt)
	release()
	err = s.write(ctx, lockChallenge(token), func(t *tx) error {
		c, err := t.openChallenge(token, now)
		if errors.Is(err, twofactor.ErrChallengeOver) {
			// It ended while the hash was computed: the code was compared with nothing.
			if err := t.refundAttempt(a.kind, a.subject); err != nil {
				return err
			}
			return twofactor.ErrChallengeOver
		}
		if err != nil {
			return err
		}
		row, err := s.enrollmentWithSheet(t, c.person.id, nil)
		if err != nil {
			return err
		}
		if c.suspicion.Covers(row.Sheet.MadeAt) {
			if err := t.refundAttempt(a.kind, a.subject); err != nil {
				return err
			}
			return twofactor.ErrSwitchedOff
		}
		number := -1
		if valid {
			if number, err = s.findRecoveryCode(t, c.person.id, salt, slow); err != nil {
				return err
			}
		}
		err = s.applyTransition(t, &row, now, func(e *twofactor.Enrollment) error { return e.Redeem(number) })
		if errors.Is(err, twofactor.ErrWrongRecovery) {
			if left, err = t.failChallenge(c, account.ByRecovery, client, now); err != nil {
				return err
			}
			return t.recordRefusal(a, now, twofactor.ErrWrongRecovery)
		}
		if err != nil {
			return err
		}
		out, err = t.completeChallenge(c, account.ByRecovery, []string{amrCode}, client, now)
		out.CodesLeft = row.Sheet.Left()
		return err
	})
	if IsRefusal(err) {
		return SignInResult{}, left, err
	}
	if err != nil {
		return SignInResult{}, left, s.refundUnchecked(ctx, lockChallenge(token), a, err)
	}
	return out, left, nil
}
