package openid

import (
	"slices"
	"strings"
)

// A Kind is what sort of program an app is (RFC 6749, 2.1; RFC 8252).
type Kind string

// The kinds.
const (
	Web    Kind = "web"    // runs on a server and keeps a secret
	Native Kind = "native" // runs on people's devices, where no secret is kept
)

// Kinds lists every kind.
var Kinds = []Kind{Web, Native}

// Known reports whether the kind is one of the two.
func (k Kind) Known() bool { return slices.Contains(Kinds, k) }

// A Client is an app as the protocol knows it.
type Client struct {
	ID              string
	Kind            Kind
	Redirects       []string // where it may be answered: exact, but for the port of loopback addresses
	LogoutRedirects []string // where it may send people after a sign-out: exact
	Backchannel     string   // where it is told of sign-outs; "" for nowhere
	NoPKCE          bool     // an admin has excused it
	Ours            bool     // the workspace's own: nobody is asked whether it may know them
	Algorithm       Algorithm
}

// RequiresPKCE reports whether a request without a challenge is refused. Only what keeps
// a secret can be excused.
func (c Client) RequiresPKCE() bool { return !c.NoPKCE || c.Kind == Native }

// AllowsRedirect reports whether an answer may be sent to an address: it is one of the
// registered ones, letter for letter. Only the port of a native app's loopback address is
// the app's own affair, since it takes what is free (RFC 8252, 7.3).
func (c Client) AllowsRedirect(address string) bool {
	if address == "" {
		return false
	}
	return slices.ContainsFunc(c.Redirects, func(registered string) bool {
		return registered == address || c.Kind == Native && sameButForPort(registered, address)
	})
}

// AllowsLogoutRedirect reports whether people may be sent to an address after a sign-out.
func (c Client) AllowsLogoutRedirect(address string) bool {
	return address != "" && slices.Contains(c.LogoutRedirects, address)
}

// AsksAlways reports whether people are asked each time: for an app that anything on the
// device could pass for, since it answers at a loopback address or under a scheme, which
// others may claim as well (RFC 8252, 8.6).
func (c Client) AsksAlways(redirect string) bool {
	return c.Kind == Native && !strings.HasPrefix(redirect, "https://")
}
