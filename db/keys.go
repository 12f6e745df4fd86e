package db

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/chacha20poly1305"
)

// keySize is the length of the key file and of every key in bytes.
const keySize = 32

// lookupKeyLabel binds the sealed lookup key to its place.
const lookupKeyLabel = "gatehouse lookup key"

// A keyring seals and opens with the key file's key.
type keyring struct {
	id   []byte // tells keys apart, and nothing about them
	aead cipher.AEAD
}

// newKey mints a random key.
func newKey() []byte {
	key := make([]byte, keySize)
	rand.Read(key)
	return key
}

// makeKeys reads the key file for a workspace that is being made, and makes it
// when there is none.
func makeKeys(path string) (*keyring, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = newKey()
		err = writeKey(path, key)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use the key file %s: %w", path, err)
	}
	return newKeyring(path, key)
}

func newKeyring(path string, key []byte) (*keyring, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("the key file %s has %d bytes, not %d; put it back from its safe-keeping", path, len(key), keySize)
	}
	sub, err := hkdf.Key(sha256.New, key, nil, "gatehouse seal v1", chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("deriving the sealing key: %w", err)
	}
	aead, err := chacha20poly1305.NewX(sub)
	if err != nil {
		return nil, fmt.Errorf("preparing the sealing key: %w", err)
	}
	id, err := hkdf.Key(sha256.New, key, nil, "gatehouse key id v1", 8)
	if err != nil {
		return nil, fmt.Errorf("deriving the key's id: %w", err)
	}
	return &keyring{id: id, aead: aead}, nil
}

// ring gives the keys that the database is sealed with now. After a key
// rotation beside a running server they are read anew.
func (s *Store) ring(t *tx) (*keyring, error) {
	var id []byte
	if err := t.row(`SELECT key_id FROM workspace`).Scan(&id); err != nil {
		return nil, fmt.Errorf("reading the workspace: %w", err)
	}
	return s.ringOf(id)
}

// ringOf gives the keys with an id.
func (s *Store) ringOf(id []byte) (*keyring, error) {
	if keys := s.keys.Load(); bytes.Equal(keys.id, id) {
		return keys, nil
	}
	keys, err := findKeys(s.keyFile, id)
	if err != nil {
		return nil, err
	}
	s.keys.Store(keys)
	return keys, nil
}

// findKeys reads the key with an id: from the key file or, when a rotation was
// cut off before its last step, from the file that was to take its place.
func findKeys(path string, id []byte) (*keyring, error) {
	for _, file := range []string{path, path + nextKey, path} { // once more: it may just have been replaced
		key, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot use the key file %s: %w", file, err)
		}
		keys, err := newKeyring(file, key)
		if err != nil || bytes.Equal(keys.id, id) {
			return keys, err
		}
	}
	return nil, fmt.Errorf("the key file %s does not belong to the database; put the right one in its place, or name it with --key-file", path)
}

// nextKey ends the name of the file that holds the new key during a rotation.
const nextKey = ".next"

// writeKey makes a key file, readable by its owner only, that is whole or not
// there: a half-written key would lock everybody out.
func writeKey(path string, key []byte) error {
	making := path + ".new"
	if err := os.Remove(making); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(making, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(key)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(making, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// seal encrypts under a random nonce, bound to its context: what is sealed for
// one row opens in no other.
func (k *keyring) seal(plain []byte, context string) ([]byte, error) {
	nonce := make([]byte, k.aead.NonceSize(), k.aead.NonceSize()+len(plain)+k.aead.Overhead())
	rand.Read(nonce)
	return k.aead.Seal(nonce, nonce, plain, []byte(context)), nil
}

// open decrypts what seal made with the same context.
func (k *keyring) open(sealed []byte, context string) ([]byte, error) {
	if len(sealed) < k.aead.NonceSize() {
		return nil, errors.New("a sealed value is cut short")
	}
	plain, err := k.aead.Open(nil, sealed[:k.aead.NonceSize()], sealed[k.aead.NonceSize():], []byte(context))
	if err != nil {
		return nil, errors.New("a sealed value does not open: it was moved or changed, or the key is another")
	}
	return plain, nil
}

// openLookupKey opens the workspace's own key, which proves that the key file
// belongs to this database. Over a workspace a missing key is refused.
func (s *Store) openLookupKey(ctx context.Context) error { return s.openLookupKeyOr(ctx, 2) }

func (s *Store) openLookupKeyOr(ctx context.Context, mayRetry int) error {
	var id, sealed []byte
	if err := s.reader.row(ctx, `SELECT key_id, lookup_key FROM workspace`).Scan(&id, &sealed); err != nil {
		return fmt.Errorf("reading the workspace: %w", err)
	}
	_, missing := os.Stat(s.keyFile)
	_, next := os.Stat(s.keyFile + nextKey)
	if errors.Is(missing, fs.ErrNotExist) && errors.Is(next, fs.ErrNotExist) {
		return fmt.Errorf("the key file %s is missing; put it back from its safe-keeping, or name its place with --key-file", s.keyFile)
	}
	keys, err := findKeys(s.keyFile, id)
	if err != nil && mayRetry > 0 {
		return s.openLookupKeyOr(ctx, mayRetry-1) // a rotation may have come between the two readings
	}
	if err != nil {
		return err
	}
	if s.lookup, err = keys.open(sealed, lookupKeyLabel); err != nil {
		return fmt.Errorf("opening the workspace's own key: %w", err)
	}
	s.keys.Store(keys)
	return nil
}
