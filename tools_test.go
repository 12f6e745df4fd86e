package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestToolsHaveOneVersion compares what documents and scripts name with tools/go.mod,
// and templ there with the one that the program is built with.
func TestToolsHaveOneVersion(t *testing.T) {
	tools := required(t, "tools/go.mod")
	if product := required(t, "go.mod"); product["github.com/a-h/templ"] != tools["github.com/a-h/templ"] {
		t.Errorf("templ generates with %s and runs with %s", tools["github.com/a-h/templ"],
			product["github.com/a-h/templ"])
	}
	out, err := exec.Command("git", "grep", "-IhoE", `[a-z0-9./-]+/cmd/[a-z-]+@v[0-9][0-9.]*`).Output()
	if err != nil {
		t.Skip("no repository to search: ", err)
	}
	named := 0
	for line := range strings.Lines(string(out)) {
		path, version, _ := strings.Cut(strings.TrimSpace(line), "@")
		module, _, _ := strings.Cut(path, "/cmd/")
		if want, known := tools[module]; known && version != want {
			t.Errorf("%s@%s is named; tools/go.mod has %s", path, version, want)
		}
		named++
	}
	if named < 3 {
		t.Errorf("only %d tools are named anywhere", named)
	}
}

// requirement is a line of a go.mod.
var requirement = regexp.MustCompile(`(?m)^(?:require)?\s+(\S+) (v\S+)`)

// required returns the versions in a go.mod by module.
func required(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, found := range requirement.FindAllStringSubmatch(string(text), -1) {
		out[found[1]] = found[2]
	}
	return out
}
