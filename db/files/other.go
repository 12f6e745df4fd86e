//go:build !unix

package files

import (
	"io/fs"
	"os"
)

// NoFollow is nothing where links are rare and need a privilege.
const NoFollow = 0

// chownLike has nothing to do where files belong to nobody in particular.
func chownLike(*os.File, fs.FileInfo) error { return nil }

// forOthers are no permissions where those are not in the mode.
func forOthers(fs.FileInfo) fs.FileMode { return 0 }

func isOwnedByUs(fs.FileInfo) bool { return true }

func chownNewDir(*os.File, fs.FileInfo) error { return nil }

func isOwnedByRoot(fs.FileInfo) bool { return false }

// Owner is not known where users have no numbers.
func Owner(string) (uid int, ok bool) { return 0, false }

// WithUmask runs do: what is made has the permissions of its directory.
func WithUmask(_ int, do func()) { do() }
