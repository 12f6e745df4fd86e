package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/e2e/loopback"
)

// mailpitVersion is the mail server of these tests. It is built once and kept.
const mailpitVersion = "v1.33.1"

var mailpitOnce sync.Mutex

// mailpitProgram is the path of Mailpit. It is built by go install where it is missing, which takes a
// minute the first time.
func mailpitProgram(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("mailpit"); err == nil {
		return path
	}
	mailpitOnce.Lock()
	defer mailpitOnce.Unlock()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "gatehouse-e2e", "mailpit-"+mailpitVersion)
	path := filepath.Join(dir, "mailpit")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	build := exec.Command("go", "install", "github.com/axllent/mailpit@"+mailpitVersion)
	build.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build Mailpit: %v\n%s", err, out)
	}
	return path
}

// mailServer is a running Mailpit.
type mailServer struct {
	t    testing.TB
	smtp string // its address
	api  string
}

// startMailpit runs Mailpit on an SMTP address until the test ends.
func startMailpit(t testing.TB, smtp string, flags ...string) *mailServer {
	t.Helper()
	m := &mailServer{t: t, smtp: smtp, api: "http://" + loopback.Free(t)}
	args := append([]string{"--quiet", "--disable-version-check", "--smtp-disable-rdns", "--smtp", smtp,
		"--listen", strings.TrimPrefix(m.api, "http://"), "--database", filepath.Join(t.TempDir(), "mails.db")}, flags...)
	cmd := exec.Command(mailpitProgram(t), args...)
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("start Mailpit: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if err := poll(timeout, func() error {
		c, err := net.Dial("tcp", smtp)
		if err != nil {
			return err
		}
		_ = c.Close()
		answer, err := http.Get(m.api + "/api/v1/info")
		if err != nil {
			return err
		}
		return answer.Body.Close()
	}); err != nil {
		t.Fatalf("Mailpit does not answer: %v\n%s", err, &out)
	}
	return m
}

// oneMail is a mail as it arrived.
type oneMail struct {
	To, Subject, Text, MessageID string
	Header                       mail.Header
	raw                          string
}

// get reads an address of the API.
func (m *mailServer) get(path string) []byte {
	m.t.Helper()
	answer, err := http.Get(m.api + path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		m.t.Fatalf("%s: %s, %v\n%s", path, answer.Status, err, body)
	}
	return body
}

// mails are those that have arrived, the oldest first.
func (m *mailServer) mails() []oneMail {
	m.t.Helper()
	var list struct {
		Messages []struct {
			ID string
			To []struct{ Address string }
		} `json:"messages"`
	}
	if err := json.Unmarshal(m.get("/api/v1/messages?limit=200"), &list); err != nil {
		m.t.Fatal(err)
	}
	var all []oneMail
	for i := len(list.Messages) - 1; i >= 0; i-- {
		row := list.Messages[i]
		var shown struct{ Subject, Text, MessageID string }
		if err := json.Unmarshal(m.get("/api/v1/message/"+row.ID), &shown); err != nil {
			m.t.Fatal(err)
		}
		raw := m.get("/api/v1/message/" + row.ID + "/raw")
		parsed, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			m.t.Fatal(err)
		}
		all = append(all, oneMail{row.To[0].Address, shown.Subject, shown.Text, shown.MessageID, parsed.Header, string(raw)})
	}
	return all
}

// await waits for the newest mail to an address whose subject holds some words.
func (m *mailServer) await(to, words string) oneMail {
	m.t.Helper()
	var found oneMail
	if err := poll(timeout, func() error {
		all := m.mails()
		for _, one := range all {
			if one.To == to && strings.Contains(one.Subject, words) {
				found = one
			}
		}
		if found.raw == "" {
			return fmt.Errorf("no mail %q to %s among %d", words, to, len(all))
		}
		return nil
	}); err != nil {
		m.t.Fatal(err)
	}
	return found
}

var linkLine = regexp.MustCompile(`(?m)^https?://\S+\r?$`)

// link is the one link of a mail, which stands on a line of its own.
func (one oneMail) link(t testing.TB) string {
	t.Helper()
	links := linkLine.FindAllString(one.Text, -1)
	if len(links) != 1 || strings.Count(one.Text, "://") != 1 {
		t.Fatalf("%d links in\n%s", len(links), one.Text)
	}
	return strings.TrimSpace(links[0])
}

// requireWellMade demands what every mail is: plain text of at most 78 columns, without pictures,
// tracking or a list to leave, and not to be answered by machines.
func (one oneMail) requireWellMade(t testing.TB) {
	t.Helper()
	if kind := one.Header.Get("Content-Type"); !strings.HasPrefix(strings.ToLower(kind), "text/plain; charset=utf-8") {
		t.Errorf("%s: %s", one.Subject, kind)
	}
	if one.Header.Get("Auto-Submitted") != "auto-generated" || one.Header.Get("List-Unsubscribe") != "" || one.Header.Get("Message-Id") == "" {
		t.Errorf("%s: headers %v", one.Subject, one.Header)
	}
	for line := range strings.Lines(one.Text) {
		if line = strings.TrimRight(line, "\r\n"); len([]rune(line)) > 78 && !strings.HasPrefix(line, "http") {
			t.Errorf("%s: %d columns: %s", one.Subject, len([]rune(line)), line)
		}
	}
}

// mailCertificate writes a certificate for 127.0.0.1 with its key, and makes programs that are started
// from now on trust it.
func mailCertificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "127.0.0.1"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SSL_CERT_FILE", certFile)
	return certFile, keyFile
}
