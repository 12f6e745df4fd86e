package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestImportedPasswordsSignIn imports what Apache's own program has made and a users database, beside the
// running server: people sign in over HTTP with the passwords that they had, a wrong one leaves the hash as it is,
// the right one leaves ours, and it works again.
func TestImportedPasswordsSignIn(t *testing.T) {
	htpasswd, sqlite := tool(t, "htpasswd", "apache2-utils"), tool(t, "sqlite3", "sqlite3")
	s := startSite(t)
	passwords := filepath.Join(t.TempDir(), "passwords")
	if out, err := exec.Command(htpasswd, "-cbBC", "6", passwords, "hy", "old horse battery").CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	s.run("", "people", "import", passwords, "--domain", "example.org", "--yes")
	database := filepath.Join(t.TempDir(), "users_database.yml")
	if err := os.WriteFile(database, []byte(usersDatabase), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run("", "people", "import", database, "--map-group", "admins=operators", "--create-groups", "--yes")
	stored := func(email string) string {
		t.Helper()
		out, err := exec.Command(sqlite, "-readonly", filepath.Join(s.data, "gatehouse.db"),
			"SELECT password_hash FROM person WHERE email = '"+email+"'").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	for email, p := range map[string]person{
		"hy@example.org":  {email: "hy@example.org", password: "old horse battery"},
		"ada@example.org": {email: "ada@example.org", password: "password"},
	} {
		before := stored(email)
		if !strings.HasPrefix(before, "imported:$") {
			t.Fatalf("of %s is stored %q", email, before)
		}
		newClient(t, s).send(http.StatusUnprocessableEntity, "POST", "/signin", "email", email, "password", "wrong horse battery")
		if stored(email) != before {
			t.Errorf("a wrong password of %s has changed the hash", email)
		}
		for range 2 {
			newClient(t, s).signIn(p)
			if after := stored(email); !strings.HasPrefix(after, "$argon2id$v=19$m=19456,t=2,p=1$") {
				t.Errorf("after a sign-in %s has %q", email, after)
			}
		}
	}
	newClient(t, s).send(http.StatusUnprocessableEntity, "POST", "/signin", "email", "bob@example.org", "password", "password")
}

// usersDatabase is one of Authelia's file backend; both have argon2id's published answer for "password".
const usersDatabase = `users:
  ada:
    disabled: false
    displayname: 'Ada Lovelace'
    password: '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'
    email: 'ada@example.org'
    groups:
      - 'admins'
      - 'dev'
  bob:
    disabled: true
    displayname: 'Bob Li'
    password: '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'
    email: 'bob@example.org'
`

// TestKilledWhileImporting kills an import in the middle of its transaction: nobody was added, and the next one adds
// everybody. Half of it is written to the disk before it ends, which is when it is killed.
func TestKilledWhileImporting(t *testing.T) {
	s := startSite(t)
	s.addPerson(fay, "super-administrator")
	var table strings.Builder
	table.WriteString("email,name\n")
	for i := range 4000 {
		fmt.Fprintf(&table, "person%d.of.many@department.example.org,Person %d of Many Others\n", i, i)
	}
	file := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(file, []byte(table.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	wal := filepath.Join(s.data, "gatehouse.db-wal")
	before := s.run("", "people", "export")
	size := func() int64 {
		info, err := os.Stat(wal)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	began := size()
	cmd := exec.Command(program, "people", "import", file, "--yes", "--invite", "later", "--data", s.data)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	grown := poll(timeout, func() error {
		if n := size(); n < began+1<<20 {
			return fmt.Errorf("the log holds %d bytes", n)
		}
		return nil
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); grown != nil || err == nil {
		t.Fatalf("it was not killed in the middle: %v, %v\n%s", grown, err, &out)
	}
	if after := s.run("", "people", "export"); after != before {
		t.Errorf("%d lines are left of an import that was killed", strings.Count(after, "\n")-strings.Count(before, "\n"))
	}
	if out := s.run("", "people", "import", file, "--yes", "--invite", "later"); !strings.Contains(out, "Added 4000 people.") {
		t.Error(out)
	}
	newClient(t, s).signIn(fay)
}
