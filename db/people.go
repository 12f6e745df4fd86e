package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"gatehouse/account"
	"gatehouse/passkeys"
	"gatehouse/twofactor"
)

// A Person is an account.
type Person struct {
	ID     int64
	Email  string
	Name   string
	Role   twofactor.Role
	Active bool

	UserName string // by which apps know them
	Sub      string // random and constant: by which connected apps know them

	Invited      bool      // has not chosen a password yet
	LastSignInAt time.Time // zero for never
	ConfirmedAt  time.Time // of the factor; zero while it is not Enabled
	Passkeys     int       // how many, wherever they work
	CodesLeft    int       // recovery codes; 0 while the factor is not Enabled
}

// State is the state of the person's factor as others may see it: a pending
// enrolment is nobody else's business.
func (p Person) State() twofactor.State {
	if p.ConfirmedAt.IsZero() {
		return twofactor.NotConfigured
	}
	return twofactor.Enabled
}

// A NewPerson is what it takes to add somebody.
type NewPerson struct {
	Name, Email, Password string
	Role                  twofactor.Role
	UserName              string // "" for one that is made of the address, or for leaving it as it is
}

// parse checks what was typed, every field, and returns the clean form.
func (n NewPerson) parse(workspace string) (NewPerson, account.Password, error) {
	name, nameErr := account.ParseName("name", n.Name)
	email, emailErr := account.ParseEmail(n.Email)
	password, passwordErr := account.NewPassword("password", n.Password, n.Name, n.Email, workspace)
	var roleErr error
	if !n.Role.Known() {
		roleErr = account.FieldError{Field: "role", Reason: account.Unknown}
	}
	userName, userNameErr := parseUserName(n.UserName)
	return NewPerson{
		Name:     name,
		Email:    email,
		Role:     n.Role,
		UserName: userName,
	}, password, errors.Join(nameErr, emailErr, passwordErr, roleErr, userNameErr)
}

// parseUserName checks a user name where one is given.
func parseUserName(typed string) (string, error) {
	if typed == "" {
		return "", nil
	}
	return account.ParseUserName(typed)
}

// Check refuses what AddPerson would in a workspace of some name that has no people yet.
func (n NewPerson) Check(workspace string) error {
	_, _, err := n.parse(workspace)
	return err
}

// AddPerson adds an account with a password, or refuses with FieldErrors.
func (s *Store) AddPerson(ctx context.Context, n NewPerson, by Actor, now time.Time) (int64, error) {
	w, err := s.Workspace(ctx)
	if err != nil {
		return 0, err
	}
	clean, password, err := n.parse(w.Name)
	if err != nil {
		return 0, err
	}
	hash, err := s.hashPassword(ctx, machineCaller(), password)
	if err != nil {
		return 0, err
	}
	var id int64
	err = s.write(ctx, lockWorkspace(), func(t *tx) (err error) {
		id, err = t.addPerson(clean, hash, by, now)
		return err
	})
	return id, err
}

func (t *tx) addPerson(n NewPerson, hash string, by Actor, now time.Time) (id int64, err error) {
	var others bool
	if err := t.row(`SELECT EXISTS (SELECT 1 FROM person)`).Scan(&others); err != nil {
		return 0, fmt.Errorf("looking for people: %w", err)
	}
	err = t.row(`INSERT INTO person (email, name, sort_key, role, password_hash, made_at, sub, user_handle)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (email) DO NOTHING RETURNING id`,
		n.Email, n.Name, account.SortKey(n.Name), string(n.Role), hash, unix(now), newSub(),
		passkeys.NewUserHandle()).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, account.FieldError{Field: "email", Reason: account.Taken}
	}
	if err != nil {
		return 0, fmt.Errorf("adding a person: %w", err)
	}
	t.countPerson(id, 1, 0)
	if err := t.addWords(id, n.Name, n.Email); err != nil {
		return 0, err
	}
	if err := t.giveUserName(id, n.UserName, n.Email); err != nil {
		return 0, err
	}
	if _, err := t.exec(`DELETE FROM link WHERE kind = 'setup'`); err != nil { // it makes the first person and no other
		return 0, err
	}
	_, err = t.appendActivity(now, activityEntry{
		event:   account.PersonAdded,
		actor:   by,
		subject: id,
		detail:  string(n.Role),
		role:    n.Role,
		quiet:   !others, // whoever adds the first person sets the workspace up
	})
	return id, err
}

const personColumns = `p.id, p.email, p.name, p.role, p.active, p.password_hash = '', p.last_sign_in_at,
	p.enrolled_at, p.unused_codes, p.user_name, p.sub,
	(SELECT count(*) FROM passkey k WHERE k.person_id = p.id)
	FROM person p`

