package account

import (
	"slices"

	"gatehouse/twofactor"
)

// An Event names what happened in the activity, in OWASP's logging vocabulary where
// that has a word for it.
type Event string

// The events. Each has its row in eventTable.
const (
	SignedIn          Event = "authn_login_success"
	SignInFailed      Event = "authn_login_fail"
	SignInFailedMax   Event = "authn_login_fail_max"     // a challenge or an enrolment ended by wrong codes
	UnknownNames      Event = "authn_login_fail_unknown" // many of an hour, with names that nobody has
	SignedOut         Event = "session_ended"
	SessionsEnded     Event = "session_all_ended"
	BrowserForgotten  Event = "authn_browser_forgotten"
	PasswordChanged   Event = "authn_password_change"
	PasswordFailed    Event = "authn_password_change_fail" // a wrong current password, wherever it was asked
	FactorEnabled     Event = "authn_factor_enabled"
	FactorDisabled    Event = "authn_factor_disabled"
	FactorExchanged   Event = "authn_factor_exchanged" // a new phone in place of the old one
	CodeChecked       Event = "authn_recovery_code_checked"
	FactorReset       Event = "authn_factor_reset" // by an administrator or on the machine
	FactorFailed      Event = "authn_factor_fail"  // a wrong code at enrolment
	CodesRegenerated  Event = "authn_recovery_codes_created"
	FactorRemoved     Event = "authn_app_removed" // the app alone: passkeys stay
	PasskeyAdded      Event = "authn_passkey_added"
	PasskeyRenamed    Event = "authn_passkey_renamed"
	PasskeyRemoved    Event = "authn_passkey_removed"
	PasskeyCopied     Event = "authn_passkey_copied" // its counter did not rise
	PasskeyFailed     Event = "authn_passkey_fail"   // a wrong passkey of somebody signed in
	PersonAdded       Event = "user_created"
	PersonChanged     Event = "user_updated"
	PersonDeactivated Event = "user_deactivated"
	PersonReactivated Event = "user_reactivated"
	PersonUnlocked    Event = "authn_login_unlock"
	PersonRemoved     Event = "user_deleted"
	RoleChanged       Event = "privilege_permissions_changed"
	LinkMade          Event = "authn_token_created"
	LinkUsed          Event = "authn_token_used"
	PolicyChanged     Event = "sys_policy_changed"
	WorkspaceSetUp    Event = "sys_workspace_created"

	SessionLengthsChanged Event = "sys_session_lengths_changed"

	WorkspaceRenamed  Event = "sys_workspace_renamed"
	WorkspaceRestored Event = "sys_workspace_restored"
	ActivityPruned    Event = "sys_activity_pruned"
	Exported          Event = "sensitive_read" // somebody has taken a list away as CSV
	NoticeDismissed   Event = "sys_notice_dismissed"
	KeyRotated        Event = "crypt_key_rotated"

	AppAdded          Event = "app_created"
	AppChanged        Event = "app_updated"
	AppRemoved        Event = "app_deleted"
	AppSecretMade     Event = "app_secret_created"
	BackchannelFailed Event = "app_backchannel_fail" // an app could not be told of a sign-out
	AppKeysRotated    Event = "crypt_signing_keys_rotated"
	AppOpened         Event = "authz_app_opened"  // once a day each
	AppAgreed         Event = "authz_app_agreed"  // somebody lets an app know who they are
	AppEnded          Event = "authz_app_ended"   // somebody has taken that back, or ended what an app has of them
	TokenReused       Event = "authn_token_reuse" // a code or refresh token that was used already was brought again
	AppRefused        Event = "authz_fail"        // wanted to open an app and may not: once an hour each
	GroupAdded        Event = "group_created"
	GroupChanged      Event = "group_updated"
	GroupRemoved      Event = "group_deleted"
	AccountClosed     Event = "authn_account_closed"  // by "This wasn't me" in a mail
	FactorsTurnedOn   Event = "authn_factor_restored" // that "This wasn't me" had switched off
	MailGivenUp       Event = "sys_mail_given_up"
)

