package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"gatehouse/e2e/loopback"
)

// TestFullFileSystem fills a file system of the program's own to the last byte,
// where the test may mount one.
func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("cannot mount a file system here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := &site{t: t, url: "http://" + loopback.Free(t), data: filepath.Join(dir, "data")}
	s.start()
	t.Cleanup(s.stop)
	s.addPerson(fay, "member")
	c := newClient(t, s)

	filler := filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(bytes.Repeat([]byte{1}, 512))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	// What is there of the -wal is used up before anything fails.
	err = poll(timeout, func() error {
		answer, err := c.do("POST", "/signin", "email", fay.email, "password", fay.password)
		if err == nil && answer.status != http.StatusServiceUnavailable {
			err = fmt.Errorf("the sign-in gives %d", answer.status)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := poll(timeout, s.healthy); err != nil {
		t.Fatal(err)
	}
	c.signIn(fay)
	s.run("", "check")
}
