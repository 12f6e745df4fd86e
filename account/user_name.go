package account

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"gatehouse/typed"
)

// UserNameMax is how long a user name may be.
const UserNameMax = 64

// userName is what apps that people do not sign in to themselves take for a name.
var userName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

// ParseUserName checks a user name, by which apps know somebody, or refuses with a
// FieldError of user_name. Capitals become small letters.
func ParseUserName(text string) (string, error) {
	name := strings.ToLower(strings.TrimSpace(typed.Line(text)))
	switch {
	case name == "":
		return "", FieldError{Field: "user_name", Reason: Missing}
	case len(name) > UserNameMax:
		return "", FieldError{Field: "user_name", Reason: TooLong, Limit: UserNameMax}
	case !userName.MatchString(name):
		return "", FieldError{Field: "user_name", Reason: NotPlainName}
	}
	return name, nil
}

// notGiven are the names with which apps give rights that nobody meant to give: they are
// never made of an address.
var notGiven = map[string]bool{"admin": true, "administrator": true, "root": true, "guest": true}

// UserNameOf makes a user name of an address: its local part, without accents and signs.
// Of the names that it could be this is the nth, from 1; the second ends in -2. It returns
// "" where nothing of the local part is left, and for a name that is given by hand alone.
func UserNameOf(email string, n int) string {
	local, _, _ := strings.Cut(email, "@")
	var b strings.Builder
	for _, r := range foldCase(local) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r):
			b.WriteRune(r)
		case !unicode.Is(unicode.Mn, r):
			b.WriteByte('-') // tags: ada+news@ is ada-news
		}
	}
	name := strings.Trim(b.String(), "._-")
	if !strings.ContainsFunc(name, unicode.IsLetter) && !strings.ContainsFunc(name, unicode.IsDigit) {
		return ""
	}
	const room = len("-1000000")
	name = strings.TrimRight(name[:min(len(name), UserNameMax-room)], "._-")
	if n > 1 {
		return name + "-" + strconv.Itoa(n)
	}
	if notGiven[name] {
		return ""
	}
	return name
}