// eventTable has every event, in the order in which a filter offers them. What the
// store asks for by event, what becomes a notice, and what views words comes from here.
var eventTable = []struct {
	Event
	atSignIn   bool       // to the person whom it is about, at their next sign-in
	notice     noticeRule // of the machine's acts
	mailPerson bool       // mailed to the person whom it is about, with "This wasn't me"
	mailAdmins noticeRule // mailed to every admin, whoever did it; acts of the machine that become a notice are as well
}{
	{Event: SignedIn, mailPerson: true},
	{Event: SignInFailed},
	{Event: SignInFailedMax},
	{Event: UnknownNames},
	{Event: SignedOut},
	{Event: SessionsEnded},
	{Event: BrowserForgotten},
	{Event: PasswordChanged, atSignIn: true, notice: always, mailPerson: true},
	{Event: PasswordFailed},
	{Event: FactorEnabled, atSignIn: true, mailPerson: true},
	{Event: FactorDisabled, atSignIn: true, mailPerson: true},
	{Event: FactorExchanged, atSignIn: true, mailPerson: true},
	{Event: CodeChecked},
	{Event: FactorReset, atSignIn: true, notice: always, mailPerson: true},
	{Event: FactorFailed},
	{Event: CodesRegenerated, atSignIn: true, mailPerson: true},
	{Event: FactorRemoved, atSignIn: true, mailPerson: true},
	{Event: PasskeyAdded, atSignIn: true, mailPerson: true},
	{Event: PasskeyRenamed, atSignIn: true},
	{Event: PasskeyRemoved, atSignIn: true, mailPerson: true},
	{Event: PasskeyCopied, atSignIn: true, mailPerson: true},
	{Event: PasskeyFailed},
	{Event: PersonAdded, notice: forAdmins, mailAdmins: forAdmins},
	{Event: PersonChanged, mailPerson: true},
	{Event: PersonDeactivated, notice: always},
	{Event: PersonReactivated, notice: always},
	{Event: PersonUnlocked, notice: always},
	{Event: PersonRemoved, notice: always},
	{Event: RoleChanged, atSignIn: true, notice: always, mailAdmins: forAdmins},
	{Event: LinkMade},
	{Event: LinkUsed},
	{Event: PolicyChanged, notice: always, mailAdmins: always},
	{Event: SessionLengthsChanged, notice: always, mailAdmins: always},
	{Event: WorkspaceSetUp},
	{Event: WorkspaceRenamed},
	{Event: WorkspaceRestored, notice: always},
	{Event: ActivityPruned, notice: always},
	{Event: Exported},
	{Event: NoticeDismissed},
	{Event: KeyRotated, notice: always},
	{Event: AppOpened},
	{Event: AppRefused},
	{Event: AppAgreed},
	{Event: AppEnded},
	{Event: TokenReused, atSignIn: true},
	{Event: AppAdded},
	{Event: AppChanged},
	{Event: AppRemoved, notice: always},
	{Event: AppSecretMade, notice: always},
	{Event: BackchannelFailed},
	{Event: AppKeysRotated, notice: always},
	{Event: GroupAdded},
	{Event: GroupChanged},
	{Event: GroupRemoved},
	{Event: AccountClosed, atSignIn: true, notice: whoever},
	{Event: FactorsTurnedOn, atSignIn: true, mailPerson: true},
	{Event: MailGivenUp, notice: whoever},
}

// A noticeRule says which acts of the machine are break-glass, of which every admin is
// told: those that make or change an admin, let somebody in past what keeps them out,
// or take away what others rely on.
type noticeRule int

const (
	never     noticeRule = iota
	forAdmins            // when it is about an admin: adding members is everyday work
	always
	whoever // did it, not only the machine
)

// tells reports whether a rule holds for an act that gives a role, if it gives one.
func (r noticeRule) tells(role twofactor.Role) bool {
	return r == always || r == whoever || r == forAdmins && role.Admin()
}

// NeedsNotice reports whether an act is told to every admin: of the machine, or of anybody
// where the table says so. The role is that which the act gives, if it gives one.
func (e Event) NeedsNotice(by ActorKind, role twofactor.Role) bool {
	for _, row := range eventTable {
		if row.Event == e {
			return row.notice == whoever || by == ActorMachine && row.notice.tells(role)
		}
	}
	return by == ActorMachine // an event without a row is told rather than kept quiet
}

// MailsPerson reports whether an event is mailed to the person whom it is about. Of sign-ins
// only those are that are new to the person, and of changes to an account those of its
// address.
func (e Event) MailsPerson() bool {
	for _, row := range eventTable {
		if row.Event == e {
			return row.mailPerson
		}
	}
	return false
}

// MailsAdmins reports whether an act is mailed to every admin. The role is that which the act
// gives, if it gives one.
func (e Event) MailsAdmins(by ActorKind, role twofactor.Role) bool {
	for _, row := range eventTable {
		if row.Event == e {
			return row.mailAdmins.tells(role) || by == ActorMachine && row.notice.tells(role)
		}
	}
	return false
}

// NoticeEvents returns the events of which acts of the machine are told to every admin.
func NoticeEvents() []Event {
	return eventsWhere(func(_ bool, rule noticeRule) bool { return rule != never })
}

// Events returns every event, in the order in which a filter offers them.
func Events() []Event {
	return eventsWhere(func(bool, noticeRule) bool { return true })
}

// EventsShownAtSignIn returns the events that a person hears of at the next sign-in
// whoever caused them. Wrong codes and recovery codes that were used are told too, which
// are sign-ins by their methods.
func EventsShownAtSignIn() []Event {
	return eventsWhere(func(isShown bool, _ noticeRule) bool { return isShown })
}

func eventsWhere(wanted func(isShown bool, notice noticeRule) bool) []Event {
	var out []Event
	for _, row := range eventTable {
		if wanted(row.atSignIn, row.notice) {
			out = append(out, row.Event)
		}
	}
	return out
}

// Known reports whether the event is one of the table.
func (e Event) Known() bool { return slices.Contains(Events(), e) }

// A Method is by what somebody did what the activity tells.
type Method string

// The methods that an activity row names. Most rows name none: "".
const (
	ByPassword Method = "password"
	ByCode     Method = "totp"
	ByPasskey  Method = "passkey"
	ByRecovery Method = "recovery code"
	ByLink     Method = "one-time link"
	ByCommand  Method = "command line"
)

// Methods lists every method, so that a test can ask for the words of each.
var Methods = []Method{ByPassword, ByCode, ByPasskey, ByRecovery, ByLink, ByCommand}
