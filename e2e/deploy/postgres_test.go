package deploy

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gatehouse/e2e/loopback"
)

// postgresTool is the path of one of PostgreSQL's programs, which Debian keeps out of PATH. Where there is no server
// the test is skipped, but not in CI.
func postgresTool(t testing.TB, name string) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		return slices.MaxFunc(found, func(a, b string) int { return postgresVersion(a) - postgresVersion(b) })
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("This test needs %s: run `apt install postgresql`, then try again.", name)
	}
	t.Skipf("there is no %s: `apt install postgresql` lets this test run", name)
	return ""
}

func postgresVersion(path string) int {
	version, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return version
}

// A server is a PostgreSQL server of the test's own, which ends with it.
type server struct {
	t       testing.TB
	dir     string
	address string
	as      *syscall.SysProcAttr
}

// asPostgres is whom the server runs as: it does not run as root.
func asPostgres(t testing.TB) (*syscall.SysProcAttr, int) {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil, os.Geteuid()
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, uid
}

// newServer makes a server and starts it.
func newServer(t testing.TB, settings ...string) *server {
	t.Helper()
	s := serverIn(t, t.TempDir())
	s.run("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D", s.data())
	s.configure(append([]string{"fsync = on", "max_connections = 120"}, settings...)...)
	s.start()
	return s
}

// serverIn is a server whose data are yet to be made.
func serverIn(t testing.TB, dir string) *server {
	t.Helper()
	as, uid := asPostgres(t)
	s := &server{t: t, dir: dir, address: loopback.Free(t), as: as}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, uid, -1); err != nil {
			t.Fatal(err)
		}
		for above := dir; len(above) > len(os.TempDir()); above = filepath.Dir(above) { // it has to be reached
			if err := os.Chmod(above, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// run runs one of PostgreSQL's programs as the server's user.
func (s *server) run(name string, args ...string) string {
	s.t.Helper()
	out, err := s.try(name, args...)
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func (s *server) try(name string, args ...string) (string, error) {
	cmd := exec.Command(postgresTool(s.t, name), args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, s.as
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// configure adds settings to postgresql.conf.
func (s *server) configure(settings ...string) {
	s.t.Helper()
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = fmt.Fprintln(f, strings.Join(append([]string{"", "listen_addresses = '127.0.0.1'", "port = " + port(s.address),
		"unix_socket_directories = ''"}, settings...), "\n"))
	if err := errors.Join(err, f.Close()); err != nil {
		s.t.Fatal(err)
	}
}

// start starts the server, and stops it when the test ends.
func (s *server) start() {
	s.t.Helper()
	s.run("pg_ctl", "start", "-w", "-D", s.data(), "-l", filepath.Join(s.dir, "log"), "-o", "-c log_min_messages=warning")
	s.t.Cleanup(func() {
		_, _ = s.try("pg_ctl", "stop", "-m", "immediate", "-D", s.data()) // it may have been stopped
		if s.t.Failed() {
			if log, err := os.ReadFile(filepath.Join(s.dir, "log")); err == nil {
				s.t.Logf("PostgreSQL said:\n%s", log[max(0, len(log)-4000):])
			}
		}
	})
}

// stop stops the server: fast, or immediate as after a crash.
func (s *server) stop(mode string) {
	s.t.Helper()
	s.run("pg_ctl", "stop", "-w", "-m", mode, "-D", s.data())
}

// url is how a role reaches a database.
func (s *server) url(role, database string) string {
	return "postgres://" + role + "@" + s.address + "/" + database
}

// sql runs statements in a database as its administrator, and gives what they answer.
func (s *server) sql(database, statements string) string {
	s.t.Helper()
	return strings.TrimSpace(s.run("psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statements, s.url("postgres", database)))
}

// script runs a file as psql reads it.
func (s *server) script(path string) {
	s.t.Helper()
	s.run("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-f", path, s.url("postgres", "postgres"))
}
