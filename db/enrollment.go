package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// An enrollmentRow is an enrolment with what only the store knows about it.
type enrollmentRow struct {
	twofactor.Enrollment
	id      []byte // nil while Not configured
	person  int64
	session []byte       // whose pending enrolment it is; nil at the challenge
	codes   *hashedCodes // of a sheet that the change has made
}

// sealContext binds a sealed secret to its person, enrolment and state, so
// that no row can be moved to somebody else or promoted by hand.
func sealContext(state twofactor.State, person int64, id []byte) string {
	return fmt.Sprintf("gatehouse totp secret\x00%s\x00%d\x00%x", state, person, id)
}

// sealSecret seals an enrolment's secret for the state that it is in.
func (s *Store) sealSecret(t *tx, r *enrollmentRow) ([]byte, error) {
	keys, err := s.keyring(t)
	if err != nil {
		return nil, err
	}
	return keys.Seal(r.Secret.Bytes(), sealContext(r.State, r.person, r.id))
}

// enrollment reads the enrolment that a session sees: the person's enabled one,
// else the session's own pending one, else Not configured. A secret that does
// not open is a fault, never "not configured". What became of the recovery codes
// is left out: a code from the app does not need it.
func (s *Store) enrollment(t *tx, person int64, session []byte) (enrollmentRow, error) {
	r := enrollmentRow{person: person, session: session}
	if session == nil {
		session = []byte{}
	}
	return s.scanEnrollment(t.row(enrollmentQuery+` AND (e.state = 'enabled' OR e.session_hash = $2)
		ORDER BY e.state = 'enabled' DESC LIMIT 1`, person, session), r)
}

// pendingEnrollment reads what a session has pending, also beside an enabled one.
func (s *Store) pendingEnrollment(t *tx, person int64, session []byte) (enrollmentRow, error) {
	return s.scanEnrollment(t.row(enrollmentQuery+` AND e.session_hash = $2`, person, session),
		enrollmentRow{person: person, session: session})
}

const enrollmentQuery = `SELECT e.id, e.state, e.secret, e.wrong_codes, e.expires_at, e.confirmed_at, e.last_step, w.key_id
	FROM enrollment e JOIN workspace w ON w.id = 1 WHERE e.person_id = $1`

func (s *Store) scanEnrollment(found row, r enrollmentRow) (enrollmentRow, error) {
	var state string
	var sealed, keyID []byte
	var expires, confirmed sql.NullInt64
	err := found.Scan(&r.id, &state, &sealed, &r.WrongCodes, &expires, &confirmed, &r.LastStep, &keyID)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("reading an enrolment: %w", err)
	}
	r.State, r.ExpiresAt, r.ConfirmedAt = twofactor.Pending, instant(expires), instant(confirmed)
	if state == "enabled" {
		r.State = twofactor.Enabled
	}
	keys, err := s.keyringByID(keyID)
	if err != nil {
		return r, err
	}
	key, err := keys.Open(sealed, sealContext(r.State, r.person, r.id))
	if err != nil {
		return r, fmt.Errorf("opening the secret of person %d: %w", r.person, err)
	}
	r.Secret, err = twofactor.ParseSecret(key)
	return r, err
}

// enrollmentWithSheet is enrollment with the person's sheet of recovery codes, which
// everybody with a factor has.
func (s *Store) enrollmentWithSheet(t *tx, person int64, session []byte) (enrollmentRow, error) {
	r, err := s.enrollment(t, person, session)
	if err != nil {
		return r, err
	}
	r.Sheet, err = scanSheet(t.row(sheetQuery, person))
	if err == nil && r.State == twofactor.Enabled && !r.Sheet.Exists() {
		err = fmt.Errorf("person %d has a factor and no recovery sheet", person)
	}
	return r, err
}

const sheetQuery = `SELECT r.sheet, r.made_at, p.unused_codes FROM recovery_sheet r
	JOIN person p ON p.id = r.person_id WHERE r.person_id = $1`

// scanSheet reads a sheet as far as pages tell of it; zero where there is none.
func scanSheet(found row) (twofactor.Sheet, error) {
	var sheet twofactor.Sheet
	var made sql.NullInt64
	var unused uint8
	err := found.Scan(&sheet.ID, &made, &unused)
	if errors.Is(err, sql.ErrNoRows) {
		return sheet, nil
	}
	if err != nil {
		return sheet, fmt.Errorf("reading a recovery sheet: %w", err)
	}
	sheet.MadeAt, sheet.Used = instant(made), usedCodes(unused)
	return sheet, nil
}

