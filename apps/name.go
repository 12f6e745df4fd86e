package apps

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gatehouse/account"
	"gatehouse/twofactor"
	"gatehouse/typed"
)

// AdminsGroup is what an app is told of every admin, beside their role: no group may be
// called so.
const AdminsGroup = "admins"

// MaxGroupName is how long a group's name may be.
const MaxGroupName = 64

// groupName is what groups are called: apps get their names in a header, separated by
// commas.
var groupName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

// ParseGroupName checks a group's name, or refuses with a FieldError of name. Capitals
// become small letters. The words of roles are reserved, since apps get them among the
// groups.
func ParseGroupName(text string) (string, error) {
	name := strings.ToLower(strings.TrimSpace(typed.Line(text)))
	refuse := func(reason account.Reason) (string, error) {
		return "", account.FieldError{Field: "name", Reason: reason, Limit: MaxGroupName}
	}
	switch {
	case name == "":
		return refuse(account.Missing)
	case len(name) > MaxGroupName:
		return refuse(account.TooLong)
	case !groupName.MatchString(name):
		return refuse(account.NotPlainName)
	case name == AdminsGroup || slices.Contains(twofactor.Roles, twofactor.Role(name)):
		return refuse(account.Reserved)
	}
	return name, nil
}

// HeaderGroups are the groups of somebody as an app is told them: the role's word, "admins"
// for the admin roles, then the person's groups in the order of their names.
func HeaderGroups(role twofactor.Role, groups []string) []string {
	out := append(make([]string, 0, len(groups)+2), string(role))
	if role.Admin() {
		out = append(out, AdminsGroup)
	}
	own := len(out)
	out = append(out, groups...)
	slices.Sort(out[own:])
	return out
}

// maxSlug is how long a slug is before its number.
const maxSlug = 40

// Slug makes of an app's name what names it in addresses: "Paperless-ngx" is
// paperless-ngx, and a name without a letter of the alphabet is app.
func Slug(name string) string {
	var words []string
	for _, word := range account.Words(name) {
		plain := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, word)
		if plain != "" {
			words = append(words, plain)
		}
	}
	slug := strings.Join(words, "-")
	slug = strings.Trim(slug[:min(len(slug), maxSlug)], "-")
	if slug == "" {
		return "app"
	}
	return slug
}

// ParseMark checks the one or two letters that stand for an app, or refuses with a
// FieldError of mark. An empty one is made of the name.
func ParseMark(text, name string) (string, error) {
	mark := strings.ToUpper(strings.Join(strings.Fields(typed.Line(text)), ""))
	if mark == "" {
		return markOf(name), nil
	}
	if utf8.RuneCountInString(mark) > 2 {
		return "", account.FieldError{Field: "mark", Reason: account.TooLong, Limit: 2}
	}
	for _, r := range mark {
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) {
			return "", account.FieldError{Field: "mark", Reason: account.NotLetters}
		}
	}
	return mark, nil
}

// markOf takes the first letters of the first two words of a name, or the first of one.
func markOf(name string) string {
	var mark []rune
	word := false
	for _, r := range name {
		letter := unicode.IsLetter(r) || unicode.IsNumber(r)
		if letter && !word && len(mark) < 2 {
			mark = append(mark, unicode.ToUpper(r))
		}
		word = letter || unicode.IsMark(r) || r == '\'' || r == '’'
	}
	if len(mark) == 0 {
		return "•"
	}
	return string(mark)
}
