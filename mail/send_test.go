package mail

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// A badServer is an SMTP server that fails in the way that its fields say.
type badServer struct {
	mail, rcpt, data error
	hang, cut        bool // in DATA
	password         string

	mu  sync.Mutex
	got []string // the messages that it took
}

func (b *badServer) NewSession(c *smtp.Conn) (smtp.Session, error) { return &badSession{b, c}, nil }

type badSession struct {
	*badServer
	conn *smtp.Conn
}

func (s *badSession) Reset()                               {}
func (s *badSession) Logout() error                        { return nil }
func (s *badSession) Mail(string, *smtp.MailOptions) error { return s.mail }
func (s *badSession) Rcpt(string, *smtp.RcptOptions) error { return s.rcpt }
func (s *badSession) AuthMechanisms() []string {
	if s.password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *badSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "ada" || password != s.password {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *badSession) Data(r io.Reader) error {
	if s.cut {
		return s.conn.Conn().Close()
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.hang {
		_, _ = s.conn.Conn().Read(make([]byte, 1)) // until the client goes away
		return errors.New("gone")
	}
	if s.data == nil {
		s.mu.Lock()
		s.got = append(s.got, string(content))
		s.mu.Unlock()
	}
	return s.data
}

// certificateFor makes a certificate for a name, and the pool in which it counts.
func certificateFor(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Unix(0, 0),
		NotAfter:              time.Unix(1<<33, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// serve runs the server on a port of this machine; a certificate is offered with STARTTLS, or
// from the first byte.
func (b *badServer) serve(t *testing.T, certificate *tls.Certificate, fromStart bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(b)
	server.Domain, server.AllowInsecureAuth, server.ErrorLog = "mail.test", true, silent{}
	address := l.Addr().String()
	if certificate != nil {
		config := &tls.Config{Certificates: []tls.Certificate{*certificate}}
		if fromStart {
			l = tls.NewListener(l, config)
		} else {
			server.TLSConfig = config
		}
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return address
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

func server(t *testing.T, address, password string, roots *x509.CertPool) Server {
	t.Helper()
	s, err := ParseServer(address, password, false)
	if err != nil {
		t.Fatal(err)
	}
	s.roots = roots
	return s
}

var sample = Message{
	ID:      "abc@example.org",
	From:    Address{Name: "Acme", Email: "portal@example.org"},
	To:      Address{Name: "Ada", Email: "ada@example.org"},
	Subject: "Hello",
	Body:    "Hello\n",
	At:      sentAt,
}

// TestServerAnswers has a server that answers in every way: what it says arrives word for
// word, and only what it refuses for good about this mail is permanent.
func TestServerAnswers(t *testing.T) {
	t.Parallel()
	refuse := func(code int, text string) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 7, 1}, Message: text}
	}
	for name, c := range map[string]struct {
		server    *badServer
		permanent bool
		want      string
	}{
		"421 to the sender":            {&badServer{mail: refuse(421, "Closing, come back")}, false, "421 4.7.1 Closing, come back"},
		"450 to the recipient":         {&badServer{rcpt: refuse(450, "Greylisted")}, false, "450 4.7.1 Greylisted"},
		"550 to the recipient":         {&badServer{rcpt: refuse(550, "No such user")}, true, "550 5.7.1 No such user"},
		"552 to the content":           {&badServer{data: refuse(552, "Too much")}, true, "552 5.7.1 Too much"},
		"451 to the content":           {&badServer{data: refuse(451, "Try later")}, false, "451 4.7.1 Try later"},
		"553 to the sender, ours":      {&badServer{mail: refuse(553, "Not your address")}, false, "553 5.7.1 Not your address"},
		"closed in the middle of DATA": {&badServer{cut: true}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := server(t, "smtp+plain://"+c.server.serve(t, nil, false), "", nil)
			_, err := s.Send(t.Context(), sample)
			got, ok := errors.AsType[Failure](err)
			if !ok || got.Permanent != c.permanent || c.want != "" && got.Text != c.want || got.Text == "" {
				t.Errorf("got %+v, %v; want %q, permanent %v", got, err, c.want, c.permanent)
			}
			if len(c.server.got) > 0 {
				t.Error("it was taken all the same")
			}
		})
	}
}

// TestSends over TLS, STARTTLS and in the clear, signed in.
func TestSends(t *testing.T) {
	t.Parallel()
	certificate, roots := certificateFor(t, "127.0.0.1")
	for scheme, offered := range map[string]*tls.Certificate{"smtps": &certificate, "smtp": &certificate, "smtp+plain": nil} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			b := &badServer{password: "secret"}
			at := scheme + "://ada@" + b.serve(t, offered, scheme == "smtps")
			answer, err := server(t, at, "secret", roots).Send(t.Context(), sample)
			if err != nil || !strings.HasPrefix(answer, "250 2.0.0 OK") || len(b.got) != 1 {
				t.Errorf("got %q, %v, %d mails", answer, err, len(b.got))
			}
			_, err = server(t, at, "wrong", roots).Send(t.Context(), sample)
			if got, ok := errors.AsType[Failure](err); !ok || got.Permanent || !strings.HasPrefix(got.Text, "535 ") {
				t.Errorf("a wrong password: %+v, %v", got, err)
			}
			if err := server(t, at, "secret", roots).Try(t.Context()); err != nil || len(b.got) != 1 {
				t.Errorf("only tried: %v, %d mails", err, len(b.got))
			}
			if got, ok := errors.AsType[Failure](server(t, at, "wrong", roots).Try(t.Context())); !ok || !strings.HasPrefix(got.Text, "535 ") {
				t.Errorf("only tried with a wrong password: %+v", got)
			}
		})
	}
}

