package apps

import (
	"strings"

	"gatehouse/account"
	"gatehouse/typed"
)

// The bounds of an app's public paths.
const (
	maxPublicPaths = 50
	maxPublicPath  = 200
)

// ParsePublicPaths reads the paths of an app that need no sign-in, one a line or separated
// by blanks, or refuses with a FieldError of public. Each is a whole path, or, where it
// ends in "/", all that begins like it. "/" alone, which would open the whole app, is
// refused.
func ParsePublicPaths(text string) ([]string, error) {
	var out []string
	for _, path := range strings.FieldsFunc(text, func(r rune) bool { return typed.IsBlank(r) || r == ',' }) {
		switch {
		case path == "/":
			return nil, account.FieldError{Field: "public", Reason: account.Everything}
		case !isPlain(path):
			return nil, account.FieldError{Field: "public", Reason: account.NotPlain}
		case len(path) > maxPublicPath:
			return nil, account.FieldError{Field: "public", Reason: account.TooLong, Limit: maxPublicPath}
		case len(out) == maxPublicPaths:
			return nil, account.FieldError{Field: "public", Reason: account.TooMany, Limit: maxPublicPaths}
		}
		out = appendNew(out, path)
	}
	return out, nil
}

// IsPublic reports whether a request target, as the proxy was asked for it, is public: its
// path is one of the list, or begins like one that ends in "/". Only a plain path is
// compared, letter for letter: two servers read whatever else differently, and nginx and
// Caddy hand on "/public/../secret" as it came. The query never counts.
func IsPublic(paths []string, target string) bool {
	path, query, _ := strings.Cut(target, "?")
	if !isPlain(path) || strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return false // no request has such a target
	}
	for _, public := range paths {
		if path == public || strings.HasSuffix(public, "/") && strings.HasPrefix(path, public) {
			return true
		}
	}
	return false
}

// isPlain reports whether every server reads a path alike: printable ASCII without percent
// signs, backslashes, semicolons, number and question signs, no empty segment inside, and
// no "." or "..".
func isPlain(path string) bool {
	if !strings.HasPrefix(path, "/") {
		return false
	}
	for _, r := range []byte(path) {
		if r <= ' ' || r >= 0x7f || strings.IndexByte(`%\;#?`, r) >= 0 {
			return false
		}
	}
	segments := strings.Split(path[1:], "/")
	for i, segment := range segments {
		if segment == "." || segment == ".." || segment == "" && i < len(segments)-1 {
			return false
		}
	}
	return true
}
