package passkeys

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// NewChallenge mints the challenge of a ceremony that has a row of its own.
func NewChallenge() []byte {
	raw := make([]byte, ChallengeSize)
	rand.Read(raw)
	return raw
}

// NewUserHandle mints what authenticators know a person by.
func NewUserHandle() []byte {
	raw := make([]byte, UserHandleSize)
	rand.Read(raw)
	return raw
}

// A MAC returns a keyed hash of a text that nobody else can make.
type MAC func(text string) string

// The parts of a public challenge: random bytes, when it ends, and the keyed hash.
const (
	publicNonce  = 16
	publicPrefix = publicNonce + 8
)

// NewPublicChallenge mints the challenge of a sign-in that nothing is stored of: it says
// itself until when it counts, and for which browser, and mac proves that we have said so.
func NewPublicChallenge(browser string, now time.Time, mac MAC) []byte {
	raw := make([]byte, publicNonce, publicPrefix)
	rand.Read(raw)
	raw = binary.BigEndian.AppendUint64(raw, uint64(now.Add(Timeout).Unix()))
	return append(raw, mac(publicText(raw, browser))...)
}

// CheckPublicChallenge returns until when such a challenge counts, and refuses one that is
// over, another browser's, or not ours.
func CheckPublicChallenge(challenge []byte, browser string, now time.Time, mac MAC,
	equal func(a, b string) bool) (until time.Time, err error) {
	if len(challenge) <= publicPrefix || browser == "" {
		return until, ErrRefused
	}
	if !equal(string(challenge[publicPrefix:]), mac(publicText(challenge[:publicPrefix], browser))) {
		return until, ErrRefused
	}
	until = time.Unix(int64(binary.BigEndian.Uint64(challenge[publicNonce:publicPrefix])), 0)
	if !now.Before(until) || until.Sub(now) > Timeout+time.Minute {
		return until, ErrRefused // over, or made before the clock was set back
	}
	return until, nil
}

func publicText(prefix []byte, browser string) string {
	return "sign-in " + base64.RawURLEncoding.EncodeToString(prefix) + " " + browser
}

// decodeChallenge reads the challenge that an answer names.
func decodeChallenge(text string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 || len(raw) > 512 {
		return nil, ErrRefused
	}
	return raw, nil
}
