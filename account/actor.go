package account

// An ActorKind says what kind of somebody did what the activity tells. The zero
// ActorKind is nobody: it does nothing, and no rule lets it through.
type ActorKind string

// The kinds of actors.
const (
	ActorPerson   ActorKind = "person"   // somebody with an account
	ActorMachine  ActorKind = "machine"  // whoever runs a command on the machine
	ActorStranger ActorKind = "stranger" // whoever has not signed in
)

// ActorKinds lists every kind.
var ActorKinds = []ActorKind{ActorPerson, ActorMachine, ActorStranger}

// A Party is who did something, or about whom it was, as the activity names them. The
// zero Party is nobody.
type Party struct {
	Kind  ActorKind
	ID    int64  // of a person
	Name  string // a person's; the machine's user as "os:root"; the keyed hash of a sign-in name that nobody has, or ""
	Email string // a person's; "" for somebody who was removed
}

// None reports whether there is nobody.
func (p Party) None() bool { return p == Party{} }

// Removed reports whether the party was a person whose account is gone.
func (p Party) Removed() bool { return p.Kind == ActorPerson && p.Email == "" }
