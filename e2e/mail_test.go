package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gatehouse/e2e/loopback"
)

// mailFlags are the flags of a server that sends mails over TLS, signed in, and Mailpit that takes
// them.
func mailFlags(t *testing.T) (*mailServer, []string) {
	t.Helper()
	certificate, key := mailCertificate(t)
	dir := t.TempDir()
	users, password := filepath.Join(dir, "users"), filepath.Join(dir, "password")
	for path, content := range map[string]string{users: "portal:violet-kettle-41\n", password: "violet-kettle-41\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pit := startMailpit(t, loopback.Free(t), "--smtp-tls-cert", certificate, "--smtp-tls-key", key, "--smtp-require-tls",
		"--smtp-auth-file", users)
	return pit, []string{"--smtp", "smtps://portal@" + pit.smtp, "--smtp-password-file", password,
		"--mail-from", "portal@example.org"}
}

// TestForgottenPasswordByMail walks from the sign-in page through the mail to a sign-in with the new
// password, which still asks for the second step.
func TestForgottenPasswordByMail(t *testing.T) {
	pit, flags := mailFlags(t)
	s := startSite(t, append(flags, "--time-zone", "Europe/Berlin")...)
	s.addPerson(mia, "member")
	b := openBrowser(t, s)
	w := &walkthrough{t: t, site: s}
	w.signIn(b, mia)
	app, _ := w.enrol(b)
	b.Visit("/my")
	b.Click("Sign out")
	pit.await(mia.email, "Two-factor authentication enabled").requireWellMade(t)

	ask := func(email string) string {
		b.Visit("/signin")
		b.Click("Forgot your password?")
		b.Fill("email", email)
		b.Click("Send link")
		b.Sees("If this address has an account, a mail is on its way.")
		return b.Text()
	}
	if known, unknown := ask(mia.email), ask("nobody@example.org"); known != unknown {
		t.Errorf("the page tells who has an account:\n%s\n\n%s", known, unknown)
	}
	m := pit.await(mia.email, "Choose a new password")
	m.requireWellMade(t)
	if !strings.Contains(m.Text, "+01:00.") && !strings.Contains(m.Text, "+02:00.") {
		t.Errorf("the mail's time is not in the zone that was named:\n%s", m.Text)
	}
	b.Visit(strings.TrimPrefix(m.link(t), s.url))
	b.Fill("password", "marble thunder otter")
	b.Click("Set password")
	b.Sees("Your password is set.")
	b.Fill("email", mia.email)
	b.Fill("password", "marble thunder otter")
	b.Click("Sign in", "form")
	b.Sees("Two-factor verification")
	b.EnterCode(app.code(), "Verify and sign in")
	b.WaitFor("Home", sidebar)
	pit.await(mia.email, "New password at").requireWellMade(t)
	for _, one := range pit.mails() {
		if one.To == "nobody@example.org" {
			t.Error("a mail to nobody")
		}
	}
}

// TestNotMeByMail follows the link of a mail as scanners do, which changes nothing, and then as its owner
// does, without script.
func TestNotMeByMail(t *testing.T) {
	pit, flags := mailFlags(t)
	s := startSite(t, flags...)
	s.addPerson(mia, "member")
	s.addPerson(ines, "super-administrator")
	thief := newClient(t, s)
	thief.signIn(mia)
	thief = newClient(t, s) // the first sign-in is no news
	thief.signIn(mia)
	m := pit.await(mia.email, "Sign-in from a new browser")
	m.requireWellMade(t)
	path := strings.TrimPrefix(m.link(t), s.url)
	scanner := newClient(t, s)
	for _, method := range []string{"GET", "HEAD", "GET"} {
		scanner.send(http.StatusOK, method, path)
	}
	thief.send(http.StatusOK, "GET", "/my")

	b := openBrowserWithoutScript(t, s)
	b.Visit(path)
	b.Sees("If you did not do it, close your account now")
	b.Click("This wasn't me, close my account")
	b.Sees("Your account is closed", "on its way to "+mia.email)
	thief.send(http.StatusSeeOther, "GET", "/my")
	if got := thief.send(http.StatusUnprocessableEntity, "POST", "/signin", "email", mia.email, "password", mia.password); strings.Contains(got.body, "closed") {
		t.Error("the sign-in tells a stranger that the account is closed")
	}
	scanner.send(http.StatusNotFound, "POST", path)
	link := pit.await(mia.email, "is closed").link(t)
	b.Visit(strings.TrimPrefix(link, s.url))
	b.Fill("password", "marble thunder otter")
	b.Click("Set password")
	b.Fill("email", mia.email)
	b.Fill("password", "marble thunder otter")
	b.Click("Sign in", "form")
	b.WaitFor("Home", sidebar)

	admin := openBrowser(t, s)
	(&walkthrough{t: t, site: s}).signIn(admin, ines)
	admin.Sees("was closed with “This wasn't me” from a mail")
}

