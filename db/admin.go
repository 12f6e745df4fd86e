package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
	"gatehouse/typed"
)

// LinkTTL is how long an invitation or a password link works.
const LinkTTL = 24 * time.Hour

// PageSize is how many people or activity rows a page lists.
const PageSize = 50

// A PeoplePage is one page of the list of people.
type PeoplePage struct {
	People []Person
	Next   string // where the next page begins; "" when this is the last
}

// People lists a page of people in the order of their names: all, or those who have every
// word of the search as a part of a word of their name or address. It begins after the
// key that the previous page returned; an invalid key begins at the start.
func (s *Store) People(ctx context.Context, search, after string) (PeoplePage, error) {
	if words := account.SearchWords(search); len(words) > 0 {
		return s.search(ctx, words, after)
	}
	id, sortKey := parsePeopleKey(after)
	return s.peoplePage(ctx, PageSize, everybody,
		`SELECT `+personColumns+
			` WHERE p.removed_at IS NULL AND (p.sort_key, p.id) > (?, ?) ORDER BY p.sort_key, p.id LIMIT ?`,
		sortKey, id, PageSize+1)
}

// NotEnrolled lists a page of the active people whose factor is not Enabled, in the order
// of their names, after the key that the previous page returned.
func (s *Store) NotEnrolled(ctx context.Context, after string) (PeoplePage, error) {
	return s.notEnrolled(ctx, after, PageSize)
}

func (s *Store) notEnrolled(ctx context.Context, after string, size int) (PeoplePage, error) {
	id, sortKey := parsePeopleKey(after)
	return s.peoplePage(ctx, size, everybody,
		`SELECT `+personColumns+` WHERE p.active = 1 AND p.enrolled = 0 AND (p.sort_key, p.id) > (?, ?)
			ORDER BY p.sort_key, p.id LIMIT ?`,
		sortKey, id, size+1)
}

func everybody(Person) bool { return true }

// peoplePage reads a page of those who belong to it, in the order of their names, and
// looks whether one more follows.
func (s *Store) peoplePage(ctx context.Context, size int, belongs func(Person) bool, query string,
	args ...any) (PeoplePage, error) {
	var page PeoplePage
	err := s.eachPerson(ctx, func(p Person) error {
		if belongs(p) {
			page.People = append(page.People, p)
		}
		return nil
	}, query, args...)
	if len(page.People) > size {
		page.People = page.People[:size]
		last := page.People[size-1]
		page.Next = formatID(last.ID) + " " + account.SortKey(last.Name)
	}
	return page, err
}

// parsePeopleKey reads "id key".
func parsePeopleKey(text string) (id int64, key string) {
	number, key, _ := strings.Cut(typed.Line(text), " ")
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, ""
	}
	return id, key
}

// Person finds somebody by id, or returns ErrNotFound.
func (s *Store) Person(ctx context.Context, id int64) (Person, error) {
	return scanPerson(s.row(ctx, `SELECT `+personColumns+` WHERE p.id = ? AND p.removed_at IS NULL`, id).Scan)
}

// PersonDetails are what a person's page tells beside the list's columns.
type PersonDetails struct {
	AddedAt   time.Time
	LinkKind  account.LinkKind // of the one-time link that is open; "" for none
	LinkUntil time.Time        // when it ends
	Sessions  int
	Browsers  int // that are known
}

// PersonDetails reads them, or returns ErrNotFound.
func (s *Store) PersonDetails(ctx context.Context, person int64, now time.Time) (PersonDetails, error) {
	var f PersonDetails
	var added, until sql.NullInt64
	err := s.row(ctx, `SELECT p.made_at, coalesce(l.kind, ''), l.expires_at,
			(SELECT count(*) FROM session s WHERE s.person_id = p.id AND s.seen_at > ? AND s.started_at > ?),
			(SELECT count(*) FROM known_browser b WHERE b.person_id = p.id AND b.expires_at > ?)
		FROM person p LEFT JOIN link l ON l.person_id = p.id AND l.expires_at > ? WHERE p.id = ?`,
		unix(now.Add(-s.times.SessionIdle)), unix(now.Add(-s.times.SessionMax)), unix(now), unix(now), person).
		Scan(&added, &f.LinkKind, &until, &f.Sessions, &f.Browsers)
	if errors.Is(err, sql.ErrNoRows) {
		return f, ErrNotFound
	}
	if err != nil {
		return f, fmt.Errorf("reading a person: %w", err)
	}
	f.AddedAt, f.LinkUntil = instant(added), instant(until)
	return f, nil
}

