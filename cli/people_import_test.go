package cli

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatehouse/roster"

	"golang.org/x/crypto/bcrypt"
)

// workspace makes one with a Super-administrator in it.
func workspace(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	if code, _, errs := run(t, dir, "violet kettle harbour\n", "user", "add", "root@example.org", "--name", "Root",
		"--new-workspace", "--role", "super-administrator"); code != exitOK {
		t.Fatal(errs)
	}
	return dir
}

// fileWith writes a file and returns its path.
func fileWith(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func importPeople(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return run(t, dir, "", append([]string{"people", "import"}, args...)...)
}

// exported is everybody, as people export prints them.
func exported(t *testing.T, dir string) string {
	t.Helper()
	code, out, errs := run(t, dir, "", "people", "export")
	if code != exitOK {
		t.Fatal(errs)
	}
	return out
}

const table = "email,name,role,user_name,groups,active\r\n" +
	"ada@example.org,\"=HYPERLINK(\"\"x\"\");+1\",administrator,ada.l,ops;dev,yes\r\n" +
	"bob@example.org,Bob Ö,,,dev,yes\r\n" +
	"cy@example.org,Cy,member,,,no\r\n"

// TestImportLinks imports a table and reads the file of links: for its owner alone, without
// formulas, with one link for each who can use one.
func TestImportLinks(t *testing.T) {
	dir, file := workspace(t), fileWith(t, "people.csv", table)
	links := filepath.Join(t.TempDir(), "links.csv")
	args := []string{file, "--admins", "--create-groups", "--links", links, "--base-url", "https://portal.example.org"}
	before := exported(t, dir)
	code, out, errs := importPeople(t, dir, append(args, "--preview")...)
	for _, want := range []string{"New: 3.", "2 choose a password with a link from " + links, "1 are deactivated", "New groups: dev, ops.",
		"line 2, ada@example.org: becomes administrator"} {
		if !strings.Contains(out, want) {
			t.Errorf("the preview lacks %q:\n%s", want, out)
		}
	}
	if _, err := os.Stat(links); code != exitOK || errs != "" || err == nil || exported(t, dir) != before {
		t.Fatalf("a preview: %d %q", code, errs)
	}
	if code, _, errs := importPeople(t, dir, args...); code != exitUsage || !strings.Contains(errs, "--yes") || exported(t, dir) != before {
		t.Fatalf("a script without --yes: %d %q", code, errs)
	}
	code, out, errs = importPeople(t, dir, append(args, "--yes")...)
	if code != exitOK || !strings.Contains(out, "Added 3 people.") {
		t.Fatalf("%d %q %q", code, out, errs)
	}
	info, err := os.Stat(links)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error("the file of links: ", info, err)
	}
	text, err := os.ReadFile(links)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(text), "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][0] != `'=HYPERLINK("x");'+1` || rows[2][1] != "bob@example.org" {
		t.Errorf("%q %v", rows, err)
	}
	for _, row := range rows[1:] {
		if !regexp.MustCompile(`^https://portal\.example\.org/welcome/[A-Za-z0-9_-]{43}$`).MatchString(row[2]) {
			t.Errorf("%q", row)
		}
	}
	if code, _, errs := importPeople(t, dir, append(args, "--yes")...); code != exitFailed || !strings.Contains(errs, "exists already") {
		t.Errorf("once more into the same file: %d %q", code, errs)
	}
	code, out, errs = importPeople(t, dir, file, "--admins", "--yes")
	if code != exitOK || !strings.Contains(out, "left as they are: 3.") || !strings.Contains(out, "nothing to do") {
		t.Errorf("once more: %d %q %q", code, out, errs)
	}
}

// TestExportRoundTrips imports an export into an empty workspace: the same people.
func TestExportRoundTrips(t *testing.T) {
	dir := workspace(t)
	if code, _, errs := importPeople(t, dir, fileWith(t, "people.csv", table), "--admins", "--create-groups", "--invite", "later",
		"--yes"); code != exitOK {
		t.Fatal(errs)
	}
	all := exported(t, dir)
	if !strings.Contains(all, `"'=HYPERLINK(""x"");'+1"`) {
		t.Errorf("an export opens formulas: %q", all)
	}
	other := workspace(t)
	code, out, errs := importPeople(t, other, fileWith(t, "export.csv", all), "--admins", "--create-groups", "--invite", "later", "--yes")
	if code != exitOK || !strings.Contains(out, "left as they are: 1.") || exported(t, other) != all {
		t.Errorf("%d %q %q\n%s\n%s", code, out, errs, all, exported(t, other))
	}
	_, out, _ = run(t, other, "", "people", "export", "--json")
	if !strings.Contains(out, `{"email":"bob@example.org","name":"Bob Ö","role":"member","user_name":"bob","groups":["dev"],"active":true}`) ||
		!strings.Contains(out, `"groups":[],"active":false}`) {
		t.Error(out)
	}
}

