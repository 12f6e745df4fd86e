package twofactor

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// SecretSize is the length of a TOTP secret in bytes: 160 bits, as RFC 4226
// section 4 (R6) recommends.
const SecretSize = 20

// redacted is how a secret prints.
const redacted = "[redacted]"

var unpadded = base32.StdEncoding.WithPadding(base32.NoPadding)

// A Secret is the key that the authenticator app and the server share. Printing
// it says "[redacted]", so that no log line can hold one; only Bytes, Base32 and
// Groups give it out. The zero Secret matches no code. Secrets cannot be compared
// with ==.
type Secret struct {
	// A function, because fmt looks into a field but cannot call it. It asks no
	// method for %p, for a misused %w, or where a Secret stands in an unexported
	// field: there it finds an address, and not the key.
	key func() string
}

// NewSecret mints a secret from the system's random source.
func NewSecret() Secret {
	key := make([]byte, SecretSize)
	rand.Read(key) // never fails: crypto/rand ends the program instead
	return secretOf(string(key))
}

// ParseSecret takes the bytes of a stored secret. Any length but SecretSize is
// an error: an empty key would make codes that anybody can compute.
func ParseSecret(key []byte) (Secret, error) {
	if len(key) != SecretSize {
		return Secret{}, errors.New("a TOTP secret has 20 bytes")
	}
	return secretOf(string(key)), nil
}

func secretOf(key string) Secret { return Secret{key: func() string { return key }} }

// Bytes returns a copy of the key, for sealing; nil of the zero Secret.
func (s Secret) Bytes() []byte {
	if s.key == nil {
		return nil
	}
	return []byte(s.key())
}

// Base32 returns the key as people type it into an app: 32 letters and digits without
// padding (RFC 4648 section 6).
func (s Secret) Base32() string { return unpadded.EncodeToString(s.Bytes()) }

// Groups returns Base32 in groups of four, which are easier to read aloud and copy.
func (s Secret) Groups() string {
	var b strings.Builder
	for i, r := range s.Base32() {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// String says "[redacted]".
func (Secret) String() string { return redacted }

// Format says "[redacted]" for every verb that fmt asks it about, %x and %#v
// included.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalJSON says "[redacted]".
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText says "[redacted]".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue says "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
