package db

import (
	"context"
	"fmt"

	"gatehouse/db/seal"
)

// lookupKeyLabel binds the sealed lookup key to its place.
const lookupKeyLabel = "gatehouse lookup key"

// keyring returns the keys that the database is sealed with now. After a key rotation
// beside a running server they are reloaded.
func (s *Store) keyring(t *tx) (*seal.Keyring, error) {
	var id []byte
	if err := t.row(`SELECT key_id FROM workspace`).Scan(&id); err != nil {
		return nil, fmt.Errorf("reading the workspace: %w", err)
	}
	return s.keyringByID(id)
}

// keyringByID returns the keys with an id.
func (s *Store) keyringByID(id []byte) (*seal.Keyring, error) {
	if keys := s.keys.Load(); keys.HasID(id) {
		return keys, nil
	}
	keys, err := seal.FindKey(s.keyFile, id)
	if err != nil {
		return nil, err
	}
	s.keys.Store(keys)
	return keys, nil
}

// openLookupKey opens the workspace's own key, which proves that the key file
// belongs to this database. Over a workspace a missing key is refused.
func (s *Store) openLookupKey(ctx context.Context) error { return s.openLookupKeyOr(ctx, 2) }

func (s *Store) openLookupKeyOr(ctx context.Context, mayRetry int) error {
	var id, sealed []byte
	if err := s.row(ctx, `SELECT key_id, lookup_key FROM workspace`).Scan(&id, &sealed); err != nil {
		return fmt.Errorf("reading the workspace: %w", err)
	}
	if seal.IsMissing(s.keyFile) {
		return fmt.Errorf("the key file %s is missing; restore it from where you keep its copy, or name its place with --key-file", s.keyFile)
	}
	keys, err := seal.FindKey(s.keyFile, id)
	if err != nil && mayRetry > 0 {
		return s.openLookupKeyOr(ctx, mayRetry-1) // a rotation may have come between the two readings
	}
	if err != nil {
		return err
	}
	if s.lookup, err = keys.Open(sealed, lookupKeyLabel); err != nil {
		return fmt.Errorf("opening the workspace's own key: %w", err)
	}
	s.keys.Store(keys)
	return nil
}
