package apps

import (
	"slices"
	"strings"
)

// Redirects are the addresses at which a template's app wants people back.
func (t Template) Redirects(a Address) []string {
	out := make([]string, 0, len(t.Paths))
	for _, path := range t.Paths {
		if strings.HasPrefix(path, "/") {
			path = a.String() + path
		}
		out = append(out, path)
	}
	return out
}

// TemplateOf guesses which template an app is of: the one that is called so, or whose
// redirect addresses it has. It is not ok where none fits.
func TemplateOf(a App, redirects []string) (Template, bool) {
	for _, t := range Templates {
		if strings.EqualFold(t.Name, a.Name) || t.Key == a.Slug {
			return t, true
		}
	}
	for _, t := range Templates {
		if len(redirects) > 0 && slices.Contains(redirects, t.Redirects(a.Address)[0]) {
			return t, true
		}
	}
	return Template{}, false
}
