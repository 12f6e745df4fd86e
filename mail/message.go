package mail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"
)

// An Address is a mailbox with the name that goes before it.
type Address struct{ Name, Email string }

// errSender refuses what is no sender, with a sentence.
var errSender = errors.New(`write it like portal@example.org, or "Example <portal@example.org>"`)

// ParseAddress reads an address as people write it, with a name or without.
func ParseAddress(text string) (Address, error) {
	parsed, err := netmail.ParseAddress(strings.TrimSpace(text))
	if err != nil || hasControl(text) {
		return Address{}, errSender
	}
	return Address{Name: parsed.Name, Email: parsed.Address}, nil
}

// Domain is what follows the address's last @.
func (a Address) Domain() string { return a.Email[strings.LastIndexByte(a.Email, '@')+1:] }

// A Message is one mail to one person, in plain text.
type Message struct {
	ID       string // of the Message-ID header, without its brackets; the same however often it is sent
	From, To Address
	Subject  string
	Body     string // lines that end with \n
	At       time.Time
}

// WriteTo writes the message as RFC 5322 has it.
func (m Message) WriteTo(w io.Writer) (int64, error) {
	composed, err := m.compose()
	if err != nil {
		return 0, err
	}
	return composed.WriteTo(w)
}

// compose builds the message. Names and subject are cleaned first, and encoded by the
// library: nothing in them ends a header, begins another one, or turns the direction of what
// stands beside it.
func (m Message) compose() (*gomail.Msg, error) {
	encoding := gomail.NoEncoding // ASCII as it is: the link stands whole in the source too
	if !isASCII(m.Body) {
		encoding = gomail.EncodingQP
	}
	out := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(encoding))
	for _, a := range []Address{m.From, m.To} {
		if hasControl(a.Email) || !strings.Contains(a.Email, "@") {
			return nil, fmt.Errorf("%q is no address", a.Email)
		}
	}
	out.FromMailAddress(m.From.header())
	out.ToMailAddress(m.To.header())
	out.Subject(Clean(m.Subject))
	out.SetMessageIDWithValue(m.ID)
	out.SetDateWithValue(m.At)
	out.SetGenHeaderPreformatted("Auto-Submitted", "auto-generated") // RFC 3834: nobody's holiday answers it
	out.SetBodyString(gomail.TypeTextPlain, strings.ReplaceAll(m.Body, "\n", "\r\n"))
	return out, nil
}

// header is the address as it stands in a header. A backslash becomes a slash: the library
// leaves it as it is in an encoded word, where RFC 2047 section 5 allows none.
func (a Address) header() *netmail.Address {
	return &netmail.Address{Name: strings.ReplaceAll(Clean(a.Name), `\`, "/"), Address: a.Email}
}

// bytes returns the whole message.
func (m Message) bytes() ([]byte, error) {
	var b bytes.Buffer
	_, err := m.WriteTo(&b)
	return b.Bytes(), err
}

// Clean returns a text as it may stand in a header or a line of a mail: without control
// characters and without invisible ones, among which are those that turn the direction of
// writing.
func Clean(text string) string {
	text = strings.ToValidUTF8(text, "")
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cf, r):
			return -1
		case unicode.IsControl(r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			return ' '
		}
		return r
	}, text)), " ")
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
}
