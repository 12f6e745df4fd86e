package deploy

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/e2e/loopback"

	"github.com/letsencrypt/challtestsrv"
)

const domain = "portal.gatehouse.test"

// An authority is a running pebble, Let's Encrypt's own ACME server for tests.
type authority struct {
	process   *process
	directory string
	ca        string         // the file that its own https is trusted by
	roots     *x509.CertPool // of what it issues
}

// newAuthority starts pebble. It asks for proofs at two addresses, whatever the name, and issues certificates
// that are valid for so many seconds.
func newAuthority(t *testing.T, plainAt, tlsAt string, valid int) authority {
	t.Helper()
	dir := t.TempDir()
	pebble := filepath.Join(dir, "pebble")
	if out, err := exec.Command("go", "build", "-o", pebble, "github.com/letsencrypt/pebble/v2/cmd/pebble").
		CombinedOutput(); err != nil {
		t.Fatalf("build pebble: %v\n%s", err, out)
	}
	names := loopback.Free(t)
	dns, err := challtestsrv.New(challtestsrv.Config{DNSAddrs: []string{names}})
	if err != nil {
		t.Fatal(err)
	}
	dns.SetDefaultDNSIPv4("127.0.0.1")
	dns.SetDefaultDNSIPv6("")
	go dns.Run()
	t.Cleanup(dns.Shutdown)

	own := newPair(t, dir)
	listen, management := loopback.Free(t), loopback.Free(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": management, "certificate": own.cert, "privateKey": own.key,
		"httpPort": number(t, port(plainAt)), "tlsPort": number(t, port(tlsAt)),
		"profiles": map[string]any{"default": map[string]any{"description": "for tests", "validityPeriod": valid}}}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "pebble.json"), string(config))
	a := authority{directory: "https://" + listen + "/dir", ca: own.cert, roots: x509.NewCertPool()}
	a.process = start(t, []string{"PEBBLE_VA_NOSLEEP=1"}, pebble, "-config", filepath.Join(dir, "pebble.json"),
		"-dnsserver", names)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: own.roots}}}
	defer client.CloseIdleConnections()
	eventually(t, "pebble answers", func() error {
		answer, err := client.Get("https://" + management + "/roots/0")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		root, err := io.ReadAll(answer.Body)
		if err == nil && !a.roots.AppendCertsFromPEM(root) {
			err = errors.New("no root certificate")
		}
		return err
	})
	return a
}

func number(t *testing.T, digits string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(digits, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// serial is that of the certificate that a server shows for a name.
func serial(address, name string, roots *x509.CertPool) (*big.Int, error) {
	conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, RootCAs: roots})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber, nil
}

const days = 24 * 60 * 60

// TestACME obtains a certificate from a real ACME server and signs in over it; a restart uses what was obtained.
func TestACME(t *testing.T) {
	data := dataWithAda(t)
	at, plain := loopback.Free(t), loopback.Free(t)
	ca := newAuthority(t, plain, at, 90*days)
	flags := []string{"serve", "--data", data, "--listen", at, "--redirect-listen", plain, "--tls-domain", domain,
		"--acme-directory", ca.directory, "--acme-ca", ca.ca}
	p := start(t, nil, program, flags...)
	var first *big.Int
	eventually(t, "the certificate", func() (err error) {
		first, err = serial(at, domain, ca.roots)
		return err
	})
	base := "https://" + domain + ":" + port(at)
	if want := "Gatehouse serves on " + base + "\n"; !strings.Contains(p.output.String(), want) {
		t.Errorf("it does not say %q", want)
	}

	b := newBrowser(t, base, at, "127.0.0.1", ca.roots)
	b.wholeSignIn()
	if b.last.Header.Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS")
	}
	b.post("/signout", 303)
	b.post("/signin", 303, "email", ada, "password", password)
	for _, cookie := range b.last.Cookies() {
		if !strings.HasPrefix(cookie.Name, "__Host-") || !cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" ||
			cookie.Domain != "" {
			t.Errorf("the cookie %s", cookie)
		}
	}

	t.Run("plain http is sent on to the workspace's own name", func(t *testing.T) {
		b := newBrowser(t, "http://elsewhere.example", plain, "127.0.0.1", nil)
		b.send("GET", "/signin?next=%2Fmy%2Fprofile", 308, nil)
		if got, want := b.last.Header.Get("Location"), base+"/signin?next=%2Fmy%2Fprofile"; got != want {
			t.Errorf("it leads to %q, want %q", got, want)
		}
		b.post("/signin", 400, "email", ada, "password", password)
	})
	t.Run("no certificate for another name", func(t *testing.T) {
		if _, err := serial(at, "elsewhere.example.org", ca.roots); err == nil {
			t.Error("there is one")
		}
	})
	t.Run("a restart uses the certificate that is there", func(t *testing.T) {
		p.stop()
		ca.process.stop()
		start(t, nil, program, flags...)
		eventually(t, "the certificate", func() error {
			again, err := serial(at, domain, ca.roots)
			if err == nil && again.Cmp(first) != 0 {
				t.Errorf("the certificate is another one")
			}
			return err
		})
	})
}

