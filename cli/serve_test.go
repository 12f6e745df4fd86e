package cli

import "testing"

func TestBase(t *testing.T) {
	for given, want := range map[string]string{
		"https://portal.example.org":      "https://portal.example.org",
		"https://Portal.Example.org/":     "https://portal.example.org",
		"https://portal.example.org:443":  "https://portal.example.org",
		"https://portal.example.org:8443": "https://portal.example.org:8443",
		"http://127.0.0.1:80":             "http://127.0.0.1",
		"http://[::1]:8080":               "http://[::1]:8080",
		"http://portal.example.org":       "", // passwords in the clear
		"https://portal.example.org/path": "",
		"portal.example.org":              "",
		"https://ada@portal.example.org":  "",
	} {
		u, err := (&serveCommand{Listen: "127.0.0.1:8080", BaseURL: given}).base()
		switch {
		case want == "" && err == nil:
			t.Errorf("%s was taken as %s", given, u)
		case want != "" && (err != nil || u.String() != want):
			t.Errorf("%s: got %v, %v; want %s", given, u, err, want)
		}
	}
}
