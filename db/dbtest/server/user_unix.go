//go:build unix

package server

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// other is whom a server runs as where the tests run as root, which it refuses.
func other() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
	}
	return nil, fmt.Errorf("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

// asOther runs a program as somebody else where the tests run as root.
func asOther(cmd *exec.Cmd) {
	if os.Getuid() != 0 {
		return
	}
	if c, err := other(); err == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c}
	}
}

// giveAway gives a directory to whom the server runs as.
func giveAway(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	c, err := other()
	if err != nil {
		return err
	}
	return os.Chown(dir, int(c.Uid), int(c.Gid))
}
