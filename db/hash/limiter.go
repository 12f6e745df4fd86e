package hash

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"
)

// The bounds of the limiter. No more hashes are computed at once than there are
// cores, so that memory stays bounded. Strangers and callers whom the program knows
// wait in queues of their own, first come, first served, and those who are known come
// first: strangers who fill their queue keep nobody else out.
const (
	maxConcurrent = 4

	maxStrangers    = 32 // who wait
	strangerTimeout = 2 * time.Second

	maxKnown     = 128 // who wait
	maxOfOne     = 32  // of them with one key: nobody fills the queue of the others alone
	knownTimeout = 8 * time.Second

	// knownInTurn is how many known callers come first while strangers wait: a flood
	// of theirs slows strangers down and does not stop them.
	knownInTurn = 4
)

// ErrBusy says that too many slow hashes are being computed.
var ErrBusy = errors.New("too many passwords are being checked at once")

// A Caller is who wants to compute a slow hash. The zero Caller is a stranger.
type Caller struct {
	key string
}

// Known is a caller who has shown something that strangers do not have: a session,
// a known browser, a challenge, a link. The key tells one from another.
func Known(key string) Caller { return Caller{key: "known " + key} }

func (c Caller) isStranger() bool { return c.key == "" }

// A Limiter bounds how many slow hashes are computed at once. Its methods may be
// called from any goroutine.
type Limiter struct {
	mu        sync.Mutex
	free      int // places that nobody has
	running   int
	known     []*waiter
	strangers []*waiter
	next      int // known callers who came first since a stranger did

	acquired int64  // places that were given, ever
	refused  uint64 // callers who got none

	imported *Limiter // of one place, for those who verify an imported hash
}

// A waiter is a caller in one of the queues.
type waiter struct {
	Caller
	ready chan struct{} // closed when it has a place
}

// concurrency is how many slow hashes may run at once on this machine.
func concurrency() int { return min(runtime.GOMAXPROCS(0), maxConcurrent) }

// Memory is what the slow hashes that run at once take together, in bytes, while no imported
// one is among them. One of those may take maxForeignMemory on a machine with fewer places.
func Memory() int64 { return int64(concurrency()) * int64(Recommended.Memory) << 10 }

// NewLimiter returns a limiter with all its places free.
func NewLimiter() *Limiter { return &Limiter{free: concurrency(), imported: &Limiter{free: 1}} }

// AcquireFor is Acquire for verifying a stored hash. An imported one takes as many places as
// its memory and its threads are worth, and one is verified at a time: who waits for that holds
// no place.
func (l *Limiter) AcquireFor(ctx context.Context, c Caller, s Stored) (release func(), err error) {
	if !s.imported {
		return l.Acquire(ctx, c)
	}
	var held []func()
	release = func() {
		for _, end := range slices.Backward(held) {
			end()
		}
	}
	for n := range 1 + s.places() {
		from := l
		if n == 0 {
			from = l.imported
		}
		end, err := from.Acquire(ctx, c)
		if err != nil {
			release()
			return nil, err
		}
		held = append(held, end)
	}
	return release, nil
}

// Acquire waits for a place. It returns ErrBusy when the caller's queue is full or its
// time to wait is over, and the context's error when that ends first. Callers release the
// place once, after all their hashes.
func (l *Limiter) Acquire(ctx context.Context, c Caller) (release func(), err error) {
	w, err := l.enqueue(c)
	if err != nil {
		return nil, err
	}
	patience := knownTimeout
	if c.isStranger() {
		patience = strangerTimeout
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-w.ready:
		return l.release, nil
	case <-timeout.C:
		err = ErrBusy
	case <-ctx.Done():
		err = ctx.Err()
	}
	if !l.dequeue(w, err) {
		return l.release, nil // the place came at the same moment
	}
	return nil, err
}

// enqueue puts a caller at the end of its queue, or returns ErrBusy.
func (l *Limiter) enqueue(c Caller) (*waiter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &waiter{Caller: c, ready: make(chan struct{})}
	switch {
	case l.free == 0 && !l.hasRoom(c):
		l.refused++
		return nil, ErrBusy
	case c.isStranger():
		l.strangers = append(l.strangers, w)
	default:
		l.known = append(l.known, w)
	}
	l.grant()
	return w, nil
}

// hasRoom reports whether a caller may wait.
func (l *Limiter) hasRoom(c Caller) bool {
	if c.isStranger() {
		return len(l.strangers) < maxStrangers
	}
	same := 0
	for _, w := range l.known {
		if w.Caller == c {
			same++
		}
	}
	return len(l.known) < maxKnown && same < maxOfOne
}

// grant gives the free places to those who wait.
func (l *Limiter) grant() {
	for l.free > 0 && len(l.known)+len(l.strangers) > 0 {
		queue := &l.known
		if len(l.known) == 0 || len(l.strangers) > 0 && l.next >= knownInTurn {
			queue = &l.strangers
		}
		if queue == &l.known && len(l.strangers) > 0 {
			l.next++
		} else {
			l.next = 0
		}
		next := (*queue)[0]
		*queue = slices.Delete(*queue, 0, 1)
		l.free--
		l.running++
		l.acquired++
		close(next.ready)
	}
}

func (l *Limiter) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free++
	l.running--
	l.grant()
}

// dequeue takes a caller out of its queue, unless it has its place already.
func (l *Limiter) dequeue(w *waiter, why error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := len(l.known) + len(l.strangers)
	same := func(one *waiter) bool { return one == w }
	l.known = slices.DeleteFunc(l.known, same)
	l.strangers = slices.DeleteFunc(l.strangers, same)
	left := len(l.known)+len(l.strangers) < waiting
	if left && errors.Is(why, ErrBusy) {
		l.refused++
	}
	return left
}

// Running is how many places are taken.
func (l *Limiter) Running() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running
}

// Waiting is how many callers wait for a place.
func (l *Limiter) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := len(l.known) + len(l.strangers)
	if l.imported != nil {
		waiting += l.imported.Waiting()
	}
	return waiting
}

// Acquired is how many places were given since the start.
func (l *Limiter) Acquired() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acquired
}

// Refused is how many callers got ErrBusy since the start.
func (l *Limiter) Refused() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	refused := l.refused
	if l.imported != nil {
		refused += l.imported.Refused()
	}
	return refused
}

// Fill takes every place and every place in which strangers wait, until empty is
// called. It is for tests.
func (l *Limiter) Fill() (empty func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	places := l.free
	l.free, l.running = 0, l.running+places
	var filled []*waiter
	for len(l.strangers) < maxStrangers {
		w := &waiter{ready: make(chan struct{})}
		l.strangers, filled = append(l.strangers, w), append(filled, w)
	}
	return func() {
		for _, w := range filled {
			l.dequeue(w, nil)
		}
		for range places {
			l.release()
		}
	}
}
