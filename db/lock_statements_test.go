package db

import (
	"os"
	"regexp"
	"testing"
)

// TestEveryLockIsTakenOnPostgres finds a statement for every lock that is named.
func TestEveryLockIsTakenOnPostgres(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("locks.go")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`engine\.LockOf\("([a-z]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(named) < 5 {
		t.Fatal("locks.go names no locks", named)
	}
	for _, name := range named {
		if _, ok := lockStatements[name[1]]; !ok {
			t.Errorf("no statement takes the lock of %s; add it to lockStatements", name[1])
		}
	}
}
