package db_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// wrongPasswords gives wrong passwords from unknown browsers, each after its wait, and
// the instant of the last.
func wrongPasswords(t *testing.T, store *db.Store, email string, n int) time.Time {
	t.Helper()
	at := start
	for i := range n {
		if i >= 10 {
			at = at.Add(15 * time.Minute)
		}
		if err := guessPassword(store, email, clientAt(i), at); !errors.Is(err, twofactor.ErrWrongPassword) {
			t.Fatalf("guess %d: %v", i+1, err)
		}
	}
	return at
}

// TestRightPasswordCostsNoWait gives right passwords after so many wrong ones that the
// next has a long wait: whatever comes of the challenge, the wait is that of the last
// wrong one.
func TestRightPasswordCostsNoWait(t *testing.T) {
	t.Parallel()
	cancelled := func(t *testing.T, store *db.Store, at time.Time) {
		p, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", clientAt(50), at)
		if err != nil || p.Challenge == "" {
			t.Fatal(p, err)
		}
		if err := store.CancelChallenge(ctx, p.Challenge); err != nil {
			t.Fatal(err)
		}
	}
	for name, act := range map[string]func(t *testing.T, store *db.Store, at time.Time){
		"its challenge was cancelled": cancelled,
		"many challenges were cancelled at one instant": func(t *testing.T, store *db.Store, at time.Time) {
			for range 12 {
				cancelled(t, store, at)
			}
		},
		"too many hashes were being computed": func(t *testing.T, store *db.Store, at time.Time) {
			empty := store.FillHashLimiter()
			defer empty()
			if _, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", clientAt(51), at); !errors.Is(err,
				db.ErrBusy) {
				t.Fatalf("got %v; want ErrBusy", err)
			}
		},
		"the client hung up while it waited": func(t *testing.T, store *db.Store, at time.Time) {
			empty := store.FillHashLimiter()
			defer empty()
			gone, hangUp := context.WithCancel(ctx)
			client := clientAt(52)
			client.Session = signInFrom(t, store, empty, at)
			empty = store.FillHashLimiter()
			done := make(chan error)
			go func() {
				_, err := store.SignIn(gone, "ada@example.org", dbtest.Password, "", client, at)
				done <- err
			}()
			hangUp()
			if err := <-done; err == nil {
				t.Fatal("who hung up is signed in")
			}
			empty()
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := dbtest.Open(t)
			dbtest.Add(t, store, "ada@example.org", twofactor.Member)
			dbtest.Add(t, store, "bob@example.org", twofactor.Member)
			enrol(t, store, "ada@example.org", start)
			last := wrongPasswords(t, store, "ada@example.org", 20)
			at := last.Add(15 * time.Minute)
			act(t, store, at)
			// Still nobody has to wait: the last wrong answer is a quarter of an hour ago.
			cancelled(t, store, at)
			if err := guessPassword(store, "ada@example.org", clientAt(60), at); !errors.Is(err, twofactor.ErrWrongPassword) {
				t.Fatalf("a wrong password: %v", err)
			}
			if got := waitUntil(t, guessPassword(store, "ada@example.org", clientAt(61), at)); !got.Equal(at.Add(15 * time.Minute)) {
				t.Errorf("after a wrong one: wait until %v", got)
			}
		})
	}
}

// signInFrom returns the session of somebody who signs in while the limiter is empty.
func signInFrom(t *testing.T, store *db.Store, empty func(), at time.Time) string {
	t.Helper()
	empty()
	p, err := store.SignIn(ctx, "bob@example.org", dbtest.Password, "", clientAt(53), at)
	if err != nil {
		t.Fatal(err)
	}
	return p.Session
}

