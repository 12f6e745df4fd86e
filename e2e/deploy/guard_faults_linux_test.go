package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestStorageFullBehindAProxy: without room nobody comes in who was not in. A check writes nothing, so that whoever was
// in an app goes on; with room again there is no restart needed.
func TestStorageFullBehindAProxy(t *testing.T) {
	prlimit := tool(t, "prlimit", "util-linux")
	eachGuardProxy(t, func(t *testing.T, g *guardedSite) {
		b := g.visitor()
		b.enter(g.origin("grafana")+"/", "bob@example.org")
		room := func(limit string) {
			t.Helper()
			out, err := exec.Command(prlimit, "--pid", strconv.Itoa(g.program.cmd.Process.Pid), "--fsize="+limit+":").CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
		room("0")
		if at, status, text := b.visit(g.origin("wiki") + "/"); status != 503 || strings.Contains(text, `"URI"`) {
			t.Errorf("the way into another app ends at %s with %d\n%s", at, status, text)
		}
		stranger := g.visitor()
		stranger.post("/signin", 503, "email", "bob@example.org", "password", password)
		for _, app := range []string{"grafana", "wiki"} {
			if _, _, text := stranger.visit(g.origin(app) + "/"); strings.Contains(text, `"URI"`) {
				t.Errorf("a stranger is in %s\n%s", app, text)
			}
		}
		status, text := b.request("GET", g.origin("grafana")+"/", "")
		if user := b.got(status, text).Header.Get("Remote-User"); user != "bob" {
			t.Errorf("who was in is %q", user)
		}
		room("unlimited")
		eventually(t, "the other app opens", func() error {
			if _, status, text := b.visit(g.origin("wiki") + "/"); status != 200 {
				return fmt.Errorf("status %d: %s", status, text)
			}
			return nil
		})
	})
}

// The bytes of SQLite's -shm file by whose locks connections read and write: its documentation, "WAL-mode File Format",
// section 2.3.
const (
	shmLocks     = 120
	shmLockBytes = 8
)

// TestStorageLockedBehindAProxy: while another process keeps the database to itself nothing goes through, neither
// somebody who was in nor a public path. SQLite gives up after ten seconds: all proxies are asked side by side.
func TestStorageLockedBehindAProxy(t *testing.T) {
	t.Parallel()
	type asked struct {
		what   string
		status int
		text   string
	}
	answers := make(chan asked)
	count := 0
	in := map[*browser]*guardedSite{}
	var locked []*os.File
	for name, proxy := range guardProxies() {
		g := newGuardedSite(t, proxy)
		b := g.visitor()
		b.enter(g.origin("grafana")+"/", "bob@example.org")
		in[b] = g
		shm, err := os.OpenFile(filepath.Join(g.data, "gatehouse.db-shm"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer shm.Close()
		lockShm(t, shm, syscall.F_WRLCK)
		locked = append(locked, shm)
		for path, who := range map[string]*browser{"/": b, "/public/a.css": b.alone(), "/d": g.visitor()} {
			count++
			go func() {
				status, text := who.request("GET", g.origin("grafana")+path, "")
				answers <- asked{path + " behind " + name, status, text}
			}()
		}
	}
	for range count {
		if a := <-answers; a.status < 500 || strings.Contains(a.text, `"URI"`) {
			t.Errorf("%s is answered %d\n%s", a.what, a.status, a.text)
		}
	}
	for _, shm := range locked {
		lockShm(t, shm, syscall.F_UNLCK)
	}
	for b, g := range in {
		eventually(t, "who was in goes through", func() error {
			if status, text := b.request("GET", g.origin("grafana")+"/", ""); status != 200 {
				return fmt.Errorf("status %d: %s", status, text)
			}
			return nil
		})
	}
}

func lockShm(t *testing.T, shm *os.File, kind int16) {
	t.Helper()
	err := syscall.FcntlFlock(shm.Fd(), syscall.F_SETLKW, &syscall.Flock_t{Type: kind, Start: shmLocks, Len: shmLockBytes})
	if err != nil {
		t.Fatal(err)
	}
}

// alone is the same browser in another goroutine.
func (b *browser) alone() *browser {
	other := *b
	return &other
}
