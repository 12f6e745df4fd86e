package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/openid"
)

// A Standing is somebody at the door of a connected app.
type Standing struct {
	Answer  apps.Answer
	Subject string        // by which the app knows them
	Agreed  openid.Scopes // what they have agreed that the app may know
}

// Standing decides whether a visitor may sign in at a connected app now.
func (s *Store) Standing(ctx context.Context, v Visitor, app int64, now time.Time) (Standing, error) {
	var agreed sql.NullString
	st, err := scanStanding(s.row(ctx, `SELECT `+standingColumns+`, ac.scopes FROM person p JOIN app a ON a.id = $2
		JOIN workspace w ON w.id = 1 LEFT JOIN app_consent ac ON ac.person_id = p.id AND ac.app_id = a.id
		WHERE p.id = $1`, v.Person.ID, app), &agreed)
	if err != nil {
		return Standing{}, err
	}
	return Standing{
		Answer:  st.app.Answer(st.person, v.proof(), now),
		Subject: st.told.Subject,
		Agreed:  openid.ParseScopes(agreed.String),
	}, nil
}

func scanStanding(from row, more ...any) (st standing, err error) {
	to, finish := st.into()
	err = from.Scan(append(to, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return st, ErrNotFound
	}
	if err != nil {
		return st, fmt.Errorf("reading somebody at an app: %w", err)
	}
	finish()
	return st, nil
}

// ErrMayNot refuses somebody whom an app is not open to any more.
var ErrMayNot = errors.New("may not open the app")

// Authorize makes the code that brings a visitor into an app. What has been decided before
// is decided again in its transaction: ErrSignedOut, ErrMayNot.
func (s *Store) Authorize(ctx context.Context, v Visitor, app int64, r openid.AuthorizeRequest, c Client,
	now time.Time) (code string, err error) {
	code = newToken()
	err = s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		st, err := scanStanding(t.row(`SELECT `+standingColumns+` FROM session s JOIN person p ON p.id = s.person_id
			JOIN app a ON a.id = $2 JOIN workspace w ON w.id = 1 WHERE s.id_hash = $1 AND p.active = TRUE
				AND a.connected = TRUE`, v.session, app))
		if errors.Is(err, ErrNotFound) { // which of the two
			if err := t.requireSession(v); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		if !st.may(v.SignIn(), now) {
			return ErrMayNot
		}
		if err := t.noteOpened(v.Person.ID, st.app, v.Actor(c), now); err != nil {
			return err
		}
		signIn := v.SignIn()
		return t.execOne(`INSERT INTO app_grant (id_hash, app_id, person_id, session_handle, sid, redirect, challenge, nonce,
				scopes, methods, authenticated_at, made_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			hashToken(code), app, v.Person.ID, v.Handle, signIn.Session, r.Redirect, r.Challenge, r.Nonce,
			r.Scopes.String(), strings.Join(signIn.Methods, " "), unix(signIn.At), unix(now))
	})
	return code, err
}

// Agree stores that a visitor agrees that an app may know what the scopes say.
func (s *Store) Agree(ctx context.Context, v Visitor, app int64, scopes openid.Scopes, c Client, now time.Time) error {
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		var name string
		if err := t.row(`SELECT name FROM app WHERE id = $1`, app).Scan(&name); err != nil {
			return fmt.Errorf("reading an app: %w", err)
		}
		if _, err := t.exec(`INSERT INTO app_consent (person_id, app_id, scopes, agreed_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (person_id, app_id) DO UPDATE SET scopes = excluded.scopes, agreed_at = excluded.agreed_at`,
			v.Person.ID, app, scopes.String(), unix(now)); err != nil {
			return err
		}
		_, err := t.appendActivity(now, activityEntry{
			event:   account.AppAgreed,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			detail:  name,
		})
		return err
	})
}
