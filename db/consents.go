package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/openid"
)

// A ConnectedApp is an app that knows somebody by OpenID Connect, as their profile shows it.
type ConnectedApp struct {
	App        apps.App // its number, name, mark, icon and address
	SignedInAt time.Time
	Offline    bool          // it may learn of changes while they are away
	Agreed     openid.Scopes // what they have agreed to, where they were asked
}

// ConnectedApps lists the apps that a visitor is signed in to by OpenID Connect, that have
// tokens for offline use, or that they have agreed to, by name.
func (s *Store) ConnectedApps(ctx context.Context, v Visitor, now time.Time) (out []ConnectedApp, err error) {
	err = eachRow(reading{s, ctx}, func(scan func(...any) error) error {
		var one ConnectedApp
		var signedIn sql.NullInt64
		var agreed sql.NullString
		a := &one.App
		if err := scan(&a.ID, &a.Slug, &a.Name, &a.Address.Scheme, &a.Address.Host, &a.Address.Port, &a.Mark, &a.Icon,
			&signedIn, &one.Offline, &agreed); err != nil {
			return err
		}
		one.SignedInAt, one.Agreed = instant(signedIn), openid.ParseScopes(agreed.String)
		out = append(out, one)
		return nil
	}, `SELECT a.id, a.slug, a.name, a.scheme, a.host, a.port, a.mark, a.icon,
			(SELECT max(cs.signed_in_at) FROM connected_session cs WHERE cs.person_id = $1 AND cs.app_id = a.id),
			EXISTS (SELECT 1 FROM app_grant gr WHERE gr.person_id = $1 AND gr.app_id = a.id AND gr.family_hash IS NOT NULL
				AND gr.refreshed_at > $2 AND gr.made_at > $3),
			(SELECT ac.scopes FROM app_consent ac WHERE ac.person_id = $1 AND ac.app_id = a.id)
		FROM app a WHERE a.id IN (
			SELECT cs.app_id FROM connected_session cs WHERE cs.person_id = $1 AND cs.session_handle IS NOT NULL
			UNION SELECT gr.app_id FROM app_grant gr WHERE gr.person_id = $1 AND gr.family_hash IS NOT NULL
			UNION SELECT ac.app_id FROM app_consent ac WHERE ac.person_id = $1)
		ORDER BY a.sort_key, a.id`, v.Person.ID, unix(now.Add(-openid.RefreshIdle)), unix(now.Add(-openid.RefreshMax)))
	if err != nil {
		return nil, fmt.Errorf("reading connected apps: %w", err)
	}
	return out, nil
}

// EndConnectedApp ends what one app has of the visitor: tokens, and what they agreed to. The
// app is told. It returns ErrNotFound for an app that has nothing.
func (s *Store) EndConnectedApp(ctx context.Context, v Visitor, app int64, c Client, now time.Time) error {
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		var name string
		err := t.row(`SELECT a.name FROM app a WHERE a.id = $2
			AND (EXISTS (SELECT 1 FROM connected_session cs WHERE cs.person_id = $1 AND cs.app_id = a.id)
				OR EXISTS (SELECT 1 FROM app_consent ac WHERE ac.person_id = $1 AND ac.app_id = a.id))`, v.Person.ID, app).Scan(&name)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("reading a connected app: %w", err)
		}
		if err := t.endAt(v.Person.ID, app); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM app_consent WHERE person_id = $1 AND app_id = $2`, v.Person.ID, app); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.AppEnded,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			detail:  name,
		})
		return err
	})
}
