package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
)

// knownBrowserTTL is how long a browser that completed a sign-in is known.
const knownBrowserTTL = 180 * 24 * time.Hour

// maxBrowsers is how many browsers are known to one person at most.
const maxBrowsers = 20

// A KnownBrowser is one row of the list of the browsers that somebody is known by.
type KnownBrowser struct {
	Handle  string
	Browser string // the User-Agent header; "" when it signed in before that was kept
	Address string
	MadeAt  time.Time // its first sign-in
	SeenAt  time.Time // its last sign-in
	Current bool
}

// KnownBrowsers lists the browsers that the visitor is known by, the newest sign-in
// first.
func (s *Store) KnownBrowsers(ctx context.Context, v Visitor, c Client, now time.Time) ([]KnownBrowser, error) {
	rows, err := s.rows(ctx, `SELECT handle, browser, address, made_at, seen_at, token_hash = $1 FROM known_browser
		WHERE person_id = $2 AND expires_at > $3 ORDER BY seen_at DESC, handle`, hashToken(c.Known), v.Person.ID, unix(now))
	if err != nil {
		return nil, fmt.Errorf("reading known browsers: %w", err)
	}
	defer rows.Close()
	var list []KnownBrowser
	for rows.Next() {
		var one KnownBrowser
		var made, seen sql.NullInt64
		if err := rows.Scan(&one.Handle, &one.Browser, &one.Address, &made, &seen, &one.Current); err != nil {
			return nil, fmt.Errorf("reading a known browser: %w", err)
		}
		one.MadeAt, one.SeenAt = instant(made), instant(seen)
		list = append(list, one)
	}
	return list, rows.Err()
}

// ForgetBrowser forgets one of the visitor's browsers by its handle, or returns
// ErrNotFound when it is somebody else's or none. Its sessions stay.
func (s *Store) ForgetBrowser(ctx context.Context, v Visitor, handle string, c Client, now time.Time) error {
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		n, err := t.exec(`DELETE FROM known_browser WHERE person_id = $1 AND handle = $2`, v.Person.ID, handle)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		_, err = t.appendActivity(now, activityEntry{event: account.BrowserForgotten, actor: v.Actor(c), subject: v.Person.ID})
		return err
	})
}

// forgetBrowsers forgets all browsers of a person but the one with this token ("": all).
func (t *tx) forgetBrowsers(person int64, but string) error {
	_, err := t.exec(`DELETE FROM known_browser WHERE person_id = $1 AND token_hash <> $2`, person, hashToken(but))
	return err
}

// rememberBrowser makes the browser known to the person, or extends that, and returns the
// token that its cookie carries. A token is taken over from this very person's row alone:
// one that was not minted here, or that somebody else on the same computer got, would be
// known to whoever else has it. Wrong codes from any of the person's browsers are
// cleared, since they are no longer in a row.
func (t *tx) rememberBrowser(person int64, c Client, now time.Time) (token string, err error) {
	known, _, err := t.isKnownBrowser(person, c, now)
	if err != nil {
		return "", err
	}
	if _, err := t.exec(`UPDATE known_browser SET wrong_codes = 0 WHERE person_id = $1 AND wrong_codes > 0`,
		person); err != nil {
		return "", err
	}
	agent := truncateUserAgent(c.Browser)
	if known {
		return c.Known, t.execOne(`UPDATE known_browser SET browser = $1, address = $2, seen_at = $3, expires_at = $4
			WHERE token_hash = $5`,
			agent, c.Address, unix(now), unix(now.Add(knownBrowserTTL)), hashToken(c.Known))
	}
	token = newToken()
	if err := t.execOne(`INSERT INTO known_browser (token_hash, handle, person_id, browser, address, made_at, seen_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		hashToken(token), newHandle(), person, agent, c.Address, unix(now), unix(now),
		unix(now.Add(knownBrowserTTL))); err != nil {
		return "", fmt.Errorf("remembering a browser: %w", err)
	}
	if _, err := t.exec(`DELETE FROM known_browser WHERE person_id = $1 AND expires_at <= $2`,
		person, unix(now)); err != nil {
		return "", err
	}
	// Among those of one second the new one counts as the newest.
	_, err = t.exec(`DELETE FROM known_browser WHERE person_id = $1 AND token_hash NOT IN (
			SELECT token_hash FROM known_browser WHERE person_id = $2
			ORDER BY expires_at DESC, token_hash = $3 DESC LIMIT $4)`,
		person, person, hashToken(token), maxBrowsers)
	return token, err
}

// isKnownBrowser reports whether a browser is known to a person, and the wrong codes
// from all that are: each with a count of its own, they would add up to more
// than the 100 that NIST SP 800-63B-4 section 3.2.2 allows.
func (t *tx) isKnownBrowser(person int64, c Client, now time.Time) (known bool, wrongCodes int, err error) {
	if c.Known == "" {
		return false, 0, nil
	}
	err = t.row(`SELECT (SELECT sum(wrong_codes) FROM known_browser WHERE person_id = b.person_id)
		FROM known_browser b WHERE token_hash = $1 AND person_id = $2 AND expires_at > $3`,
		hashToken(c.Known), person, unix(now)).Scan(&wrongCodes)
	if errors.Is(err, sql.ErrNoRows) {
		return false, 0, nil
	}
	return err == nil, wrongCodes, err
}
