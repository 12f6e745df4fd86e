package mail

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// A Security is how the connection to a server is protected.
type Security int

// The kinds of protection. There is no kind that falls back to another.
const (
	TLS      Security = iota // from the first byte (RFC 8314)
	StartTLS                 // demanded before anything is said
	Plain                    // none
)

// A Server is a mail server that takes what is sent. The zero Server is none.
type Server struct {
	Host     string
	Port     int
	Security Security
	User     string // "" to send without signing in
	password string
	roots    *x509.CertPool // whose certificates count; nil for the system's
}

// The ways in which an address of a server is refused. Each is a sentence that says what to
// write instead.
var (
	errServerSyntax = errors.New("write it like smtps://user@mail.example.org:465, or smtp://mail.example.org:587")
	errServerPath   = errors.New("a mail server's address ends after its port; leave out what follows")
	errServerSecret = errors.New("a password does not belong on the command line, where others can read it; put it into a file")
	errServerPort   = errors.New("the port must be a number between 1 and 65535")
	errServerPlain  = errors.New("smtp+plain:// sends mails and the password in the clear; use smtps:// or smtp://, which demands STARTTLS, or accept it with --insecure-smtp")
	errNoUser       = errors.New("a password needs a user; write it like smtps://user@mail.example.org:465")
)

// schemes are the schemes of addresses, with their usual ports (RFC 8314 section 3.3).
var schemes = map[string]struct {
	security Security
	port     int
}{
	"smtps":      {TLS, 465},
	"smtp":       {StartTLS, 587},
	"smtp+plain": {Plain, 25},
}

// ParseServer reads the address of a mail server. Its user may hold an @ as it is:
// smtps://ada@example.org@mail.example.org. A connection in the clear is allowed to this
// machine only, unless insecure says that it is accepted. The errors are sentences for
// people, without the address.
func ParseServer(text, password string, insecure bool) (Server, error) {
	scheme, rest, found := strings.Cut(strings.TrimSpace(text), "://")
	kind, known := schemes[strings.ToLower(scheme)]
	if !found || !known {
		return Server{}, errServerSyntax
	}
	user := ""
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		var err error
		if user, err = url.PathUnescape(rest[:at]); err != nil || user == "" || hasControl(user) {
			return Server{}, errServerSyntax
		}
		if strings.Contains(rest[:at], ":") {
			return Server{}, errServerSecret
		}
		rest = rest[at+1:]
	}
	rest = strings.TrimSuffix(rest, "/")
	if strings.ContainsAny(rest, "/?#") {
		return Server{}, errServerPath
	}
	host, port, err := hostPort(rest, kind.port)
	if err != nil {
		return Server{}, err
	}
	s := Server{
		Host:     host,
		Port:     port,
		Security: kind.security,
		User:     user,
		password: password,
	}
	if s.Security == Plain && !insecure && !s.isLocal() {
		return Server{}, errServerPlain
	}
	if password != "" && user == "" {
		return Server{}, errNoUser
	}
	return s, nil
}

// hostPort divides a host from its port, which may be missing.
func hostPort(text string, usual int) (host string, port int, err error) {
	host, port = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"), usual
	if _, notAddress := netip.ParseAddr(host); notAddress != nil && strings.Contains(text, ":") {
		var digits string
		if host, digits, err = net.SplitHostPort(text); err != nil {
			return "", 0, errServerSyntax
		}
		if port, err = strconv.Atoi(digits); err != nil || port < 1 || port > 65535 {
			return "", 0, errServerPort
		}
	}
	if host == "" || strings.ContainsAny(host, " \t\"'<>@\\%,;") || hasControl(host) {
		return "", 0, errServerSyntax
	}
	return host, port, nil
}

// isLocal reports whether the server is on this machine.
func (s Server) isLocal() bool {
	ip, err := netip.ParseAddr(s.Host)
	return s.Host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// IsZero reports whether there is no server.
func (s Server) IsZero() bool { return s.Host == "" }

// String returns the server's address, never its password.
func (s Server) String() string {
	for scheme, kind := range schemes {
		if kind.security == s.Security {
			u := url.URL{Scheme: scheme, Host: net.JoinHostPort(s.Host, strconv.Itoa(s.Port))}
			if s.User != "" {
				u.User = url.User(s.User)
			}
			return u.String()
		}
	}
	return ""
}

// Format keeps the password out of logs, whatever the verb.
func (s Server) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
