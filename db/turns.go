package db

import (
	"context"
	"sync"
	"time"
)

// The bounds of turns.
const (
	turnsWaiting = 64 // for one key
	turnTimeout  = 8 * time.Second

	// attemptsOfOneNetwork is how many attempts of one network are looked at at once.
	// Less than its bucket holds: what is still being looked at does not fill it up.
	attemptsOfOneNetwork = 8
)

// Turns let what belongs together come one after the other: attempts at one password
// are counted before they are looked at, so of many right ones at once the later would
// find the earlier counted as wrong. Nothing depends on turns but that nobody is
// refused for what is about to be found right; the counts in the database decide.
type turns struct {
	mu   sync.Mutex
	keys map[string]*turnQueue
}

// A turnQueue is one key's: a place for each who has a turn.
type turnQueue struct {
	places chan struct{}
	users  int // who have a turn or wait for one
}

// take waits for one of a key's turns; callers end it. It gives ErrBusy when too many
// wait or the time to wait is over, and the context's error when that ends first.
func (t *turns) take(ctx context.Context, key string, atOnce int) (end func(), err error) {
	q := t.join(key, atOnce)
	if q == nil {
		return nil, ErrBusy
	}
	timeout := time.NewTimer(turnTimeout)
	defer timeout.Stop()
	select {
	case q.places <- struct{}{}:
		return func() { <-q.places; t.leave(key, q) }, nil
	case <-timeout.C:
		err = ErrBusy
	case <-ctx.Done():
		err = ctx.Err()
	}
	t.leave(key, q)
	return nil, err
}

// join finds or makes a key's queue; nil when it is full.
func (t *turns) join(key string, atOnce int) *turnQueue {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.keys[key]
	if q == nil {
		q = &turnQueue{places: make(chan struct{}, atOnce)}
		if t.keys == nil {
			t.keys = map[string]*turnQueue{}
		}
		t.keys[key] = q
	}
	if q.users >= atOnce+turnsWaiting {
		return nil
	}
	q.users++
	return q
}

func (t *turns) leave(key string, q *turnQueue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(t.keys, key)
	}
}

// takeSignIn takes the turns of an attempt to sign in: of its network, and of the name
// and the browser.
func (t *turns) takeSignIn(ctx context.Context, email string, c Client) (end func(), err error) {
	endNetwork, err := t.take(ctx, "network "+network(c.Address), attemptsOfOneNetwork)
	if err != nil {
		return nil, err
	}
	endName, err := t.take(ctx, "password "+email+" "+c.Known, 1)
	if err != nil {
		endNetwork()
		return nil, err
	}
	return func() { endName(); endNetwork() }, nil
}