// TestImportListsEveryFault names each line in which something is wrong, and writes nothing.
func TestImportListsEveryFault(t *testing.T) {
	dir := workspace(t)
	file := fileWith(t, "people.csv", "email,name,role,user_name,groups\n"+
		"ada@example.org,Ada,super-administrator,,\nbob@,Bob,,,\ncy@example.org,Cy,,,ops\ndi@example.org,Di,,root,\n"+
		"ada@example.org,Ada,,,\n\"ed@example.org\",Ed,boss\x1b[2J,,admins\n")
	before := exported(t, dir)
	code, out, errs := importPeople(t, dir, file, "--yes", "--invite", "later")
	want := []string{
		file + ":2: this would make somebody super-administrator; allow it with --admins",
		file + ":3: not a valid e-mail address (expected name@example.org)",
		file + ":4: there is no group ops; make it with gatehouse group add, or those that are missing with --create-groups",
		file + ":6: ada@example.org stands in line 2 already",
		file + `:7: boss\x1b[2J is no role (expected member, administrator, it-administrator or super-administrator)`,
		file + ":7: the name admins is reserved for a role; give the group another with --map-group admins=operators, or leave it out with --map-group admins=",
		"gatehouse: nothing was written: 6 faults to mend in the file", "",
	}
	if got := strings.Split(errs, "\n"); code != exitFailed || !reflect.DeepEqual(got, want) || exported(t, dir) != before {
		t.Errorf("%d %s\n got %q\nwant %q", code, out, got, want)
	}
}

