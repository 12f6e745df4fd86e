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
	Address string
}

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

func orDash(text string) string {
	if text == "" {
		return "—"
	}
	return text
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
