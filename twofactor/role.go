package twofactor

import "time"

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

// A Policy is the workspace's two settings. Each is off, on, or on from an instant.
type Policy struct {
	Everyone bool // Require MFA for everyone
	Admins   bool // Require MFA for admins

	EveryoneFrom time.Time // when Everyone turns on by itself; zero for never, and while it is on
	AdminsFrom   time.Time // the same of Admins
}

// At returns the policy as it is at an instant: what turns on until then is on.
func (p Policy) At(now time.Time) Policy {
	return Policy{
		Everyone:     p.Everyone || begun(p.EveryoneFrom, now),
		Admins:       p.Admins || begun(p.AdminsFrom, now),
		EveryoneFrom: coming(p.Everyone, p.EveryoneFrom, now),
		AdminsFrom:   coming(p.Admins, p.AdminsFrom, now),
	}
}

func begun(from, now time.Time) bool { return !from.IsZero() && !from.After(now) }

func coming(on bool, from, now time.Time) time.Time {
	if on || begun(from, now) {
		return time.Time{}
	}
	return from
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

// RequiresFrom returns when the policy will oblige somebody with this role who is not obliged
// yet; zero for never, and for whoever is obliged already.
func (p Policy) RequiresFrom(role Role) time.Time {
	if p.Requires(role) {
		return time.Time{}
	}
	from := p.EveryoneFrom
	if role != Member && !p.AdminsFrom.IsZero() && (from.IsZero() || p.AdminsFrom.Before(from)) {
		from = p.AdminsFrom
	}
	return from
}

// ReminderBefore are how long before a policy begins those who are not ready are reminded.
var ReminderBefore = [...]time.Duration{7 * 24 * time.Hour, 24 * time.Hour}

// LastReminder returns the newest occasion, until now, to remind people of a policy that
// begins at from: when it was set or somebody asked for it, seven days before, one day before.
// It is zero when there was none.
func LastReminder(asked, from, now time.Time) time.Time {
	last := asked
	if last.After(now) {
		last = time.Time{}
	}
	for _, before := range ReminderBefore {
		if at := from.Add(-before); !at.After(now) && at.After(last) {
			last = at
		}
	}
	return last
}
