package db_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestLinksEndWhenOvertaken makes a password link, lets something prove or
// change the account, and then tries the link.
func TestLinksEndWhenOvertaken(t *testing.T) {
	t.Parallel()
	const email, next = "ada@example.org", "lantern sofa marble"
	root := db.Machine("root").Author()
	change := func(store *db.Store, id int64, do func(*db.NewPerson)) error {
		n := db.NewPerson{Name: "Person of " + email, Email: email, Role: twofactor.Member}
		do(&n)
		return store.ChangePerson(ctx, id, account.Seen{}, n, root, start)
	}
	for name, c := range map[string]struct {
		act   func(t *testing.T, store *db.Store, id int64, v db.Visitor) error
		stays bool
	}{
		"a new password on My profile": {act: func(_ *testing.T, store *db.Store, _ int64, v db.Visitor) error {
			_, err := store.ChangePassword(ctx, v, dbtest.Password, "another violet kettle", db.Client{}, start)
			return err
		}},
		"a new password on the machine": {act: func(_ *testing.T, store *db.Store, id int64, _ db.Visitor) error {
			return store.SetPassword(ctx, id, "another violet kettle", root, start)
		}},
		"another address": {act: func(_ *testing.T, store *db.Store, id int64, _ db.Visitor) error {
			return change(store, id, func(n *db.NewPerson) { n.Email = "ada.l@example.org" })
		}},
		"an admin's role": {act: func(_ *testing.T, store *db.Store, id int64, _ db.Visitor) error {
			return store.SetRole(ctx, id, twofactor.Administrator, root, start)
		}},
		"a role given and taken away": {act: func(_ *testing.T, store *db.Store, id int64, _ db.Visitor) error {
			return errors.Join(store.SetRole(ctx, id, twofactor.ITAdministrator, root, start),
				store.SetRole(ctx, id, twofactor.Member, root, start))
		}},
		"a deactivation": {act: func(_ *testing.T, store *db.Store, id int64, _ db.Visitor) error {
			return errors.Join(store.SetActive(ctx, id, false, root, start),
				store.SetActive(ctx, id, true, root, start))
		}},
		"a sign-in": {act: func(_ *testing.T, store *db.Store, _ int64, _ db.Visitor) error {
			_, err := store.SignIn(ctx, email, dbtest.Password, "", clientAt(1), start)
			return err
		}},
		"the password given again": {act: func(_ *testing.T, store *db.Store, _ int64, v db.Visitor) error {
			return store.Reauthenticate(ctx, v, dbtest.Password, db.Client{}, start)
		}},

		"a wrong password": {stays: true, act: func(_ *testing.T, store *db.Store, _ int64, _ db.Visitor) error {
			if err := guessPassword(store, email, clientAt(2), start); !errors.Is(err, twofactor.ErrWrongPassword) {
				return err
			}
			return nil
		}},
		"another name": {stays: true, act: func(_ *testing.T, store *db.Store, id int64, _ db.Visitor) error {
			return change(store, id, func(n *db.NewPerson) { n.Name = "Ada" })
		}},
		"all sessions ended": {stays: true, act: func(_ *testing.T, store *db.Store, id int64, _ db.Visitor) error {
			return store.EndSessionsOf(ctx, id, root, start)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			store := dbtest.Open(t)
			id := dbtest.Add(t, store, email, twofactor.Member)
			v := signIn(t, store, email, start)
			token, err := store.NewLink(ctx, id, root, start)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.act(t, store, id, v); err != nil {
				t.Fatal(err)
			}
			_, err = store.UseLink(ctx, token, "", next, clientAt(3), start)
			if c.stays && err != nil {
				t.Errorf("the link has ended: %v", err)
			}
			if !c.stays && !errors.Is(err, db.ErrNotFound) {
				t.Errorf("got %v; want ErrNotFound", err)
			}
		})
	}
	t.Run("a sign-in with its second step, but not its first step alone", func(t *testing.T) {
		store := dbtest.Open(t)
		id := dbtest.Add(t, store, email, twofactor.Member)
		ada := enrol(t, store, email, start)
		token, err := store.NewLink(ctx, id, root, start)
		if err != nil {
			t.Fatal(err)
		}
		at := start.Add(time.Minute)
		challenge := challenged(t, store, email, at)
		if _, err := store.Link(ctx, token, at); err != nil {
			t.Errorf("after the password alone: %v", err)
		}
		if _, err := store.VerifyCode(ctx, challenge, dbtest.Code(t, ada.secret, at), db.Client{}, at); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Link(ctx, token, at); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("after the second step: %v; want ErrNotFound", err)
		}
	})
	t.Run("an invitation with another address", func(t *testing.T) {
		store := dbtest.Open(t)
		id, token, err := store.Invite(ctx, db.NewPerson{
			Name:  "Neo",
			Email: email,
			Role:  twofactor.Member,
		}, root, start)
		if err != nil {
			t.Fatal(err)
		}
		if err := change(store, id, func(n *db.NewPerson) { n.Email = "neo@example.org" }); err != nil {
			t.Fatal(err)
		}
		if _, err := store.UseLink(ctx, token, "Neo", next, clientAt(3), start); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("got %v; want ErrNotFound", err)
		}
	})
}

