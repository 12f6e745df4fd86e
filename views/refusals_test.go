package views

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

// constantsOf reads the values of a package's string constants of one type.
func constantsOf(t *testing.T, dir, typeName string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no source in %s: %v", dir, err)
	}
	var values []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
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
