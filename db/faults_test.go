package db_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestFullDatabase fills the file to its limit: nobody is let in, nothing is half
// done, and it goes on as soon as there is room.
func TestFullDatabase(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	ada := enrol(t, store, "ada@example.org", start)
	now := start.Add(time.Hour)

	if err := store.Pragma(ctx, "max_page_count = 1"); err != nil { // as large as it is: it may not grow
		t.Fatal(err)
	}
	err := error(nil)
	for i := 0; err == nil && i < 10_000; i++ { // small writes find room in pages that are there
		_, err = store.SignIn(ctx, "ada@example.org", dbtest.Password, strings.Repeat("/x", 400), db.Client{
			Known:   "x",
			Address: clientAt(i).Address,
		}, now)
		if err != nil {
			break
		}
	}
	if err == nil || db.IsRefusal(err) {
		t.Fatalf("a full disk gave %v", err)
	}
	// The writer took a new connection after the fault: there is room again.
	if err := store.Ping(ctx, now); err != nil {
		t.Errorf("health: %v", err)
	}
	if _, err := store.VerifyCode(ctx, challenged(t, store, "ada@example.org", now), dbtest.Code(t, ada.secret, now),
		db.Client{}, now); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestReadOnlyAndLocked makes every write fail, and then succeed again.
func TestReadOnlyAndLocked(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	for name, fault := range map[string]func(t *testing.T, store *db.Store, path string) (repair func()){
		"read-only": func(t *testing.T, store *db.Store, _ string) func() {
			if err := store.Pragma(ctx, "query_only = ON"); err != nil {
				t.Fatal(err)
			}
			return func() {} // the next connection may write
		},
		"locked by another process": func(t *testing.T, store *db.Store, path string) func() {
			if err := store.Pragma(ctx, "busy_timeout = 1"); err != nil {
				t.Fatal(err)
			}
			other := openFile(t, path)
			conn, err := other.Conn(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
				t.Fatal(err)
			}
			return func() {
				if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
					t.Error(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			store := dbtest.OpenIn(t, dir)
			dbtest.Add(t, store, "ada@example.org", twofactor.Member)
			ada := enrol(t, store, "ada@example.org", start)
			now := start.Add(time.Hour)
			token, code := challenged(t, store, "ada@example.org", now), dbtest.Code(t, ada.secret, now)
			repair := fault(t, store, filepath.Join(dir, db.FileName))

			p, err := store.VerifyCode(ctx, token, code, db.Client{}, now)
			if err == nil || db.IsRefusal(err) || p != (db.SignInResult{}) {
				t.Errorf("a right code gave %+v, %v; want a fault and nothing opened", p, err)
			}
			if _, err := store.Visitor(ctx, ada.token, start); err != nil {
				t.Errorf("reading meanwhile: %v", err)
			}
			repair()
			if err := store.Ping(ctx, now); err != nil {
				t.Errorf("health afterwards: %v", err)
			}
			if _, err := store.VerifyCode(ctx, token, code, db.Client{}, now); err != nil {
				t.Errorf("the code was burnt by the fault: %v", err)
			}
		})
	}
}

func TestPingDetectsWriteFailures(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	store := dbtest.Open(t)
	if err := store.Ping(ctx, start); err != nil {
		t.Fatal(err)
	}
	if err := store.Pragma(ctx, "query_only = ON"); err != nil {
		t.Fatal(err)
	}
	if err := store.Ping(ctx, start.Add(time.Second)); err != nil {
		t.Errorf("a write was tried a second after the last: %v", err)
	}
	if err := store.Ping(ctx, start.Add(5*time.Second)); err == nil || errors.Is(err, db.ErrNotTried) {
		t.Errorf("a database that cannot be written to: %v", err)
	}
	// The connection was reopened: a write would succeed. It is not tried before it is due.
	for range 100 {
		if err := store.Ping(ctx, start.Add(9*time.Second)); !errors.Is(err, db.ErrNotTried) {
			t.Fatalf("four seconds after a write that failed: %v", err)
		}
	}
	if err := store.Ping(ctx, start.Add(10*time.Second)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestPingOfAClientThatHangsUp asks and hangs up while another process writes.
func TestPingOfAClientThatHangsUp(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	store := dbtest.Open(t)
	asked, hangUp := context.WithCancel(ctx)
	end, before := store.TakeTurn(), writeWaits(t, store)
	answer := make(chan error)
	go func() { answer <- store.Ping(asked, start) }()
	for writeWaits(t, store) == before {
		runtime.Gosched()
	}
	hangUp()
	end()
	if err := <-answer; err != nil {
		t.Errorf("to who hung up: %v", err)
	}
	if err := store.Ping(ctx, start.Add(time.Second)); err != nil {
		t.Errorf("to who asked next: %v", err)
	}
}

// openFile opens a database file beside the store.
func openFile(t *testing.T, path string) *sql.DB {
	t.Helper()
	file := openRaw(t, path)
	t.Cleanup(func() { _ = file.Close() })
	return file
}

// closedWorkspace makes a workspace with an enrolled person and closes it.
func closedWorkspace(t *testing.T) (dir string, ada enrolled) {
	t.Helper()
	dir = t.TempDir()
	store := dbtest.OpenIn(t, dir)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	ada = enrol(t, store, "ada@example.org", start)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, ada
}

func reopen(t *testing.T, dir string) (*db.Store, error) {
	t.Helper()
	return db.Open(ctx, dbtest.Options(t, dir))
}

// TestRefusedFiles leaves every one of them byte for byte as it was.
func TestRefusedFiles(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	change := func(do func(t *testing.T, path string)) func(*testing.T, string) { return do }
	sqlDo := func(statements ...string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			file := openFile(t, path)
			for _, s := range statements {
				if _, err := file.ExecContext(ctx, s); err != nil {
					t.Fatal(err)
				}
			}
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	edit := func(do func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, do(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		spoil func(*testing.T, string)
		says  string
	}{
		"of a newer version":    {change(sqlDo("PRAGMA user_version = 99")), "newer"},
		"of another program":    {change(sqlDo("PRAGMA application_id = 1")), "not a Gatehouse workspace"},
		"that is no database":   {edit(func([]byte) []byte { return []byte("a letter to grandmother, in no hurry at all") }), "no database"},
		"that is empty":         {edit(func([]byte) []byte { return nil }), "not a Gatehouse workspace"},
		"cut short by a page":   {edit(func(b []byte) []byte { return b[:len(b)-4096] }), "restore a sound backup"},
		"cut short to its half": {edit(func(b []byte) []byte { return b[:len(b)/2+77] }), "restore a sound backup"},
		"with a page of noise": {edit(func(b []byte) []byte {
			for i := 3 * 4096; i < 4*4096; i++ {
				b[i] = byte(i*7 + 3)
			}
			return b
		}), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := closedWorkspace(t)
			c.spoil(t, filepath.Join(dir, db.FileName))
			before := readDir(t, dir)
			store, err := reopen(t, dir)
			if err == nil {
				_ = store.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %q; want %q in it", err, c.says)
			}
			after := readDir(t, dir)
			for file, text := range before {
				if !bytes.Equal(after[file], text) {
					t.Errorf("%s was changed", file)
				}
			}
		})
	}
	t.Run("a -wal without its database", func(t *testing.T) {
		dir, _ := closedWorkspace(t)
		path := filepath.Join(dir, db.FileName)
		if err := os.Rename(path, path+"-wal"); err != nil {
			t.Fatal(err)
		}
		if _, err := reopen(t, dir); err == nil || !strings.Contains(err.Error(), "is missing") {
			t.Errorf("got %v", err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Error("a new workspace was made beside it")
		}
	})
}

func readDir(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if out[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// copyAfterCrash copies the files of an open store, as a power cut would leave them.
func copyAfterCrash(t *testing.T, dir string, except ...string) string {
	t.Helper()
	to := t.TempDir()
	for name, text := range readDir(t, dir) {
		if len(except) > 0 && name == except[0] {
			continue
		}
		if err := os.WriteFile(filepath.Join(to, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func TestAfterCrash(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	ada := enrol(t, store, "ada@example.org", start)
	if _, _, err := store.RedeemRecoveryCode(ctx, challenged(t, store, "ada@example.org", start), ada.codes[0].Text(),
		db.Client{}, start); err != nil {
		t.Fatal(err)
	}
	for i := range 11 {
		_ = guessPassword(store, "ada@example.org", clientAt(i), start)
	}
	t.Run("used codes stay used, and counts stay", func(t *testing.T) {
		again := dbtest.OpenIn(t, copyAfterCrash(t, dir))
		waitUntil(t, guessPassword(again, "ada@example.org", clientAt(30), start))
		token := challenged(t, again, "ada@example.org", start.Add(time.Minute))
		if _, _, err := again.RedeemRecoveryCode(ctx, token, ada.codes[0].Text(), db.Client{},
			start.Add(time.Minute)); !errors.Is(err, twofactor.ErrWrongRecovery) {
			t.Errorf("the used recovery code: %v", err)
		}
		if _, err := again.VerifyCode(ctx, token, dbtest.Code(t, ada.secret, start), db.Client{},
			start.Add(10*time.Second)); err == nil {
			t.Error("the confirming code signed in")
		}
	})
	t.Run("a lost -wal leaves an older workspace that is whole", func(t *testing.T) {
		again := dbtest.OpenIn(t, copyAfterCrash(t, dir, db.FileName+"-wal"))
		if _, err := again.Check(ctx); err != nil {
			t.Error(err)
		}
	})
}