// TestLinkAgainstChangeOfPassword takes a link up while its owner changes the
// password, again and again: whoever is second is refused.
func TestLinkAgainstChangeOfPassword(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	id := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	password := dbtest.Password
	for round := range 12 {
		p, err := store.SignIn(ctx, "ada@example.org", password, "", clientAt(round), start)
		if err != nil {
			t.Fatal(err)
		}
		v := visitor(t, store, p.Session, start)
		token, err := store.NewLink(ctx, id, db.Machine("root").Author(), start)
		if err != nil {
			t.Fatal(err)
		}
		mine, theirs := "my violet kettle harbour", "their violet kettle harbour"
		if round%2 == 1 {
			mine, theirs = "my lantern sofa marble", "their lantern sofa marble"
		}
		var linkErr, changeErr error
		var wait sync.WaitGroup
		wait.Go(func() { _, linkErr = store.UseLink(ctx, token, "", theirs, clientAt(round), start) })
		wait.Go(func() { _, changeErr = store.ChangePassword(ctx, v, password, mine, db.Client{}, start) })
		wait.Wait()
		if (linkErr == nil) == (changeErr == nil) {
			t.Fatalf("round %d: the link %v, the change %v; want one of them", round, linkErr, changeErr)
		}
		password = mine
		if linkErr == nil {
			password = theirs
		}
	}
}

// TestNewAdminsSignInAgain gives somebody an admin's role: what others may have
// got hold of before does not become an admin's.
func TestNewAdminsSignInAgain(t *testing.T) {
	t.Parallel()
	root := db.Machine("root").Author()
	for name, role := range map[string]func(store *db.Store, id int64) error{
		"on the machine": func(store *db.Store, id int64) error {
			return store.SetRole(ctx, id, twofactor.Administrator, root, start)
		},
		"on the person's page": func(store *db.Store, id int64) error {
			dbtest.Add(t, store, "root@example.org", twofactor.SuperAdmin)
			by := signIn(t, store, "root@example.org", start).Author(db.Client{})
			n := db.NewPerson{Name: "Ada", Email: "ada@example.org", Role: twofactor.ITAdministrator}
			return store.ChangePerson(ctx, id, account.Seen{}, n, by, start)
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := dbtest.Open(t)
			id := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
			ada := enrol(t, store, "ada@example.org", start)
			at := start.Add(time.Minute)
			p, err := store.VerifyCode(ctx, challenged(t, store, "ada@example.org", at), dbtest.Code(t, ada.secret, at),
				clientAt(1), at)
			if err != nil {
				t.Fatal(err)
			}
			challenge := challenged(t, store, "ada@example.org", at)
			if err := role(store, id); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Visitor(ctx, p.Session, at); !errors.Is(err, db.ErrSignedOut) {
				t.Errorf("the session: %v; want ErrSignedOut", err)
			}
			if _, err := store.Challenge(ctx, challenge, at); !errors.Is(err, twofactor.ErrChallengeOver) {
				t.Errorf("the challenge: %v; want ErrChallengeOver", err)
			}
			// Twenty wrong passwords from the browser are those of a stranger now.
			known := db.Client{Address: clientAt(1).Address, Known: p.Browser}
			for range 10 {
				_ = guessPassword(store, "ada@example.org", known, at)
			}
			waitUntil(t, guessPassword(store, "ada@example.org", clientAt(2), at))
		})
	}
}
