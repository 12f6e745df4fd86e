package account

import (
	"strings"
	"testing"
)

func TestParseUserName(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{"ada": "ada", " Ada.L ": "ada.l", "a_b-c.2": "a_b-c.2", "root": "root"} {
		if got, err := ParseUserName(typed); err != nil || got != want {
			t.Errorf("%q gives %q, %v", typed, got, err)
		}
	}
	for typed, want := range map[string]Reason{"": Missing, "a b": NotPlainName, "a,b": NotPlainName, "é": NotPlainName,
		".": NotPlainName, "-x": NotPlainName, "a\nb": NotPlainName, strings.Repeat("a", 65): TooLong} {
		got, err := ParseUserName(typed)
		if e, ok := err.(FieldError); !ok || e.Field != "user_name" || e.Reason != want {
			t.Errorf("%q gives %q, %v; want %s", typed, got, err, want)
		}
	}
}

// TestUserNameOf makes user names of addresses. Each is one that could be typed, too.
func TestUserNameOf(t *testing.T) {
	t.Parallel()
	for email, want := range map[string][2]string{
		"ada@example.org":                        {"ada", "ada-2"},
		"Ada.Lovelace@example.org":               {"ada.lovelace", "ada.lovelace-2"},
		"ada+news@example.org":                   {"ada-news", "ada-news-2"},
		"jürgen@example.org":                     {"jurgen", "jurgen-2"},
		"ju\u0308rgen@example.org":               {"jurgen", "jurgen-2"},
		"straße@example.org":                     {"strasse", "strasse-2"},
		"_x_@example.org":                        {"x", "x-2"},
		"admin@example.org":                      {"", "admin-2"},
		"root@example.org":                       {"", "root-2"},
		"山田@example.org":                         {"", ""},
		"!@example.org":                          {"", ""},
		strings.Repeat("a", 80) + "@example.org": {strings.Repeat("a", 56), strings.Repeat("a", 56) + "-2"},
	} {
		for i, want := range want {
			got := UserNameOf(email, i+1)
			if got != want {
				t.Errorf("%s gives %q as its %d. name, want %q", email, got, i+1, want)
			}
			if parsed, err := ParseUserName(got); got != "" && (err != nil || parsed != got) {
				t.Errorf("%q is no user name: %v", got, err)
			}
		}
	}
}
