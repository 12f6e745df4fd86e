package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/apps"
)

// TicketTTL is how long a ticket carries a sign-in to an app's host: one redirect.
const TicketTTL = 30 * time.Second

// maxAppSessions is how many sessions in one app one session of the portal may have: a browser
// has one cookie, and several tabs may fetch it at once.
const maxAppSessions = 5

// NewState mints the cookie by which a browser is known again on an app's host, and what
// goes to the portal of it.
func NewState() (cookie, sent string) {
	cookie = newToken()
	return cookie, StateOf(cookie)
}

// StateOf is what goes to the portal of the cookie of a browser on an app's host: whoever
// sees the address cannot make the cookie of it.
func StateOf(cookie string) string { return encodeToken(hashToken(cookie)) }

// IsToken reports whether a text has the form of a token or a state.
func IsToken(text string) bool {
	_, err := decodeToken(text)
	return err == nil
}

// AppAnswer decides whether the visitor may open an app now, as CheckRequest does of whoever has
// a session in it.
func (s *Store) AppAnswer(ctx context.Context, v Visitor, a apps.App, now time.Time) (apps.Answer, error) {
	p, err := s.AppPerson(ctx, v.Person.ID)
	if err != nil {
		return apps.MayNot, err
	}
	return a.Answer(p, v.proof(), now), nil
}

// NewTicket makes what carries the visitor's sign-in to an app's host: once, for the browser
// that has the state there, and to the path. What decides is read in its transaction:
// ErrSignedOut, ErrMayNot.
func (s *Store) NewTicket(ctx context.Context, v Visitor, app int64, state, path string, c Client,
	now time.Time) (ticket string, err error) {
	ticket = newToken()
	stateHash, err := decodeToken(state)
	if err != nil {
		return "", fmt.Errorf("reading a state: %w", err)
	}
	err = s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		a, err := readApp(t, `SELECT `+appColumns+` WHERE app.id = $1`, app)
		if err != nil {
			return err
		}
		p, err := readAppPerson(t, v.Person.ID)
		if err != nil {
			return err
		}
		if !a.Guarded || a.Answer(p, v.proof(), now) != apps.May {
			return ErrMayNot
		}
		if err := t.noteOpened(v.Person.ID, a, v.Actor(c), now); err != nil {
			return err
		}
		return t.execOne(`INSERT INTO ticket (id_hash, app_id, session_handle, state_hash, path, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6)`,
			hashToken(ticket), app, v.Handle, stateHash, path, unix(now.Add(TicketTTL)))
	})
	return ticket, err
}

// EnterApp takes up a ticket, once, and starts a session in the app that has the host. It
// returns the token of the app's cookie, and the path to go on to. ErrNotFound is for a
// ticket that is unknown, used, expired, of another app, or for another browser.
func (s *Store) EnterApp(ctx context.Context, host, ticket, stateCookie string, now time.Time) (token, path string, err error) {
	token = newToken()
	err = s.write(ctx, lockTicket(ticket), func(t *tx) error {
		var app int64
		var handle string
		path = ""
		err := t.row(`DELETE FROM ticket
			WHERE id_hash = $1 AND state_hash = $2 AND expires_at > $3
				AND app_id = (SELECT id FROM app WHERE host = $4 AND guarded = TRUE AND paused = FALSE)
			RETURNING app_id, session_handle, path`,
			hashToken(ticket), hashToken(stateCookie), unix(now), host).Scan(&app, &handle, &path)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("taking up a ticket: %w", err)
		}
		if err := t.execOne(`INSERT INTO app_session (id_hash, app_id, session_handle, made_at) VALUES ($1, $2, $3, $4)`,
			hashToken(token), app, handle, unix(now)); err != nil {
			return fmt.Errorf("starting a session in an app: %w", err)
		}
		if _, err := t.exec(`UPDATE app SET reached_at = $1 WHERE id = $2 AND reached_at IS NULL`, unix(now), app); err != nil {
			return fmt.Errorf("noting that an app's proxy asks: %w", err)
		}
		_, err = t.exec(`DELETE FROM app_session WHERE session_handle = $1 AND app_id = $2 AND id_hash NOT IN (
				SELECT id_hash FROM app_session WHERE session_handle = $3 AND app_id = $4
				ORDER BY made_at DESC, id_hash = $5 DESC LIMIT $6)`,
			handle, app, handle, app, hashToken(token), maxAppSessions)
		return err
	})
	if err != nil {
		return "", "", err
	}
	return token, path, nil
}

