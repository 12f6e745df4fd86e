package db_test

import (
	"encoding/base64"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// saltedHash returns the PHC string of an argon2id with the salt "somesalt".
func saltedHash(parameters, tag string) string {
	raw, err := hex.DecodeString(tag)
	if err != nil {
		panic(err)
	}
	return "$argon2id$v=19$" + parameters + "$" + base64.RawStdEncoding.EncodeToString([]byte("somesalt")) + "$" +
		base64.RawStdEncoding.EncodeToString(raw)
}

// weakHash is argon2id's published answer for "password" with parameters below ours.
var weakHash = saltedHash("m=256,t=2,p=1", "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe")

// TestPasswordHash signs in against argon2id's published answer for "password"
// with the salt "somesalt", two passes and 64 MiB; and against weaker
// parameters, which are raised at the sign-in.
func TestPasswordHash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenRecommended(t, dir)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	file := openFile(t, filepath.Join(dir, db.FileName))
	stored := func() (hash string) {
		if err := file.QueryRowContext(ctx, `SELECT password_hash FROM person`).Scan(&hash); err != nil {
			t.Fatal(err)
		}
		return hash
	}
	setHash := func(hash string) {
		if _, err := file.ExecContext(ctx, `UPDATE person SET password_hash = $1`, hash); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("a new password has OWASP's parameters", func(t *testing.T) {
		if got := stored(); !strings.HasPrefix(got, "$argon2id$v=19$m=19456,t=2,p=1$") {
			t.Error(got)
		}
	})
	t.Run("the published answer", func(t *testing.T) {
		setHash(saltedHash("m=65536,t=2,p=1", "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"))
		if _, err := store.SignIn(ctx, "ada@example.org", "password", "", db.Client{}, start); err != nil {
			t.Error(err)
		}
		if got := stored(); !strings.Contains(got, "m=65536") {
			t.Errorf("stronger parameters were lowered: %s", got)
		}
	})
	t.Run("weaker parameters are raised at the sign-in", func(t *testing.T) {
		setHash(weakHash)
		if _, err := store.SignIn(ctx, "ada@example.org", "password", "", db.Client{}, start); err != nil {
			t.Fatal(err)
		}
		if got := stored(); !strings.Contains(got, "m=19456,t=2,p=1") {
			t.Error(got)
		}
	})
	t.Run("nothing matches a hash of no known form", func(t *testing.T) {
		for _, hash := range []string{"", "password", "$2a$10$abcdefghijklmnopqrstuv",
			"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$"} {
			if _, err := file.ExecContext(ctx, `UPDATE person SET password_hash = $1`, hash); err != nil {
				t.Fatal(err)
			}
			for _, typed := range []string{"", "password", hash} {
				if p, err := store.SignIn(ctx, "ada@example.org", typed, "", db.Client{Address: hash},
					start); err == nil {
					t.Errorf("%q opened %+v against %q", typed, p, hash)
				}
			}
		}
	})
}
