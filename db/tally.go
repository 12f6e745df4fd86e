package db

import (
	"cmp"
	"context"
	"fmt"
	"sort"
	"strconv"
	"time"

	"gatehouse/account"
)

// What is tallied by the day (UTC): the first four are counted in the transaction of what
// they count, the others are what a sweep has found last on that day.
const (
	tallySignIns    = "sign-in"
	tallyRefused    = "sign-in-refused"
	tallyOpened     = "app-opened"
	tallyAppRefused = "app-refused"
	tallyEnrolled   = "enrolled" // active people with a factor that works
	tallyPeople     = "people"   // active people
)

// tallyShards are among how many rows of a day a count is divided, by whom it is about, so
// that on a server few who sign in at once wait for each other.
const tallyShards = 16

// tallyDays is for how many days the tally is kept.
const tallyDays = 400

// A tallyKey names a row of the tally.
type tallyKey struct {
	day   int64 // since 1 January 1970
	what  string
	shard int64
}

// dayOf is the day of an instant, in UTC.
func dayOf(at time.Time) int64 { return at.Unix() / (24 * 60 * 60) }

// tally counts what a row of activity tells, when the transaction ends.
func (t *tx) tally(now time.Time, a activityEntry) {
	what, n := "", int64(1)
	switch a.event {
	case account.SignedIn:
		what = tallySignIns
	case account.SignInFailed:
		what = tallyRefused
	case account.UnknownNames: // one row for the many of an hour
		what = tallyRefused
		n, _ = strconv.ParseInt(a.detail, 10, 64)
	case account.AppOpened:
		what = tallyOpened
	case account.AppRefused:
		what = tallyAppRefused
	default:
		return
	}
	if t.tallied == nil {
		t.tallied = map[tallyKey]int64{}
	}
	t.tallied[tallyKey{dayOf(now), what, cmp.Or(a.subject, a.actor.ID) % tallyShards}] += n
}

// writeTally writes what was counted, as the last of the transaction and in one order, so
// that no two wait for each other.
func (t *tx) writeTally() error {
	keys := make([]tallyKey, 0, len(t.tallied))
	for key := range t.tallied {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(i, j int) bool {
		a, b := keys[i], keys[j]
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.what, b.what), cmp.Compare(a.shard, b.shard)) < 0
	})
	for _, key := range keys {
		if err := t.execOne(`INSERT INTO tally (day, what, shard, n) VALUES ($1, $2, $3, $4)
			ON CONFLICT (day, what, shard) DO UPDATE SET n = tally.n + excluded.n`,
			key.day, key.what, key.shard, t.tallied[key]); err != nil {
			return fmt.Errorf("counting %s: %w", key.what, err)
		}
	}
	return nil
}

// noteEnrolled notes how many people there are today, and how many have enrolled.
func (t *tx) noteEnrolled(now time.Time) error {
	var people, enrolled int64
	if err := t.row(enrolledQuery).Scan(&people, &enrolled); err != nil {
		return fmt.Errorf("counting who has enrolled: %w", err)
	}
	for _, count := range []struct {
		what string
		n    int64
	}{{tallyEnrolled, enrolled}, {tallyPeople, people}} {
		if err := t.execOne(`INSERT INTO tally (day, what, shard, n) VALUES ($1, $2, 0, $3)
			ON CONFLICT (day, what, shard) DO UPDATE SET n = excluded.n`, dayOf(now), count.what, count.n); err != nil {
			return fmt.Errorf("noting who has enrolled: %w", err)
		}
	}
	return nil
}

// enrolledQuery counts the active people, and those of them who have a factor that works.
const enrolledQuery = `SELECT count(*), count(*) FILTER (WHERE enrolled_here = TRUE) FROM person WHERE active = TRUE`

// A TallyDay is what was counted on one day (UTC).
type TallyDay struct {
	Day              time.Time // when it begins
	SignIns          int       // completed
	Refused          int       // wrong passwords, codes, passkeys at sign-in, and unknown names
	AppsOpened       int       // the first opening of an app by somebody
	AppsRefused      int       // somebody who may not open an app, once an hour
	People, Enrolled int       // at its end: active people, and those with a factor that works
	IsNoted          bool      // People and Enrolled are known: of that day, or of one before
}

// Tally returns the newest days, the oldest first, today's among them. What nobody has noted
// of a day is as on the day before; today's People and Enrolled are counted now.
func (s *Store) Tally(ctx context.Context, now time.Time, days int) ([]TallyDay, error) {
	today := dayOf(now)
	first := today - int64(days) + 1
	out := make([]TallyDay, days)
	for i := range out {
		out[i].Day = time.Unix((first+int64(i))*24*60*60, 0).UTC()
	}
	err := eachRow(reading{s, ctx}, func(scan func(...any) error) error {
		var day int64
		var what string
		var n int
		if err := scan(&day, &what, &n); err != nil {
			return err
		}
		d := &out[day-first]
		switch what {
		case tallySignIns:
			d.SignIns = n
		case tallyRefused:
			d.Refused = n
		case tallyOpened:
			d.AppsOpened = n
		case tallyAppRefused:
			d.AppsRefused = n
		case tallyEnrolled:
			d.Enrolled, d.IsNoted = n, true
		case tallyPeople:
			d.People = n
		}
		return nil
	}, `SELECT day, what, CAST(sum(n) AS BIGINT) FROM tally WHERE day >= $1 AND day <= $2 GROUP BY day, what`, first, today)
	if err != nil {
		return nil, fmt.Errorf("reading the tally: %w", err)
	}
	last := &out[days-1]
	if err := s.row(ctx, enrolledQuery).Scan(&last.People, &last.Enrolled); err != nil {
		return nil, fmt.Errorf("counting who has enrolled: %w", err)
	}
	last.IsNoted = true
	for i := 1; i < days; i++ {
		if before := out[i-1]; !out[i].IsNoted && before.IsNoted {
			out[i].People, out[i].Enrolled, out[i].IsNoted = before.People, before.Enrolled, true
		}
	}
	return out, nil
}

// HasApps reports whether the workspace has apps.
func (s *Store) HasApps(ctx context.Context) (has bool, err error) {
	if err := s.row(ctx, `SELECT EXISTS (SELECT 1 FROM app)`).Scan(&has); err != nil {
		return false, fmt.Errorf("looking for apps: %w", err)
	}
	return has, nil
}
