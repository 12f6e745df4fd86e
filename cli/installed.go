package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatehouse/db/files"
)

// Where the service has its files, below the machine's root.
const (
	installedProgram  = "usr/local/bin/gatehouse"
	installedUnits    = "etc/systemd/system"
	installedUnit     = installedUnits + "/gatehouse.service"
	installedEtc      = "etc/gatehouse"
	installedKey      = installedEtc + "/gatehouse.key"
	installedSettings = installedEtc + "/gatehouse.env"
	installedDatabase = installedEtc + "/database"
	installedData     = "var/lib/gatehouse"
)

// installed are the variables of the service that is set up on this machine, for commands
// that are told nothing else: no workspace by a flag or a variable, and none in ./data. serve
// never takes them.
func installed(p Process) map[string]string {
	if p.Root == "" || saysWhere(p.Args) || !exists(filepath.Join(p.Root, installedUnit)) || exists("data") {
		return nil
	}
	vars := map[string]string{"GATEHOUSE_DATA": filepath.Join(p.Root, installedData)}
	key := filepath.Join(p.Root, installedKey)
	if exists(key) && !exists(filepath.Join(vars["GATEHOUSE_DATA"], files.KeyName)) {
		vars["GATEHOUSE_KEY_FILE"] = key
	}
	namesDatabase := func(arg string) bool { return strings.HasPrefix(arg, "--database") }
	if file := filepath.Join(p.Root, installedDatabase); exists(file) && !slices.ContainsFunc(p.Args, namesDatabase) {
		vars["GATEHOUSE_DATABASE_FILE"] = file
	}
	text, err := os.ReadFile(filepath.Join(p.Root, installedSettings))
	if err != nil {
		return vars // who may not read it may not read the workspace either
	}
	for line := range strings.Lines(string(text)) {
		name, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if found && strings.HasPrefix(name, "GATEHOUSE_") {
			vars[name] = value
		}
	}
	return vars
}

// saysWhere reports whether a command line, or the environment, says where the workspace is.
func saysWhere(args []string) bool {
	named := func(arg string) bool { return arg == "--data" || strings.HasPrefix(arg, "--data=") }
	set := func(name string) bool { return unquoted(os.Getenv(name)) != "" }
	return slices.ContainsFunc(args, named) ||
		slices.ContainsFunc([]string{"GATEHOUSE_DATA", "GATEHOUSE_DATABASE", "GATEHOUSE_DATABASE_FILE"}, set)
}

// exists reports whether something is there, as far as this user can see.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission)
}
