package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gatehouse/apps"
)

// A Launcher is what My portal shows of the apps.
type Launcher struct {
	Tiles []Tile
	Gone  []string // the names of apps that were there at the visit before
	None  bool     // the workspace has no app at all

	changed bool    // something is to be noted
	goes    []int64 // the apps of which it is to be noted that they are gone
}

// A Tile is an app that the visitor may open.
type Tile struct {
	apps.App      // without how it is guarded, and without its access' roles, groups and people
	IsNew    bool // it was not there at the visit before

	noted bool // it is noted that the portal shows it, under this name
}

// openTo are the numbers of the apps that somebody may open, as apps.Access.Allows says: by
// their role and their number. An app may be there twice.
const openTo = `(SELECT id FROM app WHERE everyone = TRUE
	UNION ALL SELECT app_id FROM app_role WHERE role = $1
	UNION ALL SELECT app_id FROM app_person WHERE person_id = $2
	UNION ALL SELECT x.app_id FROM group_member m JOIN app_group x ON x.group_id = m.group_id WHERE m.person_id = $2)`

// Launcher reads the apps that the visitor may open, in the order of their names, and what
// has changed since the visit before: since what an earlier session was shown.
func (s *Store) Launcher(ctx context.Context, v Visitor) (Launcher, error) {
	var l Launcher
	var shown, gone, recent int // what the portal has shown and shows, and what is gone, and that lately
	if err := s.row(ctx, `SELECT NOT EXISTS (SELECT 1 FROM app), count(*) FILTER (WHERE gone_at IS NULL),
			count(*) FILTER (WHERE gone_at IS NOT NULL), count(*) FILTER (WHERE gone_at >= $2)
		FROM portal_app WHERE person_id = $1`,
		v.Person.ID, unix(v.StartedAt)).Scan(&l.None, &shown, &gone, &recent); err != nil {
		return l, fmt.Errorf("reading a portal: %w", err)
	}
	q := reading{s, ctx}
	var row tileRow
	before := shown+gone > 0 // whether the portal has shown anything yet
	err := eachRow(q, func(scan func(...any) error) error {
		l.Tiles = append(l.Tiles, Tile{})
		t := &l.Tiles[len(l.Tiles)-1]
		known, err := row.scanTile(scan, t, v, before)
		l.changed = l.changed || !t.noted
		if known {
			shown--
		}
		return err
	}, `SELECT app.id, app.slug, app.name, app.host, app.mark, app.icon, app.second_step, app.paused, app.made_at,
			w.app_id IS NOT NULL AND w.gone_at IS NULL, COALESCE(w.name = app.name, FALSE), w.shown_at
		FROM app LEFT JOIN portal_app w ON w.person_id = $2 AND w.app_id = app.id
		WHERE app.id IN `+openTo+` ORDER BY app.sort_key, app.id`, string(v.Person.Role), v.Person.ID)
	if err == nil && (shown > 0 || recent > 0) { // something is gone
		err = eachRow(q, func(scan func(...any) error) error {
			var id int64
			var name string
			var gone bool
			err := scan(&id, &name, &gone)
			l.Gone = append(l.Gone, name)
			if !gone {
				l.goes, l.changed = append(l.goes, id), true
			}
			return err
		}, `SELECT w.app_id, w.name, w.gone_at IS NOT NULL FROM portal_app w
			WHERE w.person_id = $2 AND (w.gone_at IS NULL OR w.gone_at >= $3) AND w.app_id NOT IN `+openTo+`
			ORDER BY w.app_id`, string(v.Person.Role), v.Person.ID, unix(v.StartedAt))
	}
	if err != nil {
		return l, fmt.Errorf("reading a portal: %w", err)
	}
	return l, nil
}

// A tileRow is what a tile is made of, one after the other.
type tileRow struct {
	made, shown     sql.NullInt64
	known, sameName bool
}

// scanTile reads an app, and whether it is known that the portal shows it. Before says
// whether the portal has shown anything yet.
func (r *tileRow) scanTile(scan func(...any) error, t *Tile, v Visitor, before bool) (known bool, err error) {
	err = scan(&t.ID, &t.Slug, &t.Name, &t.Address.Host, &t.Mark, &t.Icon, &t.Access.SecondStep, &t.Paused, &r.made,
		&r.known, &r.sameName, &r.shown)
	t.MadeAt = instant(r.made)
	t.noted = r.known && r.sameName
	switch {
	case r.known:
		t.IsNew = !instant(r.shown).Before(v.StartedAt)
	case before:
		t.IsNew = true
	default: // the first visit
		t.IsNew = t.MadeAt.After(lastHere(v))
	}
	return r.known, err
}

// lastHere is when the visitor was here before this session, or began it.
func lastHere(v Visitor) time.Time {
	if v.PreviousSignInAt.IsZero() {
		return v.StartedAt
	}
	return v.PreviousSignInAt
}

// NoteLauncher notes what the visitor's portal has shown. It writes nothing where nothing has changed.
func (s *Store) NoteLauncher(ctx context.Context, v Visitor, l Launcher, now time.Time) error {
	if !l.changed {
		return nil
	}
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		for _, tile := range l.Tiles {
			if tile.noted {
				continue
			}
			shownAt := int64(0)
			if tile.IsNew {
				shownAt = unix(now)
			}
			if _, err := t.exec(`INSERT INTO portal_app (person_id, app_id, name, shown_at) VALUES ($1, $2, $3, $4)
				ON CONFLICT (person_id, app_id) DO UPDATE SET name = excluded.name, gone_at = NULL,
					shown_at = CASE WHEN portal_app.gone_at IS NULL THEN portal_app.shown_at ELSE excluded.shown_at END`,
				v.Person.ID, tile.ID, tile.Name, shownAt); err != nil {
				return fmt.Errorf("noting what a portal shows: %w", err)
			}
		}
		for _, id := range l.goes {
			if _, err := t.exec(`UPDATE portal_app SET gone_at = $1
				WHERE person_id = $2 AND app_id = $3 AND gone_at IS NULL`, unix(now), v.Person.ID, id); err != nil {
				return fmt.Errorf("noting what a portal shows: %w", err)
			}
		}
		return nil
	})
}
