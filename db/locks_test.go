package db_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/db/dbtest"
	"gatehouse/db/engine"
)

// deciders are the methods that decide by what other people may or are: a write that
// reaches one of them locks the workspace.
var deciders = []string{"readAuthor", "requireSuperAdmin", "addPerson"}

// TestEveryWriteLocks reads the source: each write names its lock by one of the
// functions of locks.go (or passes on the one that it was given), and what decides
// about other people locks the workspace.
func TestEveryWriteLocks(t *testing.T) {
	t.Parallel()
	places := token.NewFileSet()
	functions := map[string]*ast.FuncDecl{}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "transaction.go" {
			continue
		}
		tree, err := parser.ParseFile(places, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range tree.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				functions[f.Name.Name] = f
			}
		}
	}
	writes := 0
	for name, f := range functions {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			at := slices.Index([]string{"write", "writeWithin"}, called(call))
			if at < 0 {
				return true
			}
			writes++
			lock := lockOf(call.Args[1+at])
			switch place := places.Position(call.Pos()); {
			case lock == "":
				t.Errorf("%s: the lock of %s is none of locks.go", place, name)
			case lock != "lockWorkspace" && lock != "lock" && reaches(functions, call, map[string]bool{}):
				t.Errorf("%s: %s decides about other people, the policy or the key under %s", place, name, lock)
			}
			return true
		})
	}
	if writes < 30 {
		t.Errorf("only %d writes found in the source", writes)
	}
}

// called returns the name of the function or method that is called.
func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// lockOf returns the function that makes a lock, or "lock" for an argument of that name.
func lockOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.CallExpr:
		if name := called(e); strings.HasPrefix(name, "lock") {
			return name
		}
	case *ast.Ident:
		if e.Name == "lock" {
			return e.Name
		}
	}
	return ""
}

// reaches reports whether a decider is called somewhere below.
func reaches(functions map[string]*ast.FuncDecl, n ast.Node, seen map[string]bool) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || found {
			return !found
		}
		name := called(call)
		if slices.Contains(deciders, name) {
			found = true
			return false
		}
		f, isOurs := functions[name]
		if isOurs && !seen[name] {
			seen[name] = true
			found = reaches(functions, f, seen)
		}
		return !found
	})
	return found
}

func TestWriteWithoutALockIsRefused(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	dir := t.TempDir()
	dbtest.OpenIn(t, dir)
	w, err := engine.OpenWriter(ctx, filepath.Join(dir, "gatehouse.db"), func(error) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	nothing := func(*engine.Tx) error { return nil }
	if err := w.Write(context.Background(), engine.Lock{}, nothing); err == nil {
		t.Error("a write without a lock went through")
	}
	if err := w.WriteWithin(context.Background(), time.Second, engine.Lock{}, nothing); err == nil {
		t.Error("a write without a lock went through")
	}
	if err := w.Write(context.Background(), engine.LockOf("person", 1), nothing); err != nil {
		t.Error(err)
	}
}
