package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// largest is how large a released program may be, in bytes.
const largest = 28_000_000

// newest is the heading of the newest version in CHANGELOG.md.
var newest = regexp.MustCompile(`(?m)^## ([0-9.]+)`)

// TestRelease builds one program from two copies of the source, in directories of other names and the second without
// anything that the first has left in Go's cache: the bytes are the same, no path of this machine is in them, and they
// are not too many.
func TestRelease(t *testing.T) {
	if testing.Short() {
		t.Skip("builds everything anew")
	}
	version := newest.FindStringSubmatch(read(t, "../../CHANGELOG.md"))[1]
	built := map[string][]byte{}
	for _, name := range []string{"first", "the-second-one"} {
		source := filepath.Join(t.TempDir(), name)
		copySource(t, source)
		build := exec.Command("sh", "release/build.sh", "out", "linux/amd64")
		build.Dir, build.Env = source, append(os.Environ(), "COMMIT=0123456789abcdef")
		if len(built) > 0 {
			build.Env = append(build.Env, "GOCACHE="+filepath.Join(t.TempDir(), "cache"))
		}
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		path := filepath.Join(source, "out", "gatehouse-"+version+"-linux-amd64")
		out, err := exec.Command(path, "version").Output()
		if err != nil || !strings.HasPrefix(string(out), "gatehouse "+version+"\ncommit  0123456789abcdef\n") {
			t.Errorf("it says %v\n%s", err, out)
		}
		binary := []byte(read(t, path))
		if bytes.Contains(binary, []byte(source)) {
			t.Error("the source's directory is in the program")
		}
		built[name] = binary
	}
	size := len(built["first"])
	if !bytes.Equal(built["first"], built["the-second-one"]) {
		t.Error("the two differ")
	}
	if size > largest {
		t.Errorf("%d bytes are more than %d", size, largest)
	}
	t.Logf("%d bytes", size)
}

// copySource copies what git knows of the repository.
func copySource(t *testing.T, to string) {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = "../.."
	names, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Split(strings.Trim(string(names), "\x00"), "\x00") {
		if strings.HasPrefix(name, "e2e/") || strings.HasPrefix(name, "docs/") {
			continue
		}
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, read(t, filepath.Join("../..", name)))
	}
}

// TestLicences demands the text of a licence of everything that is in the programs.
func TestLicences(t *testing.T) {
	cmd := exec.Command("sh", "release/licences.sh")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Go, its standard library", "htmx", "modernc.org/sqlite v", "github.com/a-h/templ v",
		"github.com/yeqown/reedsolomon v"} {
		if !strings.Contains(string(out), "======== "+name) {
			t.Errorf("nothing about %s", name)
		}
	}
	for _, part := range strings.Split(string(out), "\n======== ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		if text = strings.Join(strings.Fields(text), " "); !slices.ContainsFunc(grants,
			func(grant string) bool { return strings.Contains(text, grant) }) {
			t.Errorf("%s: no licence grants anything in\n%.300s", name, text)
		}
	}
}

// grants are the words in which the licences that we know permit a release: MIT, BSD, 0BSD and Apache 2.0.
var grants = []string{
	"Permission is hereby granted, free of charge",
	"Redistribution and use in source and binary forms",
	"Permission to use, copy, modify, and/or distribute this software for any purpose",
	"each Contributor hereby grants to You a perpetual",
}
