package account_test

import (
	"errors"
	"strings"
	"testing"

	"gatehouse/account"
)

func TestNewPassword(t *testing.T) {
	for name, c := range map[string]struct {
		typed  string
		reason account.Reason
	}{
		"eight characters are enough":              {"kv7 ruhm", ""},
		"seven are not":                            {"kv7 ruh", account.TooShort},
		"a character counts once, however written": {"鍵は秘密だ", account.TooShort},
		"eight of another script are enough":       {"鍵は誰にも秘密だ", ""},
		"1024 characters are not too long":         {strings.Repeat("abcdefghjkmnpqru", 64), ""},
		"nor are they in another script":           {strings.Repeat("鍵は誰にも秘密だ", 128), ""},
		"1025 are":                                 {strings.Repeat("abcdefghjkmnpqru", 64) + "x", account.TooLong},
		"nothing":                                  {"", account.Missing},
		"what everybody takes":                     {"Password123!", account.Common},
		"one symbol over and over":                 {"aaaaaaaaaaaa", account.Common},
		"a run of the keyboard":                    {"qwertzuiop", account.Common},
		"the person's name":                        {"lovelace1815", account.Context},
		"the workspace's name":                     {"Acme-Acme-1", account.Context},
		"any composition":                          {"kettlesandharbours", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := account.NewPassword("password", c.typed, "Ada Lovelace", "ada@example.org", "Acme")
			var field account.FieldError
			if errors.As(err, &field); field.Reason != c.reason {
				t.Errorf("got %v, want %q", err, c.reason)
			}
		})
	}
}
