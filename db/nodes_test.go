package db

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db/seal"
)

// openShared opens a workspace as if others served it too: on a machine of its own, with
// a key file of its own.
func openShared(t *testing.T, dir string) *Store {
	t.Helper()
	key := filepath.Join(t.TempDir(), KeyFileName)
	made, err := os.ReadFile(filepath.Join(dir, KeyFileName))
	if err == nil {
		err = os.WriteFile(key, made, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := openIn(t, dir)
	s.keyFile, s.shared = key, true
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newWorkspace(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := openIn(t, dir)
	fillSecrets(t, s, 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// clockOff is the machine's clock, and something.
func clockOff(by time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(by) }
}

func beat(t *testing.T, s *Store, name string, off time.Duration) error {
	t.Helper()
	return s.Beat(context.Background(), Node{ID: name, Name: name, Version: "test", StartedAt: rotateStart}, clockOff(off))
}

// rename is any write.
func rename(s *Store) error {
	return s.RenameWorkspace(context.Background(), account.Seen{}, "Emca", Machine("test").Author(), rotateStart)
}

// TestNodeWithAnotherClock stops what is more than ten seconds off, and tells of less; a
// clock that was set right goes on.
func TestNodeWithAnotherClock(t *testing.T) {
	t.Parallel()
	s := openShared(t, newWorkspace(t))
	for _, c := range []struct {
		off  time.Duration
		fits bool
	}{{0, true}, {8 * time.Second, true}, {-8 * time.Second, true}, {60 * time.Second, false}, {-13 * time.Second, false}, {0, true}} {
		err := beat(t, s, "one", c.off)
		var unfit *UnfitError
		if errors.As(err, &unfit) == c.fits || err != nil && unfit.Cause != "clock" {
			t.Errorf("%v off: %v", c.off, err)
		}
		if err := rename(s); (err == nil) != c.fits {
			t.Errorf("%v off, a write: %v", c.off, err)
		}
		nodes, err := s.Nodes(context.Background())
		if err != nil || len(nodes) != 1 || (nodes[0].Ahead-c.off).Abs() > 5*time.Second {
			t.Errorf("%v off: %+v, %v", c.off, nodes, err)
		}
	}
}

// TestNodeOfAnotherSchema stops a program that is older than the workspace takes, and one
// whose workspace was moved away.
func TestNodeOfAnotherSchema(t *testing.T) {
	t.Parallel()
	s := openShared(t, newWorkspace(t))
	for cause, change := range map[string][2]string{
		"schema": {`UPDATE workspace SET oldest = 99`, `UPDATE workspace SET oldest = 1`},
		"moved":  {`UPDATE workspace SET moved_at = 1`, `UPDATE workspace SET moved_at = NULL`},
	} {
		exec := func(query string) {
			if err := s.writeUnfit(context.Background(), lockNothing(), func(t *tx) error { return t.execOne(query) }); err != nil {
				t.Fatal(err)
			}
		}
		exec(change[0])
		var unfit *UnfitError
		if err := beat(t, s, "one", 0); !errors.As(err, &unfit) || unfit.Cause != cause {
			t.Errorf("%s: %v", cause, err)
		}
		if err := rename(s); !errors.As(err, &unfit) {
			t.Errorf("%s, a write: %v", cause, err)
		}
		exec(change[1])
		if err := errors.Join(beat(t, s, "one", 0), rename(s)); err != nil {
			t.Errorf("%s, afterwards: %v", cause, err)
		}
	}
}

// TestRotationInTwoSteps has two nodes with a key file each: nothing is rotated until the
// new key is beside both, and then both go on without a restart.
func TestRotationInTwoSteps(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := newWorkspace(t)
	one, two := openShared(t, dir), openShared(t, dir)
	rotate := func(want string) {
		t.Helper()
		for _, err := range []error{beat(t, one, "one", 0), beat(t, two, "two", 0)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		n, err := one.RotateKey(ctx, Machine("test"), time.Now())
		switch {
		case want == "" && (err != nil || n != 2):
			t.Errorf("rotated %d, %v", n, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("rotated: %v; want %q", err, want)
		}
	}
	rotate("there is no ")
	path, err := one.MakeNextKey()
	if err != nil {
		t.Fatal(err)
	}
	rotate("two would not go on")
	next, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(one.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.WriteKey(two.keyFile+seal.NextSuffix, next); err != nil {
		t.Fatal(err)
	}
	rotate("")
	for _, s := range []*Store{two, one} {
		if n, err := s.Check(ctx); err != nil || n != 2 {
			t.Errorf("%d open, %v", n, err)
		}
		if err := beat(t, s, "again", 0); err != nil {
			t.Error(err)
		}
		after, err := os.ReadFile(s.keyFile)
		if err != nil || string(after) != string(next) || string(after) == string(before) {
			t.Errorf("the key file is another than the new key: %v", err)
		}
		if id, err := seal.NextKeyID(s.keyFile); err != nil || id != nil {
			t.Errorf("the new key's file is left behind: %v", err)
		}
	}
}

// TestNodeWithoutTheNewKey rotates while a node lacks the new key, which was taken away:
// that node writes nothing until it has it.
func TestNodeWithoutTheNewKey(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := newWorkspace(t)
	one, two := openShared(t, dir), openShared(t, dir)
	path, err := one.MakeNextKey()
	if err != nil {
		t.Fatal(err)
	}
	next, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.RotateKey(ctx, Machine("test"), time.Now()); err != nil {
		t.Fatal(err)
	}
	var unfit *UnfitError
	if err := beat(t, two, "two", 0); !errors.As(err, &unfit) || unfit.Cause != "key" {
		t.Errorf("without the key: %v", err)
	}
	if err := rename(two); !errors.As(err, &unfit) {
		t.Errorf("without the key, a write: %v", err)
	}
	nodes, err := one.Nodes(ctx)
	if err != nil || len(nodes) != 1 || nodes[0].HasKey {
		t.Errorf("nodes: %+v, %v", nodes, err)
	}
	if err := os.Remove(two.keyFile); err != nil {
		t.Fatal(err)
	}
	if err := seal.WriteKey(two.keyFile, next); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(beat(t, two, "two", 0), rename(two)); err != nil {
		t.Errorf("with the key: %v", err)
	}
}
