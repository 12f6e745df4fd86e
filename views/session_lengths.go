package views

import (
	"slices"
	"strconv"
	"time"

	"gatehouse/account"
)

// SessionLengths is the card of /admin/settings/sessions.
type SessionLengths struct {
	Idle, Max Field                  // in minutes, as chosen or as just sent
	Fixed     account.SessionLengths // those that the server was started with; zero for the others
	Seen      string                 // what the form carries of what it shows
	Success   Message
	Alert     Message
}

// SessionLengthsSaved is shown when the lengths were changed.
func SessionLengthsSaved() Message {
	return Message{
		Text:   "The times are saved.",
		Advice: "They count for everybody from their next click on; whoever is over them signs in again.",
	}
}

// The lengths that are offered. Another one, set on the machine, is offered beside them.
var (
	idleLengths = []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour, 4 * time.Hour, 8 * time.Hour, 24 * time.Hour,
		7 * 24 * time.Hour, 30 * 24 * time.Hour}
	maxLengths = []time.Duration{8 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour,
		90 * 24 * time.Hour}
)

// lengthOptions are the options of a drop-down, in minutes, with what was chosen and what is
// recommended among them.
func lengthOptions(offered []time.Duration, chosen string, recommended time.Duration) [][2]string {
	lengths := slices.Clone(offered)
	if n, err := strconv.Atoi(chosen); err == nil && n > 0 && n <= int(account.MaxSession/time.Minute) {
		lengths = append(lengths, time.Duration(n)*time.Minute)
	}
	slices.Sort(lengths)
	var out [][2]string
	for _, l := range slices.Compact(lengths) {
		text := account.DurationText(l)
		if l == recommended {
			text += " (recommended)"
		}
		out = append(out, [2]string{strconv.Itoa(int(l / time.Minute)), text})
	}
	return out
}

// fixedLength says that a length is not chosen here.
func fixedLength(flag string, l time.Duration) string {
	return account.DurationText(l) + ", as " + flag + " says on the machine. Take it away there to choose here."
}
