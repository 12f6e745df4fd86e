package db_test

import (
	"bufio"
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/db/dbtest/server"
	"gatehouse/db/hash"
	"gatehouse/twofactor"

	"modernc.org/sqlite"
)

// writeFixture makes the newest schema's fixture, for the day of its release, when
// released names it: go test ./db -run TestFixtures -args -write-fixture
var writeFixture = flag.Bool("write-fixture", false, "make the newest schema's fixture")

// A fixture is a workspace as a released version left it, in
// testdata/schema-N, with what it takes to sign in there.
type fixture struct {
	Email, Secret, RecoveryCode string
}

func fixtureDir(schema int) string {
	return filepath.Join("testdata", fmt.Sprintf("schema-%d", schema))
}

// makeFixture fills a workspace with a row of most kinds.
func makeFixture(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	store := dbtest.OpenRecommended(t, dir)
	dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	dbtest.Add(t, store, "ben@example.org", twofactor.Member)
	ada := enrol(t, store, "ada@example.org", start)
	signIn(t, store, "ben@example.org", start)
	challenged(t, store, "ada@example.org", start)
	by := db.Machine("root").Author()
	group, groupErr := store.AddGroup(ctx, "makers", by, start)
	_, appErr := store.AddApp(ctx, db.NewApp{
		AppFacts: db.AppFacts{Name: "Wiki", Address: "https://wiki.example.org"},
		Access:   db.AppAccess{Groups: []string{"makers"}},
		Guarded:  true,
	}, by, start)
	if err := errors.Join(groupErr, appErr,
		store.ChangeGroupMembers(ctx, group, db.GroupChange{Add: []string{"ben@example.org"}}, by, start),
		store.SetPolicy(ctx, twofactor.Policy{Admins: true}, by, start)); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	note, err := json.Marshal(fixture{"ada@example.org", ada.secret, ada.codes[0].Text()})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "fixture.json"), note, 0o600); err != nil {
		t.Fatal(err)
	}
}

// unpack copies a fixture to a directory of its own.
func unpack(t *testing.T, schema int) (dir string, f fixture) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{db.FileName, db.KeyFileName} {
		writeFile(t, filepath.Join(dir, name), readFile(t, filepath.Join(fixtureDir(schema), name)))
	}
	if err := json.Unmarshal(readFile(t, filepath.Join(fixtureDir(schema), "fixture.json")), &f); err != nil {
		t.Fatal(err)
	}
	return dir, f
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// execRaw runs SQL behind the store's back.
func execRaw(t *testing.T, path string, query string) {
	t.Helper()
	file := openRaw(t, path)
	defer file.Close()
	if _, err := file.Exec(query); err != nil {
		t.Fatal(err)
	}
}

