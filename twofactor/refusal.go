package twofactor

import (
	"fmt"
	"time"
)

// A Refusal is a rule's "no". It is an answer, not an error: what the rule counted on the
// way is stored all the same. Package views has the sentence that people read; the text
// here is for logs and tests.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// The refusals of the second step.
const (
	ErrNoPending       Refusal = "no pending enrolment"
	ErrAlreadyEnabled  Refusal = "two-factor is enabled already"
	ErrNotEnabled      Refusal = "two-factor is not enabled"
	ErrWrongRecovery   Refusal = "wrong recovery code"
	ErrChallengeOver   Refusal = "the challenge is over"
	ErrWrongPassword   Refusal = "wrong password"
	ErrWrongPasskey    Refusal = "the passkey was not accepted"
	ErrPasskeyOver     Refusal = "the request for a passkey is over"
	ErrPasskeyTaken    Refusal = "the passkey is registered already"
	ErrTooManyPasskeys Refusal = "too many passkeys"
	ErrLastFactor      Refusal = "this is the last factor"
	ErrClosed          Refusal = "too many wrong codes: closed until an administrator unlocks it"
	ErrSwitchedOff     Refusal = "the factor is switched off"
)

// WrongCode refuses a code from the app. Only at enrolment, and only when the
// code belongs to a time step within ten minutes, ClockOff says how far the
// phone's clock is behind the server's (negative) or ahead of it (positive);
// otherwise it is zero. Only at the challenge, Expired says that the code was right
// until lately.
type WrongCode struct {
	ClockOff time.Duration
	Expired  bool
	Left     int // wrong codes that are still allowed before it ends; Verify, which counts none, leaves 0
}

func (w WrongCode) Error() string { return fmt.Sprintf("wrong code, %d tries left", w.Left) }

// Wait refuses to look at anything before an instant. What was sent is neither
// looked at nor used up.
type Wait struct {
	Until time.Time
}

func (w Wait) Error() string { return "wait until " + w.Until.UTC().Format(time.RFC3339) }
