package db_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/db/dbtest/server"
	"gatehouse/twofactor"
)

// TestSealedRowsCannotBeMoved moves and promotes rows by hand, as somebody
// would who can write to the database and has no key.
func TestSealedRowsCannotBeMoved(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) (*db.Store, string) {
		dir := t.TempDir()
		store := dbtest.OpenIn(t, dir)
		dbtest.Add(t, store, "ada@example.org", twofactor.Member)
		dbtest.Add(t, store, "eve@example.org", twofactor.Member)
		return store, filepath.Join(dir, db.FileName)
	}
	do := func(t *testing.T, path string, statements ...string) {
		t.Helper()
		file := openFile(t, path)
		for _, s := range statements {
			if _, err := file.ExecContext(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	faulty := func(t *testing.T, p db.SignInResult, err error) {
		t.Helper()
		if err == nil || db.IsRefusal(err) || p != (db.SignInResult{}) {
			t.Errorf("got %+v, %v; want a fault", p, err)
		}
	}
	now := start.Add(time.Hour)

	t.Run("a secret moved to somebody else does not open", func(t *testing.T) {
		store, path := open(t)
		eve := enrol(t, store, "eve@example.org", start)
		do(t, path, `UPDATE enrollment SET person_id = 1`)
		p, err := store.VerifyCode(ctx, challenged(t, store, "ada@example.org", now), dbtest.Code(t, eve.secret, now),
			db.Client{}, now)
		faulty(t, p, err)
	})
	t.Run("a secret copied over somebody else's does not open", func(t *testing.T) {
		store, path := open(t)
		enrol(t, store, "ada@example.org", start)
		eve := enrol(t, store, "eve@example.org", start)
		do(t, path, `UPDATE enrollment SET secret = (SELECT secret FROM enrollment WHERE person_id = 2)
			WHERE person_id = 1`)
		p, err := store.VerifyCode(ctx, challenged(t, store, "ada@example.org", now), dbtest.Code(t, eve.secret, now),
			db.Client{}, now)
		faulty(t, p, err)
	})
	t.Run("a pending secret promoted by hand does not open", func(t *testing.T) {
		store, path := open(t)
		v := signIn(t, store, "ada@example.org", start)
		e, err := store.EnableTwoFactor(ctx, v, start)
		if err != nil {
			t.Fatal(err)
		}
		do(t, path, `UPDATE enrollment SET state = 'enabled', session_hash = NULL, expires_at = NULL, confirmed_at = 1`)
		p, err := store.VerifyCode(ctx, challenged(t, store, "ada@example.org", now),
			dbtest.Code(t, e.Secret.Base32(), now), db.Client{}, now)
		faulty(t, p, err)
	})
	t.Run("a secret that does not open is a fault and never not configured", func(t *testing.T) {
		store, path := open(t)
		enrol(t, store, "ada@example.org", start)
		do(t, path, `UPDATE enrollment SET secret = lookup_key FROM workspace`)
		if p, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", db.Client{}, now); err != nil ||
			p.Session != "" {
			t.Errorf("the password alone opened %+v, %v", p, err)
		}
		if _, err := store.Check(ctx); err == nil {
			t.Error("check finds nothing")
		}
	})
	t.Run("a recovery code moved to another sheet does not match", func(t *testing.T) {
		store, path := open(t)
		enrol(t, store, "ada@example.org", start)
		eve := enrol(t, store, "eve@example.org", start)
		do(t, path, `DELETE FROM recovery_code WHERE person_id = 1`,
			`UPDATE recovery_code SET person_id = 1`)
		_, _, err := store.RedeemRecoveryCode(ctx, challenged(t, store, "ada@example.org", now), eve.codes[0].Text(),
			db.Client{}, now)
		if !errors.Is(err, twofactor.ErrWrongRecovery) {
			t.Errorf("got %v; want ErrWrongRecovery", err)
		}
	})
}

// TestKeys tries to open a workspace with every wrong key: it is refused, and
// nothing is changed.
func TestKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(path string) error
		says  string
	}{
		"missing": {os.Remove, "is missing"},
		"another": {func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("k", 32)), 0o600) },
			"does not belong"},
		"cut short": {func(path string) error { return os.Truncate(path, 31) }, "has 31 bytes"},
		"a byte longer": {func(path string) error { return os.WriteFile(path, make([]byte, 33), 0o600) },
			"has 33 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := closedWorkspace(t)
			if err := c.spoil(filepath.Join(dir, db.KeyFileName)); err != nil {
				t.Fatal(err)
			}
			before := readDir(t, dir)
			if store, err := reopen(t, dir); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, %v; want %q", store, err, c.says)
			}
			after := readDir(t, dir)
			for _, file := range []string{db.FileName, db.KeyFileName} {
				if string(before[file]) != string(after[file]) {
					t.Errorf("%s was changed", file)
				}
			}
		})
	}
	t.Run("rotated, everything opens and the old key does not", func(t *testing.T) {
		dir, ada := closedWorkspace(t)
		old, err := os.ReadFile(filepath.Join(dir, db.KeyFileName))
		if err != nil {
			t.Fatal(err)
		}
		store := dbtest.OpenIn(t, dir)
		if _, err := store.MakeNextKey(); err != nil {
			t.Fatal(err)
		}
		if n, err := store.RotateKey(ctx, db.Machine("test"), start); n != 1 || err != nil {
			t.Fatalf("%d secrets, %v", n, err)
		}
		now := start.Add(time.Hour)
		if _, err := store.VerifyCode(ctx, challenged(t, store, "ada@example.org", now),
			dbtest.Code(t, ada.secret, now), db.Client{}, now); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		again := dbtest.OpenIn(t, dir)
		if _, _, err := again.RedeemRecoveryCode(ctx, challenged(t, again, "ada@example.org", now), ada.codes[0].Text(),
			db.Client{}, now); err != nil {
			t.Error(err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, db.KeyFileName), old, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := reopen(t, dir); err == nil {
			t.Error("the old key opens it")
		}
	})
}