// openRaw opens a workspace's database without a store: the file, or on PostgreSQL the
// database that belongs to its directory.
func openRaw(t *testing.T, path string) *sql.DB {
	t.Helper()
	driver, at := "sqlite", path
	if url := server.Of(filepath.Dir(path)); url != "" {
		driver, at = "pgx", url
	}
	file, err := sql.Open(driver, at)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// queryText reads one column of one row.
func queryText(t *testing.T, path, query string) string {
	t.Helper()
	file := openRaw(t, path)
	defer file.Close()
	var s string
	if err := file.QueryRow(query).Scan(&s); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return s
}

// schemaOf is every table, index and trigger of a file, in the order of names, without
// comments and indentation, which a column that an upgrade has added lacks.
func schemaOf(t *testing.T, path string) string {
	t.Helper()
	text := queryText(t, path, `SELECT group_concat(type || ' ' || name || ' ' || coalesce(sql, ''), char(10) || char(7))
		FROM (SELECT * FROM sqlite_schema ORDER BY name)`)
	text = strings.Join(strings.Fields(sqlComment.ReplaceAllString(text, "")), " ")
	text = strings.NewReplacer(" , ", ", ", " )", ")").Replace(text) // a column that was added stands close
	return strings.ReplaceAll(text, "\a", "\n")
}

var sqlComment = regexp.MustCompile(`--[^\n]*`)

func options(t *testing.T, dir string) db.Options {
	t.Helper()
	o := dbtest.Options(t, dir)
	o.Upgrade, o.Hashing = true, hash.Parameters{}
	return o
}

// released are the schemas of the versions that have been released.
var released = []int{1, 2, 3, 10}

// TestFixtures opens a workspace of every schema that there has been: it comes
// to the same schema as a new one, everything opens, and people sign in.
func TestFixtures(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	if *writeFixture {
		makeFixture(t, fixtureDir(db.Newest()))
	}
	for _, schema := range released {
		t.Run(fmt.Sprintf("schema %d", schema), func(t *testing.T) {
			dir, f := unpack(t, schema)
			store, err := db.Open(ctx, options(t, dir))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = store.Close() })
			fresh := t.TempDir()
			dbtest.OpenIn(t, fresh)
			if got, want := schemaOf(t, filepath.Join(dir, db.FileName)), schemaOf(t,
				filepath.Join(fresh, db.FileName)); got != want {
				t.Fatalf("the upgraded file has another schema than a new one; add a migration:\n%s\n\nwant\n%s", got, want)
			}
			if n, err := store.Check(ctx); err != nil || n != 1 {
				t.Errorf("%d secrets open, %v; want 1", n, err)
			}
			later := start.Add(time.Hour)
			token := challenged(t, store, f.Email, later)
			if p, err := store.VerifyCode(ctx, token, dbtest.Code(t, f.Secret, later), db.Client{},
				later); err != nil || p.Session == "" {
				t.Errorf("the app's code: %+v, %v", p, err)
			}
			token = challenged(t, store, f.Email, later)
			if p, _, err := store.RedeemRecoveryCode(ctx, token, f.RecoveryCode, db.Client{},
				later); err != nil || p.Session == "" || p.CodesLeft != twofactor.RecoveryCodes-1 {
				t.Errorf("the recovery code: %+v, %v", p, err)
			}
		})
	}
}

