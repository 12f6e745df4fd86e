package mail

import (
	"fmt"
	"strings"
	"testing"
)

// TestParseServer reads addresses of servers, and refuses the others with a sentence.
func TestParseServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, password string
		insecure       bool
		want           string // the server's String, or what the error says
	}{
		{"smtps://ada@mail.example.org:465", "x", false, "smtps://ada@mail.example.org:465"},
		{"smtps://mail.example.org", "", false, "smtps://mail.example.org:465"},
		{"smtp://mail.example.org/", "", false, "smtp://mail.example.org:587"},
		{"SMTPS://ada@example.org@mail.example.org", "x", false, "smtps://ada%40example.org@mail.example.org:465"},
		{"smtps://ada%40example.org@mail.example.org", "x", false, "smtps://ada%40example.org@mail.example.org:465"},
		{"smtp://[2001:db8::1]:25", "", false, "smtp://[2001:db8::1]:25"},
		{"smtp://[2001:db8::1]", "", false, "smtp://[2001:db8::1]:587"},
		{"smtp+plain://127.0.0.1:1025", "", false, "smtp+plain://127.0.0.1:1025"},
		{"smtp+plain://[::1]:1025", "", false, "smtp+plain://[::1]:1025"},
		{"smtp+plain://localhost", "", false, "smtp+plain://localhost:25"},
		{"smtp+plain://mail.example.org", "", true, "smtp+plain://mail.example.org:25"},
		{"smtp+plain://mail.example.org", "", false, "in the clear"},
		{"smtp+plain://127.0.0.1.example.org", "", false, "in the clear"},
		{"smtps://ada:secret@mail.example.org", "", false, "put it into a file"},
		{"smtps://mail.example.org", "x", false, "needs a user"},
		{"smtps://mail.example.org:0", "", false, "between 1 and 65535"},
		{"smtps://mail.example.org:99999", "", false, "between 1 and 65535"},
		{"smtps://mail.example.org:smtp", "", false, "between 1 and 65535"},
		{"smtps://mail.example.org:465/inbox", "", false, "leave out what follows"},
		{"smtps://mail.example.org?x=1", "", false, "leave out what follows"},
		{"mail.example.org:465", "", false, "write it like"},
		{"http://mail.example.org", "", false, "write it like"},
		{"smtps://", "", false, "write it like"},
		{"smtps://@mail.example.org", "", false, "write it like"},
		{"smtps://mail example.org", "", false, "write it like"},
		{"smtps://a\r\nRCPT@mail.example.org", "", false, "write it like"},
		{"", "", false, "write it like"},
	} {
		s, err := ParseServer(c.text, c.password, c.insecure)
		got := s.String()
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != c.want || err != nil && !strings.Contains(got, c.want) {
			t.Errorf("%q: got %q; want %q", c.text, got, c.want)
		}
	}
}

// TestServerHidesItsPassword prints a server in every way that a log might.
func TestServerHidesItsPassword(t *testing.T) {
	t.Parallel()
	s, err := ParseServer("smtps://ada@mail.example.org", "hush-hush", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, value := range []any{s, &s, []Server{s}} {
			if got := fmt.Sprintf(verb, value); strings.Contains(got, "hush") {
				t.Errorf("%s: %s", verb, got)
			}
		}
	}
}
