package db_test

import (
	"errors"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestClockSetBack signs in while the clock runs a year ahead, and then
// sets it right: nothing may last longer than its bound.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	ahead := start.Add(365 * 24 * time.Hour)

	t.Run("a session lasts a day from then on", func(t *testing.T) {
		store := dbtest.Open(t)
		dbtest.Add(t, store, "ada@example.org", twofactor.Member)
		p, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", db.Client{}, ahead)
		if err != nil {
			t.Fatal(err)
		}
		now := start
		for ; now.Before(start.Add(24 * time.Hour)); now = now.Add(50 * time.Minute) {
			v := visitor(t, store, p.Session, now)
			if err := store.Touch(ctx, v, now); err != nil {
				t.Fatal(err)
			}
		}
		if v := visitor(t, store, p.Session, start.Add(time.Hour)); v.AuthenticatedAt.After(start.Add(time.Hour)) {
			t.Errorf("the password was given %v", v.AuthenticatedAt)
		}
		if _, err := store.Visitor(ctx, p.Session, now); !errors.Is(err, db.ErrSignedOut) {
			t.Errorf("after a day: %v", err)
		}
	})
	t.Run("a challenge is over", func(t *testing.T) {
		store := dbtest.Open(t)
		dbtest.Add(t, store, "ada@example.org", twofactor.Member)
		ada := enrol(t, store, "ada@example.org", start)
		token := challenged(t, store, "ada@example.org", ahead)
		now := start.Add(time.Hour)
		if _, err := store.Challenge(ctx, token, now); !errors.Is(err, twofactor.ErrChallengeOver) {
			t.Errorf("its page: %v", err)
		}
		if _, err := store.VerifyCode(ctx, token, dbtest.Code(t, ada.secret, now), db.Client{}, now); !errors.Is(err,
			twofactor.ErrChallengeOver) {
			t.Errorf("a code: %v", err)
		}
	})
	t.Run("a link is over", func(t *testing.T) {
		store := dbtest.Open(t)
		machine := db.Machine("test").Author()
		_, token, err := store.Invite(ctx, db.NewPerson{
			Name:  "Bob",
			Email: "bob@example.org",
			Role:  twofactor.Member,
		}, machine, ahead)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Link(ctx, token, ahead); err != nil {
			t.Error(err)
		}
		if _, err := store.Link(ctx, token, start); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("got %v; want ErrNotFound", err)
		}
	})
	t.Run("a used code stays used, and a recovery code is the way in", func(t *testing.T) {
		store := dbtest.Open(t)
		dbtest.Add(t, store, "ada@example.org", twofactor.Member)
		ada := enrol(t, store, "ada@example.org", start)
		if _, err := store.VerifyCode(ctx, challenged(t, store, "ada@example.org", ahead),
			dbtest.Code(t, ada.secret, ahead), db.Client{}, ahead); err != nil {
			t.Fatal(err)
		}
		now := start.Add(time.Hour)
		token := challenged(t, store, "ada@example.org", now)
		for _, at := range []time.Time{now, ahead} {
			if _, err := store.VerifyCode(ctx, token, dbtest.Code(t, ada.secret, at), db.Client{}, now); !errors.As(err,
				new(twofactor.WrongCode)) {
				t.Errorf("the code of %v: %v", at, err)
			}
		}
		if _, _, err := store.RedeemRecoveryCode(ctx, token, ada.codes[0].Text(), db.Client{}, now); err != nil {
			t.Error(err)
		}
	})
	t.Run("nobody waits longer than a whole wait", func(t *testing.T) {
		store := dbtest.Open(t)
		dbtest.Add(t, store, "ada@example.org", twofactor.Member)
		for i := range 11 {
			_ = guessPassword(store, "ada@example.org", clientAt(i), ahead)
		}
		waitUntil(t, guessPassword(store, "ada@example.org", clientAt(20), start))
		if err := guessPassword(store, "ada@example.org", clientAt(21), start.Add(time.Second)); !errors.Is(err,
			twofactor.ErrWrongPassword) {
			t.Errorf("after the wait: %v", err)
		}
	})
}

func TestClockJumpsAhead(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	ada := enrol(t, store, "ada@example.org", start)
	token := challenged(t, store, "ada@example.org", start)
	ahead := start.Add(10 * 365 * 24 * time.Hour)
	if err := store.Sweep(ctx, ahead); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Visitor(ctx, ada.token, ahead); !errors.Is(err, db.ErrSignedOut) {
		t.Errorf("the session: %v", err)
	}
	if _, err := store.VerifyCode(ctx, token, dbtest.Code(t, ada.secret, ahead), db.Client{}, ahead); !errors.Is(err,
		twofactor.ErrChallengeOver) {
		t.Errorf("the challenge: %v", err)
	}
	if _, err := store.VerifyCode(ctx, challenged(t, store, "ada@example.org", ahead),
		dbtest.Code(t, ada.secret, ahead), db.Client{}, ahead); err != nil {
		t.Errorf("signing in anew: %v", err)
	}
}
