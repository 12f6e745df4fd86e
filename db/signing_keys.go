package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/openid"
)

// errNoKey is a fault for the moment: the first key is being made.
var errNoKey = errors.New("there is no signing key yet")

// signingKeyContext binds a sealed key to its row.
func signingKeyContext(id, algorithm string) string {
	return "gatehouse signing key " + id + " " + algorithm
}

// PublishedKeys returns the public keys under which apps find what was signed, and what
// will be.
func (s *Store) PublishedKeys(ctx context.Context, now time.Time) (public [][]byte, err error) {
	rows, err := s.rows(ctx, `SELECT public_key FROM signing_key WHERE ends_at IS NULL OR ends_at > $1
		ORDER BY algorithm DESC, used_from`, unix(now))
	if err != nil {
		return nil, fmt.Errorf("reading public keys: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, fmt.Errorf("reading a public key: %w", err)
		}
		public = append(public, []byte(key))
	}
	return public, rows.Err()
}

// signingKey returns the key that signs now. The row is read each time, so that another
// process's rotation counts at once; what it opens to is kept.
func (s *Store) signingKey(t *tx, a openid.Algorithm, now time.Time) (*openid.Key, error) {
	var id string
	var sealed []byte
	err := t.row(`SELECT id, private_key FROM signing_key
		WHERE algorithm = $1 AND used_from <= $2 AND (ends_at IS NULL OR ends_at > $2)
		ORDER BY used_from DESC LIMIT 1`, string(a), unix(now)).Scan(&id, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNoKey
	}
	if err != nil {
		return nil, fmt.Errorf("reading a signing key: %w", err)
	}
	if kept, ok := s.signers.Load(a); ok && kept.(*openid.Key).ID == id {
		return kept.(*openid.Key), nil
	}
	keys, err := s.keyring(t)
	if err != nil {
		return nil, err
	}
	private, err := keys.Open(sealed, signingKeyContext(id, string(a)))
	if err != nil {
		return nil, fmt.Errorf("opening the signing key %s: %w", id, err)
	}
	key, err := openid.ParseKey(a, private)
	if err != nil {
		return nil, err
	}
	if key.ID != id {
		return nil, fmt.Errorf("the signing key %s is another", id)
	}
	s.signers.Store(a, key)
	return key, nil
}

// MakeSigningKeys makes the keys that are due: the first for an algorithm that an app uses,
// and the next a day before it is used. It computes for up to a second where one is, and
// is never called in a request. It reports how many it made.
func (s *Store) MakeSigningKeys(ctx context.Context, now time.Time) (made int, err error) {
	newest, err := s.newestKeys(ctx)
	if err != nil {
		return 0, err
	}
	for algorithm, from := range newest {
		if _, due := openid.NextKey(from, now); !due {
			continue
		}
		key, err := openid.NewKey(algorithm)
		if err != nil {
			return made, err
		}
		if err := s.write(ctx, lockWorkspace(), func(t *tx) error {
			var last sql.NullInt64
			if err := t.row(`SELECT max(used_from) FROM signing_key WHERE algorithm = $1`, string(algorithm)).Scan(&last); err != nil {
				return err
			}
			usedFrom, due := openid.NextKey(instant(last), now)
			if !due {
				return nil // another process was faster
			}
			if _, err := t.exec(`UPDATE signing_key SET ends_at = $1 WHERE algorithm = $2 AND ends_at IS NULL`,
				unix(usedFrom.Add(openid.KeptAfterwards)), string(algorithm)); err != nil {
				return err
			}
			return s.insertSigningKey(t, key, usedFrom)
		}); err != nil {
			return made, err
		}
		made++
	}
	return made, nil
}

// newestKeys returns the algorithms that connected apps use, and from when on the newest
// key of each signs, or the zero time where there is none.
func (s *Store) newestKeys(ctx context.Context) (map[openid.Algorithm]time.Time, error) {
	rows, err := s.rows(ctx, `SELECT client.algorithm, max(k.used_from) FROM app_client client
		LEFT JOIN signing_key k ON k.algorithm = client.algorithm GROUP BY client.algorithm`)
	if err != nil {
		return nil, fmt.Errorf("reading signing keys: %w", err)
	}
	defer rows.Close()
	newest := map[openid.Algorithm]time.Time{}
	for rows.Next() {
		var algorithm openid.Algorithm
		var from sql.NullInt64
		if err := rows.Scan(&algorithm, &from); err != nil {
			return nil, fmt.Errorf("reading signing keys: %w", err)
		}
		newest[algorithm] = instant(from)
	}
	return newest, rows.Err()
}

func (s *Store) insertSigningKey(t *tx, key *openid.Key, usedFrom time.Time) error {
	keys, err := s.keyring(t)
	if err != nil {
		return err
	}
	private, err := key.Private()
	if err != nil {
		return err
	}
	public, err := key.Public()
	if err != nil {
		return err
	}
	sealed, err := keys.Seal(private, signingKeyContext(key.ID, string(key.Algorithm)))
	if err != nil {
		return err
	}
	return t.execOne(`INSERT INTO signing_key (id, algorithm, private_key, public_key, used_from) VALUES ($1, $2, $3, $4, $5)`,
		key.ID, string(key.Algorithm), sealed, string(public), unix(usedFrom))
}

// RotateSigningKeys replaces every signing key at once, in an emergency: the new ones sign
// and are published from now on, and the old ones prove nothing any more. Apps fetch the
// keys anew when they meet one that they do not know.
func (s *Store) RotateSigningKeys(ctx context.Context, by Actor, now time.Time) (made int, err error) {
	newest, err := s.newestKeys(ctx)
	if err != nil {
		return 0, err
	}
	var fresh []*openid.Key
	for algorithm := range newest {
		key, err := openid.NewKey(algorithm)
		if err != nil {
			return 0, err
		}
		fresh = append(fresh, key)
	}
	err = s.write(ctx, lockWorkspace(), func(t *tx) error {
		if _, err := t.exec(`DELETE FROM signing_key WHERE used_from >= $1`, int64(0)); err != nil {
			return err
		}
		for _, key := range fresh {
			if err := s.insertSigningKey(t, key, now); err != nil {
				return err
			}
		}
		_, err := t.appendActivity(now, activityEntry{event: account.AppKeysRotated, actor: by})
		return err
	})
	return len(fresh), err
}
