package account_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// constants returns the values of the constants of a type in event.go.
func constants(t *testing.T, kind string) (values []string) {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		literal, isLiteral := spec.Values[0].(*ast.BasicLit)
		name, isName := spec.Type.(*ast.Ident)
		if !isLiteral || !isName || name.Name != kind {
			return true
		}
		value, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
		return true
	})
	return values
}

// TestEveryEventHasItsRow compares the constants with the table: one that is
// missing there could not be asked for on the Activity page.
func TestEveryEventHasItsRow(t *testing.T) {
	declared, listed := constants(t, "Event"), account.Events()
	if len(declared) == 0 {
		t.Fatal("no constants found")
	}
	for _, one := range declared {
		if !slices.Contains(listed, account.Event(one)) || !account.Event(one).Known() {
			t.Errorf("%s has no row", one)
		}
	}
	if len(listed) != len(declared) {
		t.Errorf("%d constants, %d rows", len(declared), len(listed))
	}
	for _, event := range account.EventsShownAtSignIn() {
		if !event.Known() {
			t.Errorf("%s is told and has no row", event)
		}
	}
	if account.Event("sys_nothing").Known() {
		t.Error("an event that is none is known")
	}
}

func TestEveryMethodIsListed(t *testing.T) {
	declared := constants(t, "Method")
	for _, one := range declared {
		if !slices.Contains(account.Methods, account.Method(one)) {
			t.Errorf("%s is not listed", one)
		}
	}
	if len(declared) != len(account.Methods) {
		t.Errorf("%d constants, %d listed", len(declared), len(account.Methods))
	}
}

// TestNoticesOfTheMachine has the acts that every admin is told of.
func TestNoticesOfTheMachine(t *testing.T) {
	for _, event := range []account.Event{account.PasswordChanged, account.FactorReset, account.PersonDeactivated,
		account.PersonReactivated, account.PersonUnlocked,
		account.PersonRemoved, account.RoleChanged, account.PolicyChanged, account.WorkspaceRestored,
		account.ActivityPruned, account.KeyRotated} {
		if !event.NeedsNotice(account.ActorMachine, "") || !slices.Contains(account.NoticeEvents(), event) {
			t.Errorf("nobody is told of %s", event)
		}
	}
	for role, want := range map[twofactor.Role]bool{twofactor.Member: false, twofactor.Administrator: true,
		twofactor.ITAdministrator: true, twofactor.SuperAdmin: true} {
		if got := account.PersonAdded.NeedsNotice(account.ActorMachine, role); got != want {
			t.Errorf("adding a %s is told: %v, want %v", role, got, want)
		}
	}
	if account.SignedIn.NeedsNotice(account.ActorMachine, "") {
		t.Error("a sign-in is told to every admin")
	}
	if !account.Event("sys_nothing").NeedsNotice(account.ActorMachine, "") {
		t.Error("an act that is none is kept quiet")
	}
}