// TestStolenDatabaseSignsNobodyIn puts everything that stands in the database
// to use as a cookie or a link.
func TestStolenDatabaseSignsNobodyIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	ada := enrol(t, store, "ada@example.org", start)
	challenged(t, store, "ada@example.org", start)
	if _, _, err := store.Invite(ctx, db.NewPerson{
		Name:  "Bob",
		Email: "bob@example.org",
		Role:  twofactor.Member,
	}, db.Machine("test").Author(), start); err != nil {
		t.Fatal(err)
	}
	file := openFile(t, filepath.Join(dir, db.FileName))
	rows, err := file.QueryContext(ctx, `SELECT id_hash FROM session UNION SELECT `+asBytes("handle")+`
		FROM session UNION SELECT id_hash FROM challenge
		UNION SELECT token_hash FROM known_browser UNION SELECT token_hash FROM link UNION SELECT secret
		FROM enrollment UNION SELECT hash FROM recovery_code
		UNION SELECT `+asBytes("password_hash")+` FROM person`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	n := 0
	for ; rows.Next(); n++ {
		var value []byte
		if err := rows.Scan(&value); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(value), ada.token) {
			t.Error("a token stands in the database as it is")
		}
		for _, spelled := range encodings(value) {
			if _, err := store.Visitor(ctx, spelled, start); !errors.Is(err, db.ErrSignedOut) {
				t.Errorf("as a session: %v", err)
			}
			if _, err := store.Challenge(ctx, spelled, start); !errors.Is(err, twofactor.ErrChallengeOver) {
				t.Errorf("as a challenge: %v", err)
			}
			if _, err := store.Link(ctx, spelled, start); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("as a link: %v", err)
			}
		}
	}
	if err := rows.Err(); err != nil || n < 12 {
		t.Errorf("%d values, %v", n, err)
	}
}

// encodings gives bytes as a cookie could carry them.
func encodings(value []byte) []string {
	return []string{string(value), base64.RawURLEncoding.EncodeToString(value), hex.EncodeToString(value)}
}

