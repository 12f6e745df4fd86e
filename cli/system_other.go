//go:build !linux

package cli

// freeDisk is not known here.
func freeDisk(string) (free uint64, ok bool) { return 0, false }

// clockKept is not known here.
func clockKept() (kept, known bool) { return false, false }
