package apps

import (
	"fmt"
	"strings"
)

// A Target is where a request was going before its proxy asked, as the proxy says.
type Target struct {
	Address Address // the origin
	Path    string  // as the visitor sent it, with the query; begins with "/"
	Method  string
	Family  Family
}

// A Family is a set of headers in which proxies say where a request was going.
type Family string

// The families. A proxy sends one of them, and what a visitor adds of the other must not differ.
const (
	Original  Family = "X-Original"  // X-Original-URL and -Method: nginx
	Forwarded Family = "X-Forwarded" // X-Forwarded-Host, -Uri, -Proto and -Method: Caddy, Traefik
)

// A TargetError says why nobody can tell where a request was going.
type TargetError struct {
	Reason TargetReason
	Header string // which is wrong; "" for all
}

// A TargetReason is what is wrong with the headers.
type TargetReason string

// The reasons.
const (
	HeadersMissing  TargetReason = "missing"       // none, or a part of a family
	HeadersTwice    TargetReason = "twice"         // a header more than once, or two values in one
	HeadersUnclear  TargetReason = "unclear"       // a value that cannot be read
	HeadersDisagree TargetReason = "contradictory" // the two families say different things
)

func (e TargetError) Error() string {
	if e.Header == "" {
		return "the headers that say where a request was going are " + string(e.Reason)
	}
	return "the header " + e.Header + " is " + string(e.Reason)
}

// ParseTarget reads where a request was going from the headers of whom the caller trusts, by
// their canonical names, or refuses with a TargetError. Every header of a family must be
// there, once, and mean one thing. Where both families are there they must agree: a proxy
// sets one of them, and a visitor may have sent the other.
func ParseTarget(headers map[string][]string) (Target, error) {
	original, isOriginal, err := parseOriginal(headers)
	if err != nil {
		return Target{}, err
	}
	forwarded, isForwarded, err := parseForwarded(headers)
	if err != nil {
		return Target{}, err
	}
	switch {
	case !isOriginal && !isForwarded:
		return Target{}, TargetError{Reason: HeadersMissing}
	case !isForwarded:
		return original, nil
	case !isOriginal:
		return forwarded, nil
	}
	if original.Address != forwarded.Address || original.Path != forwarded.Path || original.Method != forwarded.Method {
		return Target{}, TargetError{Reason: HeadersDisagree}
	}
	return forwarded, nil // what both say was said by a proxy that forwards
}

// parseOriginal reads one family; found is false where none of its headers is there.
func parseOriginal(headers map[string][]string) (t Target, found bool, err error) {
	var values [2]string
	if found, err = family(headers, values[:], "X-Original-Url", "X-Original-Method"); !found {
		return Target{}, false, err
	}
	t = Target{Method: values[1], Family: Original}
	scheme, rest, ok := strings.Cut(values[0], "://")
	slash := strings.IndexByte(rest, '/')
	if !ok || slash < 0 {
		return Target{}, true, TargetError{HeadersUnclear, "X-Original-URL"}
	}
	if t.Address, ok = parseAuthority(scheme, rest[:slash]); !ok {
		return Target{}, true, TargetError{HeadersUnclear, "X-Original-URL"}
	}
	if t.Path = rest[slash:]; !isPath(t.Path) {
		return Target{}, true, TargetError{HeadersUnclear, "X-Original-URL"}
	}
	if !isMethod(t.Method) {
		return Target{}, true, TargetError{HeadersUnclear, "X-Original-Method"}
	}
	return t, true, nil
}

// parseForwarded does the same with the other.
func parseForwarded(headers map[string][]string) (t Target, found bool, err error) {
	var values [4]string
	if found, err = family(headers, values[:],
		"X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri", "X-Forwarded-Method"); !found {
		return Target{}, false, err
	}
	t = Target{Path: values[2], Method: values[3], Family: Forwarded}
	var ok bool
	if t.Address, ok = parseAuthority(values[0], values[1]); !ok {
		return Target{}, true, TargetError{HeadersUnclear, "X-Forwarded-Host"}
	}
	if !isPath(t.Path) {
		return Target{}, true, TargetError{HeadersUnclear, "X-Forwarded-Uri"}
	}
	if !isMethod(t.Method) {
		return Target{}, true, TargetError{HeadersUnclear, "X-Forwarded-Method"}
	}
	return t, true, nil
}

// family reads the one value of each header; found is false, without an error, where none of
// them is there. An address may have a comma in it; two that were joined have a blank as well,
// which no address has.
func family(headers map[string][]string, values []string, names ...string) (found bool, err error) {
	missing := ""
	for i, name := range names {
		list := headers[name]
		if len(list) == 0 || len(list) == 1 && list[0] == "" {
			missing = name
			continue
		}
		isAddress := name == "X-Forwarded-Uri" || name == "X-Original-Url"
		if len(list) > 1 || !isAddress && strings.Contains(list[0], ",") {
			return false, TargetError{HeadersTwice, name}
		}
		values[i], found = list[0], true
	}
	if found && missing != "" {
		return false, TargetError{HeadersMissing, missing}
	}
	return found, nil
}

// parseAuthority reads a scheme and what stands for a host in an address.
func parseAuthority(scheme, host string) (Address, bool) {
	if scheme != "https" && scheme != "http" || host == "" || strings.ContainsAny(host, "/\\?#@ ") {
		return Address{}, false
	}
	return ParseOrigin(scheme + "://" + host)
}

