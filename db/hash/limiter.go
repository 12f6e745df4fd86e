package hash

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"
)

// The bounds of the limiter: no more hashes at once than there are cores, so that
// memory stays bounded, and a short queue, first come, first served.
const (
	maxConcurrent = 4
	maxWaiting    = 32
	patience      = 2 * time.Second
)

// ErrBusy says that too many slow hashes are being computed.
var ErrBusy = errors.New("too many passwords are being checked at once")

// A Limiter bounds how many slow hashes are computed at once. Its methods may be
// called from any goroutine.
type Limiter struct {
	running  chan struct{}
	queue    chan struct{} // running and waiting
	acquired atomic.Int64  // how many places were given, ever
	refused  atomic.Uint64 // how many were not
}

// concurrency is how many slow hashes may run at once on this machine.
func concurrency() int { return min(runtime.GOMAXPROCS(0), maxConcurrent) }

// Memory is what the slow hashes that run at once take together, in bytes.
func Memory() int64 { return int64(concurrency()) * int64(Recommended.Memory) << 10 }

// NewLimiter gives a limiter with all its places free.
func NewLimiter() *Limiter {
	n := concurrency()
	return &Limiter{running: make(chan struct{}, n), queue: make(chan struct{}, n+maxWaiting)}
}

// Acquire waits for a place. It gives ErrBusy when the queue is full or two seconds
// have passed, and the context's error when that ends first. Callers release the
// place after their hash.
func (l *Limiter) Acquire(ctx context.Context) (release func(), err error) {
	select {
	case l.queue <- struct{}{}:
	default:
		l.refused.Add(1)
		return nil, ErrBusy
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case l.running <- struct{}{}:
		l.acquired.Add(1)
		return func() { <-l.running; <-l.queue }, nil
	case <-timeout.C:
		l.refused.Add(1)
		err = ErrBusy
	case <-ctx.Done():
		err = ctx.Err()
	}
	<-l.queue
	return nil, err
}

// Running is how many places are taken.
func (l *Limiter) Running() int { return len(l.running) }

// Waiting is how many callers wait for a place.
func (l *Limiter) Waiting() int { return max(0, len(l.queue)-len(l.running)) }

// Acquired is how many places were given since the start.
func (l *Limiter) Acquired() int64 { return l.acquired.Load() }

// Refused is how many callers got ErrBusy since the start.
func (l *Limiter) Refused() uint64 { return l.refused.Load() }

// Fill takes every place, those to wait in included, until free is called. It is for
// tests.
func (l *Limiter) Fill() (free func()) {
	n := cap(l.queue)
	for range n {
		l.queue <- struct{}{}
	}
	return func() {
		for range n {
			<-l.queue
		}
	}
}
