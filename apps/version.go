package apps

import (
	"fmt"
	"strconv"
	"strings"

	"gatehouse/account"
)

// FactsVersion is the version of what the form with an app's name, address and mark shows.
func (a App) FactsVersion() account.Version {
	return account.HashVersion("app", a.Name, a.Address.String(), a.Mark, a.Icon)
}

// AccessVersion is the version of what the form with an app's access shows.
func (a App) AccessVersion() account.Version {
	return account.HashVersion("app access", a.Access.String(), fmt.Sprint(a.Access.Roles, a.Access.Groups, a.Access.People),
		strconv.FormatBool(a.Access.Everyone))
}

// GuardVersion is the version of what the form with an app's guard shows.
func (a App) GuardVersion() account.Version {
	return account.HashVersion("app guard", strconv.FormatBool(a.Guarded), strings.Join(a.Guard.Public, "\n"),
		strings.Join(a.Guard.Others, "\n"), string(a.Guard.RemoteUser))
}

// String says in words that stay the same who may open an app and how, for the activity and
// the command line.
func (a Access) String() string {
	text := "everyone"
	if !a.Everyone {
		var who []string
		for _, role := range a.Roles {
			who = append(who, "role "+string(role))
		}
		for _, group := range a.Groups {
			who = append(who, "group "+group.Name)
		}
		if n := len(a.People); n == 1 {
			who = append(who, "1 person")
		} else if n > 1 {
			who = append(who, strconv.Itoa(n)+" people")
		}
		if text = strings.Join(who, ", "); text == "" {
			text = "nobody"
		}
	}
	if a.SecondStep {
		text += "; second step"
	}
	if a.FreshMinutes > 0 {
		text += fmt.Sprintf("; password within %d min", a.FreshMinutes)
	}
	return text
}
