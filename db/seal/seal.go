// Package seal keeps secrets: the key file, the keys derived from it, and what is
// encrypted with them. It knows no database.
package seal

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// KeySize is the length of the key file and of every key in bytes.
const KeySize = 32

// A Keyring seals and opens with the key file's key.
type Keyring struct {
	id   []byte // tells keys apart, and nothing about them
	aead cipher.AEAD
	mac  []byte // the key of MAC
}

// NewKey mints a random key.
func NewKey() []byte {
	key := make([]byte, KeySize)
	rand.Read(key)
	return key
}

// newKeyring derives the keys of the key that a file holds.
func newKeyring(path string, key []byte) (*Keyring, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("the key file %s has %d bytes, not %d; restore it from where you keep its copy",
			path, len(key), KeySize)
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
	mac, err := hkdf.Key(sha256.New, key, nil, "gatehouse mac v1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("deriving the key of MACs: %w", err)
	}
	return &Keyring{id: id, aead: aead, mac: mac}, nil
}

// ID names the key without telling anything about it.
func (k *Keyring) ID() []byte { return k.id }

// HasID reports whether these are the keys with an id.
func (k *Keyring) HasID(id []byte) bool { return bytes.Equal(k.id, id) }

// Seal encrypts under a random nonce, bound to its context: what is sealed for
// one row opens in no other.
func (k *Keyring) Seal(plaintext []byte, context string) ([]byte, error) {
	nonce := make([]byte, k.aead.NonceSize(), k.aead.NonceSize()+len(plaintext)+k.aead.Overhead())
	rand.Read(nonce)
	return k.aead.Seal(nonce, nonce, plaintext, []byte(context)), nil
}

// Open decrypts what Seal made with the same context.
func (k *Keyring) Open(sealed []byte, context string) ([]byte, error) {
	if len(sealed) < k.aead.NonceSize() {
		return nil, errors.New("a sealed value is cut short")
	}
	plaintext, err := k.aead.Open(nil, sealed[:k.aead.NonceSize()], sealed[k.aead.NonceSize():], []byte(context))
	if err != nil {
		return nil, errors.New("a sealed value does not open: it was moved or changed, or the key is another")
	}
	return plaintext, nil
}

// MAC returns HMAC-SHA-256 of a context, for a row that holds nothing secret and must
// count in its own place alone.
func (k *Keyring) MAC(context string) []byte {
	mac := hmac.New(sha256.New, k.mac)
	mac.Write([]byte(context))
	return mac.Sum(nil)
}

// Prove refuses what MAC did not make of the same context.
func (k *Keyring) Prove(mac []byte, context string) error {
	if !hmac.Equal(mac, k.MAC(context)) {
		return errors.New("a row is not as it was written: it was moved or changed, or the key is another")
	}
	return nil
}
