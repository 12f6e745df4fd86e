package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// program is the path of the built program; TestMain sets it once.
var program string

func TestMain(m *testing.M) {
	os.Exit(runAll(m))
}

// runAll builds the program, runs the tests, and takes away what they left behind.
func runAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gatehouse-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer removeAll(dir)

	if err := os.Setenv("GATEHOUSE_DRAIN_DELAY", "0s"); err != nil { // no load balancer has to see a server stop
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	program, err = build(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Chromium leaves folders behind in the temporary directory: give it one that goes at the end.
	if err := os.Setenv("TMPDIR", dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer chromium.close()
	return m.Run()
}

// build makes the program from the module above, without cgo, as it is released.
func build(dir string) (string, error) {
	path := filepath.Join(dir, "gatehouse")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
}

// removeAll removes dir, again and again for a few seconds: a browser that was just closed may still write.
func removeAll(dir string) {
	err := poll(5*time.Second, func() error { return os.RemoveAll(dir) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "remove", dir, err)
	}
}

// tool is the path of a command that a test needs. A missing one fails the test with the package to install.
func tool(t testing.TB, command, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(command)
	if err != nil {
		t.Fatalf("This test needs %s: run `apt install %s`, then try again.", command, debianPackage)
	}
	return path
}

// poll tries until try returns nil, and returns its last error when that did not happen within limit.
func poll(limit time.Duration, try func() error) error {
	end := time.Now().Add(limit)
	for {
		err := try()
		if err == nil || time.Now().After(end) {
			return err
		}
		<-time.After(10 * time.Millisecond)
	}
}
