package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatehouse/e2e/loopback"
)

// timeout is how long a test waits for anything that should happen soon. It is generous because a slow
// machine is no fault; nothing is measured by it.
const timeout = 20 * time.Second

// setupLink is what the program prints once, while it has no people.
var setupLink = regexp.MustCompile(`https?://\S+/setup/[A-Za-z0-9_-]+`)

// site is one running program with its own data folder.
type site struct {
	t      testing.TB
	url    string // http://127.0.0.1:PORT
	data   string // its data folder
	server *exec.Cmd
	output *output
	ended  chan struct{} // closed when the server has ended
	result error         // how it ended; read after ended is closed
}

// startSite starts the program on a free loopback port with an empty data folder and waits until it
// answers. It ends with the test.
func startSite(t testing.TB, flags ...string) *site {
	t.Helper()
	s := &site{t: t, url: "http://" + loopback.Free(t), data: t.TempDir()}
	s.start(flags...)
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("the program's output:\n%s", s.output)
		}
	})
	return s
}

// start runs `gatehouse serve` over the site's data folder and waits until /healthz says ok.
func (s *site) start(flags ...string) {
	s.t.Helper()
	args := append([]string{"serve", "--listen", strings.TrimPrefix(s.url, "http://"), "--data", s.data}, flags...)
	s.server = exec.Command(program, args...)
	s.output = &output{}
	s.server.Stdout, s.server.Stderr = s.output, s.output
	s.ended = make(chan struct{})
	if err := s.server.Start(); err != nil {
		s.t.Fatalf("start the program: %v", err)
	}
	go func() {
		s.result = s.server.Wait()
		close(s.ended)
	}()
	if err := poll(timeout, s.healthy); err != nil {
		s.t.Fatalf("the program does not answer: %v\n%s", err, s.output)
	}
}

// healthy is nil when the program serves and its database answers.
func (s *site) healthy() error {
	answer, err := http.Get(s.url + "/healthz")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || strings.TrimSpace(string(body)) != "ok" {
		return fmt.Errorf("/healthz answers %s %q", answer.Status, body)
	}
	return nil
}

// stop asks the server to end (SIGTERM to its own process) and demands that it ends well.
func (s *site) stop() {
	select {
	case <-s.ended:
		s.t.Errorf("the program ended before it was asked to: %v", s.result)
		return
	default:
	}
	if err := s.server.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Errorf("ask the program to end: %v", err)
	}
	select {
	case <-s.ended:
		if s.result != nil {
			s.t.Errorf("the program ended with %v", s.result)
		}
	case <-time.After(timeout):
		s.t.Errorf("the program does not end on SIGTERM")
		if err := s.server.Process.Kill(); err != nil {
			s.t.Errorf("kill the program: %v", err)
		}
		<-s.ended
	}
}

// setupLink is the one-time link that the program printed for the first person.
func (s *site) setupLink() string {
	s.t.Helper()
	var link string
	err := poll(timeout, func() error {
		if link = setupLink.FindString(s.output.String()); link == "" {
			return errors.New("no line with http://…/setup/TOKEN")
		}
		return nil
	})
	if err != nil {
		s.t.Fatalf("read the set-up link: %v\n%s", err, s.output)
	}
	return link
}

// run runs one command of the program beside the server, with input on its standard input, and returns
// what it prints on standard output. A command that fails ends the test.
func (s *site) run(input string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command(program, append(args, "--data", s.data)...)
	cmd.Stdin = strings.NewReader(input)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("gatehouse %s: %v\n%s%s", strings.Join(args, " "), err, &out, &problems)
	}
	return out.String()
}

// person is somebody with an account.
type person struct {
	name, email, password string
}

// addPerson adds an account by the command line.
func (s *site) addPerson(p person, role string) {
	s.t.Helper()
	s.run(p.password+"\n", "user", "add", p.email, "--name", p.name, "--role", role)
}

// output keeps what a process prints; it may be read while the process writes.
type output struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes.String()
}
