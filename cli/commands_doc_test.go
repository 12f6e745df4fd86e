package cli

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/doctor"

	"github.com/alecthomas/kong"
)

// forms are what is encoded for each command that has --json.
var forms = map[string]any{
	"user list":         personJSON{},
	"people export":     exportedJSON{},
	"two-factor status": enrollmentJSON{},
	"policy show":       policyJSON{},
	"app list":          appJSON{},
	"app show":          appJSON{},
	"app why":           whyJSON{},
	"group list":        groupJSON{},
	"group members":     memberJSON{},
	"status":            statusJSON{},
	"doctor":            diagnosis{},
	"version":           versionJSON{},
}

// A documentedField is a row of a table in docs/commands.md.
type documentedField struct {
	kind     string
	optional bool
}

var (
	formHeading = regexp.MustCompile(`(?m)^### gatehouse (.*) --json$`)
	fieldRow    = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (text|number|boolean|list|instant) \\| (.*)\\|$")
	checkRow    = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| [^|]*\\|$")
)

// documentedForms reads docs/commands.md.
func documentedForms(t *testing.T) (text string, forms map[string]map[string]documentedField) {
	t.Helper()
	content, err := os.ReadFile("../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	text, forms = string(content), map[string]map[string]documentedField{}
	headings := formHeading.FindAllStringSubmatchIndex(text, -1)
	for i, at := range headings {
		end := len(text)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		fields := map[string]documentedField{}
		for _, row := range fieldRow.FindAllStringSubmatch(text[at[1]:end], -1) {
			fields[row[1]] = documentedField{row[2], strings.Contains(row[3], "may be absent")}
		}
		forms[text[at[2]:at[3]]] = fields
	}
	return text, forms
}

// TestFormsAreDocumented compares what commands encode with docs/commands.md: every field, its
// type, and whether it may be absent.
func TestFormsAreDocumented(t *testing.T) {
	t.Parallel()
	text, documented := documentedForms(t)
	for _, leaf := range leaves(t) {
		name := strings.TrimPrefix(leaf.FullPath(), "gatehouse ")
		hasJSON := slices.ContainsFunc(leafFlags(leaf), func(flag string) bool { return flag == "json" })
		if _, ok := forms[name]; hasJSON != ok || hasJSON != (documented[name] != nil) {
			t.Errorf("gatehouse %s: has --json: %v; is in docs/commands.md: %v, and among the forms: %v", name, hasJSON,
				documented[name] != nil, ok)
		}
	}
	for name, form := range forms {
		want := map[string]documentedField{}
		for i := range reflect.TypeOf(form).NumField() {
			field := reflect.TypeOf(form).Field(i)
			key, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			want[key] = documentedField{kindOf(field.Type), options == "omitempty"}
		}
		if !reflect.DeepEqual(documented[name], want) {
			t.Errorf("docs/commands.md has %v of gatehouse %s; want %v", documented[name], name, want)
		}
	}
	_, table, _ := strings.Cut(text, "by which `--skip` leaves one out")
	table, _, _ = strings.Cut(table, "###")
	var named []doctor.Check
	for _, row := range checkRow.FindAllStringSubmatch(table, -1) {
		named = append(named, doctor.Check(row[1]))
	}
	slices.Sort(named)
	if want := slices.Sorted(slices.Values(checks())); !slices.Equal(named, want) {
		t.Errorf("docs/commands.md has the checks %v; want %v", named, want)
	}
}

// kindOf is the type of a field as scripts read it.
func kindOf(of reflect.Type) string {
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch {
	case of == reflect.TypeFor[time.Time]():
		return "instant"
	case of.Kind() == reflect.Slice:
		return "list"
	case of.Kind() == reflect.Bool:
		return "boolean"
	case of.Kind() == reflect.String:
		return "text"
	}
	return "number"
}

// TestOutputsAreAsDocumented runs every command that has --json over a workspace, and compares
// what it prints with docs/commands.md.
func TestOutputsAreAsDocumented(t *testing.T) {
	t.Parallel()
	dir := newWorkspace(t)
	for _, args := range [][]string{
		{"user", "invite", "bob@example.org", "--name", "Bob", "--base-url", "https://portal.example.org"}, // is nowhere, and never was
		{"group", "add", "ops"},
		{"group", "members", "ops", "--add", "ada@example.org"},
		{"app", "add", "Wiki", "https://wiki.example.org", "--guard", "--group", "ops", "--role", "member", "--person", "ada@example.org",
			"--second-step", "--fresh", "15m", "--public", "/health", "--other-origin", "https://other.example.org"},
		{"policy", "set", "--everyone", "2099-01-01", "--admins", "2099-01-01"},
	} {
		if code, _, errs := run(t, dir, "", args...); code != exitOK {
			t.Fatalf("%v: %s", args, errs)
		}
	}
	_, documented := documentedForms(t)
	more := map[string][]string{
		"app show":      {"Wiki"},
		"app why":       {"Wiki", "ada@example.org"},
		"group members": {"ops"},
	}
	for name := range forms {
		code, out, errs := run(t, dir, "", append(append(strings.Fields(name), more[name]...), "--json")...)
		wantCode := exitOK
		if name == "doctor" { // no server runs
			wantCode = exitFailed
		}
		if code != wantCode || out == "" {
			t.Errorf("%s: %d %q %q", name, code, out, errs)
		}
		for line := range strings.Lines(out) {
			var got map[string]any
			if err := json.Unmarshal([]byte(line), &got); err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			for key, value := range got {
				if !isOfKind(value, documented[name][key].kind) {
					t.Errorf("%s prints %s: %v; docs/commands.md has %+v", name, key, value, documented[name][key])
				}
			}
			for key, field := range documented[name] {
				if _, ok := got[key]; !ok && !field.optional {
					t.Errorf("%s prints no %s: %s", name, key, line)
				}
			}
		}
	}
}

// isOfKind reports whether a decoded value is of a type that docs/commands.md names.
func isOfKind(value any, kind string) bool {
	switch v := value.(type) {
	case string:
		_, err := time.Parse(time.RFC3339, v)
		return kind == "text" || kind == "instant" && err == nil && strings.HasSuffix(v, "Z")
	case float64:
		return kind == "number"
	case bool:
		return kind == "boolean"
	case []any:
		return kind == "list"
	}
	return false
}

// leafFlags are the names of a command's own flags.
func leafFlags(leaf *kong.Node) (names []string) {
	for _, flag := range leaf.Flags {
		names = append(names, flag.Name)
	}
	return names
}
