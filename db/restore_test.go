package db_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// backup makes a backup in a directory of its own.
func backup(t *testing.T, store *db.Store) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup.db")
	if err := store.Backup(ctx, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// openCopy opens a copy of a database as a workspace, with the key of the one in dir.
func openCopy(t *testing.T, path, dir string) *db.Store {
	t.Helper()
	to := t.TempDir()
	writeFile(t, filepath.Join(to, db.FileName), readFile(t, path))
	writeFile(t, filepath.Join(to, db.KeyFileName), readFile(t, filepath.Join(dir, db.KeyFileName)))
	return dbtest.OpenIn(t, to)
}

// allActivity lists every row of activity.
func allActivity(t *testing.T, store *db.Store) (rows []db.ActivityRow) {
	t.Helper()
	err := store.EachActivity(ctx, db.Filter{}, func(r db.ActivityRow) error {
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestBackup copies while sign-ins go on: each copy is whole, and holds all that
// was committed before it began.
func TestBackup(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for range 2 {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if err := store.RenameWorkspace(ctx, account.Seen{}, "Acme", db.Machine("root").Author(),
						start); err != nil {
						t.Error(err)
					}
					if err := store.RenameWorkspace(ctx, account.Seen{}, "Emca", db.Machine("root").Author(),
						start); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for range 5 {
		before := len(allActivity(t, store))
		path := backup(t, store)
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the backup: %v, %v; want one that only its owner reads", info, err)
		}
		copied := openCopy(t, path, dir)
		if _, err := copied.Check(ctx); err != nil {
			t.Errorf("the backup is damaged: %v", err)
		}
		if got := len(allActivity(t, copied)); got < before {
			t.Errorf("the backup has %d rows of activity; %d were committed before it", got, before)
		}
	}
	close(stop)
	writers.Wait()

	taken := backup(t, store)
	if err := store.Backup(ctx, taken); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a backup over a file that exists: %v", err)
	}
	if bytes.Contains(readFile(t, taken), readFile(t, filepath.Join(dir, db.KeyFileName))) {
		t.Error("the backup holds the key")
	}
	if _, err := os.Stat(taken + ".new"); !os.IsNotExist(err) {
		t.Errorf("something unfinished is left: %v", err)
	}
}

// restoreFixture is a workspace with somebody enrolled, a backup of it, and what has
// happened since.
type restoreFixture struct {
	dir, backup string
	before      enrolled
	challenge   string
	invitation  string
	usedCode    string // the app's code that was accepted after the backup
	now         time.Time
}

func newRestoreFixture(t *testing.T) restoreFixture {
	t.Helper()
	l := restoreFixture{dir: t.TempDir(), now: start.Add(time.Hour)}
	store := dbtest.OpenIn(t, l.dir)
	dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	l.before = enrol(t, store, "ada@example.org", start)
	l.challenge = challenged(t, store, "ada@example.org", l.now)
	var err error
	if _, l.invitation, err = store.Invite(ctx, db.NewPerson{
		Name:  "Ben",
		Email: "ben@example.org",
		Role:  twofactor.Member,
	}, db.Machine("root").Author(), l.now); err != nil {
		t.Fatal(err)
	}
	l.backup = backup(t, store)
	l.usedCode = dbtest.Code(t, l.before.secret, l.now)
	if _, err := store.VerifyCode(ctx, l.challenge, l.usedCode, db.Client{}, l.now); err != nil {
		t.Fatal(err)
	}
	dbtest.Add(t, store, "cleo@example.org", twofactor.Member)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l restoreFixture) options(t *testing.T) db.Options {
	o := options(t, l.dir)
	o.Now = l.now
	return o
}

func TestRestore(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	l := newRestoreFixture(t)
	done, err := db.Restore(ctx, l.options(t), l.backup, db.Machine("root"))
	if err != nil {
		t.Fatal(err)
	}
	if done.Sessions != 1 || done.Challenges != 1 || done.Links != 1 {
		t.Errorf("ended %+v; want 1 session, 1 challenge, 1 link", done)
	}
	store := dbtest.OpenIn(t, l.dir)
	if _, err := store.Visitor(ctx, l.before.token, l.now); !errors.Is(err, db.ErrSignedOut) {
		t.Errorf("a session of the backup: %v", err)
	}
	if _, err := store.Challenge(ctx, l.challenge, l.now); !errors.Is(err, twofactor.ErrChallengeOver) {
		t.Errorf("a challenge of the backup: %v", err)
	}
	if _, err := store.Link(ctx, l.invitation, l.now); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("an invitation of the backup: %v", err)
	}
	if _, err := store.PersonByEmail(ctx, "cleo@example.org"); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("somebody added after the backup: %v", err)
	}
	var browsers int
	file := openFile(t, filepath.Join(l.dir, db.FileName))
	if err := file.QueryRowContext(ctx, `SELECT count(*) FROM known_browser`).Scan(&browsers); err != nil || browsers != 0 {
		t.Errorf("%d known browsers of the backup, %v", browsers, err)
	}
	token := challenged(t, store, "ada@example.org", l.now)
	if p, err := store.VerifyCode(ctx, token, l.usedCode, db.Client{}, l.now); err == nil || p.Session != "" {
		t.Error("a code that was accepted after the backup is accepted again")
	}
	later := l.now.Add(time.Minute)
	if p, err := store.VerifyCode(ctx, token, dbtest.Code(t, l.before.secret, later), db.Client{}, later); err != nil ||
		p.Session == "" {
		t.Errorf("a minute later: %v", err)
	}
	if p, _, err := store.RedeemRecoveryCode(ctx, challenged(t, store, "ada@example.org", later),
		l.before.codes[0].Text(), db.Client{}, later); err != nil || p.Session == "" || p.CodesLeft != 7 {
		t.Errorf("a recovery code of the backup: %+v, %v", p, err)
	}
	notices, err := store.Notices(ctx)
	if err != nil || notices.Count != 1 || notices.Newest[0].Event != account.WorkspaceRestored {
		t.Errorf("the notices are %+v, %v; want one of the restore", notices, err)
	}
	if _, err := openCopy(t, done.Previous, l.dir).PersonByEmail(ctx, "cleo@example.org"); err != nil {
		t.Errorf("the database from before was not kept: %v", err)
	}
}

// TestRestoreOnAnEmptyMachine moves a workspace: the key goes first, then the
// backup.
func TestRestoreOnAnEmptyMachine(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	l := newRestoreFixture(t)
	key := filepath.Join(l.dir, db.KeyFileName)
	l.dir = filepath.Join(t.TempDir(), "new")
	if _, err := db.Restore(ctx, l.options(t), l.backup, db.Machine("root")); err == nil ||
		!strings.Contains(err.Error(), "key file") {
		t.Fatalf("without the key: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(l.dir, "*")); len(left) != 0 {
		t.Errorf("a refused restore left %v", left)
	}
	writeFile(t, filepath.Join(l.dir, db.KeyFileName), readFile(t, key))
	done, err := db.Restore(ctx, l.options(t), l.backup, db.Machine("root"))
	if err != nil || done.Previous != "" {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := dbtest.OpenIn(t, l.dir).PersonByEmail(ctx, "ada@example.org"); err != nil {
		t.Error(err)
	}
}

// TestRestoreOverDamage is what a restore is for: the database does not open.
func TestRestoreOverDamage(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	l := newRestoreFixture(t)
	path := filepath.Join(l.dir, db.FileName)
	damaged := bytes.Repeat([]byte("damage "), 10000)
	writeFile(t, path, damaged)
	writeFile(t, path+"-wal", damaged)
	done, err := db.Restore(ctx, l.options(t), l.backup, db.Machine("root"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(readFile(t, done.Previous), damaged) || !bytes.Equal(readFile(t, done.Previous+"-wal"), damaged) {
		t.Error("what was there was not kept")
	}
	if _, err := dbtest.OpenIn(t, l.dir).Check(ctx); err != nil {
		t.Error(err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	l := newRestoreFixture(t)
	sound := readFile(t, l.backup)
	for name, c := range map[string]struct {
		change func(t *testing.T, l restoreFixture)
		says   string
	}{
		"a damaged backup": {func(t *testing.T, l restoreFixture) {
			whole := readFile(t, l.backup)
			for i := 20000; i < 60000; i++ {
				whole[i] ^= 0x5a
			}
			writeFile(t, l.backup, whole)
		}, "damaged"},
		"half a backup": {func(t *testing.T, l restoreFixture) { writeFile(t, l.backup, readFile(t, l.backup)[:40960]) },
			"choose another backup"},
		"another program's database": {func(t *testing.T, l restoreFixture) {
			execRaw(t, l.backup, `PRAGMA application_id = 1`)
		}, "not a Gatehouse workspace"},
		"a newer version's backup": {func(t *testing.T, l restoreFixture) { execRaw(t, l.backup, `PRAGMA user_version = 99`) },
			"newer Gatehouse"},
		"another workspace's backup": {func(t *testing.T, l restoreFixture) {
			removeFile(t, l.backup)
			if err := dbtest.Open(t).Backup(ctx, l.backup); err != nil {
				t.Fatal(err)
			}
		}, "does not belong to the database"},
		"a secret that was moved": {func(t *testing.T, l restoreFixture) {
			execRaw(t, l.backup, `UPDATE enrollment SET secret = randomblob(length(secret))`)
		}, "does not open"},
		"no backup at all": {func(t *testing.T, l restoreFixture) { removeFile(t, l.backup) }, "cannot read the backup"},
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, l.backup, sound)
			c.change(t, l)
			path := filepath.Join(l.dir, db.FileName)
			before := readFile(t, path)
			_, err := db.Restore(ctx, l.options(t), l.backup, db.Machine("root"))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v; want %q in it", err, c.says)
			}
			if !bytes.Equal(readFile(t, path), before) {
				t.Error("the database has changed")
			}
			if left, _ := filepath.Glob(path + "?*"); len(left) != 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}
