package db

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gatehouse/db/dbtest/server"
	"gatehouse/db/seal"
	"gatehouse/openid"
	"gatehouse/twofactor"
)

// rotateIn names, for a child process, the directory whose key it rotates.
const rotateIn = "GATEHOUSE_TEST_ROTATE"

var rotateStart = time.Date(2030, 3, 17, 17, 46, 40, 0, time.UTC)

// openIn opens a workspace as the program does.
func openIn(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(context.Background(), optionsIn(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// optionsIn are those of a workspace in a directory, on the engine that tests run on.
func optionsIn(t *testing.T, dir string) Options {
	t.Helper()
	name := "../schema.sql"
	if server.IsUsed() {
		name = "../schema.postgres.sql"
	}
	schema, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Dir:              dir,
		Schema:           string(schema),
		Workspace:        "Acme",
		Times:            DefaultTimes,
		Now:              rotateStart,
		VolatileDatabase: true,
		NewWorkspace:     true,
	}
	o.Database = server.Database(t, dir, KeyFileName, "new", func(dir, url string) error {
		made := o
		made.Dir, made.Database = dir, url
		store, err := Open(context.Background(), made)
		if err != nil {
			return err
		}
		return store.Close()
	})
	return o
}

// fillSecrets adds people with sealed secrets, and nothing that takes time.
func fillSecrets(t *testing.T, s *Store, n int) {
	t.Helper()
	for from := 0; from < n; from += 100 { // under the race detector all of them take longer than one write may
		fillSome(t, s, from, min(n, from+100))
	}
}

// fillSigningKey adds a key that signs for apps.
func fillSigningKey(t *testing.T, s *Store) {
	t.Helper()
	key, err := openid.NewKey(openid.ES256)
	if err == nil {
		err = s.write(context.Background(), lockWorkspace(), func(t *tx) error {
			return s.insertSigningKey(t, key, rotateStart)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func fillSome(t *testing.T, s *Store, from, to int) {
	t.Helper()
	err := s.write(context.Background(), lockWorkspace(), func(t *tx) error {
		for i := from; i < to; i++ {
			id, err := t.addPerson(NewPerson{
				Name:  "Person",
				Email: formatID(int64(i)) + "@example.org",
				Role:  twofactor.Member,
			}, "", Machine("test"), rotateStart)
			if err != nil {
				return err
			}
			r := enrollmentRow{
				Enrollment: twofactor.Enrollment{State: twofactor.Enabled, Secret: twofactor.NewSecret()},
				person:     id,
				id:         seal.NewKey()[:16],
			}
			sealed, err := s.sealSecret(t, &r)
			if err != nil {
				return err
			}
			if err := t.execOne(`INSERT INTO enrollment (id, person_id, state, secret, confirmed_at)
				VALUES ($1, $2, 'enabled', $3, $4)`, r.id, id, sealed, unix(rotateStart)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// requireSecretsOpen checks that every secret opens with the key files as they are.
func requireSecretsOpen(t *testing.T, dir string, want int) {
	t.Helper()
	s := openIn(t, dir)
	n, err := s.Check(context.Background())
	if err := errors.Join(err, s.Close()); err != nil || n != want {
		t.Fatalf("%d of %d secrets open, %v", n, want, err)
	}
}

// TestRotateKeyChild is the process that the tests below start and kill.
func TestRotateKeyChild(t *testing.T) {
	dir := os.Getenv(rotateIn)
	if dir == "" {
		t.Skip("only as a child of the tests below")
	}
	s := openIn(t, dir)
	if _, err := s.RotateKey(context.Background(), Machine("test"), rotateStart); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func rotateChild(ctx context.Context, dir string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestRotateKeyChild$")
	cmd.Env = append(os.Environ(), rotateIn+"="+dir)
	return cmd
}

// TestRotateKeyKilled kills rotations at random moments (SIGKILL): the workspace
// opens after each, and rotating again finishes the work.
func TestRotateKeyKilled(t *testing.T) {
	onlySQLite(t)
	if testing.Short() {
		t.Skip("kills processes for some seconds")
	}
	const secrets = 2000
	dir := t.TempDir()
	s := openIn(t, dir)
	fillSecrets(t, s, secrets)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if out, err := rotateChild(context.Background(), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole := time.Since(start)
	killed := 0
	for range 25 {
		ctx, cancel := context.WithTimeout(context.Background(), rand.N(whole))
		if err := rotateChild(ctx, dir).Run(); err != nil {
			killed++
		}
		cancel()
		requireSecretsOpen(t, dir, secrets)
	}
	if killed == 0 {
		t.Error("no rotation was cut off")
	}
	if out, err := rotateChild(context.Background(), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, KeyFileName+seal.NextSuffix)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the new key's file is left behind: %v", err)
	}
	requireSecretsOpen(t, dir, secrets)
}

// TestRotateKeyCutOff stops a rotation at each place where the files differ from
// the database.
func TestRotateKeyCutOff(t *testing.T) {
	onlySQLite(t)
	for name, change := range map[string]func(t *testing.T, path string){
		"before the transaction: the new key lies there unused": func(t *testing.T, path string) {
			if err := seal.WriteKey(path+seal.NextSuffix, seal.NewKey()); err != nil {
				t.Fatal(err)
			}
		},
		"after the transaction: the new key has not taken its place": func(t *testing.T, path string) {
			if err := os.Rename(path, path+seal.NextSuffix); err != nil {
				t.Fatal(err)
			}
			if err := seal.WriteKey(path, seal.NewKey()); err != nil { // the old one
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openIn(t, dir)
			fillSecrets(t, s, 3)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			change(t, filepath.Join(dir, KeyFileName))
			requireSecretsOpen(t, dir, 3)
			s = openIn(t, dir)
			if n, err := s.RotateKey(context.Background(), Machine("test"), rotateStart); err != nil || n != 3 {
				t.Errorf("%d sealed anew, %v", n, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(dir, KeyFileName+seal.NextSuffix)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the new key's file is left behind: %v", err)
			}
			requireSecretsOpen(t, dir, 3)
		})
	}
}

// TestRotateKeyTogether rotates from several processes' stores at once, beside
// one that serves: no key is lost.
func TestRotateKeyTogether(t *testing.T) {
	onlySQLite(t)
	dir := t.TempDir()
	serving := openIn(t, dir)
	defer func() { _ = serving.Close() }()
	fillSecrets(t, serving, 50)
	var all sync.WaitGroup
	for range 4 {
		s := openIn(t, dir)
		all.Add(1)
		go func() {
			defer all.Done()
			if _, err := s.RotateKey(context.Background(), Machine("test"), rotateStart); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	all.Wait()
	if n, err := serving.Check(context.Background()); err != nil || n != 50 {
		t.Errorf("beside the rotations %d open, %v", n, err)
	}
	requireSecretsOpen(t, dir, 50)
}

// onlySQLite skips a test of what SQLite alone has.
func onlySQLite(t *testing.T) {
	t.Helper()
	if server.IsUsed() {
		t.Skip("this is about SQLite")
	}
}
