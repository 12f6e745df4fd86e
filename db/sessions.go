package db

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// The most that one person may have.
const (
	maxSessions   = 50
	maxChallenges = 20
)

// touchInterval is how often a session's last use is written at most.
const touchInterval = time.Minute

// newToken mints what a cookie or a one-time link carries: 256 random bits.
func newToken() string {
	raw := make([]byte, 32)
	rand.Read(raw)
	return encodeToken(raw)
}

func encodeToken(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// decodeToken reads the one spelling of 256 bits.
func decodeToken(text string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err == nil && len(raw) != 32 {
		err = errors.New("not 256 bits")
	}
	return raw, err
}

// newHandle mints what names a session, a challenge or a browser: random, and worth
// nothing as a cookie.
func newHandle() string { return newToken()[:16] }

// hashToken returns what is stored of a token. SHA-256 suffices: nobody guesses 256
// random bits. A text that cannot be a token hashes to nothing stored.
func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// A Client is where a request came from.
type Client struct {
	Address string
	Browser string // the User-Agent header
	Known   string // the known-browser cookie's token, or ""
	Session string // the session cookie's token, or ""; a sign-in ends that session
}

// maxUserAgent cuts the User-Agent header short.
const maxUserAgent = 200

// truncateUserAgent returns a User-Agent header as it is stored: cut short between two runes,
// and text that every database takes.
func truncateUserAgent(header string) string {
	header = header[:min(len(header), maxUserAgent)]
	return strings.ReplaceAll(strings.ToValidUTF8(header, ""), "\x00", "")
}

// A Visitor is a signed-in person with the session, the workspace and the state of the
// factor as of one request.
type Visitor struct {
	Person    Person
	Workspace Workspace

	session          []byte // the id's hash
	Handle           string // names the session in the list of one's own and in forms
	StartedAt        time.Time
	AuthenticatedAt  time.Time // when the password or a passkey that verified them was last given, to the millisecond
	Methods          []string  // how they proved who they are: RFC 8176's words
	SecondStepAt     time.Time // when this session last showed a second factor; zero without one
	SeenAt           time.Time
	PreviousSignInAt time.Time // zero when this is the first sign-in

	eventsFrom, eventsUntil int64 // between which rows of activity lies what the session tells

	State       twofactor.State // Pending: this session has minted a secret
	Replacing   bool            // Enabled, and this session has minted a secret for a new phone
	Enrolled    bool            // has a factor that works here: the app, or a passkey
	MustEnroll  bool            // the policy lets them do nothing but enrol
	OpenNotices bool            // there is a notice that admins have not dismissed
}

// Factors is the state of all that the visitor has as a second factor: what the policy asks
// for.
func (v Visitor) Factors() twofactor.State {
	if v.Enrolled {
		return twofactor.Enabled
	}
	return twofactor.NotConfigured
}

// Actor is the visitor as the author of a change.
func (v Visitor) Actor(c Client) Actor { return personAt(v.Person.ID, c.Address) }

// Visitor finds who holds a session's token. It returns ErrSignedOut when the session
// does not exist, has ended, or belongs to somebody deactivated. Role, policy and state
// are read every time, so that a change counts at once.
func (s *Store) Visitor(ctx context.Context, token string, now time.Time) (Visitor, error) {
	v := Visitor{session: hashToken(token)}
	var authenticated int64
	var methods string
	var started, secondStep, seen, previous, everyoneFrom, adminsFrom, confirmed, pendingUntil sql.NullInt64
	usedSince, begunSince, err := s.openSince(reading{s, ctx}, now)
	if err != nil {
		return Visitor{}, err
	}
	err = s.row(ctx, `SELECT s.handle, s.started_at, s.authenticated_at, s.methods, s.second_step_at, s.seen_at,
			s.previous_sign_in_at, s.events_from, s.events_until,
			p.id, p.email, p.name, p.role, w.name, w.require_everyone, w.require_admins, w.everyone_from, w.admins_from,
			e.confirmed_at, q.expires_at, p.enrolled_here,
			p.role <> 'member' AND EXISTS (SELECT 1 FROM notice WHERE dismissed_at IS NULL)
		FROM session s JOIN person p ON p.id = s.person_id JOIN workspace w ON w.id = 1
		LEFT JOIN enrollment e ON e.person_id = p.id AND e.state = 'enabled'
		LEFT JOIN enrollment q ON q.session_hash = s.id_hash AND q.state = 'pending'
		WHERE s.id_hash = $1 AND p.active = TRUE AND s.seen_at > $2 AND s.started_at > $3`,
		v.session, usedSince, begunSince).
		Scan(&v.Handle, &started, &authenticated, &methods, &secondStep, &seen, &previous, &v.eventsFrom, &v.eventsUntil, &v.Person.ID,
			&v.Person.Email, &v.Person.Name, &v.Person.Role,
			&v.Workspace.Name, &v.Workspace.Policy.Everyone, &v.Workspace.Policy.Admins, &everyoneFrom, &adminsFrom,
			&confirmed, &pendingUntil, &v.Enrolled, &v.OpenNotices)
	if errors.Is(err, sql.ErrNoRows) {
		return Visitor{}, ErrSignedOut
	}
	if err != nil {
		return Visitor{}, fmt.Errorf("reading a session: %w", err)
	}
	v.StartedAt = instant(started)
	v.AuthenticatedAt, v.Methods = instantMilli(authenticated), strings.Fields(methods)
	v.SecondStepAt, v.SeenAt = instant(secondStep), instant(seen)
	v.PreviousSignInAt = instant(previous)
	switch {
	case confirmed.Valid:
		v.State, v.Replacing = twofactor.Enabled, pendingUntil.Valid
	case pendingUntil.Valid:
		v.State = twofactor.Pending
	}
	v.Person.Active = true
	v.Workspace.Policy.EveryoneFrom, v.Workspace.Policy.AdminsFrom = instant(everyoneFrom), instant(adminsFrom)
	v.Workspace.Policy = v.Workspace.Policy.At(now) // what turns on by itself counts from its instant on
	v.MustEnroll = v.Workspace.Policy.MustEnroll(v.Person.Role, v.Factors())
	return v, nil
}

// nodeDrift is how far a session may have been seen in the future without a clock having been
// set back: as far as two nodes may differ, and a little more.
const nodeDrift = 15 * time.Second

// Touch notes that a session was used, at most once a minute and ten times while it may idle.
// A node whose clock is a little behind that of the node which noted it last waits as well,
// or each click there would write. A session that began in the future, before a clock was set
// back, begins now: it would outlast its bound otherwise.
func (s *Store) Touch(ctx context.Context, v Visitor, now time.Time) error {
	l, err := s.SessionLengths(ctx, now)
	if err != nil {
		return err
	}
	every := min(touchInterval, l.Idle/10) // a session that is used lasts
	if elapsed := now.Sub(v.SeenAt); elapsed >= -nodeDrift && elapsed < every {
		return nil
	}
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		at := unix(now)
		_, err := t.exec(`UPDATE session
			SET seen_at = $1,
				started_at = CASE WHEN started_at > $2 THEN $3 ELSE started_at END,
				authenticated_at = CASE WHEN authenticated_at > $4 THEN $5 ELSE authenticated_at END
			WHERE id_hash = $6`,
			at, at, at, now.UnixMilli(), now.UnixMilli(), v.session)
		return err
	})
}

