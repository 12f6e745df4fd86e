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

// namedTest are the tests and fuzz targets that a document names.
var namedTest = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)`")

// TestPromisesNameTestsThatExist looks for each test that a document names: a promise
// is worth what its test is.
func TestPromisesNameTestsThatExist(t *testing.T) {
	source := programText(t)
	documents, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	documents = append(documents, "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md")
	count := 0
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range namedTest.FindAllStringSubmatch(string(text), -1) {
			count++
			if !strings.Contains(source, "\nfunc "+found[1]+"(") {
				t.Errorf("%s names %s, which is no test", document, found[1])
			}
		}
	}
	if count < 100 {
		t.Errorf("only %d tests are named", count)
	}
}

// TestEachPromiseNamesATest reads the tables of promises in docs/security.md row by row.
func TestEachPromiseNamesATest(t *testing.T) {
	text, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	inTable, rows := false, 0
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "| promise | shown by |"):
			inTable = true
		case !strings.HasPrefix(line, "|"):
			inTable = false
		case inTable && !strings.HasPrefix(line, "|---"):
			rows++
			if !namedTest.MatchString(line) {
				t.Errorf("no test is named for %s", line)
			}
		}
	}
	if rows < 50 {
		t.Errorf("only %d promises were found", rows)
	}
}