// TestRightPasswordsAtOnceLeaveNoCount posts sixty-four right passwords at once, from
// unknown browsers of one network: afterwards neither the person nor the network has
// anything against it.
func TestRightPasswordsAtOnceLeaveNoCount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	enrol(t, store, "ada@example.org", start)
	if err := guessPassword(store, "ada@example.org", clientAt(1), start); !errors.Is(err, twofactor.ErrWrongPassword) {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 64 {
		wait.Go(func() {
			_, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", db.Client{Address: "192.0.2.1"},
				start.Add(time.Hour))
			if err != nil && !errors.Is(err, db.ErrBusy) && !errors.As(err, new(twofactor.Wait)) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	file := openFile(t, filepath.Join(dir, db.FileName))
	var n, open, lastAt int64
	if err := file.QueryRowContext(ctx, `SELECT n, open, last_at FROM attempt WHERE kind = 'password'`).
		Scan(&n, &open, &lastAt); err != nil {
		t.Fatal(err)
	}
	if n != 1 || open != 0 || lastAt != start.Unix() {
		t.Errorf("the count is %d (%d open) at %d; want the one wrong password at %d", n, open, lastAt, start.Unix())
	}
	var buckets int
	if err := file.QueryRowContext(ctx, `SELECT count(*) FROM address_attempt WHERE address = '192.0.2.1'`).
		Scan(&buckets); err != nil {
		t.Fatal(err)
	}
	if buckets != 0 {
		t.Error("the network has something against it")
	}
}

// TestInterruptedAttemptsCount leaves attempts open, as kill -9 does between the
// count and the answer: they count as wrong, and no right password moves their time.
func TestInterruptedAttemptsCount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	enrol(t, store, "ada@example.org", start)
	_ = ada
	file := openFile(t, filepath.Join(dir, db.FileName))
	if _, err := file.ExecContext(ctx, `INSERT INTO attempt (kind, subject, n, last_at, open, open_at)
		VALUES ('password', '1', 15, $1, 5, $2)`,
		start.Unix(), start.Unix()); err != nil {
		t.Fatal(err)
	}
	if got := waitUntil(t, guessPassword(store, "ada@example.org", clientAt(0),
		start.Add(time.Minute))); !got.Equal(start.Add(15 * time.Minute)) {
		t.Errorf("wait until %v", got)
	}
	at := start.Add(15 * time.Minute)
	for range 3 {
		if _, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", clientAt(1), at); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKnownBrowserLeavesOtherCounts lets guessers spend their free tries: the
// owner's sign-in from a known browser gives them no new ones.
func TestKnownBrowserLeavesOtherCounts(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	ada := enrol(t, store, "ada@example.org", start)
	at := start.Add(time.Hour)
	full := func(c db.Client) db.Client {
		t.Helper()
		at = at.Add(30 * time.Second)
		p, err := store.VerifyCode(ctx, challengedFrom(t, store, "ada@example.org", c, at),
			dbtest.Code(t, ada.secret, at), c, at)
		if err != nil {
			t.Fatal(err)
		}
		c.Known = p.Browser
		return c
	}
	known := full(clientAt(0))
	for i := range 11 {
		_ = guessPassword(store, "ada@example.org", clientAt(1+i), at)
	}
	for i := range 4 {
		if err := guessCode(t, store, "ada@example.org", known, at); !errors.As(err, new(twofactor.WrongCode)) {
			t.Fatal(i, err)
		}
	}
	full(known)
	waitUntil(t, guessPassword(store, "ada@example.org", clientAt(20), at.Add(-30*time.Second)))

	// From an unknown browser the owner's complete sign-in clears them.
	at = at.Add(time.Hour)
	full(clientAt(30))
	for i := range 10 {
		if err := guessPassword(store, "ada@example.org", clientAt(40+i), at); !errors.Is(err, twofactor.ErrWrongPassword) {
			t.Fatalf("guess %d: %v", i+1, err)
		}
	}
}

// TestStrangersDoNotSlowSignedInPeople asks for the password within a session whose
// browser is not known (any more), while strangers wait.
func TestStrangersDoNotSlowSignedInPeople(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	ada := signIn(t, store, "ada@example.org", start)
	for i := range 11 {
		_ = guessPassword(store, "ada@example.org", clientAt(i), start)
	}
	if err := store.Reauthenticate(ctx, ada, dbtest.Password, db.Client{}, start); err != nil {
		t.Fatalf("the right password within the session: %v", err)
	}
	waitUntil(t, guessPassword(store, "ada@example.org", clientAt(20), start))
	for i := range 10 {
		if err := store.Reauthenticate(ctx, ada, "wrong horse", db.Client{}, start); !errors.Is(err,
			twofactor.ErrWrongPassword) {
			t.Fatalf("wrong password %d: %v", i+1, err)
		}
	}
	waitUntil(t, store.Reauthenticate(ctx, ada, dbtest.Password, db.Client{}, start))
}