// sessionOwner gives whose live session a client has, or 0.
func (s *Store) sessionOwner(t *tx, c Client, now time.Time) (person int64, err error) {
	if c.Session == "" {
		return 0, nil
	}
	usedSince, begunSince, err := s.openSince(t, now)
	if err != nil {
		return 0, err
	}
	err = t.row(`SELECT s.person_id FROM session s JOIN person p ON p.id = s.person_id
		WHERE s.id_hash = $1 AND p.active = TRUE AND s.seen_at > $2 AND s.started_at > $3`,
		hashToken(c.Session), usedSince, begunSince).Scan(&person)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return person, err
}

// EndSession ends the session itself; its pending enrolment goes with it.
func (s *Store) EndSession(ctx context.Context, v Visitor, c Client, now time.Time) error {
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		n, err := t.exec(`DELETE FROM session WHERE id_hash = $1`, v.session)
		if err != nil || n == 0 {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{event: account.SignedOut, actor: v.Actor(c), subject: v.Person.ID})
		return err
	})
}

// A Session is one row of the list of one's own sessions.
type Session struct {
	Handle    string
	Browser   string
	Address   string
	StartedAt time.Time
	SeenAt    time.Time
	Current   bool
}

// Sessions lists the visitor's own sessions, the newest first.
func (s *Store) Sessions(ctx context.Context, v Visitor, now time.Time) ([]Session, error) {
	usedSince, begunSince, err := s.openSince(reading{s, ctx}, now)
	if err != nil {
		return nil, err
	}
	rows, err := s.rows(ctx, `SELECT handle, browser, address, started_at, seen_at FROM session
		WHERE person_id = $1 AND seen_at > $2 AND started_at > $3 ORDER BY started_at DESC, handle`,
		v.Person.ID, usedSince, begunSince)
	if err != nil {
		return nil, fmt.Errorf("reading sessions: %w", err)
	}
	defer rows.Close()
	var list []Session
	for rows.Next() {
		var session Session
		var started, seen sql.NullInt64
		if err := rows.Scan(&session.Handle, &session.Browser, &session.Address, &started, &seen); err != nil {
			return nil, fmt.Errorf("reading a session: %w", err)
		}
		session.StartedAt, session.SeenAt, session.Current = instant(started), instant(seen), session.Handle == v.Handle
		list = append(list, session)
	}
	return list, rows.Err()
}

