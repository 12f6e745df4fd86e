package account

// A LinkKind says what a one-time link is for.
type LinkKind string

// The kinds of one-time links that a person gets.
const (
	Invitation   LinkKind = "invitation" // chooses name and first password
	PasswordLink LinkKind = "password"   // chooses a new password
)
