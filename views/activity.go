package views

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"gatehouse/account"
)

// Activity is the page /admin/activity.
type Activity struct {
	Person, From, Until Field // as typed
	Event               account.Event
	Events              []account.Event // that the filter offers
	Filtered            bool
	Rows                []ActivityRow
	Pagination          Pagination
	Export              string // the address of the same rows as CSV
}

// wrong names the first field of the filter that cannot be read, or "".
func (a Activity) wrong() string {
	switch {
	case a.Person.Error != "":
		return "person"
	case a.From.Error != "":
		return "from"
	case a.Until.Error != "":
		return "until"
	}
	return ""
}

// An ActivityRow is one row of it.
type ActivityRow struct {
	At      time.Time
	Event   account.Event // OWASP's name
	Text    string
	OK      bool
	Actor   account.Party
	Subject account.Party // about whom; nobody for what is about the workspace
	Detail  string        // what exactly, such as an app's name
	Address string
}

// sign is the icon of what a row tells.
func (r ActivityRow) sign() string {
	if sign := eventSigns[r.Event]; sign != "" {
		return sign
	}
	for _, family := range eventFamilies {
		if strings.HasPrefix(string(r.Event), family[0]) {
			return family[1]
		}
	}
	return "activity"
}

// eventFamilies are the icons of events by how they begin, the longer first.
var eventFamilies = [][2]string{
	{"authn_factor_", "phone"}, {"authn_app_", "phone"}, {"authn_recovery_", "codes"}, {"authn_passkey_", "key"},
	{"authn_password_", "lock"}, {"authn_token_", "link"}, {"authn_login_", "enter"}, {"session_", "leave"}, {"user_", "person"},
	{"privilege_", "shield"}, {"app_", "apps"}, {"authz_", "apps"}, {"group_", "groups"}, {"sys_", "settings"}, {"crypt_", "key"},
	{"sensitive_", "download"},
}

// eventSigns are the icons of events that are another kind of thing than their names say.
var eventSigns = map[account.Event]string{
	account.PersonUnlocked:   "lock",
	account.BrowserForgotten: "leave",
	account.AccountClosed:    "warning",
	account.PasskeyCopied:    "warning",
	account.TokenReused:      "warning",
	account.MailGivenUp:      "mail",
	account.ActivityPruned:   "activity",
}

// A target is the thing that a row is about, and its page.
type target struct {
	text, address string
	isName        bool // somebody has given it
}

// target returns it; the zero target for a row that is about a person, or nothing that has a page.
func (r ActivityRow) target() target {
	switch r.Event {
	case account.PolicyChanged:
		return target{text: "Security", address: "/admin/settings/security"}
	case account.WorkspaceRenamed:
		return target{text: "General", address: "/admin/settings/general"}
	case account.MailGivenUp:
		return target{text: "Mail", address: "/admin/settings/mail"}
	}
	name, _, _ := strings.Cut(r.Detail, ": ")
	switch {
	case name == "":
		return target{}
	case appEvents[r.Event]:
		return target{text: name, address: "/admin/apps?" + url.Values{"q": {name}}.Encode(), isName: true}
	case r.Event == account.GroupAdded || r.Event == account.GroupChanged:
		return target{text: name, address: "/admin/groups", isName: true}
	}
	return target{}
}

// appEvents are those whose detail begins with the name of an app that may still be there.
var appEvents = map[account.Event]bool{
	account.AppAdded: true, account.AppChanged: true, account.AppSecretMade: true, account.BackchannelFailed: true,
	account.AppOpened: true, account.AppRefused: true, account.AppAgreed: true, account.AppEnded: true,
}

// isOwn reports whether a row is about whoever did it.
func (r ActivityRow) isOwn() bool {
	return r.Subject.None() || r.Actor.Kind == account.ActorPerson && r.Actor.ID == r.Subject.ID
}

// weekday gives the day of an instant for a head above its rows, in UTC.
func weekday(t time.Time) string { return t.UTC().Format("Monday, 2 Jan 2006 UTC") }

// activityOf is the address of what happened to somebody.
func activityOf(email string) string {
	return "/admin/activity?" + url.Values{"person": {email}}.Encode()
}

// eventOptions are the filter's events in words.
func eventOptions(offered []account.Event) [][2]string {
	out := [][2]string{{"", "Everything"}}
	for _, event := range offered {
		out = append(out, [2]string{string(event), events[event]})
	}
	return out
}

// partyName names somebody in a list, where an address stands beside the name.
func partyName(p account.Party) string {
	switch {
	case p.Kind == account.ActorMachine:
		return machineUser(p) + " on the machine"
	case p.Removed():
		return fmt.Sprintf("Removed account #%d", p.ID)
	case p.Kind == account.ActorStranger && p.Name != "":
		hash := strings.TrimPrefix(p.Name, "unknown:")
		return "Unknown name " + hash[:min(8, len(hash))]
	case p.Name == "":
		return "—"
	}
	return p.Name
}

// machineUser is who ran a command on the machine.
func machineUser(p account.Party) string { return strings.TrimPrefix(p.Name, "os:") }

// partyText names somebody in a sentence. The address tells two people of one name
// apart.
func partyText(p account.Party) string {
	switch {
	case p.Removed():
		return fmt.Sprintf("removed account #%d", p.ID)
	case p.Kind == account.ActorPerson:
		return p.Name + " (" + p.Email + ")"
	}
	return partyName(p)
}

// FilterErrorText says what is wrong with a field of the filter.
func FilterErrorText(field string) string {
	if field == "person" {
		return "Nobody has this e-mail address. Look it up on People."
	}
	return "Enter a day like 2026-11-23."
}

// dayType is the type of a field for a day. A browser empties a date field whose
// value is no day: what was typed stands in a text field until it is right.
func dayType(f Field) string {
	if f.Error != "" {
		return "text"
	}
	return "date"
}
