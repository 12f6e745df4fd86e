package account_test

import (
	"errors"
	"testing"
	"time"

	"gatehouse/account"
)

func TestParseSessionLengths(t *testing.T) {
	refusal := func(field string, reason account.Reason) account.FieldError {
		return account.FieldError{Field: field, Reason: reason}
	}
	for name, c := range map[string]struct {
		idle, most string
		want       account.SessionLengths
		refused    []account.FieldError
	}{
		"the defaults":              {"60", "1440", account.DefaultSessionLengths, nil},
		"a phone that is not asked": {"10080", "43200", account.SessionLengths{Idle: 7 * 24 * time.Hour, Max: 30 * 24 * time.Hour}, nil},
		"the shortest":              {"5", "5", account.SessionLengths{Idle: 5 * time.Minute, Max: 5 * time.Minute}, nil},
		"the longest":               {"129600", "129600", account.SessionLengths{Idle: account.MaxSession, Max: account.MaxSession}, nil},
		"too short":                 {"4", "1440", account.SessionLengths{}, []account.FieldError{refusal("session_idle", account.NotLength)}},
		"too long":                  {"60", "129601", account.SessionLengths{}, []account.FieldError{refusal("session_max", account.NotLength)}},
		"idle for longer than the whole": {"1440", "60", account.SessionLengths{},
			[]account.FieldError{refusal("session_idle", account.LongerThanMax)}},
		"nothing": {"", "", account.SessionLengths{}, []account.FieldError{
			refusal("session_idle", account.NotLength), refusal("session_max", account.NotLength)}},
		"a number that turns over": {"18446744073709551615", "4294967296", account.SessionLengths{}, []account.FieldError{
			refusal("session_idle", account.NotLength), refusal("session_max", account.NotLength)}},
		"words": {"1h", "-5", account.SessionLengths{}, []account.FieldError{
			refusal("session_idle", account.NotLength), refusal("session_max", account.NotLength)}},
	} {
		got, err := account.ParseSessionLengths(c.idle, c.most)
		if len(c.refused) == 0 && (err != nil || got != c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if len(c.refused) > 0 && err == nil {
			t.Errorf("%s is taken as %v", name, got)
		}
		for _, want := range c.refused {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, without %v", name, err, want)
			}
		}
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Minute: "1 minute", 90 * time.Minute: "90 minutes", time.Hour: "1 hour", 36 * time.Hour: "36 hours",
		24 * time.Hour: "1 day", 30 * 24 * time.Hour: "30 days", 90 * time.Second: "1m30s",
	} {
		if got := account.DurationText(d); got != want {
			t.Errorf("%v reads %q, want %q", d, got, want)
		}
	}
}
