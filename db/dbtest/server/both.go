package server

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gatehouse/db/engine"
)

// portVariable is the environment variable that tells a test's process to run on
// PostgreSQL, and on which port its server is.
const portVariable = "GATEHOUSE_TEST_POSTGRES"

// onSQLite is its value while tests run on SQLite: for the processes that those start.
const onSQLite = "none"

// IsUsed reports whether this process's tests run on PostgreSQL.
func IsUsed() bool {
	port := os.Getenv(portVariable)
	return port != "" && port != onSQLite
}

// Main is for TestMain: it runs a package's tests on SQLite, and then once more, in a
// process of their own, on a PostgreSQL server. Where there is none it says so; with CI
// in the environment that is a failure.
func Main(m *testing.M) int {
	if os.Getenv(portVariable) != "" {
		return m.Run()
	}
	if err := os.Setenv(portVariable, onSQLite); err != nil {
		panic(err)
	}
	if code := m.Run(); code != 0 {
		return code
	}
	s, err := Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "The tests did not run on PostgreSQL:", err)
		if os.Getenv("CI") != "" {
			return 1
		}
		return 0
	}
	defer func() { _ = s.Remove() }()
	var args []string
	for _, arg := range os.Args[1:] {
		if !strings.HasPrefix(arg, "-test.testlogfile") && !strings.Contains(arg, "profile") {
			args = append(args, arg)
		}
	}
	again := exec.Command(os.Args[0], args...) //nolint:gosec // this program
	again.Env = append(os.Environ(), fmt.Sprintf("%s=%d", portVariable, s.Port))
	again.Stdout, again.Stderr = os.Stdout, os.Stderr
	if err := again.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "on PostgreSQL:", err)
		return 1
	}
	return 0
}

// databases are those of this process's tests.
var databases struct {
	mu        sync.Mutex
	server    *Server
	admin     *engine.PostgresDB
	made      int
	of        map[string]string // addresses by data directory
	templates map[string]template
}

// A template is a database of which tests get copies, with the key that seals it.
type template struct {
	name string
	key  []byte
}

// Database returns the address of the database that belongs to a data directory, and ""
// on SQLite. Asked for the first time it is a copy of what fill has made once for the
// whole process under the template's name, and the key that fill has left in its
// directory is put into this one; where there is a key already, the database is empty.
func Database(t testing.TB, dir, keyName, templateName string, fill func(dir, url string) error) string {
	t.Helper()
	if !IsUsed() {
		return ""
	}
	url, err := database(t, dir, keyName, templateName, fill)
	if err != nil {
		t.Fatal("making a database: ", err)
	}
	return url
}

// Of returns the address of the database that a directory was given; "" for none.
func Of(dir string) string {
	databases.mu.Lock()
	defer databases.mu.Unlock()
	return databases.of[dir]
}

// Empty returns the address of a new database with nothing in it, made with the options
// of CREATE DATABASE.
func Empty(t testing.TB, options string) string {
	t.Helper()
	databases.mu.Lock()
	defer databases.mu.Unlock()
	err := connect()
	if err != nil {
		t.Fatal(err)
	}
	url, err := create(t, options)
	if err != nil {
		t.Fatal(err)
	}
	return url
}

func database(t testing.TB, dir, keyName, templateName string, fill func(dir, url string) error) (string, error) {
	databases.mu.Lock()
	defer databases.mu.Unlock()
	if err := connect(); err != nil {
		return "", err
	}
	if url, ok := databases.of[dir]; ok {
		return url, nil
	}
	options := ``
	if _, err := os.Lstat(filepath.Join(dir, keyName)); err != nil {
		from, ok := databases.templates[templateName]
		if !ok {
			if from, err = makeTemplate(templateName, keyName, fill); err != nil {
				return "", fmt.Errorf("making the template: %w", err)
			}
			databases.templates[templateName] = from
		}
		options = `TEMPLATE ` + from.name
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, keyName), from.key, 0o600); err != nil {
			return "", err
		}
	}
	url, err := create(t, options)
	databases.of[dir] = url
	return url, err
}

// connect connects to the server, once.
func connect() error {
	if databases.admin != nil {
		return nil
	}
	var port int
	if _, err := fmt.Sscan(os.Getenv(portVariable), &port); err != nil {
		return err
	}
	s := &Server{Port: port}
	admin, err := engine.OpenPostgres(context.Background(), engine.PostgresOptions{URL: s.URL("postgres"), Volatile: true})
	if err != nil {
		return err
	}
	databases.server, databases.admin = s, admin
	databases.of, databases.templates = map[string]string{}, map[string]template{}
	return nil
}

func makeTemplate(name, keyName string, fill func(dir, url string) error) (made template, err error) {
	made.name = fmt.Sprintf("template_%s_%d", name, os.Getpid()) // several packages may share a server
	if err := run(`CREATE DATABASE ` + made.name); err != nil {
		return made, err
	}
	dir, err := os.MkdirTemp("", "template")
	if err != nil {
		return made, err
	}
	defer os.RemoveAll(dir)
	if err := fill(dir, databases.server.URL(made.name)); err != nil {
		return made, err
	}
	made.key, err = os.ReadFile(filepath.Join(dir, keyName))
	return made, err
}

// create makes a database that goes with the test.
func create(t testing.TB, options string) (string, error) {
	databases.made++
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), databases.made)
	t.Cleanup(func() { _ = run(`DROP DATABASE IF EXISTS ` + name + ` WITH (FORCE)`) })
	return databases.server.URL(name), run(`CREATE DATABASE ` + name + ` ` + options)
}

func run(query string) error {
	_, err := databases.admin.Pool().ExecContext(context.Background(), query)
	return err
}
