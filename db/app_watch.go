package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/apps"
)

// WatchTTL is for how long it is noted what an app's proxy asks.
const WatchTTL = time.Minute

// An AppRequest is a request of which a proxy asked while an app was being checked.
type AppRequest struct {
	App     int64 // 0 for one that names no app: it is noted for all that are being checked
	At      time.Time
	Peer    string // who asked
	Family  apps.Family
	Method  string
	Address string // where the request was going, without its query
	Status  int    // that was answered
	Fault   apps.GuardFault
}

// WatchApp begins to note, for a minute, what an app's proxy asks. What was noted before is
// forgotten.
func (s *Store) WatchApp(ctx context.Context, id int64, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		n, err := t.exec(`UPDATE app SET watch_until = $1 WHERE id = $2`, unix(now.Add(WatchTTL)), id)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		_, err = t.exec(`DELETE FROM app_request WHERE app_id = $1`, id)
		return err
	})
}

// NoteAppRequest notes a request for an app that is being checked, or, where it names none,
// for all of them: there it takes the place of nothing that says more.
func (s *Store) NoteAppRequest(ctx context.Context, r AppRequest, now time.Time) error {
	if r.App == 0 {
		var watched bool
		err := s.row(ctx, `SELECT EXISTS (SELECT 1 FROM app WHERE watch_until > $1)`, unix(now)).Scan(&watched)
		if err != nil || !watched {
			return err
		}
	}
	return s.write(ctx, lockNothing(), func(t *tx) error {
		const insert = `INSERT INTO app_request (app_id, at, peer, family, method, address, status, fault)
			SELECT id, CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT),
				CAST($6 AS BIGINT), CAST($7 AS TEXT)
			FROM app WHERE watch_until > $8`
		const update = ` ON CONFLICT (app_id) DO UPDATE SET at = excluded.at, peer = excluded.peer,
			family = excluded.family, method = excluded.method, address = excluded.address,
			status = excluded.status, fault = excluded.fault`
		query := insert + ` AND id = $9` + update
		args := []any{unix(r.At), r.Peer, string(r.Family), r.Method, r.Address, r.Status, string(r.Fault), unix(now), r.App}
		if r.App == 0 {
			query, args = insert+` ON CONFLICT (app_id) DO NOTHING`, args[:len(args)-1]
		}
		_, err := t.exec(query, args...)
		return err
	})
}

// LastAppRequest returns what was noted of an app's proxy last, or ErrNotFound.
func (s *Store) LastAppRequest(ctx context.Context, app int64) (AppRequest, error) {
	r := AppRequest{App: app}
	var at sql.NullInt64
	err := s.row(ctx, `SELECT at, peer, family, method, address, status, fault FROM app_request WHERE app_id = $1`, app).
		Scan(&at, &r.Peer, &r.Family, &r.Method, &r.Address, &r.Status, &r.Fault)
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNotFound
	}
	if err != nil {
		return r, fmt.Errorf("reading what a proxy asked: %w", err)
	}
	r.At = instant(at)
	return r, nil
}
