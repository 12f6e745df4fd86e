package db

import (
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// The kinds of counters: what was entered wrongly.
const (
	countCode          = "code"           // second step, from browsers that are not known
	countRecovery      = "recovery"       // recovery codes
	countPassword      = "password"       // from browsers that are not known
	countPasswordKnown = "password-known" // from one known browser
)

// openAttemptTTL is after how long an attempt that nobody has answered counts as a
// wrong one: requests do not last that long, so the program was cut off.
const openAttemptTTL = time.Minute

// An attemptRow is how many wrong answers in a row a subject has given, with the attempts
// that are being looked at. Those count as wrong while they are open. They stand apart,
// so that one whose answer was right leaves no trace, its time included.
type attemptRow struct {
	wrong  twofactor.Count
	open   int
	openAt time.Time // of the newest
}

// count is what a ladder looks at.
func (r attemptRow) count() twofactor.Count {
	c := twofactor.Count{N: r.wrong.N + r.open, LastAt: r.wrong.LastAt}
	if r.open > 0 && r.openAt.After(c.LastAt) {
		c.LastAt = r.openAt
	}
	return c
}

// readAttempts reads a subject's row. What is stored is brought up to date when the clock
// was set back, and when attempts stayed open for too long.
func (t *tx) readAttempts(kind, subject string, now time.Time) (attemptRow, error) {
	var r attemptRow
	var last, opened sql.NullInt64
	err := t.row(`SELECT n, last_at, open, open_at FROM attempt WHERE kind = $1 AND subject = $2`, kind, subject).
		Scan(&r.wrong.N, &last, &r.open, &opened)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("reading attempts: %w", err)
	}
	r.wrong.LastAt, r.openAt = instant(last), instant(opened)
	before := r
	r.wrong = r.wrong.Clamp(now)
	r.openAt = twofactor.Count{LastAt: r.openAt}.Clamp(now).LastAt
	if r.open > 0 && now.Sub(r.openAt) > openAttemptTTL {
		r.wrong, r.open = r.count(), 0
	}
	if r == before {
		return r, nil
	}
	return r, t.writeAttempts(kind, subject, r)
}

func (t *tx) writeAttempts(kind, subject string, r attemptRow) error {
	_, err := t.exec(`INSERT INTO attempt (kind, subject, n, last_at, open, open_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (kind, subject) DO UPDATE
		SET n = excluded.n, last_at = excluded.last_at, open = excluded.open, open_at = excluded.open_at`,
		kind, subject, r.wrong.N, unix(r.wrong.LastAt), r.open, unix(r.openAt))
	return err
}

// countAttempt counts one more attempt before its answer is checked, or refuses while the
// ladder makes the subject wait. Afterwards it is answered: by recordFailure, by
// refundAttempt, or by clearCount.
func (t *tx) countAttempt(kind, subject string, ladder twofactor.Ladder, now time.Time) error {
	if strings.HasPrefix(subject, unknownLabel) { // other counts are under the lock of a person
		if err := t.claim(`INSERT INTO attempt (kind, subject, n, last_at, open, open_at) VALUES ($1, $2, 0, 0, 0, 0)
			ON CONFLICT (kind, subject) DO NOTHING`,
			`SELECT n FROM attempt WHERE kind = $1 AND subject = $2 FOR UPDATE`, kind, subject); err != nil {
			return err
		}
	}
	r, err := t.readAttempts(kind, subject, now)
	if err != nil {
		return err
	}
	if err := ladder.Check(r.count(), now); err != nil {
		return err
	}
	if r.wrong.N == 0 {
		r.wrong.LastAt = now // from when on a sweep may delete the row
	}
	if r.open == 0 || now.After(r.openAt) {
		r.openAt = now
	}
	r.open++
	return t.writeAttempts(kind, subject, r)
}

// recordFailure answers an attempt of an instant: it was wrong. One that was
// forgotten meanwhile stays forgotten.
func (t *tx) recordFailure(kind, subject string, at time.Time) error {
	_, err := t.exec(`UPDATE attempt
		SET n = n + 1, open = open - 1, last_at = CASE WHEN last_at < $1 THEN $2 ELSE last_at END
		WHERE kind = $3 AND subject = $4 AND open > 0`, unix(at), unix(at), kind, subject)
	return err
}

// refundAttempt answers an attempt: it was right, or was not looked at. The count and
// its time are as they were before.
func (t *tx) refundAttempt(kind, subject string) error {
	if _, err := t.exec(`UPDATE attempt SET open = open - 1 WHERE kind = $1 AND subject = $2 AND open > 0`,
		kind, subject); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM attempt WHERE kind = $1 AND subject = $2 AND n = 0 AND open = 0`, kind, subject)
	return err
}

func (t *tx) clearCount(kind, subject string) error {
	_, err := t.exec(`DELETE FROM attempt WHERE kind = $1 AND subject = $2`, kind, subject)
	return err
}

// clearAttempts clears all of a person's failed attempts, including those from known
// browsers.
func (t *tx) clearAttempts(person int64) error {
	id := formatID(person)
	if _, err := t.exec(`DELETE FROM attempt WHERE kind IN ('code', 'recovery', 'password') AND subject = $1`,
		id); err != nil {
		return err
	}
	// Known browsers count under "id hash"; "!" is the sign after the space.
	if _, err := t.exec(`DELETE FROM attempt WHERE kind = 'password-known' AND subject > $1 AND subject < $2`,
		id+" ", id+"!"); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE known_browser SET wrong_codes = 0 WHERE person_id = $1 AND wrong_codes > 0`, person)
	return err
}

