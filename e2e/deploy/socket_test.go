package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/e2e/loopback"
)

// TestUnixSocket signs in and opens an app where the proxy reaches Gatehouse by a unix socket: it counts as a trusted
// proxy without a word, and the address that counts is the browser's.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	for name, proxy := range map[string]guardProxy{"nginx": byNginx, "Caddy": byCaddy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &guardedSite{t: t, data: dataWithAda(t), at: loopback.Free(t)}
			g.own = newPair(t, t.TempDir(), "portal.example.org", "grafana.example.org", "wiki.example.org", "secret.example.org")
			for _, app := range []string{"grafana", "wiki", "secret"} {
				requireCommand(t, "", "app", "add", app, g.origin(app), "--guard", "--everyone", "--data", g.data)
			}
			socket := filepath.Join(shortDir(t), "gatehouse.sock")
			g.program = start(t, nil, program, "serve", "--data", g.data, "--listen", "unix:"+socket, "--base-url", g.origin("portal"))
			eventually(t, "the program serves", func() error { return askSocket(socket) })
			requireCommand(t, "", "health", "--url", "unix:"+socket)
			if code, output := command(t, "", "serve", "--data", filepath.Join(t.TempDir(), "other"), "--listen", "unix:"+socket,
				"--base-url", "https://other.example.org"); code != 1 || !strings.Contains(output, "another server listens on "+socket) {
				t.Errorf("a second server: exit %d, %q", code, output)
			}
			proxy(g, "unix:"+socket, strings.TrimPrefix(upstream(t).URL, "http://"))
			eventually(t, "the proxy answers", func() error {
				_, err := serial(g.at, "grafana.example.org", g.own.roots)
				return err
			})
			b := g.visitor()
			b.header.Set("X-Forwarded-For", "203.0.113.9")
			if got := b.enter(g.origin("grafana")+"/", ada); got.Header.Get("Remote-User") != "ada" {
				t.Errorf("the app is told %q", got.identity())
			}
			if addresses := activityAddresses(t, g.data); addresses != "127.0.0.5" {
				t.Errorf("the activity names %q, want 127.0.0.5 alone", addresses)
			}
			if log := g.program.output.String(); strings.Contains(log, "WARN") {
				t.Errorf("it warns:\n%s", log)
			}
		})
	}
}

// shortDir is a directory with a name that a socket's path has room for.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gh-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// askSocket is nil when /healthz answers 200 at a socket.
func askSocket(path string) error {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	answer, err := (&http.Client{Transport: transport, Timeout: timeout}).Get("http://localhost/healthz")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		return errors.Join(fmt.Errorf("/healthz answers %s", answer.Status), err)
	}
	return nil
}

// TestSocketActivation serves on the sockets that systemd hands over: one for the proxy and a port. Who comes while
// the program is exchanged waits and is answered by the next.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	data, path := dataWithAda(t), filepath.Join(shortDir(t), "gatehouse.sock")
	unix, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	activate := func(flags ...string) *process {
		t.Helper()
		var handed []*os.File
		for _, l := range []interface{ File() (*os.File, error) }{unix, tcp.(*net.TCPListener)} {
			file, err := l.File()
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			handed = append(handed, file)
		}
		args := append([]string{"-c", `LISTEN_FDS=2 LISTEN_PID=$$ exec "$0" "$@"`, program, "serve", "--data", data}, flags...)
		return startWith(t, handed, []string{"GATEHOUSE_LISTEN=127.0.0.1:1"}, "sh", args...)
	}
	p := activate()
	<-p.ended
	if output := p.output.String(); p.cmd.ProcessState.ExitCode() != 2 || !strings.Contains(output, "--base-url") {
		t.Errorf("without a base URL: %v, %s", p.result, output)
	}
	p = activate("--base-url", "https://portal.example.org")
	if err := errors.Join(askSocket(path), ask("http://"+tcp.Addr().String()+"/healthz")); err != nil {
		t.Error(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	answered := make(chan error, 1)
	go func() { answered <- askSocket(path) }()
	activate("--base-url", "https://portal.example.org")
	if err := <-answered; err != nil {
		t.Errorf("who came meanwhile: %v", err)
	}
}