// TestUpgradeTellsActorsApart has rows of every kind of actor from before the kind was
// a column of its own.
func TestUpgradeTellsActorsApart(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	dir, _ := unpack(t, 2)
	path := filepath.Join(dir, db.FileName)
	execRaw(t, path, `INSERT INTO activity (id, at, event, ok, actor_id, actor) VALUES
		(9001, 1900000000, 'user_updated', 1, 1, ''),
		(9002, 1900000001, 'sys_policy_changed', 1, NULL, 'os:root'),
		(9003, 1900000002, 'authn_login_fail', 0, NULL, 'unknown:0123456789abcdef'),
		(9004, 1900000003, 'authn_login_fail', 0, NULL, '')`)
	execRaw(t, path, `INSERT INTO notice (activity_id) VALUES (9002)`)
	store, err := db.Open(ctx, options(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	got := queryText(t, path, `SELECT group_concat(actor_kind || ' ' || coalesce(actor_id, '') || ' ' || actor, ',')
		FROM (SELECT * FROM activity WHERE id > 9000 ORDER BY id)`)
	if want := "person 1 ,machine  os:root,stranger  unknown:0123456789abcdef,stranger  "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	open, err := store.Notices(ctx)
	if err != nil || open.Count == 0 || open.Newest[0].Actor != (account.Party{
		Kind: account.ActorMachine,
		Name: "os:root",
	}) {
		t.Errorf("notices: %+v, %v", open, err)
	}
	for _, statement := range []string{`UPDATE activity SET ok = 0`, `DELETE FROM activity`} {
		file := openFile(t, path)
		if _, err := file.ExecContext(ctx, statement); err == nil || !strings.Contains(err.Error(), "append only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// TestUpgradeOfNames brings a workspace of schema 2 up to date in which people have
// accents, domains beside ASCII and names beside Latin: all are found and ordered, sign
// in with what a browser sends, and none is lost where two addresses become one.
func TestUpgradeOfNames(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	dir, _ := unpack(t, 2)
	path := filepath.Join(dir, db.FileName)
	for _, p := range [][2]string{
		{"Zoë Strauß", "zoe@bücher.example"}, {"山田太郎", "taro@例え.テスト"}, {"O'Connor", "oc@example.org"},
		{"Ünal (old)", "uenal@straße.example"}, {"Ünal (new)", "uenal@xn--strae-oqa.example"},
		{"Jürgen", "jürgen@example.org"}, {"émile", "emile@foo_bar.example"},
	} {
		execRaw(t, path, fmt.Sprintf(`INSERT INTO person (name, email, role, password_hash, made_at)
			SELECT %s, '%s', 'member', password_hash, made_at FROM person WHERE email = 'ben@example.org'`,
			"'"+strings.ReplaceAll(p[0], "'", "''")+"'", p[1]))
	}
	o := options(t, dir)
	store, err := db.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	for given, want := range map[string]string{
		"zoe@xn--bcher-kva.example":   "Zoë Strauß",
		"Zoe@BÜCHER.example":          "Zoë Strauß",
		"taro@xn--r8jz45g.xn--zckzah": "山田太郎",
		"taro@例え.テスト":                 "山田太郎",
		"uenal@straße.example":        "Ünal (old)",
		"uenal@xn--strae-oqa.example": "Ünal (new)",
		"jürgen@example.org":          "Jürgen",
		"emile@foo_bar.example":       "émile",
	} {
		if p, err := store.PersonByEmail(ctx, given); err != nil || p.Name != want {
			t.Errorf("%s finds %q, %v; want %s", given, p.Name, err, want)
		}
		if p, err := store.SignIn(ctx, given, dbtest.Password, "", db.Client{}, start); err != nil || p.Session == "" {
			t.Errorf("%s does not sign in: %v", given, err)
		}
	}
	var names []string
	if err := store.EachPerson(ctx, func(p db.Person) error { names = append(names, p.Name); return nil }); err != nil {
		t.Fatal(err)
	}
	want := "émile, Jürgen, O'Connor, Person of ada@example.org, Person of ben@example.org, Ünal (new), Ünal (old), Zoë Strauß, 山田太郎"
	if got := strings.Join(names, ", "); got != want {
		t.Errorf("the order is %s; want %s", got, want)
	}
	for search, want := range map[string]string{"太郎": "山田太郎", "oconnor": "O'Connor", "strauss": "Zoë Strauß",
		"unal": "Ünal (new), Ünal (old)", "ben": "Person of ben@example.org"} {
		requireFound(t, store, search, want)
	}

	// Whoever kept an address of before keeps it through other changes.
	jurgen, err := store.PersonByEmail(ctx, "jürgen@example.org")
	if err != nil {
		t.Fatal(err)
	}
	by := db.Machine("root").Author()
	if err := store.ChangePerson(ctx, jurgen.ID, account.Seen{}, db.NewPerson{
		Name:  "Jürgen K.",
		Email: jurgen.Email,
		Role:  twofactor.Member,
	}, by, start); err != nil {
		t.Errorf("another name: %v", err)
	}
	if err := store.ChangePerson(ctx, jurgen.ID, account.Seen{}, db.NewPerson{
		Name:  "Jürgen K.",
		Email: "jörgen@example.org",
		Role:  twofactor.Member,
	}, by, start); !errors.Is(err, account.FieldError{Field: "email", Reason: account.NoBrowser}) {
		t.Errorf("another address that no browser sends: %v", err)
	}
}

// exampleSteps are two made-up migrations that follow schema 1.
var exampleSteps = []string{
	`CREATE TABLE pet (id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL REFERENCES person (id)) STRICT; INSERT INTO pet (person_id) SELECT id FROM person;`,
	`ALTER TABLE pet ADD COLUMN name TEXT NOT NULL DEFAULT 'Rex';`,
}

// atSchema1 is a workspace of schema 1, closed.
func atSchema1(t *testing.T) (dir, path string) {
	t.Helper()
	dir, _ = unpack(t, 1)
	return dir, filepath.Join(dir, db.FileName)
}

func TestUpgrade(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	t.Run("the steps run in order, after a copy aside that the older version opens", func(t *testing.T) {
		dir, path := atSchema1(t)
		store, err := db.OpenSteps(ctx, options(t, dir), exampleSteps)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		if got := queryText(t, path, `SELECT count(*) || ' ' || max(name) || ' ' || (SELECT user_version
			FROM pragma_user_version) FROM pet`); got != "2 Rex 3" {
			t.Errorf("after the upgrade: %q, want 2 pets named Rex at schema 3", got)
		}
		copyName := path + ".schema-1"
		if info, err := os.Stat(copyName); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("the copy aside: %v, %v; want one that only its owner reads", info, err)
		}
		old := t.TempDir()
		writeFile(t, filepath.Join(old, db.FileName), readFile(t, copyName))
		writeFile(t, filepath.Join(old, db.KeyFileName), readFile(t, filepath.Join(dir, db.KeyFileName)))
		older, err := db.OpenSteps(ctx, options(t, old), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := older.Close(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a second start has nothing to do", func(t *testing.T) {
		dir, path := atSchema1(t)
		for range 2 {
			store, err := db.OpenSteps(ctx, options(t, dir), exampleSteps)
			if err != nil {
				t.Fatal(err)
			}
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(path + ".schema-1"); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
		if _, err := os.Stat(path + ".schema-1"); !os.IsNotExist(err) {
			t.Errorf("the second start made a copy aside: %v", err)
		}
	})
	t.Run("a copy aside from before is kept", func(t *testing.T) {
		dir, path := atSchema1(t)
		writeFile(t, path+".schema-1", []byte("somebody's"))
		store, err := db.OpenSteps(ctx, options(t, dir), exampleSteps)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		if got := string(readFile(t, path+".schema-1")); got != "somebody's" {
			t.Errorf("it is overwritten with %d bytes", len(got))
		}
		if got := queryText(t, path+".schema-1-2", `SELECT user_version FROM pragma_user_version`); got != "1" {
			t.Errorf("the second copy is of schema %s", got)
		}
	})
	t.Run("an upgrade that fails leaves no copy at each start", func(t *testing.T) {
		dir, path := atSchema1(t)
		for range 2 {
			if _, err := db.OpenSteps(ctx, options(t, dir), []string{`NONSENSE`}); err == nil {
				t.Fatal("it was opened")
			}
		}
		if left, err := filepath.Glob(path + ".*"); err != nil || len(left) != 0 {
			t.Errorf("it left %v, %v", left, err)
		}
	})
	refused := map[string]struct {
		change func(t *testing.T, dir, path string)
		o      func(*db.Options)
		steps  []string
		says   string
	}{
		"a command beside the server upgrades nothing": {
			o:     func(o *db.Options) { o.Upgrade = false },
			steps: exampleSteps,
			says:  "older Gatehouse (schema 1, this one uses 3); start the server",
		},
		"a newer file is refused": {
			change: func(t *testing.T, _, path string) { execRaw(t, path, `PRAGMA user_version = 9`) },
			steps:  exampleSteps,
			says:   "newer Gatehouse (schema 9, this one knows 3)",
		},
		"a step that fails leaves the file as it was": {
			steps: append(slices.Clone(exampleSteps), `CREATE TABLE pet (x)`),
			says:  "upgrading from schema 3",
		},
		"a step that breaks a reference is rolled back": {
			steps: []string{`DELETE FROM person`},
			says:  "refers to rows that are not there",
		},
		"a missing key is told before anything is upgraded": {
			change: func(t *testing.T, dir, _ string) { removeFile(t, filepath.Join(dir, db.KeyFileName)) },
			steps:  exampleSteps,
			says:   "key file",
		},
		"another key is told before anything is upgraded": {
			change: func(t *testing.T, dir, _ string) { writeFile(t, filepath.Join(dir, db.KeyFileName), make([]byte, 32)) },
			steps:  exampleSteps,
			says:   "does not belong to the database",
		},
		"without room for the copy aside nothing is changed": {
			change: func(t *testing.T, _, path string) { makeDir(t, path+".schema-1/in-the-way") },
			steps:  exampleSteps,
			says:   "copying the database aside",
		},
	}
	for name, c := range refused {
		t.Run(name, func(t *testing.T) {
			dir, path := atSchema1(t)
			if c.change != nil {
				c.change(t, dir, path)
			}
			o := options(t, dir)
			if c.o != nil {
				c.o(&o)
			}
			before := readFile(t, path)
			store, err := db.OpenSteps(ctx, o, c.steps)
			if err == nil {
				_ = store.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %q; want %q in it", err, c.says)
			}
			if !bytes.Equal(readFile(t, path), before) {
				t.Error("the file has changed")
			}
		})
	}
}

func removeFile(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func makeDir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

// upgradeHere names the directory that a process of TestUpgradeKilled upgrades.
const upgradeHere = "GATEHOUSE_TEST_UPGRADE"

// TestUpgradeKilled kills a process in the middle of an upgrade, with its
// transaction half done, and starts both versions on what is left.
func TestUpgradeKilled(t *testing.T) {
	dbtest.OnlySQLite(t)
	if dir := os.Getenv(upgradeHere); dir != "" {
		upgradeAndHang(t, dir)
	}
	if testing.Short() {
		t.Skip("kills processes")
	}
	for name, version := range map[string][]string{"the older version starts": nil,
		"the newer version starts over": exampleSteps} {
		t.Run(name, func(t *testing.T) {
			dir, path := atSchema1(t)
			killInUpgrade(t, dir)
			store, err := db.OpenSteps(ctx, options(t, dir), version)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			if n, err := store.OpenEnrollments(ctx); err != nil || n != 1 {
				t.Errorf("%d secrets open, %v", n, err)
			}
			if got, want := queryText(t, path, `PRAGMA user_version`), fmt.Sprint(len(version)+1); got != want {
				t.Errorf("schema %s, want %s", got, want)
			}
			if got := queryText(t, path, `SELECT count(*) FROM sqlite_schema WHERE name = 'half'`); got != "0" {
				t.Error("half of the upgrade stayed")
			}
		})
	}
}

// killInUpgrade runs this test's own program on a directory until it hangs in
// the middle of a step, and kills it there.
func killInUpgrade(t *testing.T, dir string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestUpgradeKilled$")
	child.Env = append(os.Environ(), upgradeHere+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if killed := child.Process.Kill(); err != nil || killed != nil || line != "in the middle\n" {
		t.Fatalf("the upgrade said %q, %v; kill: %v", line, err, killed)
	}
	_ = child.Wait() // it was killed
}

// upgradeAndHang begins an upgrade whose step writes more than the cache holds
// and then never ends.
func upgradeAndHang(t *testing.T, dir string) {
	sqlite.MustRegisterScalarFunction("hang", 0, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		fmt.Println("in the middle")
		select {}
	})
	_, err := db.OpenSteps(ctx, options(t, dir), []string{`CREATE TABLE half (x BLOB) STRICT;
		INSERT INTO half WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) SELECT randomblob(2000) FROM n;
		UPDATE person SET name = 'nobody';
		SELECT hang();`})
	t.Fatalf("the upgrade ended: %v", err)
}
