// Package files makes the files of a workspace's directory and looks after them.
// There is one way to make a file: for its owner alone, owned like its directory,
// without following a link, and never in the place of another.
package files

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The names of the files in a data directory.
const (
	DatabaseName     = "gatehouse.db"
	KeyName          = "gatehouse.key"
	LockName         = "gatehouse.lock"
	CertificatesName = "certificates"
)

// Create makes a file that was not there, which its owner alone may read and
// write. It belongs to whom its directory belongs to: root makes files for the
// server, which may run as somebody else. What is there already, a link included,
// is fs.ErrExist.
func Create(path string) (*os.File, error) { return create(path, chownLike) }

func create(path string, chown func(f *os.File, like fs.FileInfo) error) (*os.File, error) {
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	like, err := dir.Stat(".")
	if err != nil {
		return nil, err
	}
	name := filepath.Base(path)
	f, err := dir.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // O_EXCL follows no link
	if err != nil {
		return nil, err
	}
	if err := chown(f, like); err != nil {
		return nil, errors.Join(err, f.Close(), dir.Remove(name))
	}
	return f, nil
}

// CreateBeside makes a file as Create does, under a name of its own beside a path
// whose place it is to take.
func CreateBeside(path string) (*os.File, error) { return Create(besideName(path)) }

// CreateCopyBeside is CreateBeside for a copy that no server needs. It stays root's where
// root may give nothing away: on a network file system, or in a container.
func CreateCopyBeside(path string) (*os.File, error) {
	return create(besideName(path), func(f *os.File, like fs.FileInfo) error {
		if err := chownLike(f, like); !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return nil
	})
}

func besideName(path string) string { return path + ".new-" + strings.ToLower(rand.Text()[:8]) }

// Publish gives a file that is whole the name that it is for. It takes nobody else's
// place: a name that is there already is fs.ErrExist.
func Publish(made, path string) error {
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	from, to := filepath.Base(made), filepath.Base(path)
	err = dir.Link(from, to)
	switch {
	case err == nil:
		err = dir.Remove(from)
	case !errors.Is(err, fs.ErrExist):
		// A file system without hard links, as of a USB stick: the name is taken first.
		var place *os.File
		if place, err = dir.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
			err = errors.Join(place.Close(), dir.Rename(from, to))
		}
	}
	if err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// Replace puts a file that is whole in the place of another, or where none was.
func Replace(made, path string) error {
	if err := os.Rename(made, path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// Write makes a file with some content beside a path, to take its place, and returns its
// name. It is on the disk when Write returns. It belongs to whom the file belongs that it
// will replace; to whom its directory belongs, if there is none or it is root's.
func Write(path string, content []byte, replaced string) (made string, err error) {
	like, err := os.Stat(replaced)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	f, err := CreateBeside(path)
	if err != nil {
		return "", err
	}
	if like != nil && !isOwnedByRoot(like) {
		err = chownLike(f, like)
	}
	if err == nil {
		_, err = f.Write(content)
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// MakeDir makes a directory and what is missing above it, for its owner alone,
// owned like the directory that it is made in. One that is there stays as it is.
func MakeDir(path string) error {
	path = filepath.Clean(path)
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	above := filepath.Dir(path)
	if err := MakeDir(above); err != nil {
		return err
	}
	parent, err := os.OpenRoot(above)
	if err != nil {
		return err
	}
	defer parent.Close()
	if err := parent.Mkdir(filepath.Base(path), 0o700); errors.Is(err, fs.ErrExist) {
		return nil // by another process, just now
	} else if err != nil {
		return err
	}
	made, err := parent.OpenFile(filepath.Base(path), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	like, err := parent.Stat(".")
	if err == nil {
		err = chownNewDir(made, like)
	}
	return errors.Join(err, made.Close())
}

// PrepareDataDir makes a data directory, or refuses one that others may read or
// write. One that holds no workspace yet is closed to others instead, unless it
// is somebody's for something else.
func PrepareDataDir(path string) error {
	if err := MakeDir(path); err != nil {
		return fmt.Errorf("cannot make the data directory: %w", err)
	}
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot open the data directory: %w", err)
	}
	defer dir.Close()
	info, err := dir.Stat()
	if err != nil {
		return fmt.Errorf("cannot look at the data directory: %w", err)
	}
	if !isOpenToOthers(info) {
		return nil
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("cannot read the data directory: %w", err)
	}
	if isOwnedByUs(info) && isUnused(names) {
		if err := dir.Chmod(0o700); err != nil {
			return fmt.Errorf("cannot close the data directory to others: %w", err)
		}
		return nil
	}
	err = openToOthersError("data directory", path, info)
	if !isOwnedByUs(info) { // a volume that somebody else has set up
		err = fmt.Errorf("%w, or name a directory inside it with --data, which is made closed", err)
	}
	return err
}

// CheckDataDir is PrepareDataDir without making or closing anything.
func CheckDataDir(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("cannot look at the data directory: %w", err)
	}
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot open the data directory: %w", err)
	}
	_ = dir.Close()
	if isOpenToOthers(info) {
		return openToOthersError("data directory", path, info)
	}
	return nil
}

// isOpenToOthers reports whether somebody may read or write for whom it is not meant.
func isOpenToOthers(info fs.FileInfo) bool { return info.Mode().Perm()&forOthers(info) != 0 }

// isUnused reports whether a directory holds no workspace and nothing else but
// what may be laid out for one.
func isUnused(names []string) bool {
	for _, name := range names {
		switch name {
		case KeyName, LockName, CertificatesName, "lost+found":
		default:
			return false
		}
	}
	return true
}

// ReadPrivate reads a small file, and refuses it when others may read or write it.
func ReadPrivate(what, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if isOpenToOthers(info) {
		return nil, openToOthersError(what, path, info)
	}
	return io.ReadAll(io.LimitReader(f, smallFile))
}

// smallFile is more than any file that ReadPrivate is for.
const smallFile = 4 << 10

// openToOthersError says that others may read or write, and how to end it.
func openToOthersError(what, path string, info fs.FileInfo) error {
	command := fmt.Sprintf("chmod %o %s", info.Mode().Perm()&^forOthers(info), Quoted(path))
	if !info.IsDir() && !isOwnedByUs(info) { // once closed to others, it would be closed to this process too
		command = fmt.Sprintf("chown %d %s && chmod 600 %s", os.Geteuid(), Quoted(path), Quoted(path))
	}
	return fmt.Errorf("other users can read or change the %s %s (its mode is %04o); close it to them: %s", what, path,
		info.Mode().Perm(), command)
}

// Quoted writes a path as a shell's commands take it.
func Quoted(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("/._-+:@%,", r)
	}
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	if strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// SyncDir makes a rename last over a power cut, where the system can.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening %s: %w", dir, err)
	}
	_ = d.Sync() // Windows cannot, and needs not
	return d.Close()
}

// RemoveDatabase removes a file and its journal; it is not an error if they are missing.
func RemoveDatabase(path string) error {
	var all error
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, err)
		}
	}
	return all
}
