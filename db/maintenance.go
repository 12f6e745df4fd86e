package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/db/files"
	"gatehouse/db/seal"
	"gatehouse/twofactor"
)

// Backup writes a consistent copy of the database to a file that must not exist
// yet, while the server goes on. The copy is checked before it gets its name,
// readable by its owner only, and never holds the key.
func (s *Store) Backup(ctx context.Context, target string) error {
	return files.CopyDatabase(ctx, s.path, target)
}

// allSecretsTimeout bounds the commands that go through every sealed secret.
const allSecretsTimeout = 10 * time.Minute

// Check runs SQLite's integrity and foreign-key checks and opens every sealed secret. It
// gives how many there are; if some do not open, the error names their owners.
func (s *Store) Check(ctx context.Context) (secrets int, err error) {
	if err := files.CheckIntegrity(ctx, s.reader.Pool()); err != nil {
		return 0, err
	}
	var closed []int64
	err = s.writeWithin(ctx, allSecretsTimeout, lockWorkspace(), func(t *tx) error {
		keys, err := s.keyring(t)
		if err != nil {
			return err
		}
		return t.eachSealed(func(r sealedSecret) error {
			secrets++
			if _, err := keys.Open(r.secret, r.context()); err != nil {
				closed = append(closed, r.person)
			}
			return nil
		})
	})
	if err == nil && len(closed) > 0 {
		err = s.unopenedError(ctx, closed)
	}
	return secrets, err
}

// NewestActivity is when the newest row of activity was written: how old the
// database's content is. It is zero for a workspace in which nothing has happened.
func (s *Store) NewestActivity(ctx context.Context) (time.Time, error) {
	var at sql.NullInt64
	err := s.row(ctx, `SELECT max(at) FROM activity WHERE at > 0`).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, fmt.Errorf("reading the newest activity: %w", err)
	}
	return instant(at), nil
}

// unopenedNamed is how many of those whose secrets do not open are named.
const unopenedNamed = 20

// unopenedError names the people whose secrets do not open, and says what to do.
func (s *Store) unopenedError(ctx context.Context, people []int64) error {
	var names []string
	for _, id := range people[:min(len(people), unopenedNamed)] {
		p, err := s.Person(ctx, id)
		if err != nil {
			return err
		}
		names = append(names, p.Email)
	}
	if more := len(people) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("a sealed secret does not open for %s; put a backup in place, or reset the second step of these people with gatehouse two-factor reset", strings.Join(names, ", "))
}

// A sealedSecret is the encrypted part of an enrolment.
type sealedSecret struct {
	id, secret []byte
	person     int64
	state      string
}

func (r sealedSecret) context() string {
	state := twofactor.Pending
	if r.state == "enabled" {
		state = twofactor.Enabled
	}
	return sealContext(state, r.person, r.id)
}

// eachSealed calls do for every sealed secret. The rows are read a thousand at
// a time, since do may write.
func (t *tx) eachSealed(do func(sealedSecret) error) error {
	last := []byte{}
	for {
		page, err := t.rowsSealedAfter(last)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, r := range page {
			if err := do(r); err != nil {
				return err
			}
		}
		last = page[len(page)-1].id
	}
}

func (t *tx) rowsSealedAfter(last []byte) ([]sealedSecret, error) {
	rows, err := t.rows(`SELECT id, secret, person_id, state FROM enrollment WHERE id > ? ORDER BY id LIMIT 1000`, last)
	if err != nil {
		return nil, fmt.Errorf("reading sealed secrets: %w", err)
	}
	defer rows.Close()
	var page []sealedSecret
	for rows.Next() {
		var r sealedSecret
		if err := rows.Scan(&r.id, &r.secret, &r.person, &r.state); err != nil {
			return nil, fmt.Errorf("reading a sealed secret: %w", err)
		}
		page = append(page, r)
	}
	return page, rows.Err()
}

// RotateKey encrypts everything again under a new key, which then takes the key file's
// place. The new key is on the disk before the one transaction that uses it commits, and
// the key file is replaced after it: interrupted anywhere, the workspace still opens, and
// rotating again finishes the work. A running server notices. Key files change only while
// this process may write the database, so that of two rotations at once neither loses the
// key of the other.
func (s *Store) RotateKey(ctx context.Context, by Actor, now time.Time) (secrets int, err error) {
	var next *seal.Keyring
	err = s.writeWithin(ctx, allSecretsTimeout, lockWorkspace(), func(t *tx) error {
		old, err := s.keyring(t)
		if err != nil {
			return err
		}
		if err := seal.AdoptNextKey(s.keyFile, old); err != nil { // of a rotation that lacked only its last step
			return err
		}
		if next, err = seal.ReadOrMakeNextKey(s.keyFile); err != nil {
			return err
		}
		if secrets, err = t.reseal(old, next); err != nil {
			return err
		}
		lookup, err := next.Seal(s.lookup, lookupKeyLabel)
		if err != nil {
			return err
		}
		if err := t.execOne(`UPDATE workspace SET key_id = ?, lookup_key = ? WHERE id = 1`, next.ID(), lookup); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{event: account.KeyRotated, actor: by})
		return err
	})
	if err != nil {
		return 0, err
	}
	s.keys.Store(next)
	return secrets, s.writeWithin(ctx, allSecretsTimeout, lockWorkspace(), func(t *tx) error {
		keys, err := s.keyring(t)
		if err != nil {
			return err
		}
		return seal.AdoptNextKey(s.keyFile, keys)
	})
}

// reseal seals every secret under the next key.
func (t *tx) reseal(old, next *seal.Keyring) (secrets int, err error) {
	err = t.eachSealed(func(r sealedSecret) error {
		plaintext, err := old.Open(r.secret, r.context())
		if err != nil {
			return fmt.Errorf("the secret of person %d: %w; run gatehouse check to see whose do not open", r.person,
				err)
		}
		sealed, err := next.Seal(plaintext, r.context())
		if err != nil {
			return err
		}
		secrets++
		return t.execOne(`UPDATE enrollment SET secret = ? WHERE id = ?`, sealed, r.id)
	})
	return secrets, err
}
