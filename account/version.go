package account

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"gatehouse/twofactor"
)

// A Version names the state that a form showed. Two states that differ have different
// versions, so that a change that somebody else has made meanwhile is noticed.
type Version string

// PolicyVersion is the version of a policy.
func PolicyVersion(p twofactor.Policy) Version {
	return HashVersion("policy", strconv.FormatBool(p.Everyone), strconv.FormatBool(p.Admins),
		strconv.FormatInt(p.EveryoneFrom.Unix(), 10), strconv.FormatInt(p.AdminsFrom.Unix(), 10))
}

// SessionLengthsVersion is the version of how long sessions last.
func SessionLengthsVersion(l SessionLengths) Version {
	return HashVersion("sessions", l.Idle.String(), l.Max.String())
}

// PersonVersion is the version of what the form with a person's name, address, user name
// and role shows.
func PersonVersion(name, email, userName string, role twofactor.Role) Version {
	return HashVersion("person", name, email, userName, string(role))
}

// NotificationsVersion is the version of which mails somebody wants.
func NotificationsVersion(signIn bool) Version {
	return HashVersion("notifications", strconv.FormatBool(signIn))
}

// WorkspaceVersion is the version of a workspace's name.
func WorkspaceVersion(name string) Version { return HashVersion("workspace", name) }

// HashVersion is the version of a state that consists of these texts.
func HashVersion(parts ...string) Version {
	hash := sha256.New()
	for _, part := range parts {
		hash.Write([]byte(strconv.Quote(part)))
	}
	return Version(base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:9]))
}

// A Seen is what a form carries in its field "seen": what it showed, and when. The zero
// Seen is that of a form without the field.
type Seen struct {
	Version Version
	At      time.Time // to the second
}

// String returns the field's value. The version stands last, as the field does in its
// form: of a form that was cut off anywhere it is not whole.
func (s Seen) String() string {
	return strconv.FormatInt(s.At.Unix(), 10) + "." + string(s.Version)
}

// ParseSeen reads the field's value; ok is false for what String has not given.
func ParseSeen(text string) (s Seen, ok bool) {
	at, version, found := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if !found || err != nil || len(version) != len(HashVersion()) {
		return Seen{}, false
	}
	s = Seen{Version: Version(version), At: time.Unix(seconds, 0).UTC()}
	return s, seconds > 0 && s.String() == text
}

// Outdated reports whether a form showed something else than what is so now. A form
// without the field is not.
func (s Seen) Outdated(now Version) bool { return s != Seen{} && s.Version != now }
