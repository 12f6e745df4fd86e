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

// When somebody is asked whether they still have their recovery codes: so long after the
// last use or check of one, and not more often than that.
const (
	codesAskedAfter = 180 * 24 * time.Hour
	codesAskedAgain = 30 * 24 * time.Hour
)

// CheckRecoveryCode reports whether a text is one of the visitor's unused recovery codes,
// and leaves it unused. The attempt is counted before it is looked at, as at the sign-in,
// and taken back when it was right. It refuses with ErrWrongRecovery, ErrNotEnabled or
// Wait.
func (s *Store) CheckRecoveryCode(ctx context.Context, v Visitor, typed string, c Client, now time.Time) error {
	end, err := s.turns.acquire(ctx, "check of "+formatID(v.Person.ID), 1)
	if err != nil {
		return err
	}
	defer end()
	var salt []byte
	a := passwordAttempt{kind: countRecovery, subject: formatID(v.Person.ID), caller: personCaller(v.Person.ID)}
	lock := lockPerson(v.Person.ID)
	err = s.write(ctx, lock, func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		err := t.row(`SELECT salt FROM recovery_sheet WHERE person_id = $1`, v.Person.ID).Scan(&salt)
		if errors.Is(err, sql.ErrNoRows) {
			return twofactor.ErrNotEnabled
		}
		if err != nil {
			return fmt.Errorf("reading a recovery sheet: %w", err)
		}
		return t.countAttempt(a.kind, a.subject, twofactor.CodeWaits, now)
	})
	if err != nil {
		return err
	}
	code, valid := twofactor.NormalizeRecoveryCode(typed)
	release, err := s.hashes.Acquire(ctx, a.caller)
	if err != nil {
		return s.refundUnchecked(ctx, lock, a, err)
	}
	slow := s.hashing.Derive([]byte(code.Symbols()), salt)
	release()
	err = s.write(context.WithoutCancel(ctx), lock, func(t *tx) error {
		if err := t.requireSession(v); err != nil { // a new sheet rotates it, so that the salt is this sheet's
			return err
		}
		number := -1
		if valid {
			var err error
			if number, err = s.findRecoveryCode(t, v.Person.ID, salt, slow); err != nil {
				return err
			}
		}
		sheet, err := scanSheet(t.row(sheetQuery, v.Person.ID))
		if err != nil {
			return err
		}
		off, err := t.isSwitchedOff(v.Person.ID, sheet.MadeAt)
		if err != nil {
			return err
		}
		if off {
			if err := t.refundAttempt(a.kind, a.subject); err != nil {
				return err
			}
			return twofactor.ErrSwitchedOff
		}
		row := activityEntry{
			event:   account.CodeChecked,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			method:  account.ByRecovery,
			detail:  "sheet " + sheet.ID,
		}
		refusal := sheet.Check(number)
		row.failed = refusal != nil
		if _, err := t.appendActivity(now, row); err != nil {
			return err
		}
		if refusal != nil {
			return t.recordRefusal(a, now, twofactor.ErrWrongRecovery)
		}
		if err := t.refundAttempt(a.kind, a.subject); err != nil {
			return err
		}
		return t.execOne(`UPDATE recovery_sheet SET checked_at = $1 WHERE person_id = $2`, unix(now), v.Person.ID)
	})
	if IsRefusal(err) || err == nil {
		return err
	}
	return s.refundUnchecked(ctx, lock, a, err)
}

// AskForCodes reports whether to ask the visitor now whether they still have their recovery
// codes, and notes that they were asked. It writes on the day that it asks alone.
func (s *Store) AskForCodes(ctx context.Context, v Visitor, now time.Time) (ask bool, err error) {
	const due = `person_id = $1 AND checked_at <= $2 AND (asked_at IS NULL OR asked_at <= $3 OR asked_at > $4)`
	long, lately := unix(now.Add(-codesAskedAfter)), unix(now.Add(-codesAskedAgain))
	err = s.row(ctx, `SELECT EXISTS (SELECT 1 FROM recovery_sheet WHERE `+due+`)`, v.Person.ID, long, lately, unix(now)).Scan(&ask)
	if err != nil || !ask {
		return false, err
	}
	err = s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		n, err := t.exec(`UPDATE recovery_sheet SET asked_at = $4 WHERE `+due, v.Person.ID, long, lately, unix(now))
		ask = n == 1
		return err
	})
	return ask, err
}
