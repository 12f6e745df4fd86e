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

// ChangePassword sets the visitor's own password when the current one is right, rotates
// the session's id and ends all others. It refuses with FieldErrors of current_password
// and new_password, or with Wait.
func (s *Store) ChangePassword(ctx context.Context, v Visitor, current, next string, c Client,
	now time.Time) (RotatedSession, error) {
	password, err := account.NewPassword("new_password", next, v.Person.Name, v.Person.Email, v.Workspace.Name)
	if err != nil {
		return RotatedSession{}, err
	}
	before, err := s.checkPassword(ctx, v, current, c, now)
	if errors.Is(err, twofactor.ErrWrongPassword) {
		return RotatedSession{}, account.FieldError{Field: "current_password", Reason: account.Wrong}
	}
	if err != nil {
		return RotatedSession{}, err
	}
	hash, err := s.hashPassword(ctx, personCaller(v.Person.ID), password)
	if err != nil {
		return RotatedSession{}, err
	}
	var out RotatedSession
	err = s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireUnchangedPassword(v.Person.ID, before); err != nil {
			return err
		}
		if err := t.requireSession(v); err != nil {
			return err
		}
		if err := t.execOne(`UPDATE person SET password_hash = $1, password_changed_at = $2 WHERE id = $3`,
			hash, unix(now), v.Person.ID); err != nil {
			return err
		}
		if err := t.noteProof(v, byPassword(now), now); err != nil {
			return err
		}
		if err := t.endLinks(v.Person.ID, now); err != nil {
			return err
		}
		if out.Session, err = t.rotateSession(v); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.PasswordChanged,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			method:  account.ByPassword,
		})
		return err
	})
	return out, err
}

// PasswordChangedAt is when the visitor last changed the password; zero for never.
func (s *Store) PasswordChangedAt(ctx context.Context, v Visitor) (time.Time, error) {
	var at sql.NullInt64
	if err := s.row(ctx, `SELECT password_changed_at FROM person WHERE id = $1`, v.Person.ID).Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("reading a person: %w", err)
	}
	return instant(at), nil
}

// Reauthenticate checks the visitor's password and notes that it was given now.
// It refuses with ErrWrongPassword or Wait.
func (s *Store) Reauthenticate(ctx context.Context, v Visitor, password string, c Client, now time.Time) error {
	hash, err := s.checkPassword(ctx, v, password, c, now)
	if err != nil {
		return err
	}
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireUnchangedPassword(v.Person.ID, hash); err != nil {
			return err
		}
		return t.noteProof(v, byPassword(now), now)
	})
}

// ReauthenticateWithCode is Reauthenticate for a session that has shown no second step: it
// takes a code from the app too. It refuses with WrongCode as well, counted as at the
// sign-in.
func (s *Store) ReauthenticateWithCode(ctx context.Context, v Visitor, password, code string, c Client,
	now time.Time) error {
	hash, err := s.checkPassword(ctx, v, password, c, now)
	if err != nil {
		return err
	}
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		if err := t.requireUnchangedPassword(v.Person.ID, hash); err != nil {
			return err
		}
		count, err := t.readCodeCount(v.Person.ID, c, now)
		if err != nil {
			return err
		}
		row, err := s.enrollment(t, v.Person.ID, nil)
		if err != nil {
			return err
		}
		err = s.applyTransition(t, &row, now, func(e *twofactor.Enrollment) error { return e.Verify(code, now) })
		if wrong, ok := errors.AsType[twofactor.WrongCode](err); ok {
			if err := t.countWrongCode(count, now); err != nil {
				return err
			}
			if _, err := t.appendActivity(now, activityEntry{
				event:   account.FactorFailed,
				failed:  true,
				actor:   v.Actor(c),
				subject: v.Person.ID,
				method:  account.ByCode,
			}); err != nil {
				return err
			}
			return wrong
		}
		if err != nil {
			return err
		}
		return t.noteProof(v, afterPassword(account.ByCode, now, amrCode), now)
	})
}

// checkPassword verifies a signed-in person's password, counted like at the sign-in, and
// returns the stored hash that it matched.
func (s *Store) checkPassword(ctx context.Context, v Visitor, password string, c Client,
	now time.Time) (hash string, err error) {
	end, err := s.turns.acquire(ctx, "password of session "+v.Handle, 1)
	if err != nil {
		return "", err
	}
	defer end()
	var p credentials
	var a passwordAttempt
	err = s.write(ctx, lockPerson(v.Person.ID), func(t *tx) (err error) {
		if err := t.requireSession(v); err != nil {
			return err
		}
		if p, err = t.readCredentials(`id = $1`, v.Person.ID); err != nil {
			return err
		}
		if a, err = t.sessionAttempt(v, c, now); err != nil {
			return err
		}
		return t.countAttempt(a.kind, a.subject, twofactor.PasswordWaits, now)
	})
	if err != nil {
		return "", err
	}
	right, _, err := s.verifyPassword(ctx, a.caller, password, p.hash)
	if err != nil {
		return "", s.refundUnchecked(ctx, lockPerson(v.Person.ID), a, err)
	}
	return p.hash, s.write(context.WithoutCancel(ctx), lockPerson(v.Person.ID), func(t *tx) error {
		if right {
			if err := t.endLinks(v.Person.ID, now); err != nil { // who knows the password needs none
				return err
			}
			return t.clearCount(a.kind, a.subject)
		}
		if _, err := t.appendActivity(now, activityEntry{
			event:   account.PasswordFailed,
			failed:  true,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			method:  account.ByPassword,
		}); err != nil {
			return err
		}
		return t.recordRefusal(a, now, twofactor.ErrWrongPassword)
	})
}

// requireUnchangedPassword refuses when the password was changed while it was being checked.
func (t *tx) requireUnchangedPassword(person int64, hash string) error {
	p, err := t.readCredentials(`id = $1`, person)
	if err == nil && p.hash != hash {
		return twofactor.ErrWrongPassword
	}
	return err
}

// setPassword stores a password, ends the person's sessions, challenges and links, and
// clears the failed attempts before it. An account that "This wasn't me" has closed is open
// again: its link was used, or somebody on the machine has decided.
func (t *tx) setPassword(person int64, hash string, now time.Time) error {
	if err := t.execOne(`UPDATE person SET password_hash = $1, password_changed_at = $2, closed_at = NULL, closed_email = ''
		WHERE id = $3`, hash, unix(now), person); err != nil {
		return err
	}
	if err := t.endOtherSessions(person, nil); err != nil {
		return err
	}
	if err := t.endLinks(person, now); err != nil {
		return err
	}
	return t.clearCount(countPassword, formatID(person))
}

// SetPassword sets somebody's password on the machine. It refuses with a
// FieldError of password.
func (s *Store) SetPassword(ctx context.Context, person int64, typed string, by Author, now time.Time) error {
	p, err := s.Person(ctx, person)
	if err != nil {
		return err
	}
	w, err := s.Workspace(ctx)
	if err != nil {
		return err
	}
	next, err := account.NewPassword("password", typed, p.Name, p.Email, w.Name)
	if err != nil {
		return err
	}
	hash, err := s.hashPassword(ctx, machineCaller(), next)
	if err != nil {
		return err
	}
	return s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		if _, err := t.authorizeManage(by, person); err != nil {
			return err
		}
		if err := t.setPassword(person, hash, now); err != nil {
			return err
		}
		_, err := t.appendActivity(now, activityEntry{
			event:   account.PasswordChanged,
			actor:   by.Actor,
			subject: person,
			method:  account.ByCommand,
		})
		return err
	})
}
