package typed_test

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"gatehouse/typed"

	"golang.org/x/text/unicode/norm"
)

func TestDigit(t *testing.T) {
	for r, want := range map[rune]int{'0': 0, '9': 9, '٣': 3, '۷': 7, '५': 5, '４': 4, '๖': 6, '၈': 8, '𝟗': 9, '𝟎': 0,
		'𝟘': 0, '🯱': 1, '߁': 1} {
		if got, ok := typed.Digit(r); !ok || got != want {
			t.Errorf("%c is %d, %v", r, got, ok)
		}
	}
	for _, r := range "a½三²①Ⅷ九 -,٬\u200b" {
		if got, ok := typed.Digit(r); ok {
			t.Errorf("%c counts as the digit %d", r, got)
		}
	}
}

// TestDigitsComeInRunsOfTen holds what Digit reads from Unicode's tables, which a
// newer Go may have extended.
func TestDigitsComeInRunsOfTen(t *testing.T) {
	check := func(lo, hi, stride rune) {
		if stride != 1 || (hi-lo+1)%10 != 0 {
			t.Errorf("%U to %U in steps of %d is no run of digits", lo, hi, stride)
		}
	}
	for _, r := range unicode.Nd.R16 {
		check(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range unicode.Nd.R32 {
		check(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		value, ok := typed.Digit(r)
		if ok != unicode.Is(unicode.Nd, r) {
			t.Fatalf("%U: %v", r, ok)
		}
		// Where NFKC knows the ASCII digit, it is the same.
		if plain := norm.NFKC.String(string(r)); ok && len(plain) == 1 && plain != string(rune('0'+value)) {
			t.Fatalf("%U is %d and %s", r, value, plain)
		}
	}
}

func TestKinds(t *testing.T) {
	for name, c := range map[string]struct {
		is    func(rune) bool
		signs string
		not   string
	}{
		"invisible": {
			is:    typed.IsInvisible,
			signs: "\u00ad\u034f\u061c\u115f\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2064\u2066\u2069\u3164\ufe0f\ufeff\uffa0\U000e0041\U000e0100",
			not:   " -aé\u00a0\u0301\t\n\x00٣",
		},
		"blank": {
			is:    typed.IsBlank,
			signs: " \t\r\n\v\f\u0085\u00a0\u1680\u2000\u2003\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u2800",
			not:   "\u200b\ufeff-a",
		},
		"dash": {
			is:    typed.IsDash,
			signs: "-\u058a\u05be\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\u301c\u30fc\ufe58\ufe63\uff0d\uff70",
			not:   "_~.+ \u00ad一",
		},
	} {
		for _, r := range c.signs {
			if !c.is(r) {
				t.Errorf("%U is not %s", r, name)
			}
		}
		for _, r := range c.not {
			if c.is(r) {
				t.Errorf("%U is %s", r, name)
			}
		}
	}
}

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"Ada Lovelace":       "Ada Lovelace",
		"a\x00b\x7fc\u0085d": "abc d",
		"a\tb\r\nc":          "a b  c",
		"a\xffb\xc3":         "ab",
		"a\ufffdb":           "ab",
		"\xed\xa0\x80":       "",
		"太郎 é 👩‍👩‍👧":         "太郎 é 👩‍👩‍👧",
	} {
		got := typed.Line(in)
		if got != want || !utf8.ValidString(got) {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}
