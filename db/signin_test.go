package db_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

var (
	ctx   = context.Background()
	start = dbtest.Start
)

// signIn returns the visitor that a right password opens.
func signIn(t *testing.T, store *db.Store, email string, now time.Time) db.Visitor {
	t.Helper()
	p, err := store.SignIn(ctx, email, dbtest.Password, "", db.Client{Address: "192.0.2.1"}, now)
	if err != nil {
		t.Fatal(err)
	}
	return visitor(t, store, p.Session, now)
}

func visitor(t *testing.T, store *db.Store, token string, now time.Time) db.Visitor {
	t.Helper()
	v, err := store.Visitor(ctx, token, now)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// enrolled is somebody whose factor is Enabled.
type enrolled struct {
	visitor db.Visitor
	secret  string
	codes   []twofactor.RecoveryCode
	token   string
}

// enrol signs somebody in and enables two-factor with the code of now.
func enrol(t *testing.T, store *db.Store, email string, now time.Time) enrolled {
	t.Helper()
	v := signIn(t, store, email, now)
	e, err := store.EnableTwoFactor(ctx, v, now)
	if err != nil {
		t.Fatal(err)
	}
	secret := e.Secret.Base32()
	_, rotated, err := store.ConfirmTwoFactor(ctx, v, dbtest.Code(t, secret, now), db.Client{}, now)
	if err != nil {
		t.Fatal(err)
	}
	return enrolled{visitor(t, store, rotated.Session, now), secret, rotated.Codes, rotated.Session}
}

// challenged returns the token of a challenge that the password opens.
func challenged(t *testing.T, store *db.Store, email string, now time.Time) string {
	t.Helper()
	p, err := store.SignIn(ctx, email, dbtest.Password, "", db.Client{Address: "192.0.2.1"}, now)
	if err != nil || p.Challenge == "" || p.Session != "" {
		t.Fatalf("the password opened %+v, %v; want a challenge alone", p, err)
	}
	return p.Challenge
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)

	t.Run("the address is found in any case and with spaces around it", func(t *testing.T) {
		p, err := store.SignIn(ctx, "  ADA@Example.org ", dbtest.Password, "/my/profile", db.Client{}, start)
		if err != nil || p.Session == "" || p.Challenge != "" || p.Next != "/my/profile" {
			t.Errorf("got %+v, %v", p, err)
		}
	})
	for name, in := range map[string][2]string{
		"a wrong password is refused":      {"ada@example.org", "something else"},
		"an unknown name is refused alike": {"bob@example.org", dbtest.Password},
		"an empty form is refused":         {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := store.SignIn(ctx, in[0], in[1], "", db.Client{}, start)
			if !errors.Is(err, twofactor.ErrWrongPassword) || p != (db.SignInResult{}) {
				t.Errorf("got %+v, %v; want ErrWrongPassword and nothing opened", p, err)
			}
		})
	}
}

func TestVerifyCode(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	ada := enrol(t, store, "ada@example.org", start)
	code := func(at time.Time) string { return dbtest.Code(t, ada.secret, at) }
	later := start.Add(time.Minute)

	t.Run("the confirming code does not sign in as well", func(t *testing.T) {
		_, err := store.VerifyCode(ctx, challenged(t, store, "ada@example.org", start), code(start), db.Client{}, start)
		if !errors.As(err, new(twofactor.WrongCode)) {
			t.Errorf("got %v; want WrongCode", err)
		}
	})
	t.Run("a code signs in once", func(t *testing.T) {
		p, err := store.VerifyCode(ctx, challenged(t, store, "ada@example.org", later), code(later), db.Client{}, later)
		if err != nil || p.Session == "" {
			t.Fatalf("got %+v, %v", p, err)
		}
		if _, err := store.VerifyCode(ctx, challenged(t, store, "ada@example.org", later), code(later), db.Client{},
			later); !errors.As(err, new(twofactor.WrongCode)) {
			t.Errorf("the second time got %v; want WrongCode", err)
		}
	})
	t.Run("a restart does not bring a used code back", func(t *testing.T) {
		dir := t.TempDir()
		first := dbtest.OpenIn(t, dir)
		dbtest.Add(t, first, "bob@example.org", twofactor.Member)
		bob := enrol(t, first, "bob@example.org", start)
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		again := dbtest.OpenIn(t, dir)
		_, err := again.VerifyCode(ctx, challenged(t, again, "bob@example.org", start),
			dbtest.Code(t, bob.secret, start), db.Client{}, start)
		if !errors.As(err, new(twofactor.WrongCode)) {
			t.Errorf("got %v; want WrongCode", err)
		}
	})
	t.Run("the fifth wrong code ends the challenge", func(t *testing.T) {
		token := challenged(t, store, "ada@example.org", later)
		known := db.Client{}
		for i := 1; i <= 5; i++ {
			_, err := store.VerifyCode(ctx, token, "000000", known, later.Add(time.Duration(i)*time.Hour/100))
			var wrong twofactor.WrongCode
			if !errors.As(err, &wrong) || wrong.Left != 5-i {
				t.Fatalf("wrong code %d: got %v; want %d left", i, err, 5-i)
			}
		}
		if _, err := store.VerifyCode(ctx, token, code(later.Add(time.Minute)), known,
			later.Add(time.Minute)); !errors.Is(err, twofactor.ErrChallengeOver) {
			t.Errorf("got %v; want ErrChallengeOver", err)
		}
	})
}

