package apps

import (
	"slices"
	"time"

	"gatehouse/twofactor"
)

// An App is a web app of the workspace.
type App struct {
	ID      int64
	Slug    string // names it in addresses of the portal; made from its first name, and constant
	Name    string
	Address Address
	Mark    string // one or two letters in place of an icon
	Icon    string // names the version of its icon; "" without one

	Guarded   bool // a proxy asks before each request
	Connected bool // the app asks by OpenID Connect
	Ours      bool // run by the workspace: it asks nobody for consent
	Paused    bool // nobody opens it

	Access Access
	Guard  Guard

	WatchUntil time.Time // until when what its proxy asks is noted; zero for never
	MadeAt     time.Time
}

// Access says who may open an app, and how.
type Access struct {
	Everyone bool // and otherwise whoever is in one of the following
	Roles    []twofactor.Role
	Groups   []Group
	People   []Named

	SecondStep   bool // nobody opens it without a second step, even where the policy asks for none
	FreshMinutes int  // how long ago the password may have been given; 0 for any time
}

// A Group is a group of people.
type Group struct {
	ID   int64
	Name string
}

// A Named is somebody whom an app names.
type Named struct {
	ID          int64
	Name, Email string
}

// Guard is how a guarded app is guarded.
type Guard struct {
	Public     []string   // paths that need no sign-in
	Others     []string   // further origins whose pages may send forms and open WebSockets
	RemoteUser RemoteUser // what Remote-User says
}

// RemoteUser is what a guarded app is told somebody is called.
type RemoteUser string

// The values of Remote-User.
const (
	ByUserName RemoteUser = "user-name"
	ByEmail    RemoteUser = "e-mail"
)

// Known reports whether it is one of the two.
func (r RemoteUser) Known() bool { return r == ByUserName || r == ByEmail }

// A Person is somebody as the rules look at them.
type Person struct {
	ID      int64
	Role    twofactor.Role
	Active  bool
	Groups  []int64
	Factor  bool // has a second step that works
	Invited bool // has not chosen a password yet
}

// Allows reports whether somebody is among those who may open the app. Whether they have
// shown enough is asked apart: NeedsSecondStep, NeedsFreshSignIn. Nobody is among them who
// is not active.
func (a Access) Allows(p Person) bool {
	if !p.Active || p.Invited {
		return false
	}
	return slices.ContainsFunc(a.ways(p), func(r Rule) bool { return r.Met })
}

// NeedsSecondStep reports whether a session must have shown a second step before it opens the
// app.
func (a Access) NeedsSecondStep(shown bool) bool { return a.SecondStep && !shown }

// NeedsFreshSignIn reports whether the password is too old for the app. One from more than
// a minute in the future is old: a clock that ran ahead must not keep it fresh for ever.
func (a Access) NeedsFreshSignIn(authenticatedAt, now time.Time) bool {
	if a.FreshMinutes == 0 {
		return false
	}
	age := now.Sub(authenticatedAt)
	return age < -time.Minute || age >= a.Fresh()
}

// Fresh is how long a password counts; 0 for as long as the session.
func (a Access) Fresh() time.Duration { return time.Duration(a.FreshMinutes) * time.Minute }

// MaxFreshMinutes is the longest time that can be set: a day, as long as a session lasts.
const MaxFreshMinutes = 24 * 60

// An Answer is what the rules say to somebody who is signed in and wants to open an app.
type Answer int

// The answers. Only May opens it.
const (
	MayNot        Answer = iota // not one of those who may, or the app is paused
	SecondStepDue               // may, after showing a second step, or setting one up
	FreshDue                    // may, after giving the password again
	May
)

// A Proof is how somebody has signed in.
type Proof struct {
	SecondStep      bool // shown in this session
	AuthenticatedAt time.Time
}

// Answer decides whether somebody may open the app now. What is missing is asked for in
// this order: the second step, then the password.
func (a App) Answer(p Person, proof Proof, now time.Time) Answer {
	switch {
	case a.Paused || !a.Access.Allows(p):
		return MayNot
	case a.Access.NeedsSecondStep(proof.SecondStep):
		return SecondStepDue
	case a.Access.NeedsFreshSignIn(proof.AuthenticatedAt, now):
		return FreshDue
	}
	return May
}
