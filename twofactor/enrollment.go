package twofactor

import "time"

// A State is what the card "Authenticator app (TOTP)" reports.
type State int

// The three states.
const (
	NotConfigured State = iota
	Pending
	Enabled
)

// String returns the state's word in logs and tests.
func (s State) String() string {
	switch s {
	case Pending:
		return "pending"
	case Enabled:
		return "enabled"
	}
	return "not configured"
}

// MaxWrongCodes ends a pending enrolment, or a challenge.
const MaxWrongCodes = 5

// An Enrollment is the authenticator app of one person, as one session sees
// it: a pending enrolment belongs to the session that minted it. The zero
// Enrollment is Not configured.
type Enrollment struct {
	State  State
	Secret Secret // zero when Not configured

	// While Pending.
	ExpiresAt  time.Time
	WrongCodes int

	// While Enabled.
	ConfirmedAt time.Time
	LastStep    int64 // the newest time step that a code was accepted for

	// The person's, whichever factor it came with; zero for somebody without a factor.
	Sheet Sheet
}

// Enable mints nothing itself: it takes a new secret and makes it pending for
// ttl, in place of any earlier pending one. An enabled enrolment is left alone
// with ErrAlreadyEnabled, because replacing a live secret by asking for a new
// one would let a stolen session lock its owner out.
func (e *Enrollment) Enable(secret Secret, now time.Time, ttl time.Duration) error {
	if e.State == Enabled {
		return ErrAlreadyEnabled
	}
	*e = Enrollment{State: Pending, Secret: secret, ExpiresAt: now.Add(ttl), Sheet: e.Sheet}
	return nil
}

// Discard drops a pending enrolment. Any other state stays as it is.
func (e *Enrollment) Discard() {
	if e.State == Pending {
		*e = Enrollment{Sheet: e.Sheet}
	}
}

// Confirm turns a pending enrolment into an enabled one when the code is that
// of the present time step or a neighbour. The step counts as used, so that the
// same code cannot sign in as well. It refuses with ErrAlreadyEnabled when there
// is nothing left to confirm, with ErrNoPending when there is nothing to confirm
// or it has expired, and with WrongCode otherwise; the fifth wrong code discards
// the secret.
func (e *Enrollment) Confirm(typed string, sheet Sheet, now time.Time) error {
	if e.State == Enabled {
		return ErrAlreadyEnabled
	}
	if e.State != Pending {
		return ErrNoPending
	}
	if !now.Before(e.ExpiresAt) {
		e.Discard()
		return ErrNoPending
	}
	code := NormalizeCode(typed)
	step, ok := e.Secret.match(code, now, -window, window)
	if !ok {
		refusal := WrongCode{ClockOff: e.clockOff(code, now), Left: MaxWrongCodes - e.WrongCodes - 1}
		if e.WrongCodes++; e.WrongCodes >= MaxWrongCodes {
			e.Discard()
		}
		return refusal
	}
	*e = Enrollment{
		State:       Enabled,
		Secret:      e.Secret,
		ConfirmedAt: now,
		LastStep:    step,
		Sheet:       sheet,
	}
	return nil
}

// Replace makes a new secret pending beside an enabled enrolment, for a new phone. next is
// what the session has pending, and is begun anew; e itself is left alone, and its codes go
// on signing in. Unless Enabled: ErrNotEnabled.
func (e *Enrollment) Replace(next *Enrollment, secret Secret, now time.Time, ttl time.Duration) error {
	if e.State != Enabled {
		return ErrNotEnabled
	}
	*next = Enrollment{}
	return next.Enable(secret, now, ttl)
}

// Exchange confirms next, which Replace has made pending, and puts it in the place of an
// enabled enrolment. The recovery codes stay. It refuses like Confirm, and leaves e alone
// then; the fifth wrong code discards next. Unless Enabled: ErrNotEnabled.
func (e *Enrollment) Exchange(next *Enrollment, typed string, now time.Time) error {
	if e.State != Enabled {
		return ErrNotEnabled
	}
	if err := next.Confirm(typed, e.Sheet, now); err != nil {
		return err
	}
	*e = *next
	return nil
}

// clockOff tells how far the clock that made the code is off, or zero when the
// code belongs to no time step within ten minutes. It is told at enrolment
// only, to somebody who sees the secret anyway; at the challenge it would help
// a guesser.
func (e *Enrollment) clockOff(code string, now time.Time) time.Duration {
	step, ok := e.Secret.match(code, now, -diagnosisWindow, diagnosisWindow)
	if !ok {
		return 0
	}
	return time.Duration(step-TimeStep(now)) * Period
}

// Factors is the state of all factors together: Enabled for whoever has recovery codes, which
// come with the first factor, the app or a passkey, and go with the last.
func (e Enrollment) Factors() State {
	if e.Sheet.Exists() {
		return Enabled
	}
	return e.State
}

// NoApp reports whether the person has factors, and the app is none of them.
func (e Enrollment) NoApp() bool { return e.Sheet.Exists() && e.State != Enabled }

// Verify accepts the code of the present time step or a neighbour, each step once (RFC
// 6238 section 5.2): a step up to LastStep is refused with WrongCode like any other, so
// that a code read over a shoulder is useless. That holds when the clock goes backwards,
// too: until it passes LastStep again, recovery codes are the way in. A code of one of
// the ten steps before the window is refused as Expired; of a coming step nothing is
// told, which would help a guesser who has time. Unless Enabled: ErrNotEnabled.
func (e *Enrollment) Verify(typed string, now time.Time) error {
	if e.State != Enabled {
		return ErrNotEnabled
	}
	code := NormalizeCode(typed)
	step, ok := e.Secret.match(code, now, -window, window)
	if !ok || step <= e.LastStep {
		_, expired := e.Secret.match(code, now, -window-expiredSteps, -window-1)
		return WrongCode{Expired: expired && !ok}
	}
	e.LastStep = step
	return nil
}

// Redeem uses up the code with this number (from 0) of the sheet. A number out
// of range, or of a code that was used before, is refused with ErrWrongRecovery;
// without a sheet: ErrNotEnabled.
func (e *Enrollment) Redeem(number int) error {
	if !e.Sheet.Exists() {
		return ErrNotEnabled
	}
	if err := e.Sheet.Check(number); err != nil {
		return err
	}
	e.Sheet.Used[number] = true
	return nil
}

// Regenerate puts a new sheet in place of the old one, whose codes no longer work. Without
// one, which whoever has a factor has: ErrNotEnabled.
func (e *Enrollment) Regenerate(sheet Sheet) error {
	if !e.Sheet.Exists() {
		return ErrNotEnabled
	}
	e.Sheet = sheet
	return nil
}

// Disable forgets the secret and the recovery codes. Unless Enabled:
// ErrNotEnabled.
func (e *Enrollment) Disable() error {
	if e.State != Enabled {
		return ErrNotEnabled
	}
	*e = Enrollment{}
	return nil
}