// applyTransition applies a move to an enrolment and stores the result. What a refusal
// counted is stored as well, and the refusal is returned.
func (s *Store) applyTransition(t *tx, r *enrollmentRow, now time.Time, move func(*twofactor.Enrollment) error) error {
	before := *r
	refusal := move(&r.Enrollment)
	if refusal != nil && !isCountedRefusal(refusal) {
		return refusal
	}
	if err := s.saveEnrollment(t, before, r, now); err != nil {
		return err
	}
	return refusal
}

// saveEnrollment writes the difference between two enrolments of one person.
func (s *Store) saveEnrollment(t *tx, before enrollmentRow, after *enrollmentRow, now time.Time) error {
	switch {
	case before.State != twofactor.Enabled && after.State == before.State && after.Sheet != before.Sheet:
		return s.saveUse(t, before, after, now) // of somebody with passkeys only

	case after.State == twofactor.NotConfigured:
		if before.id == nil {
			return nil
		}
		after.id = nil
		if err := t.execOne(`DELETE FROM enrollment WHERE id = $1`, before.id); err != nil {
			return err
		}
		return t.updateEnrolled(before.person)

	case after.State == twofactor.Pending && before.Secret.Base32() != after.Secret.Base32():
		if _, err := t.exec(`DELETE FROM enrollment WHERE session_hash = $1`, after.session); err != nil {
			return err
		}
		after.id = make([]byte, 16)
		rand.Read(after.id)
		sealed, err := s.sealSecret(t, after)
		if err != nil {
			return err
		}
		return t.execOne(`INSERT INTO enrollment (id, person_id, state, session_hash, secret, expires_at)
			VALUES ($1, $2, 'pending', $3, $4, $5)`,
			after.id, after.person, after.session, sealed, unix(after.ExpiresAt))

	case after.State == twofactor.Pending:
		return t.execOne(`UPDATE enrollment SET wrong_codes = $1 WHERE id = $2 AND state = 'pending'`,
			after.WrongCodes, after.id)

	case before.State != twofactor.Enabled:
		if err := s.saveConfirmed(t, after); err != nil {
			return err
		}
		if err := s.saveSheet(t, after.person, after.Sheet, after.codes); err != nil {
			return err
		}
		return t.updateEnrolled(after.person)
	}
	return s.saveUse(t, before, after, now)
}

// saveConfirmed turns the row of a pending enrolment into that of an enabled one.
func (s *Store) saveConfirmed(t *tx, r *enrollmentRow) error {
	sealed, err := s.sealSecret(t, r)
	if err != nil {
		return err
	}
	return t.execOne(`UPDATE enrollment
		SET state = 'enabled', session_hash = NULL, expires_at = NULL, wrong_codes = 0, secret = $1, confirmed_at = $2, last_step = $3
		WHERE id = $4 AND state = 'pending'`, sealed, unix(r.ConfirmedAt), r.LastStep, r.id)
}

// saveUse writes what using an enrolment has changed: the newest time step, a used code, or
// the whole sheet.
func (s *Store) saveUse(t *tx, before enrollmentRow, after *enrollmentRow, now time.Time) error {
	if after.LastStep != before.LastStep {
		// The condition repeats the rule: a time step is never used twice.
		if err := t.execOne(`UPDATE enrollment SET last_step = $1 WHERE id = $2 AND last_step < $3`,
			after.LastStep, after.id, after.LastStep); err != nil {
			return err
		}
	}
	if after.codes != nil {
		if err := s.saveSheet(t, after.person, after.Sheet, after.codes); err != nil {
			return err
		}
		return t.updateEnrolled(after.person)
	}
	if after.Sheet.Used == before.Sheet.Used {
		return nil
	}
	for number, used := range after.Sheet.Used {
		if used && !before.Sheet.Used[number] {
			if err := t.execOne(`UPDATE recovery_code SET used_at = $1
				WHERE person_id = $2 AND number = $3 AND used_at IS NULL`, unix(now), after.person, number); err != nil {
				return err
			}
		}
	}
	if err := t.execOne(`UPDATE recovery_sheet SET checked_at = $1 WHERE person_id = $2`, unix(now),
		after.person); err != nil {
		return err
	}
	return t.updateEnrolled(after.person)
}

