package cli

import "syscall"

// freeDisk is how many bytes whoever is no root may still use where a path is.
func freeDisk(path string) (free uint64, ok bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil || s.Bsize <= 0 {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true //nolint:gosec // never negative
}

// timeError is adjtimex(2)'s answer while nothing keeps the clock right.
const timeError = 5

// clockKept reports whether something, such as NTP, keeps this machine's clock right.
func clockKept() (kept, known bool) {
	state, err := syscall.Adjtimex(new(syscall.Timex))
	return state != timeError, err == nil
}
