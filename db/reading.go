package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// An ActivityRow is one row of activity.
type ActivityRow struct {
	ID      int64
	At      time.Time
	Event   account.Event
	OK      bool
	Actor   account.Party
	Subject account.Party // about whom; nobody for what is about the workspace
	Method  account.Method
	Detail  string
	Address string
}

// By is who did it where that is not the one whom it is about, nor a stranger.
func (r ActivityRow) By() account.Party {
	if r.Actor.Kind == account.ActorStranger || r.Actor.Kind == account.ActorPerson && r.Actor.ID == r.Subject.ID {
		return account.Party{}
	}
	return r.Actor
}

// Who did it and about whom it is, as scanParties reads them. Somebody who was removed
// has no address any more.
const (
	actorColumns   = `a.actor_kind, a.actor_id, coalesce(actor.name, a.actor), CASE WHEN actor.removed_at IS NULL THEN actor.email END`
	subjectColumns = `a.subject_id, subject.name, CASE WHEN subject.removed_at IS NULL THEN subject.email END`
	actorJoin      = ` LEFT JOIN person actor ON actor.id = a.actor_id`
	subjectJoin    = ` LEFT JOIN person subject ON subject.id = a.subject_id`
)

// A scannedParty is a party as its columns come: NULL where there is no person.
type scannedParty struct {
	kind        account.ActorKind
	id          sql.NullInt64
	name, email sql.NullString
}

// party returns the party; a subject's columns have no kind, since it is a person.
func (p scannedParty) party() account.Party {
	if p.kind == "" && p.id.Valid {
		p.kind = account.ActorPerson
	}
	return account.Party{
		Kind:  p.kind,
		ID:    p.id.Int64,
		Name:  p.name.String,
		Email: p.email.String,
	}
}

const activityColumns = `a.id, a.at, a.event, a.ok, ` + actorColumns + `, ` + subjectColumns +
	`, a.method, a.detail, a.address
	FROM activity a` + actorJoin + subjectJoin

func scanActivity(rows *sql.Rows, err error) ([]ActivityRow, error) {
	if err != nil {
		return nil, fmt.Errorf("reading activity: %w", err)
	}
	defer rows.Close()
	var out []ActivityRow
	for rows.Next() {
		var r ActivityRow
		var at int64
		var actor, subject scannedParty
		err := rows.Scan(&r.ID, &at, &r.Event, &r.OK,
			&actor.kind, &actor.id, &actor.name, &actor.email,
			&subject.id, &subject.name, &subject.email,
			&r.Method, &r.Detail, &r.Address)
		if err != nil {
			return nil, fmt.Errorf("reading an activity row: %w", err)
		}
		r.At, r.Actor, r.Subject = time.Unix(at, 0).UTC(), actor.party(), subject.party()
		out = append(out, r)
	}
	return out, rows.Err()
}

// OwnActivity lists what happened to the visitor's account, the newest first.
func (s *Store) OwnActivity(ctx context.Context, v Visitor, limit int) ([]ActivityRow, error) {
	return scanActivity(s.rows(ctx, `SELECT `+activityColumns+` WHERE a.subject_id = ? ORDER BY a.at DESC, a.id DESC LIMIT ?`,
		v.Person.ID, limit))
}

// maxChangesShown is how many changes somebody with an outdated form hears of.
const maxChangesShown = 3

// WorkspaceChanges lists what was done of one kind since an instant, the newest first.
func (s *Store) WorkspaceChanges(ctx context.Context, event account.Event, since time.Time) ([]ActivityRow, error) {
	return scanActivity(s.rows(ctx, `SELECT `+activityColumns+` WHERE a.event = ? AND a.at >= ?
		ORDER BY a.at DESC, a.id DESC LIMIT ?`, string(event), unix(since), maxChangesShown))
}

// PersonChanges lists what was done to somebody's name, address and role since an
// instant, the newest first.
func (s *Store) PersonChanges(ctx context.Context, person int64, since time.Time) ([]ActivityRow, error) {
	return scanActivity(s.rows(ctx, `SELECT `+activityColumns+` WHERE a.subject_id = ? AND a.at >= ? AND a.event IN (?, ?, ?)
		ORDER BY a.at DESC, a.id DESC LIMIT ?`,
		person, unix(since), string(account.PersonChanged), string(account.RoleChanged), string(account.LinkUsed),
		maxChangesShown))
}

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
	WHERE a.subject_id = ? AND a.at >= ? AND a.id >= ? AND a.id < ?
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

