package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// warned are the messages of the log that somebody has to do something about.
var warned = regexp.MustCompile(`(?s)log\.(?:Error|Warn|ErrorContext|WarnContext)\((?:[a-zA-Z.()]+,\s*)?"([^"]+)"`)

// warnedAtLevel are those that are written with more fields.
var warnedAtLevel = regexp.MustCompile(`(?s)LogAttrs\([^"]*slog\.Level(?:Warn|Error), "([^"]+)"`)

// TestTroubleNamesEveryMessage looks in docs/trouble.md for every warning and error of the log.
func TestTroubleNamesEveryMessage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/trouble.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, room := range []string{".", "../handlers"} {
		files, err := filepath.Glob(filepath.Join(room, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range append(warned.FindAllSubmatch(source, -1), warnedAtLevel.FindAllSubmatch(source, -1)...) {
				found++
				if !strings.Contains(string(page), "`"+string(match[1])+"`") {
					t.Errorf("docs/trouble.md does not say what to do about %q (%s)", match[1], file)
				}
			}
		}
	}
	if found < 25 {
		t.Errorf("only %d messages were found", found)
	}
}

// TestTroubleQuotesDoctor demands that what docs/trouble.md shows of doctor is what the program
// says: each sentence begins like one that stands in its source.
func TestTroubleQuotesDoctor(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/trouble.md")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, file := range []string{"doctor.go", "doctor_machine.go", "doctor_way.go", "../views/doctor.go", "../db/seal/keyfile.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	said := strings.ToLower(source.String())
	shown := regexp.MustCompile(`(?m)^(?:FAULT|WARNING) +(?:[A-Z][a-zA-Z-]*(?: [a-zA-Z-]+)*) {2,}(.*)$|^ +→ (.*)$`).FindAllStringSubmatch(string(page), -1)
	if len(shown) < 20 {
		t.Errorf("only %d sentences are shown", len(shown))
	}
	for _, match := range shown {
		for _, part := range fixedParts(strings.ToLower(match[1] + match[2])) {
			if !strings.Contains(said, part) {
				t.Errorf("doctor never says %q, of %q", part, match[1]+match[2])
			}
		}
	}
}

// varying is what differs between installations in a sentence, and where sentences are joined.
var varying = regexp.MustCompile(`https?://[a-z.]+|smtps://\S+|/[a-z]+/[a-z./]+|portal\.example\.org|[0-9]+(?:\.[0-9]+)*s?(?::[0-9]+)?|app2|wiki|plain http|authentication failed|; |, |\. |:|\b(?:people|mails|apps|days)\b|\b(?:were|was|is|are|has|have|know|knows|work|works)\b`)

// fixedParts are the parts of a sentence that every installation shows.
func fixedParts(sentence string) (parts []string) {
	for _, part := range varying.Split(sentence, -1) {
		if part = strings.Trim(part, " ."); len(part) > 12 {
			parts = append(parts, part)
		}
	}
	return parts
}