// TestCodesWorkOnce posts the same thing from 64 sides at once: exactly one may win.
func TestCodesWorkOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("sixty-four requests at a time, each with a slow hash")
	}
	race := func(t *testing.T, do func(i int) error) {
		t.Helper()
		var won atomic.Int32
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for i := range 64 {
			wg.Go(func() {
				<-begin
				if do(i) == nil {
					won.Add(1)
				}
			})
		}
		close(begin)
		wg.Wait()
		if n := won.Load(); n != 1 {
			t.Errorf("%d of 64 won; want exactly one", n)
		}
	}
	store := dbtest.OpenRecommended(t, t.TempDir()) // a slow hash stands between the two transactions
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	ada := enrol(t, store, "ada@example.org", start)
	now := start.Add(time.Hour)

	t.Run("one code over one challenge", func(t *testing.T) {
		token, code := challenged(t, store, "ada@example.org", now), dbtest.Code(t, ada.secret, now)
		race(t, func(int) error {
			_, err := store.VerifyCode(ctx, token, code, db.Client{}, now)
			return err
		})
	})
	t.Run("one code over many challenges", func(t *testing.T) {
		at := now.Add(time.Minute)
		code := dbtest.Code(t, ada.secret, at)
		var tokens [10]string
		for i := range tokens {
			tokens[i] = challenged(t, store, "ada@example.org", at)
		}
		race(t, func(i int) error {
			_, err := store.VerifyCode(ctx, tokens[i%len(tokens)], code, db.Client{}, at)
			return err
		})
	})
	t.Run("one recovery code", func(t *testing.T) {
		at := now.Add(2 * time.Hour)
		token := challenged(t, store, "ada@example.org", at)
		race(t, func(int) error {
			_, _, err := store.RedeemRecoveryCode(ctx, token, ada.codes[0].Text(), db.Client{}, at)
			return err
		})
	})
	t.Run("one confirmation", func(t *testing.T) {
		dbtest.Add(t, store, "bob@example.org", twofactor.Member)
		v := signIn(t, store, "bob@example.org", now)
		e, err := store.EnableTwoFactor(ctx, v, now)
		if err != nil {
			t.Fatal(err)
		}
		code := dbtest.Code(t, e.Secret.Base32(), now)
		race(t, func(int) error {
			_, _, err := store.ConfirmTwoFactor(ctx, v, code, db.Client{}, now)
			return err
		})
	})
	t.Run("one set-up link", func(t *testing.T) {
		fresh := dbtest.OpenRecommended(t, t.TempDir())
		token, err := fresh.NewSetupToken(ctx, now)
		if err != nil {
			t.Fatal(err)
		}
		race(t, func(int) error {
			_, err := fresh.SetUp(ctx, token, "Acme", db.NewPerson{
				Name:     "Ada",
				Email:    "ada@example.org",
				Password: dbtest.Password,
			}, db.Client{}, now)
			return err
		})
	})
}

func TestRedeemRecoveryCode(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	ada := enrol(t, store, "ada@example.org", start)
	redeem := func(text string, now time.Time) (db.SignInResult, error) {
		p, _, err := store.RedeemRecoveryCode(ctx, challenged(t, store, "ada@example.org", now), text, db.Client{}, now)
		return p, err
	}
	t.Run("each code signs in once and tells what is left", func(t *testing.T) {
		for i, code := range ada.codes[:3] {
			p, err := redeem(code.Text(), start)
			if err != nil || p.Session == "" || p.CodesLeft != 7-i {
				t.Fatalf("code %d: got %+v, %v; want a session and %d left", i+1, p, err, 7-i)
			}
			if _, err := redeem(code.Text(), start); !errors.Is(err, twofactor.ErrWrongRecovery) {
				t.Errorf("code %d the second time: got %v; want ErrWrongRecovery", i+1, err)
			}
		}
	})
	t.Run("a new sheet ends the old one", func(t *testing.T) {
		p, err := redeem(ada.codes[3].Text(), start)
		if err != nil {
			t.Fatal(err)
		}
		_, rotated, err := store.RegenerateRecoveryCodes(ctx, visitor(t, store, p.Session, start), db.Client{}, start)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := redeem(ada.codes[4].Text(), start); !errors.Is(err, twofactor.ErrWrongRecovery) {
			t.Errorf("a code of the old sheet: got %v; want ErrWrongRecovery", err)
		}
		if _, err := redeem(rotated.Codes[0].Text(), start); err != nil {
			t.Errorf("a code of the new sheet: %v", err)
		}
	})
}
