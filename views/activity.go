package views

import (
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
	List                List
	Export              string // the address of the same rows as CSV
}

// An ActivityRow is one row of it.
type ActivityRow struct {
	At      time.Time
	Event   account.Event // OWASP's name
	Text    string
	OK      bool
	Actor   string // who; "" for a stranger
	Subject string // about whom; ""
	Address string
}

// activityOf is the address of what happened to somebody.
func activityOf(email string) string {
	return "/admin/activity?" + url.Values{"person": {email}}.Encode()
}

// eventOptions are the filter's events in words.
func eventOptions(offered []account.Event) [][2]string {
	out := [][2]string{{"", "Everything"}}
	for _, one := range offered {
		out = append(out, [2]string{string(one), events[one]})
	}
	return out
}

// who words an actor: a name, the machine's user, or a stranger.
func who(actor string) string {
	if user, machine := strings.CutPrefix(actor, "os:"); machine {
		return user + " on the machine"
	}
	if hash, unknown := strings.CutPrefix(actor, "unknown:"); unknown {
		return "Unknown name " + hash[:min(8, len(hash))]
	}
	if actor == "" {
		return "—"
	}
	return actor
}

func orDash(text string) string {
	if text == "" {
		return "—"
	}
	return text
}

// FilterProblem words what is wrong with a field of the filter.
func FilterProblem(field string) string {
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