// HasSession reports whether a handle names one of the visitor's own sessions.
func (s *Store) HasSession(ctx context.Context, v Visitor, handle string) (own bool, err error) {
	err = s.row(ctx, `SELECT EXISTS (SELECT 1 FROM session WHERE handle = $1 AND person_id = $2)`,
		handle, v.Person.ID).Scan(&own)
	if err != nil {
		return false, fmt.Errorf("looking for a session: %w", err)
	}
	return own, nil
}

// EndOwnSession ends one of the visitor's own sessions by its handle, or returns
// ErrNotFound when it is somebody else's or none.
func (s *Store) EndOwnSession(ctx context.Context, v Visitor, handle string, c Client, now time.Time) error {
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		n, err := t.exec(`DELETE FROM session WHERE handle = $1 AND person_id = $2`, handle, v.Person.ID)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.SignedOut,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			detail:  "one session",
		})
		return err
	})
}

// EndOtherSessions ends all of the visitor's sessions and challenges but this one, and
// forgets all browsers but this one.
func (s *Store) EndOtherSessions(ctx context.Context, v Visitor, c Client, now time.Time) error {
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		if err := t.endOtherSessions(v.Person.ID, v.session); err != nil {
			return err
		}
		if err := t.forgetBrowsers(v.Person.ID, c.Known); err != nil {
			return err
		}
		_, err := t.appendActivity(now, activityEntry{
			event:   account.SessionsEnded,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			detail:  "all others",
		})
		return err
	})
}

// requireSession gives ErrSignedOut when the visitor's session ended since it
// was read: a session that was ended elsewhere changes nothing any more.
func (t *tx) requireSession(v Visitor) error {
	var found int
	err := t.row(`SELECT 1 FROM session s JOIN person p ON p.id = s.person_id WHERE s.id_hash = $1 AND p.active = TRUE`,
		v.session).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrSignedOut
	}
	return err
}

// endOtherSessions ends a person's sessions but one (nil: all), their challenges, and what
// apps have of them for offline use.
func (t *tx) endOtherSessions(person int64, except []byte) error {
	if except == nil {
		except = []byte{}
	}
	if _, err := t.exec(`DELETE FROM session WHERE person_id = $1 AND id_hash <> $2`, person, except); err != nil {
		return err
	}
	if err := t.endOffline(person); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM challenge WHERE person_id = $1`, person)
	return err
}

// rotateSession gives the visitor's session a new id and ends all other sessions and
// challenges of the person. It is part of every change of factor or password,
// so that whoever had stolen the old id, or sat at another browser, is out.
func (t *tx) rotateSession(v Visitor) (token string, err error) {
	token = newToken()
	if _, err := t.exec(`DELETE FROM enrollment WHERE session_hash = $1`, v.session); err != nil {
		return "", err
	}
	if err := t.execOne(`UPDATE session SET id_hash = $1 WHERE id_hash = $2`, hashToken(token), v.session); err != nil {
		return "", err
	}
	return token, t.endOtherSessions(v.Person.ID, hashToken(token))
}

// A newSession is what a sign-in knows of the session that it starts.
type newSession struct {
	handle         string
	person         int64
	authentication authentication
	previous       time.Time // the sign-in before; zero when this is the first
	eventsFrom     int64     // the activity row of the sign-in before
	eventsUntil    int64     // that of this one
}

// startSession makes a session in place of the one that the browser had, and deletes the
// oldest above the limit.
func (t *tx) startSession(n newSession, c Client, now time.Time) (token string, err error) {
	token = newToken()
	secondStep := sql.NullInt64{Int64: unix(now), Valid: n.authentication.secondStep}
	if c.Session != "" {
		if _, err := t.exec(`DELETE FROM session WHERE id_hash = $1`, hashToken(c.Session)); err != nil {
			return "", err
		}
	}
	if err := t.execOne(`INSERT INTO session (id_hash, handle, person_id, started_at, authenticated_at, seen_at,
			previous_sign_in_at, events_from, events_until, browser, address, methods, second_step_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		hashToken(token), n.handle, n.person, unix(now), n.authentication.at.UnixMilli(), unix(now),
		nullable(n.previous), n.eventsFrom, n.eventsUntil, truncateUserAgent(c.Browser), c.Address,
		joinMethods(n.authentication.methods), secondStep); err != nil {
		return "", fmt.Errorf("starting a session: %w", err)
	}
	_, err = t.exec(`DELETE FROM session WHERE person_id = $1 AND id_hash NOT IN (
			SELECT id_hash FROM session WHERE person_id = $2 ORDER BY started_at DESC, id_hash = $3 DESC LIMIT $4)`,
		n.person, n.person, hashToken(token), maxSessions)
	return token, err
}
