package account

import (
	"strings"
	"unicode"
)

// maxName is how long a name may be, in bytes.
const maxName = 100

// ParseName checks a person's or the workspace's name for the field, or refuses
// with a FieldError. Control characters become spaces.
func ParseName(field, typed string) (string, error) {
	name := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(typed, ""), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	switch {
	case name == "":
		return "", FieldError{field, Missing}
	case len(name) > maxName:
		return "", FieldError{field, TooLong}
	}
	return name, nil
}