// An Author makes a change to somebody else: an admin, or the machine. The zero Author
// is nobody, and may nothing.
type Author struct {
	Actor
	visitor Visitor // zero on the machine
}

// Author is the visitor as the author of changes to others.
func (v Visitor) Author(c Client) Author { return Author{v.Actor(c), v} }

// Author is the machine as the author of changes to people.
func (a Actor) Author() Author { return Author{Actor: a} }

// authorizeEdit reads the subject of a change to name or address and checks, in the
// transaction that makes it, that the author may make it: the session still stands, and
// account.MayEdit allows it to the role that the author has now.
func (t *tx) authorizeEdit(by Author, person int64) (Person, error) {
	return t.authorizeChange(by, person, account.MayEdit)
}

// authorizeManage is authorizeEdit for what an admin does to other people only (account.MayManage).
func (t *tx) authorizeManage(by Author, person int64) (Person, error) {
	return t.authorizeChange(by, person, account.MayManage)
}

func (t *tx) authorizeChange(by Author, person int64, rule func(account.Author, account.Subject) error) (Person, error) {
	p := Person{ID: person}
	err := t.row(`SELECT email, name, role, active, password_hash = '' FROM person
		WHERE id = ? AND removed_at IS NULL`, person).
		Scan(&p.Email, &p.Name, &p.Role, &p.Active, &p.Invited)
	if errors.Is(err, sql.ErrNoRows) {
		return p, ErrNotFound
	}
	if err != nil {
		return p, fmt.Errorf("reading a person: %w", err)
	}
	author, err := t.readAuthor(by)
	if err != nil {
		return p, err
	}
	return p, rule(author, account.Subject{ID: p.ID, Role: p.Role})
}

// requireAdmin checks in the same way that the author may change what is about no
// account.
func (t *tx) requireAdmin(by Author) error {
	author, err := t.readAuthor(by)
	if err != nil {
		return err
	}
	return account.MayAdminister(author)
}

// readAuthor returns the author with the role of now. It refuses with ErrSignedOut, and
// nobody with account.ErrNotAllowed.
func (t *tx) readAuthor(by Author) (account.Author, error) {
	author := account.Author{Kind: by.kind, ID: by.ID}
	switch by.kind {
	case account.ActorMachine:
		return author, nil
	case account.ActorPerson:
	default:
		return author, account.ErrNotAllowed
	}
	if err := t.requireSession(by.visitor); err != nil {
		return author, err
	}
	if err := t.row(`SELECT role FROM person WHERE id = ?`, by.ID).Scan(&author.Role); err != nil {
		return author, fmt.Errorf("reading an author: %w", err)
	}
	return author, nil
}

// Invite adds a person without a password and makes the link that lets them choose one.
// It refuses with FieldErrors; only a Super-administrator invites admins:
// account.ErrNotAllowed.
func (s *Store) Invite(ctx context.Context, n NewPerson, by Author, now time.Time) (id int64, token string, err error) {
	name, nameErr := account.ParseName("name", n.Name)
	email, emailErr := account.ParseEmail(n.Email)
	var roleErr error
	if !n.Role.Known() {
		roleErr = account.FieldError{Field: "role", Reason: account.Unknown}
	}
	if err := errors.Join(nameErr, emailErr, roleErr); err != nil {
		return 0, "", err
	}
	err = s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		author, err := t.readAuthor(by)
		if err != nil {
			return err
		}
		if err := account.MayGive(author, account.Subject{}, n.Role); err != nil {
			return err
		}
		if id, err = t.addPerson(NewPerson{Name: name, Email: email, Role: n.Role}, "", by.Actor, now); err != nil {
			return err
		}
		token, err = t.newLink(id, account.Invitation, by.Actor, now)
		return err
	})
	return id, token, err
}

