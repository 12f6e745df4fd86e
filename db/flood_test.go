package db_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestStrangersStopNobodyKnown has sixty strangers sign in with made-up names from as
// many networks, over and over, with the product's own hashes. Meanwhile whoever has
// shown something that strangers do not have comes through, at once.
func TestStrangersStopNobodyKnown(t *testing.T) {
	if testing.Short() {
		t.Skip("sixty strangers, each with a slow hash")
	}
	store := dbtest.OpenRecommended(t, t.TempDir())
	root := dbtest.Add(t, store, "root@example.org", twofactor.SuperAdmin)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	dbtest.Add(t, store, "bob@example.org", twofactor.Member)
	dbtest.Add(t, store, "eve@example.org", twofactor.Member)

	// A known browser; a pending enrolment; invitations; challenges of a known and of an
	// unknown browser.
	p, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", clientAt(0), start)
	if err != nil {
		t.Fatal(err)
	}
	ada := db.Client{Address: clientAt(0).Address, Known: p.Browser}
	bob := signIn(t, store, "bob@example.org", start)
	pending, err := store.EnableTwoFactor(ctx, bob, start)
	if err != nil {
		t.Fatal(err)
	}
	var links []string
	for i := range 4 {
		n := db.NewPerson{Name: "Neo", Email: fmt.Sprintf("neo%d@example.org", i), Role: twofactor.Member}
		_, token, err := store.Invite(ctx, n, db.Machine("test").Author(), start)
		if err != nil {
			t.Fatal(err)
		}
		links = append(links, token)
	}
	eve := enrol(t, store, "eve@example.org", start)
	rootSession := signIn(t, store, "root@example.org", start)
	_ = root
	unknown := challengedFrom(t, store, "eve@example.org", clientAt(1), start)

	var strangers, acts sync.WaitGroup
	var over atomic.Bool
	var refused atomic.Int64
	flooded := make(chan struct{})
	var once sync.Once
	for i := range 60 {
		strangers.Go(func() {
			for n := 0; !over.Load(); n++ {
				// Each from another network, so that no bucket fills up.
				c := db.Client{Address: fmt.Sprintf("2001:db8:%x:%x::1", i, n)}
				_, err := store.SignIn(ctx, fmt.Sprintf("p%d-%d@example.org", i, n), "wrong horse", "", c, start)
				if errors.Is(err, db.ErrBusy) {
					refused.Add(1)
					once.Do(func() { close(flooded) })
				}
			}
		})
	}
	<-flooded // the strangers' queue is full
	act := func(what string, do func() error) {
		acts.Go(func() {
			if err := do(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
	for range 12 {
		act("a known browser signs in", func() error {
			_, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", ada, start)
			return err
		})
	}
	act("an enrolment is confirmed", func() error {
		_, _, err := store.ConfirmTwoFactor(ctx, bob, dbtest.Code(t, pending.Secret.Base32(), start), db.Client{},
			start)
		return err
	})
	for i, token := range links {
		act("an invitation is taken up", func() error {
			_, err := store.UseLink(ctx, token, "Neo", "lantern sofa marble", clientAt(100+i), start)
			return err
		})
	}
	act("a recovery code is redeemed", func() error {
		_, _, err := store.RedeemRecoveryCode(ctx, unknown, eve.codes[0].Text(), clientAt(1), start)
		return err
	})
	act("a password is changed", func() error {
		_, err := store.ChangePassword(ctx, rootSession, dbtest.Password, "lantern sofa marble", db.Client{}, start)
		return err
	})
	acts.Wait()
	over.Store(true)
	strangers.Wait()
	if refused.Load() == 0 {
		t.Error("the flood filled no queue")
	}
}

// TestOfficeSignsInFromOneAddress has forty people of one address sign in for the
// first time and twelve take up an invitation, one after the other, with strangers'
// wrong passwords in between.
func TestOfficeSignsInFromOneAddress(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	office := db.Client{Address: "198.51.100.7"}
	for i := range 15 {
		_ = guessPassword(store, fmt.Sprintf("nobody%d@example.org", i), office, start)
	}
	for i := range 40 {
		email := fmt.Sprintf("p%d@example.org", i)
		dbtest.Add(t, store, email, twofactor.Member)
		if i%2 == 0 {
			enrol(t, store, email, start)
		}
		if _, err := store.SignIn(ctx, email, dbtest.Password, "", office, start.Add(time.Second)); err != nil {
			t.Fatalf("person %d: %v", i+1, err)
		}
	}
	for i := range 12 {
		n := db.NewPerson{Name: "Neo", Email: fmt.Sprintf("neo%d@example.org", i), Role: twofactor.Member}
		_, token, err := store.Invite(ctx, n, db.Machine("test").Author(), start)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.UseLink(ctx, token, "Neo", "short", office, start); !db.IsRefusal(err) {
			t.Fatal(err)
		}
		if _, err := store.UseLink(ctx, token, "Neo", "lantern sofa marble", office, start); err != nil {
			t.Fatalf("invitation %d: %v", i+1, err)
		}
		if _, err := store.SignIn(ctx, n.Email, "lantern sofa marble", "", office, start); err != nil {
			t.Fatalf("invitation %d, the sign-in: %v", i+1, err)
		}
	}
	// What was answered wrongly still counts: five places were left.
	for i := range 5 {
		if err := guessPassword(store, fmt.Sprintf("other%d@example.org", i), office, start); !errors.Is(err,
			twofactor.ErrWrongPassword) {
			t.Fatalf("guess %d: %v", i+1, err)
		}
	}
	waitUntil(t, guessPassword(store, "more@example.org", office, start))
	waitUntil(t, func() error {
		_, err := store.UseLink(ctx, "no such link", "Neo", "lantern sofa marble", office, start)
		return err
	}())
}

// TestLinksThatDoNotExistCount counts posts of made-up links of every kind.
func TestLinksThatDoNotExistCount(t *testing.T) {
	t.Parallel()
	for name, post := range map[string]func(*db.Store, string) error{
		"one-time links": func(store *db.Store, token string) error {
			_, err := store.UseLink(ctx, token, "Neo", "lantern sofa marble", clientAt(0), start)
			return err
		},
		"the set-up link": func(store *db.Store, token string) error {
			n := db.NewPerson{Name: "Neo", Email: "neo@example.org", Password: "lantern sofa marble"}
			_, err := store.SetUp(ctx, token, "Acme", n, clientAt(0), start)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := dbtest.Open(t)
			before := store.SlowHashes()
			for i := range 20 {
				if err := post(store, fmt.Sprint("made up ", i)); !errors.Is(err, db.ErrNotFound) {
					t.Fatalf("post %d: %v", i+1, err)
				}
			}
			waitUntil(t, post(store, "made up"))
			if store.SlowHashes() != before {
				t.Error("a link that does not exist costs a slow hash")
			}
		})
	}
}