// TestACMERenewal serves a certificate that is valid for twelve seconds: in its last third another takes its place
// by itself.
func TestACMERenewal(t *testing.T) {
	at, plain := loopback.Free(t), loopback.Free(t)
	ca := newAuthority(t, plain, at, 12)
	start(t, nil, program, "serve", "--data", dataWithAda(t), "--listen", at, "--redirect-listen", plain,
		"--tls-domain", domain, "--acme-directory", ca.directory, "--acme-ca", ca.ca)
	var first *big.Int
	eventually(t, "the certificate", func() (err error) {
		first, err = serial(at, domain, ca.roots)
		return err
	})
	eventually(t, "the renewed certificate", func() error {
		now, err := serial(at, domain, ca.roots)
		if err == nil && now.Cmp(first) == 0 {
			err = errors.New("still the first")
		}
		return err
	})
}

// TestOwnCertificate serves a certificate from a file, and another one after SIGHUP; a broken one changes nothing.
func TestOwnCertificate(t *testing.T) {
	dir := t.TempDir()
	first := newPair(t, dir, domain)
	at, plain := loopback.Free(t), loopback.Free(t)
	p := start(t, nil, program, "serve", "--data", dataWithAda(t), "--listen", at, "--redirect-listen", plain,
		"--tls-cert", first.cert, "--tls-key", first.key, "--base-url", "https://"+domain+":"+port(at))
	shows := func(want pair) {
		t.Helper()
		eventually(t, "the certificate", func() error {
			got, err := serial(at, domain, want.roots)
			if err == nil && got.Cmp(want.serial) != 0 {
				err = errors.New("another certificate")
			}
			return err
		})
	}
	shows(first)
	newBrowser(t, "https://"+domain+":"+port(at), at, "127.0.0.1", first.roots).wholeSignIn()

	second := newPair(t, dir, domain)
	sendSIGHUP(t, p)
	shows(second)

	write(t, second.cert, "no certificate")
	sendSIGHUP(t, p)
	eventually(t, "the log tells", func() error {
		if !strings.Contains(p.output.String(), "cannot use the certificate") {
			return errors.New("nothing about the certificate")
		}
		return nil
	})
	shows(second)
}

func sendSIGHUP(t *testing.T, p *process) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

func TestTLSFlagsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		flags []string
		says  string
	}{
		"a certificate without its key": {[]string{"--tls-cert", "x"}, "go together"},
		"two ways at once": {[]string{"--tls-domain", domain, "--tls-cert", "x", "--tls-key", "y"},
			"choose one"},
		"an address in place of a name": {[]string{"--tls-domain", "192.0.2.1"}, "takes a name"},
		"a name without a dot":          {[]string{"--tls-domain", "portal"}, "takes a name"},
		"no base URL":                   {[]string{"--tls-cert", "x", "--tls-key", "y"}, "--base-url"},
		"a plain base URL": {[]string{"--tls-domain", domain, "--base-url", "http://" + domain,
			"--insecure-http"}, "must be https"},
		"a base URL of another name": {[]string{"--tls-domain", domain, "--base-url", "https://other.example"},
			"must be https and of the name"},
	} {
		t.Run(name, func(t *testing.T) {
			code, output := command(t, "", append([]string{"serve", "--data", t.TempDir()}, c.flags...)...)
			if code != 2 || !strings.Contains(output, c.says) || strings.Count(output, "\n") != 1 {
				t.Errorf("exit %d, %q; want 2 and one sentence with %q", code, output, c.says)
			}
		})
	}
}
