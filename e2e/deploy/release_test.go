package deploy

import (
	"bytes"
	"crypto/sha256"
	"fmt"
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

// TestSignedChecksums signs a release as whoever releases it does, and checks it with the commands of docs/deploy.md: what
// was changed afterwards is refused, and so is a signature with another key.
func TestSignedChecksums(t *testing.T) {
	dir, keys := t.TempDir(), t.TempDir()
	run := func(env []string, name string, args ...string) (string, error) {
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	public := filepath.Join(dir, "minisign.pub")
	for _, args := range [][]string{
		{"-G", "-W", "-s", filepath.Join(keys, "ours"), "-p", public},
		{"-G", "-W", "-s", filepath.Join(keys, "other"), "-p", filepath.Join(keys, "other.pub")},
	} {
		if out, err := run(nil, "minisign", args...); err != nil {
			t.Fatalf("%v (sh e2e/tools.sh installs minisign)\n%s", err, out)
		}
	}
	const file = "gatehouse-9.9.9-linux-amd64"
	write(t, filepath.Join(dir, file), "a program")
	write(t, filepath.Join(dir, "SHA256SUMS"), fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte("a program")), file))
	script, err := filepath.Abs("../../release/sign.sh")
	if err != nil {
		t.Fatal(err)
	}
	sign := func(key string) (string, error) {
		return run([]string{"RELEASE_KEY=" + filepath.Join(keys, key), "RELEASE_PUBLIC_KEY=" + public}, "sh", script, dir)
	}
	verify := func() (string, error) {
		return run(nil, "sh", "-euc", "minisign -Vm SHA256SUMS -p minisign.pub && sha256sum --check --ignore-missing SHA256SUMS")
	}
	if out, err := sign("other"); err == nil {
		t.Errorf("signed with a key that nobody knows:\n%s", out)
	}
	if out, err := sign("ours"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := verify(); err != nil || !strings.Contains(out, "Gatehouse 9.9.9") {
		t.Errorf("%v\n%s", err, out)
	}
	write(t, filepath.Join(dir, file), "another program")
	if out, err := verify(); err == nil {
		t.Errorf("another program is taken:\n%s", out)
	}
	write(t, filepath.Join(dir, "SHA256SUMS"), fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte("another program")), file))
	if out, err := verify(); err == nil {
		t.Errorf("other checksums are taken:\n%s", out)
	}
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
		if strings.HasPrefix(name, "e2e/") || strings.HasPrefix(name, "docs/screens/") {
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
