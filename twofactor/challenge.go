package twofactor

import "time"

// A Challenge stands between "password accepted" and "signed in". It allows nothing but
// to give a second factor.
type Challenge struct {
	MadeAt     time.Time
	ExpiresAt  time.Time
	WrongCodes int
}

// Open refuses with ErrChallengeOver once the challenge has expired or seen MaxWrongCodes
// wrong codes. One that was made in the future, before a clock was set back, is over as
// well: otherwise it would outlive its time.
func (c Challenge) Open(now time.Time) error {
	if !now.Before(c.ExpiresAt) || c.MadeAt.After(now.Add(clockTolerance)) || c.WrongCodes >= MaxWrongCodes {
		return ErrChallengeOver
	}
	return nil
}

// Left counts the wrong codes that are still allowed.
func (c Challenge) Left() int { return max(0, MaxWrongCodes-c.WrongCodes) }
