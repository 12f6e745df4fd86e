package twofactor

import "time"

// A Count is how often somebody answered wrongly in a row, and when last.
type Count struct {
	N      int
	LastAt time.Time
}

// clockTolerance is how far instants may go backwards without the clock having been set:
// each request has its own now, and simultaneous ones are counted in any order. A slower
// request does not shorten a wait that has begun.
const clockTolerance = 30 * time.Second

// Increment counts one more attempt. It is stored before the answer is given, and
// where a slow hash comes first, before the hash, so that no crash and no
// parallel request gets a free guess.
func (c Count) Increment(now time.Time) Count {
	if now.Before(c.LastAt) {
		now = c.LastAt
	}
	return Count{N: c.N + 1, LastAt: now}
}

// Clamp returns the count with a LastAt that is not in the future: after a clock that ran
// ahead was set right, nobody waits longer than a whole wait and half a minute. That
// holds when the settled count is kept; Check alone would restart the wait each time.
func (c Count) Clamp(now time.Time) Count {
	if c.LastAt.After(now.Add(clockTolerance)) {
		c.LastAt = now
	}
	return c
}

// A Ladder says how long to wait after so many wrong answers.
type Ladder func(n int) time.Duration

// Closed is the wait of a ladder's end: only an administrator, or the other
// way of passing the second step, opens it again.
const Closed = time.Duration(1<<63 - 1)

// Check refuses with Wait while the count's wait lasts, and with ErrClosed at
// the ladder's end.
func (l Ladder) Check(c Count, now time.Time) error {
	wait := l(c.N)
	if wait == Closed {
		return ErrClosed
	}
	if until := c.Clamp(now).LastAt.Add(wait); wait > 0 && now.Before(until) {
		return Wait{Until: until}
	}
	return nil
}

// CodeWaits is the ladder of the second step for a person, from browsers that
// are not known: NIST SP 800-63B-4 section 3.2.2 allows 100 wrong codes in a
// row; 80 here and 20 from known browsers stay within it.
func CodeWaits(n int) time.Duration {
	switch {
	case n >= 80:
		return Closed
	case n >= 40:
		return 30 * time.Minute
	case n >= 20:
		return 5 * time.Minute
	case n >= 10:
		return time.Minute
	case n >= 5:
		return 30 * time.Second
	}
	return 0
}

// KnownBrowserCodes is how many wrong codes in a row a known browser may give
// before it counts as an unknown one.
const KnownBrowserCodes = 20

// PasswordWaits is the ladder of the password: ten attempts are free, then one
// second, doubling up to 15 minutes.
func PasswordWaits(n int) time.Duration {
	const longest = 15 * time.Minute
	if n < 10 {
		return 0
	}
	if n >= 20 {
		return longest
	}
	return min(longest, time.Second<<(n-10))
}

// The address bucket: so many attempts at once, and one more each interval, so
// 60 in the first ten minutes.
const (
	addressBurst    = 20
	addressInterval = 15 * time.Second
)

// A Bucket counts attempts from one address: it leaks, and refuses when full.
// Level is what it held at At.
type Bucket struct {
	Level float64
	At    time.Time
}

// Add puts one more attempt into the bucket, or refuses with Wait and adds
// nothing. Keep what it returns in either case: after a clock that ran ahead was
// set right, a bucket that still holds the old instant would not leak before
// that instant comes.
func (b Bucket) Add(now time.Time) (Bucket, error) {
	switch elapsed := now.Sub(b.At); {
	case elapsed > 0:
		b.Level = max(0, b.Level-float64(elapsed)/float64(addressInterval))
		b.At = now
	case elapsed < -clockTolerance:
		b.At = now
	}
	if b.Level+1 > addressBurst {
		over := b.Level + 1 - addressBurst
		wait := time.Duration(over*float64(addressInterval)) + 1 // rounded up, or whoever returns on time is refused again
		return b, Wait{Until: b.At.Add(wait)}
	}
	b.Level++
	return b, nil
}

// AddressBucketTTL is after how long an address's bucket is empty for certain.
const AddressBucketTTL = addressBurst * addressInterval
