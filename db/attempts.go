package db

import (
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"net/netip"
	"time"

	"gatehouse/twofactor"
)

// The kinds of counts: what was answered wrongly.
const (
	countCode          = "code"           // second step, from browsers that are not known
	countRecovery      = "recovery"       // recovery codes
	countPassword      = "password"       // from browsers that are not known
	countPasswordKnown = "password-known" // from one known browser
)

// count reads how often a subject answered wrongly in a row.
func (t *tx) count(kind, subject string, now time.Time) (twofactor.Count, error) {
	var c twofactor.Count
	var at sql.NullInt64
	err := t.row(`SELECT n, last_at FROM attempt WHERE kind = ? AND subject = ?`, kind, subject).Scan(&c.N, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	}
	c.LastAt = instant(at)
	if settled := c.Settle(now); err == nil && settled != c {
		return settled, t.setCount(kind, subject, settled) // the clock was set back
	}
	return c, err
}

func (t *tx) setCount(kind, subject string, c twofactor.Count) error {
	_, err := t.exec(`INSERT INTO attempt (kind, subject, n, last_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (kind, subject) DO UPDATE SET n = excluded.n, last_at = excluded.last_at`, kind, subject, c.N, unix(c.LastAt))
	return err
}

// attempt counts one more attempt before its answer is looked at, or refuses
// while the ladder makes the subject wait.
func (t *tx) attempt(kind, subject string, ladder twofactor.Ladder, now time.Time) error {
	c, err := t.count(kind, subject, now)
	if err != nil {
		return err
	}
	if err := ladder.Check(c, now); err != nil {
		return err
	}
	return t.setCount(kind, subject, c.Another(now))
}

// uncount takes back an attempt whose answer was right.
func (t *tx) uncount(kind, subject string) error {
	_, err := t.exec(`UPDATE attempt SET n = n - 1 WHERE kind = ? AND subject = ? AND n > 0`, kind, subject)
	return err
}

func (t *tx) clearCount(kind, subject string) error {
	_, err := t.exec(`DELETE FROM attempt WHERE kind = ? AND subject = ?`, kind, subject)
	return err
}

// forgetAttempts forgets all of a person's wrong answers, those from known
// browsers included.
func (t *tx) forgetAttempts(person int64) error {
	id := id10(person)
	if _, err := t.exec(`DELETE FROM attempt WHERE kind IN ('code', 'recovery', 'password') AND subject = ?`, id); err != nil {
		return err
	}
	// Known browsers count under "id hash"; "!" is the sign after the space.
	if _, err := t.exec(`DELETE FROM attempt WHERE kind = 'password-known' AND subject > ? AND subject < ?`, id+" ", id+"!"); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE known_browser SET wrong_codes = 0 WHERE person_id = ? AND wrong_codes > 0`, person)
	return err
}

// attemptFrom counts an attempt from a client's network, or refuses with Wait
// when there were 20 at once or 60 in ten minutes. Success does not clear it.
func (t *tx) attemptFrom(address string, now time.Time) error {
	network := network(address)
	var b twofactor.Bucket
	var at int64
	err := t.row(`SELECT level, at FROM address_attempt WHERE address = ?`, network).Scan(&b.Level, &at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err == nil {
		b.At = time.UnixMilli(at)
	}
	before := b.At
	b, refusal := b.Another(now)
	if refusal != nil && b.At.UnixMilli() >= before.UnixMilli() {
		return refusal // nothing to keep: a flood of refused attempts writes nothing
	}
	// The clock was set back: unless that is kept, the bucket would not leak
	// before the old instant comes.
	if _, err = t.exec(`INSERT INTO address_attempt (address, level, at) VALUES (?, ?, ?)
		ON CONFLICT (address) DO UPDATE SET level = excluded.level, at = excluded.at`, network, b.Level, b.At.UnixMilli()); err != nil {
		return err
	}
	return refusal
}

// network is what one household or server gets: an IPv4 address, or the /64 of
// an IPv6 address.
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

// unknownName is how a sign-in name that nobody has is kept: a keyed hash, since
// people type passwords into the wrong field.
func (s *Store) unknownName(email string) string {
	mac := hmac.New(sha256.New, s.lookup)
	mac.Write([]byte("unknown name\x00" + email))
	return "unknown:" + hex.EncodeToString(mac.Sum(nil)[:12])
}
