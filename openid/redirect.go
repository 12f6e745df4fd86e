package openid

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// maxAddress is the longest address that is registered, in bytes.
const maxAddress = 1024

// The reasons why an address is not registered.
var (
	ErrAddress     = errors.New("not an address that a browser could be sent to")
	ErrAddressHTTP = errors.New("http is allowed on loopback addresses of native apps alone")
	ErrHost        = errors.New("the address is not on the app's host")
)

// privateScheme is a scheme that an app on a device has claimed: the name of a domain
// turned round, with a path and no authority (RFC 8252, 7.1).
var privateScheme = regexp.MustCompile(`^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:(/|///)[^/].*$`)

// ParseRedirect reads an address that an admin registers. With plain, Gatehouse itself is
// served over http, and so may the app be.
func ParseRedirect(typed string, kind Kind, plain bool) (string, error) {
	address := strings.TrimSpace(typed)
	if len(address) > maxAddress || !isAddressText(address) {
		return "", ErrAddress
	}
	if privateScheme.MatchString(address) {
		return address, nil
	}
	u, err := parseWebAddress(address)
	if err != nil {
		return "", err
	}
	_, _, isLoopback := splitLoopback(address)
	if u.Scheme == "http" && !plain && (!isLoopback || kind != Native) {
		return "", ErrAddressHTTP
	}
	return address, nil
}

// ParseBackchannel reads the address at which an app is told of sign-outs. It is on the
// app's own host, so that nobody makes this server call anywhere else.
func ParseBackchannel(typed, appHost string, plain bool) (string, error) {
	address := strings.TrimSpace(typed)
	if address == "" {
		return "", nil
	}
	if len(address) > maxAddress || !isAddressText(address) {
		return "", ErrAddress
	}
	u, err := parseWebAddress(address)
	if err != nil {
		return "", err
	}
	if u.Scheme == "http" && !plain {
		return "", ErrAddressHTTP
	}
	if !strings.EqualFold(u.Hostname(), appHost) {
		return "", ErrHost
	}
	return address, nil
}

// parseWebAddress reads an http or https address with nothing in it that could make it
// mean another one somewhere else.
func parseWebAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !strings.HasPrefix(address, u.Scheme+"://") ||
		u.Opaque != "" || u.User != nil || u.Hostname() == "" || strings.Contains(u.Host, "*") ||
		strings.ContainsAny(u.Host, "%@") || !isPort(u.Port(), u.Host) {
		return nil, ErrAddress
	}
	return u, nil
}

// isPort reports whether a host's port, if it has one, exists.
func isPort(port, host string) bool {
	if port == "" {
		return !strings.HasSuffix(host, ":")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// isAddressText reports whether a text has only signs that stand in addresses: no space,
// no backslash, and no fragment (RFC 6749, 3.1.2).
func isAddressText(text string) bool {
	for _, c := range []byte(text) {
		if c <= 0x20 || c > 0x7e || strings.IndexByte(`"<>\^`+"`{|}#*", c) >= 0 {
			return false
		}
	}
	return text != ""
}

// splitLoopback takes an address on a loopback IP apart: up to the host, and after the
// port. A name such as localhost is none, since it may lead elsewhere (RFC 8252, 8.3).
func splitLoopback(address string) (host, rest string, ok bool) {
	after, ok := strings.CutPrefix(address, "http://")
	if !ok {
		return "", "", false
	}
	end := strings.IndexAny(after, "/?#")
	if end < 0 {
		end = len(after)
	}
	authority, rest := after[:end], after[end:]
	name := authority
	if h, port, err := net.SplitHostPort(authority); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
			return "", "", false
		}
		name = h
	} else {
		name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	}
	ip, err := netip.ParseAddr(name)
	if err != nil || !ip.IsLoopback() || ip.Zone() != "" {
		return "", "", false
	}
	return ip.String(), rest, true
}

// sameButForPort reports whether two addresses are on one loopback IP and have the same
// path and query.
func sameButForPort(registered, given string) bool {
	wantHost, wantRest, ok := splitLoopback(registered)
	if !ok {
		return false
	}
	host, rest, ok := splitLoopback(given)
	return ok && host == wantHost && rest == wantRest
}

// withQuery returns a registered address with more fields in its query.
func withQuery(address string, fields url.Values) string {
	sign := "?"
	if strings.Contains(address, "?") {
		sign = "&"
		if strings.HasSuffix(address, "?") || strings.HasSuffix(address, "&") {
			sign = ""
		}
	}
	return address + sign + fields.Encode()
}
