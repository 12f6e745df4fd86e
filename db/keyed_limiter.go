package db

import (
	"context"
	"sync"
	"time"
)

// The bounds of turns.
const (
	maxKeyWaiting = 64 // for one key
	keyTimeout    = 8 * time.Second

	// attemptsOfOneNetwork is how many attempts of one network are looked at at once.
	// Less than its bucket holds: what is still being looked at does not fill it up.
	attemptsOfOneNetwork = 8
)

// Turns let what belongs together come one after the other: attempts at one password are
// counted before they are checked, so of many right ones at once the later would find the
// earlier counted as wrong. Nothing depends on turns but that nobody is refused for what
// is about to be found right; the counts in the database decide.
type keyedLimiter struct {
	mu   sync.Mutex
	keys map[string]*keyQueue
}

// A keyQueue is one key's: a place for each who has a turn.
type keyQueue struct {
	places chan struct{}
	users  int // who have a turn or wait for one
}

// acquire waits for one of a key's turns; callers release it. It returns ErrBusy when too
// many wait or the time to wait is over, and the context's error when that ends first.
func (t *keyedLimiter) acquire(ctx context.Context, key string, atOnce int) (end func(), err error) {
	q := t.enqueue(key, atOnce)
	if q == nil {
		return nil, ErrBusy
	}
	timeout := time.NewTimer(keyTimeout)
	defer timeout.Stop()
	select {
	case q.places <- struct{}{}:
		return func() { <-q.places; t.release(key, q) }, nil
	case <-timeout.C:
		err = ErrBusy
	case <-ctx.Done():
		err = ctx.Err()
	}
	t.release(key, q)
	return nil, err
}

// enqueue finds or makes a key's queue; nil when it is full.
func (t *keyedLimiter) enqueue(key string, atOnce int) *keyQueue {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.keys[key]
	if q == nil {
		q = &keyQueue{places: make(chan struct{}, atOnce)}
		if t.keys == nil {
			t.keys = map[string]*keyQueue{}
		}
		t.keys[key] = q
	}
	if q.users >= atOnce+maxKeyWaiting {
		return nil
	}
	q.users++
	return q
}

func (t *keyedLimiter) release(key string, q *keyQueue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(t.keys, key)
	}
}

// acquireSignIn takes the turns of an attempt to sign in: of its network, and of the name
// and the browser.
func (t *keyedLimiter) acquireSignIn(ctx context.Context, email string, c Client) (end func(), err error) {
	endNetwork, err := t.acquire(ctx, "network "+network(c.Address), attemptsOfOneNetwork)
	if err != nil {
		return nil, err
	}
	endName, err := t.acquire(ctx, "password "+email+" "+c.Known, 1)
	if err != nil {
		endNetwork()
		return nil, err
	}
	return func() { endName(); endNetwork() }, nil
}
