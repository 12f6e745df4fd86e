package twofactor_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"gatehouse/twofactor"
)

// noon is the fixed present of these tests, in the middle of a time step.
var noon = time.Date(2026, time.March, 14, 12, 0, 10, 0, time.UTC)

const pendingTTL = 10 * time.Minute

// rfcKey is the shared secret of RFC 4226 appendix D and RFC 6238 appendix B.
const rfcKey = "12345678901234567890"

// codeAt is a second implementation of HOTP, written from RFC 4226 section 5.3
// alone, that the tests hold the package against.
func codeAt(key []byte, step int64) string {
	mac := hmac.New(sha1.New, key)
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	offset := sum[19] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[offset:])&0x7fffffff)%1_000_000)
}

// stepOf is RFC 6238's T for instants after 1970.
func stepOf(now time.Time) int64 { return now.Unix() / 30 }

// wrongFor returns a code that belongs to no time step near now.
func wrongFor(key []byte, now time.Time) string {
	near := map[string]bool{}
	for step := stepOf(now) - 50; step <= stepOf(now)+50; step++ {
		near[codeAt(key, step)] = true
	}
	for n := 0; ; n++ {
		if code := fmt.Sprintf("%06d", n); !near[code] {
			return code
		}
	}
}

func secretOf(t testing.TB, key []byte) twofactor.Secret {
	t.Helper()
	secret, err := twofactor.ParseSecret(key)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// pending is an enrolment that was begun at noon with the RFCs' secret.
func pending(t testing.TB) twofactor.Enrollment {
	t.Helper()
	var e twofactor.Enrollment
	if err := e.Enable(secretOf(t, []byte(rfcKey)), noon, pendingTTL); err != nil {
		t.Fatal(err)
	}
	return e
}

// enabled is an enrolment that was confirmed at noon with the present code.
func enabled(t testing.TB) twofactor.Enrollment {
	t.Helper()
	e := pending(t)
	if err := e.Confirm(codeAt([]byte(rfcKey), stepOf(noon)), twofactor.Sheet{ID: "K7", MadeAt: noon},
		noon); err != nil {
		t.Fatal(err)
	}
	return e
}

// requireEqual fails unless two enrolments agree in everything, the secret included.
func requireEqual(t testing.TB, got, want twofactor.Enrollment) {
	t.Helper()
	if got.State != want.State || got.Secret.Base32() != want.Secret.Base32() ||
		!got.ExpiresAt.Equal(want.ExpiresAt) || got.WrongCodes != want.WrongCodes ||
		!got.ConfirmedAt.Equal(want.ConfirmedAt) || got.LastStep != want.LastStep || got.Sheet != want.Sheet {
		t.Fatalf("the enrolment is %+v, want %+v", got, want)
	}
}
