package db_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// nodes opens one workspace twice, as two processes do that serve it: nothing in memory is
// shared between them.
func nodes(t *testing.T) [2]*db.Store {
	t.Helper()
	dbtest.OnlyPostgres(t)
	dir := t.TempDir()
	return [2]*db.Store{dbtest.OpenIn(t, dir), dbtest.OpenIn(t, dir)}
}

// atOnce runs do 64 times on each of two nodes, all at once, and counts the errors by
// what they are.
func atOnce(nodes [2]*db.Store, do func(store *db.Store, i int) error, kinds ...error) map[error]int {
	var mu sync.Mutex
	got := map[error]int{}
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range 128 {
		wg.Go(func() {
			<-begin
			err := do(nodes[i%2], i)
			mu.Lock()
			defer mu.Unlock()
			for _, kind := range kinds {
				if errors.Is(err, kind) {
					got[kind]++
					return
				}
			}
			got[err]++
		})
	}
	close(begin)
	wg.Wait()
	return got
}

// TestNodesLookAtFiveCodesOfAChallenge posts 128 wrong codes to one challenge.
func TestNodesLookAtFiveCodesOfAChallenge(t *testing.T) {
	t.Parallel()
	on := nodes(t)
	dbtest.Add(t, on[0], "ada@example.org", twofactor.Member)
	enrol(t, on[0], "ada@example.org", start)
	now := start.Add(time.Hour)
	token := challenged(t, on[0], "ada@example.org", now)
	var lookedAt atomic.Int32
	got := atOnce(on, func(store *db.Store, i int) error {
		_, err := store.VerifyCode(ctx, token, "000000", clientAt(i), now)
		var wrong twofactor.WrongCode
		if errors.As(err, &wrong) {
			lookedAt.Add(1)
			return nil
		}
		return err
	}, twofactor.ErrChallengeOver)
	if lookedAt.Load() != 5 || got[twofactor.ErrChallengeOver] != 123 {
		t.Errorf("%d codes were looked at, %v; want 5, and 123 refused", lookedAt.Load(), got)
	}
}

// TestNodesCountRecoveryTriesTogether tries recovery codes over many challenges at once:
// those that are being looked at count as wrong on every node.
func TestNodesCountRecoveryTriesTogether(t *testing.T) {
	t.Parallel()
	on := nodes(t)
	dbtest.Add(t, on[0], "ada@example.org", twofactor.Member)
	enrol(t, on[0], "ada@example.org", start)
	now := start.Add(time.Hour)
	var tokens []string
	for i := range 10 {
		tokens = append(tokens, challengedFrom(t, on[0], "ada@example.org", clientAt(i), now))
	}
	before := on[0].SlowHashes() + on[1].SlowHashes()
	atOnce(on, func(store *db.Store, i int) error {
		_, _, err := store.RedeemRecoveryCode(ctx, tokens[i%len(tokens)], "0000-0000", clientAt(i), now)
		return err
	})
	if n := on[0].SlowHashes() + on[1].SlowHashes() - before; n > 10 {
		t.Errorf("%d recovery codes were looked at; want at most 10", n)
	}
}

// TestNodesCountAnAddressTogether guesses from one address at names that nobody has.
func TestNodesCountAnAddressTogether(t *testing.T) {
	t.Parallel()
	on := nodes(t)
	got := atOnce(on, func(store *db.Store, i int) error {
		_, err := store.SignIn(ctx, fmt.Sprintf("nobody%d@example.org", i), "wrong horse", "", db.Client{Address: "192.0.2.7"}, start)
		var wait twofactor.Wait
		if errors.As(err, &wait) {
			return nil
		}
		return err
	}, twofactor.ErrWrongPassword, db.ErrBusy)
	if got[twofactor.ErrWrongPassword] > 20 || got[twofactor.ErrWrongPassword]+got[db.ErrBusy] < 20 || got[nil] == 0 {
		t.Errorf("%v; want at most 20 that were looked at", got)
	}
}

// TestNodesCountAnUnknownNameTogether guesses at one name that nobody has, from as many addresses.
func TestNodesCountAnUnknownNameTogether(t *testing.T) {
	t.Parallel()
	on := nodes(t)
	got := atOnce(on, func(store *db.Store, i int) error {
		_, err := store.SignIn(ctx, "nobody@example.org", "wrong horse", "", clientAt(i), start)
		var wait twofactor.Wait
		if errors.As(err, &wait) {
			return nil
		}
		return err
	}, twofactor.ErrWrongPassword, db.ErrBusy)
	if got[twofactor.ErrWrongPassword] > 10 || got[nil] == 0 {
		t.Errorf("%v; want at most 10 that were looked at before a wait", got)
	}
}

// TestNodesTakeACodeOnce posts one right code, one recovery code and one link 128 times each.
func TestNodesTakeACodeOnce(t *testing.T) {
	t.Parallel()
	on := nodes(t)
	ada := dbtest.Add(t, on[0], "ada@example.org", twofactor.Member)
	secrets := enrol(t, on[0], "ada@example.org", start)
	now := start.Add(time.Hour)
	var tokens []string
	for i := range 10 {
		tokens = append(tokens, challengedFrom(t, on[0], "ada@example.org", clientAt(i), now))
	}
	won := func(what string, do func(store *db.Store, i int) error) {
		t.Helper()
		if got := atOnce(on, do); got[nil] != 1 {
			t.Errorf("%s was taken %d times", what, got[nil])
		}
	}
	code := dbtest.Code(t, secrets.secret, now)
	won("a code", func(store *db.Store, i int) error {
		_, err := store.VerifyCode(ctx, tokens[i%len(tokens)], code, clientAt(i), now)
		return err
	})
	now = now.Add(time.Hour)
	token := challenged(t, on[0], "ada@example.org", now)
	won("a recovery code", func(store *db.Store, i int) error {
		_, _, err := store.RedeemRecoveryCode(ctx, token, secrets.codes[0].Text(), clientAt(i), now)
		return err
	})
	link, err := on[0].NewLink(ctx, ada, db.Machine("root").Author(), now)
	if err != nil {
		t.Fatal(err)
	}
	won("a link", func(store *db.Store, i int) error {
		_, err := store.UseLink(ctx, link, "", dbtest.Password+"!", clientAt(i), now)
		return err
	})
}

// TestNodesKeepASuperAdministrator lets two demote each other, many times.
func TestNodesKeepASuperAdministrator(t *testing.T) {
	t.Parallel()
	on := nodes(t)
	machine := db.Machine("root").Author()
	ids := [2]int64{
		dbtest.Add(t, on[0], "ada@example.org", twofactor.SuperAdmin),
		dbtest.Add(t, on[0], "bob@example.org", twofactor.SuperAdmin),
	}
	for range 40 {
		var wg sync.WaitGroup
		begin := make(chan struct{})
		var refused atomic.Int32
		for i := range 2 {
			wg.Go(func() {
				<-begin
				if err := on[i].SetRole(ctx, ids[i], twofactor.Member, machine, start); errors.Is(err, account.ErrLastSuperAdmin) {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		close(begin)
		wg.Wait()
		if refused.Load() != 1 {
			t.Fatalf("%d of two were refused", refused.Load())
		}
		for _, id := range ids {
			if err := on[0].SetRole(ctx, id, twofactor.SuperAdmin, machine, start); err != nil {
				t.Fatal(err)
			}
		}
	}
}
