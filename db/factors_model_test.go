package db_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/passkeys"
	"gatehouse/passkeys/passkeystest"
	"gatehouse/twofactor"
)

// factorsModel is what somebody has, as a child would keep it.
type factorsModel struct {
	app    bool
	keys   map[string][]string // handles by the domain that they were made for
	domain string
}

func (m factorsModel) all() (n int) {
	for _, list := range m.keys {
		n += len(list)
	}
	return n
}

func (m factorsModel) any() bool   { return m.app || m.all() > 0 }
func (m factorsModel) works() bool { return m.app || len(m.keys[m.domain]) > 0 }

// TestRandomMovesOfFactors does at random all that can be done with factors, and asks after
// each move: with a factor the password alone opens no session; recovery codes are there as
// long as a factor is, and no longer; the policy stops exactly those without one that works.
func TestRandomMovesOfFactors(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			moveFactors(t, rand.New(rand.NewPCG(seed, 17)))
		})
	}
}

func moveFactors(t *testing.T, r *rand.Rand) {
	store := dbtest.Open(t)
	id := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	machine := db.Machine("root").Author()
	if err := store.SetPolicy(ctx, twofactor.Policy{Everyone: true}, machine, start); err != nil {
		t.Fatal(err)
	}
	m := factorsModel{keys: map[string][]string{}}
	now := start
	var v db.Visitor
	goOn := func(session string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		v = visitor(t, store, session, now)
	}
	move := func(domain string) {
		t.Helper()
		if _, err := store.SetPasskeyDomain(ctx, domain); err != nil {
			t.Fatal(err)
		}
		m.domain = domain
	}
	here := func() (passkeys.Party, passkeystest.Page) {
		origin := "https://" + m.domain
		return passkeys.Party{ID: m.domain, Name: "Acme", Origins: []string{origin}}, passkeystest.Page{Origin: origin}
	}
	move("one.example.org")
	v = signIn(t, store, "ada@example.org", now)
	for range 40 {
		now = now.Add(time.Minute)
		what := []string{"enable", "add", "add", "remove", "remove app", "disable", "reset", "move"}[r.IntN(8)]
		switch what {
		case "enable":
			if m.app {
				continue
			}
			v, m.app = enableApp(t, store, v, now), true
		case "add":
			p, site := here()
			c, err := store.BeginPasskey(ctx, v, p, now)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := passkeystest.New().Create(c.Options, site)
			if err != nil {
				t.Fatal(err)
			}
			added, err := store.AddPasskey(ctx, v, p, answer.JSON(), "", db.Client{}, now)
			goOn(added.Session, err)
			if (len(added.Codes) > 0) == m.any() {
				t.Fatalf("%d codes with the new passkey, of somebody with %+v", len(added.Codes), m)
			}
			list, err := store.Passkeys(ctx, v)
			if err != nil {
				t.Fatal(err)
			}
			m.keys = map[string][]string{}
			for _, k := range list {
				m.keys[k.RPID] = append(m.keys[k.RPID], k.Handle)
			}
		case "remove":
			for domain, list := range m.keys {
				if len(list) == 0 {
					continue
				}
				rotated, err := store.RemovePasskey(ctx, v, list[0], db.Client{}, now)
				if !m.app && m.all() == 1 {
					if !errors.Is(err, twofactor.ErrLastFactor) {
						t.Fatalf("the last factor: %v", err)
					}
					break
				}
				goOn(rotated.Session, err)
				m.keys[domain] = list[1:]
				break
			}
		case "remove app":
			if !m.app || m.all() == 0 {
				continue
			}
			rotated, err := store.RemoveAuthenticatorApp(ctx, v, dbtest.Password, db.Client{}, now)
			goOn(rotated.Session, err)
			m.app = false
		case "disable":
			if !m.any() {
				continue
			}
			_, rotated, err := store.DisableTwoFactor(ctx, v, dbtest.Password, db.Client{}, now)
			goOn(rotated.Session, err)
			m.app, m.keys = false, map[string][]string{}
		case "reset":
			if !m.any() {
				continue
			}
			if err := store.ResetTwoFactor(ctx, id, machine, now); err != nil {
				t.Fatal(err)
			}
			m.app, m.keys = false, map[string][]string{}
			v = signIn(t, store, "ada@example.org", now)
		case "move":
			move([]string{"one.example.org", "two.example.org"}[r.IntN(2)])
		}
		result, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", db.Client{Address: "192.0.2.1"}, now)
		if err != nil || (result.Session == "") != m.any() || (result.Challenge != "") != m.any() {
			t.Fatalf("after %s the password opens %+v, %v; they have %+v", what, result, err, m)
		}
		if sheets := count(t, store, `SELECT count(*) FROM recovery_sheet`); (sheets == 1) != m.any() {
			t.Fatalf("after %s there are %d sheets; they have %+v", what, sheets, m)
		}
		if result.Session != "" {
			if fresh := visitor(t, store, result.Session, now); fresh.MustEnroll != !m.works() {
				t.Fatalf("after %s the policy stops them: %t; they have %+v", what, fresh.MustEnroll, m)
			}
		}
		enrolled := count(t, store, `SELECT count(*) FROM person WHERE enrolled_here = TRUE`)
		if (enrolled == 1) != m.works() {
			t.Fatalf("after %s %d have a factor that works; they have %+v", what, enrolled, m)
		}
	}
}
