package db

import (
	"context"
	"slices"
	"sync"
	"time"

	"gatehouse/account"
)

// Metrics are what a monitor watches.
type Metrics struct {
	People, Enrolled int // active people, and those of them whose factor is Enabled

	HashesRunning, HashesWaiting int
	HashesRefused                uint64 // since the start: the queue was full, or patience ended

	WriteWaits uint64 // writes that waited for their turn, since the start
	ReadWaits  int64  // likewise for a connection to read with
	ReadWaited time.Duration
}

// Metrics reads the figures of now.
func (s *Store) Metrics(ctx context.Context) (Metrics, error) {
	pool := s.reader.Pool().Stats()
	f := Metrics{
		HashesRunning: s.hashes.Running(),
		HashesWaiting: s.hashes.Waiting(),
		HashesRefused: s.hashes.Refused(),
		WriteWaits:    s.writer.Waits(),
		ReadWaits:     pool.WaitCount,
		ReadWaited:    pool.WaitDuration,
	}
	people, enrolled, err := countPeople(reading{s, ctx})
	f.People, f.Enrolled = int(people), int(enrolled)
	return f, err
}

// SignInCount is how many sign-ins, or openings of apps, ended in one way.
type SignInCount struct {
	Event  account.Event // SignedIn, SignInFailed, SignInFailedMax, AppOpened or AppRefused
	Method account.Method
	Count  int
}

// isCounted reports whether an event is one that monitors count: how sign-ins ended, and
// apps that were opened or refused.
func isCounted(e account.Event) bool {
	switch e {
	case account.SignedIn, account.SignInFailed, account.SignInFailedMax, account.AppOpened, account.AppRefused:
		return true
	}
	return false
}

// signInCounter counts the sign-ins that this process has committed. Numbers of activity
// would not do: on a database with several writers they are committed out of order.
type signInCounter struct {
	mu     sync.Mutex
	counts []SignInCount // one for each event and method
}

func (c *signInCounter) add(counts ...SignInCount) {
	if len(counts) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range counts {
		i := slices.IndexFunc(c.counts, func(o SignInCount) bool { return o.Event == one.Event && o.Method == one.Method })
		if i < 0 {
			c.counts = append(c.counts, one)
			continue
		}
		c.counts[i].Count += one.Count
	}
}

// TakeSignIns tells how many sign-ins and openings of apps there were in this process since the last call.
func (s *Store) TakeSignIns() []SignInCount {
	s.signIns.mu.Lock()
	defer s.signIns.mu.Unlock()
	counts := s.signIns.counts
	s.signIns.counts = nil
	return counts
}
