// Package typed knows what keyboards, clipboards and spreadsheets put into and
// around a text beside what somebody meant: invisible signs, blanks and dashes of
// every kind, digits of other scripts, the mark at the beginning of a file.
//
// It is pure, and the one place for these questions: twofactor asks it about
// codes, account about names and addresses, cli about what is piped in.
package typed

import (
	"strings"
	"unicode"
)

// IsInvisible reports whether a sign shows nothing and takes no room: zero-width
// signs, the byte-order mark, bidirectional controls, the soft hyphen, variation
// selectors (Unicode's Cf and Default_Ignorable_Code_Point). Blanks, line breaks
// and the control characters of ASCII are none of them.
func IsInvisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// IsBlank reports whether a sign is a space of any width, a tab, or the end of a
// line. The empty cell of braille looks like one too.
func IsBlank(r rune) bool { return unicode.IsSpace(r) || r == '\u2800' }

// IsDash reports whether a sign reads as a hyphen: every dash of Unicode (Pd), the
// signs for minus, and the long-vowel marks that Japanese keyboards put there.
func IsDash(r rune) bool {
	switch r {
	case '\u02d7', '\u2043', '\u207b', '\u208b', '\u2212', '\u2796', '\u30fc', '\uff70':
		return true
	}
	return unicode.Is(unicode.Pd, r)
}

// Digit returns the value of a decimal digit of any script: '٣' is 3. It reports false
// for every other sign, numbers like '½' and '三' included.
func Digit(r rune) (value int, ok bool) {
	if r >= '0' && r <= '9' {
		return int(r - '0'), true
	}
	if r <= unicode.MaxLatin1 || !unicode.Is(unicode.Nd, r) {
		return 0, false
	}
	// Decimal digits stand in Unicode as unbroken runs from 0 to 9, and several
	// such runs side by side begin at a multiple of ten from the first.
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return int(r-rune(t.Lo)) % 10, true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return int(r-rune(t.Lo)) % 10, true
		}
	}
	return 0, false
}

// ASCII returns the letter or sign that a full-width form of it stands for, and every
// other sign as it is.
func ASCII(r rune) rune {
	if r >= '\uff01' && r <= '\uff5e' {
		return r - '\uff01' + '!'
	}
	return r
}

// WithoutMark cuts off the byte-order mark that some editors and shells put
// before a text.
func WithoutMark(text string) string { return strings.TrimPrefix(text, "\ufeff") }

// Line returns a text as one line that every database and terminal takes: valid UTF-8
// without control characters. Line breaks and tabs become spaces.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == unicode.ReplacementChar:
			return -1
		case IsBlank(r):
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}
