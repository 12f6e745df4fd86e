package db_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// clientAt is a client at an address of its own, so that the bucket of no address
// fills up.
func clientAt(i int) db.Client {
	return db.Client{Address: fmt.Sprintf("198.51.%d.%d", i/250, i%250)}
}

// guessPassword sends a wrong password.
func guessPassword(store *db.Store, email string, c db.Client, now time.Time) error {
	_, err := store.SignIn(ctx, email, "wrong horse", "", c, now)
	return err
}

// waitUntil returns the instant that a refusal makes people wait for.
func waitUntil(t *testing.T, err error) time.Time {
	t.Helper()
	var wait twofactor.Wait
	if !errors.As(err, &wait) {
		t.Fatalf("got %v; want Wait", err)
	}
	return wait.Until
}

func TestPasswordCounter(t *testing.T) {
	t.Parallel()
	for name, email := range map[string]string{"of a person": "ada@example.org",
		"of an unknown name": "nobody@example.org"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			store := dbtest.OpenIn(t, dir)
			dbtest.Add(t, store, "ada@example.org", twofactor.Member)
			for i := range 10 {
				if err := guessPassword(store, email, clientAt(i), start); !errors.Is(err, twofactor.ErrWrongPassword) {
					t.Fatalf("guess %d: %v", i+1, err)
				}
			}
			now := start
			for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
				err := guessPassword(store, email, clientAt(20+i), now)
				if got := waitUntil(t, err); !got.Equal(now.Add(want * time.Second)) {
					t.Fatalf("after %d guesses: wait until %v, want %v", 10+i, got, now.Add(want*time.Second))
				}
				if i == 3 { // the count outlasts the process
					if err := store.Close(); err != nil {
						t.Fatal(err)
					}
					store = dbtest.OpenIn(t, dir)
				}
				now = now.Add(want * time.Second)
				if err := guessPassword(store, email, clientAt(60+i), now); !errors.Is(err, twofactor.ErrWrongPassword) {
					t.Fatalf("after the wait: %v", err)
				}
			}
		})
	}
}

func TestStrangersCannotLockOutAKnownBrowser(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	p, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", clientAt(0), start)
	if err != nil {
		t.Fatal(err)
	}
	known := db.Client{Address: "192.0.2.1", Known: p.Browser}
	now := start
	for i := range 40 { // strangers, also behind the same address
		c := clientAt(i)
		if i%2 == 0 {
			c.Address = known.Address
		}
		_ = guessPassword(store, "ada@example.org", c, now)
		now = now.Add(15 * time.Minute)
	}
	for range 30 {
		_ = guessPassword(store, "eve@example.org", db.Client{Address: known.Address}, now)
	}
	_ = guessPassword(store, "ada@example.org", clientAt(98), now)
	waitUntil(t, guessPassword(store, "ada@example.org", clientAt(99), now.Add(time.Second)))
	if _, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", known, now.Add(time.Second)); err != nil {
		t.Errorf("the owner at a known browser: %v", err)
	}

	t.Run("nor crowd its challenge out, with the password in hand", func(t *testing.T) {
		at := now.Add(time.Hour)
		ada := enrol(t, store, "ada@example.org", at)
		at = at.Add(time.Minute)
		known := db.Client{Address: "192.0.2.1", Known: p.Browser}
		own, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", known, at)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			if _, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", clientAt(100+i),
				at.Add(time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := store.VerifyCode(ctx, own.Challenge, dbtest.Code(t, ada.secret, at), known,
			at.Add(2*time.Second)); err != nil {
			t.Errorf("the owner's challenge: %v", err)
		}
	})
}

func TestKnownBrowserHasItsOwnCount(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	p, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", clientAt(0), start)
	if err != nil {
		t.Fatal(err)
	}
	known := db.Client{Address: "192.0.2.1", Known: p.Browser}
	for range 10 {
		if err := guessPassword(store, "ada@example.org", known, start); !errors.Is(err, twofactor.ErrWrongPassword) {
			t.Fatal(err)
		}
	}
	waitUntil(t, guessPassword(store, "ada@example.org", known, start))
	if err := guessPassword(store, "ada@example.org", clientAt(1), start); !errors.Is(err, twofactor.ErrWrongPassword) {
		t.Errorf("a stranger meanwhile: %v", err)
	}
}

// guessCode gives one wrong code over a challenge of its own.
func guessCode(t *testing.T, store *db.Store, email string, c db.Client, now time.Time) error {
	t.Helper()
	_, err := store.VerifyCode(ctx, challengedFrom(t, store, email, c, now), "000000", c, now)
	return err
}

func challengedFrom(t *testing.T, store *db.Store, email string, c db.Client, now time.Time) string {
	t.Helper()
	p, err := store.SignIn(ctx, email, dbtest.Password, "", c, now)
	if err != nil || p.Challenge == "" {
		t.Fatalf("the password opened %+v, %v; want a challenge", p, err)
	}
	return p.Challenge
}

