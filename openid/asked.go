package openid

import (
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The fields that Gatehouse adds to its own address: when the request came, and that
// somebody has agreed to it. Each is an instant with a keyed hash.
const (
	AskedField  = "asked"
	AgreedField = "agreed"
)

// How long they count.
const (
	AskedTTL  = time.Hour
	AgreedTTL = time.Minute
)

// RequestText returns a request as it is hashed: what the app sent, and nothing that was
// added since, in one order whatever way it came.
func RequestText(values url.Values) string {
	sent := maps.Clone(values)
	delete(sent, AskedField)
	delete(sent, AgreedField)
	return sent.Encode()
}

// Stamp returns the text that is hashed for an instant of a request.
func Stamp(at time.Time, request string) string {
	return strconv.FormatInt(at.UnixMilli(), 10) + " " + request
}

// JoinStamp returns an instant and its hash as one field.
func JoinStamp(at time.Time, mac string) string {
	return strconv.FormatInt(at.UnixMilli(), 10) + "." + mac
}

// SplitStamp takes that field apart. It reports whether it can be one of ours and still
// counts; the hash is the caller's to compare.
func SplitStamp(field string, ttl time.Duration, now time.Time) (at time.Time, mac string, ok bool) {
	ms, mac, found := strings.Cut(field, ".")
	n, err := strconv.ParseInt(ms, 10, 64)
	if !found || err != nil || strconv.FormatInt(n, 10) != ms {
		return time.Time{}, "", false
	}
	at = time.UnixMilli(n).UTC()
	age := now.Sub(at)
	return at, mac, age > -time.Minute && age < ttl
}
