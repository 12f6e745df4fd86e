package db_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// moveOptions are one end of a move.
func moveOptions(t *testing.T, dir string) db.Options {
	t.Helper()
	return db.Options{Dir: dir, Schema: dbtest.Schema(t), Times: db.DefaultTimes, Now: start}
}

// fullDir makes a workspace in a directory that holds a row of most kinds.
func fullDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	enrol(t, store, "ada@example.org", start)
	challenged(t, store, "ada@example.org", start)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// withKeyOf makes a directory that holds the key of another.
func withKeyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	writeFile(t, filepath.Join(to, db.KeyFileName), readFile(t, filepath.Join(dir, db.KeyFileName)))
	return to
}

func isThere(t *testing.T, dir string) bool {
	t.Helper()
	_, err := os.Stat(filepath.Join(dir, db.FileName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// TestMove moves a workspace: the target has all, and the source is set aside.
func TestMove(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	from := fullDir(t)
	to := withKeyOf(t, from)
	done, err := db.Move(ctx, moveOptions(t, from), moveOptions(t, to))
	if err != nil {
		t.Fatal(err)
	}
	made := len(regexp.MustCompile(`(?m)^CREATE TABLE `).FindAllString(dbtest.Schema(t), -1))
	if done.Tables != int64(made) || done.Rows < 10 || done.WasWhole {
		t.Errorf("moved %+v; the schema makes %d tables", done, made)
	}
	if isThere(t, from) {
		t.Error("the source is in its place still")
	}
	if _, err := os.Stat(done.Aside); err != nil {
		t.Error(err)
	}
	store := dbtest.OpenIn(t, to)
	if n, err := store.Check(ctx); err != nil || n != 1 {
		t.Errorf("%d secrets open, %v", n, err)
	}
}

// TestMoveCutOffAtTheEnd moves once more what is on both sides, since the source was not set
// aside; and refuses as soon as either side has changed.
func TestMoveCutOffAtTheEnd(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	from := fullDir(t)
	to := withKeyOf(t, from)
	kept := readFile(t, filepath.Join(from, db.FileName))
	if _, err := db.Move(ctx, moveOptions(t, from), moveOptions(t, to)); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(from, db.FileName), kept)
	done, err := db.Move(ctx, moveOptions(t, from), moveOptions(t, to))
	if err != nil || !done.WasWhole || isThere(t, from) {
		t.Errorf("again: %+v, %v", done, err)
	}
	writeFile(t, filepath.Join(from, db.FileName), kept)
	store := dbtest.OpenIn(t, from)
	dbtest.Add(t, store, "bob@example.org", twofactor.Member)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Move(ctx, moveOptions(t, from), moveOptions(t, to)); err == nil || !strings.Contains(err.Error(),
		"there is a workspace already") {
		t.Errorf("after a change: %v", err)
	}
	if !isThere(t, from) {
		t.Error("the source is gone, and was not moved")
	}
}

// TestMoveRefuses leaves the source where it is, and nothing in the target.
func TestMoveRefuses(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	for name, c := range map[string]struct {
		to   func(t *testing.T, from string) string
		from func(t *testing.T, from string)
		want string
	}{
		"a target without a key": {
			to:   func(t *testing.T, _ string) string { return t.TempDir() },
			want: "needs the workspace's key",
		},
		"a target with another key": {
			to:   fullKeyDir,
			want: "needs the workspace's key",
		},
		"a target with a workspace": {
			to:   func(t *testing.T, _ string) string { return fullDir(t) },
			want: "there is a workspace already",
		},
		"a secret that does not open": {
			to: withKeyOf,
			from: func(t *testing.T, from string) {
				execRaw(t, filepath.Join(from, db.FileName), `UPDATE enrollment SET secret = randomblob(60)`)
			},
			want: "does not open",
		},
		"a reference to nobody": {
			to: withKeyOf,
			from: func(t *testing.T, from string) {
				execRaw(t, filepath.Join(from, db.FileName), `PRAGMA foreign_keys = OFF; UPDATE challenge SET person_id = 77`)
			},
			want: "FOREIGN KEY",
		},
		"an older source": {
			to: withKeyOf,
			from: func(t *testing.T, from string) {
				for _, name := range []string{db.FileName, db.KeyFileName} {
					writeFile(t, filepath.Join(from, name), readFile(t, filepath.Join(fixtureDir(1), name)))
				}
			},
			want: "start the server with this version first",
		},
	} {
		t.Run(name, func(t *testing.T) {
			from := fullDir(t)
			if c.from != nil {
				c.from(t, from)
			}
			to := c.to(t, from)
			before := names(t, to)
			if _, err := db.Move(ctx, moveOptions(t, from), moveOptions(t, to)); err == nil || !strings.Contains(err.Error(),
				c.want) {
				t.Errorf("got %v; want %q", err, c.want)
			}
			if after := names(t, to); !slices.Equal(after, before) {
				t.Errorf("the target holds %v; it held %v", after, before)
			}
			if !isThere(t, from) {
				t.Error("the source is gone")
			}
		})
	}
}

func fullKeyDir(t *testing.T, _ string) string {
	t.Helper()
	return withKeyOf(t, fullDir(t))
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}
