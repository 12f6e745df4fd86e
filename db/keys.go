package db

import (
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
	aead cipher.AEAD
}

// newKey mints a random key.
func newKey() []byte {
	key := make([]byte, keySize)
	rand.Read(key)
	return key
}

// openKeys reads the key file. Only a workspace that is being made may get a
// new one: over sealed rows a missing key is refused.
func openKeys(path string, fresh bool) (*keyring, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && fresh {
		key = newKey()
		err = writeKey(path, key)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the key file %s is missing; put it back from its safe-keeping, or name its place with --key-file", path)
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
	return &keyring{aead: aead}, nil
}

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
// belongs to this database.
func (s *Store) openLookupKey(ctx context.Context) error {
	var sealed []byte
	if err := s.reader.row(ctx, `SELECT lookup_key FROM workspace`).Scan(&sealed); err != nil {
		return fmt.Errorf("reading the workspace: %w", err)
	}
	key, err := s.keys.open(sealed, lookupKeyLabel)
	if err != nil {
		return fmt.Errorf("the key file %s does not belong to %s; put the right one in its place, or name it with --key-file", s.keyFile, s.path)
	}
	s.lookup = key
	return nil
}
