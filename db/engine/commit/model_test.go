package commit_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/db/engine/commit"

	"pgregory.net/rapid"
)

// database is the model of a database: a list to which jobs append. It fails as it
// is told, and notes what a real one would not forgive.
type database struct {
	committed, working, mark []int
	open, marked, busy       bool
	jobs                     int      // that were begun in the open transaction
	closed                   bool     // to others: one of them wants to be alone
	broken                   []string // what was called when it must not be

	slow, failing map[string]int // the steps, by name and count, that take a second or fail
	counts        map[string]int
}

var errDisk = errors.New("disk failure")

// step stands for the time that a step takes, and for its failure.
func (d *database) step(ctx context.Context, name string, allowed bool) error {
	if d.busy || !allowed {
		d.broken = append(d.broken, name)
	}
	d.busy = true
	defer func() { d.busy = false }()
	d.counts[name]++
	if d.counts[name] == d.slow[name] {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if d.counts[name] == d.failing[name] {
		return errDisk
	}
	return nil
}

func (d *database) Begin(ctx context.Context) error {
	if err := d.step(ctx, "begin", !d.open); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	d.open, d.jobs, d.closed, d.working = true, 0, false, slices.Clone(d.committed)
	return nil
}

func (d *database) Mark() error {
	err := d.step(context.Background(), "mark", d.open && !d.marked)
	if err == nil {
		d.marked, d.mark = true, slices.Clone(d.working)
	}
	return err
}

func (d *database) Undo() error {
	err := d.step(context.Background(), "undo", d.open && d.marked)
	if err == nil {
		d.marked, d.working = false, d.mark
	}
	return err
}

func (d *database) Unmark() error {
	err := d.step(context.Background(), "unmark", d.open && d.marked)
	if err == nil {
		d.marked = false
	}
	return err
}

func (d *database) Commit() error {
	err := d.step(context.Background(), "commit", d.open && !d.marked)
	if err == nil {
		d.committed, d.open = d.working, false
	}
	return err
}

func (d *database) Abandon() {
	if !d.open {
		d.broken = append(d.broken, "abandon")
	}
	d.open, d.marked = false, false
}

// write is what a job of the model does: it takes its time, as statements do, and
// then looks whether any is left.
func (d *database) write(ctx context.Context, p plan) error {
	if !d.open || d.busy || d.closed || p.alone && d.jobs > 0 {
		d.broken = append(d.broken, "write")
	}
	d.jobs++
	d.closed = p.alone
	d.working = append(d.working, p.id)
	time.Sleep(p.takes) // of the bubble: no time passes
	return ctx.Err()
}

// The results of a job.
var (
	errFails   = errors.New("fails")
	errRefuses = errors.New("refuses, and has counted")
)

// A plan is one job as it is drawn.
type plan struct {
	id      int
	arrives time.Duration
	limit   time.Duration
	takes   time.Duration
	leaves  time.Duration // when the caller cancels; 0 for never
	alone   bool
	result  error // nil, errFails, errRefuses, errPanics or errEnds
}

var (
	errPanics = errors.New("panics")
	errEnds   = errors.New("ends its goroutine")
)

// An outcome is the result of a job.
type outcome struct {
	err      error
	answered time.Duration
	began    bool
	worked   time.Duration // when its work was done
}

func ms(t *rapid.T, least, most int, what string) time.Duration {
	return time.Duration(rapid.IntRange(least, most).Draw(t, what)) * time.Millisecond
}

func plans(t *rapid.T) []plan {
	all := make([]plan, rapid.IntRange(1, 8).Draw(t, "jobs"))
	for i := range all {
		all[i] = plan{
			id:      i,
			arrives: ms(t, 0, 300, "arrives"),
			limit:   ms(t, 50, 3000, "limit"),
			takes:   ms(t, 1, 200, "takes"),
			alone:   rapid.IntRange(0, 4).Draw(t, "alone") == 0,
			result: rapid.SampledFrom([]error{nil, nil, nil, errFails, errRefuses, errPanics, errEnds}).
				Draw(t, "result"),
		}
		if rapid.IntRange(0, 3).Draw(t, "leaves at all") == 0 {
			all[i].leaves = all[i].arrives + ms(t, 1, 500, "leaves")
		}
	}
	return all
}

// run has the jobs of the plans done over a database, each by a goroutine of its own.
func run(d *database, all []plan) []outcome {
	q := commit.New(d, func(err error) bool { return errors.Is(err, errRefuses) })
	start := time.Now()
	outcomes := make([]outcome, len(all))
	var callers sync.WaitGroup
	for i, p := range all {
		callers.Go(func() {
			o := &outcomes[i]
			o.err = errEnds // stands when the goroutine ends
			defer func() { o.answered = time.Since(start) }()
			time.Sleep(p.arrives)
			caller, cancel := context.WithCancel(context.Background())
			defer cancel()
			if p.leaves > 0 {
				defer time.AfterFunc(p.leaves-p.arrives, cancel).Stop()
			}
			o.err = q.Do(caller, p.limit, p.alone, func(ctx context.Context) error {
				o.began = true
				err := d.write(ctx, p)
				o.worked = time.Since(start)
				if err != nil {
					return err
				}
				switch p.result {
				case errPanics:
					panic("in the middle")
				case errEnds:
					runtime.Goexit()
				}
				return p.result
			})
		})
	}
	callers.Wait()
	return outcomes
}

// TestModel draws jobs that arrive, take their time, fail, refuse, panic, end their
// goroutine, leave and run out of time, over a database whose steps fail or are slow,
// and holds what came of each beside what the database then has. Time is that of a
// bubble (testing/synctest): instants are exact, and nothing waits.
func TestModel(t *testing.T) {
	for range 20 {
		rapid.Check(t, func(draw *rapid.T) {
			model(draw, func(bubble func()) {
				synctest.Test(t, func(*testing.T) { bubble() })
			})
		})
	}
}

func model(t *rapid.T, inBubble func(func())) {
	step := rapid.SampledFrom([]string{"begin", "mark", "undo", "unmark", "commit"})
	nth := rapid.IntRange(1, 3)
	d := &database{
		counts:  map[string]int{},
		slow:    rapid.MapOfN(step, nth, 0, 2).Draw(t, "slow"),
		failing: rapid.MapOfN(step, nth, 0, 2).Draw(t, "failing"),
	}
	all := plans(t)
	var outcomes []outcome
	inBubble(func() { outcomes = run(d, all) })

	if len(d.broken) > 0 || d.open {
		t.Fatalf("steps out of order: %v, open: %v", d.broken, d.open)
	}
	if !slices.Equal(d.committed, slices.Compact(slices.Clone(d.committed))) {
		t.Fatalf("something was done twice: %v", d.committed)
	}
	for i, p := range all {
		o, stored := outcomes[i], slices.Contains(d.committed, p.id)
		why := fmt.Sprintf("%+v: %v at %v, stored %v", p, o.err, o.answered, stored)
		if lasts := o.err == nil || errors.Is(o.err, errRefuses); lasts != stored {
			t.Fatalf("whoever hears of a success or a refusal finds it stored, and nobody else: %s", why)
		}
		if o.err == nil && o.worked > p.arrives+p.limit {
			t.Fatalf("it worked longer than it may: %s", why)
		}
		switch {
		case o.err == p.result: // its own
		case errors.Is(o.err, context.DeadlineExceeded):
			if o.answered < p.arrives+p.limit {
				t.Fatalf("somebody else's time ended it: %s", why)
			}
		case errors.Is(o.err, context.Canceled):
			if p.leaves == 0 || o.answered < p.leaves || o.began {
				t.Fatalf("it was taken back by nobody, or after it was begun: %s", why)
			}
		case errors.Is(o.err, errDisk):
			if len(d.failing) == 0 {
				t.Fatalf("no disk failed: %s", why)
			}
		case errors.Is(o.err, commit.ErrAborted), o.err == errEnds: // in whose turn it ran
			if !slices.ContainsFunc(all, func(p plan) bool { return p.result == errEnds }) {
				t.Fatalf("nobody cut it off: %s", why)
			}
		case p.result == errPanics && o.err != nil && !errors.Is(o.err, errFails) && !errors.Is(o.err, errRefuses):
		default:
			t.Fatalf("it heard what is not its own: %s", why)
		}
	}
}

// TestEachJobHasItsOwnTime has three jobs wait for a database that another process
// holds for a second.
func TestEachJobHasItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &database{counts: map[string]int{}, slow: map[string]int{"begin": 1}}
		outcomes := run(d, []plan{
			{id: 0, arrives: 0, limit: 100 * time.Millisecond},
			{id: 1, arrives: 10 * time.Millisecond, limit: 50 * time.Millisecond},
			{id: 2, arrives: 20 * time.Millisecond, limit: 5 * time.Second},
		})
		for i, want := range []time.Duration{100 * time.Millisecond, 60 * time.Millisecond} {
			if o := outcomes[i]; !errors.Is(o.err, context.DeadlineExceeded) || o.answered != want {
				t.Errorf("job %d: %v after %v, want its own time to end it after %v", i, o.err, o.answered, want)
			}
		}
		if o := outcomes[2]; o.err != nil || !slices.Equal(d.committed, []int{2}) {
			t.Errorf("who has time left got %v; stored: %v", o.err, d.committed)
		}
	})
}