// updateEnrolled keeps the columns of person that say who has a factor, whether one
// works here, since when, and which recovery codes are unused. Whatever writes an enabled
// enrolment, a passkey or a code, or takes one away, calls it: TestEnrolledIsKept, TestCodesLeftIsKept.
//
// Recovery codes go with the last factor.
func (t *tx) updateEnrolled(person int64) error {
	if _, err := t.exec(`DELETE FROM recovery_sheet WHERE person_id = $1
		AND NOT EXISTS (SELECT 1 FROM enrollment e WHERE e.person_id = $2 AND e.state = 'enabled')
		AND NOT EXISTS (SELECT 1 FROM passkey k WHERE k.person_id = $3)`, person, person, person); err != nil {
		return err
	}
	_, before, err := t.standing(person)
	if err != nil {
		return err
	}
	var active, works bool
	err = t.row(`UPDATE person SET
		enrolled = EXISTS (SELECT 1 FROM enrollment e WHERE e.person_id = person.id AND e.state = 'enabled')
			OR EXISTS (SELECT 1 FROM passkey k WHERE k.person_id = person.id),
		enrolled_here = EXISTS (SELECT 1 FROM enrollment e WHERE e.person_id = person.id AND e.state = 'enabled')
			OR EXISTS (SELECT 1 FROM passkey k JOIN workspace w ON w.passkey_domain = k.rp_id WHERE k.person_id = person.id),
		enrolled_at = (SELECT min(f.at) FROM (
			SELECT e.confirmed_at AS at FROM enrollment e WHERE e.person_id = person.id AND e.state = 'enabled'
			UNION ALL SELECT k.made_at FROM passkey k WHERE k.person_id = person.id) AS f),
		unused_codes = coalesce((SELECT sum(1 << c.number) FROM recovery_code c
			WHERE c.person_id = person.id AND c.used_at IS NULL), 0)
		WHERE id = $1 RETURNING active, enrolled_here`, person).Scan(&active, &works)
	if err != nil {
		return fmt.Errorf("keeping who has enrolled: %w", err)
	}
	t.countPerson(person, 0, one(active && works)-one(before))
	return nil
}

// standing reads whether a person is an active one, and whether one who has a factor that
// works.
func (t *tx) standing(person int64) (active, enrolled bool, err error) {
	err = t.row(`SELECT active, active AND enrolled_here FROM person WHERE id = $1`, person).Scan(&active, &enrolled)
	if err != nil {
		return false, false, fmt.Errorf("reading who has enrolled: %w", err)
	}
	return active, enrolled, nil
}

// TwoFactor reads the visitor's enrolment as pages show it: without the secret, which
// exists only in the answers to Enable and to a wrong Confirm. A pending enrolment reads
// as Not configured, since loading a page discards it.
func (s *Store) TwoFactor(ctx context.Context, v Visitor) (twofactor.Enrollment, error) {
	return s.twoFactor(ctx, v.Person.ID)
}

func (s *Store) twoFactor(ctx context.Context, person int64) (twofactor.Enrollment, error) {
	var e twofactor.Enrollment
	var unused uint8
	var confirmed, made sql.NullInt64
	err := s.row(ctx, `SELECT e.confirmed_at, r.sheet, r.made_at, p.unused_codes
		FROM person p JOIN recovery_sheet r ON r.person_id = p.id
		LEFT JOIN enrollment e ON e.person_id = p.id AND e.state = 'enabled'
		WHERE p.id = $1`, person).Scan(&confirmed, &e.Sheet.ID, &made, &unused)
	if errors.Is(err, sql.ErrNoRows) {
		return e, nil
	}
	if err != nil {
		return e, fmt.Errorf("reading an enrolment: %w", err)
	}
	if confirmed.Valid {
		e.State = twofactor.Enabled
	}
	e.ConfirmedAt = instant(confirmed)
	e.Sheet.MadeAt = instant(made)
	e.Sheet.Used = usedCodes(unused)
	return e, nil
}

// EnableTwoFactor mints a secret that is pending for the visitor's session.
// While Enabled it changes nothing and refuses with ErrAlreadyEnabled.
func (s *Store) EnableTwoFactor(ctx context.Context, v Visitor, now time.Time) (twofactor.Enrollment, error) {
	secret := twofactor.NewSecret()
	return s.updateEnrollment(ctx, v, func(t *tx, r *enrollmentRow) error {
		return s.applyTransition(t, r, now,
			func(e *twofactor.Enrollment) error { return e.Enable(secret, now, s.times.PendingTTL) })
	})
}

// DiscardPending drops the secret that the visitor's session has pending.
func (s *Store) DiscardPending(ctx context.Context, v Visitor) error {
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		_, err := t.exec(`DELETE FROM enrollment WHERE session_hash = $1`, v.session)
		return err
	})
}

// updateEnrollment runs one change of the visitor's own enrolment and returns the result,
// after a refusal too.
func (s *Store) updateEnrollment(ctx context.Context, v Visitor,
	change func(*tx, *enrollmentRow) error) (twofactor.Enrollment, error) {
	var out twofactor.Enrollment
	err := s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		r, err := s.enrollmentWithSheet(t, v.Person.ID, v.session)
		if err != nil {
			return err
		}
		err = change(t, &r)
		out = r.Enrollment
		return err
	})
	return out, err
}