// newLink makes a person's one-time link; it ends the one before.
func (t *tx) newLink(person int64, kind account.LinkKind, by Actor, now time.Time) (token string, err error) {
	if _, err := t.exec(`DELETE FROM link WHERE person_id = ?`, person); err != nil {
		return "", err
	}
	token = newToken()
	if err := t.execOne(`INSERT INTO link (token_hash, kind, person_id, made_at, expires_at) VALUES (?, ?, ?, ?, ?)`,
		hashToken(token), kind, person, unix(now), unix(now.Add(LinkTTL))); err != nil {
		return "", fmt.Errorf("making a link: %w", err)
	}
	_, err = t.appendActivity(now, activityEntry{
		event:   account.LinkMade,
		actor:   by,
		subject: person,
		method:  account.ByLink,
		detail:  string(kind),
	})
	return token, err
}

// NewLink makes a link that lets somebody else choose a new password: an invitation for
// those who have none yet. The factor is not touched. It refuses with
// account.ErrOwnAccount and account.ErrInactive.
func (s *Store) NewLink(ctx context.Context, person int64, by Author, now time.Time) (token string, err error) {
	err = s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		p, err := t.authorizeManage(by, person)
		if err != nil {
			return err
		}
		if !p.Active {
			return account.ErrInactive // the link would not work
		}
		kind := account.PasswordLink
		if p.Invited {
			kind = account.Invitation
		}
		token, err = t.newLink(person, kind, by.Actor, now)
		return err
	})
	return token, err
}

// A Link is a one-time link as its page shows it.
type Link struct {
	Kind   account.LinkKind
	Person int64 // whose it is
	Name   string
	Email  string
}

// linkQuery finds an open link. One made in the future, before a clock was set back,
// would outlive its day.
const linkQuery = `SELECT l.kind, l.person_id, p.name, p.email FROM link l
	JOIN person p ON p.id = l.person_id AND p.active = 1
	WHERE l.token_hash = ?1 AND l.expires_at > ?2 AND l.made_at <= ?2 + 60`

// Link finds the link that a token opens, or returns ErrNotFound when it was used, has
// expired, was replaced by another, or the person was deactivated. Looking is not
// counted, since opening a page writes nothing; 256 random bits are not guessed, and
// posting one that does not exist is counted.
func (s *Store) Link(ctx context.Context, token string, now time.Time) (Link, error) {
	l, _, err := scanLink(s.row(ctx, linkQuery, hashToken(token), unix(now)))
	return l, err
}

// countUnknownLink counts a post of a link that does not exist against the client's
// address. It returns ErrNotFound, or Wait.
func (s *Store) countUnknownLink(ctx context.Context, c Client, now time.Time) error {
	err := s.write(ctx, lockAttempts(c.Address), func(t *tx) error { return t.countAddressAttempt(c.Address, now) })
	if err != nil {
		return err
	}
	return ErrNotFound
}

func scanLink(r row) (l Link, person int64, err error) {
	err = r.Scan(&l.Kind, &l.Person, &l.Name, &l.Email)
	if errors.Is(err, sql.ErrNoRows) {
		return l, 0, ErrNotFound
	}
	if err != nil {
		return l, 0, fmt.Errorf("reading a link: %w", err)
	}
	return l, l.Person, nil
}

