package cli

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestAdvice checks what is said of the system's errors: as whom the program runs, and what to do.
func TestAdvice(t *testing.T) {
	env := &commandEnv{flags: &commands{Data: t.TempDir()}}
	me := fmt.Sprintf("uid %d", os.Geteuid())
	for fault, says := range map[error][]string{
		&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}:   {me, "permissions"},
		&fs.PathError{Op: "chown", Path: "x", Err: syscall.EPERM}:   {me, "permissions"},
		&fs.PathError{Op: "open", Path: "x", Err: syscall.EROFS}:    {me, "--data"},
		&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}:  {me, "make room"},
		&fs.PathError{Op: "mkdir", Path: "x", Err: syscall.ENOTDIR}: {"--data"},
		&net.OpError{Op: "listen", Err: syscall.EADDRINUSE}:         {"--listen"},
		&net.OpError{
			Op:  "listen",
			Err: os.NewSyscallError("bind", syscall.EACCES),
		}: {me, "1024", "CAP_NET_BIND_SERVICE"},
	} {
		output := ""
		if _, isPort := fault.(*net.OpError); isPort {
			output = env.withAdvice(listenError(":80", fault))
		} else {
			output = env.withAdvice(fmt.Errorf("doing something: %w", fault))
		}
		for _, want := range says {
			if !strings.Contains(output, want) {
				t.Errorf("%v: it says %q; want %q in it", fault, output, want)
			}
		}
	}
}
