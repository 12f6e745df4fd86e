package db

import (
	"context"
	"errors"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// ReplaceTwoFactor mints a secret for a new phone, pending for the visitor's session beside
// the enabled one, whose codes go on signing in. The caller has checked that the proof is
// fresh. It refuses with ErrNotEnabled.
func (s *Store) ReplaceTwoFactor(ctx context.Context, v Visitor, now time.Time) (twofactor.Enrollment, error) {
	secret := twofactor.NewSecret()
	return s.updateReplacement(ctx, v, func(t *tx, enabled, next *enrollmentRow) error {
		before := *next
		if err := enabled.Replace(&next.Enrollment, secret, now, s.times.PendingTTL); err != nil {
			return err
		}
		return s.saveEnrollment(t, before, next, now)
	})
}

// ExchangeTwoFactor puts the new phone that the session has pending in place of the old one,
// in one transaction: the recovery codes stay, the session's id is rotated, all others end.
// It refuses like twofactor.Enrollment.Exchange; a wrong code is counted, and the fifth
// discards the new secret alone. Without a refusal it returns the new enrolment, otherwise
// what is still pending.
func (s *Store) ExchangeTwoFactor(ctx context.Context, v Visitor, typed string, c Client,
	now time.Time) (twofactor.Enrollment, RotatedSession, error) {
	var out RotatedSession
	e, err := s.updateReplacement(ctx, v, func(t *tx, enabled, next *enrollmentRow) error {
		before := *next
		err := enabled.Exchange(&next.Enrollment, typed, now)
		if err != nil && isCountedRefusal(err) {
			if err := s.saveEnrollment(t, before, next, now); err != nil {
				return err
			}
		}
		if wrong, ok := errors.AsType[twofactor.WrongCode](err); ok {
			return t.refuseEnrollment(v, wrong, c, now)
		}
		if err != nil {
			return err
		}
		if err := t.execOne(`DELETE FROM enrollment WHERE id = $1 AND state = 'enabled'`, enabled.id); err != nil {
			return err
		}
		if err := s.saveConfirmed(t, next); err != nil {
			return err
		}
		if err := t.updateEnrolled(v.Person.ID); err != nil {
			return err
		}
		if err := t.noteSecondStep(v, now, amrCode); err != nil {
			return err
		}
		if out.Session, err = t.rotateSession(v); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.FactorExchanged,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			method:  account.ByCode,
		})
		return err
	})
	return e, out, err
}

// updateReplacement runs a change of what the visitor's session has pending beside the
// enabled enrolment, and returns it, after a refusal too.
func (s *Store) updateReplacement(ctx context.Context, v Visitor,
	change func(t *tx, enabled, next *enrollmentRow) error) (twofactor.Enrollment, error) {
	var out twofactor.Enrollment
	err := s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		out = twofactor.Enrollment{}
		if err := t.requireSession(v); err != nil {
			return err
		}
		enabled, err := s.enrollmentWithSheet(t, v.Person.ID, nil)
		if err != nil {
			return err
		}
		next, err := s.pendingEnrollment(t, v.Person.ID, v.session)
		if err != nil {
			return err
		}
		err = change(t, &enabled, &next)
		out = next.Enrollment
		return err
	})
	return out, err
}
