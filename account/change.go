package account

import (
	"errors"

	"gatehouse/twofactor"
)

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
	ErrGroupInUse     Refusal = "an app refers to the group"
)

// ErrNotAllowed refuses what the author's role does not allow, whoever it is about.
var ErrNotAllowed = errors.New("not allowed")

// An Author is who wants to change something, as far as the rules look at them. The
// zero Author may nothing.
type Author struct {
	Kind ActorKind
	ID   int64          // of a person
	Role twofactor.Role // of a person, as it is now
}

// role is the role by which an author acts. The machine has the highest: whoever can open
// the file can change everything.
func (a Author) role() twofactor.Role {
	switch a.Kind {
	case ActorMachine:
		return twofactor.SuperAdmin
	case ActorPerson:
		return a.Role
	}
	return ""
}

// isOwn reports whether an account is the author's own.
func (a Author) isOwn(s Subject) bool { return a.Kind == ActorPerson && a.ID == s.ID }

// A Subject is an account that somebody wants to change.
type Subject struct {
	ID   int64
	Role twofactor.Role
}

// MayAdminister allows what is about no account: the policy, the workspace's name,
// notices. Admins may. The refusal is ErrNotAllowed.
func MayAdminister(by Author) error {
	if !by.role().Admin() {
		return ErrNotAllowed
	}
	return nil
}

// MayEdit allows a change of name or address, one's own included: admins change
// members, and only a Super-administrator changes admins. The refusal is
// ErrNotAllowed.
func MayEdit(by Author, s Subject) error {
	if !outranks(by.role(), s.Role) {
		return ErrNotAllowed
	}
	return nil
}

// MayManage allows what an admin does to other people's accounts only: links,
// sessions, deactivating, resetting, unlocking, removing. An unattended browser must
// not be the way around the password that My profile asks for, so one's own account is
// ErrOwnAccount. Any other refusal is ErrNotAllowed.
func MayManage(by Author, s Subject) error {
	if err := MayAdminister(by); err != nil {
		return err
	}
	if by.isOwn(s) {
		return ErrOwnAccount
	}
	return MayEdit(by, s)
}

// MayGive allows giving an account a role: only a Super-administrator makes admins or
// changes them (ErrNotAllowed), and nobody changes their own role (ErrOwnRole). The
// subject of somebody who is only being added is the zero Subject.
func MayGive(by Author, s Subject, role twofactor.Role) error {
	if by.isOwn(s) {
		return ErrOwnRole
	}
	if !outranks(by.role(), s.Role) || !outranks(by.role(), role) {
		return ErrNotAllowed
	}
	return nil
}

// outranks reports whether a role is enough to change accounts with another.
func outranks(own, other twofactor.Role) bool {
	return own == twofactor.SuperAdmin || own.Admin() && !other.Admin()
}

// RolesToGive are the roles that an author may give to somebody who is being added,
// the lowest first.
func RolesToGive(by Author) []twofactor.Role {
	var out []twofactor.Role
	for _, role := range twofactor.Roles {
		if MayGive(by, Subject{}, role) == nil {
			out = append(out, role)
		}
	}
	return out
}

// Rights are what an author may do to one account, for a page that offers it.
type Rights struct {
	Own    bool // it is the author's own account
	Edit   bool // name and address
	Manage bool // what is done to others only
	Roles  []twofactor.Role
}

// RightsOver gives them.
func RightsOver(by Author, s Subject) Rights {
	r := Rights{
		Own:    by.isOwn(s),
		Edit:   MayEdit(by, s) == nil,
		Manage: MayManage(by, s) == nil,
	}
	for _, role := range twofactor.Roles {
		if MayGive(by, s, role) == nil {
			r.Roles = append(r.Roles, role)
		}
	}
	return r
}
