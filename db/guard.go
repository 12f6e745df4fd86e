package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"gatehouse/apps"
	"gatehouse/twofactor"
)

// A Check is what decides whether a request to a guarded app goes through.
type Check struct {
	App      apps.App // without its access; the zero App where no app has the host
	SignedIn bool     // there is a session in this app, of a live session of somebody active
	Answer   apps.Answer

	// who it is; zero where nobody is signed in
	Person   int64
	UserName string
	Email    string
	Name     string
	Groups   []string // as the app is told them
}

// MaySee reports whether the request goes through as somebody's.
func (c Check) MaySee() bool { return c.SignedIn && c.Answer == apps.May }

// RemoteUser is what the app is told that the person is called.
func (c Check) RemoteUser() string {
	if c.App.Guard.RemoteUser == apps.ByEmail {
		return c.Email
	}
	return c.UserName
}

// checkQuery finds the app that has a host, and who has a session in it. One statement: of a
// change that comes between two of them nobody could say whether the request saw it.
const checkQuery = `SELECT a.id, a.slug, a.name, a.scheme, a.port, a.guarded, a.paused, a.second_step, a.fresh_minutes,
		a.public_paths, a.other_origins, a.remote_user, a.watch_until,
		s.handle, s.authenticated_at, s.methods, s.seen_at, s.started_at,
		p.id, p.role, p.enrolled_here, p.user_name, p.email, p.name, ` + mayOpen + `,
		w.require_everyone, w.require_admins, w.everyone_from, w.admins_from, w.session_idle, w.session_max,
		(SELECT string_agg(gr.name, ',') FROM group_member m JOIN people_group gr ON gr.id = m.group_id WHERE m.person_id = p.id)
	FROM app a JOIN workspace w ON w.id = 1
	LEFT JOIN app_session x ON x.id_hash = $1 AND x.app_id = a.id
	LEFT JOIN session s ON s.handle = x.session_handle
	LEFT JOIN person p ON p.id = s.person_id AND p.active = TRUE
	WHERE a.host = $2`

// CheckRequest looks at a request to an app's host that has come with the token of the app's
// cookie, or "". It reads what counts now and writes nothing. That the session was used is
// remembered; NoteUsed writes it.
func (s *Store) CheckRequest(ctx context.Context, host, token string, now time.Time) (Check, error) {
	var row checkRow
	c := &row.check
	a := &c.App
	err := s.row(ctx, checkQuery, hashToken(token), host).
		Scan(&a.ID, &a.Slug, &a.Name, &a.Address.Scheme, &a.Address.Port, &a.Guarded, &a.Paused, &a.Access.SecondStep,
			&a.Access.FreshMinutes, &row.public, &row.others, &a.Guard.RemoteUser, &row.watch,
			&row.handle, &row.authenticated, &row.methods, &row.seen, &row.started,
			&row.person, &row.role, &row.factor, &row.userName, &row.email, &row.name, &a.Access.Everyone,
			&row.policy.Everyone, &row.policy.Admins, &row.everyoneFrom, &row.adminsFrom, &row.idle, &row.most, &row.groups)
	if errors.Is(err, sql.ErrNoRows) {
		return Check{}, nil
	}
	if err != nil {
		return Check{}, fmt.Errorf("checking a request: %w", err)
	}
	a.Address.Host = host
	a.Guard.Public, a.Guard.Others, a.WatchUntil = strings.Fields(row.public), strings.Fields(row.others), instant(row.watch)
	lengths := s.inForce(scanLengths(row.idle, row.most))
	isOver := row.seen.Int64 <= unix(now.Add(-lengths.Idle)) || row.started.Int64 <= unix(now.Add(-lengths.Max))
	if !row.person.Valid || isOver {
		return *c, nil
	}
	c.SignedIn, c.Person = true, row.person.Int64
	c.UserName, c.Email, c.Name = row.userName.String, row.email.String, row.name.String
	var names []string
	if row.groups.String != "" {
		names = strings.Split(row.groups.String, ",")
	}
	who := apps.Person{ID: c.Person, Role: twofactor.Role(row.role.String), Active: true, Factor: row.factor.Bool}
	c.Groups = apps.HeaderGroups(who.Role, names)
	c.Answer = a.Answer(who, apps.Proof{
		SecondStep:      hasTwo(strings.Fields(row.methods.String)),
		AuthenticatedAt: instantMilli(row.authenticated.Int64),
	}, now)
	row.policy.EveryoneFrom, row.policy.AdminsFrom = instant(row.everyoneFrom), instant(row.adminsFrom)
	if c.Answer != apps.MayNot && row.policy.At(now).Requires(who.Role) && !who.Factor {
		c.Answer = apps.SecondStepDue
	}
	s.used.note(row.handle.String, instant(row.seen), now, min(touchInterval, lengths.Idle/10))
	return *c, nil
}

// A checkRow is what checkQuery finds, in one piece: every request of every app asks for it.
type checkRow struct {
	check  Check
	policy twofactor.Policy

	public, others                                       string
	watch, authenticated, seen, started, person          sql.NullInt64
	everyoneFrom, adminsFrom, idle, most                 sql.NullInt64
	handle, methods, role, userName, email, name, groups sql.NullString
	factor                                               sql.NullBool
}

// usedSessions remembers which sessions were used through apps, until that is written.
type usedSessions struct {
	mu sync.Mutex
	at map[string]time.Time // by the session's handle
}

// note remembers that a session was used, unless that is known well enough.
func (u *usedSessions) note(handle string, seen, now time.Time, every time.Duration) {
	if elapsed := now.Sub(seen); elapsed >= 0 && elapsed < every {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at == nil {
		u.at = map[string]time.Time{}
	}
	if now.After(u.at[handle]) {
		u.at[handle] = now
	}
}

// take returns what is remembered, in one order, and forgets it.
func (u *usedSessions) take() []usedSession {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make([]usedSession, 0, len(u.at))
	for handle, at := range u.at {
		out = append(out, usedSession{handle, at})
	}
	u.at = nil
	sort.Slice(out, func(i, j int) bool { return out[i].handle < out[j].handle })
	return out
}

type usedSession struct {
	handle string
	at     time.Time
}

// NoteUsed writes which sessions were used through apps since it was called last, in one
// transaction for all of them: a session that is used in an app is not idle.
func (s *Store) NoteUsed(ctx context.Context) error {
	used := s.used.take()
	if len(used) == 0 {
		return nil
	}
	err := s.write(ctx, lockNothing(), func(t *tx) error {
		for _, u := range used {
			if _, err := t.exec(`UPDATE session SET seen_at = $1 WHERE handle = $2 AND seen_at < $3`,
				unix(u.at), u.handle, unix(u.at)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for _, u := range used { // they count at the next try
			s.used.note(u.handle, time.Time{}, u.at, 0)
		}
		return fmt.Errorf("noting which sessions were used: %w", err)
	}
	return nil
}
