package apps

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"gatehouse/account"
)

// TestPublicPathIsPlainOrGuarded has the spellings by which other products were passed: by
// query, suffix, "#", "%2e", "..", ";", backslash and case.
func TestPublicPathIsPlainOrGuarded(t *testing.T) {
	t.Parallel()
	paths := []string{"/health", "/public/", "/api/v1/hook"}
	for target, want := range map[string]bool{
		"/health":                 true,
		"/health?token=x":         true,
		"/health?/secret":         true,
		"/public/":                true,
		"/public/a.css":           true,
		"/public/a/b":             true,
		"/public/a/b/":            true,
		"/api/v1/hook":            true,
		"/healthy":                false,
		"/health/":                false,
		"/health/x":               false,
		"/HEALTH":                 false,
		"/public":                 false,
		"/Public/a":               false,
		"/public/../secret":       false,
		"/public/./a":             false,
		"/public/..":              false,
		"/public/%2e%2e/secret":   false,
		"/public/%2E%2E/secret":   false,
		"/public/..%2fsecret":     false,
		"/public/a%00":            false,
		"/public//secret":         false,
		"//public/":               false,
		"/secret?/public/":        false,
		"/secret?a=/health":       false,
		"/secret#/public/":        false,
		"/secret/public/":         false,
		"/public/;/../secret":     false,
		`/public\..\secret`:       false,
		"/public/\u00e9":          false,
		"/public/a b":             false,
		"/public/\x7f":            false,
		"":                        false,
		"public/":                 false,
		"https://x/public/":       false,
		"?/health":                false,
		"/health\r\nX: y":         false,
		"/api/v1/hook/../secret":  false,
		"/api/v1/hook;jsessionid": false,
	} {
		if got := IsPublic(paths, target); got != want {
			t.Errorf("%q is public: %v, want %v", target, got, want)
		}
	}
	if IsPublic(nil, "/") || IsPublic([]string{""}, "/") {
		t.Error("something is public where nothing is")
	}
}

func TestParsePublicPaths(t *testing.T) {
	t.Parallel()
	got, err := ParsePublicPaths("/health\r\n\t/public/ /health\n")
	if err != nil || strings.Join(got, " ") != "/health /public/" {
		t.Errorf("got %q, %v", got, err)
	}
	for text, want := range map[string]account.Reason{
		"/":                            account.Everything,
		"health":                       account.NotPlain,
		"https://grafana.example.org":  account.NotPlain,
		"/a/../b":                      account.NotPlain,
		"/a//b":                        account.NotPlain,
		"/a%20b":                       account.NotPlain,
		"/a?b":                         account.NotPlain,
		"/a*;b":                        account.NotPlain,
		"/ä":                           account.NotPlain,
		"/" + strings.Repeat("a", 200): account.TooLong,
	} {
		if _, err := ParsePublicPaths(text); reasonOf(t, "public", err) != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	many := strings.Repeat("/a\n", 3)
	for i := range 51 {
		many += "/p" + strings.Repeat("x", i) + "\n"
	}
	if _, err := ParsePublicPaths(many); reasonOf(t, "public", err) != account.TooMany {
		t.Errorf("many paths: %v", err)
	}
}

// FuzzPublicPath holds what is public against two other readers of paths: whatever they
// make of it, it stays below what was meant.
func FuzzPublicPath(f *testing.F) {
	for _, seed := range []string{"/public/a", "/public/../a", "/public/%2e./a", "/public//a", "/public/;a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		if !IsPublic([]string{"/public/"}, target) {
			return
		}
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Fatalf("%q is public and cannot be read: %v", target, err)
		}
		if clean := path.Clean(u.Path) + "/"; !strings.HasPrefix(clean, "/public/") {
			t.Fatalf("%q is public and leads to %q", target, clean)
		}
	})
}
