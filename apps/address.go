package apps

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"gatehouse/account"
	"gatehouse/typed"

	"golang.org/x/net/idna"
)

// An Address is where an app is: an origin, in the one spelling in which browsers send it.
// The zero Address is none.
type Address struct {
	Scheme string // http or https
	Host   string // the name alone: in lower case, in ASCII, without a last dot; IPv6 without brackets
	Port   string // "" for the scheme's default
}

// defaultPorts are the ports that browsers leave out of an address.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// String returns the origin: "https://grafana.example.org". The zero Address gives "".
func (a Address) String() string {
	if a == (Address{}) {
		return ""
	}
	return a.Scheme + "://" + JoinHost(a.Host, a.Port)
}

// MaxAddress is how long an address may be.
const MaxAddress = 300

// ParseAddress reads an app's address as somebody types it, or refuses with a FieldError of
// address. Without a scheme it is https. It is an origin: a path, a wildcard, a name and a
// password are refused. The host must not be the portal's, where one is given, whatever
// the port: browsers send a host's cookies to each of its ports.
func ParseAddress(text, portalHost string) (Address, error) {
	text = strings.TrimSpace(typed.Line(text))
	switch {
	case text == "":
		return Address{}, addressError(account.Missing)
	case len(text) > MaxAddress:
		return Address{}, account.FieldError{Field: "address", Reason: account.TooLong, Limit: MaxAddress}
	}
	a, err := parseOrigin(text)
	if err != nil {
		return Address{}, err
	}
	if portalHost != "" && a.Host == portalHost {
		return Address{}, addressError(account.OwnHost)
	}
	return a, nil
}

func addressError(reason account.Reason) error {
	return account.FieldError{Field: "address", Reason: reason}
}

func parseOrigin(text string) (Address, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return Address{}, addressError(account.NotAddress)
	}
	a := Address{Scheme: strings.ToLower(u.Scheme)}
	if defaultPorts[a.Scheme] == "" || u.User != nil || u.Hostname() == "" || strings.Contains(u.Host, "*") {
		return Address{}, addressError(account.NotAddress)
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#") {
		return Address{}, addressError(account.HasPath)
	}
	if a.Host, err = CanonicalHost(u.Hostname()); err != nil {
		return Address{}, addressError(account.NotAddress)
	}
	if a.Port, err = CanonicalPort(a.Scheme, u.Port()); err != nil {
		return Address{}, addressError(account.NotAddress)
	}
	return a, nil
}

// ParseOrigin reads an origin as a browser or a proxy sends it: a scheme, a host and
// perhaps a port, and nothing after them. It returns false for "null" and for whatever
// else is no origin of http or https.
func ParseOrigin(text string) (Address, bool) {
	if !strings.Contains(text, "://") || strings.HasSuffix(text, "/") || len(text) > MaxAddress {
		return Address{}, false
	}
	a, err := parseOrigin(text)
	return a, err == nil
}

// maxOthers is how many further origins an app may have.
const maxOthers = 20

// ParseOthers reads the further origins of a guarded app, one a line or separated by
// blanks, or refuses with a FieldError of others.
func ParseOthers(text string) ([]string, error) {
	var out []string
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return typed.IsBlank(r) || r == ',' }) {
		a, err := parseOrigin(typed.Line(line))
		if err != nil || len(out) == maxOthers {
			return nil, account.FieldError{Field: "others", Reason: account.NotAddress}
		}
		out = appendNew(out, a.String())
	}
	return out, nil
}

func appendNew(list []string, one string) []string {
	for _, other := range list {
		if other == one {
			return list
		}
	}
	return append(list, one)
}

// CanonicalHost returns the one spelling of a host's name or address: in lower case, in
// ASCII (UTS 46), without a last dot. It returns an error for what no browser could ask
// for.
func CanonicalHost(name string) (string, error) {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.String(), nil
	}
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(name, "."))
	if err != nil && plainHost.MatchString(name) {
		// Names with an underscore are no host names, yet networks at home use them.
		ascii, err = strings.ToLower(strings.TrimSuffix(name, ".")), nil
	}
	if err != nil {
		return "", fmt.Errorf("no browser can ask for the host %q: %w", name, err)
	}
	if ascii == "" || strings.Contains("."+ascii, "..") {
		return "", errors.New("the host, or a part of it, is missing")
	}
	return ascii, nil
}

// plainHost is what browsers leave as it is, whatever UTS 46 has against it.
var plainHost = regexp.MustCompile(`^[0-9A-Za-z._-]+$`)

// CanonicalPort returns the one spelling of a port: "" for none and for the scheme's
// default, and an error for one that does not exist.
func CanonicalPort(scheme, port string) (string, error) {
	if port == "" {
		return "", nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", fmt.Errorf("the port %s does not exist; ports go up to 65535", port)
	}
	if port = strconv.FormatUint(n, 10); port == defaultPorts[scheme] {
		return "", nil
	}
	return port, nil
}

// JoinHost puts a name or an address and a port together; "" is no port.
func JoinHost(name, port string) string {
	if port != "" {
		return net.JoinHostPort(name, port)
	}
	if strings.Contains(name, ":") {
		return "[" + name + "]"
	}
	return name
}
