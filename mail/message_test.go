package mail

import (
	"bytes"
	"io"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"
)

var sentAt = time.Date(2026, 11, 26, 18, 0, 0, 0, time.UTC)

// nasty draws texts with what breaks headers.
var nasty = rapid.StringOfN(rapid.OneOf(
	rapid.SampledFrom([]rune("\r\n\x00\t\v\f\"\\,;:<>()@=?_ \u2028\u2029\u0085\u202e\u2066\u200b\ufeff")),
	rapid.SampledFrom([]rune("abcBcc: Subject=?utf-8?q?")),
	rapid.Rune(),
), 0, 120, -1)

// TestHeadersCannotBeInjected gives names and subjects that try to end a header, to begin
// another, to add a recipient, to be taken for an encoded word, or to turn the direction of
// writing: what arrives has the headers of every mail, once, and the words as cleaned.
func TestHeadersCannotBeInjected(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := Message{
			ID:      "abc@example.org",
			From:    Address{Name: nasty.Draw(t, "from"), Email: "portal@example.org"},
			To:      Address{Name: nasty.Draw(t, "to"), Email: "ada@example.org"},
			Subject: nasty.Draw(t, "subject"),
			Body:    "Hello\n\nhttps://example.org/x\n",
			At:      sentAt,
		}
		raw, err := m.bytes()
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
		for line := range bytes.SplitSeq(head, []byte("\r\n")) {
			if bytes.ContainsAny(line, "\r\n\x00") || len(line) > 998 {
				t.Fatalf("a broken line: %q", line)
			}
		}
		got, err := netmail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err, string(raw))
		}
		for name, values := range got.Header {
			if len(values) != 1 || !strings.Contains(" Auto-Submitted Content-Transfer-Encoding Content-Type Date From "+
				"Message-Id Mime-Version Subject To ", " "+name+" ") {
				t.Fatalf("header %s: %q", name, values)
			}
		}
		for header, want := range map[string]Address{"From": m.From, "To": m.To} {
			list, err := got.Header.AddressList(header)
			if err != nil || len(list) != 1 || list[0].Address != want.Email || list[0].Name != want.header().Name {
				t.Fatalf("%s: %q, %v; want %q", header, got.Header[header], err, want.header().Name)
			}
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
		if err != nil || subject != Clean(m.Subject) {
			t.Fatalf("subject %q, %v; want %q", subject, err, Clean(m.Subject))
		}
		if strings.ContainsFunc(subject, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			t.Fatalf("subject %q", subject)
		}
	})
}

// TestBodyArrivesAsItIs sends bodies with dots, long links and other scripts: a link's line is
// never wrapped.
func TestBodyArrivesAsItIs(t *testing.T) {
	t.Parallel()
	link := "https://example.org/welcome/" + strings.Repeat("x", 900)
	for _, body := range []string{"plain\n.\n..dots\n" + link + "\n", "Grüße aus Zürich\n" + "https://example.org/x=1\n"} {
		raw, err := Message{From: Address{Email: "a@example.org"}, To: Address{Email: "b@example.org"}, ID: "x@y", Body: body, At: sentAt}.bytes()
		if err != nil {
			t.Fatal(err)
		}
		got, err := netmail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		r := got.Body
		if got.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			r = quotedprintable.NewReader(r)
		}
		text, err := io.ReadAll(r)
		if err != nil || strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n") != strings.TrimRight(body, "\n") {
			t.Errorf("got %q, %v; want %q", text, err, body)
		}
	}
}

// TestParseAddress reads what --mail-from takes.
func TestParseAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Address{
		"portal@example.org":                {Email: "portal@example.org"},
		`"Acme, Inc." <portal@example.org>`: {Name: "Acme, Inc.", Email: "portal@example.org"},
		"portal":                            {},
		"a@b.org, c@d.org":                  {},
		"a@b.org\r\nBcc: c@d.org":           {},
	} {
		if got, err := ParseAddress(text); got != want || (err == nil) != (want.Email != "") {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
}
