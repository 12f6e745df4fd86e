package deploy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatehouse/e2e/loopback"
)

// timeout is how long a test waits for what should happen soon; nothing is measured by it.
const timeout = 30 * time.Second

// program is the path of the built program; TestMain sets it once.
var program string

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gatehouse-deploy-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // another user runs the program, too
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := os.Setenv("GATEHOUSE_DRAIN_DELAY",
		"0s"); err != nil { // nobody but the tests of it waits for load balancers
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	program = filepath.Join(dir, "gatehouse")
	if built := os.Getenv("GATEHOUSE_TEST_PROGRAM"); built != "" { // on a machine of its own: the first has built it
		program = built
		return m.Run()
	}
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// tool is the path of a command that a test needs. A missing one fails the test with the package to install.
func tool(t testing.TB, command, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(command)
	if err != nil {
		t.Fatalf("This test needs %s: run `apt install %s`, then try again.", command, debianPackage)
	}
	return path
}

// eventually tries until try returns nil, or fails with its last error.
func eventually(t testing.TB, what string, try func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(timeout); ; <-tick.C {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

func port(address string) string { return address[strings.LastIndex(address, ":")+1:] }

// A process is a command that runs beside the test and ends with it.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	output *output
	ended  chan struct{}
	result error // after ended is closed
}

func start(t testing.TB, env []string, path string, args ...string) *process {
	t.Helper()
	return startAs(t, nil, env, path, args...)
}

// startAs starts a command as another user, or as this one when as is nil.
func startAs(t testing.TB, as *syscall.SysProcAttr, env []string, path string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = as
	return startCommand(t, cmd, env)
}

// startWith starts a command with open files, from 3 on.
func startWith(t testing.TB, open []*os.File, env []string, path string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.ExtraFiles = open
	return startCommand(t, cmd, env)
}

func startCommand(t testing.TB, cmd *exec.Cmd, env []string) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, output: &output{}, ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.result = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(cmd.Path), p.output)
		}
	})
	return p
}

// stop asks the process to end, and kills it when it does not.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(timeout):
		p.t.Errorf("%s does not end on SIGTERM", p.cmd.Path)
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// output keeps what a process prints; it may be read while the process writes.
type output struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes.String()
}

// command runs one command of the program and returns its exit code and what it said.
func command(t testing.TB, input string, args ...string) (code int, output string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// requireCommand runs a command that has to succeed.
func requireCommand(t testing.TB, input string, args ...string) string {
	t.Helper()
	code, output := command(t, input, args...)
	if code != 0 {
		t.Fatalf("gatehouse %s: exit %d\n%s", strings.Join(args, " "), code, output)
	}
	return output
}

const (
	ada      = "ada@example.org"
	password = "violet kettle harbour"
)

// dataWithAda is a data directory in which Ada is Super-administrator.
func dataWithAda(t testing.TB) string {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	requireCommand(t, password+"\n", "user", "add", ada, "--name", "Ada", "--role", "super-administrator", "--new-workspace",
		"--data", data)
	return data
}

// serve starts the program on a data directory and a loopback address, and waits until /healthz says ok there.
func serve(t testing.TB, data string, flags ...string) (p *process, address string) {
	t.Helper()
	address = loopback.Free(t)
	p = start(t, nil, program, append([]string{"serve", "--data", data, "--listen", address}, flags...)...)
	healthy(t, p, address)
	return p, address
}

func healthy(t testing.TB, p *process, address string) {
	t.Helper()
	eventually(t, "the program serves", func() error {
		select {
		case <-p.ended:
			return fmt.Errorf("it has ended: %v", p.result)
		default:
		}
		return ask("http://" + address + "/healthz")
	})
}

// ask is nil when the address answers 200.
func ask(address string) error {
	answer, err := http.Get(address)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, answer.Status)
	}
	return nil
}

// A browser keeps cookies and speaks like one. Each has an address of its own in 127.0.0.0/8.
type browser struct {
	t      testing.TB
	base   string
	client *http.Client
	header http.Header // sent with every request, forged ones among them
	last   *http.Response
}

// newBrowser reaches every name at one address, from another; roots are whose certificates it trusts.
func newBrowser(t testing.TB, base, at, from string, roots *x509.CertPool) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, at)
		}}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, base: base, header: http.Header{}, client: &http.Client{Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// send sends a request; a status other than want ends the test.
func (b *browser) send(method, path string, want int, fields url.Values) string {
	b.t.Helper()
	r, err := http.NewRequest(method, b.base+path, strings.NewReader(fields.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	for name, values := range b.header {
		r.Header[name] = values
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.base)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	b.last, err = b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer b.last.Body.Close()
	body, err := io.ReadAll(b.last.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if b.last.StatusCode != want {
		b.t.Fatalf("%s %s answers %s, want %d; Location %q\n%s", method, path, b.last.Status, want,
			b.last.Header.Get("Location"), body)
	}
	return string(body)
}

func (b *browser) get(path string) string { b.t.Helper(); return b.send("GET", path, 200, nil) }

// post sends a form: name, value, name, value.
func (b *browser) post(path string, want int, fields ...string) string {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.send("POST", path, want, form)
}

var secretOnCard = regexp.MustCompile(`id="secret"[^>]*>([A-Z2-7 ]+)<`)

// code asks oathtool for a code: after is 0 for now's time step, 1 for the next one's.
func code(t testing.TB, secret string, after int) string {
	t.Helper()
	at := time.Now().Add(time.Duration(after) * 30 * time.Second).UTC().Format("2006-01-02 15:04:05 UTC")
	out, err := exec.Command(tool(t, "oathtool", "oathtool"), "--totp", "-b", "-N", at, secret).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// wholeSignIn signs Ada in, enables two-factor, signs out, and signs in again with both steps.
func (b *browser) wholeSignIn() {
	b.t.Helper()
	b.post("/signin", 303, "email", ada, "password", password)
	card := b.post("/my/profile/two-factor/enable", 200)
	found := secretOnCard.FindStringSubmatch(card)
	if found == nil {
		b.t.Fatalf("no secret on the card:\n%s", card)
	}
	secret := strings.ReplaceAll(found[1], " ", "")
	b.post("/my/profile/two-factor/confirm", 200, "code", code(b.t, secret, 0))
	b.post("/signout", 303)
	b.post("/signin", 303, "email", ada, "password", password)
	if to := b.last.Header.Get("Location"); to != "/signin/two-factor" {
		b.t.Fatalf("the password leads to %q", to)
	}
	b.post("/signin/two-factor", 303, "code", code(b.t, secret, 1))
	b.get("/my")
}