// codeWait is the table of the second step.
func codeWait(n int) time.Duration {
	switch {
	case n >= 40:
		return 30 * time.Minute
	case n >= 20:
		return 5 * time.Minute
	case n >= 10:
		return time.Minute
	case n >= 5:
		return 30 * time.Second
	}
	return 0
}

func TestCodeCounter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	ada := enrol(t, store, "ada@example.org", start)
	now := start.Add(time.Hour)
	var token string
	var opened time.Time
	guesses := 4
	challenge := func(n int) string { // one challenge lives for ten minutes and four wrong codes
		if guesses == 4 || now.Sub(opened) > 9*time.Minute {
			token, opened, guesses = challengedFrom(t, store, "ada@example.org", clientAt(n), now), now, 0
		}
		return token
	}
	for n := range 80 {
		if wait := codeWait(n); wait > 0 {
			right := dbtest.Code(t, ada.secret, now)
			if _, err := store.VerifyCode(ctx, challenge(n), right, clientAt(n), now); !waitUntil(t, err).Equal(now.Add(wait)) {
				t.Fatalf("after %d wrong codes: %v, want a wait of %v", n, err, wait)
			}
			if n == 20 { // the count outlasts the process
				if err := store.Close(); err != nil {
					t.Fatal(err)
				}
				store = dbtest.OpenIn(t, dir)
			}
			now = now.Add(wait)
		}
		if _, err := store.VerifyCode(ctx, challenge(n), "000000", clientAt(n), now); !errors.As(err,
			new(twofactor.WrongCode)) {
			t.Fatalf("wrong code %d: %v", n+1, err)
		}
		guesses++
	}
	now = now.Add(24 * time.Hour)
	if err := guessCode(t, store, "ada@example.org", clientAt(90), now); !errors.Is(err, twofactor.ErrClosed) {
		t.Fatalf("after 80 wrong codes: %v; want ErrClosed", err)
	}
	t.Run("a recovery code still signs in, and opens the codes again", func(t *testing.T) {
		token := challengedFrom(t, store, "ada@example.org", clientAt(91), now)
		if _, _, err := store.RedeemRecoveryCode(ctx, token, ada.codes[0].Text(), clientAt(91), now); err != nil {
			t.Fatal(err)
		}
		token = challengedFrom(t, store, "ada@example.org", clientAt(92), now)
		if _, err := store.VerifyCode(ctx, token, dbtest.Code(t, ada.secret, now), clientAt(92), now); err != nil {
			t.Error(err)
		}
	})
}

func TestRecoveryCounter(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	ada := enrol(t, store, "ada@example.org", start)
	now := start.Add(time.Hour)
	redeem := func(text string, i int, now time.Time) error {
		_, _, err := store.RedeemRecoveryCode(ctx, challengedFrom(t, store, "ada@example.org", clientAt(i), now), text,
			clientAt(i), now)
		return err
	}
	for i := range 5 {
		if err := redeem("0000-0000", i, now); !errors.Is(err, twofactor.ErrWrongRecovery) {
			t.Fatalf("wrong code %d: %v", i+1, err)
		}
	}
	before := store.SlowHashes()
	err := redeem(ada.codes[0].Text(), 6, now)
	if !waitUntil(t, err).Equal(now.Add(30 * time.Second)) {
		t.Errorf("the sixth: %v; want 30 seconds", err)
	}
	if n := store.SlowHashes() - before; n != 1 { // the password's
		t.Errorf("%d slow hashes; the recovery code was looked at while waiting", n)
	}
	if err := redeem(ada.codes[0].Text(), 7, now.Add(30*time.Second)); err != nil {
		t.Errorf("the code was burnt while waiting: %v", err)
	}
}

// TestKnownBrowsersShareALimit holds the sum to NIST's 100: 20 from all known
// browsers, and 80 from others.
func TestKnownBrowsersShareALimit(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	var known []db.Client
	for i := range 3 {
		p, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", clientAt(i), start)
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, db.Client{Address: clientAt(i).Address, Known: p.Browser})
	}
	ada := enrol(t, store, "ada@example.org", start)
	now := start.Add(time.Hour)
	for i := range 20 {
		if err := guessCode(t, store, "ada@example.org", known[i%3], now); !errors.As(err, new(twofactor.WrongCode)) {
			t.Fatalf("wrong code %d: %v", i+1, err)
		}
	}
	for i := range 5 { // from here on they count like strangers
		if err := guessCode(t, store, "ada@example.org", known[i%3], now); !errors.As(err, new(twofactor.WrongCode)) {
			t.Fatalf("wrong code %d: %v", 21+i, err)
		}
	}
	waitUntil(t, guessCode(t, store, "ada@example.org", known[0], now))
	now = now.Add(time.Minute)
	token := challengedFrom(t, store, "ada@example.org", known[0], now)
	if _, err := store.VerifyCode(ctx, token, dbtest.Code(t, ada.secret, now), known[0], now); err != nil {
		t.Fatal(err)
	}
	if err := guessCode(t, store, "ada@example.org", known[1], now.Add(time.Minute)); !errors.As(err,
		new(twofactor.WrongCode)) {
		t.Errorf("after a full sign-in the counts are clear, but: %v", err)
	}
}