// TestMailSettings tries a mail server out from the page and from the machine, with the server's own
// answer word for word, right and wrong.
func TestMailSettings(t *testing.T) {
	pit, flags := mailFlags(t)
	s := startSite(t, flags...)
	s.addPerson(ines, "super-administrator")
	b := openBrowser(t, s)
	(&walkthrough{t: t, site: s}).signIn(b, ines)
	b.Visit("/admin/settings/mail")
	b.Sees("smtps://portal@"+pit.smtp, "portal@example.org")
	b.DoesNotSee("violet-kettle-41")
	b.Click("Send a test mail to me")
	b.Sees("The server has taken the test mail", "It answered: ")
	pit.await(ines.email, "Test mail from").requireWellMade(t)
	if out := s.run("", append([]string{"mail", "test", "somebody@example.org"}, flags...)...); !strings.Contains(out, "It answered: ") {
		t.Errorf("mail test prints %s", out)
	}
	pit.await("somebody@example.org", "Test mail from")

	s.stop()
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("not-the-password"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start("--smtp", "smtps://portal@"+pit.smtp, "--smtp-password-file", wrong, "--mail-from", "portal@example.org")
	b.Visit("/admin/settings/mail")
	b.Click("Send a test mail to me")
	b.Sees("The test mail was not taken.", "535")
}

// TestMailsOutliveAKill ends the program between the commit and the sending, while it is sending, and
// after the server has taken the mail and before that is noted: every mail arrives, and one that
// arrives twice has one Message-ID.
func TestMailsOutliveAKill(t *testing.T) {
	pit := startMailpit(t, loopback.Free(t))
	proxy := startSMTPProxy(t, pit.smtp)
	flags := []string{"--smtp", "smtp+plain://" + proxy.address, "--mail-from", "portal@example.org"}
	s := startSite(t, flags...)
	s.addPerson(mia, "member")
	forgot := func(p person) {
		t.Helper()
		newClient(t, s).send(http.StatusOK, "POST", "/signin/forgot", "email", p.email)
	}

	proxy.set(hangAtOnce) // the mail is committed, and the sender gets nowhere
	forgot(mia)
	proxy.await()
	s.kill()
	proxy.set(passOn)
	s.start(flags...)
	if err := poll(timeout, func() error { return pit.count(mia.email, 1) }); err != nil {
		t.Fatal("killed while sending: ", err)
	}

	s.kill() // the machine writes beside a server that is not there
	s.run("marble thunder otter\n", "user", "set-password", mia.email)
	s.start(flags...)
	if err := poll(timeout, func() error { return pit.count(mia.email, 2) }); err != nil {
		t.Fatal("written while nobody served: ", err)
	}

	s.addPerson(fay, "member")
	proxy.set(swallowAnswer) // the server has taken it, and the program does not hear so
	forgot(fay)
	if err := poll(timeout, func() error { return pit.count(fay.email, 1) }); err != nil {
		t.Fatal(err)
	}
	s.kill()
	proxy.set(passOn)
	s.start(flags...)
	if err := poll(timeout, func() error { return pit.count(fay.email, 2) }); err != nil {
		t.Fatal("killed after the server took it: ", err)
	}
	ids := map[string]int{}
	for _, one := range pit.mails() {
		ids[one.MessageID]++
	}
	if len(ids) != 3 {
		t.Errorf("Message-IDs %v; want that of the one that came twice, and two others", ids)
	}
	for id, n := range ids {
		if n > 2 {
			t.Errorf("%s came %d times", id, n)
		}
	}
}

// count demands that some mails have arrived at an address.
func (m *mailServer) count(to string, want int) error {
	got := 0
	for _, one := range m.mails() {
		if one.To == to {
			got++
		}
	}
	if got != want {
		return fmt.Errorf("%d mails to %s; want %d", got, to, want)
	}
	return nil
}

// What the proxy does with a connection.
type proxyMode int

const (
	passOn        proxyMode = iota
	hangAtOnce              // takes the connection and says nothing
	swallowAnswer           // keeps the answer to the message
)

// smtpProxy stands before a mail server.
type smtpProxy struct {
	address string
	target  string

	mu    sync.Mutex
	mode  proxyMode
	taken chan struct{} // something connected in hangAtOnce
}

func startSMTPProxy(t *testing.T, target string) *smtpProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &smtpProxy{address: l.Addr().String(), target: target, taken: make(chan struct{}, 100)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.carry(c)
		}
	}()
	return p
}

func (p *smtpProxy) set(mode proxyMode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = mode
}

// await waits until somebody hangs.
func (p *smtpProxy) await() { <-p.taken }

func (p *smtpProxy) carry(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	mode := p.mode
	p.mu.Unlock()
	if mode == hangAtOnce {
		p.taken <- struct{}{}
		_, _ = io.Copy(io.Discard, client) // until it is killed
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	var ended sync.Once
	sent := make(chan struct{}) // closed with the end of the message
	go func() {
		buffer, seen := make([]byte, 4096), []byte{}
		for {
			n, err := client.Read(buffer)
			if seen = append(seen, buffer[:n]...); bytes.Contains(seen, []byte("\r\n.\r\n")) {
				ended.Do(func() { close(sent) })
			}
			if _, writeErr := server.Write(buffer[:n]); err != nil || writeErr != nil {
				_ = server.Close()
				return
			}
		}
	}()
	buffer := make([]byte, 4096)
	for {
		n, err := server.Read(buffer)
		select {
		case <-sent:
			if mode == swallowAnswer {
				continue
			}
		default:
		}
		if _, writeErr := client.Write(buffer[:n]); err != nil || writeErr != nil {
			return
		}
	}
}
