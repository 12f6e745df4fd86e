package account

import (
	"errors"
	"strconv"
	"time"
)

// SessionLengths say how long people stay signed in.
type SessionLengths struct {
	Idle time.Duration // without a request
	Max  time.Duration // from sign-in on, whatever happens
}

// DefaultSessionLengths are what NIST SP 800-63B-4 recommends for AAL2 (section 2.2.3).
var DefaultSessionLengths = SessionLengths{Idle: time.Hour, Max: 24 * time.Hour}

// The bounds of what an administrator may choose.
const (
	MinSessionIdle = 5 * time.Minute
	MaxSession     = 90 * 24 * time.Hour
)

// Check refuses lengths out of bounds, and an idle time that is longer than the whole, with
// FieldErrors of session_idle and session_max.
func (l SessionLengths) Check() error {
	var errs []error
	for _, field := range []struct {
		name   string
		length time.Duration
	}{{"session_idle", l.Idle}, {"session_max", l.Max}} {
		if field.length < MinSessionIdle || field.length > MaxSession {
			errs = append(errs, FieldError{Field: field.name, Reason: NotLength})
		}
	}
	if len(errs) == 0 && l.Idle > l.Max {
		errs = append(errs, FieldError{Field: "session_idle", Reason: LongerThanMax})
	}
	return errors.Join(errs...)
}

// ParseSessionLengths reads them in minutes, as a form sends them. It refuses as Check does.
func ParseSessionLengths(idle, most string) (SessionLengths, error) {
	l := SessionLengths{Idle: parseMinutes(idle), Max: parseMinutes(most)}
	return l, l.Check()
}

// parseMinutes returns 0, which no bounds take, for what is no number of minutes.
func parseMinutes(text string) time.Duration {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n > uint64(MaxSession/time.Minute) {
		return 0
	}
	return time.Duration(n) * time.Minute
}

// String describes the lengths for the activity.
func (l SessionLengths) String() string {
	return DurationText(l.Idle) + " without use, " + DurationText(l.Max) + " at most"
}

// DurationText writes a duration in the largest unit that it is whole in: "8 hours".
func DurationText(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= unit.length && d%unit.length == 0 {
			n := int64(d / unit.length)
			if n == 1 {
				return "1 " + unit.name
			}
			return strconv.FormatInt(n, 10) + " " + unit.name + "s"
		}
	}
	return d.String()
}
