package account

import (
	"sort"
	"time"
)

// ParseDay reads a day as forms send it, "2026-12-03", and returns its first instant in a time
// zone, or refuses with a FieldError of the field.
func ParseDay(field, text string, zone *time.Location) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil || day.Year() < 1970 {
		return time.Time{}, FieldError{Field: field, Reason: NotDay}
	}
	return dayStart(day.Year(), day.Month(), day.Day(), zone), nil
}

// ParseSetting reads what a form says of a setting of the policy: its checkbox, and the day from
// which it is to be on. Today's day is now. before is the setting's day so far: a day that
// is left standing beside an unticked box turns the setting off. It refuses with a FieldError of
// the field that holds the day.
func ParseSetting(field string, ticked bool, day string, before time.Time, zone *time.Location,
	now time.Time) (on bool, from time.Time, err error) {
	if day == "" {
		return ticked, time.Time{}, nil
	}
	at, err := ParseDay(field, day, zone)
	if err != nil {
		return false, time.Time{}, err
	}
	days := DaysUntil(at, now, zone)
	switch {
	case !ticked && at.Equal(before):
		return false, time.Time{}, nil
	case !ticked:
		return false, time.Time{}, FieldError{Field: field, Reason: DayOff}
	case days < 0:
		return false, time.Time{}, FieldError{Field: field, Reason: PastDay}
	case days == 0:
		return true, time.Time{}, nil
	}
	return false, at, nil
}

// NextDay returns the first instant of the day after now in a time zone.
func NextDay(now time.Time, zone *time.Location) time.Time {
	year, month, day := now.In(zone).Date()
	return dayStart(year, month, day+1, zone)
}

// DaysUntil returns how many days lie between today and the day of an instant, as people
// count them: 1 for tomorrow.
func DaysUntil(at, now time.Time, zone *time.Location) int {
	number := func(t time.Time) int {
		year, month, day := t.In(zone).Date()
		return int(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
	}
	return number(at) - number(now)
}

// dayStart returns the first instant of a day. Where clocks are put forward at midnight, that
// is not 00:00, which does not exist.
func dayStart(year int, month time.Month, day int, zone *time.Location) time.Time {
	at := time.Date(year, month, day, 0, 0, 0, 0, zone)
	wanted := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	isReached := func(t time.Time) bool {
		y, m, d := t.Date()
		return !time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Before(wanted)
	}
	if isReached(at) && !isReached(at.Add(-time.Second)) {
		return at
	}
	from := at.Add(-26 * time.Hour) // no zone is moved further at once
	seconds := sort.Search(2*26*60*60, func(n int) bool { return isReached(from.Add(time.Duration(n) * time.Second)) })
	return from.Add(time.Duration(seconds) * time.Second)
}
