package db

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"gatehouse/account"
)

// newSub mints what connected apps know somebody by: random, and never changed.
func newSub() string { return newToken()[:26] }

// maxNumberedNames is up to which number names of one kind are tried.
const maxNumberedNames = 50

// freeUserName finds the first user name of an address that nobody has or had, and takes it.
// Where none can be made of the address, and where too many have one like it, it is random.
func freeUserName(email string, take func(name string) (taken bool, err error)) (string, error) {
	for n := 1; n <= maxNumberedNames; n++ {
		name := account.UserNameOf(email, n)
		if name == "" {
			continue
		}
		if ok, err := take(name); err != nil || ok {
			return name, err
		}
	}
	beginning := "user"
	if name := account.UserNameOf(email, 2); name != "" {
		beginning = strings.TrimSuffix(name, "-2")
	}
	for range 10 {
		name := beginning + "-" + strings.ToLower(rand.Text()[:6])
		if ok, err := take(name); err != nil || ok {
			return name, err
		}
	}
	return "", errors.New("no user name is free")
}

// giveUserName gives somebody a user name as typed, or for "" one that is made of their
// address. It refuses a name that somebody else has or had with a FieldError of user_name.
// One's own former name can be had again.
func (t *tx) giveUserName(person int64, typed, email string) error {
	name := ""
	var err error
	if typed == "" {
		name, err = freeUserName(email, func(name string) (bool, error) {
			n, err := t.exec(`INSERT INTO user_name (name, person_id) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`,
				name, person)
			return n == 1, err
		})
	} else {
		name, err = typed, t.takeUserName(person, typed)
	}
	if err != nil {
		return err
	}
	if err := t.execOne(`UPDATE person SET user_name = $1 WHERE id = $2`, name, person); err != nil {
		return fmt.Errorf("giving a user name: %w", err)
	}
	return nil
}

func (t *tx) takeUserName(person int64, name string) error {
	if _, err := t.exec(`INSERT INTO user_name (name, person_id) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`,
		name, person); err != nil {
		return fmt.Errorf("taking a user name: %w", err)
	}
	var owner int64
	if err := t.row(`SELECT person_id FROM user_name WHERE name = $1`, name).Scan(&owner); err != nil {
		return fmt.Errorf("looking for a user name: %w", err)
	}
	if owner != person {
		return account.FieldError{Field: "user_name", Reason: account.Taken}
	}
	return nil
}