// noticesShown is how many notices a page shows at most.
const noticesShown = 20

// An OpenNotice is a notice that no admin has dismissed yet, with the row that it
// tells of.
type OpenNotice struct {
	ID int64
	ActivityRow
}

// OpenNotices are the notices that no admin has dismissed yet.
type OpenNotices struct {
	Newest []OpenNotice // the newest first, as many as a page shows
	Count  int          // of all
}

// Notices lists the open notices.
func (s *Store) Notices(ctx context.Context) (OpenNotices, error) {
	var out OpenNotices
	if err := s.row(ctx, `SELECT count(*) FROM notice WHERE dismissed_at IS NULL`).Scan(&out.Count); err != nil {
		return out, fmt.Errorf("counting notices: %w", err)
	}
	rows, err := s.rows(ctx, `SELECT n.id, a.at, a.event, `+actorColumns+`, `+subjectColumns+`, a.detail
		FROM notice n JOIN activity a ON a.id = n.activity_id`+actorJoin+subjectJoin+`
		WHERE n.dismissed_at IS NULL ORDER BY n.id DESC LIMIT ?`, noticesShown)
	if err != nil {
		return out, fmt.Errorf("reading notices: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n OpenNotice
		var at int64
		var actor, subject scannedParty
		err := rows.Scan(&n.ID, &at, &n.Event,
			&actor.kind, &actor.id, &actor.name, &actor.email,
			&subject.id, &subject.name, &subject.email,
			&n.Detail)
		if err != nil {
			return out, fmt.Errorf("reading a notice: %w", err)
		}
		n.At, n.Actor, n.Subject = time.Unix(at, 0).UTC(), actor.party(), subject.party()
		out.Newest = append(out.Newest, n)
	}
	return out, rows.Err()
}

// PolicyImpact is whom a policy would stop.
type PolicyImpact struct {
	Count int              // at most affectedCounted; More says that there are others
	More  bool             // there are more than Count
	First []AffectedPerson // the first few, in the order of names
	You   bool
}

// An AffectedPerson is one of those whom a policy would stop.
type AffectedPerson struct {
	Name, Email   string
	NeverSignedIn bool
}

// The bounds of what PolicyImpact tells.
const (
	affectedNamed   = 5
	affectedCounted = 1000
)

// PolicyImpact tells whom a policy would stop now: active people that it applies
// to and whose factor is not Enabled.
func (s *Store) PolicyImpact(ctx context.Context, v Visitor, p twofactor.Policy) (PolicyImpact, error) {
	from := ` FROM person p WHERE p.active = 1 AND p.enrolled = 0`
	if !p.Everyone {
		// The few admins first, since SQLite would otherwise scan every member in the
		// order of names.
		from = ` FROM person p WHERE p.id IN (SELECT id FROM person WHERE role <> 'member' AND active = 1)
			AND p.active = 1 AND p.enrolled = 0`
	}
	out := PolicyImpact{You: v.State != twofactor.Enabled && p.Requires(v.Person.Role)}
	if p == (twofactor.Policy{}) {
		return out, nil
	}
	if err := s.row(ctx, `SELECT count(*) FROM (SELECT 1`+from+` LIMIT ?) AS stopped`, affectedCounted+1).
		Scan(&out.Count); err != nil {
		return out, fmt.Errorf("counting whom a policy stops: %w", err)
	}
	if out.Count > affectedCounted {
		out.Count, out.More = affectedCounted, true
	}
	rows, err := s.rows(ctx, `SELECT p.name, p.email, p.last_sign_in_at IS NULL`+from+
		` ORDER BY p.sort_key, p.id LIMIT ?`, affectedNamed)
	if err != nil {
		return out, fmt.Errorf("reading whom a policy stops: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var person AffectedPerson
		if err := rows.Scan(&person.Name, &person.Email, &person.NeverSignedIn); err != nil {
			return out, fmt.Errorf("reading whom a policy stops: %w", err)
		}
		out.First = append(out.First, person)
	}
	return out, rows.Err()
}
