package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// A Person is an account.
type Person struct {
	ID     int64
	Email  string
	Name   string
	Role   twofactor.Role
	Active bool

	Invited      bool      // has not chosen a password yet
	LastSignInAt time.Time // zero for never
	ConfirmedAt  time.Time // of the factor; zero while it is not Enabled
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
	return NewPerson{
		Name:  name,
		Email: email,
		Role:  n.Role,
	}, password, errors.Join(nameErr, emailErr, passwordErr, roleErr)
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
	err = t.row(`INSERT INTO person (email, name, sort_key, role, password_hash, made_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (email) DO NOTHING RETURNING id`,
		n.Email, n.Name, account.SortKey(n.Name), string(n.Role), hash, unix(now)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, account.FieldError{Field: "email", Reason: account.Taken}
	}
	if err != nil {
		return 0, fmt.Errorf("adding a person: %w", err)
	}
	if err := t.addWords(id, n.Name, n.Email); err != nil {
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

const personColumns = `p.id, p.email, p.name, p.role, p.active, p.password_hash = '', p.last_sign_in_at, e.confirmed_at,
	(SELECT count(*) FROM recovery_code c WHERE c.enrollment_id = e.id AND c.used_at IS NULL)
	FROM person p LEFT JOIN enrollment e ON e.person_id = p.id AND e.state = 'enabled'`

func scanPerson(scan func(...any) error) (Person, error) {
	var p Person
	var last, confirmed sql.NullInt64
	err := scan(&p.ID, &p.Email, &p.Name, &p.Role, &p.Active, &p.Invited, &last, &confirmed, &p.CodesLeft)
	if errors.Is(err, sql.ErrNoRows) {
		return p, ErrNotFound
	}
	if err != nil {
		return p, fmt.Errorf("reading a person: %w", err)
	}
	p.LastSignInAt, p.ConfirmedAt = instant(last), instant(confirmed)
	return p, nil
}

// PersonByEmail finds somebody by sign-in name, or returns ErrNotFound. Somebody whose
// address could not be brought to today's form in an upgrade is found by the form of
// before.
func (s *Store) PersonByEmail(ctx context.Context, given string) (Person, error) {
	const query = `SELECT ` + personColumns + ` WHERE p.email = ? AND p.removed_at IS NULL`
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
	return s.eachPerson(ctx, do, `SELECT `+personColumns+` WHERE p.removed_at IS NULL ORDER BY p.sort_key, p.id`)
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

// requireSuperAdmin undoes a change to an active Super-administrator after which
// nobody could make an admin. Those who have not chosen a password yet cannot.
func (t *tx) requireSuperAdmin(before Person) error {
	if before.Role != twofactor.SuperAdmin || !before.Active {
		return nil
	}
	var left bool
	err := t.row(`SELECT EXISTS (SELECT 1 FROM person
		WHERE role <> 'member' AND role = 'super-administrator' AND active = 1 AND password_hash <> '')`).Scan(&left)
	if err == nil && !left {
		return account.ErrLastSuperAdmin
	}
	return err
}

// ChangePassword sets the visitor's own password when the current one is right, rotates
// the session's id and ends all others. It refuses with FieldErrors of current_password
// and new_password, or with Wait.
func (s *Store) ChangePassword(ctx context.Context, v Visitor, current, next string, c Client,
	now time.Time) (RotatedSession, error) {
	password, err := account.NewPassword("new_password", next, v.Person.Name, v.Person.Email, v.Workspace.Name)
	if err != nil {
		return RotatedSession{}, err
	}
	before, err := s.checkPassword(ctx, v, current, c, now)
	if errors.Is(err, twofactor.ErrWrongPassword) {
		return RotatedSession{}, account.FieldError{Field: "current_password", Reason: account.Wrong}
	}
	if err != nil {
		return RotatedSession{}, err
	}
	hash, err := s.hashPassword(ctx, personCaller(v.Person.ID), password)
	if err != nil {
		return RotatedSession{}, err
	}
	var out RotatedSession
	err = s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireUnchangedPassword(v.Person.ID, before); err != nil {
			return err
		}
		if err := t.requireSession(v); err != nil {
			return err
		}
		if err := t.execOne(`UPDATE person SET password_hash = ?, password_changed_at = ? WHERE id = ?`,
			hash, unix(now), v.Person.ID); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE session SET authenticated_at = ? WHERE id_hash = ?`, unix(now),
			v.session); err != nil {
			return err
		}
		if err := t.endLinks(v.Person.ID); err != nil {
			return err
		}
		if out.Session, err = t.rotateSession(v); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.PasswordChanged,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			method:  account.ByPassword,
		})
		return err
	})
	return out, err
}

// PasswordChangedAt is when the visitor last changed the password; zero for never.
func (s *Store) PasswordChangedAt(ctx context.Context, v Visitor) (time.Time, error) {
	var at sql.NullInt64
	if err := s.row(ctx, `SELECT password_changed_at FROM person WHERE id = ?`, v.Person.ID).Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("reading a person: %w", err)
	}
	return instant(at), nil
}
