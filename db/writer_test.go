package db_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// countCommits counts the commits in the write-ahead log: frames that note the size of
// the database after them (https://sqlite.org/fileformat2.html#walformat).
func countCommits(t *testing.T, dir string) (n int) {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(dir, db.FileName+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	const header, frameHeader = 32, 24
	if len(log) < header {
		return 0
	}
	page := int(binary.BigEndian.Uint32(log[8:]))
	for at := header; at < len(log); at += frameHeader + page {
		if binary.BigEndian.Uint32(log[at+4:]) > 0 {
			n++
		}
	}
	return n
}

// writeWaits counts the writes that have waited for their turn so far.
func writeWaits(t *testing.T, store *db.Store) uint64 {
	t.Helper()
	f, err := store.Metrics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return f.WriteWaits
}

// errGoroutineEnded is the result of a job that ended its own goroutine.
var errGoroutineEnded = errors.New("ended its own goroutine")

// runQueued has each of the jobs wait for the turn, one after the other, and then lets
// them go. It gives their results.
func runQueued(t *testing.T, store *db.Store, callers []context.Context,
	jobs ...func(exec func(string, ...any) error) error) []error {
	t.Helper()
	end := sync.OnceFunc(store.TakeTurn())
	defer end()
	before := writeWaits(t, store)
	results := make([]chan error, len(jobs))
	for i, job := range jobs {
		results[i] = make(chan error, 1)
		go func() {
			err := errGoroutineEnded
			defer func() { results[i] <- err }()
			err = store.Transaction(callers[i], job)
		}()
		for writeWaits(t, store) < before+uint64(i)+1 {
			runtime.Gosched()
		}
	}
	end()
	out := make([]error, len(jobs))
	for i := range out {
		out[i] = <-results[i]
	}
	return out
}

// appendToName returns a job that adds a letter to the workspace's name and then ends as
// given.
func appendToName(letter string, end func() error) func(exec func(string, ...any) error) error {
	return func(exec func(string, ...any) error) error {
		if err := exec(`UPDATE workspace SET name = name || $1`, letter); err != nil {
			return err
		}
		return end()
	}
}

func succeed() error { return nil }

func TestQueuedJobsShareACommit(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	name := func() string {
		w, err := store.Workspace(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return w.Name
	}
	broken := errors.New("broken")

	before := countCommits(t, dir)
	results := runQueued(t, store, slices.Repeat([]context.Context{ctx}, 5),
		appendToName("1", succeed),
		appendToName("2", func() error { return broken }),
		appendToName("3", func() error { return twofactor.ErrWrongRecovery }),
		appendToName("4", func() error { panic("in the middle") }),
		appendToName("5", succeed))
	if n := countCommits(t, dir) - before; n != 1 {
		t.Errorf("%d commits, want one for all", n)
	}
	if name() != "Acme135" {
		t.Errorf("the name is %q: what failed is undone, what succeeded or was refused lasts", name())
	}
	for i, want := range []func(error) bool{
		func(err error) bool { return err == nil },
		func(err error) bool { return errors.Is(err, broken) },
		func(err error) bool { return errors.Is(err, twofactor.ErrWrongRecovery) },
		func(err error) bool { return err != nil && strings.Contains(err.Error(), "in the middle") },
		func(err error) bool { return err == nil },
	} {
		if !want(results[i]) {
			t.Errorf("job %d gave %v", i+1, results[i])
		}
	}
}

// TestFailedCommitFailsEveryJob lets nobody hear of a success that is not on the
// disk, nor of the refusal of somebody else.
func TestFailedCommitFailsEveryJob(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	store := dbtest.Open(t)
	for _, result := range []error{nil, account.FieldError{Field: "name", Reason: account.Missing}} {
		results := runQueued(t, store, slices.Repeat([]context.Context{ctx}, 3),
			appendToName("1", succeed),
			func(exec func(string, ...any) error) error {
				return errors.Join(exec(`ROLLBACK`), result) // as SQLite does by itself when the disk fails
			},
			appendToName("2", succeed))
		for i, err := range results {
			if err == nil || db.IsRefusal(err) {
				t.Errorf("job %d gave %v", i+1, err)
			}
		}
	}
	if err := store.Transaction(ctx, appendToName("3", succeed)); err != nil {
		t.Fatal(err)
	}
	if w, err := store.Workspace(ctx); err != nil || w.Name != "Acme3" {
		t.Errorf("the workspace is %q, %v", w.Name, err)
	}
}

// TestAbortedTransactionFailsEveryJob ends the goroutine in the middle, as a
// panic of the driver would: nobody hears of a success, and writing goes on.
func TestAbortedTransactionFailsEveryJob(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	store := dbtest.Open(t)
	results := runQueued(t, store, slices.Repeat([]context.Context{ctx}, 2),
		appendToName("1", func() error { runtime.Goexit(); return nil }),
		appendToName("2", succeed))
	if results[1] == nil || db.IsRefusal(results[1]) {
		t.Errorf("whose transaction was cut off got %v", results[1])
	}
	if err := store.Transaction(ctx, appendToName("3", succeed)); err != nil {
		t.Fatal(err)
	}
	if w, err := store.Workspace(ctx); err != nil || w.Name != "Acme3" {
		t.Errorf("the workspace is %q, %v", w.Name, err)
	}
}

func TestPanicLeavesNoTransactionOpen(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	store := dbtest.Open(t)
	if err := store.Transaction(ctx, appendToName("half", func() error { panic("in the middle") })); err == nil {
		t.Error("the panic was lost")
	}
	dbtest.Add(t, store, "ada@example.org", twofactor.Member) // the next transaction is its own
	if w, err := store.Workspace(ctx); err != nil || w.Name != "Acme" {
		t.Errorf("the workspace is %q, %v", w.Name, err)
	}
}

func TestCancelledCallerDoesNotWrite(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	store := dbtest.Open(t)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for range 50 { // either it was not begun, or it was done whole
		_ = store.Transaction(cancelled, func(exec func(string, ...any) error) error {
			return errors.Join(exec(`UPDATE workspace SET name = 'half'`), exec(`UPDATE workspace SET name = 'Acme'`))
		})
	}
	if w, err := store.Workspace(ctx); err != nil || w.Name != "Acme" {
		t.Errorf("the workspace is %q, %v", w.Name, err)
	}

	end := store.TakeTurn()
	if err := store.Transaction(cancelled, appendToName("late", succeed)); !errors.Is(err, context.Canceled) {
		t.Errorf("who has left the queue got %v", err)
	}
	end()
	if err := store.Transaction(ctx, appendToName("!", succeed)); err != nil {
		t.Fatal(err)
	}
	if w, err := store.Workspace(ctx); err != nil || w.Name != "Acme!" {
		t.Errorf("who has left wrote: the workspace is %q, %v", w.Name, err)
	}
}

// TestCallerCancelledMidwayGetsTheResult cancels the second while the first, in
// whose turn both run, is at work.
func TestCallerCancelledMidwayGetsTheResult(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	store := dbtest.Open(t)
	second, cancel := context.WithCancel(ctx)
	results := runQueued(t, store, []context.Context{ctx, second},
		appendToName("1", func() error { cancel(); return nil }),
		appendToName("2", succeed))
	if err := errors.Join(results...); err != nil {
		t.Error(err)
	}
	if w, err := store.Workspace(ctx); err != nil || w.Name != "Acme12" {
		t.Errorf("the workspace is %q, %v", w.Name, err)
	}
}

// TestWorkspaceNameIsRefreshed reads the name that is kept in memory after each way to
// change it.
func TestWorkspaceNameIsRefreshed(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	store := dbtest.Open(t)
	is := func(want string) {
		t.Helper()
		if name, err := store.WorkspaceName(ctx, start); err != nil || name != want {
			t.Errorf("the name is %q, %v; want %q", name, err, want)
		}
	}
	is("Acme")
	token, err := store.NewSetupToken(ctx, start)
	if err != nil {
		t.Fatal(err)
	}
	result, err := store.SetUp(ctx, token, "Söhne & Co", db.NewPerson{
		Name:     "Ada",
		Email:    "ada@example.org",
		Password: dbtest.Password,
	}, db.Client{}, start)
	if err != nil {
		t.Fatal(err)
	}
	is("Söhne & Co")
	v, err := store.Visitor(ctx, result.Session, start)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.RenameWorkspace(ctx, account.Seen{}, "Harbour", v.Author(db.Client{}), start); err != nil {
		t.Fatal(err)
	}
	is("Harbour")
	if err := store.RenameWorkspace(ctx, account.Seen{}, "", v.Author(db.Client{}), start); !db.IsRefusal(err) {
		t.Error(err)
	}
	is("Harbour")
}
