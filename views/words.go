package views

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/twofactor"
)

// wrongCode begins the answer to every wrong code.
const wrongCode = "That code did not match"

// lowCodes is from how many recovery codes a new sheet is advised.
const lowCodes = 2

// roleName returns a role in words.
func roleName(r twofactor.Role) string {
	switch r {
	case twofactor.Member:
		return "Member"
	case twofactor.Administrator:
		return "Administrator"
	case twofactor.ITAdministrator:
		return "IT administrator"
	case twofactor.SuperAdmin:
		return "Super-administrator"
	}
	return string(r)
}

// clockAdvice tells how far the phone's clock and the server's are apart, in whole minutes. Either
// may be the wrong one.
func clockAdvice(off time.Duration) string {
	apart := plural(max(1, int(off.Abs().Round(time.Minute)/time.Minute)), "minute", "minutes")
	if off < 0 {
		return "Your phone's clock is about " + apart + " behind this server's, or the code has expired. " +
			"Enter the one your app shows now. If that is refused too, set the clock that is wrong: " + setClock + "."
	}
	return "Your phone's clock is about " + apart + " ahead of this server's. Set the clock that is wrong: " +
		setClock +
		". Then enter the next code."
}

const setClock = "turn on automatic date and time on the phone, or tell an administrator about the server's"

func triesLeft(left int) string {
	if left <= 0 {
		return ""
	}
	return " You have " + plural(left, "more try", "more tries") + "."
}

func waitAdvice(wait time.Duration) string { return "Wait " + longDuration(wait) + ", then try again." }

// longDuration returns a duration as people say it, rounded up.
func longDuration(d time.Duration) string {
	if d <= 90*time.Second {
		return seconds(d)
	}
	return plural(int((d+time.Minute-1)/time.Minute), "minute", "minutes")
}

// seconds returns a duration in whole seconds, rounded up, at least one.
func seconds(d time.Duration) string { return plural(wholeSeconds(d), "second", "seconds") }

func wholeSeconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }

func plural(n int, singular, pluralForm string) string {
	if n == 1 {
		return "1 " + singular
	}
	return fmt.Sprintf("%d %s", n, pluralForm)
}

// codesLeft returns "1 recovery code left", "5 recovery codes left".
func codesLeft(n int) string { return plural(n, "recovery code left", "recovery codes left") }

// day, dateTime and clockTime give the day of an instant, its minute, and the second of its day, in UTC.
func day(t time.Time) string       { return t.UTC().Format("2 Jan 2006 UTC") }
func dateTime(t time.Time) string  { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }
func clockTime(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// machineTime returns an instant as timeScript reads it.
func machineTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// impactText tells whom a setting would affect if it were turned on now.
func impactText(s PolicyImpact) string {
	if s.Count == 0 {
		return "Nobody would be stopped now: everyone this applies to is enrolled."
	}
	text := plural(s.Count, "person", "people")
	if s.More {
		text = "More than " + text
	}
	text += " would have to set it up first"
	if len(s.First) == 0 {
		return text + "."
	}
	named := map[string]int{}
	for _, person := range s.First {
		named[person.Name]++
	}
	var names []string
	for _, person := range s.First {
		if named[person.Name] > 1 {
			person.Name += " (" + person.Email + ")"
		}
		if person.NeverSignedIn {
			person.Name += " (never signed in)"
		}
		names = append(names, person.Name)
	}
	list := strings.Join(names, ", ")
	switch more := s.Count - len(names); {
	case s.More:
		list += " and others"
	case more > 0:
		list += fmt.Sprintf(" and %d more", more)
	}
	return text + ": " + list + "."
}
