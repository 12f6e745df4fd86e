package hash

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// importedPrefix marks a hash that another program has made, until its person signs in: it is
// verified within bounds of its own, and then made anew. Versions before 0.5.0 take it for one
// that nothing matches.
const importedPrefix = "imported:"

// The bounds of imported hashes. What costs more could be used to slow others down.
const (
	maxForeignMemory  = 64 << 10 // KiB
	maxForeignPasses  = 4
	maxForeignThreads = 16
	maxForeignCost    = 12 // of bcrypt: a quarter of a second
)

// The reasons why a hash is not taken over.
var (
	ErrUnknownHash = errors.New("a hash of an algorithm that is not taken over")
	ErrCostlyHash  = errors.New("a hash that costs more than is taken over")
)

// Import returns what is stored for a hash of another program: argon2id or bcrypt, within
// bounds. It refuses any other with ErrUnknownHash or ErrCostlyHash.
func Import(text string) (stored string, err error) {
	if _, err := parseForeign(text); err != nil {
		return "", err
	}
	return importedPrefix + text, nil
}

// bcryptForm is a hash of bcrypt: 22 signs of salt and 31 of hash.
var bcryptForm = regexp.MustCompile(`^\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}$`)

// parseForeign reads a hash of another program.
func parseForeign(text string) (Stored, error) {
	switch {
	case bcryptForm.MatchString(text):
		return parseBcrypt(text)
	case strings.HasPrefix(text, "$argon2id$"):
		return parseArgon2id(text)
	}
	return Stored{}, ErrUnknownHash
}

func parseBcrypt(text string) (Stored, error) {
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil {
		return Stored{}, ErrUnknownHash
	}
	if cost > maxForeignCost {
		return Stored{}, ErrCostlyHash
	}
	return Stored{imported: true, bcrypt: []byte(text)}, nil
}

func parseArgon2id(text string) (Stored, error) {
	s := Stored{imported: true}
	parts := strings.Split(text, "$")
	if len(parts) != 6 {
		return s, ErrUnknownHash
	}
	var version int
	given := parts[2] + "$" + parts[3]
	_, err := fmt.Sscanf(given, "v=%d$m=%d,t=%d,p=%d", &version, &s.memory, &s.passes, &s.threads)
	if err != nil || version != argon2.Version ||
		given != fmt.Sprintf("v=%d$m=%d,t=%d,p=%d", version, s.memory, s.passes, s.threads) {
		return s, ErrUnknownHash
	}
	var saltErr, tagErr error
	s.salt, saltErr = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	s.tag, tagErr = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if saltErr != nil || tagErr != nil || len(s.salt) < 8 || len(s.salt) > 64 || len(s.tag) < 16 || len(s.tag) > 64 ||
		s.passes == 0 || s.threads == 0 || s.memory < 8*uint32(s.threads) {
		return s, ErrUnknownHash
	}
	if s.memory > maxForeignMemory || s.passes > maxForeignPasses || s.threads > maxForeignThreads {
		return s, ErrCostlyHash
	}
	return s, nil
}

// places is how many places of the limiter an imported hash is worth, at most all.
func (s Stored) places() int {
	memory := int((s.memory + Recommended.Memory - 1) / Recommended.Memory)
	return min(max(1, memory, int(s.threads)), concurrency())
}

// Describe names a hash of another program, for whoever is told that it is not taken over.
func Describe(text string) string {
	if s, err := parseForeign(text); err == nil || errors.Is(err, ErrCostlyHash) {
		cost, _ := bcrypt.Cost([]byte(text)) // of an argon2id it is none
		if cost > 0 {
			return fmt.Sprintf("bcrypt of cost %d", cost)
		}
		return fmt.Sprintf("argon2id with m=%d,t=%d,p=%d", s.memory, s.passes, s.threads)
	}
	for _, known := range [][2]string{
		{"$apr1$", "apr1"}, {"{SHA}", "SHA-1"}, {"{SSHA}", "salted SHA-1"}, {"$1$", "MD5 crypt"}, {"$5$", "SHA-256 crypt"},
		{"$6$", "SHA-512 crypt"}, {"$argon2", "argon2"}, {"$2", "bcrypt"}, {"$bcrypt", "bcrypt-sha256"}, {"$scrypt$", "scrypt"},
		{"$pbkdf2", "PBKDF2"}, {"$plaintext$", "plain text"}, {"$y$", "yescrypt"},
	} {
		if strings.HasPrefix(text, known[0]) {
			return known[1]
		}
	}
	return "of an unknown kind"
}
