package account

import (
	"net/mail"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxEmail is how long an address may be, in bytes (RFC 5321 section 4.5.3.1.3).
const maxEmail = 254

// NormalizeEmail gives a sign-in name as it is stored: in lower case, without
// spaces around it.
func NormalizeEmail(typed string) string {
	if len(typed) > 4*maxEmail {
		return "" // nobody's
	}
	return strings.ToLower(norm.NFKC.String(strings.TrimSpace(typed)))
}

// ParseEmail checks and normalises an address, or refuses with a FieldError.
func ParseEmail(typed string) (string, error) {
	email := NormalizeEmail(typed)
	if strings.TrimSpace(typed) == "" {
		return "", FieldError{"email", Missing}
	}
	if len(email) > maxEmail {
		return "", FieldError{"email", TooLong}
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || strings.ContainsFunc(email, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "", FieldError{"email", NotEmail}
	}
	return email, nil
}
