package db

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"gatehouse/account"
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
	return scanActivity(s.rows(ctx, `SELECT `+activityColumns+` WHERE a.subject_id = $1 ORDER BY a.at DESC, a.id DESC LIMIT $2`,
		v.Person.ID, limit))
}

// maxChangesShown is how many changes somebody with an outdated form hears of.
const maxChangesShown = 3

// WorkspaceChanges lists what was done of one kind since an instant, the newest first.
func (s *Store) WorkspaceChanges(ctx context.Context, event account.Event, since time.Time) ([]ActivityRow, error) {
	return scanActivity(s.rows(ctx, `SELECT `+activityColumns+` WHERE a.event = $1 AND a.at >= $2
		ORDER BY a.at DESC, a.id DESC LIMIT $3`, string(event), unix(since), maxChangesShown))
}

// PersonChanges lists what was done to somebody's name, address and role since an
// instant, the newest first.
func (s *Store) PersonChanges(ctx context.Context, person int64, since time.Time) ([]ActivityRow, error) {
	return scanActivity(s.rows(ctx, `SELECT `+activityColumns+` WHERE a.subject_id = $1 AND a.at >= $2 AND a.event IN ($3, $4, $5)
		ORDER BY a.at DESC, a.id DESC LIMIT $6`,
		person, unix(since), string(account.PersonChanged), string(account.RoleChanged), string(account.LinkUsed),
		maxChangesShown))
}

// NoteExport writes that somebody takes a list away, before they get it: what it is, and
// what it was narrowed by. It returns ErrNotAllowed to who is no admin any more.
func (s *Store) NoteExport(ctx context.Context, what string, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		_, err := t.appendActivity(now, activityEntry{event: account.Exported, actor: by.Actor, detail: what})
		return err
	})
}

// A Filter selects activity. Zero fields select everything.
type Filter struct {
	Person      int64 // who did it or whom it is about
	Event       account.Event
	From, Until time.Time // Until is excluded
	After       string    // the key that the previous page returned
}

// query returns the statement that lists a filter's rows, the newest first. Each form has
// an index that returns the rows in that order.
func (f Filter) query(limit int) (string, []any) {
	where, args := f.where()
	args = append(args, limit)
	order := ` ORDER BY a.at DESC, a.id DESC LIMIT ` + lastParameter(args)
	if f.Person == 0 {
		return `SELECT ` + activityColumns + ` WHERE ` + where + order, args
	}
	limited := ` ORDER BY 1 DESC, 2 DESC LIMIT ` + lastParameter(args)
	args = append(args, f.Person)
	person := lastParameter(args)
	// Two index scans that the union merges in order.
	return `SELECT ` + activityColumns +
		` WHERE a.id IN (SELECT id FROM (SELECT a.at, a.id FROM activity a WHERE a.subject_id = ` + person + ` AND ` + where + `
		UNION ALL SELECT a.at, a.id FROM activity a
		WHERE a.actor_id = ` + person + ` AND a.actor_id IS DISTINCT FROM a.subject_id AND ` + where +
		limited + `) AS page)` + order, args
}

// lastParameter names the last of a statement's arguments.
func lastParameter(args []any) string { return "$" + strconv.Itoa(len(args)) }

// where returns the conditions that every form of the statement shares.
func (f Filter) where() (string, []any) {
	at, id := int64(1<<62), int64(1<<62)
	if !f.Until.IsZero() {
		at, id = unix(f.Until)-1, 1<<62
	}
	if keyAt, keyID, ok := parseActivityKey(f.After); ok && keyAt <= at {
		at, id = keyAt, keyID
	}
	from := int64(0)
	if !f.From.IsZero() {
		from = unix(f.From)
	}
	where, args := `a.at >= $1 AND (a.at, a.id) < ($2, $3)`, []any{from, at, id}
	if f.Event != "" {
		where += ` AND a.event = $4`
		args = append(args, string(f.Event))
	}
	return where, args
}

// parseActivityKey reads "at id"; an invalid key is not ok.
func parseActivityKey(key string) (at, id int64, ok bool) {
	n, err := fmt.Sscanf(key, "%d %d", &at, &id)
	return at, id, err == nil && n == 2
}

// An ActivityPage is one page of activity.
type ActivityPage struct {
	Rows []ActivityRow
	Next string // where the next page begins; "" when this is the last
}

// Activity lists a page of activity, the newest first.
func (s *Store) Activity(ctx context.Context, f Filter) (ActivityPage, error) {
	return s.activityPage(ctx, f, PageSize)
}

func (s *Store) activityPage(ctx context.Context, f Filter, size int) (ActivityPage, error) {
	query, args := f.query(size + 1)
	rows, err := scanActivity(s.rows(ctx, query, args...))
	if err != nil || len(rows) <= size {
		return ActivityPage{Rows: rows}, err
	}
	last := rows[size-1]
	return ActivityPage{Rows: rows[:size], Next: fmt.Sprintf("%d %d", unix(last.At), last.ID)}, nil
}

// EachActivity calls do for all of a filter's rows, the newest first.
func (s *Store) EachActivity(ctx context.Context, f Filter, do func(ActivityRow) error) error {
	for {
		page, err := s.activityPage(ctx, f, exportPage)
		if err != nil {
			return err
		}
		for _, row := range page.Rows {
			if err := do(row); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		f.After = page.Next
	}
}