// TestChangesAreAtomic lets two changes meet that exclude each other: one of them is
// whole, and the other did not happen.
func TestChangesAreAtomic(t *testing.T) {
	t.Parallel()
	meet := func(firstChange, secondChange func() error) (first, second error) {
		begin := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { <-begin; first = firstChange() })
		wg.Go(func() { <-begin; second = secondChange() })
		close(begin)
		wg.Wait()
		return first, second
	}
	machine := db.Machine("test").Author()
	now := start.Add(time.Hour)
	for range 6 {
		store := dbtest.Open(t)
		id := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
		ada := enrol(t, store, "ada@example.org", start)

		// Regenerating against the use of an old code: if it signed in, it did so
		// before, and afterwards all eight new codes are there in either case.
		v := visitor(t, store, ada.token, start)
		token := challenged(t, store, "ada@example.org", start)
		var rotated db.RotatedSession
		made, redeemed := meet(func() (err error) {
			_, rotated, err = store.RegenerateRecoveryCodes(ctx, v, db.Client{}, start)
			return err
		}, func() error {
			_, _, err := store.RedeemRecoveryCode(ctx, token, ada.codes[0].Text(), db.Client{}, start)
			return err
		})
		if made != nil || redeemed != nil && !errors.Is(redeemed, twofactor.ErrWrongRecovery) &&
			!errors.Is(redeemed, twofactor.ErrChallengeOver) {
			t.Fatalf("regenerating %v, redeeming %v", made, redeemed)
		}
		if p, err := store.Person(ctx, id); err != nil || p.CodesLeft != 8 {
			t.Fatalf("%d codes left, %v", p.CodesLeft, err)
		}

		// Disabling against a sign-in: if a session was opened, it has ended.
		v = visitor(t, store, rotated.Session, start)
		token = challenged(t, store, "ada@example.org", now)
		var result db.SignInResult
		disabled, passed := meet(func() (err error) {
			_, rotated, err = store.DisableTwoFactor(ctx, v, dbtest.Password, db.Client{}, start)
			return err
		}, func() (err error) {
			result, err = store.VerifyCode(ctx, token, dbtest.Code(t, ada.secret, now), db.Client{}, now)
			return err
		})
		if disabled != nil || passed != nil && !errors.Is(passed, twofactor.ErrChallengeOver) {
			t.Fatalf("disabling %v, signing in %v", disabled, passed)
		}
		if passed == nil {
			if _, err := store.Visitor(ctx, result.Session, now); !errors.Is(err, db.ErrSignedOut) {
				t.Errorf("the session of the factor that is gone: %v", err)
			}
		}

		// A reset against a confirmation: enabled with eight codes, or not at all.
		v = visitor(t, store, rotated.Session, start)
		e, err := store.EnableTwoFactor(ctx, v, start)
		if err != nil {
			t.Fatal(err)
		}
		reset, confirmed := meet(func() error { return store.ResetTwoFactor(ctx, id, machine, start) }, func() error {
			_, _, err := store.ConfirmTwoFactor(ctx, v, dbtest.Code(t, e.Secret.Base32(), start), db.Client{}, start)
			return err
		})
		p, err := store.Person(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case confirmed != nil:
			t.Fatalf("confirming %v, resetting %v", confirmed, reset)
		case reset == nil && (p.State() != twofactor.NotConfigured || p.CodesLeft != 0),
			errors.Is(reset, twofactor.ErrNotEnabled) && (p.State() != twofactor.Enabled || p.CodesLeft != 8):
			t.Errorf("resetting gave %v, and then %v with %d codes", reset, p.State(), p.CodesLeft)
		}
	}
}

func TestSetupLinkEndsWithTheFirstPerson(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	token, err := store.NewSetupToken(ctx, start)
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Add(t, store, "ada@example.org", twofactor.Member) // on the machine, not by the link
	if err := store.CheckSetup(ctx, token); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("its page: %v", err)
	}
	_, err = store.SetUp(ctx, token, "Acme", db.NewPerson{
		Name:     "Eve",
		Email:    "eve@example.org",
		Password: dbtest.Password,
	}, db.Client{}, start)
	if !errors.Is(err, db.ErrNotFound) {
		t.Errorf("got %v; want ErrNotFound", err)
	}
}

func TestFilesAreReadableByTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dbtest.OpenIn(t, dir)
	names := []string{db.FileName, db.FileName + "-wal", db.FileName + "-shm", db.KeyFileName}
	if server.IsUsed() {
		names = []string{db.KeyFileName}
	}
	for _, name := range names {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}

// asBytes is a column of text as the bytes that it is.
func asBytes(column string) string {
	if server.IsUsed() {
		return "convert_to(" + column + ", 'UTF8')"
	}
	return column
}
