package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// sendTimeout bounds one sending, from looking up the server's name to its last answer.
const sendTimeout = time.Minute

// A Failure is why a mail was not taken.
type Failure struct {
	Permanent bool   // the server will never take it: trying again is no use
	Text      string // the server's own answer word for word, or what went wrong on the way to it
}

func (f Failure) Error() string { return f.Text }

// Send hands a message to the server and returns its answer, word for word. It takes a minute
// at most. An error is a Failure: permanent where the server refuses the recipient or the
// message for good, and temporary otherwise, since a server that is down, full, or set up
// wrongly is put right.
func (s Server) Send(ctx context.Context, m Message) (answer string, err error) {
	return s.send(ctx, m, sendTimeout)
}

func (s Server) send(ctx context.Context, m Message, limit time.Duration) (answer string, err error) {
	content, err := m.bytes()
	if err != nil {
		return "", Failure{Permanent: true, Text: err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client, end, err := s.dial(ctx)
	defer func() { end() }()
	if err != nil {
		return "", failure(ctx, err, false)
	}
	if err := client.Mail("<" + m.From.Email + ">"); err != nil {
		return "", failure(ctx, err, false) // a wrong --mail-from is put right
	}
	if err := client.Rcpt("<" + m.To.Email + ">"); err != nil {
		return "", failure(ctx, err, true)
	}
	data, err := client.Data()
	if err != nil {
		return "", failure(ctx, err, true)
	}
	if _, err := data.Write(content); err != nil {
		return "", failure(ctx, err, false)
	}
	if err := data.Close(); err != nil {
		return "", failure(ctx, err, true)
	}
	if closer, ok := data.(*smtp.DataCloser); ok {
		answer = "250 " + closer.ServerResponse() // the only code that the library takes for a yes
	}
	_ = client.Quit() // it is sent: what the server says now changes nothing
	return line(answer), nil
}

// Try signs in at the server and sends nothing. An error is a Failure.
func (s Server) Try(ctx context.Context) error {
	client, end, err := s.dial(ctx)
	defer func() { end() }()
	if err != nil {
		return failure(ctx, err, false)
	}
	_ = client.Quit()
	return nil
}

// dial opens a connection and signs in. The connection ends with the context: the library
// moves its deadline with every command, and a server that says a little now and then would
// hold it for ever. The function that it returns closes it, after an error too.
func (s Server) dial(ctx context.Context) (client *smtp.Client, end func(), err error) {
	end = func() {}
	dialer := func(during context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(during, network, address)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { _ = c.Close() })
		end = func() {
			stop()
			_ = c.Close()
		}
		if s.Security != TLS {
			return c, nil
		}
		secured := tls.Client(c, s.tlsConfig())
		return secured, secured.HandshakeContext(during)
	}
	policy := gomail.TLSMandatory
	if s.Security == Plain {
		policy = gomail.NoTLS
	}
	options := []gomail.Option{
		gomail.WithPort(s.Port),
		gomail.WithTimeout(sendTimeout),
		gomail.WithDialContextFunc(dialer),
		gomail.WithTLSConfig(s.tlsConfig()),
		gomail.WithTLSPolicy(policy),
		gomail.WithoutSMTPUTF8(), // addresses are ASCII, and names are encoded
	}
	if s.Security == TLS {
		options = append(options, gomail.WithSSL())
	}
	if s.User != "" {
		options = append(options, gomail.WithUsername(s.User), gomail.WithPassword(s.password),
			gomail.WithOpportunisticSMTPAuth(s.signInWays()...))
	}
	c, err := gomail.NewClient(s.Host, options...)
	if err != nil {
		return nil, end, err
	}
	client, err = c.DialToSMTPClientWithContext(ctx)
	return client, end, err
}

func (s Server) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: s.Host, MinVersion: tls.VersionTLS12, RootCAs: s.roots}
}

// signInWays are the mechanisms to sign in with, the best first. Without encryption, which is
// allowed to this machine or was accepted, the password travels as everything else does.
func (s Server) signInWays() []gomail.SMTPAuthType {
	if s.Security == Plain {
		return []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthCramMD5,
			gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc}
	}
	return []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain,
		gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5}
}

// failure words an error. An answer of the server is permanent when it begins with 5 and
// comes where it is about this mail.
func failure(ctx context.Context, err error, aboutMail bool) Failure {
	var answer *textproto.Error
	if errors.As(err, &answer) {
		text := strconv.Itoa(answer.Code) + " " + answer.Msg
		return Failure{Permanent: aboutMail && answer.Code >= 500 && answer.Code < 600, Text: line(text)}
	}
	if ctx.Err() != nil {
		return Failure{Text: "the server did not answer in time"}
	}
	if strings.Contains(err.Error(), "does not support STARTTLS") {
		return Failure{Text: "the server does not offer STARTTLS, and nothing is sent in the clear"}
	}
	return Failure{Text: line(fmt.Sprint(err))}
}

// maxAnswer is how much of a server's answer is kept.
const maxAnswer = 500

// line returns an answer as one line: its words as they are, without control characters.
func line(text string) string {
	text = Clean(strings.ReplaceAll(text, "\x00", ""))
	if len(text) > maxAnswer {
		text = strings.ToValidUTF8(text[:maxAnswer], "") + " …"
	}
	return text
}
