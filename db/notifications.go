package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// SignInMails reports whether the visitor wants to hear of sign-ins with new browsers.
func (s *Store) SignInMails(ctx context.Context, v Visitor) (wanted bool, err error) {
	if err := s.row(ctx, `SELECT sign_in_mails = TRUE FROM person WHERE id = $1`, v.Person.ID).Scan(&wanted); err != nil {
		return false, fmt.Errorf("reading a person: %w", err)
	}
	return wanted, nil
}

// SetSignInMails notes whether the visitor wants to hear of them.
func (s *Store) SetSignInMails(ctx context.Context, v Visitor, wanted bool) error {
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		return t.execOne(`UPDATE person SET sign_in_mails = $1 WHERE id = $2`, wanted, v.Person.ID)
	})
}

// HidePolicy keeps the announcement of a policy from the visitor's pages until an instant.
func (s *Store) HidePolicy(ctx context.Context, v Visitor, until time.Time) error {
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		return t.execOne(`UPDATE person SET later_until = $1 WHERE id = $2`, unix(until), v.Person.ID)
	})
}

// PolicyHiddenUntil is until when the announcement of a policy is kept from the visitor's
// pages.
func (s *Store) PolicyHiddenUntil(ctx context.Context, v Visitor) (time.Time, error) {
	var at sql.NullInt64
	if err := s.row(ctx, `SELECT later_until FROM person WHERE id = $1`, v.Person.ID).Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("reading a person: %w", err)
	}
	return instant(at), nil
}
