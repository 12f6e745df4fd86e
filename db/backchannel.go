package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/openid"
)

// How often an app is called that does not answer, and how long after each try.
const maxLogoutTries = 3

var logoutDelays = [maxLogoutTries]time.Duration{15 * time.Second, time.Minute, 0}

// logoutClaim is for how long a call belongs to the process that has begun it.
const logoutClaim = 30 * time.Second

// maxDueLogouts is how many calls are read at once.
const maxDueLogouts = 50

// noteConnected notes that a session has signed in at an app, which is told when it ends.
func (t *tx) noteConnected(g grant, now time.Time) error {
	_, err := t.exec(`INSERT INTO connected_session (sid, app_id, person_id, session_handle, signed_in_at)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (sid, app_id) DO UPDATE SET session_handle = excluded.session_handle,
			signed_in_at = excluded.signed_in_at, expired = FALSE, tries = 0, try_at = 0`,
		g.signIn.Session, g.App.ID, g.person.ID, g.session, unix(now))
	if err != nil {
		return fmt.Errorf("noting a connected session: %w", err)
	}
	return nil
}

// A Logout is one app to be told that one session has ended.
type Logout struct {
	Session     string // its sid
	App         int64
	Host        string // the app's
	Backchannel string // where it is told; "" for nowhere
	Tries       int    // so far
}

// DueLogouts returns the apps that are to be told now.
func (s *Store) DueLogouts(ctx context.Context, now time.Time) (due []Logout, err error) {
	rows, err := s.rows(ctx, `SELECT cs.sid, cs.app_id, a.host, coalesce(c.backchannel, ''), cs.tries
		FROM connected_session cs JOIN app a ON a.id = cs.app_id LEFT JOIN app_client c ON c.app_id = cs.app_id
		WHERE cs.session_handle IS NULL AND cs.expired = FALSE AND cs.try_at <= $1 ORDER BY cs.try_at LIMIT $2`,
		unix(now), maxDueLogouts)
	if err != nil {
		return nil, fmt.Errorf("reading sign-outs to tell: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var l Logout
		if err := rows.Scan(&l.Session, &l.App, &l.Host, &l.Backchannel, &l.Tries); err != nil {
			return nil, fmt.Errorf("reading a sign-out to tell: %w", err)
		}
		due = append(due, l)
	}
	return due, rows.Err()
}

// ClaimLogout takes a call on, so that no other process makes it meanwhile, and returns the
// token to send, with the key that signs it. It is not ok when there is nothing to do any
// more: another process was faster, or the session signed in again.
func (s *Store) ClaimLogout(ctx context.Context, l Logout, now time.Time) (token openid.LogoutToken, key *openid.Key, ok bool, err error) {
	err = s.write(ctx, lockNothing(), func(t *tx) error {
		token, key, ok = openid.LogoutToken{ID: newToken(), Session: l.Session}, nil, false
		n, err := t.exec(`UPDATE connected_session SET tries = tries + 1, try_at = $1
			WHERE sid = $2 AND app_id = $3 AND session_handle IS NULL AND expired = FALSE AND tries = $4 AND try_at <= $5`,
			unix(now.Add(logoutClaim)), l.Session, l.App, l.Tries, unix(now))
		if err != nil || n == 0 {
			return err
		}
		var algorithm openid.Algorithm
		err = t.row(`SELECT p.sub, c.client_id, c.algorithm FROM connected_session cs
			JOIN person p ON p.id = cs.person_id JOIN app_client c ON c.app_id = cs.app_id
			WHERE cs.sid = $1 AND cs.app_id = $2`, l.Session, l.App).Scan(&token.Subject, &token.Client, &algorithm)
		if err != nil {
			return fmt.Errorf("reading a sign-out to tell: %w", err)
		}
		key, err = s.signingKey(t, algorithm, now)
		ok = err == nil
		return err
	})
	return token, key, ok, err
}

// FinishLogout forgets a call: the app was told, or need not be.
func (s *Store) FinishLogout(ctx context.Context, l Logout) error {
	return s.write(ctx, lockNothing(), func(t *tx) error {
		_, err := t.exec(`DELETE FROM connected_session
			WHERE sid = $1 AND app_id = $2 AND session_handle IS NULL AND expired = FALSE`, l.Session, l.App)
		return err
	})
}

// FailLogout puts a call that came to nothing off. After the last try it is given up, and
// stands in the activity.
func (s *Store) FailLogout(ctx context.Context, l Logout, now time.Time) error {
	if l.Tries+1 < maxLogoutTries {
		return s.write(ctx, lockNothing(), func(t *tx) error {
			_, err := t.exec(`UPDATE connected_session SET try_at = $1
				WHERE sid = $2 AND app_id = $3 AND session_handle IS NULL AND expired = FALSE`,
				unix(now.Add(logoutDelays[l.Tries])), l.Session, l.App)
			return err
		})
	}
	return s.write(ctx, lockNothing(), func(t *tx) error {
		var person int64
		var name string
		err := t.row(`SELECT cs.person_id, a.name FROM connected_session cs JOIN app a ON a.id = cs.app_id
			WHERE cs.sid = $1 AND cs.app_id = $2`, l.Session, l.App).Scan(&person, &name)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a sign-out that was not told: %w", err)
		}
		n, err := t.exec(`DELETE FROM connected_session
			WHERE sid = $1 AND app_id = $2 AND session_handle IS NULL AND expired = FALSE`, l.Session, l.App)
		if err != nil || n == 0 {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.BackchannelFailed,
			failed:  true,
			actor:   strangerAt(""),
			subject: person,
			detail:  name,
		})
		return err
	})
}