// UseLink sets the password that somebody chose through their link, and for
// an invitation the name. It ends all sessions of the person, never touches the
// factor, and signs nobody in: the sign-in follows, second step included. It
// refuses with FieldErrors of name and password. A link works once; one that does not
// exist counts against the client's address and is refused with ErrNotFound or Wait.
// One that exists costs nothing: many people of one office have an address in common.
func (s *Store) UseLink(ctx context.Context, token, name, password string, c Client, now time.Time) (Link, error) {
	if _, err := s.Link(ctx, token, now); errors.Is(err, ErrNotFound) {
		return Link{}, s.countUnknownLink(ctx, c, now)
	} else if err != nil {
		return Link{}, err
	}
	end, err := s.turns.acquire(ctx, "link "+token, 1)
	if err != nil {
		return Link{}, err
	}
	defer end()
	l, err := s.Link(ctx, token, now) // of many at once one computes a slow hash
	if err != nil {
		return l, err
	}
	w, err := s.Workspace(ctx)
	if err != nil {
		return l, err
	}
	var nameErr error
	if l.Kind == account.Invitation {
		name, nameErr = account.ParseName("name", name)
	} else {
		name = l.Name
	}
	next, err := account.NewPassword("password", password, name, l.Email, w.Name)
	if err := errors.Join(nameErr, err); err != nil {
		return l, err
	}
	hash, err := s.hashPassword(ctx, linkCaller(token), next)
	if err != nil {
		return l, err
	}
	return l, s.write(ctx, lockLink(token), func(t *tx) error {
		before, person, err := scanLink(t.row(linkQuery, hashToken(token), unix(now)))
		if err != nil {
			return err
		}
		if err := t.execOne(`DELETE FROM link WHERE token_hash = ?`, hashToken(token)); err != nil {
			return err
		}
		if err := t.rename(Person{ID: person, Name: before.Name, Email: before.Email}, name, before.Email); err != nil {
			return err
		}
		if err := t.setPassword(person, hash, now); err != nil {
			return err
		}
		if _, err := t.appendActivity(now, activityEntry{
			event:   account.LinkUsed,
			actor:   personAt(person, c.Address),
			subject: person,
			method:  account.ByLink,
			detail:  string(l.Kind),
		}); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.PasswordChanged,
			actor:   personAt(person, c.Address),
			subject: person,
			method:  account.ByLink,
		})
		return err
	})
}

// setPassword stores a password, ends the person's sessions, challenges and links, and
// clears the failed attempts before it.
func (t *tx) setPassword(person int64, hash string, now time.Time) error {
	if err := t.execOne(`UPDATE person SET password_hash = ?, password_changed_at = ? WHERE id = ?`,
		hash, unix(now), person); err != nil {
		return err
	}
	if err := t.endOtherSessions(person, nil); err != nil {
		return err
	}
	if err := t.endLinks(person); err != nil {
		return err
	}
	return t.clearCount(countPassword, formatID(person))
}

// endLinks ends the one-time links of somebody who proves that they do not need one,
// or whose account a link was not made for any more: a password that was changed or
// given, an address, a role, a deactivation.
func (t *tx) endLinks(person int64) error {
	_, err := t.exec(`DELETE FROM link WHERE person_id = ?`, person)
	return err
}

// endAccess ends everything through which somebody is in or comes in more easily:
// sessions, challenges and known browsers.
func (t *tx) endAccess(person int64) error {
	if err := t.endOtherSessions(person, nil); err != nil {
		return err
	}
	return t.forgetBrowsers(person, "")
}

// SetPassword sets somebody's password on the machine. It refuses with a
// FieldError of password.
func (s *Store) SetPassword(ctx context.Context, person int64, typed string, by Author, now time.Time) error {
	p, err := s.Person(ctx, person)
	if err != nil {
		return err
	}
	w, err := s.Workspace(ctx)
	if err != nil {
		return err
	}
	next, err := account.NewPassword("password", typed, p.Name, p.Email, w.Name)
	if err != nil {
		return err
	}
	hash, err := s.hashPassword(ctx, machineCaller(), next)
	if err != nil {
		return err
	}
	return s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		if _, err := t.authorizeManage(by, person); err != nil {
			return err
		}
		if err := t.setPassword(person, hash, now); err != nil {
			return err
		}
		_, err := t.appendActivity(now, activityEntry{
			event:   account.PasswordChanged,
			actor:   by.Actor,
			subject: person,
			method:  account.ByCommand,
		})
		return err
	})
}

