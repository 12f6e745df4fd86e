package db

import (
	"context"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/apps"
)

// NoteAppOpened writes in the activity that the visitor has opened an app: once a day each.
func (s *Store) NoteAppOpened(ctx context.Context, v Visitor, a apps.App, c Client, now time.Time) error {
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		return t.noteOpened(v.Person.ID, a, v.Actor(c), now)
	})
}

// NoteAppRefused writes in the activity that the visitor wanted to open an app and may not:
// once an hour each.
func (s *Store) NoteAppRefused(ctx context.Context, v Visitor, a apps.App, c Client, now time.Time) error {
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		return t.noteRefused(v.Person.ID, a, v.Actor(c), now)
	})
}

// NoteRefused is NoteAppRefused for somebody who has a session in the app.
func (s *Store) NoteRefused(ctx context.Context, checked Check, c Client, now time.Time) error {
	return s.write(ctx, lockPerson(checked.Person), func(t *tx) error {
		return t.noteRefused(checked.Person, checked.App, personAt(checked.Person, c.Address), now)
	})
}

// noteOpened writes in the activity that somebody has opened an app: once a day each.
func (t *tx) noteOpened(person int64, a apps.App, by Actor, now time.Time) error {
	return t.noteApp(person, a, by, now, account.AppOpened, unix(now)/(24*60*60),
		`INSERT INTO app_noted (person_id, app_id, opened_day) VALUES ($1, $2, $3)
			ON CONFLICT (person_id, app_id) DO UPDATE SET opened_day = excluded.opened_day
			WHERE app_noted.opened_day <> excluded.opened_day`)
}

// noteRefused writes in the activity that somebody wanted to open an app and may not: once
// an hour each.
func (t *tx) noteRefused(person int64, a apps.App, by Actor, now time.Time) error {
	return t.noteApp(person, a, by, now, account.AppRefused, unix(now)/(60*60),
		`INSERT INTO app_noted (person_id, app_id, refused_hour) VALUES ($1, $2, $3)
			ON CONFLICT (person_id, app_id) DO UPDATE SET refused_hour = excluded.refused_hour
			WHERE app_noted.refused_hour <> excluded.refused_hour`)
}

// noteApp writes the row if the statement, which remembers in which day or hour it was
// written last, changes anything.
func (t *tx) noteApp(person int64, a apps.App, by Actor, now time.Time, event account.Event, period int64,
	statement string) error {
	n, err := t.exec(statement, person, a.ID, period)
	if err != nil {
		return fmt.Errorf("noting an app: %w", err)
	}
	if n == 0 {
		return nil
	}
	_, err = t.appendActivity(now, activityEntry{
		event:   event,
		failed:  event == account.AppRefused,
		actor:   by,
		subject: person,
		detail:  a.Name,
	})
	return err
}
