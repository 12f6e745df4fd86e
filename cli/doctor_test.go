package cli

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/doctor"
	"gatehouse/handlers"
)

// newWorkspace makes a data directory with one Super-administrator.
func newWorkspace(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	if code, _, errs := run(t, dir, "violet kettle harbour\n", "user", "add", "ada@example.org", "--name", "Ada",
		"--new-workspace", "--role", "super-administrator"); code != exitOK {
		t.Fatal(errs)
	}
	return dir
}

// copyWorkspace copies a data directory, which is quicker than making another.
func copyWorkspace(t *testing.T, from string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "gatehouse.db", "gatehouse.key"} {
		mode := os.FileMode(0o600)
		if name == "" {
			mode = 0o700
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// serveWorkspace answers for a workspace, as its server does, at an address that is made for it.
func serveWorkspace(t *testing.T, dir, base string, trusted ...string) (at string) {
	t.Helper()
	schema, err := os.ReadFile("../schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	store, err := db.Open(t.Context(), db.Options{Dir: dir, Schema: string(schema), Times: db.DefaultTimes, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at = "http://" + listener.Addr().String()
	if base == "" {
		base = at
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	c := handlers.Config{
		Store:   store,
		Static:  os.DirFS("../static"),
		Log:     slog.New(slog.DiscardHandler),
		Now:     time.Now,
		BaseURL: u,
	}
	for _, network := range trusted {
		c.TrustedProxies = append(c.TrustedProxies, netip.MustParsePrefix(network))
	}
	server, err := handlers.New(c)
	if err != nil {
		t.Fatal(err)
	}
	serving := &httptest.Server{Listener: listener, Config: &http.Server{Handler: server}}
	serving.Start()
	t.Cleanup(serving.Close)
	return at
}

// An authority makes certificates; file holds its own.
type authority struct {
	file string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(1, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{file, cert, key}
}

// issue makes a certificate for an address or a name.
func (a authority) issue(t *testing.T, name string, from, until time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: until}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

// A front is an https proxy at an address of its own, which hands on to what it is told later.
type front struct {
	base string
	to   *url.URL
}

func newFront(t *testing.T, certificate tls.Certificate, rewrite func(*httputil.ProxyRequest)) *front {
	t.Helper()
	f := new(front)
	proxy := &httputil.ReverseProxy{
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = f.to.Scheme, f.to.Host, r.In.Host
			rewrite(r)
		},
	}
	server := httptest.NewUnstartedServer(proxy)
	server.Config.ErrorLog = proxy.ErrorLog
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	f.base = server.URL
	return f
}

// diagnose runs gatehouse doctor --json, and returns what it found by check.
func diagnose(t *testing.T, dir string, args ...string) (found map[doctor.Check]diagnosis, code int) {
	t.Helper()
	code, out, errs := run(t, dir, "", append([]string{"doctor", "--json", "--skip", "clock"}, args...)...)
	found = map[doctor.Check]diagnosis{}
	for line := range strings.Lines(out) {
		var d diagnosis
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if (d.Level == doctor.OK) != (d.Advice == "") || !strings.HasSuffix(d.Seen, ".") {
			t.Errorf("%s reads %q, %q", d.Check, d.Seen, d.Advice)
		}
		if before, twice := found[d.Check]; !twice || before.Level == doctor.OK {
			found[d.Check] = d
		}
	}
	if len(found) == 0 {
		t.Fatalf("nothing was found: %d %s", code, errs)
	}
	return found, code
}

// expect compares one finding.
func expect(t *testing.T, name string, found map[doctor.Check]diagnosis, check doctor.Check, level doctor.Level, says string) {
	t.Helper()
	d, ok := found[check]
	if !ok || d.Level != level || !strings.Contains(d.Seen+" "+d.Advice, says) {
		t.Errorf("%s: got %+v of %s; want %s and %q", name, d, check, level, says)
	}
}

// TestDoctorSeesProxies puts proxies before a real server, right and wrong ones, and asks through them.
func TestDoctorSeesProxies(t *testing.T) {
	t.Parallel()
	dir, ca := newWorkspace(t), newAuthority(t)
	certificate := ca.issue(t, "127.0.0.1", time.Now().Add(-time.Hour), time.Now().AddDate(0, 2, 0))
	forwards := func(r *httputil.ProxyRequest) {
		r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
		r.SetXForwarded()
		r.Out.Host = r.In.Host
	}
	for name, c := range map[string]struct {
		rewrite func(*httputil.ProxyRequest)
		trusted string
		level   doctor.Level
		says    string
	}{
		"one that is right":     {forwards, "127.0.0.0/8", doctor.OK, "hands on name, scheme and the visitor's address"},
		"one that nobody named": {forwards, "10.0.0.0/8", doctor.Warning, "--trusted-proxy 127.0.0.1"},
		"one that changes the name": {func(r *httputil.ProxyRequest) {
			forwards(r)
			r.Out.Host = "gatehouse.internal:8080"
		}, "127.0.0.0/8", doctor.Fault, "gatehouse.internal:8080"},
		"one that says http": {func(r *httputil.ProxyRequest) {
			forwards(r)
			r.Out.Header.Set("X-Forwarded-Proto", "http")
		}, "127.0.0.0/8", doctor.Fault, "X-Forwarded-Proto"},
		"one that says nothing": {func(r *httputil.ProxyRequest) {
			r.Out.Header.Del("X-Forwarded-For")
		}, "127.0.0.0/8", doctor.Warning, "does not say for whom"},
		"one that believes browsers": {func(r *httputil.ProxyRequest) {
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
		}, "127.0.0.0/8", doctor.Fault, "pretend to be at any address"},
	} {
		f := newFront(t, certificate, c.rewrite)
		to, err := url.Parse(serveWorkspace(t, dir, f.base, c.trusted))
		if err != nil {
			t.Fatal(err)
		}
		f.to = to
		found, _ := diagnose(t, dir, "--base-url", f.base, "--acme-ca", ca.file)
		expect(t, name, found, checkProxy, c.level, c.says)
		expect(t, name, found, checkReach, doctor.OK, f.base)
		expect(t, name, found, checkCertificate, doctor.OK, "good for")
	}
}

// TestDoctorSeesTheWay asks for the workspace where it is, where it is not, and where something else is.
func TestDoctorSeesTheWay(t *testing.T) {
	t.Parallel()
	dir, ca := newWorkspace(t), newAuthority(t)
	now := time.Now()
	answering := func(status int, header, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if header != "" {
				w.Header().Set("Location", header)
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	secured := func(name string, from, until time.Time) string {
		f := newFront(t, ca.issue(t, name, from, until), func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.Out.Host = r.In.Host
		})
		f.to, _ = url.Parse(serveWorkspace(t, dir, f.base, "127.0.0.1/32"))
		return f.base
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		base  string
		args  []string
		check doctor.Check
		level doctor.Level
		says  string
	}{
		"the server itself":        {serveWorkspace(t, dir, ""), nil, checkProxy, doctor.OK, "There is none"},
		"another workspace":        {serveWorkspace(t, newWorkspace(t), ""), nil, checkReach, doctor.Fault, "another workspace"},
		"nobody":                   {nobody, nil, checkReach, doctor.Fault, "Nothing listens"},
		"nobody, and no server":    {nobody, nil, checkServer, doctor.Fault, "No server runs"},
		"a proxy without a server": {answering(502, "", "Bad Gateway"), nil, checkReach, doctor.Fault, "reaches no server"},
		"a web server":             {answering(404, "", "not here"), nil, checkReach, doctor.Fault, "Something else"},
		"somebody who pretends": {answering(200, "", `{"proof":"AAAAAAAAAAAAAAAAAAAAAA","well":true,"host_accepted":true,"scheme":"http"}`), nil,
			checkReach, doctor.Fault, "Something else"},
		"a redirect":               {answering(301, "https://www.example.org/", ""), nil, checkReach, doctor.Fault, "https://www.example.org/"},
		"a name that is not known": {"https://portal.invalid", nil, checkReach, doctor.Fault, "DNS entry"},
		"an unknown authority":     {secured("127.0.0.1", now.Add(-time.Hour), now.AddDate(0, 2, 0)), nil, checkCertificate, doctor.Fault, "fullchain.pem"},
		"another name's certificate": {secured("other.example.org", now.Add(-time.Hour), now.AddDate(0, 2, 0)), []string{"--acme-ca", ca.file},
			checkCertificate, doctor.Fault, "other.example.org"},
		"a certificate that has ended": {secured("127.0.0.1", now.AddDate(0, -2, 0), now.Add(-time.Hour)), []string{"--acme-ca", ca.file},
			checkCertificate, doctor.Fault, "has ended"},
		"a certificate that ends soon": {secured("127.0.0.1", now.AddDate(0, -2, 0), now.AddDate(0, 0, 5)), []string{"--acme-ca", ca.file},
			checkCertificate, doctor.Warning, "ends in 4 days"},
		"no such file of an authority": {"https://portal.invalid", []string{"--acme-ca", "/nowhere.pem"}, checkReach, doctor.Fault, "--acme-ca"},
	} {
		found, code := diagnose(t, dir, append(c.args, "--base-url", c.base, "--listen", "127.0.0.1:1")...)
		expect(t, name, found, c.check, c.level, c.says)
		if code != exitFailed {
			t.Errorf("%s: %d", name, code)
		}
	}
}

// TestDoctorAddressInTheDatabase looks where the server that ran last was reached, without being told.
func TestDoctorAddressInTheDatabase(t *testing.T) {
	t.Parallel()
	dir := newWorkspace(t)
	at := serveWorkspace(t, dir, "")
	schema, err := os.ReadFile("../schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	store, err := db.Open(t.Context(), db.Options{Dir: dir, Schema: string(schema), Times: db.DefaultTimes, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.SetBaseURL(t.Context(), at, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	found, code := diagnose(t, dir, "--skip", "admins")
	expect(t, "noted", found, checkReach, doctor.OK, at)
	if code != exitOK {
		t.Errorf("got %d, %+v; want nothing to do", code, found)
	}
	if found, _ = diagnose(t, dir, "--base-url", "https://portal.invalid"); found[doctor.Address].Seen != "The workspace is at https://portal.invalid." {
		t.Errorf("got %+v", found[doctor.Address])
	}
}

// TestDoctorSeesMail gives doctor mail settings that are no good.
func TestDoctorSeesMail(t *testing.T) {
	t.Parallel()
	dir := newWorkspace(t)
	for says, args := range map[string][]string{
		"refused":            {"--smtp", "smtp+plain://127.0.0.1:1", "--mail-from", "portal@example.org"},
		"a password":         {"--smtp", "smtps://portal@127.0.0.1:465", "--mail-from", "portal@example.org"},
		"smtp-password-file": {"--smtp", "smtps://portal@127.0.0.1:465", "--mail-from", "portal@example.org", "--smtp-password-file", "/nowhere"},
		"a sender too":       {"--smtp", "smtps://127.0.0.1:465"},
	} {
		found, code := diagnose(t, dir, args...)
		expect(t, says, found, checkMailServer, doctor.Fault, says)
		if code != exitFailed {
			t.Errorf("%s: %d", says, code)
		}
	}
	if found, _ := diagnose(t, dir); found[checkMailServer].Check != "" {
		t.Errorf("without settings: %+v", found[checkMailServer])
	}
	if code, _, errs := run(t, dir, "", "doctor", "--skip", "weather"); code != exitUsage || !strings.Contains(errs, "mail-server") {
		t.Errorf("skipping what is not there: %d %s", code, errs)
	}
}

// TestDoctorSeesFiles spoils what lies in the data directory, one thing after the other.
func TestDoctorSeesFiles(t *testing.T) {
	t.Parallel()
	isRoot, made := os.Geteuid() == 0, newWorkspace(t)
	for name, c := range map[string]struct {
		spoil func(dir string) error
		check doctor.Check
		says  string
		root  bool
	}{
		"a directory that others read": {func(dir string) error { return os.Chmod(dir, 0o755) }, checkData, "chmod 700", false},
		"a key that others read": {func(dir string) error { return os.Chmod(filepath.Join(dir, "gatehouse.key"), 0o644) }, checkKey,
			"chmod 600", false},
		"no key":       {func(dir string) error { return os.Remove(filepath.Join(dir, "gatehouse.key")) }, checkKey, "--key-file", false},
		"no workspace": {func(dir string) error { return os.Remove(filepath.Join(dir, "gatehouse.db")) }, checkDatabase, "no workspace", false},
		"another key": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "gatehouse.key"), bytes.Repeat([]byte{7}, 32), 0o600)
		}, checkDatabase, "does not belong to the database", false},
		"no database, but a text": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "gatehouse.db"), bytes.Repeat([]byte("no database "), 1000), 0o600)
		}, checkDatabase, "is damaged or is no database", false},
		"no directory": {os.RemoveAll, checkData, "no directory", false},
		"a file in its place": {func(dir string) error {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return os.WriteFile(dir, nil, 0o600)
		}, checkData, "is no directory", false},
		"a database of somebody else": {func(dir string) error { return os.Chown(filepath.Join(dir, "gatehouse.db"), 4711, 4711) }, checkData, "chown", true},
		"a key of somebody else":      {func(dir string) error { return os.Chown(filepath.Join(dir, "gatehouse.key"), 4711, 4711) }, checkData, "chown", true},
	} {
		if c.root && !isRoot {
			continue
		}
		dir := copyWorkspace(t, made)
		if err := c.spoil(dir); err != nil {
			t.Fatal(err)
		}
		found, code := diagnose(t, dir)
		expect(t, name, found, c.check, doctor.Fault, c.says)
		if code != exitFailed {
			t.Errorf("%s: %d", name, code)
		}
	}
}