// ChangePerson changes somebody's name, address and role. It refuses with
// FieldErrors of name, email and role, and with account.ErrOwnRole, ErrNotAllowed or
// account.ErrLastSuperAdmin, and with account.ErrOutdated when they are not as the form
// showed them any more. A new address ends the person's sessions and links; a
// new role counts from their next request on.
func (s *Store) ChangePerson(ctx context.Context, person int64, seen account.Seen, n NewPerson, by Author,
	now time.Time) error {
	current, err := s.Person(ctx, person)
	if err != nil {
		return err
	}
	name, nameErr := account.ParseName("name", n.Name)
	email, emailErr := account.ParseEmail(n.Email)
	if account.OldNormalizeEmail(n.Email) == current.Email {
		email, emailErr = current.Email, nil // one of an older version may stay as it is
	}
	var roleErr error
	if !n.Role.Known() {
		roleErr = account.FieldError{Field: "role", Reason: account.Unknown}
	}
	if err := errors.Join(nameErr, emailErr, roleErr); err != nil {
		return err
	}
	return s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		before, err := t.authorizeEdit(by, person)
		if err != nil {
			return err
		}
		if seen.Outdated(account.PersonVersion(before.Name, before.Email, before.Role)) {
			return account.ErrOutdated
		}
		if n.Role != before.Role {
			if err := t.changeRole(before, n.Role, by, now); err != nil {
				return err
			}
		}
		if name == before.Name && email == before.Email {
			return nil
		}
		if err := t.rename(before, name, email); err != nil {
			return err
		}
		detail := "name"
		if email != before.Email {
			detail = "e-mail address"
			if err := t.endLinks(person); err != nil { // the old address may have got it
				return err
			}
			if by.ID != person {
				if err := t.endOtherSessions(person, nil); err != nil {
					return err
				}
			}
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.PersonChanged,
			actor:   by.Actor,
			subject: person,
			detail:  detail,
		})
		return err
	})
}

// changeRole gives a person a role, within the rules: only a Super-administrator makes
// admins, nobody changes their own, and the last Super-administrator stays. It ends open
// links: they may be in the hands of somebody who is not allowed to sign in with the new
// role. Whoever is given an admin's role signs in anew, so that nobody who had got hold
// of a session, a challenge or a known browser becomes an admin with them (ASVS 7.2.4).
func (t *tx) changeRole(p Person, role twofactor.Role, by Author, now time.Time) error {
	author, err := t.readAuthor(by)
	if err != nil {
		return err
	}
	if err := account.MayGive(author, account.Subject{ID: p.ID, Role: p.Role}, role); err != nil {
		return err
	}
	if err := t.execOne(`UPDATE person SET role = ? WHERE id = ?`, string(role), p.ID); err != nil {
		return err
	}
	if err := t.requireSuperAdmin(p); err != nil {
		return err
	}
	if err := t.endLinks(p.ID); err != nil {
		return err
	}
	if role.Admin() {
		if err := t.endAccess(p.ID); err != nil {
			return err
		}
	}
	_, err = t.appendActivity(now, activityEntry{
		event:   account.RoleChanged,
		actor:   by.Actor,
		subject: p.ID,
		detail:  string(p.Role) + " to " + string(role),
	})
	return err
}

// SetRole gives somebody a role, within the same rules.
func (s *Store) SetRole(ctx context.Context, person int64, role twofactor.Role, by Author, now time.Time) error {
	if !role.Known() {
		return account.FieldError{Field: "role", Reason: account.Unknown}
	}
	return s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		p, err := t.authorizeEdit(by, person)
		if err != nil || p.Role == role {
			return err
		}
		return t.changeRole(p, role, by, now)
	})
}

// SetActive deactivates somebody, which ends their sessions and links, or
// reactivates them. Nobody deactivates themselves (account.ErrOwnAccount), and the last
// active Super-administrator stays (account.ErrLastSuperAdmin).
func (s *Store) SetActive(ctx context.Context, person int64, active bool, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		p, err := t.authorizeManage(by, person)
		if err != nil || p.Active == active {
			return err
		}
		if err := t.execOne(`UPDATE person SET active = ? WHERE id = ?`, active, person); err != nil {
			return err
		}
		event := account.PersonReactivated
		if !active {
			event = account.PersonDeactivated
			if err := t.requireSuperAdmin(p); err != nil {
				return err
			}
			if err := t.endLinks(person); err != nil {
				return err
			}
			if err := t.endAccess(person); err != nil {
				return err
			}
		}
		_, err = t.appendActivity(now, activityEntry{event: event, actor: by.Actor, subject: person})
		return err
	})
}

// EndSessionsOf ends all of somebody else's sessions and challenges, and forgets the
// browsers that they are known by; one's own are ended on My profile
// (account.ErrOwnAccount).
func (s *Store) EndSessionsOf(ctx context.Context, person int64, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		if _, err := t.authorizeManage(by, person); err != nil {
			return err
		}
		if err := t.endAccess(person); err != nil {
			return err
		}
		_, err := t.appendActivity(now, activityEntry{event: account.SessionsEnded, actor: by.Actor, subject: person})
		return err
	})
}

