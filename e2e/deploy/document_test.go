package deploy

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatehouse/e2e/loopback"
)

// TestDocument follows docs/deploy.md to the letter: its ten commands, on a directory that stands for the machine's
// root, then what systemd would start, with a real ACME server, up to the first Super-administrator's second step.
func TestDocument(t *testing.T) {
	root, released := t.TempDir(), t.TempDir()
	commands := documented(t)
	if n := strings.Count(commands, "\n"); n != 10 {
		t.Errorf("%d commands, want 10", n)
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(released, "gatehouse-0.5.0-linux-amd64"), string(binary))
	write(t, filepath.Join(released, "SHA256SUMS"),
		fmt.Sprintf("%x  gatehouse-0.5.0-linux-amd64\n", sha256.Sum256(binary)))
	for _, name := range []string{"gatehouse.service", "gatehouse-tls.conf"} {
		write(t, filepath.Join(released, name), read(t, "../../docs/"+name))
	}
	for _, dir := range []string{"usr/local/bin", "etc/systemd/system", "stubs"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"systemctl", "journalctl"} { // there is no systemd to speak to
		stub := filepath.Join(root, "stubs", name)
		write(t, stub, "#!/bin/sh\necho "+name+" \"$@\"\n")
		if err := os.Chmod(stub, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	sh := exec.Command("sh", "-eu", "-c",
		replace(t, commands, "/usr/local/", root+"/usr/local/", "/etc/", root+"/etc/"))
	sh.Dir, sh.Env = released, append(os.Environ(), "PATH="+filepath.Join(root, "stubs")+":"+os.Getenv("PATH"))
	out, err := sh.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "systemctl enable --now gatehouse") {
		t.Fatalf("%v\n%s", err, out)
	}

	key := filepath.Join(root, "etc/gatehouse/gatehouse.key")
	if info, err := os.Stat(key); err != nil || info.Size() != 32 || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key: %v, %v", info, err)
	}
	at, plain := loopback.Free(t), loopback.Free(t)
	ca := newAuthority(t, plain, at, 90*days)
	unit := read(t, filepath.Join(root, "etc/systemd/system/gatehouse.service")) +
		read(t, filepath.Join(root, "etc/systemd/system/gatehouse.service.d/tls.conf"))
	env := environment(t, unit,
		map[string]string{"%S/": filepath.Join(root, "var/lib") + "/", "%d/": filepath.Dir(key) + "/"})
	env = append(env, "GATEHOUSE_LISTEN="+at, "GATEHOUSE_REDIRECT_LISTEN="+plain,
		"GATEHOUSE_ACME_DIRECTORY="+ca.directory, "GATEHOUSE_ACME_CA="+ca.ca)
	p := start(t, env, filepath.Join(root, "usr/local/bin/gatehouse"), "serve")
	eventually(t, "the certificate", func() error {
		_, err := serial(at, "portal.example.org", ca.roots)
		return err
	})
	base := "https://portal.example.org:" + port(at)
	link := regexp.MustCompile(regexp.QuoteMeta(base) + `(/setup/\S+)`).FindStringSubmatch(p.output.String())
	if link == nil {
		t.Fatal("no set-up link")
	}
	b := newBrowser(t, base, at, "127.0.0.1", ca.roots)
	b.get(link[1])
	b.post(link[1], 303, "workspace", "Acme", "name", "Ada", "email", ada, "password", password)
	b.post("/signout", 303)
	b.wholeSignIn()
	if _, err := os.Stat(filepath.Join(root, "var/lib/gatehouse/gatehouse.key")); !os.IsNotExist(err) {
		t.Errorf("there is a key beside the database: %v", err)
	}
}

// documented is the first block of commands in docs/deploy.md.
func documented(t *testing.T) string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, "../../docs/deploy.md"), "```sh\n")
	commands, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("docs/deploy.md has no commands")
	}
	return commands
}

// environment is what a unit's Environment lines set, with systemd's words for directories put in.
func environment(t *testing.T, unit string, specifiers map[string]string) []string {
	t.Helper()
	var env []string
	for line := range strings.Lines(unit) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "Environment="); ok {
			for word, dir := range specifiers {
				value = strings.ReplaceAll(value, word, dir)
			}
			env = append(env, value)
		}
	}
	if len(env) == 0 {
		t.Fatal("the unit sets nothing")
	}
	return env
}