func TestPlantedBrowserCookieIsNotAdopted(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	planted := "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" // as long as one of ours
	p, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", db.Client{Known: planted}, start)
	if err != nil || p.Browser == planted {
		t.Errorf("the browser is known by %q, %v", p.Browser, err)
	}
	again, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", db.Client{Known: p.Browser}, start)
	if err != nil || again.Browser != p.Browser {
		t.Errorf("the browser got another token, %v", err)
	}
}

func TestAddressBucket(t *testing.T) {
	t.Parallel()
	for name, addresses := range map[string][2]string{
		"an IPv4 address": {"192.0.2.1", "192.0.2.1"},
		"an IPv6 /64":     {"2001:db8::1", "2001:db8::ffff:2"},
	} {
		t.Run(name, func(t *testing.T) {
			store := dbtest.Open(t)
			fill := func(now time.Time) (n int, err error) {
				for ; ; n++ {
					err := guessPassword(store, fmt.Sprintf("p%d@example.org", n), db.Client{Address: addresses[n%2]}, now)
					if !errors.Is(err, twofactor.ErrWrongPassword) {
						return n, err
					}
				}
			}
			n, err := fill(start)
			if n != 20 || waitUntil(t, err).Sub(start) > 16*time.Second {
				t.Fatalf("%d at once, then %v", n, err)
			}
			if err := guessPassword(store, "other@example.org", clientAt(1), start); !errors.Is(err, twofactor.ErrWrongPassword) {
				t.Errorf("another address: %v", err)
			}
			if n, _ := fill(start.Add(10 * time.Minute)); n != 20 {
				t.Errorf("%d ten minutes later", n)
			}
		})
	}
	t.Run("a clock that was set back costs one interval", func(t *testing.T) {
		store := dbtest.Open(t)
		ahead := start.Add(9000 * time.Hour)
		for i := range 20 {
			_ = guessPassword(store, fmt.Sprintf("p%d@example.org", i), db.Client{Address: "192.0.2.1"}, ahead)
		}
		err := guessPassword(store, "p@example.org", db.Client{Address: "192.0.2.1"}, start)
		if at := waitUntil(t, err); at.Sub(start) > 16*time.Second {
			t.Errorf("wait until %v", at)
		}
		if err := guessPassword(store, "p@example.org", db.Client{Address: "192.0.2.1"},
			start.Add(16*time.Second)); !errors.Is(err, twofactor.ErrWrongPassword) {
			t.Errorf("after the interval: %v", err)
		}
	})
}

// TestUnknownNamesCostOneHash counts slow hashes: time would be another
// machine's on another day.
func TestUnknownNamesCostOneHash(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "root@example.org", twofactor.SuperAdmin)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	gone := dbtest.Add(t, store, "gone@example.org", twofactor.Member)
	if err := store.SetActive(ctx, gone, false, db.Machine("test").Author(), start); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Invite(ctx, db.NewPerson{
		Name:  "Bob",
		Email: "invited@example.org",
		Role:  twofactor.Member,
	}, db.Machine("test").Author(), start); err != nil {
		t.Fatal(err)
	}
	for i, email := range []string{"ada@example.org", "nobody@example.org", "gone@example.org", "invited@example.org",
		"", "no address at all"} {
		before := store.SlowHashes()
		if err := guessPassword(store, email, clientAt(i), start); !errors.Is(err, twofactor.ErrWrongPassword) {
			t.Errorf("%q: %v", email, err)
		}
		if n := store.SlowHashes() - before; n != 1 {
			t.Errorf("%q cost %d slow hashes; want one", email, n)
		}
	}
}

func TestBusyAttemptsAreRefunded(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	release := store.FillHashLimiter()
	for i := range 15 {
		if err := guessPassword(store, "ada@example.org", clientAt(i), start); !errors.Is(err, db.ErrBusy) {
			t.Fatalf("got %v; want ErrBusy", err)
		}
	}
	release()
	if _, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", clientAt(20), start); err != nil {
		t.Errorf("after the flood: %v", err)
	}
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	p, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", clientAt(0), start)
	if err != nil {
		t.Fatal(err)
	}
	clients := []db.Client{clientAt(1), {Known: p.Browser}}
	for _, c := range clients {
		for range 11 {
			err = guessPassword(store, "ada@example.org", c, start)
		}
		waitUntil(t, err)
	}
	if err := store.Unlock(ctx, ada, db.Machine("test").Author(), start); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		if err := guessPassword(store, "ada@example.org", c, start); !errors.Is(err, twofactor.ErrWrongPassword) {
			t.Errorf("after unlocking: %v", err)
		}
	}
}