// A RotatedSession is what a change of the factor returns: the recovery codes to show
// once, if new ones were made, and the session's new token.
type RotatedSession struct {
	Codes   []twofactor.RecoveryCode
	Session string
}

// ConfirmTwoFactor turns the session's pending enrolment into an enabled one, makes its
// recovery codes, rotates the session's id and ends all others. It refuses like
// twofactor.Enrollment.Confirm; a wrong code is counted.
//
// The codes' slow hashes cost a third of a second, so they are computed only
// for a code that is right, and before the transaction that decides.
func (s *Store) ConfirmTwoFactor(ctx context.Context, v Visitor, typed string, c Client,
	now time.Time) (twofactor.Enrollment, RotatedSession, error) {
	codes, sheet := twofactor.NewRecoveryCodes(), twofactor.NewSheet("", now)
	end, err := s.turns.acquire(ctx, "sheet of "+formatID(v.Person.ID), 1) // of many at once one computes a sheet
	if err != nil {
		return twofactor.Enrollment{}, RotatedSession{}, err
	}
	defer end()
	right, err := s.isRightCode(ctx, v, typed, sheet, now)
	if err != nil {
		return twofactor.Enrollment{}, RotatedSession{}, err
	}
	var hashed *hashedCodes
	if right {
		if hashed, err = s.hashCodes(ctx, personCaller(v.Person.ID), codes); err != nil {
			return twofactor.Enrollment{}, RotatedSession{}, err
		}
	}
	var out RotatedSession
	e, err := s.updateEnrollment(ctx, v, func(t *tx, r *enrollmentRow) error {
		r.codes = hashed
		err := s.applyTransition(t, r, now, func(e *twofactor.Enrollment) error { return e.Confirm(typed, sheet, now) })
		if wrong, ok := errors.AsType[twofactor.WrongCode](err); ok {
			return t.refuseEnrollment(v, wrong, c, now)
		}
		if err != nil {
			return err
		}
		if err := t.noteSecondStep(v, now, amrCode); err != nil {
			return err
		}
		if out.Session, err = t.rotateSession(v); err != nil {
			return err
		}
		out.Codes = codes[:]
		_, err = t.appendActivity(now, activityEntry{
			event:   account.FactorEnabled,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			method:  account.ByCode,
			detail:  "sheet " + sheet.ID,
		})
		return err
	})
	return e, out, err
}

// refuseEnrollment writes the row of a wrong code at enrolment.
func (t *tx) refuseEnrollment(v Visitor, wrong twofactor.WrongCode, c Client, now time.Time) error {
	row := activityEntry{
		event:   account.FactorFailed,
		failed:  true,
		actor:   v.Actor(c),
		subject: v.Person.ID,
		method:  account.ByCode,
	}
	if wrong.Left == 0 {
		row.event = account.SignInFailedMax
	}
	if _, err := t.appendActivity(now, row); err != nil {
		return err
	}
	return wrong
}

// isRightCode reports whether a code would confirm the enrolment, without changing
// anything.
func (s *Store) isRightCode(ctx context.Context, v Visitor, typed string, sheet twofactor.Sheet,
	now time.Time) (bool, error) {
	var right bool
	err := s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		r, err := s.enrollment(t, v.Person.ID, v.session)
		right = err == nil && r.Confirm(typed, sheet, now) == nil
		return err
	})
	return right, err
}

// DisableTwoFactor deletes the visitor's factor and recovery codes when the password is
// right, rotates the session's id and ends all others. It refuses with ErrWrongPassword
// or Wait, and changes nothing then.
func (s *Store) DisableTwoFactor(ctx context.Context, v Visitor, password string, c Client,
	now time.Time) (twofactor.Enrollment, RotatedSession, error) {
	hash, err := s.checkPassword(ctx, v, password, c, now)
	if err != nil {
		return twofactor.Enrollment{}, RotatedSession{}, err
	}
	var out RotatedSession
	e, err := s.updateEnrollment(ctx, v, func(t *tx, r *enrollmentRow) error {
		if err := t.requireUnchangedPassword(v.Person.ID, hash); err != nil {
			return err
		}
		n, err := t.exec(`DELETE FROM passkey WHERE person_id = $1`, v.Person.ID)
		if err != nil {
			return err
		}
		err = s.applyTransition(t, r, now, func(e *twofactor.Enrollment) error { return e.Disable() })
		if errors.Is(err, twofactor.ErrNotEnabled) && n > 0 {
			r.Enrollment = twofactor.Enrollment{}
			err = t.updateEnrolled(v.Person.ID)
		}
		if err != nil {
			return err
		}
		if out.Session, err = t.rotateSession(v); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.FactorDisabled,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			method:  account.ByPassword,
		})
		return err
	})
	return e, out, err
}
