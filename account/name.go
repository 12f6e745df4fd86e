package account

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"gatehouse/typed"

	"golang.org/x/text/unicode/norm"
)

// NameMax is how long a name may be, in characters.
const NameMax = 100

// ParseName checks a person's or the workspace's name for the field, or refuses
// with a FieldError. What is not seen goes: control characters, bidirectional
// controls, which would turn the text beside the name round, and zero-width signs,
// which would make one name of two.
func ParseName(field, text string) (string, error) {
	if len(text) > 64*NameMax {
		return "", FieldError{Field: field, Reason: TooLong, Limit: NameMax}
	}
	name := typed.Line(text)
	for before := ""; name != before; { // what is taken out may bring signs together that compose
		before, name = name, withoutUnseen(norm.NFC.String(name))
	}
	name = strings.Join(strings.Fields(name), " ")
	switch {
	case name == "":
		return "", FieldError{Field: field, Reason: Missing}
	case utf8.RuneCountInString(name) > NameMax:
		return "", FieldError{Field: field, Reason: TooLong, Limit: NameMax}
	}
	return name, nil
}

// withoutUnseen takes the invisible signs out of a text. The two joiners stay
// between letters of a script that is spelled with them.
func withoutUnseen(text string) string {
	runes := []rune(text)
	kept := make([]rune, 0, len(runes))
	for i, r := range runes {
		isJoiner := (r == '\u200c' || r == '\u200d') && len(kept) > 0 && i+1 < len(runes) &&
			isJoined(kept[len(kept)-1]) && isJoined(runes[i+1])
		if isJoiner || !typed.IsInvisible(r) {
			kept = append(kept, r)
		}
	}
	return string(kept)
}

// isJoined reports whether a letter belongs to a script in which a joiner changes
// the shape of the letters beside it, as in Persian, Hindi and Sinhala.
func isJoined(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsMark(r)) &&
		unicode.In(r, unicode.Arabic, unicode.Syriac, unicode.Mongolian,
			unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil,
			unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar)
}
