package account

import "gatehouse/twofactor"

// A Refusal is a rule's "no" to a change to an account. Package views has the
// sentence that people read; the text here is for logs and tests.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// What nobody may do, whatever their role.
const (
	ErrOwnRole        Refusal = "nobody changes their own role"
	ErrOwnAccount     Refusal = "nobody does this to their own account"
	ErrInactive       Refusal = "the account is deactivated"
	ErrLastSuperAdmin Refusal = "the last active Super-administrator stays one"
	ErrOutdated       Refusal = "somebody else has changed this since the form was shown"
)

// Refusals lists every refusal, so that a test can ask for the sentence of each.
var Refusals = []Refusal{ErrOwnRole, ErrOwnAccount, ErrInactive, ErrLastSuperAdmin, ErrOutdated}

// MayChange reports whether somebody with one role may change an account with
// another: admins change members, and only a Super-administrator changes admins.
func MayChange(own, other twofactor.Role) bool {
	return own == twofactor.SuperAdmin || own.Admin() && !other.Admin()
}

// MayGive reports whether somebody with one role may give another: only a
// Super-administrator makes admins.
func MayGive(own, role twofactor.Role) bool { return MayChange(own, role) }

// RolesToGive are the roles that somebody with this role may give, the lowest
// first.
func RolesToGive(own twofactor.Role) []twofactor.Role {
	var out []twofactor.Role
	for _, role := range twofactor.Roles {
		if MayGive(own, role) {
			out = append(out, role)
		}
	}
	return out
}
