package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/db/engine"
	"gatehouse/db/hash"
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
			s.unlisted.Add(1)
		}
		return SignInResult{}, err
	}
	var out SignInResult
	err = s.write(ctx, lockPerson(p.id), func(t *tx) error {
		out = SignInResult{Next: next, CodesLeft: -1}
		again, err := t.readCredentials(`id = ?`, p.id)
		if err != nil {
			return err
		}
		if again.hash != p.hash || !again.active {
			return t.recordRefusal(a, now, twofactor.ErrWrongPassword) // it was changed while it was being checked
		}
		if rehashed != "" {
			if err := t.execOne(`UPDATE person SET password_hash = ? WHERE id = ?`, rehashed, p.id); err != nil {
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
		out.Session, out.Browser, err = t.completeSignIn(again, newHandle(), account.ByPassword, now, c, now)
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
	active   bool
	enabled  bool // the factor
	previous time.Time
}

// readCredentials finds somebody by a condition on person, or returns ErrNotFound.
// Somebody who has not accepted their invitation has an empty hash, which no password
// matches.
func (t *tx) readCredentials(where string, arg any) (credentials, error) {
	var p credentials
	var previous sql.NullInt64
	err := t.row(`SELECT id, password_hash, active, last_sign_in_at,
			EXISTS (SELECT 1 FROM enrollment e WHERE e.person_id = person.id AND e.state = 'enabled')
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
		if p, err := t.readCredentials(`email = ?`, old); !errors.Is(err, ErrNotFound) {
			return p, err
		}
	}
	return t.readCredentials(`email = ?`, email)
}

// A passwordAttempt is the count that an attempt at a password goes to: the
// browser's own when the person knows it, so that strangers cannot lock the
// owner out.
type passwordAttempt struct {
	kind, subject string
	address       string      // of whose network the bucket is charged as well; "" for none
	caller        hash.Caller // who waits for the slow hash
}

// signInAttempt finds the count of an attempt to sign in as somebody, or as nobody
// (0). A session that lives makes a known caller of the hash limiter, whoever's it is.
func (s *Store) signInAttempt(t *tx, person int64, email string, c Client, now time.Time) (passwordAttempt, error) {
	if known, _, err := t.isKnownBrowser(person, c, now); err != nil || known {
		return knownBrowserAttempt(person, c), err
	}
	a := passwordAttempt{kind: countPassword, subject: formatID(person), address: c.Address}
	if person == 0 {
		a.subject = unknownNameCount(s.hashUnknownName(email))
	}
	owner, err := s.sessionOwner(t, c, now)
	if owner != 0 {
		a.caller = personCaller(owner)
	}
	return a, err
}

// knownBrowserAttempt is the count of a browser that the person knows.
func knownBrowserAttempt(person int64, c Client) passwordAttempt {
	return passwordAttempt{
		kind:    countPasswordKnown,
		subject: formatID(person) + " " + fmt.Sprintf("%x", hashToken(c.Known)),
		caller:  personCaller(person),
	}
}

// sessionAttempt finds the count of an attempt within a session: its own where the
// browser is not known (forgotten, or its cookie was taken away), so that strangers do
// not make somebody wait who is signed in.
func (t *tx) sessionAttempt(v Visitor, c Client, now time.Time) (passwordAttempt, error) {
	if known, _, err := t.isKnownBrowser(v.Person.ID, c, now); err != nil || known {
		return knownBrowserAttempt(v.Person.ID, c), err
	}
	return passwordAttempt{
		kind:    countPasswordKnown,
		subject: formatID(v.Person.ID) + " session " + v.Handle,
		caller:  personCaller(v.Person.ID),
	}, nil
}

// countPasswordAttempt counts an attempt before the password is checked: for the address,
// unless the browser is known, and for the person.
func (t *tx) countPasswordAttempt(a passwordAttempt, now time.Time) error {
	if a.address != "" {
		if err := t.countAddressAttempt(a.address, now); err != nil {
			return err
		}
	}
	return t.countAttempt(a.kind, a.subject, twofactor.PasswordWaits, now)
}

// recordRefusal records an attempt as wrong and returns the refusal.
func (t *tx) recordRefusal(a passwordAttempt, at time.Time, refusal twofactor.Refusal) error {
	if err := t.recordFailure(a.kind, a.subject, at); err != nil {
		return err
	}
	return refusal
}

// refundPassword takes an attempt back that was right, or was not looked at.
func (t *tx) refundPassword(a passwordAttempt) error {
	if a.address != "" {
		if err := t.refundAddress(a.address); err != nil {
			return err
		}
	}
	return t.refundAttempt(a.kind, a.subject)
}

// refundUnchecked takes an attempt back whose answer a fault has kept from its sender:
// too many hashes were being computed, the client hung up, the disk is full. Nobody
// waits who has typed nothing wrong.
func (s *Store) refundUnchecked(ctx context.Context, lock engine.Lock, a passwordAttempt, fault error) error {
	return errors.Join(fault, s.write(context.WithoutCancel(ctx), lock,
		func(t *tx) error { return t.refundPassword(a) }))
}

// createChallenge opens a challenge, and deletes the oldest above the limit. Those of
// known and of other browsers are bounded apart: whoever has the password and no more
// could otherwise crowd out the owner's before the code is typed.
func (s *Store) createChallenge(t *tx, person int64, known bool, next string, now time.Time) (token string, err error) {
	token = newToken()
	if err := t.execOne(`INSERT INTO challenge (id_hash, handle, person_id, known, next, made_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)`,
		hashToken(token), newHandle(), person, known, next, unix(now),
		unix(now.Add(s.times.ChallengeTTL))); err != nil {
		return "", fmt.Errorf("opening a challenge: %w", err)
	}
	// Among those of one second the new one counts as the newest.
	_, err = t.exec(`DELETE FROM challenge WHERE person_id = ? AND known = ? AND id_hash NOT IN (
			SELECT id_hash FROM challenge WHERE person_id = ? AND known = ?
			ORDER BY made_at DESC, id_hash = ? DESC LIMIT ?)`,
		person, known, person, known, hashToken(token), maxChallenges)
	return token, err
}

// completeSignIn completes a sign-in: the counts are cleared, the browser is known from
// now on, one-time links have ended, and there is a session. It takes over the handle of the challenge that led to
// it, so that a form of the challenge that is sent twice is not taken for somebody else's.
func (t *tx) completeSignIn(p credentials, handle string, method account.Method, authenticatedAt time.Time, c Client,
	now time.Time) (session, browser string, err error) {
	if err = t.clearCounts(p.id, method, c, now); err != nil {
		return "", "", err
	}
	if err = t.endLinks(p.id); err != nil {
		return "", "", err
	}
	if browser, err = t.rememberBrowser(p.id, c, now); err != nil {
		return "", "", err
	}
	n := newSession{
		handle:          handle,
		person:          p.id,
		authenticatedAt: authenticatedAt,
		previous:        p.previous,
	}
	if n.eventsFrom, err = t.lastSignInRow(p); err != nil {
		return "", "", err
	}
	row := activityEntry{
		event:   account.SignedIn,
		actor:   personAt(p.id, c.Address),
		subject: p.id,
		method:  method,
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
	return session, browser, t.execOne(`UPDATE person SET last_sign_in_at = ? WHERE id = ?`, unix(now), p.id)
}

// lastSignInRow returns the activity row of the person's last sign-in so far. It is 0 when
// there is none any more: then every row that is left came after it.
func (t *tx) lastSignInRow(p credentials) (id int64, err error) {
	err = t.row(`SELECT coalesce(max(id), 0) FROM activity WHERE subject_id = ? AND at = ? AND event = ?`,
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

// A Challenge is a sign-in that waits for the second step.
type Challenge struct {
	Email  string
	Handle string // names the challenge in forms, and then the session that it leads to
	person int64
}

// Challenge finds the challenge that a token opens, or returns ErrChallengeOver.
func (s *Store) Challenge(ctx context.Context, token string, now time.Time) (Challenge, error) {
	var c Challenge
	var state twofactor.Challenge
	var made, expires sql.NullInt64
	err := s.row(ctx, `SELECT p.id, p.email, c.handle, c.wrong_codes, c.made_at, c.expires_at
		FROM challenge c JOIN person p ON p.id = c.person_id AND p.active = 1 WHERE c.id_hash = ?`, hashToken(token)).
		Scan(&c.person, &c.Email, &c.Handle, &state.WrongCodes, &made, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return c, twofactor.ErrChallengeOver
	}
	if err != nil {
		return c, fmt.Errorf("reading a challenge: %w", err)
	}
	state.MadeAt, state.ExpiresAt = instant(made), instant(expires)
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
		_, err := t.exec(`DELETE FROM challenge WHERE id_hash = ?`, hashToken(token))
		return err
	})
}

// openChallenge is a challenge within a transaction.
type openChallenge struct {
	twofactor.Challenge
	hash   []byte
	handle string
	person credentials
	next   string
}

// openChallenge finds a challenge that still counts, or returns ErrChallengeOver.
func (t *tx) openChallenge(token string, now time.Time) (openChallenge, error) {
	c := openChallenge{hash: hashToken(token)}
	var expires, made, previous sql.NullInt64
	err := t.row(`SELECT c.handle, c.wrong_codes, c.expires_at, c.next, c.made_at, p.id, p.last_sign_in_at
		FROM challenge c JOIN person p ON p.id = c.person_id AND p.active = 1 WHERE c.id_hash = ?`, c.hash).
		Scan(&c.handle, &c.WrongCodes, &expires, &c.next, &made, &c.person.id, &previous)
	if errors.Is(err, sql.ErrNoRows) {
		return c, twofactor.ErrChallengeOver
	}
	if err != nil {
		return c, fmt.Errorf("reading a challenge: %w", err)
	}
	c.ExpiresAt, c.MadeAt, c.person.previous = instant(expires), instant(made), instant(previous)
	return c, c.Open(now)
}

// failChallenge counts a wrong code against the challenge, which ends with the fifth.
func (t *tx) failChallenge(c openChallenge, method account.Method, client Client, now time.Time) (left int, err error) {
	c.WrongCodes++
	event := account.SignInFailed
	if left = c.Left(); left == 0 {
		event = account.SignInFailedMax
		err = t.execOne(`DELETE FROM challenge WHERE id_hash = ?`, c.hash)
	} else {
		err = t.execOne(`UPDATE challenge SET wrong_codes = ? WHERE id_hash = ?`, c.WrongCodes, c.hash)
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

// completeChallenge ends the challenge and completes the sign-in.
func (t *tx) completeChallenge(c openChallenge, method account.Method, client Client, now time.Time) (SignInResult, error) {
	if err := t.execOne(`DELETE FROM challenge WHERE id_hash = ?`, c.hash); err != nil {
		return SignInResult{}, err
	}
	session, browser, err := t.completeSignIn(c.person, c.handle, method, c.MadeAt, client, now)
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
		return t.execOne(`UPDATE known_browser SET wrong_codes = wrong_codes + 1 WHERE token_hash = ? AND person_id = ?`,
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
		out, err = t.completeChallenge(c, account.ByCode, client, now)
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
	var salt, sheet []byte
	var a passwordAttempt
	err = s.write(ctx, lockChallenge(token), func(t *tx) error {
		c, err := t.openChallenge(token, now)
		if err != nil {
			return err
		}
		a = passwordAttempt{kind: countRecovery, subject: formatID(c.person.id), caller: personCaller(c.person.id)}
		err = t.row(`SELECT r.enrollment_id, r.salt FROM recovery_sheet r JOIN enrollment e ON e.id = r.enrollment_id
			WHERE e.person_id = ? AND e.state = 'enabled'`, c.person.id).Scan(&sheet, &salt)
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
		number := -1
		if valid {
			if number, err = s.findRecoveryCode(t, row.id, salt, slow); err != nil {
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
		out, err = t.completeChallenge(c, account.ByRecovery, client, now)
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
