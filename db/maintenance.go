package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/db/engine"
	"gatehouse/db/files"
	"gatehouse/db/move"
	"gatehouse/db/seal"
)

// Backup writes a consistent copy of the database to a file that must not exist
// yet, while the server goes on. The copy is checked before it gets its name,
// readable by its owner only, and never holds the key. From a server it is written from
// one snapshot into a file like SQLite's.
func (s *Store) Backup(ctx context.Context, target string) error {
	if s.kind == engine.Postgres {
		return s.backupServer(ctx, target)
	}
	return files.CopyDatabase(ctx, s.path, target)
}

func (s *Store) backupServer(ctx context.Context, target string) error {
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already; choose another name", target)
	}
	file, err := newFileTarget(target, s.fileSchema, files.CreateCopyBeside)
	if err != nil {
		return fmt.Errorf("cannot make the copy: %w", err)
	}
	if _, err := move.Copy(ctx, s.side(), file.side, nil); err != nil {
		return errors.Join(fmt.Errorf("cannot make the copy: %w", err), file.abandon())
	}
	return file.finish()
}

// allSecretsTimeout bounds the commands that go through every sealed secret.
const allSecretsTimeout = 10 * time.Minute

// Check runs SQLite's integrity and foreign-key checks, which a server does by itself, and opens every sealed secret. It
// gives how many there are; if some do not open, the error names their owners.
func (s *Store) Check(ctx context.Context) (secrets int, err error) {
	if s.kind == engine.SQLite {
		if err := files.CheckIntegrity(ctx, s.reader.Pool()); err != nil {
			return 0, err
		}
	}
	var closed []int64
	var nobodys []string
	err = s.writeWithin(ctx, allSecretsTimeout, lockWorkspace(), func(t *tx) error {
		secrets, closed, nobodys = 0, nil, nil
		keys, err := s.keyring(t)
		if err != nil {
			return err
		}
		return eachSealed(ctx, t, StepOpening, func(c sealedColumn, r sealedRow) error {
			if !c.isOwn() {
				secrets++
			}
			_, err := c.open(keys, r)
			switch {
			case err != nil && c.person != "":
				closed = append(closed, r.person)
			case err != nil:
				nobodys = append(nobodys, c.describe(r))
			}
			return nil
		})
	})
	switch {
	case err != nil:
	case len(closed) > 0:
		err = s.unopenedError(ctx, closed)
	case len(nobodys) > 0:
		err = fmt.Errorf("%s does not open; put a backup in place", nobodys[0])
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

// RotateKey encrypts everything again under a new key, which then takes the key file's
// place. The new key is on the disk before the one transaction that uses it commits, and
// the key file is replaced after it: interrupted anywhere, the workspace still opens, and
// rotating again finishes the work. A running server notices. Key files change only while
// this process may write the database, so that of two rotations at once neither loses the
// key of the other.
//
// Where several processes serve, each has its own key file: the new key has to be beside
// every one of them before, and a rotation makes none.
func (s *Store) RotateKey(ctx context.Context, by Actor, now time.Time) (secrets int, err error) {
	if err := s.requireNextKeyEverywhere(ctx, now); err != nil {
		return 0, err
	}
	var next *seal.Keyring
	err = s.writeWithin(ctx, allSecretsTimeout, lockWorkspace(), func(t *tx) error {
		old, err := s.keyring(t)
		if err != nil {
			return err
		}
		if err := seal.AdoptNextKey(s.keyFile, old); err != nil { // of a rotation that lacked only its last step
			return err
		}
		if next, err = s.readNextKey(); err != nil {
			return err
		}
		if secrets, err = t.reseal(ctx, old, next); err != nil {
			return err
		}
		if err := t.execOne(`UPDATE workspace SET key_id = $1 WHERE id = 1`, next.ID()); err != nil {
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
