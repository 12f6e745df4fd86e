// Package files looks after the files of a workspace's directory: their owner,
// their place, and that a change of them lasts.
package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// SyncDir makes a rename last over a power cut, where the system can.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening %s: %w", dir, err)
	}
	_ = d.Sync() // Windows cannot, and needs not
	return d.Close()
}

// RemoveDatabase removes a file and its journal; missing is fine.
func RemoveDatabase(path string) error {
	var all error
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, err)
		}
	}
	return all
}
