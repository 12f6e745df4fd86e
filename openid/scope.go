package openid

import (
	"slices"
	"strings"
)

// Scopes are what an app asks to know, in the order of scopeNames.
type Scopes []string

// The scopes.
const (
	ScopeOpenID  = "openid"
	ScopeProfile = "profile"
	ScopeEmail   = "email"
	ScopeGroups  = "groups"
	ScopeOffline = "offline_access"
)

var scopeNames = Scopes{ScopeOpenID, ScopeProfile, ScopeEmail, ScopeGroups, ScopeOffline}

// ParseScopes reads a list of scopes. Those that nobody knows are left out (OpenID Connect
// Core, 3.1.2.1).
func ParseScopes(text string) Scopes {
	given := strings.Fields(text)
	var out Scopes
	for _, name := range scopeNames {
		if slices.Contains(given, name) {
			out = append(out, name)
		}
	}
	return out
}

// String returns the scopes as they are sent and stored.
func (s Scopes) String() string { return strings.Join(s, " ") }

// Has reports whether a scope is among them.
func (s Scopes) Has(name string) bool { return slices.Contains(s, name) }

// Within reports whether all of them are among others.
func (s Scopes) Within(others Scopes) bool {
	return !slices.ContainsFunc(s, func(name string) bool { return !others.Has(name) })
}
