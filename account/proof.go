package account

import "time"

// ProofTTL is how long a password that was given counts as fresh. After it the
// password is asked for again where it matters.
const ProofTTL = 15 * time.Minute

// IsFresh reports whether a password that was given at provedAt still counts. A
// minute in the future is a clock that was set a little back; further in the
// future counts as old, or a clock that ran ahead would keep it fresh for ever.
func IsFresh(provedAt, now time.Time) bool {
	age := now.Sub(provedAt)
	return age >= -time.Minute && age < ProofTTL
}
