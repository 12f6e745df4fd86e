package twofactor

import (
	"crypto/subtle"
	"strings"
	"time"
	"unicode"

	"gatehouse/typed"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

const (
	// Period is the length of a time step (RFC 6238 section 4.1).
	Period = 30 * time.Second

	// Digits is the length of a code.
	Digits = 6

	// window is how many time steps before and after the present one are
	// accepted, for clocks that differ (RFC 6238 section 5.2).
	window = 1

	// diagnosisWindow is how many steps either side are looked through at enrolment,
	// to tell people how far their phone's clock is off.
	diagnosisWindow = 20

	// expiredSteps is how many steps before the window a code counts as expired, and not as wrong, in what people are told at
	// the challenge.
	expiredSteps = 10
)

// TimeStep returns the number of the time step that now falls in: RFC 6238's T.
func TimeStep(now time.Time) int64 {
	seconds := now.Unix()
	step := seconds / 30
	if seconds < 0 && seconds%30 != 0 {
		step--
	}
	return step
}

// NextStepIn returns the time until the next code appears in the app, from over zero to
// Period.
func NextStepIn(now time.Time) time.Duration {
	next := time.Unix((TimeStep(now)+1)*30, 0)
	return next.Sub(now)
}

// NormalizeCode takes a code as keyboards, clipboards and phones give it and
// returns its six digits in ASCII, or "" when it cannot be one. Digits of every
// script count; blanks, dashes and invisible signs go, wherever they stand, and
// punctuation around the whole. Anything else inside makes it no code.
func NormalizeCode(text string) string {
	text = trimTyped(text)
	var b strings.Builder
	for _, r := range text {
		if isFiller(r) {
			continue
		}
		value, ok := typed.Digit(r)
		if !ok || b.Len() == Digits {
			return ""
		}
		b.WriteByte(byte('0' + value))
	}
	if b.Len() != Digits {
		return ""
	}
	return b.String()
}

// maxTyped is how much of a code that was typed is looked at, in bytes: more than
// any device puts around one.
const maxTyped = 512

// trimTyped cuts off what stands around a code: blanks, dashes, invisible signs and
// punctuation, as in “123456”. It returns "" for what is too long.
func trimTyped(text string) string {
	if len(text) > maxTyped {
		return ""
	}
	return strings.TrimFunc(text, func(r rune) bool { return isFiller(r) || unicode.IsPunct(r) })
}

// isFiller reports whether a sign inside a code only divides or is not seen.
func isFiller(r rune) bool { return typed.IsBlank(r) || typed.IsDash(r) || typed.IsInvisible(r) }

// code returns the six digits of one time step: HOTP (RFC 4226) over the step with
// HMAC-SHA-1, which is the one algorithm that every app supports.
func (s Secret) code(step int64) (string, bool) {
	if s.key == nil || step < 0 {
		return "", false // pquerna/otp makes codes of an empty secret without a word
	}
	code, err := hotp.GenerateCodeCustom(s.Base32(), uint64(step),
		hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	return code, err == nil
}

// match returns the newest time step from first to last, both counted from the present
// one, whose code is the one given. All steps are computed and compared in constant time,
// so that the answer's timing tells nothing about which of them was near.
func (s Secret) match(code string, now time.Time, first, last int64) (step int64, ok bool) {
	current := TimeStep(now)
	for at := current + first; at <= current+last; at++ {
		want, good := s.code(at)
		if good && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, ok = at, true
		}
	}
	return step, ok
}
