package deploy

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestFullServer fills the file system on which the database's tables are: what needs room is answered with 503 and when to
// try again, none of it is half done, whoever is signed in goes on, and all goes on by itself once there is room.
func TestFullServer(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m,mode=0755"); err != nil {
		t.Logf("no file system can be mounted here (%v): nothing is tested", err)
		return
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	server := newServer(t)
	tables := filepath.Join(dir, "tables")
	_, uid := asPostgres(t)
	if err := errors.Join(os.Mkdir(tables, 0o700), os.Chown(tables, uid, -1)); err != nil {
		t.Fatal(err)
	}
	for above := dir; len(above) > len(os.TempDir()); above = filepath.Dir(above) {
		if err := os.Chmod(above, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	server.sql("postgres", `CREATE TABLESPACE small LOCATION '`+tables+`'`)
	c := newClusterOn(t, server, func() { server.sql("postgres", `ALTER DATABASE gatehouse SET TABLESPACE small`) })
	p, address := c.node()
	in := newBrowser(t, c.base, address, "127.0.0.1", nil)
	in.post("/signin", 303, "email", ada, "password", password)

	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	if err := filler.Close(); err != nil {
		t.Fatal(err)
	}
	answered, b := 0, newBrowser(t, c.base, address, "127.0.0.1", nil)
	for status := 0; status != http.StatusServiceUnavailable; answered++ {
		b = newBrowser(t, c.base, address, "127.0.0.1", nil)
		if status = b.try("/signin", "email", ada, "password", password); status != http.StatusSeeOther &&
			status != http.StatusServiceUnavailable || answered > 500 {
			t.Fatalf("after %d sign-ins: %d", answered, status)
		}
	}
	answered-- // the last was refused
	if b.last.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	b.post("/signin", 503, "email", ada, "password", password)
	in.get("/my")
	signedIn := func() int {
		t.Helper()
		n, err := strconv.Atoi(server.sql("gatehouse", `SELECT count(*) FROM activity WHERE event = 'authn_login_success'`))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := signedIn(); got != answered+1 {
		t.Errorf("%d sign-ins were answered, and the activity has %d", answered+1, got)
	}
	if err := os.Remove(filler.Name()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "somebody signs in again", func() error {
		if status := b.try("/signin", "email", ada, "password", password); status != http.StatusSeeOther {
			return fmt.Errorf("%d", status)
		}
		return nil
	})
	b.get("/my")
	healthy(t, p, address)
	if got := signedIn(); got != answered+2 {
		t.Errorf("%d sign-ins were answered, and the activity has %d", answered+2, got)
	}
	if log := p.output.String(); !strings.Contains(log, "No space left") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}
