package db

import (
	"database/sql"
	"errors"
	"fmt"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// requireSuperAdmin undoes a change to an active Super-administrator after which
// nobody could make an admin. Those who have not chosen a password yet cannot.
func (t *tx) requireSuperAdmin(before Person) error {
	if before.Role != twofactor.SuperAdmin || !before.Active {
		return nil
	}
	var left bool
	err := t.row(`SELECT EXISTS (SELECT 1 FROM person
		WHERE role <> 'member' AND role = 'super-administrator' AND active = TRUE AND password_hash <> '')`).Scan(&left)
	if err == nil && !left {
		return account.ErrLastSuperAdmin
	}
	return err
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
	err := t.row(`SELECT email, name, role, active, password_hash = '', user_name FROM person
		WHERE id = $1 AND removed_at IS NULL`, person).
		Scan(&p.Email, &p.Name, &p.Role, &p.Active, &p.Invited, &p.UserName)
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
	if err := t.row(`SELECT role FROM person WHERE id = $1`, by.ID).Scan(&author.Role); err != nil {
		return author, fmt.Errorf("reading an author: %w", err)
	}
	return author, nil
}