// TestImportTakesOldPasswords imports a users database and an htpasswd that Apache's own program
// made, and says what becomes of each password.
func TestImportTakesOldPasswords(t *testing.T) {
	dir := workspace(t)
	hash, err := bcrypt.GenerateFromPassword([]byte("old password"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := fileWith(t, "users_database.yml", fmt.Sprintf(`users:
  admin:
    displayname: "Ada"
    email: ada@example.org
    password: "%s"
    groups: [admins, dev]
  'Bob Li':
    displayname: 'Bob'
    email: bob@example.org
    password: "$argon2id$v=19$m=1048576,t=1,p=8$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
    disabled: true
`, hash))
	code, out, errs := importPeople(t, dir, file, "--map-group", "admins=operators", "--create-groups", "--yes")
	for _, want := range []string{
		"is a users database of Authelia with 2 people.", "  1 sign in with the password that they have\n", "  1 are deactivated\n",
		"New groups: dev, operators.",
		"line 2, ada@example.org: the user name admin gives rights in some apps",
		"line 7, bob@example.org: the password's hash (argon2id with m=1048576,t=1,p=8) costs more than is taken over: none in its place",
		`line 7, bob@example.org: "Bob Li" cannot be a user name for apps`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if code != exitOK || !strings.Contains(exported(t, dir), `"ada@example.org","Ada","member","admin","dev;operators","yes"`) {
		t.Errorf("%d %s %s", code, out, errs)
	}

	if _, err := exec.LookPath("htpasswd"); err != nil {
		t.Skip("apache2-utils is not installed")
	}
	path := filepath.Join(t.TempDir(), "passwords")
	for i, args := range [][]string{{"-cbB", "hy"}, {"-bm", "md"}, {"-bs", "sha"}, {"-bd", "crypt"}} {
		if out, err := exec.Command("htpasswd", args[0], path, args[1], "oldpass").CombinedOutput(); err != nil {
			t.Fatalf("%d: %s", i, out)
		}
	}
	if code, _, errs := importPeople(t, dir, path, "--yes", "--invite", "later"); code != exitFailed || !strings.Contains(errs, "--domain") {
		t.Errorf("without a domain: %d %s", code, errs)
	}
	code, out, errs = importPeople(t, dir, path, "--domain", "example.org", "--yes", "--invite", "later")
	for _, want := range []string{"is an htpasswd with 4 people.", "  1 sign in with the password", "  3 choose a password with a link",
		"line 2, md@example.org: the password's hash (apr1) cannot be taken over: a link in its place",
		"line 3, sha@example.org: the password's hash (SHA-1)", "line 4, crypt@example.org: the password's hash ("} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if code != exitOK {
		t.Errorf("%d %s %s", code, out, errs)
	}
}

// TestImportNeedsToKnow refuses what is missing or cannot go together, and leaves no file behind.
func TestImportNeedsToKnow(t *testing.T) {
	dir, file := workspace(t), fileWith(t, "people.csv", table)
	links := filepath.Join(t.TempDir(), "links.csv")
	for want, c := range map[string]struct {
		code int
		args []string
	}{
		"add --links FILE":        {exitUsage, []string{file, "--admins", "--create-groups", "--yes"}},
		"--base-url":              {exitUsage, []string{file, "--links", links, "--yes"}},
		"choose one":              {exitUsage, []string{file, "--links", links, "--invite", "mail", "--yes"}},
		"no mail server is set":   {exitFailed, []string{file, "--admins", "--create-groups", "--invite", "mail", "--yes"}},
		"--map-group takes":       {exitUsage, []string{file, "--map-group", "admins"}},
		"with - nobody can be":    {exitUsage, []string{"-"}},
		"cannot read the file":    {exitFailed, []string{file + "x"}},
		"there are no users":      {exitFailed, []string{fileWith(t, "p.yml", "a: b\n"), "--yes"}},
		"expected name:hash":      {exitFailed, []string{file, "--format", "htpasswd", "--yes"}},
		"cannot make the file":    {exitFailed, []string{file, "--admins", "--create-groups", "--links", filepath.Join(links, "x"), "--base-url", "https://a.example.org", "--yes"}},
		"no column is called":     {exitFailed, []string{fileWith(t, "p.csv", "a,b\nc,d\n")}},
		"larger than 32 MiB":      {exitFailed, []string{fileWith(t, "p.csv", strings.Repeat(" ", roster.MaxSize+1))}},
		"there is nobody in this": {exitFailed, []string{fileWith(t, "p.csv", "email\n")}},
	} {
		code, out, errs := importPeople(t, dir, c.args...)
		if code != c.code || !strings.Contains(errs, want) {
			t.Errorf("%q: %d %q %q", c.args, code, out, errs)
		}
	}
	if _, err := os.Stat(links); err == nil {
		t.Error("a refused import has left a file of links")
	}
	if got := exported(t, dir); strings.Count(got, "\n") != 2 {
		t.Errorf("somebody was added: %s", got)
	}
}

// TestImportWords has a sentence for every problem.
func TestImportWords(t *testing.T) {
	for kind, text := range problemTexts {
		if got := faultText(roster.Problem{Kind: kind, Text: "X", Line: 7}); strings.ContainsAny(got, "%") || got == "" ||
			strings.Contains(text, "%s") && !strings.Contains(got, "X") {
			t.Errorf("%s: %q", kind, got)
		}
	}
}

// TestImportDocument follows docs/import.md to the letter.
func TestImportDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/import.md")
	if err != nil {
		t.Fatal(err)
	}
	data, commands := workspace(t), 0
	dir := t.TempDir()
	for _, block := range regexp.MustCompile("(?s)\n```([a-z._]+)\n(.*?)```\n").FindAllStringSubmatch(string(text), -1) {
		if block[1] != "sh" {
			if err := os.WriteFile(filepath.Join(dir, block[1]), []byte(block[2]), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for line := range strings.Lines(block[2]) {
			command, into, _ := strings.Cut(strings.TrimSpace(line), " > ")
			args := strings.Fields(command)[1:]
			for i, arg := range args {
				if slices.Contains([]string{".csv", ".yml", ".htpasswd"}, filepath.Ext(arg)) {
					args[i] = filepath.Join(dir, arg)
				}
			}
			code, out, errs := run(t, data, "", args...)
			if code != exitOK {
				t.Errorf("%s: %d %s", command, code, errs)
			}
			if into != "" {
				if err := os.WriteFile(filepath.Join(dir, into), []byte(out), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			commands++
		}
	}
	if got := exported(t, data); commands != 6 || strings.Count(got, "\n") != 8 ||
		!strings.Contains(got, `"dora@example.org","Dora Maar","member","dora","dev;operators","yes"`) {
		t.Errorf("%d commands give\n%s", commands, got)
	}
	for file, links := range map[string]int{"links.csv": 2, "links-2.csv": 1} {
		if text, err := os.ReadFile(filepath.Join(dir, file)); err != nil || strings.Count(string(text), "/welcome/") != links {
			t.Errorf("%s: %s %v", file, text, err)
		}
	}
}
