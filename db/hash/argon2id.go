// Package hash computes slow hashes: argon2id for passwords and recovery codes, those that
// were taken over from other programs, and the limiter that bounds how many are computed at
// once.
package hash

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Parameters are what one hash of argon2id costs.
type Parameters struct {
	Memory uint32 // KiB
	Passes uint32
}

// Recommended are OWASP's first choice: 19 MiB and two passes.
var Recommended = Parameters{Memory: 19456, Passes: 2}

const (
	threads = 1
	tagSize = 32
)

// SaltSize is the length of a salt, in bytes.
const SaltSize = 16

// dummy is verified in place of a person who does not exist, so that the answer
// takes as long. No password matches it: its tag is not a hash's.
func (p Parameters) dummy() string { return p.encode(make([]byte, SaltSize), make([]byte, tagSize)) }

// NewSalt returns a random salt.
func NewSalt() []byte {
	salt := make([]byte, SaltSize)
	rand.Read(salt)
	return salt
}

// Derive computes the slow hash of a secret. Callers acquire the limiter first.
func (p Parameters) Derive(secret, salt []byte) []byte {
	return argon2.IDKey(secret, salt, p.Passes, p.Memory, threads, tagSize)
}

// New computes the PHC string to store for a secret, under a salt of its own.
// Callers acquire the limiter first.
func (p Parameters) New(secret []byte) string {
	salt := NewSalt()
	return p.encode(salt, p.Derive(secret, salt))
}

// encode writes a hash as a PHC string, the parameters included.
func (p Parameters) encode(salt, tag []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, p.Memory, p.Passes, threads, b64.EncodeToString(salt), b64.EncodeToString(tag))
}

// A Stored hash is one read back from its PHC string.
type Stored struct {
	memory, passes uint32
	threads        uint8
	salt, tag      []byte
	imported       bool
	bcrypt         []byte // in place of all the others but imported
}

// Parse reads a PHC string, whatever its parameters, or what Import returned. An empty one,
// or one of another algorithm, gives a hash that nothing matches and that costs as much to
// verify as a new one. Parameters out of range are an error.
func (p Parameters) Parse(text string) (Stored, error) {
	if foreign, ok := strings.CutPrefix(text, importedPrefix); ok {
		return parseForeign(foreign)
	}
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		parts = strings.Split(p.dummy(), "$")
	}
	var s Stored
	var version int
	_, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &s.memory, &s.passes, &s.threads)
	if err != nil {
		return s, fmt.Errorf("reading a password's parameters: %w", err)
	}
	if s.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return s, fmt.Errorf("reading a password's salt: %w", err)
	}
	if s.tag, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
		return s, fmt.Errorf("reading a password's hash: %w", err)
	}
	if version != argon2.Version || s.passes == 0 || s.threads == 0 || s.memory > 1<<20 || len(s.tag) < 16 ||
		len(s.tag) > 1024 {
		return s, fmt.Errorf("a password's parameters are out of range")
	}
	return s, nil
}

// Matches computes the hash of a secret and reports whether it is this one. Callers
// acquire the limiter first.
func (s Stored) Matches(secret []byte) bool {
	if s.bcrypt != nil {
		return bcrypt.CompareHashAndPassword(s.bcrypt, secret) == nil
	}
	got := argon2.IDKey(secret, s.salt, s.passes, s.memory, s.threads, uint32(len(s.tag)))
	return subtle.ConstantTimeCompare(got, s.tag) == 1
}

// IsImported reports whether another program has made the hash: of the bytes as they were
// typed there, at another cost.
func (s Stored) IsImported() bool { return s.imported }

// IsOutdated reports whether the hash costs less than one of the present parameters, or is
// another program's.
func (s Stored) IsOutdated(present Parameters) bool {
	return s.imported || s.memory < present.Memory || s.passes < present.Passes
}
