//go:build unix

package files

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// OwnLikeDirectory gives a file that root made to the owner of its directory: the
// server may run as somebody else.
func OwnLikeDirectory(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("looking at the data directory: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
		return fmt.Errorf("giving %s to the owner of its directory: %w", path, err)
	}
	return nil
}