// Unlock clears somebody's failed attempts, from every browser, so that they need not
// wait. It is break-glass on the machine and leaves a notice. Nobody unlocks themselves:
// account.ErrOwnAccount.
func (s *Store) Unlock(ctx context.Context, person int64, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		if _, err := t.authorizeManage(by, person); err != nil {
			return err
		}
		if err := t.clearAttempts(person); err != nil {
			return err
		}
		_, err := t.appendActivity(now, activityEntry{event: account.PersonUnlocked, actor: by.Actor, subject: person})
		return err
	})
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

// DismissNotice takes a notice away for all admins. It is not an error if the notice is
// already gone.
func (s *Store) DismissNotice(ctx context.Context, id int64, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		var event string
		err := t.row(`UPDATE notice SET dismissed_at = ?, dismissed_by = ? WHERE id = ? AND dismissed_at IS NULL
			RETURNING (SELECT event FROM activity WHERE activity.id = activity_id)`, unix(now), by.ID, id).Scan(&event)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("dismissing a notice: %w", err)
		}
		_, err = t.appendActivity(now, activityEntry{event: account.NoticeDismissed, actor: by.Actor, detail: event})
		return err
	})
}

// DismissNotices takes all notices up to one away for all admins: the newest that the
// admin was shown, so that one which came meanwhile stays.
func (s *Store) DismissNotices(ctx context.Context, through int64, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		n, err := t.exec(`UPDATE notice SET dismissed_at = ?, dismissed_by = ? WHERE id <= ? AND dismissed_at IS NULL`,
			unix(now), by.ID, through)
		if err != nil || n == 0 {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:  account.NoticeDismissed,
			actor:  by.Actor,
			detail: fmt.Sprintf("all %d", n),
		})
		return err
	})
}

// AdminsWithoutCodes reports whether no active admin has a recovery code left,
// so that a lost phone could lock the workspace's last admin out.
func (s *Store) AdminsWithoutCodes(ctx context.Context) (bool, error) {
	var found bool
	// CROSS JOIN begins with the few admins (SQLite's own).
	err := s.row(ctx, `SELECT EXISTS (SELECT 1 FROM person p
		CROSS JOIN enrollment e ON e.person_id = p.id AND e.state = 'enabled'
		CROSS JOIN recovery_code c ON c.enrollment_id = e.id AND c.used_at IS NULL
		WHERE p.role <> 'member' AND p.active = 1)`).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("looking for admins with recovery codes: %w", err)
	}
	return !found, nil
}

// exportPage is how many rows an export reads at a time: a slow download must not hold
// one of the few reading connections, nor a reading transaction, which would keep the
// write-ahead log growing.
const exportPage = 1000

// EachNotEnrolled calls do for every active person whose factor is not Enabled,
// in the order of their names.
func (s *Store) EachNotEnrolled(ctx context.Context, do func(Person) error) error {
	for after := ""; ; {
		page, err := s.notEnrolled(ctx, after, exportPage)
		if err != nil {
			return err
		}
		for _, p := range page.People {
			if err := do(p); err != nil {
				return err
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
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
	const order = ` ORDER BY a.at DESC, a.id DESC LIMIT ?`
	if f.Person == 0 {
		return `SELECT ` + activityColumns + ` WHERE ` + where + order, append(args, limit)
	}
	// Two index scans that the union merges in order.
	query := `SELECT ` + activityColumns +
		` WHERE a.id IN (SELECT id FROM (SELECT a.at, a.id FROM activity a WHERE a.subject_id = ? AND ` + where + `
		UNION ALL SELECT a.at, a.id FROM activity a
		WHERE a.actor_id = ? AND a.actor_id IS DISTINCT FROM a.subject_id AND ` + where +
		` ORDER BY 1 DESC, 2 DESC LIMIT ?))` + order
	var queryArgs []any
	for range 2 {
		queryArgs = append(append(queryArgs, f.Person), args...)
	}
	return query, append(queryArgs, limit, limit)
}

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
	where, args := `a.at >= ? AND (a.at, a.id) < (?, ?)`, []any{from, at, id}
	if f.Event != "" {
		where += ` AND a.event = ?`
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
