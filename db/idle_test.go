package db_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestActiveSessionLasts asks for a page now and then, always well before the
// session may idle out.
func TestActiveSessionLasts(t *testing.T) {
	t.Parallel()
	for _, idle := range []time.Duration{30 * time.Second, time.Minute, 90 * time.Second, 5 * time.Minute, time.Hour} {
		o := options(t, t.TempDir())
		o.Times.SessionIdle = idle
		o.Hashing = dbtest.CheapHashes
		store, err := db.Open(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		dbtest.Add(t, store, "ada@example.org", twofactor.Member)
		p, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", db.Client{}, start)
		if err != nil {
			t.Fatal(err)
		}
		for now := start; now.Sub(start) < 5*idle; now = now.Add(idle * 4 / 5) {
			v, err := store.Visitor(ctx, p.Session, now)
			if err != nil {
				t.Errorf("idle %v: after %v of use: %v", idle, now.Sub(start), err)
				break
			}
			if err := store.Touch(ctx, v, now); err != nil {
				t.Fatal(err)
			}
			// And at once after it, which writes nothing.
			if err := store.Touch(ctx, v, now.Add(idle/20)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := store.Visitor(ctx, p.Session, start.Add(7*idle)); !errors.Is(err, db.ErrSignedOut) {
			t.Errorf("idle %v: an idle session: %v", idle, err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSweepWritesTheJournalBack copies the one file alone, as people do, while the
// server holds it open and somebody reads.
func TestSweepWritesTheJournalBack(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	path := filepath.Join(dir, db.FileName)
	if err := store.Sweep(ctx, start); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), db.FileName)
	writeFile(t, copied, readFile(t, path))
	if got := queryText(t, copied, `SELECT count(*) FROM person`); got != "1" {
		t.Errorf("the file alone has %s people; want 1", got)
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() != 0 {
		t.Errorf("the journal after a sweep: %v, %v; want it empty", info, err)
	}

	// With a reader in the way everything is written back all the same, and nobody waits for long.
	reading := openFile(t, path)
	rows, err := reading.QueryContext(ctx, `SELECT id FROM person`)
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	defer rows.Close()
	if err := store.Sweep(ctx, start); err != nil {
		t.Errorf("beside a reader: %v", err)
	}
}

// TestNewestActivity is what tells an old copy from a new one.
func TestNewestActivity(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	if at, err := store.NewestActivity(ctx); err != nil || !at.IsZero() {
		t.Errorf("before anything: %v, %v", at, err)
	}
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	at, err := store.NewestActivity(ctx)
	if err != nil || at.IsZero() {
		t.Errorf("%v, %v", at, err)
	}
	later := at.Add(time.Hour)
	if _, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", db.Client{}, later); err != nil {
		t.Fatal(err)
	}
	if at, err := store.NewestActivity(ctx); err != nil || !at.Equal(later) {
		t.Errorf("%v, %v; want %v", at, err, later)
	}
}
