package twofactor

// A Role is what a person may do in the workspace.
type Role string

// The roles. The last three are admins.
const (
	Member          Role = "member"
	Administrator   Role = "administrator"
	ITAdministrator Role = "it-administrator"
	SuperAdmin      Role = "super-administrator"
)

// Roles lists every role, the lowest first.
var Roles = []Role{Member, Administrator, ITAdministrator, SuperAdmin}

// Known reports whether the role is one of the four.
func (r Role) Known() bool {
	switch r {
	case Member, Administrator, ITAdministrator, SuperAdmin:
		return true
	}
	return false
}

// Admin reports whether the role may open the settings pages.
func (r Role) Admin() bool { return r.Known() && r != Member }

// A Policy is the workspace's two settings.
type Policy struct {
	Everyone bool // Require MFA for everyone
	Admins   bool // Require MFA for admins
}

// Requires reports whether the policy obliges somebody with this role. A role that is not
// known is obliged like an admin: in doubt the rule applies.
func (p Policy) Requires(role Role) bool {
	return p.Everyone || p.Admins && role != Member
}

// MustEnroll reports whether somebody with this role and state may only enrol. A pending
// enrolment protects nothing, so it counts as none.
func (p Policy) MustEnroll(role Role, state State) bool {
	return state != Enabled && p.Requires(role)
}
