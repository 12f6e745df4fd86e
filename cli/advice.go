package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"gatehouse/db"
	"gatehouse/db/files"
	"gatehouse/views"
)

// withAdvice returns an error in words, and for one of the machine's files or ports also as whom
// the program runs and what to do.
func (env *commandEnv) withAdvice(err error) string {
	output := views.TerminalText(err)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("%s; gatehouse runs as %s%s", output, currentUser(), env.ownersAdvice(err))
	case db.IsReadOnly(err):
		path := filepath.Join(env.flags.Data, db.FileName)
		return fmt.Sprintf("the database %s cannot be written; gatehouse runs as %s%s", path, currentUser(),
			env.ownersAdvice(&fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}))
	case errors.Is(err, syscall.EROFS):
		return fmt.Sprintf("%s; gatehouse runs as %s and cannot write there: mount the file system for writing, "+
			"or name another directory with --data", output, currentUser())
	case errors.Is(err, syscall.ENOSPC), db.IsFull(err):
		return output + "; the disk, or what " + currentUser() + " may use of it, is full: make room and try again"
	case errors.Is(err, syscall.ENOTDIR):
		return output + "; a file stands where a directory should be: name the directory with --data"
	}
	return output
}

// ownersAdvice says whose the data directory is, or the file that could not be opened,
// when it is somebody else's.
func (env *commandEnv) ownersAdvice(err error) string {
	owner, ok := files.Owner(env.flags.Data)
	if ok && owner != os.Geteuid() {
		return fmt.Sprintf(", but %s belongs to %s: run it as that user, or as root; a volume of gatehouse's own is given to it with: chown -R %d:%d %s",
			env.flags.Data, userName(owner), os.Geteuid(), os.Getegid(), files.Quoted(env.flags.Data))
	}
	var fault *fs.PathError
	ok = errors.As(err, &fault) && fault.Op == "open" // openat has no whole path
	if ok {
		owner, ok = files.Owner(fault.Path)
	}
	if !ok || owner == os.Geteuid() {
		return ": look at the owner and the permissions of that path"
	}
	return fmt.Sprintf(", but %s belongs to %s: if it is for gatehouse, run as root: chown %d %s", fault.Path,
		userName(owner), os.Geteuid(), files.Quoted(fault.Path))
}

// currentUser names whom the program runs as.
func currentUser() string { return userName(os.Geteuid()) }

// userName names a user for people; a container may know none by name.
func userName(id int) string {
	if u, err := user.LookupId(strconv.Itoa(id)); err == nil {
		return fmt.Sprintf("%s (uid %d)", u.Username, id)
	}
	return fmt.Sprintf("uid %d", id)
}

// listenError says what to do when the address cannot be used.
func listenError(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("the address %s is taken by another program; choose another with --listen", address)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot listen on %s: gatehouse runs as %s, which may not use this port; "+
			"choose one of 1024 or above with --listen, or allow it "+
			"(under systemd with AmbientCapabilities=CAP_NET_BIND_SERVICE, as gatehouse-tls.conf does)", address,
			currentUser())
	}
	return fmt.Errorf("cannot listen on %s: %w; choose another address with --listen", address, err)
}
