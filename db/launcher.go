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

	changed bool // something is to be noted
	shown   map[int64]shownApp
}

// A Tile is an app that the visitor may open.
type Tile struct {
	apps.App      // without its access' roles, groups and people
	IsNew    bool // it was not there at the visit before
}

// A shownApp is a row of what the portal has shown.
type shownApp struct {
	name    string
	shownAt time.Time
	goneAt  time.Time // zero while they may open it
}

// Launcher reads the apps that the visitor may open, in the order of their names, and what
// has changed since the visit before: since what an earlier session was shown.
func (s *Store) Launcher(ctx context.Context, v Visitor) (Launcher, error) {
	l := Launcher{shown: map[int64]shownApp{}}
	if err := s.row(ctx, `SELECT NOT EXISTS (SELECT 1 FROM app)`).Scan(&l.None); err != nil {
		return l, fmt.Errorf("reading a portal: %w", err)
	}
	q := reading{s, ctx}
	err := eachRow(q, func(scan func(...any) error) error {
		var id int64
		var row shownApp
		var shown, gone sql.NullInt64
		err := scan(&id, &row.name, &shown, &gone)
		row.shownAt, row.goneAt = instant(shown), instant(gone)
		l.shown[id] = row
		return err
	}, `SELECT app_id, name, shown_at, gone_at FROM portal_app WHERE person_id = $1 ORDER BY app_id`, v.Person.ID)
	if err == nil {
		err = eachRow(q, func(scan func(...any) error) error {
			a, err := scanApp(scan)
			l.Tiles = append(l.Tiles, Tile{App: a})
			return err
		}, `SELECT `+appColumns+` WHERE app.id IN (SELECT id FROM app WHERE everyone = TRUE
				UNION SELECT app_id FROM app_role WHERE role = $1
				UNION SELECT app_id FROM app_person WHERE person_id = $2
				UNION SELECT x.app_id FROM group_member m JOIN app_group x ON x.group_id = m.group_id WHERE m.person_id = $3)
			ORDER BY app.sort_key, app.id`, string(v.Person.Role), v.Person.ID, v.Person.ID)
	}
	if err != nil {
		return l, fmt.Errorf("reading a portal: %w", err)
	}
	l.compare(v)
	return l, nil
}

// compare marks what is new and what is gone.
func (l *Launcher) compare(v Visitor) {
	here := map[int64]bool{}
	for i, tile := range l.Tiles {
		here[tile.ID] = true
		row, known := l.shown[tile.ID]
		known = known && row.goneAt.IsZero()
		switch {
		case known:
			l.Tiles[i].IsNew = !row.shownAt.Before(v.StartedAt)
		case len(l.shown) > 0:
			l.Tiles[i].IsNew = true
		default: // the first visit
			l.Tiles[i].IsNew = tile.MadeAt.After(lastHere(v))
		}
		l.changed = l.changed || !known || row.name != tile.Name
	}
	for id, row := range l.shown {
		switch {
		case here[id]:
		case row.goneAt.IsZero():
			l.Gone, l.changed = append(l.Gone, row.name), true
		case !row.goneAt.Before(v.StartedAt): // no earlier session was told
			l.Gone = append(l.Gone, row.name)
		}
	}
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
		here := map[int64]bool{}
		for _, tile := range l.Tiles {
			here[tile.ID] = true
			if row, known := l.shown[tile.ID]; known && row.goneAt.IsZero() && row.name == tile.Name {
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
		for id, row := range l.shown {
			if here[id] || !row.goneAt.IsZero() {
				continue
			}
			if _, err := t.exec(`UPDATE portal_app SET gone_at = $1
				WHERE person_id = $2 AND app_id = $3 AND gone_at IS NULL`, unix(now), v.Person.ID, id); err != nil {
				return fmt.Errorf("noting what a portal shows: %w", err)
			}
		}
		return nil
	})
}
