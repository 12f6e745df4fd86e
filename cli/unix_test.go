//go:build unix

package cli

import (
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestListenUnix leaves a socket that somebody uses alone, and whatever is no socket; it
// replaces one of a dead server. Others cannot reach it, whatever the umask.
func TestListenUnix(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "gatehouse.sock")
	before := syscall.Umask(0)
	listener, err := listenUnix(path)
	syscall.Umask(before)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("the socket: %v, %v; want srw-rw----", info.Mode(), err)
	}
	if _, err := listenUnix(path); err == nil || !strings.Contains(err.Error(), "another server listens on "+path) {
		t.Errorf("one that is in use: %v", err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false) // as after kill -9
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	again, err := listenUnix(path)
	if err != nil {
		t.Fatalf("one of a dead server: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a server that ends leaves its socket")
	}

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		file:                                    "is no socket",
		filepath.Join(dir, "no", "g.sock"):      "there is no directory " + filepath.Join(dir, "no"),
		"gatehouse.sock":                        "takes a whole path",
		"@gatehouse":                            "takes a whole path",
		"/" + strings.Repeat("long/", 30) + "s": "",
	} {
		if _, err := listenUnix(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want %q", path, err, says)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, strings.Repeat("d", 100)), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := listenUnix(filepath.Join(dir, strings.Repeat("d", 100), "g.sock")); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("a long path: %v", err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "somebody's" {
		t.Errorf("the file: %q, %v", text, err)
	}
}

// TestHealthAtASocket asks a server on a unix socket, named by serve's variable or by --url.
func TestHealthAtASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := listenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			_, _ = w.Write([]byte("ok\n"))
		}
	})}
	go func() { _ = server.Serve(listener) }()
	for _, flag := range []string{"--url", "--listen"} {
		if code, out, errs := run(t, t.TempDir(), "", "health", flag, "unix:"+path); code != exitOK || out != "ok\n" {
			t.Errorf("%s: %d %q %q", flag, code, out, errs)
		}
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GATEHOUSE_LISTEN", "unix:"+path)
	if code, _, errs := run(t, t.TempDir(), "", "health"); code != exitFailed || !strings.Contains(errs, "no server answers at unix:"+path) {
		t.Errorf("when it has ended: %d %q", code, errs)
	}
}
