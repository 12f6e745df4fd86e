// Package dbtest opens real stores on temporary files, for tests.
package dbtest

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest/server"
	"gatehouse/db/hash"
	"gatehouse/twofactor"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// Password is everybody's password.
const Password = "violet kettle harbour"

// Start is the instant at which tests begin.
var Start = time.Date(2030, 3, 17, 17, 46, 40, 0, time.UTC)

// Schema reads schema.sql, or schema.postgres.sql where tests run on PostgreSQL.
func Schema(t testing.TB) string {
	t.Helper()
	name := "schema.sql"
	if server.IsUsed() {
		name = "schema.postgres.sql"
	}
	return SchemaFile(t, name)
}

// SchemaFile reads a file of the root. It is looked for from the test's directory
// upwards: a binary that was built with -trimpath does not know where its source is.
func SchemaFile(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		var text []byte
		if text, err = os.ReadFile(filepath.Join(dir, name)); err == nil {
			return string(text)
		}
		if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && parent != dir {
			dir, err = parent, nil
		}
	}
	t.Fatal(err)
	return ""
}

// OnlySQLite skips a test of what SQLite alone has: its file.
func OnlySQLite(t testing.TB) {
	t.Helper()
	if server.IsUsed() {
		t.Skip("this is about SQLite's file")
	}
}

// OnlyPostgres skips a test of what PostgreSQL alone has.
func OnlyPostgres(t testing.TB) {
	t.Helper()
	if !server.IsUsed() {
		t.Skip("this is about PostgreSQL")
	}
}

// Options are those of a workspace in a directory, on the engine that tests run on. With
// "" for the directory they name neither that nor a database.
func Options(t testing.TB, dir string) db.Options {
	t.Helper()
	o := db.Options{
		Dir:       dir,
		Schema:    Schema(t),
		Workspace: "Acme",
		Times:     db.DefaultTimes,
		Now:       Start,
		Hashing:   CheapHashes,
	}
	o.VolatileDatabase, o.NewWorkspace = true, true
	if dir == "" {
		return o
	}
	o.FileSchema = SchemaFile(t, "schema.sql")
	o.Database = server.Database(t, dir, db.KeyFileName, "new", func(dir, url string) error {
		made := o
		made.Dir, made.Database = dir, url
		store, err := db.Open(context.Background(), made)
		if err != nil {
			return err
		}
		return store.Close()
	})
	return o
}

// CheapHashes cost a thirtieth of the product's: enough where a test is about what
// comes of a right or a wrong password, and not about the hash or a race around it.
var CheapHashes = hash.Parameters{Memory: 512, Passes: 2}

// Open opens a new workspace with CheapHashes, closed when the test ends.
func Open(t testing.TB) *db.Store {
	t.Helper()
	return OpenIn(t, t.TempDir())
}

// OpenIn opens the workspace of a directory with CheapHashes, and makes it when there
// is none.
func OpenIn(t testing.TB, dir string) *db.Store {
	t.Helper()
	return open(t, dir, CheapHashes)
}

// OpenRecommended opens the workspace of a directory with the product's own hashes,
// and makes it when there is none.
func OpenRecommended(t testing.TB, dir string) *db.Store {
	t.Helper()
	return open(t, dir, hash.Recommended)
}

func open(t testing.TB, dir string, hashing hash.Parameters) *db.Store {
	t.Helper()
	o := Options(t, dir)
	o.Hashing = hashing
	store, err := db.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	t.Cleanup(func() { checkTally(t, store) })
	return store
}

// checkTally demands of every store, when its test ends, that it has kept how many people
// there are and how many of them have a factor that works, and that it has counted the
// sign-ins and openings of apps that the activity tells. A server may still be writing what
// no answer has waited for: what differs is read again, and a fault stays.
func checkTally(t testing.TB, store *db.Store) {
	var faults []string
	for range 5 {
		if faults = tallyFaults(store); len(faults) == 0 {
			return
		}
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

// tallyFaults are the differences between the tally and what it counts.
func tallyFaults(store *db.Store) (faults []string) {
	ctx := context.Background()
	var people, missing int
	newest, told := Start, map[time.Time]db.TallyDay{}
	err := errors.Join(store.EachPerson(ctx, func(p db.Person) error {
		if p.Active {
			people++
		}
		return nil
	}), store.EachNotEnrolled(ctx, func(db.Person) error {
		missing++
		return nil
	}), store.EachActivity(ctx, db.Filter{}, func(row db.ActivityRow) error {
		day := row.At.UTC().Truncate(24 * time.Hour)
		d := told[day]
		switch row.Event {
		case account.SignedIn:
			d.SignIns++
		case account.SignInFailed:
			d.Refused++
		case account.UnknownNames: // one row for many
			n, err := strconv.Atoi(row.Detail)
			if err != nil {
				return err
			}
			d.Refused += n
		case account.AppOpened:
			d.AppsOpened++
		case account.AppRefused:
			d.AppsRefused++
		}
		told[day] = d
		if row.At.After(newest) {
			newest = row.At
		}
		return nil
	}))
	days, tallyErr := store.Tally(ctx, newest, 100)
	if err != nil || tallyErr != nil {
		return nil // the test has closed it, or broken it
	}
	if today := days[len(days)-1]; today.People != people || today.Enrolled != people-missing {
		faults = append(faults, fmt.Sprintf("%d people, %d of them enrolled; the tally has %d and %d", people, people-missing,
			today.People, today.Enrolled))
	}
	for _, d := range days {
		want := told[d.Day]
		if d.SignIns != want.SignIns || d.Refused != want.Refused || d.AppsOpened != want.AppsOpened || d.AppsRefused != want.AppsRefused {
			faults = append(faults, fmt.Sprintf("the tally of %s has %+v, the activity %+v", d.Day.Format(time.DateOnly), d, want))
		}
	}
	return faults
}

// Add adds a person with Password.
func Add(t testing.TB, store *db.Store, email string, role twofactor.Role) int64 {
	t.Helper()
	id, err := store.AddPerson(context.Background(), db.NewPerson{
		Name:     "Person of " + email,
		Email:    email,
		Password: Password,
		Role:     role,
	}, db.Machine("test"), Start)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Code computes the code of a base32 secret that an app shows at an instant.
func Code(t testing.TB, secret string, at time.Time) string {
	t.Helper()
	if _, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret); err != nil {
		t.Fatal(err)
	}
	code, err := hotp.GenerateCodeCustom(secret, uint64(twofactor.TimeStep(at)), hotp.ValidateOpts{
		Digits:    otp.DigitsSix,
		Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return code
}
