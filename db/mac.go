package db

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// macSize is how many bytes of HMAC-SHA-256 a MAC keeps.
const macSize = 16

// MAC returns a keyed hash of a text, in base64url: 22 characters that nobody makes who
// has neither the key file nor this process. The purpose keeps one use apart from the
// others.
func (s *Store) MAC(purpose, text string) string {
	mac := hmac.New(sha256.New, s.lookup)
	mac.Write([]byte("mac\x00" + purpose + "\x00" + text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:macSize])
}

// EqualMAC compares two of them in constant time.
func EqualMAC(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
