package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"gatehouse/db/files"
)

// unixPrefix begins the address of a unix socket: unix:/run/gatehouse/gatehouse.sock.
const unixPrefix = "unix:"

// notForAll is what is taken from the permissions of our socket: its owner and its group may
// use it. Whoever does counts as a trusted proxy.
const notForAll = 0o117

// unixPath returns the path of a unix socket's address.
func unixPath(address string) (path string, isUnix bool) {
	path, isUnix = strings.CutPrefix(address, unixPrefix)
	return path, isUnix
}

// addressName is an address as --listen takes it.
func addressName(at net.Addr) string {
	if at.Network() == "unix" {
		return unixPrefix + at.String()
	}
	return at.String()
}

// listenUnix listens on a unix socket. One that a server left behind which is dead is
// replaced; one that is in use is not.
func listenUnix(path string) (net.Listener, error) {
	if !filepath.IsAbs(path) {
		return nil, usageError("--listen unix: takes a whole path, e.g. unix:/run/gatehouse/gatehouse.sock")
	}
	if err := removeDeadSocket(path); err != nil {
		return nil, err
	}
	var listener net.Listener
	var err error
	files.WithUmask(notForAll, func() { listener, err = net.Listen("unix", path) })
	if err != nil {
		return nil, unixError(path, err)
	}
	return listener, nil
}

// removeDeadSocket removes a socket on which nobody listens.
func removeDeadSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unixError(path, err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is no socket: remove it, or choose another path with --listen unix:…", path)
	}
	conn, err := net.Dial("unix", path)
	switch {
	case err == nil:
		return errors.Join(unixError(path, syscall.EADDRINUSE), conn.Close())
	case errors.Is(err, syscall.ECONNREFUSED):
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unixError(path, err)
		}
		return nil
	}
	return unixError(path, err)
}

// unixError says what to do when a socket cannot be used.
func unixError(path string, err error) error {
	dir := filepath.Dir(path)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("another server listens on %s: stop it, or choose another path with --listen unix:…", path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no directory %s: make it for gatehouse's user (under systemd with RuntimeDirectory=gatehouse)", dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot listen on %s: gatehouse runs as %s, which may not make a socket in %s: give it the directory, "+
			"or choose another path with --listen unix:…", path, currentUser(), dir)
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("the path %s is too long for a socket: choose one of a hundred bytes at most with --listen unix:…", path)
	}
	return fmt.Errorf("cannot listen on %s: %w; choose another path with --listen unix:…", path, err)
}