// countAddressAttempt counts an attempt from a client's network, or refuses with Wait
// when there were 20 at once or 60 in ten minutes. A right answer gives its own place
// back (refundAddress) and no other.
func (t *tx) countAddressAttempt(address string, now time.Time) error {
	network := network(address)
	if err := t.claim(`INSERT INTO address_attempt (address, level, at) VALUES ($1, 0, 0) ON CONFLICT (address) DO NOTHING`,
		`SELECT at FROM address_attempt WHERE address = $1 FOR UPDATE`, network); err != nil {
		return err
	}
	var b twofactor.Bucket
	var at int64
	err := t.row(`SELECT level, at FROM address_attempt WHERE address = $1`, network).Scan(&b.Level, &at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err == nil {
		b.At = time.UnixMilli(at)
	}
	before := b.At
	b, refusal := b.Add(now)
	if refusal != nil && b.At.UnixMilli() >= before.UnixMilli() {
		return refusal // nothing to store: a flood of refused attempts writes nothing
	}
	// The clock was set back: unless that is stored, the bucket would not leak before the
	// old instant.
	if _, err = t.exec(`INSERT INTO address_attempt (address, level, at) VALUES ($1, $2, $3)
		ON CONFLICT (address) DO UPDATE SET level = excluded.level, at = excluded.at`,
		network, b.Level, b.At.UnixMilli()); err != nil {
		return err
	}
	return refusal
}

// refundAddress gives an attempt's place in the bucket of a client's network back: the
// answer was right, or was not looked at. An empty bucket leaves no row.
func (t *tx) refundAddress(address string) error {
	network := network(address)
	if _, err := t.exec(`DELETE FROM address_attempt WHERE address = $1 AND level <= 1`, network); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE address_attempt SET level = level - 1 WHERE address = $1`, network)
	return err
}

// network is what one household or server is assigned: an IPv4 address, or the /64 of an
// IPv6 address.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		if prefix, err := ip.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return ip.String()
}

// unknownLabel begins the label of a name that nobody has.
const unknownLabel = "unknown:"

// hashUnknownName is how a sign-in name that nobody has is told of: a keyed hash, since
// people type passwords into the wrong field.
func (s *Store) hashUnknownName(email string) string {
	mac := hmac.New(sha256.New, s.lookup)
	mac.Write([]byte("unknown name\x00" + email))
	return unknownLabel + hex.EncodeToString(mac.Sum(nil)[:12])
}

// unknownNameDigits is how much of an unknown name's hash tells its count from others:
// 65,536 counts for all of them, however many names strangers make up. Names that share
// one wait sooner than they would alone; to bring most counts to a wait within the day
// after which they are forgotten takes over half a million guesses.
const unknownNameDigits = 4

// unknownNameCount is the subject under which attempts at an unknown name are counted.
func unknownNameCount(unknownName string) string {
	return unknownName[:len(unknownLabel)+unknownNameDigits]
}

// unknownNamesListed is how many failed sign-ins with names that nobody has stand in the
// activity within an hour, each for itself. The activity is append only, and a stranger
// can make up any number of names: the others of the hour become one row.
const unknownNamesListed = 10

// listUnknownName counts one failed sign-in with an unknown name, and reports whether it
// is one of those that stand in the activity for themselves.
func (t *tx) listUnknownName(now time.Time) (listed bool, err error) {
	if err := t.closeUnknownHour(now); err != nil {
		return false, err
	}
	var failed int
	err = t.row(`INSERT INTO unknown_name (hour, failed) VALUES ($1, 1)
		ON CONFLICT (hour) DO UPDATE SET failed = unknown_name.failed + 1 RETURNING failed`,
		unix(now.Truncate(time.Hour))).Scan(&failed)
	return failed <= unknownNamesListed, err
}

// closeUnknownHour writes the row of an hour that is over, or that a clock which was set
// back has left in the future.
func (t *tx) closeUnknownHour(now time.Time) error {
	var failed int64
	err := t.row(`DELETE FROM unknown_name WHERE hour <> $1 RETURNING failed`, unix(now.Truncate(time.Hour))).Scan(&failed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("counting unknown names: %w", err)
	}
	if failed <= unknownNamesListed {
		return nil
	}
	_, err = t.appendActivity(now, activityEntry{
		event:  account.UnknownNames,
		failed: true,
		actor:  strangerAt(""),
		method: account.ByPassword,
		detail: strconv.FormatInt(failed-unknownNamesListed, 10),
	})
	return err
}
