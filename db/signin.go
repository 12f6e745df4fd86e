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

// A SignInResult is what a step of the sign-in opens: a session and a known
// browser, or a challenge for the second step. Each is a token for a cookie;
// those that were not opened are "".
type SignInResult struct {
	Session   string
	Browser   string
	Challenge string
	Next      string // where to go afterwards; "" for the portal
	CodesLeft int    // after a recovery code; otherwise -1
}

// SignIn checks a sign-in name and password. The attempt is counted before the password
// is checked, and taken back when it was right. It opens a challenge when the person's
// factor is Enabled, and a session otherwise. ErrWrongPassword covers every reason why
// somebody cannot sign in, and takes as long for all of them; Wait says that nothing was
// checked.
func (s *Store) SignIn(ctx context.Context, email, password, next string, c Client, now time.Time) (SignInResult, error) {
	given := email
	email = account.NormalizeEmail(given)
	lock := lockEmail(email)
	end, err := s.turns.acquireSignIn(ctx, email, c)
	if err != nil {
		return SignInResult{}, err
	}
	defer end()
	var p credentials
	var a passwordAttempt
	err = s.write(ctx, lock, func(t *tx) (err error) {
		p, err = t.credentialsByEmail(given)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if a, err = s.signInAttempt(t, p.id, email, c, now); err != nil {
			return err
		}
		return t.countPasswordAttempt(a, now)
	})
	if err != nil {
		return SignInResult{}, err
	}
	right, rehashed, err := s.verifyPassword(ctx, a.caller, password, p.hash)
	if err != nil {
		return SignInResult{}, s.refundUnchecked(ctx, lock, a, err)
	}
	if !right || !p.active {
		listed := true
		err := s.write(context.WithoutCancel(ctx), lock, func(t *tx) error {
			row := activityEntry{
				event:   account.SignInFailed,
				failed:  true,
				method:  account.ByPassword,
				subject: p.id,
				actor:   strangerAt(c.Address),
			}
			var err error
			if p.id == 0 {
				row.actor.label = s.hashUnknownName(email)
				listed, err = t.listUnknownName(now)
			}
			if err == nil && listed {
				_, err = t.appendActivity(now, row)
			}
			if err != nil {
				return err
			}
			return t.recordRefusal(a, now, twofactor.ErrWrongPassword)
		})
		if IsRefusal(err) && !listed {
			s.signIns.add(SignInCount{Event: account.SignInFailed, Method: account.ByPassword, Count: 1})
		}
		return SignInResult{}, err
	}
	var out SignInResult
	err = s.write(ctx, lockPerson(p.id), func(t *tx) error {
		out = SignInResult{Next: next, CodesLeft: -1}
		again, err := t.readCredentials(`id = $1`, p.id)
		if err != nil {
			return err
		}
		if again.hash != p.hash || !again.active {
			return t.recordRefusal(a, now, twofactor.ErrWrongPassword) // it was changed while it was being checked
		}
		if rehashed != "" {
			if err := t.execOne(`UPDATE person SET password_hash = $1 WHERE id = $2`, rehashed, p.id); err != nil {
				return err
			}
		}
		if err := t.refundPassword(a); err != nil {
			return err
		}
		if again.enabled {
			out.Challenge, err = s.createChallenge(t, p.id, a.kind == countPasswordKnown, next, now)
			return err
		}
		out.Session, out.Browser, err = t.completeSignIn(again, newHandle(), byPassword(now), c, now)
		return err
	})
	if IsRefusal(err) {
		return SignInResult{}, err
	}
	if err != nil { // what was not committed opens nothing
		return SignInResult{}, s.refundUnchecked(ctx, lock, a, err)
	}
	return out, nil
}

// credentials are what a sign-in reads of a person.
type credentials struct {
	id       int64
	hash     string
	active   bool // and not closed
	enabled  bool // has a factor
	previous time.Time
}