// TestRefusesToSendInTheClear has a server without STARTTLS, and two that offer it with
// the certificate of another name or of nobody: nothing is said to any of them.
func TestRefusesToSendInTheClear(t *testing.T) {
	t.Parallel()
	right, roots := certificateFor(t, "127.0.0.1")
	other, otherRoots := certificateFor(t, "other.example.org")
	for name, c := range map[string]struct {
		certificate *tls.Certificate
		roots       *x509.CertPool
		fromStart   bool
		want        string
	}{
		"no STARTTLS":              {nil, roots, false, "does not offer STARTTLS"},
		"another name, STARTTLS":   {&other, otherRoots, false, "certificate"},
		"another name, smtps":      {&other, otherRoots, true, "certificate"},
		"an authority of nobody's": {&right, otherRoots, false, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &badServer{password: "secret"}
			scheme := "smtp"
			if c.fromStart {
				scheme = "smtps"
			}
			s := server(t, scheme+"://ada@"+b.serve(t, c.certificate, c.fromStart), "secret", c.roots)
			_, err := s.Send(t.Context(), sample)
			if got, ok := errors.AsType[Failure](err); !ok || got.Permanent || !strings.Contains(got.Text, c.want) {
				t.Errorf("got %+v, %v; want %q", got, err, c.want)
			}
			if len(b.got) > 0 {
				t.Error("it was sent all the same")
			}
		})
	}
}

// TestGivesUpWaiting has servers that never answer: one that takes everything and hangs in
// DATA, one that says nothing at all, and one that dribbles.
func TestGivesUpWaiting(t *testing.T) {
	t.Parallel()
	hanging := (&badServer{hang: true}).serve(t, nil, false)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	dribbling, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dribbling.Close() })
	go func() {
		c, err := dribbling.Accept()
		for err == nil {
			_, err = fmt.Fprint(c, "220-wait\r\n")
			time.Sleep(10 * time.Millisecond)
		}
	}()
	for _, at := range []string{hanging, l.Addr().String(), dribbling.Addr().String()} {
		s := server(t, "smtp+plain://"+at, "", nil)
		_, err := s.send(context.Background(), sample, 300*time.Millisecond)
		if got, ok := errors.AsType[Failure](err); !ok || got.Permanent || got.Text != "the server did not answer in time" {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

// TestNobodyThere has no server at all.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := server(t, "smtp+plain://"+l.Addr().String(), "", nil)
	_ = l.Close()
	_, err = s.Send(t.Context(), sample)
	if got, ok := errors.AsType[Failure](err); !ok || got.Permanent || !strings.Contains(got.Text, "refused") {
		t.Errorf("got %+v, %v", got, err)
	}
}
