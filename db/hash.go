package db

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
)

// The parameters of argon2id: OWASP's first choice, 19 MiB and two passes.
const (
	argonMemory  = 19456 // KiB
	argonTime    = 2
	argonThreads = 1
	argonSalt    = 16
	argonTag     = 32
)

// The gate before the slow hash: no more at once than there are cores, so that
// memory stays bounded, and a short queue, first come, first served.
const (
	hashesAtOnce  = 4
	hashesWaiting = 32
	hashPatience  = 2 * time.Second
)

// dummyHash is verified in place of a person who does not exist, so that the
// answer takes as long. No password matches it: its tag is not a hash's.
var dummyHash = phc(make([]byte, argonSalt), make([]byte, argonTag))

type hashGate struct {
	running chan struct{}
	queue   chan struct{} // running and waiting
	passed  atomic.Int64  // how many hashes were computed, ever
	refused atomic.Uint64 // how many were not, because the gate was full
}

// hashWidth is how many slow hashes may run at once on this machine.
func hashWidth() int { return min(runtime.GOMAXPROCS(0), hashesAtOnce) }

// HashMemory is what the slow hashes that run at once take together, in bytes.
func HashMemory() int64 { return int64(hashWidth()) * argonMemory << 10 }

func newHashGate() *hashGate {
	n := hashWidth()
	return &hashGate{running: make(chan struct{}, n), queue: make(chan struct{}, n+hashesWaiting)}
}

// pass runs do when its turn comes, or gives ErrBusy when the queue is full or
// two seconds have passed.
func (g *hashGate) pass(ctx context.Context, do func()) error {
	select {
	case g.queue <- struct{}{}:
		defer func() { <-g.queue }()
	default:
		g.refused.Add(1)
		return ErrBusy
	}
	patience := time.NewTimer(hashPatience)
	defer patience.Stop()
	select {
	case g.running <- struct{}{}:
		defer func() { <-g.running }()
	case <-patience.C:
		g.refused.Add(1)
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
	g.passed.Add(1)
	do()
	return nil
}

func argon(secret, salt []byte) []byte {
	return argon2.IDKey(secret, salt, argonTime, argonMemory, argonThreads, argonTag)
}

// phc writes a hash as a PHC string, the parameters included.
func phc(salt, tag []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads, b64.EncodeToString(salt), b64.EncodeToString(tag))
}

// hashPassword gives the PHC string to store for a new password.
func (s *Store) hashPassword(ctx context.Context, p Password) (string, error) {
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	var out string
	err := s.gate.pass(ctx, func() { out = phc(salt, argon(p.normal, salt)) })
	return out, err
}

// verifyPassword reports whether the text typed is the password behind a PHC
// string, and whether that string should be made anew because parameters have
// risen since. An empty or foreign string matches nothing and costs the same.
func (s *Store) verifyPassword(ctx context.Context, typed, stored string) (ok, outdated bool, err error) {
	var version int
	var m, t uint32
	var p uint8
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		parts = strings.Split(s.dummy, "$")
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &m, &t, &p); err != nil {
		return false, false, fmt.Errorf("reading a password's parameters: %w", err)
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, false, fmt.Errorf("reading a password's salt: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return false, false, fmt.Errorf("reading a password's hash: %w", err)
	}
	if version != argon2.Version || t == 0 || p == 0 || m > 1<<20 || len(want) < 16 || len(want) > 1024 {
		return false, false, fmt.Errorf("a password's parameters are out of range")
	}
	normal := normalize(typed)
	err = s.gate.pass(ctx, func() {
		got := argon2.IDKey(normal, salt, t, m, p, uint32(len(want)))
		ok = subtle.ConstantTimeCompare(got, want) == 1
	})
	return ok, m < argonMemory || t < argonTime, err
}