// readCredentials finds somebody by a condition on person, or returns ErrNotFound.
// Somebody who has not accepted their invitation has an empty hash, which no password
// matches.
func (t *tx) readCredentials(where string, arg any) (credentials, error) {
	var p credentials
	var previous sql.NullInt64
	err := t.row(`SELECT id, password_hash, active = TRUE AND closed_at IS NULL, last_sign_in_at,
			EXISTS (SELECT 1 FROM enrollment e WHERE e.person_id = person.id AND e.state = 'enabled')
				OR EXISTS (SELECT 1 FROM passkey k WHERE k.person_id = person.id)
		FROM person WHERE removed_at IS NULL AND `+where, arg).Scan(&p.id, &p.hash, &p.active, &previous, &p.enabled)
	if errors.Is(err, sql.ErrNoRows) {
		return p, ErrNotFound
	}
	if err != nil {
		return p, fmt.Errorf("reading a person: %w", err)
	}
	p.previous = instant(previous)
	return p, nil
}

// credentialsByEmail finds somebody by an address as typed, or returns ErrNotFound.
// Somebody whose address could not be brought to today's form in an upgrade is found by
// the form of before.
func (t *tx) credentialsByEmail(given string) (credentials, error) {
	email, old := account.NormalizeEmail(given), account.OldNormalizeEmail(given)
	if old != email {
		if p, err := t.readCredentials(`email = $1`, old); !errors.Is(err, ErrNotFound) {
			return p, err
		}
	}
	return t.readCredentials(`email = $1`, email)
}

// completeSignIn completes a sign-in: the counts are cleared, the browser is known from
// now on, one-time links have ended, and there is a session. It takes over the handle of the challenge that led to
// it, so that a form of the challenge that is sent twice is not taken for somebody else's.
func (t *tx) completeSignIn(p credentials, handle string, a authentication, c Client,
	now time.Time) (session, browser string, err error) {
	if err = t.clearCounts(p.id, a.method, c, now); err != nil {
		return "", "", err
	}
	if err = t.endLinks(p.id, now); err != nil {
		return "", "", err
	}
	if browser, err = t.rememberBrowser(p.id, c, now); err != nil {
		return "", "", err
	}
	n := newSession{
		handle:         handle,
		person:         p.id,
		authentication: a,
		previous:       p.previous,
	}
	if n.eventsFrom, err = t.lastSignInRow(p); err != nil {
		return "", "", err
	}
	row := activityEntry{
		event:   account.SignedIn,
		actor:   personAt(p.id, c.Address),
		subject: p.id,
		method:  a.method,
		mail:    mailFacts{newBrowser: browser != c.Known && !p.previous.IsZero(), browser: c.Browser},
	}
	if n.eventsUntil, err = t.appendActivity(now, row); err != nil {
		return "", "", err
	}
	if p.previous.IsZero() {
		n.eventsFrom = n.eventsUntil // nothing is news at the first sign-in
	}
	if session, err = t.startSession(n, c, now); err != nil {
		return "", "", err
	}
	return session, browser, t.execOne(`UPDATE person SET last_sign_in_at = $1 WHERE id = $2`, unix(now), p.id)
}

// lastSignInRow returns the activity row of the person's last sign-in so far. It is 0 when
// there is none any more: then every row that is left came after it.
func (t *tx) lastSignInRow(p credentials) (id int64, err error) {
	err = t.row(`SELECT coalesce(max(id), 0) FROM activity WHERE subject_id = $1 AND at = $2 AND event = $3`,
		p.id, unix(p.previous), string(account.SignedIn)).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("looking for the last sign-in: %w", err)
	}
	return id, nil
}

// clearCounts forgets the wrong answers that a complete sign-in ends. What unknown
// browsers have answered wrongly stays when the sign-in came from a known one: its
// owner signs in every day, and guessers would begin anew each time. A recovery code
// opens the codes again from anywhere.
func (t *tx) clearCounts(person int64, method account.Method, c Client, now time.Time) error {
	known, _, err := t.isKnownBrowser(person, c, now)
	if err != nil {
		return err
	}
	kinds := []passwordAttempt{{kind: countRecovery, subject: formatID(person)}}
	if known {
		kinds = append(kinds, knownBrowserAttempt(person, c))
	} else {
		kinds = append(kinds, passwordAttempt{kind: countPassword, subject: formatID(person)})
	}
	if !known || method == account.ByRecovery {
		kinds = append(kinds, passwordAttempt{kind: countCode, subject: formatID(person)})
	}
	for _, one := range kinds {
		if err := t.clearCount(one.kind, one.subject); err != nil {
			return err
		}
	}
	return nil
}
