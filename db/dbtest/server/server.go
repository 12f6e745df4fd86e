// Package server runs a throw-away PostgreSQL server for tests, and each test of a
// package on both engines. It knows no table.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/db/engine"
)

// A Server is a PostgreSQL server in a temporary directory.
type Server struct {
	Dir     string // its data directory
	Port    int
	bin     string
	process *exec.Cmd
	options []string
}

// Start makes a server and starts it. Each option is one of postgresql.conf: "fsync=on".
// What it says it has written is lost when the machine stops, unless an option says
// otherwise. It listens on 127.0.0.1, and lets the role postgres in without a password.
func Start(options ...string) (s *Server, err error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "gatehouse-postgres-")
	if err != nil {
		return nil, err
	}
	s = &Server{Dir: filepath.Join(dir, "data"), bin: bin, options: options}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	if err := giveAway(dir); err != nil {
		return nil, err
	}
	making := s.command("initdb", "-D", s.Dir, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync",
		"--no-instructions")
	if text, err := making.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, text)
	}
	if s.Port, err = freePort(); err != nil {
		return nil, err
	}
	return s, s.Run()
}

// Run starts the server again after a Stop.
func (s *Server) Run() error {
	args := []string{"-D", s.Dir, "-p", strconv.Itoa(s.Port), "-c", "listen_addresses=127.0.0.1"}
	for _, option := range append([]string{
		"unix_socket_directories=",
		"fsync=off", "synchronous_commit=off", "full_page_writes=off",
		"max_connections=400", "shared_buffers=64MB", "jit=off",
	}, s.options...) {
		args = append(args, "-c", option)
	}
	log, err := os.OpenFile(filepath.Join(filepath.Dir(s.Dir), "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.process = s.command("postgres", args...)
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		return err
	}
	at, err := engine.OpenPostgres(context.Background(), engine.PostgresOptions{
		URL:      s.URL("postgres"),
		Volatile: true,
		Wait:     30 * time.Second,
	})
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		return errors.Join(fmt.Errorf("%w; its log: %s", err, text), s.Stop(os.Kill))
	}
	return at.Close()
}

// Stop ends the server by a signal: interrupt ends at once and in order, quit loses what
// is not on the disk.
func (s *Server) Stop(signal os.Signal) error {
	if s.process == nil {
		return nil
	}
	_ = s.process.Process.Signal(signal)
	_ = s.process.Wait() // whatever its status is
	s.process = nil
	return nil
}

// Remove ends the server and removes its directory.
func (s *Server) Remove() error {
	return errors.Join(s.Stop(os.Interrupt), os.RemoveAll(filepath.Dir(s.Dir)))
}

// URL is the address of one of its databases.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.Port, database)
}

// command is one of the server's programs, as the user whom it runs as.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...) //nolint:gosec // the tests' own
	cmd.Dir = filepath.Dir(s.Dir)
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	asOther(cmd)
	return cmd
}

// find returns the directory of the newest server's programs.
func find() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
		return filepath.Dir(newest), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("there is no PostgreSQL server (install the package postgresql)")
	}
	return filepath.Dir(path), nil
}

// version reads the one in /usr/lib/postgresql/15/bin/initdb.
func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
