package hash

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var ctx = context.Background()

// take takes every free place.
func take(t *testing.T, l *Limiter) (releases []func()) {
	t.Helper()
	for range concurrency() {
		release, err := l.Acquire(ctx, Caller{})
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	return releases
}

func TestStrangersHaveAQueueOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter()
		running := take(t, l)
		refused := make(chan error, maxStrangers+1)
		for range maxStrangers + 1 {
			go func() {
				_, err := l.Acquire(ctx, Caller{})
				refused <- err
			}()
		}
		synctest.Wait()
		if err := <-refused; !errors.Is(err, ErrBusy) || len(refused) != 0 {
			t.Fatalf("one stranger too many: %v, and %d others", err, len(refused))
		}
		known := make(chan error, 1)
		go func() {
			release, err := l.Acquire(ctx, Known("ada"))
			known <- err
			release()
		}()
		synctest.Wait()
		running[0]()
		synctest.Wait()
		select {
		case err := <-known:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("a stranger who came first has the place of a known caller")
		}
		for range maxStrangers {
			<-refused // who got a place keeps it, and the others wait for two seconds
		}
		if l.Waiting() != 0 || l.Running() != concurrency() {
			t.Errorf("%d wait, %d run", l.Waiting(), l.Running())
		}
	})
}

func TestOneCallerCannotFillTheKnownQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter()
		running := take(t, l)
		results := make(chan error, 2*maxOfOne)
		ask := func(key string) {
			go func() {
				release, err := l.Acquire(ctx, Known(key))
				if err == nil {
					release()
				}
				results <- err
			}()
			synctest.Wait()
		}
		for range maxOfOne + 1 {
			ask("mallory")
		}
		if err := <-results; !errors.Is(err, ErrBusy) {
			t.Fatalf("got %v; want ErrBusy", err)
		}
		ask("ada")
		for _, release := range running {
			release()
		}
		for range maxOfOne + 1 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestKnownCallersDoNotStopStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter()
		running := take(t, l)
		var order []string
		var mu sync.Mutex
		var wait sync.WaitGroup
		ask := func(name string, c Caller) {
			wait.Go(func() {
				release, err := l.Acquire(ctx, c)
				if err != nil {
					t.Error(name, err)
					return
				}
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				release()
			})
			synctest.Wait()
		}
		ask("stranger", Caller{})
		for i := range 3 * knownInTurn {
			ask("known", Known(fmt.Sprint(i)))
		}
		running[0]()
		wait.Wait()
		for i, name := range order {
			if (name == "stranger") != (i == knownInTurn) {
				t.Fatalf("the order is %v", order)
			}
		}
	})
}

func TestTimeoutAndCancelLeaveTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter()
		running := take(t, l)
		start := time.Now()
		if _, err := l.Acquire(ctx, Caller{}); !errors.Is(err, ErrBusy) || time.Since(start) != strangerTimeout {
			t.Errorf("a stranger: %v after %v", err, time.Since(start))
		}
		start = time.Now()
		if _, err := l.Acquire(ctx, Known("ada")); !errors.Is(err, ErrBusy) || time.Since(start) != knownTimeout {
			t.Errorf("a known caller: %v after %v", err, time.Since(start))
		}
		cancelled, hangUp := context.WithCancel(ctx)
		hangUp()
		if _, err := l.Acquire(cancelled, Known("ada")); !errors.Is(err, context.Canceled) {
			t.Errorf("who hangs up: %v", err)
		}
		if l.Refused() != 2 || l.Waiting() != 0 {
			t.Errorf("%d were refused, %d wait", l.Refused(), l.Waiting())
		}
		for _, release := range running {
			release()
		}
		if _, err := l.Acquire(ctx, Caller{}); err != nil {
			t.Error(err)
		}
	})
}

// TestMemoryStaysBounded counts the places that are taken at once by 300 callers of
// every kind.
func TestMemoryStaysBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred slow hashes")
	}
	l := NewLimiter()
	var running, most atomic.Int64
	var wait sync.WaitGroup
	for i := range 300 {
		wait.Go(func() {
			c := Caller{}
			if i%3 == 0 {
				c = Known(fmt.Sprint(i % 7))
			}
			release, err := l.Acquire(ctx, c)
			if err != nil {
				return
			}
			n := running.Add(1)
			for most.Load() < n && !most.CompareAndSwap(most.Load(), n) {
			}
			Recommended.Derive([]byte("secret"), make([]byte, SaltSize))
			running.Add(-1)
			release()
		})
	}
	wait.Wait()
	if most.Load() > int64(concurrency()) {
		t.Errorf("%d at once; %d are allowed", most.Load(), concurrency())
	}
	if l.Running() != 0 || l.Waiting() != 0 || l.free != concurrency() {
		t.Errorf("afterwards %d run, %d wait, %d are free", l.Running(), l.Waiting(), l.free)
	}
}
