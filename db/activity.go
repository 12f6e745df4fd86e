package db

import (
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gatehouse/twofactor"
)

// An Event names what happened, in OWASP's logging vocabulary where it has a
// word for it.
type Event string

// Events lists every event, in the order in which a filter offers them.
var Events = []Event{SignedIn, SignInFailed, SignInFailedMax, SignedOut, SessionsEnded, PasswordChanged, PasswordFailed, FactorEnabled, FactorDisabled, FactorReset,
	FactorFailed, CodesRegenerated, PersonAdded, PersonChanged, PersonDeactivated, PersonReactivated, PersonUnlocked, RoleChanged, LinkMade, LinkUsed,
	PolicyChanged, WorkspaceSetUp, WorkspaceRenamed, NoticeDismissed, KeyRotated}

// The events.
const (
	SignedIn          Event = "authn_login_success"
	SignInFailed      Event = "authn_login_fail"
	SignInFailedMax   Event = "authn_login_fail_max" // a challenge or an enrolment ended by wrong codes
	SignedOut         Event = "session_ended"
	SessionsEnded     Event = "session_all_ended"
	PasswordChanged   Event = "authn_password_change"
	PasswordFailed    Event = "authn_password_change_fail" // a wrong current password, wherever it was asked
	FactorEnabled     Event = "authn_factor_enabled"
	FactorDisabled    Event = "authn_factor_disabled"
	FactorReset       Event = "authn_factor_reset" // by an administrator or on the machine
	FactorFailed      Event = "authn_factor_fail"  // a wrong code at enrolment
	CodesRegenerated  Event = "authn_recovery_codes_created"
	PersonAdded       Event = "user_created"
	PersonChanged     Event = "user_updated"
	PersonDeactivated Event = "user_deactivated"
	PersonReactivated Event = "user_reactivated"
	PersonUnlocked    Event = "authn_login_unlock"
	RoleChanged       Event = "privilege_permissions_changed"
	LinkMade          Event = "authn_token_created"
	LinkUsed          Event = "authn_token_used"
	PolicyChanged     Event = "sys_policy_changed"
	WorkspaceSetUp    Event = "sys_workspace_created"
	WorkspaceRenamed  Event = "sys_workspace_renamed"
	NoticeDismissed   Event = "sys_notice_dismissed"
	KeyRotated        Event = "crypt_key_rotated"
	WorkspaceRestored Event = "sys_workspace_restored"
)

// The methods that an activity row names.
const (
	ByPassword = "password"
	ByCode     = "totp"
	ByRecovery = "recovery code"
	ByLink     = "one-time link"
	ByCommand  = "command line"
)

// An Actor is who makes a change: a person over the web, or somebody with a
// shell on the machine.
type Actor struct {
	ID      int64  // the person, or 0
	Label   string // who, where it is no person: "os:root"
	Address string
}

// Machine is the actor of the command line: the operating system's user.
func Machine(user string) Actor { return Actor{Label: machineLabel + user} }

// machineLabel begins the label of an actor on the machine.
const machineLabel = "os:"

// activity is one row as it is written.
type activity struct {
	event   Event
	failed  bool
	actor   Actor
	subject int64
	method  string
	detail  string
}

// record writes an activity row in the transaction of what it tells, and gives
// its number.
func (t *tx) record(now time.Time, a activity) (int64, error) {
	var id int64
	if a.method == "" && strings.HasPrefix(a.actor.Label, machineLabel) {
		a.method = ByCommand
	}
	err := t.row(`INSERT INTO activity (at, event, ok, actor_id, actor, subject_id, method, detail, address) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		unix(now), string(a.event), !a.failed, idOrNull(a.actor.ID), a.actor.Label, idOrNull(a.subject), a.method, a.detail, a.actor.Address).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("writing activity %s: %w", a.event, err)
	}
	return id, nil
}

// recordBreakGlass writes an activity row and the notice that every admin sees
// until one of them dismisses it.
func (t *tx) recordBreakGlass(now time.Time, a activity) error {
	a.method = ByCommand
	id, err := t.record(now, a)
	if err != nil {
		return err
	}
	return t.one(`INSERT INTO notice (activity_id) VALUES (?)`, id)
}

func idOrNull(id int64) sql.NullInt64 { return sql.NullInt64{Int64: id, Valid: id != 0} }

// onOff words a lever for the activity.
func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func policyDetail(p twofactor.Policy) string {
	return "everyone " + onOff(p.Everyone) + ", admins " + onOff(p.Admins)
}

func id10(id int64) string { return strconv.FormatInt(id, 10) }
