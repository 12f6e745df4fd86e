//go:build linux

package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A machine is a directory in the place of a machine's root, and what commands print there.
type machine struct {
	t    *testing.T
	root string
}

func newMachine(t *testing.T) machine {
	t.Helper()
	m := machine{t, t.TempDir()}
	for _, name := range []string{installedProgram, installedUnits + "/x", "var/lib/x"} {
		m.write(name, "")
	}
	t.Chdir(t.TempDir()) // where no ./data is
	return m
}

func (m machine) write(name, content string) {
	m.t.Helper()
	path := filepath.Join(m.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func (m machine) read(name string) string {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.root, name))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}

// repository is where the source is, from wherever a test has gone.
var repository, _ = filepath.Abs("..")

// run runs a command on the machine, with one line of standard input.
func (m machine) run(stdin string, args ...string) (code int, stdout, stderr string) {
	m.t.Helper()
	schema, err := os.ReadFile(filepath.Join(repository, "schema.sql"))
	if err != nil {
		m.t.Fatal(err)
	}
	path := filepath.Join(m.t.TempDir(), "stdin")
	if err := os.WriteFile(path, []byte(stdin), 0o600); err != nil {
		m.t.Fatal(err)
	}
	in, err := os.Open(path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer in.Close()
	var out, errs bytes.Buffer
	code = Run(context.Background(), Process{
		Args:   args,
		Stdin:  in,
		Stdout: &out,
		Stderr: &errs,
		Files:  Files{Schema: string(schema), Units: os.DirFS(filepath.Join(repository, "docs"))},
		Root:   m.root,
	})
	return code, out.String(), errs.String()
}

// TestInstall sets a service up, once more, and where something is missing.
func TestInstall(t *testing.T) {
	m := newMachine(t)
	for _, args := range [][]string{{}, {"--base-url", "http://portal.example.org"}, {"--tls-domain", "portal"},
		{"--base-url", "https://portal.example.org", "--tls-domain", "portal.example.org"}} {
		if code, _, errs := m.run("", append([]string{"install"}, args...)...); code != exitUsage {
			t.Errorf("%v: %d %q", args, code, errs)
		}
	}
	code, out, errs := m.run("", "install", "--base-url", "https://Portal.example.org:443/")
	if code != exitOK || !strings.Contains(out, "systemctl enable --now gatehouse") {
		t.Fatalf("%d %q %q", code, out, errs)
	}
	key := m.read(installedKey)
	if len(key) != 32 {
		t.Errorf("a key of %d bytes", len(key))
	}
	for name, mode := range map[string]os.FileMode{installedEtc: 0o700, installedKey: 0o600, installedSettings: 0o600, installedUnit: 0o644} {
		if info, err := os.Stat(filepath.Join(m.root, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, mode)
		}
	}
	settings := m.read(installedSettings)
	if !strings.Contains(settings, "\nGATEHOUSE_BASE_URL=https://portal.example.org\nGATEHOUSE_TRUSTED_PROXY=127.0.0.1,::1\n") {
		t.Errorf("the settings: %s", settings)
	}
	m.write(installedSettings, settings+"GATEHOUSE_TIME_ZONE=Europe/Berlin\n")
	m.write(installedUnit, "an old one")
	if code, out, errs := m.run("", "install"); code != exitOK || !strings.Contains(out, "kept ") {
		t.Errorf("once more: %d %q %q", code, out, errs)
	}
	if m.read(installedKey) != key || !strings.Contains(m.read(installedSettings), "Berlin") || m.read(installedUnit) == "an old one" {
		t.Error("the second time it changes the key or the settings, or leaves the old unit")
	}

	m = newMachine(t)
	if code, _, errs := m.run("", "install", "--tls-domain", "portal.example.org", "--acme-email", "it@example.org"); code != exitOK {
		t.Fatal(errs)
	}
	if text := m.read(installedSettings); !strings.Contains(text, "GATEHOUSE_TLS_DOMAIN=portal.example.org\nGATEHOUSE_LISTEN=:443\n") ||
		!strings.Contains(text, "GATEHOUSE_ACME_EMAIL=it@example.org") {
		t.Errorf("the settings: %s", text)
	}
	if !strings.Contains(m.read(installedUnit+".d/tls.conf"), "CAP_NET_BIND_SERVICE") {
		t.Error("it may not listen on port 443")
	}

	m = newMachine(t)
	m.write(installedData+"/gatehouse.db", "")
	if code, _, errs := m.run("", "install", "--base-url", "https://portal.example.org"); code != exitFailed ||
		!strings.Contains(errs, "put its key there first") {
		t.Errorf("over a workspace without its key: %d %q", code, errs)
	}
	if err := os.Remove(filepath.Join(m.root, installedProgram)); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := m.run("", "install", "--base-url", "https://portal.example.org"); code != exitFailed ||
		!strings.Contains(errs, "put the program there first") {
		t.Errorf("without the program: %d %q", code, errs)
	}
}

// TestCommandsFindTheService: where a service is set up, commands that are told nothing else
// work on its workspace, with its settings; those that are told something do what they are told.
func TestCommandsFindTheService(t *testing.T) {
	m := newMachine(t)
	if code, _, _ := m.run("", "user", "list"); code != exitFailed {
		t.Error("without a service there is a workspace")
	}
	if code, _, errs := m.run("", "install", "--base-url", "https://portal.example.org"); code != exitOK {
		t.Fatal(errs)
	}
	if code, _, errs := m.run("violet kettle harbour\n", "user", "add", "ada@example.org", "--name", "Ada", "--role",
		"super-administrator", "--new-workspace"); code != exitOK {
		t.Fatal(errs)
	}
	if _, err := os.Stat(filepath.Join(m.root, installedData, "gatehouse.db")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(m.root, installedData, "gatehouse.key")); err == nil {
		t.Error("the key was made beside the database")
	}
	code, out, errs := m.run("", "user", "invite", "ben@example.org", "--name", "Ben")
	if code != exitOK || !strings.HasPrefix(out, "https://portal.example.org/welcome/") {
		t.Errorf("an invitation: %d %q %q", code, out, errs)
	}
	code, out, errs = m.run("", "app", "add", "Wiki", "https://wiki.example.org", "--guard", "--everyone", "--upstream", "127.0.0.1:4711", "--caddy")
	if code != exitOK || !strings.HasPrefix(out, "wiki.example.org {\n") || !strings.Contains(out, "reverse_proxy 127.0.0.1:4711 ") ||
		!strings.Contains(errs, "Wiki is at /enter/wiki") {
		t.Errorf("an app with its configuration: %d %q %q", code, out, errs)
	}
	for _, proxy := range []string{"--nginx", "--traefik"} {
		_, whole, _ := m.run("", "app", "show", "Wiki", proxy)
		_, further, errs := m.run("", "app", "show", "Wiki", proxy, "--further")
		if !strings.Contains(further, "wiki.example.org") || strings.Contains(further, "upstream gatehouse") ||
			strings.Contains(further, "gatehouse-strip:") || len(further) >= len(whole) {
			t.Errorf("%s of a further app: %s %s", proxy, further, errs)
		}
	}
	if code, out, errs := m.run("", "proxy", "--caddy"); code != exitOK || !strings.Contains(out, "portal.example.org {\n\treverse_proxy 127.0.0.1:8080\n}\n") {
		t.Errorf("the portal's own: %d %q %q", code, out, errs)
	}
	if code, _, errs := m.run("", "app", "add", "Plain", "https://plain.example.org", "--caddy"); code != exitUsage {
		t.Errorf("a configuration for an app that is not guarded: %d %q", code, errs)
	}
	if code, _, errs := m.run("", "user", "list", "--data", filepath.Join(m.root, "elsewhere")); code != exitFailed ||
		!strings.Contains(errs, "elsewhere") {
		t.Errorf("--data: %d %q", code, errs)
	}
	t.Setenv("GATEHOUSE_DATA", filepath.Join(m.root, "named"))
	if code, _, errs := m.run("", "user", "list"); code != exitFailed || !strings.Contains(errs, "named") {
		t.Errorf("GATEHOUSE_DATA: %d %q", code, errs)
	}
	t.Setenv("GATEHOUSE_DATA", "")
	var flags commands
	for line, want := range map[string]string{"serve": "./data", "": "./data", "check": filepath.Join(m.root, installedData)} {
		if _, err := parse(&flags, Process{Args: strings.Fields(line), Root: m.root}); err != nil || flags.Data != want {
			t.Errorf("gatehouse %s uses %s, %v; want %s", line, flags.Data, err, want)
		}
	}
	if err := os.Mkdir("data", 0o700); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := m.run("", "user", "list"); code != exitFailed || !strings.Contains(errs, "./data") {
		t.Errorf("with ./data: %d %q", code, errs)
	}
}
