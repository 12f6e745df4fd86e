//go:build unix

package files

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// NoFollow makes opening a link an error.
const NoFollow = syscall.O_NOFOLLOW

// chownLike gives an open file that this process has made to whom another file belongs.
// Only root can, and only root needs to: the server may run as somebody else.
func chownLike(f *os.File, like fs.FileInfo) error {
	owner, ok := like.Sys().(*syscall.Stat_t)
	if os.Geteuid() != 0 || !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("looking at %s: %w", f.Name(), err)
	}
	mine, ok := info.Sys().(*syscall.Stat_t)
	if !ok || mine.Uid == owner.Uid && mine.Gid == owner.Gid {
		return nil
	}
	if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
		return fmt.Errorf("giving %s to the owner of its directory: %w", f.Name(), err)
	}
	return nil
}

// chownNewDir is own for a directory that was opened by its name: one that somebody has
// put in its place is not given away.
func chownNewDir(dir *os.File, like fs.FileInfo) error {
	info, err := dir.Stat()
	if err != nil {
		return fmt.Errorf("looking at %s: %w", dir.Name(), err)
	}
	if mine, ok := info.Sys().(*syscall.Stat_t); ok && (!info.IsDir() || int(mine.Uid) != os.Geteuid()) {
		return fmt.Errorf("somebody has put something else in the place of %s", dir.Name())
	}
	return chownLike(dir, like)
}

// isOwnedByRoot reports whether a file belongs to root.
func isOwnedByRoot(info fs.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && owner.Uid == 0
}

// forOthers are the permissions that a key file or a data directory must not have: those
// of everybody but its owner. What is used through its group keeps those of the group. That
// is what belongs to somebody else and this process may use all the same, as systemd
// (LoadCredential) and Kubernetes (fsGroup) set it up; and for root what is root's own and
// of another group, since the service uses it so. A directory that this process cannot
// close may be looked at by others: the files in it are closed.
func forOthers(info fs.FileInfo) fs.FileMode {
	owner, ok := info.Sys().(*syscall.Stat_t)
	byGroup := !isOwnedByUs(info) || ok && os.Geteuid() == 0 && owner.Uid == 0 && owner.Gid != 0
	switch {
	case !byGroup:
		return 0o077
	case !info.IsDir():
		return 0o027
	case isOwnedByUs(info):
		return 0o007
	}
	return 0o002
}

// isOwnedByUs reports whether this process may change the permissions.
func isOwnedByUs(info fs.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && (os.Geteuid() == 0 || int(owner.Uid) == os.Geteuid())
}

// Owner returns the number of the user to whom a file or directory belongs.
func Owner(path string) (uid int, ok bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(owner.Uid), true
}

// WithUmask runs do while the permissions in mask are taken from whatever this process makes.
func WithUmask(mask int, do func()) {
	before := syscall.Umask(mask)
	defer syscall.Umask(before)
	do()
}
