package views

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// TestEveryRefusalHasItsSentences walks every refusal of the rules, on pages and at a
// terminal. It reads them from the source, so that a new one without words fails.
func TestEveryRefusalHasItsSentences(t *testing.T) {
	refusals := map[string]error{}
	for _, text := range constantsOf(t, "../twofactor", "Refusal") {
		refusals["twofactor: "+text] = twofactor.Refusal(text)
	}
	for _, text := range constantsOf(t, "../account", "Refusal") {
		refusals["account: "+text] = account.Refusal(text)
	}
	if len(refusals) < 12 {
		t.Fatalf("only %d refusals were found", len(refusals))
	}
	for name, err := range refusals {
		m := Refused(err, now)
		if m.Text == "" || m.Advice == "" || m.Text == "That did not work." || strings.Contains(m.Text, err.Error()) {
			t.Errorf("%s reads %+v on a page", name, m)
		}
		if text := TerminalText(err); text == err.Error() || !strings.Contains(text, "; ") &&
			!strings.Contains(text, ", so ") || strings.HasSuffix(text, ".") {
			t.Errorf("%s reads %q at a terminal", name, text)
		}
		if refusal, ok := err.(account.Refusal); ok && PersonRefused(refusal).IsZero() {
			t.Errorf("%s reads nothing on a person's page", name)
		}
	}
	if m := PersonRefused(twofactor.ErrNotEnabled); m.Text == "" || m.Advice == "" {
		t.Errorf("a reset of nothing reads %+v", m)
	}
	if !PersonRefused(os.ErrNotExist).IsZero() || TerminalText(os.ErrNotExist) != os.ErrNotExist.Error() {
		t.Error("a fault is worded as a refusal")
	}
}

// TestEveryReasonHasItsSentences walks every reason for which a field is refused.
func TestEveryReasonHasItsSentences(t *testing.T) {
	reasons := constantsOf(t, "../account", "Reason")
	if len(reasons) < 10 {
		t.Fatalf("only %d reasons were found", len(reasons))
	}
	for _, reason := range reasons {
		e := account.FieldError{Field: "email", Reason: account.Reason(reason), Limit: 254}
		if text := FieldErrorText(e); !strings.HasSuffix(text, ".") {
			t.Errorf("%s reads %q on a page", reason, text)
		}
		if text := TerminalText(e); text == "" || text == e.Error() || strings.HasSuffix(text, ".") {
			t.Errorf("%s reads %q at a terminal", reason, text)
		}
	}
	if text := FieldErrorText(account.FieldError{Field: "email", Reason: account.TooLong, Limit: 254}); text !=
		"Use at most 254 characters." {
		t.Errorf("a long address is refused with %q", text)
	}
	for field, text := range missing {
		if !strings.HasSuffix(text, ".") {
			t.Errorf("%s reads %q when it is empty", field, text)
		}
	}
}

// TestEveryProblemSaysWhatToDo walks every page that tells of a problem. It reads their
// names from the source, so that a new one that is not looked at here fails.
func TestEveryProblemSaysWhatToDo(t *testing.T) {
	problems := map[string]Problem{
		"PlainHTTP":      PlainHTTP("https://portal.example.org/signin"),
		"NotFound":       NotFound(),
		"NotAllowed":     NotAllowed(),
		"CrossSite":      CrossSite(),
		"WrongHost":      WrongHost("https://portal.example.org", "other.example.org"),
		"TooLarge":       TooLarge(),
		"BadForm":        BadForm(),
		"Busy":           Busy("/signin"),
		"Unavailable":    Unavailable("abc"),
		"OutcomeUnknown": OutcomeUnknown("/signin/two-factor"),
		"LinkExpired":    LinkExpired(),
		"LinkRefused":    LinkRefused(429, twofactor.Wait{Until: now.Add(time.Minute)}, "/invite/x", now),
		"OtherSession":   OtherSession("Emil", "emil@example.org"),
		"OtherChallenge": OtherChallenge("emil@example.org"),
		"UnknownApp":     UnknownApp(),
		"NotMeExpired":   NotMeExpired(),

		"SignOutUnreadable": SignOutUnreadable(),
	}
	for _, name := range functionsReturning(t, "Problem") {
		p, known := problems[name]
		if !known {
			t.Errorf("%s is a new problem: give it a row here", name)
			continue
		}
		delete(problems, name)
		if p.Title == "" || p.Status < 400 {
			t.Errorf("%s has no title or status: %+v", name, p)
		}
		if !strings.HasSuffix(p.Text, ".") {
			t.Errorf("%s says %q", name, p.Text)
		}
		if (p.Address == "") != (p.Action == "") {
			t.Errorf("%s leads to %q by the button %q", name, p.Address, p.Action)
		}
	}
	for name := range problems {
		t.Errorf("%s is no problem any more", name)
	}
}

// functionsReturning reads the names of this package's functions with one result of a type.
func functionsReturning(t *testing.T, typeName string) []string {
	t.Helper()
	var names []string
	for _, file := range sourceOf(t, ".") {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || f.Type.Results == nil || len(f.Type.Results.List) != 1 {
				continue
			}
			if result, ok := f.Type.Results.List[0].Type.(*ast.Ident); ok && result.Name == typeName {
				names = append(names, f.Name.Name)
			}
		}
	}
	if len(names) == 0 {
		t.Fatalf("no function returns a %s", typeName)
	}
	return names
}

// sourceOf parses a package without its tests.
func sourceOf(t *testing.T, dir string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no source in %s: %v", dir, err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// constantsOf reads the values of a package's string constants of one type.
func constantsOf(t *testing.T, dir, typeName string) []string {
	t.Helper()
	var values []string
	for _, file := range sourceOf(t, dir) {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != typeName {
				return true
			}
			for _, value := range spec.Values {
				if literal, ok := value.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					values = append(values, strings.Trim(literal.Value, `"`))
				}
			}
			return true
		})
	}
	return values
}
