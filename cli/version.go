package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"gatehouse/db"
)

// Version and Commit are what the program was built from; a release sets them when it is
// linked. An empty Commit is read from Go's build information.
var (
	Version = "0.5.0-dev"
	Commit  = ""
)

type versionCommand struct {
	JSON bool `name:"json" help:"One JSON object, for scripts."`
}

// versionJSON is what version --json prints.
type versionJSON struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	SQLite  string `json:"sqlite"`
	Schema  int    `json:"schema"`
}

// Run prints the version, and what it was built from and with.
func (c *versionCommand) Run(env *commandEnv) error {
	if c.JSON {
		return json.NewEncoder(env.Stdout).Encode(versionJSON{Version, commit(), runtime.Version(), db.SQLiteVersion, db.NewestSchema()})
	}
	_, err := fmt.Fprintf(env.Stdout, "gatehouse %s\ncommit  %s\ngo      %s %s/%s\nsqlite  %s\n",
		Version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH, db.SQLiteVersion)
	return err
}

// commit returns the commit that the program was built from, or "unknown".
func commit() string {
	if Commit != "" {
		return Commit
	}
	revision, changed := "unknown", ""
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return revision
	}
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			revision = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			changed = " and changes since"
		}
	}
	return revision + changed
}
