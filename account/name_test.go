package account_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"gatehouse/account"
)

func TestParseName(t *testing.T) {
	for name, c := range map[string]struct {
		text, want string
		reason     account.Reason
	}{
		"as most are":                    {"Ada Lovelace", "Ada Lovelace", ""},
		"blanks around and between":      {" \u3000Ada\t\u2003\nLovelace\u00a0", "Ada Lovelace", ""},
		"composed":                       {"Andre\u0301", "André", ""},
		"of any script":                  {"山田 太郎", "山田 太郎", ""},
		"from right to left":             {"عبد الله", "عبد الله", ""},
		"turned round":                   {"Ada\u202eecalevoL\u202c", "AdaecalevoL", ""},
		"isolated":                       {"\u2066Ada\u2069 \u200fLovelace\u200e", "Ada Lovelace", ""},
		"a zero-width space":             {"Ada\u200bLove\u2060lace\ufeff", "AdaLovelace", ""},
		"a joiner between Latin":         {"Ada\u200dLove\u200clace", "AdaLovelace", ""},
		"a joiner that Persian needs":    {"علی\u200cرضا", "علی\u200cرضا", ""},
		"a joiner that Sinhala needs":    {"ශ්\u200dරී", "ශ්\u200dරී", ""},
		"a joiner at the end":            {"علی\u200c", "علی", ""},
		"two joiners":                    {"علی\u200c\u200cرضا", "علی\u200cرضا", ""},
		"a soft hyphen":                  {"Love\u00adlace", "Lovelace", ""},
		"a Hangul filler":                {"Ada\u3164", "Ada", ""},
		"a language tag":                 {"Ada\U000e0041", "Ada", ""},
		"control characters":             {"A\x00d\x07a\x1b[31m", "Ada[31m", ""},
		"broken UTF-8":                   {"Ad\xffa\xc3", "Ada", ""},
		"100 characters":                 {strings.Repeat("郎", 100), strings.Repeat("郎", 100), ""},
		"100, each of two code points":   {strings.Repeat("e\u0301", 100), strings.Repeat("é", 100), ""},
		"100 and what nobody sees":       {strings.Repeat("a", 100) + "\u200b", strings.Repeat("a", 100), ""},
		"101 characters":                 {strings.Repeat("郎", 101), "", account.TooLong},
		"far too many":                   {strings.Repeat("a", 1<<16), "", account.TooLong},
		"nothing":                        {"", "", account.Missing},
		"blanks":                         {" \u2800\u3000", "", account.Missing},
		"nothing that anybody would see": {"\u200b\u2060\u3164\ufe0f\u202e", "", account.Missing},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := account.ParseName("name", c.text)
			var field account.FieldError
			errors.As(err, &field)
			if got != c.want || field.Reason != c.reason {
				t.Errorf("%q gives %q, %v; want %q, %q", c.text, got, err, c.want, c.reason)
			}
			if c.reason == account.TooLong && field.Limit != 100 {
				t.Errorf("the limit is %d", field.Limit)
			}
		})
	}
}

// FuzzParseName looks for a name that holds what nobody sees, or that reads as
// another one when it is saved again.
func FuzzParseName(f *testing.F) {
	for _, seed := range []string{"Ada Lovelace", "\u202eAda\x00", "علی\u200cرضا", "ශ්\u200dරී", "e\u0301", "\xff",
		"\u200c\u200d", "a\u200d\u0301", "ᄀ\u200dᅡ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := account.ParseName("name", text)
		if err != nil {
			return
		}
		if again, err := account.ParseName("name", name); again != name || err != nil {
			t.Fatalf("%q gives %q, which gives %q, %v", text, name, again, err)
		}
		for _, r := range name {
			if unicode.Is(unicode.Bidi_Control, r) || unicode.IsControl(r) ||
				unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' {
				t.Fatalf("%q gives %q, with %U", text, name, r)
			}
		}
		if !utf8.ValidString(name) || utf8.RuneCountInString(name) > account.NameMax {
			t.Fatalf("%q gives %q", text, name)
		}
	})
}
