package db

import (
	"context"
	"fmt"
	"time"

	"gatehouse/account"
)

// AccountEvent is what happened to an account, how often, and when last. A sign-in that
// is among them was one with a recovery code.
type AccountEvent struct {
	Event  account.Event
	Count  int
	LastAt time.Time
	By     account.Party // who did it, when it was somebody else
}

// eventsSinceQuery asks for what a person hears of, counted by event and author: wrong
// codes after a right password, recovery codes that were used, and what the table of
// events says is told. Too many wrong codes count as wrong codes.
var eventsSinceQuery = `SELECT CASE WHEN a.event = ` + sqlList(account.SignInFailedMax) + ` THEN ` +
	sqlList(account.SignInFailed) + ` ELSE a.event END AS what,
		count(*), max(a.at), ` + actorColumns + `
	FROM activity a` + actorJoin + `
	WHERE a.subject_id = $1 AND a.at >= $2 AND a.id >= $3 AND a.id < $4
		AND (a.event IN (` + sqlList(account.SignInFailed, account.SignInFailedMax) + `) AND a.method IN (` +
	sqlList(account.ByCode, account.ByRecovery) + `)
			OR a.event = ` + sqlList(account.SignedIn) + ` AND a.method = ` + sqlList(account.ByRecovery) + `
			OR a.event IN (` + sqlList(account.EventsShownAtSignIn()...) + `))
	GROUP BY what, a.actor_kind, a.actor_id, a.actor, actor.id ORDER BY max(a.at) DESC`

// clockTolerance is how much earlier than the sign-in before it something may seem to have
// happened after it. It only shortens the walk through the activity.
const clockTolerance = 24 * time.Hour

// EventsSince lists what happened between the previous sign-in and this one that the
// visitor should know of: wrong codes after a right password, a used recovery code, a
// factor that was changed, and by whom. The code that this very sign-in took is no news
// to them, and is told at the next.
//
// The ids of the two sign-ins bound it, so that everything is shown at exactly one
// sign-in, whatever falls into one second and whichever way a clock was set. Rows about
// one person are written under that person's lock, so that their ids rise.
func (s *Store) EventsSince(ctx context.Context, v Visitor) ([]AccountEvent, error) {
	since := v.PreviousSignInAt.Add(-clockTolerance)
	if v.StartedAt.Before(v.PreviousSignInAt) {
		since = time.Unix(0, 0) // a clock was set back: nobody knows how far
	}
	rows, err := s.rows(ctx, eventsSinceQuery, v.Person.ID, unix(since), v.eventsFrom, v.eventsUntil)
	if err != nil {
		return nil, fmt.Errorf("reading what happened meanwhile: %w", err)
	}
	defer rows.Close()
	var out []AccountEvent
	for rows.Next() {
		var h AccountEvent
		var at int64
		var actor scannedParty
		if err := rows.Scan(&h.Event, &h.Count, &at, &actor.kind, &actor.id, &actor.name, &actor.email); err != nil {
			return nil, fmt.Errorf("reading what happened meanwhile: %w", err)
		}
		h.LastAt = time.Unix(at, 0).UTC()
		h.By = ActivityRow{Actor: actor.party(), Subject: account.Party{Kind: account.ActorPerson, ID: v.Person.ID}}.By()
		out = append(out, h)
	}
	return out, rows.Err()
}
