package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version is the program's version; a release sets it when it is built.
var Version = "0.1.0-dev"

type versionCommand struct{}

// Run prints the version, and what it was built with.
func (versionCommand) Run(s *session) error {
	fmt.Fprintf(s.Stdout, "gatehouse %s (%s, %s/%s)\n", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, dep := range info.Deps {
		if dep.Path == "modernc.org/sqlite" {
			fmt.Fprintf(s.Stdout, "modernc.org/sqlite %s\n", dep.Version)
		}
	}
	return nil
}