func scanPerson(scan func(...any) error) (Person, error) {
	var p Person
	var last, confirmed sql.NullInt64
	var unused uint8
	err := scan(&p.ID, &p.Email, &p.Name, &p.Role, &p.Active, &p.Invited, &last, &confirmed, &unused, &p.UserName,
		&p.Sub, &p.Passkeys)
	if errors.Is(err, sql.ErrNoRows) {
		return p, ErrNotFound
	}
	if err != nil {
		return p, fmt.Errorf("reading a person: %w", err)
	}
	p.LastSignInAt, p.ConfirmedAt = instant(last), instant(confirmed)
	p.CodesLeft = bits.OnesCount8(unused)
	return p, nil
}

// PersonByEmail finds somebody by sign-in name, or returns ErrNotFound. Somebody whose
// address could not be brought to today's form in an upgrade is found by the form of
// before.
func (s *Store) PersonByEmail(ctx context.Context, given string) (Person, error) {
	const query = `SELECT ` + personColumns + ` WHERE p.email = $1 AND p.removed_at IS NULL`
	email, old := account.NormalizeEmail(given), account.OldNormalizeEmail(given)
	if old != email {
		if p, err := scanPerson(s.row(ctx, query, old).Scan); !errors.Is(err, ErrNotFound) {
			return p, err
		}
	}
	return scanPerson(s.row(ctx, query, email).Scan)
}

// EachPerson calls do for everybody, in the order of their names.
func (s *Store) EachPerson(ctx context.Context, do func(Person) error) error {
	return s.EachListedPerson(ctx, account.PeopleFilter{}, do)
}

func (s *Store) eachPerson(ctx context.Context, do func(Person) error, query string, args ...any) error {
	rows, err := s.rows(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("reading people: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		p, err := scanPerson(rows.Scan)
		if err != nil {
			return err
		}
		if err := do(p); err != nil {
			return err
		}
	}
	return rows.Err()
}

// NotEnrolled lists a page of the active people whose factor is not Enabled, in the order
// of their names, after the key that the previous page returned.
func (s *Store) NotEnrolled(ctx context.Context, after string) (PeoplePage, error) {
	return s.notEnrolled(ctx, after, PageSize)
}

func (s *Store) notEnrolled(ctx context.Context, after string, size int) (PeoplePage, error) {
	id, sortKey := parsePeopleKey(after)
	return s.peoplePage(ctx, size,
		`SELECT `+personColumns+` WHERE p.active = TRUE AND p.enrolled_here = FALSE AND (p.sort_key, p.id) > ($1, $2)
			ORDER BY p.sort_key, p.id LIMIT $3`,
		sortKey, id, size+1)
}

// peoplePage reads a page in the order of names, and looks whether one more follows.
func (s *Store) peoplePage(ctx context.Context, size int, query string, args ...any) (PeoplePage, error) {
	var found []Person
	err := s.eachPerson(ctx, appendTo(&found), query, args...)
	return cutPage(found, size, account.ByName), err
}

// Person finds somebody by id, or returns ErrNotFound.
func (s *Store) Person(ctx context.Context, id int64) (Person, error) {
	return scanPerson(s.row(ctx, `SELECT `+personColumns+` WHERE p.id = $1 AND p.removed_at IS NULL`, id).Scan)
}

// PersonDetails are what a person's page tells beside the list's columns.
type PersonDetails struct {
	AddedAt   time.Time
	LinkKind  account.LinkKind // of the one-time link that is open; "" for none
	LinkUntil time.Time        // when it ends
	Sessions  int
	Browsers  int // that are known

	ClosedAt    time.Time // since when "This wasn't me" keeps everybody out; zero while open
	SwitchedOff bool      // it has switched factors off that were not turned on again
}

// PersonDetails reads them, or returns ErrNotFound.
func (s *Store) PersonDetails(ctx context.Context, person int64, now time.Time) (PersonDetails, error) {
	var f PersonDetails
	var added, until, closed sql.NullInt64
	usedSince, begunSince, err := s.openSince(reading{s, ctx}, now)
	if err != nil {
		return f, err
	}
	err = s.row(ctx, `SELECT p.made_at, coalesce(l.kind, ''), l.expires_at, p.closed_at, p.suspect_from IS NOT NULL,
			(SELECT count(*) FROM session s WHERE s.person_id = p.id AND s.seen_at > $1 AND s.started_at > $2),
			(SELECT count(*) FROM known_browser b WHERE b.person_id = p.id AND b.expires_at > $3)
		FROM person p LEFT JOIN link l ON l.person_id = p.id AND l.expires_at > $4 WHERE p.id = $5`,
		usedSince, begunSince, unix(now), unix(now), person).
		Scan(&added, &f.LinkKind, &until, &closed, &f.SwitchedOff, &f.Sessions, &f.Browsers)
	if errors.Is(err, sql.ErrNoRows) {
		return f, ErrNotFound
	}
	if err != nil {
		return f, fmt.Errorf("reading a person: %w", err)
	}
	f.AddedAt, f.LinkUntil, f.ClosedAt = instant(added), instant(until), instant(closed)
	return f, nil
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
