package account_test

import (
	"errors"
	"testing"
	"time"
	_ "time/tzdata"

	"gatehouse/account"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestParseDay gives the first instant of a day, also where clocks are put forward at midnight, so
// that 00:00 does not exist, and where a whole day was left out.
func TestParseDay(t *testing.T) {
	for _, c := range []struct{ day, zone, want string }{
		{"2026-12-03", "UTC", "2026-12-03T00:00:00Z"},
		{"2026-12-03", "Europe/Berlin", "2026-12-02T23:00:00Z"},
		{"2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00Z"},     // forward at 2
		{"2026-10-25", "Europe/Berlin", "2026-10-24T22:00:00Z"},     // back at 3
		{"2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"}, // forward at midnight: the day begins at 01:00
		{"2018-02-18", "America/Sao_Paulo", "2018-02-18T03:00:00Z"}, // back at midnight, to the day before
		{"2024-09-08", "America/Santiago", "2024-09-08T04:00:00Z"},  // forward at midnight
		{"2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z"},      // left out: the first instant after it
	} {
		got, err := account.ParseDay("everyone_from", c.day, zone(t, c.zone))
		if err != nil || got.UTC().Format(time.RFC3339) != c.want {
			t.Errorf("%s in %s: %s, %v; want %s", c.day, c.zone, got.UTC().Format(time.RFC3339), err, c.want)
		}
	}
	for _, text := range []string{"", "3.12.2026", "2026-13-01", "2026-02-30", "2026-12-03T00:00", "0001-01-01", "on"} {
		var refusal account.FieldError
		if _, err := account.ParseDay("everyone_from", text, time.UTC); !errors.As(err, &refusal) || refusal.Reason != account.NotDay {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestParseSetting reads a box and a day beside it.
func TestParseSetting(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	now := time.Date(2026, 11, 26, 23, 30, 0, 0, berlin)
	day := func(text string) time.Time {
		at, err := account.ParseDay("f", text, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct {
		ticked bool
		day    string
		before string
		on     bool
		from   string
		reason account.Reason
	}{
		{ticked: false},
		{ticked: true, on: true},
		{ticked: true, day: "2026-12-03", from: "2026-12-03"},
		{ticked: true, day: "2026-11-26", on: true}, // today
		{ticked: true, day: "2026-11-27", from: "2026-11-27"},
		{ticked: true, day: "2026-11-25", reason: account.PastDay},
		{ticked: true, day: "soon", reason: account.NotDay},
		{ticked: false, day: "2026-12-03", before: "2026-12-03"}, // turned off, the day left standing
		{ticked: false, day: "2026-12-04", before: "2026-12-03", reason: account.DayOff},
		{ticked: false, day: "2026-12-03", reason: account.DayOff},
	} {
		var before, want time.Time
		if c.before != "" {
			before = day(c.before)
		}
		if c.from != "" {
			want = day(c.from)
		}
		on, from, err := account.ParseSetting("f", c.ticked, c.day, before, berlin, now)
		var refusal account.FieldError
		errors.As(err, &refusal)
		if on != c.on || !from.Equal(want) || refusal.Reason != c.reason {
			t.Errorf("%+v: %v, %v, %v", c, on, from, err)
		}
	}
}

// TestDaysUntil counts days as people do, whatever the hour and the clocks.
func TestDaysUntil(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, c := range []struct {
		now, at string
		want    int
	}{
		{"2026-11-26T23:59:59+01:00", "2026-11-27T00:00:00+01:00", 1},
		{"2026-11-26T00:00:00+01:00", "2026-12-03T00:00:00+01:00", 7},
		{"2026-10-24T12:00:00+02:00", "2026-10-26T00:00:00+01:00", 2}, // 25 hours in between
		{"2026-11-26T12:00:00+01:00", "2026-11-26T00:00:00+01:00", 0},
		{"2026-11-26T12:00:00+01:00", "2026-11-25T00:00:00+01:00", -1},
	} {
		now, _ := time.Parse(time.RFC3339, c.now)
		at, _ := time.Parse(time.RFC3339, c.at)
		if got := account.DaysUntil(at, now, berlin); got != c.want {
			t.Errorf("%s to %s: %d; want %d", c.now, c.at, got, c.want)
		}
	}
	if got := account.NextDay(time.Date(2026, 11, 26, 23, 59, 0, 0, berlin), berlin); got.Format(time.RFC3339) != "2026-11-27T00:00:00+01:00" {
		t.Errorf("the next day begins at %s", got)
	}
}