// An OwnAppSession is an app in which somebody is signed in.
type OwnAppSession struct {
	App     apps.App // without its access
	Handle  string   // of the session of the portal that it hangs on
	Browser string
	SeenAt  time.Time // when that session was used last
	Current bool      // that session is the visitor's
	MadeAt  time.Time
}

// AppSessions lists the guarded apps in which the visitor is signed in, one for each session
// of the portal, by name.
func (s *Store) AppSessions(ctx context.Context, v Visitor, now time.Time) (list []OwnAppSession, err error) {
	usedSince, begunSince, err := s.openSince(reading{s, ctx}, now)
	if err != nil {
		return nil, err
	}
	err = eachRow(reading{s, ctx}, func(scan func(...any) error) error {
		var o OwnAppSession
		var made, seen sql.NullInt64
		err := scan(&o.App.ID, &o.App.Slug, &o.App.Name, &o.App.Mark, &o.App.Icon, &o.App.Address.Host, &o.Handle, &o.Browser, &seen, &made)
		o.SeenAt, o.MadeAt, o.Current = instant(seen), instant(made), o.Handle == v.Handle
		list = append(list, o)
		return err
	}, `SELECT a.id, a.slug, a.name, a.mark, a.icon, a.host, s.handle, s.browser, s.seen_at, min(x.made_at)
		FROM session s JOIN app_session x ON x.session_handle = s.handle JOIN app a ON a.id = x.app_id
		WHERE s.person_id = $1 AND s.seen_at > $2 AND s.started_at > $3
		GROUP BY a.id, a.slug, a.name, a.mark, a.icon, a.host, a.sort_key, s.handle, s.browser, s.seen_at
		ORDER BY a.sort_key, a.id, s.handle`,
		v.Person.ID, usedSince, begunSince)
	if err != nil {
		return nil, fmt.Errorf("reading sessions in apps: %w", err)
	}
	return list, nil
}

// EndAppSessions ends the visitor's sessions in one guarded app, and not those of the portal
// that they hang on.
func (s *Store) EndAppSessions(ctx context.Context, v Visitor, app int64, c Client, now time.Time) error {
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		var name string
		err := t.row(`SELECT name FROM app WHERE id = $1`, app).Scan(&name)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		ended := int64(0)
		for _, query := range []string{
			`DELETE FROM ticket WHERE app_id = $1 AND session_handle IN (SELECT handle FROM session WHERE person_id = $2)`,
			`DELETE FROM app_session WHERE app_id = $1 AND session_handle IN (SELECT handle FROM session WHERE person_id = $2)`,
		} {
			if ended, err = t.exec(query, app, v.Person.ID); err != nil {
				return fmt.Errorf("ending sessions in an app: %w", err)
			}
		}
		if ended == 0 {
			return nil
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.SignedOut,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			detail:  name,
		})
		return err
	})
}

// endAppSessions ends everybody's sessions in an app.
func (t *tx) endAppSessions(app int64) error {
	for _, query := range []string{`DELETE FROM ticket WHERE app_id = $1`, `DELETE FROM app_session WHERE app_id = $1`} {
		if _, err := t.exec(query, app); err != nil {
			return fmt.Errorf("ending the sessions in an app: %w", err)
		}
	}
	return nil
}
