package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// named are files and names of the program in a document.
var (
	namedFile = regexp.MustCompile("`((?:[a-z0-9]+/)*[a-z_0-9]+\\.(?:go|templ|sql|md|yml|sh|mod))`")
	namedName = regexp.MustCompile("`(?:[A-Za-z]+\\.)?([A-Za-z]+[a-z][A-Z][A-Za-z]*)`")
)

// invented stand in examples.
var invented = map[string]bool{
	"account/desk.go":      true,
	"account/desk_test.go": true,
	"ParseDesk":            true,
	"showX":                true,
}

// TestDocumentsNameWhatExists looks for each file and each name of the program that
// the documents for contributors give.
func TestDocumentsNameWhatExists(t *testing.T) {
	source := programText(t)
	for _, document := range []string{"CONTRIBUTING.md", "STYLE.md", "docs/architecture.md"} {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		files := namedFile.FindAllStringSubmatch(string(text), -1)
		for _, found := range files {
			if _, err := os.Stat(found[1]); err != nil && !invented[found[1]] {
				t.Errorf("%s names %s: %v", document, found[1], err)
			}
		}
		for _, found := range namedName.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(source, found[1]) && !invented[found[1]] {
				t.Errorf("%s names %s, which is nowhere in the program", document, found[1])
			}
		}
		if len(files) == 0 {
			t.Errorf("no files found in %s", document)
		}
	}
}

// programText is all source in one text.
func programText(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" && filepath.Ext(path) != ".templ" {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