// isPath reports whether a request target is a path, with or without a query. What a server
// would have refused is none.
func isPath(target string) bool {
	if !strings.HasPrefix(target, "/") {
		return false
	}
	for _, r := range []byte(target) {
		if r <= ' ' || r == 0x7f {
			return false
		}
	}
	return true
}

func isMethod(method string) bool {
	if method == "" || len(method) > 20 {
		return false
	}
	for _, r := range []byte(method) {
		if (r < 'A' || r > 'Z') && r != '-' {
			return false
		}
	}
	return true
}

// IsSafe reports whether the method promises to change nothing: RFC 9110, section 9.2.1.
func (t Target) IsSafe() bool {
	switch t.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// IsPage reports whether a person opens a page, so that it makes sense to lead them to the
// sign-in: a fetch, a frame or a WebSocket could do nothing with it. A browser says so by
// Fetch Metadata (W3C); one that does not is taken at what it accepts.
func (t Target) IsPage(headers map[string][]string) bool {
	if t.Method != "GET" && t.Method != "HEAD" || IsWebSocket(headers) ||
		len(headers["X-Requested-With"]) > 0 || len(headers["Hx-Request"]) > 0 {
		return false
	}
	mode, dest := headers["Sec-Fetch-Mode"], headers["Sec-Fetch-Dest"]
	if len(mode) == 0 && len(dest) == 0 {
		return strings.Contains(strings.Join(headers["Accept"], ","), "text/html")
	}
	return len(mode) == 1 && mode[0] == "navigate" && len(dest) == 1 && dest[0] == "document"
}

// IsWebSocket reports whether a request opens a WebSocket. Proxies drop Upgrade when they ask.
func IsWebSocket(headers map[string][]string) bool {
	return len(headers["Sec-Websocket-Key"]) > 0 || len(headers["Sec-Websocket-Version"]) > 0
}

// IsPublicTarget reports whether the path of a request is public. One with a comma never is:
// nobody can tell it from two that were joined on the way.
func (a App) IsPublicTarget(t Target) bool {
	return !strings.Contains(t.Path, ",") && IsPublic(a.Guard.Public, t.Path)
}

// AllowsOrigin reports whether the page that sent a request may do so: every request that
// only reads, and otherwise those of the app's own pages, the portal's, and of the origins
// that the app lists. Pages of a sibling host are of the same site, and browsers send them
// the app's cookie. What is no browser sends no origin.
func (a App) AllowsOrigin(t Target, headers map[string][]string, portal Address) bool {
	if t.IsSafe() && !IsWebSocket(headers) {
		return true
	}
	site := strings.Join(headers["Sec-Fetch-Site"], ",")
	switch origins := headers["Origin"]; {
	case len(origins) == 0:
		return site == "" || site == "same-origin" || site == "none"
	case len(origins) > 1:
		return false
	case origins[0] == "null": // a page that tells nobody where it is; browsers say whether it is the app's
		return site == "same-origin"
	default:
		from, ok := ParseOrigin(origins[0])
		if !ok {
			return false
		}
		if from == a.Address || from == portal {
			return true
		}
		for _, other := range a.Guard.Others {
			if other == from.String() {
				return true
			}
		}
		return false
	}
}

// GuardPath is how the addresses on an app's host begin that the proxy hands to us.
const GuardPath = "/.gatehouse/"

// maxWay is how long a way into an app may be that is kept while somebody signs in, in bytes.
const maxWay = 2048

// Way is a path of an app, with its query, to which somebody may be sent after the sign-in, in
// ASCII; "/" for what could lead elsewhere, or round in a circle.
func Way(path string) string {
	if len(path) > maxWay || !isPath(path) || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) ||
		strings.HasPrefix(path, GuardPath) {
		return "/"
	}
	var b strings.Builder
	for _, r := range []byte(path) {
		if r < 0x80 {
			b.WriteByte(r)
		} else {
			fmt.Fprintf(&b, "%%%02X", r)
		}
	}
	return b.String()
}

// A GuardFault is a word for what is wrong with a request of which a proxy asks.
type GuardFault string

// The faults, beside the reasons of a TargetError.
const (
	NoFault       GuardFault = ""
	UntrustedPeer GuardFault = "untrusted"     // whoever asks is no trusted proxy
	UnknownHost   GuardFault = "unknown-host"  // no app is there
	OtherScheme   GuardFault = "other-scheme"  // the app is there by https, and the request came by http, or the other way round
	OtherPort     GuardFault = "other-port"    // the app has another port
	NotGuarded    GuardFault = "not-guarded"   // the app is there, and not guarded
	PausedApp     GuardFault = "paused"        // nobody opens the app
	OtherOrigin   GuardFault = "other-origin"  // a page of somewhere else sends a form or opens a WebSocket
	NotAllowed    GuardFault = "not-allowed"   // who is signed in may not open the app
	StoreFault    GuardFault = "storage-fault" // nobody can say
)

// FaultOf says what is wrong with where a request was going, if anything: it is the app's
// whole origin, or none of the app's.
func (a App) FaultOf(t Target) GuardFault {
	switch {
	case a.ID == 0:
		return UnknownHost
	case !a.Guarded:
		return NotGuarded
	case a.Address.Scheme != t.Address.Scheme:
		return OtherScheme
	case a.Address != t.Address:
		return OtherPort
	case a.Paused:
		return PausedApp
	}
	return NoFault
}
