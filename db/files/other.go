//go:build !unix

package files

import (
	"io/fs"
	"os"
)

// NoFollow is nothing where links are rare and need a privilege.
const NoFollow = 0

// own has nothing to do where files belong to nobody in particular.
func own(*os.File, fs.FileInfo) error { return nil }

// isOpenToOthers cannot tell where permissions are not in the mode.
func isOpenToOthers(fs.FileInfo) bool { return false }

func isOurs(fs.FileInfo) bool { return true }

func ownNew(*os.File, fs.FileInfo) error { return nil }

func isRoots(fs.FileInfo) bool { return false }

// Owner is not known where users have no numbers.
func Owner(string) (uid int, ok bool) { return 0, false }
