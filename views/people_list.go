package views

import (
	"net/url"
	"strings"
	"unicode"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// People is the page /admin/people.
type People struct {
	Rows       []Person
	Pagination Pagination
	Filter     account.PeopleFilter
	Unordered  bool   // so many match that no order is kept
	Alone      bool   // there is nobody but the visitor
	Export     string // the address of the same rows as CSV
	Invite     Invite
	Link       OneTimeLink // of the invitation that was just made
}

// PeopleAddress is the address of a list of people with a filter; path is its page or its CSV.
func PeopleAddress(path string, f account.PeopleFilter) string {
	query := url.Values{}
	for name, value := range map[string]string{
		"q": f.Search, "role": string(f.Role), "two_factor": string(f.Factors), "account": string(f.Standing), "sort": string(f.Order),
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// orderAddress is where the head of a column leads: to its first order, or from that to the second.
func (p People) orderAddress(first, second account.Order) string {
	f := p.Filter
	if f.Order = first; p.Filter.Order == first {
		f.Order = second
	}
	return PeopleAddress("/admin/people", f)
}

// sorted is how the list goes by a column, as aria-sort says it; "" if it goes by another.
func (p People) sorted(first, second account.Order) string {
	switch {
	case p.Unordered || p.Filter.Order != first && p.Filter.Order != second:
		return ""
	case p.Filter.Order.Backward():
		return "descending"
	}
	return "ascending"
}

// orderSign is the sign in the head of a column.
func (p People) orderSign(first, second account.Order) string {
	switch p.sorted(first, second) {
	case "ascending":
		return "up"
	case "descending":
		return "down"
	}
	return "sort"
}

// What the filter offers; "" is everybody.
var (
	factorsFilter = [][2]string{
		{"", "All"},
		{string(account.WithTwoFactor), "Enabled"},
		{string(account.WithoutTwoFactor), "Not configured"},
	}
	standingFilter = [][2]string{
		{"", "All"},
		{string(account.ActivePerson), "Active"},
		{string(account.InvitedPerson), "Invited"},
		{string(account.DeactivatedPerson), "Deactivated"},
	}
	orderFilter = [][2]string{
		{string(account.ByName), "Name, A to Z"},
		{string(account.ByNameBackward), "Name, Z to A"},
		{string(account.BySignIn), "Last sign-in, newest first"},
		{string(account.BySignInOldest), "Last sign-in, oldest first"},
	}
)

func roleFilter() [][2]string {
	return append([][2]string{{"", "All"}}, roleOptions(twofactor.Roles, "")...)
}

func noMatchesAdvice(f account.PeopleFilter) string {
	if f.Narrows() {
		return "Try another part of the name or e-mail address, or a wider filter."
	}
	return "Try another part of the name or e-mail address."
}

// initials are the first letters of a name's first and last words, in the script that it is written in.
func initials(name string) string {
	var letters []rune
	for _, word := range strings.Fields(name) {
		for _, r := range word {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				letters = append(letters, unicode.ToUpper(r))
				break
			}
		}
	}
	if len(letters) > 2 {
		letters = []rune{letters[0], letters[len(letters)-1]}
	}
	return string(letters)
}
