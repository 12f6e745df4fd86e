package db

import (
	"context"
	"fmt"
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
	err := s.row(ctx, `SELECT count(*), coalesce(sum(enrolled), 0) FROM person WHERE active = 1`).
		Scan(&f.People, &f.Enrolled)
	if err != nil {
		return f, fmt.Errorf("counting people: %w", err)
	}
	return f, nil
}

// SignInCount is how many sign-ins ended in one way.
type SignInCount struct {
	Event  account.Event // SignedIn, SignInFailed or SignInFailedMax
	Method account.Method
	Count  int
}

// LastActivity is the number of the newest row of the activity; 0 for none.
func (s *Store) LastActivity(ctx context.Context) (id int64, err error) {
	if err := s.row(ctx, `SELECT coalesce(max(id), 0) FROM activity`).Scan(&id); err != nil {
		return 0, fmt.Errorf("reading the activity: %w", err)
	}
	return id, nil
}

// SignInsAfter counts the sign-ins in the activity after a row, and returns the row to go
// on from. Those that have no row of their own are told of once.
func (s *Store) SignInsAfter(ctx context.Context, after int64) (counts []SignInCount, last int64, err error) {
	if last, err = s.LastActivity(ctx); err != nil {
		return nil, after, err
	}
	rows, err := s.rows(ctx, `SELECT event, method, count(*) FROM activity WHERE id > ? AND id <= ?
		AND event IN (`+sqlList(account.SignedIn, account.SignInFailed, account.SignInFailedMax)+
		`) GROUP BY event, method`, after, last)
	if err != nil {
		return nil, after, fmt.Errorf("counting sign-ins: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var count SignInCount
		if err := rows.Scan(&count.Event, &count.Method, &count.Count); err != nil {
			return nil, after, fmt.Errorf("counting sign-ins: %w", err)
		}
		counts = append(counts, count)
	}
	if err := rows.Err(); err != nil {
		return nil, after, fmt.Errorf("counting sign-ins: %w", err)
	}
	if n := s.unlisted.Swap(0); n > 0 {
		counts = append(counts, SignInCount{Event: account.SignInFailed, Method: account.ByPassword, Count: int(n)})
	}
	return counts, last, nil
}
