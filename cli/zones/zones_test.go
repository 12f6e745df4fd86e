package zones

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/gob"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// update writes the list of the Go that runs the test: go test ./cli/zones -args -update
var update = flag.Bool("update", false, "write zones.gz anew")

// TestZones opens every zone of the list, and looks at the clocks of a few.
func TestZones(t *testing.T) {
	if *update {
		write(t)
	}
	known, err := unpack()
	if err != nil || len(known.Names) < 500 || len(packed) > 80_000 {
		t.Fatal(len(known.Names), len(packed), err)
	}
	// Clocks that have a name in every list.
	for name, hours := range map[string][2]int{"Europe/Berlin": {1, 2}, "Asia/Tokyo": {9, 9}, "America/New_York": {-5, -4}, "UTC": {0, 0}} {
		zone, err := time.LoadLocationFromTZData(name, known.Files[known.Names[name]])
		if err != nil {
			t.Fatal(name, err)
		}
		for i, month := range []time.Month{time.January, time.July} {
			if _, offset := time.Date(2026, month, 1, 12, 0, 0, 0, zone).Zone(); offset != hours[i]*3600 {
				t.Errorf("%s in %s: %d s", name, month, offset)
			}
		}
	}
	for name, file := range known.Names {
		if _, err := time.LoadLocationFromTZData(name, known.Files[file]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load("Mars/Olympus"); err == nil {
		t.Error("a zone that nobody knows is found")
	}
}

// TestWithoutAList loads a zone where the machine has no list at all.
func TestWithoutAList(t *testing.T) {
	if os.Getenv("GATEHOUSE_NO_ZONES") != "" {
		if _, err := time.LoadLocation("Europe/Berlin"); err == nil {
			t.Skip("this machine keeps its zones elsewhere")
		}
		zone, err := Load("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Date(2026, 7, 1, 12, 0, 0, 0, zone).UTC().Hour(); got != 10 {
			t.Errorf("noon in Berlin is %d o'clock UTC", got)
		}
		return
	}
	binary, err := os.ReadFile(os.Args[0])
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("a program that was changed does not run on this system: ", err)
	}
	// A program that finds no zones: the places that Go looks at stand in it by name.
	for _, place := range []string{"/usr/share/zoneinfo/", "/usr/share/lib/zoneinfo/", "/usr/lib/locale/TZ/", "/etc/zoneinfo"} {
		binary = bytes.ReplaceAll(binary, []byte(place), []byte("/nowhere"+strings.Repeat("x", len(place)-len("/nowhere"))))
	}
	blind := filepath.Join(t.TempDir(), "blind")
	if err := os.WriteFile(blind, binary, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(blind, "-test.run", "^TestWithoutAList$", "-test.v")
	cmd.Env = []string{"GATEHOUSE_NO_ZONES=yes", "ZONEINFO=", "GOROOT=/nowhere"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// write makes zones.gz from the list that comes with Go.
func write(t *testing.T) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	made := list{Names: map[string]int{}}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(made.Files, func(other []byte) bool { return bytes.Equal(other, content) })
		if i < 0 {
			i = len(made.Files)
			made.Files = append(made.Files, content)
		}
		made.Names[f.Name] = i
	}
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err := gob.NewEncoder(w).Encode(made); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("zones.gz", out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	packed = out.Bytes()
}
