package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// terminal opens a terminal at which somebody has typed something.
func terminal(t *testing.T, typed string) *os.File {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	var unlock, number int32
	for request, argument := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if _, _, fault := syscall.Syscall(syscall.SYS_IOCTL, keyboard.Fd(), request, uintptr(unsafe.Pointer(argument))); fault != 0 {
			t.Fatal(fault)
		}
	}
	screen, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	if _, err := keyboard.WriteString(typed); err != nil {
		t.Fatal(err)
	}
	return screen
}

// TestImportAsksAtATerminal adds people when the answer is yes, and nobody after any other one.
func TestImportAsksAtATerminal(t *testing.T) {
	dir, file := workspace(t), fileWith(t, "people.csv", "email,name\nada@example.org,Ada\n")
	schema, err := os.ReadFile("../schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		answer string
		code   int
		lines  int // of the export
	}{{"\n", exitFailed, 2}, {"no\n", exitFailed, 2}, {"\x04", exitFailed, 2}, {"Y\n", exitOK, 3}} {
		var out, errs bytes.Buffer
		code := Run(context.Background(), Process{
			Args:   []string{"people", "import", file, "--invite", "later", "--data", dir},
			Stdin:  terminal(t, c.answer),
			Stdout: &out,
			Stderr: &errs,
			Files:  Files{Schema: string(schema)},
		})
		if got := exported(t, dir); code != c.code || !strings.Contains(errs.String(), "Add 1 person now? (y/N)") ||
			strings.Count(got, "\n") != c.lines {
			t.Errorf("%q: %d %s %s\n%s", c.answer, code, &out, &errs, got)
		}
	}
}
