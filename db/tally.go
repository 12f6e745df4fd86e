package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"time"

	"gatehouse/account"
)

// What is tallied by the day (UTC), in the transaction of what is counted. Of the last two a
// day has what a sweep has found last on it, and day 0 what there is now.
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
		if t.tallied[key] == 0 {
			continue
		}
		if err := t.execOne(`INSERT INTO tally (day, what, shard, n) VALUES ($1, $2, $3, $4)
			ON CONFLICT (day, what, shard) DO UPDATE SET n = tally.n + excluded.n`,
			key.day, key.what, key.shard, t.tallied[key]); err != nil {
			return fmt.Errorf("counting %s: %w", key.what, err)
		}
	}
	return nil
}

// countPerson counts that a person has become an active one (1), or is none any more (-1),
// and likewise one of those that have a factor that works.
func (t *tx) countPerson(person, people, enrolled int64) {
	if t.tallied == nil {
		t.tallied = map[tallyKey]int64{}
	}
	t.tallied[tallyKey{0, tallyPeople, person % tallyShards}] += people
	t.tallied[tallyKey{0, tallyEnrolled, person % tallyShards}] += enrolled
}

// one is 1 for what is so.
func one(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// countPeople reads how many active people there are, and how many of them have a factor that
// works.
func countPeople(q querier) (people, enrolled int64, err error) {
	err = q.row(`SELECT CAST(coalesce(sum(n) FILTER (WHERE what = 'people'), 0) AS BIGINT),
		CAST(coalesce(sum(n) FILTER (WHERE what = 'enrolled'), 0) AS BIGINT) FROM tally WHERE day = 0`).Scan(&people, &enrolled)
	if err != nil {
		return 0, 0, fmt.Errorf("counting people: %w", err)
	}
	return people, enrolled, nil
}

// noteEnrolled notes how many people there are today, and how many have enrolled.
func (t *tx) noteEnrolled(now time.Time) error {
	people, enrolled, err := countPeople(t)
	if err != nil {
		return err
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
// of a day is as on the day before; today's People and Enrolled are those of now.
func (s *Store) Tally(ctx context.Context, now time.Time, days int) ([]TallyDay, error) {
	out, err := s.tally(reading{s, ctx}, dayOf(now), days)
	if err != nil {
		return nil, fmt.Errorf("reading the tally: %w", err)
	}
	return out, nil
}

func (s *Store) tally(q querier, today int64, days int) ([]TallyDay, error) {
	first := today - int64(days) + 1
	out := make([]TallyDay, days)
	noted := make([]struct{ people, enrolled sql.NullInt64 }, days)
	for i := range out {
		out[i].Day = time.Unix((first+int64(i))*24*60*60, 0).UTC()
	}
	err := eachRow(q, func(scan func(...any) error) error {
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
			noted[day-first].enrolled = sql.NullInt64{Int64: int64(n), Valid: true}
		case tallyPeople:
			noted[day-first].people = sql.NullInt64{Int64: int64(n), Valid: true}
		}
		return nil
	}, `SELECT day, what, CAST(sum(n) AS BIGINT) FROM tally WHERE day >= $1 AND day <= $2 GROUP BY day, what`, first, today)
	if err != nil {
		return nil, err
	}
	people, err := notedBefore(q, tallyPeople, first)
	if err != nil {
		return nil, err
	}
	enrolled, err := notedBefore(q, tallyEnrolled, first)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if noted[i].people.Valid {
			people = noted[i].people
		}
		if noted[i].enrolled.Valid {
			enrolled = noted[i].enrolled
		}
		out[i].People, out[i].Enrolled, out[i].IsNoted = int(people.Int64), int(enrolled.Int64), people.Valid
	}
	there, done, err := countPeople(q)
	last := &out[days-1]
	last.People, last.Enrolled, last.IsNoted = int(there), int(done), true
	return out, err
}

// notedBefore is what was noted last before a day, if anything was.
func notedBefore(q querier, what string, day int64) (n sql.NullInt64, err error) {
	err = q.row(`SELECT n FROM tally WHERE day > 0 AND day < $1 AND what = $2 ORDER BY day DESC LIMIT 1`, day, what).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return sql.NullInt64{}, nil
	}
	return n, err
}

// HasApps reports whether the workspace has apps.
func (s *Store) HasApps(ctx context.Context) (has bool, err error) {
	if err := s.row(ctx, `SELECT EXISTS (SELECT 1 FROM app)`).Scan(&has); err != nil {
		return false, fmt.Errorf("looking for apps: %w", err)
	}
	return has, nil
}
