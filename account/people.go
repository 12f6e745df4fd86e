package account

import (
	"slices"

	"gatehouse/twofactor"
)

// A Standing says whether somebody can sign in. The zero Standing is any.
type Standing string

// The standings.
const (
	ActivePerson      Standing = "active"
	InvitedPerson     Standing = "invited" // has not chosen a password yet
	DeactivatedPerson Standing = "deactivated"
)

// Standings lists every one.
var Standings = []Standing{ActivePerson, InvitedPerson, DeactivatedPerson}

// StandingOf returns it. Whoever is deactivated is so whether they were invited or not.
func StandingOf(active, invited bool) Standing {
	switch {
	case !active:
		return DeactivatedPerson
	case invited:
		return InvitedPerson
	}
	return ActivePerson
}

// An Order is what a list of people goes by. The zero Order is by name.
type Order string

// The orders.
const (
	ByName         Order = ""
	ByNameBackward Order = "name-desc"
	BySignIn       Order = "last-sign-in" // the most recent first
	BySignInOldest Order = "last-sign-in-asc"
)

// Orders lists every one.
var Orders = []Order{ByName, ByNameBackward, BySignIn, BySignInOldest}

// Backward reports whether an order begins with the greatest.
func (o Order) Backward() bool { return o == ByNameBackward || o == BySignIn }

// IsBySignIn reports whether an order goes by the last sign-in.
func (o Order) IsBySignIn() bool { return o == BySignIn || o == BySignInOldest }

// A Factors narrows a list to those who have two-factor or not. The zero Factors is both.
type Factors string

// The choices.
const (
	WithTwoFactor    Factors = "enabled"
	WithoutTwoFactor Factors = "not-configured"
)

// A PeopleFilter narrows and orders the list of people. The zero PeopleFilter is everybody,
// by name.
type PeopleFilter struct {
	Search   string
	Role     twofactor.Role // "" for every one
	Factors  Factors
	Standing Standing
	Order    Order
}

// Known returns the filter without what no list knows: an address may carry anything.
func (f PeopleFilter) Known() PeopleFilter {
	if !f.Role.Known() {
		f.Role = ""
	}
	if f.Factors != WithTwoFactor && f.Factors != WithoutTwoFactor {
		f.Factors = ""
	}
	if !slices.Contains(Standings, f.Standing) {
		f.Standing = ""
	}
	if !slices.Contains(Orders, f.Order) {
		f.Order = ByName
	}
	return f
}

// Narrows reports whether the filter leaves out people, the search aside.
func (f PeopleFilter) Narrows() bool { return f.Role != "" || f.Factors != "" || f.Standing != "" }

// Takes reports whether somebody is among those whom the filter leaves, the search aside.
func (f PeopleFilter) Takes(role twofactor.Role, enrolled bool, standing Standing) bool {
	return (f.Role == "" || f.Role == role) &&
		(f.Factors == "" || (f.Factors == WithTwoFactor) == enrolled) &&
		(f.Standing == "" || f.Standing == standing)
}
