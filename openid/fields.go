package openid

import (
	"net/url"
	"slices"
)

// fields returns what was sent, each field once: empty ones count as left out (RFC 6749,
// 3.1), and one that was given twice is refused by its name, known or not.
func fields(values url.Values) (map[string]string, error) {
	out := make(map[string]string, len(values))
	for name, given := range values {
		if len(given) > 1 {
			return nil, refuse(InvalidRequest, printable(name)+" was sent more than once")
		}
		if len(given) == 1 && given[0] != "" {
			out[name] = given[0]
		}
	}
	return out, nil
}

// printable returns a field's name as a refusal may repeat it.
func printable(name string) string {
	if name == "" || len(name) > 40 || !isPrintable(name) {
		return "a field"
	}
	return name
}

// isPrintable reports whether a text is what RFC 6749 allows in a refusal: ASCII without
// quote and backslash.
func isPrintable(text string) bool {
	return !slices.ContainsFunc([]byte(text), func(c byte) bool {
		return c < 0x20 || c > 0x7e || c == '"' || c == '\\'
	})
}
