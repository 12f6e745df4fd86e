package db

import (
	"slices"
	"strings"
	"time"

	"gatehouse/account"
)

// The words of RFC 8176 for how somebody has proved who they are, as sessions keep them.
const (
	amrPassword = "pwd"
	amrCode     = "otp" // of the authenticator app or of a sheet
	amrHardware = "hwk" // a passkey that its device keeps
	amrSoftware = "swk" // a passkey that is synced
	amrPresence = "user"
	amrTwo      = "mfa" // two factors, or a passkey that verified its owner; never stored
)

// An authentication is how somebody has proved who they are, at a sign-in or again.
type authentication struct {
	method     account.Method // as the activity names it
	methods    []string       // RFC 8176's words
	at         time.Time      // when the password or a verified passkey was given
	secondStep bool           // a second factor was shown
}

func byPassword(at time.Time) authentication {
	return authentication{method: account.ByPassword, methods: []string{amrPassword}, at: at}
}

// afterPassword is a second step after the password that was given at an instant.
func afterPassword(method account.Method, at time.Time, factor ...string) authentication {
	return authentication{
		method:     method,
		methods:    append([]string{amrPassword}, factor...),
		at:         at,
		secondStep: true,
	}
}

// byPasskey is a passkey alone, which has verified its owner.
func byPasskey(u usedPasskey, at time.Time) authentication {
	return authentication{method: account.ByPasskey, methods: u.amr(), at: at, secondStep: true}
}

// amr are RFC 8176's words for a passkey: whoever uses one has touched it.
func (p Passkey) amr() []string {
	if p.Synced() {
		return []string{amrSoftware, amrPresence}
	}
	return []string{amrHardware, amrPresence}
}

// joinMethods adds words to those of a session.
func joinMethods(before []string, more ...string) string {
	all := slices.Clone(before)
	for _, word := range more {
		if !slices.Contains(all, word) {
			all = append(all, word)
		}
	}
	return strings.Join(all, " ")
}

// hasTwo reports whether methods are two factors, or a passkey alone, which has verified
// its owner: authenticators of NIST SP 800-63B-4 section 2.2.
func hasTwo(methods []string) bool {
	isFactor := func(word string) bool { return word == amrCode || word == amrHardware || word == amrSoftware }
	return slices.ContainsFunc(methods, isFactor)
}

// noteProof notes that the visitor has proved again who they are.
func (t *tx) noteProof(v Visitor, a authentication, now time.Time) error {
	n, err := t.exec(`UPDATE session SET authenticated_at = $1, methods = $2,
			second_step_at = CASE WHEN $3 = TRUE THEN $4 ELSE second_step_at END
		WHERE id_hash = $5`, a.at.UnixMilli(), joinMethods(v.Methods, a.methods...), a.secondStep, unix(now), v.session)
	if err == nil && n == 0 {
		return ErrSignedOut
	}
	return err
}

// noteSecondStep notes that the visitor's session has shown a second factor: enabling one
// counts as showing it.
func (t *tx) noteSecondStep(v Visitor, now time.Time, words ...string) error {
	return t.execOne(`UPDATE session SET methods = $1, second_step_at = $2 WHERE id_hash = $3`,
		joinMethods(v.Methods, words...), unix(now), v.session)
}

// instantMilli reads an instant that is stored in milliseconds.
func instantMilli(at int64) time.Time { return time.UnixMilli(at).UTC() }
