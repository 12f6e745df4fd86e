package db_test

import (
	"errors"
	"strings"
	"testing"

	"gatehouse/db"
)

func TestNewPassword(t *testing.T) {
	for name, c := range map[string]struct{ typed, problem string }{
		"eight characters are enough":              {"kv7 ruhm", ""},
		"seven are not":                            {"kv7 ruh", db.TooShort},
		"a character counts once, however written": {"鍵は秘密だ", db.TooShort},
		"eight of another script are enough":       {"鍵は誰にも秘密だ", ""},
		"1024 bytes are not too long":              {strings.Repeat("abcdefghjkmnpqru", 64), ""},
		"1025 are":                                 {strings.Repeat("abcdefghjkmnpqru", 64) + "x", db.TooLong},
		"nothing":                                  {"", db.Missing},
		"what everybody takes":                     {"Password123!", db.Common},
		"one symbol over and over":                 {"aaaaaaaaaaaa", db.Common},
		"a run of the keyboard":                    {"qwertzuiop", db.Common},
		"the person's name":                        {"lovelace1815", db.Context},
		"the workspace's name":                     {"Acme-Acme-1", db.Context},
		"any composition":                          {"kettlesandharbours", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := db.NewPassword("password", c.typed, "Ada Lovelace", "ada@example.org", "Acme")
			var field db.FieldError
			if errors.As(err, &field); field.Problem != c.problem {
				t.Errorf("got %v, want %q", err, c.problem)
			}
		})
	}
}
