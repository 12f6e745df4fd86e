package deploy

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestBackupOfAServer writes a backup from PostgreSQL and puts it into a directory, into an empty database, and what
// pg_dump took into another one: the people are there, nobody is signed in, and the servers' role may not prune.
func TestBackupOfAServer(t *testing.T) {
	c := newCluster(t)
	p, address := c.node()
	b := newBrowser(t, c.base, address, "127.0.0.1", nil)
	secret := b.enrol()
	b.post("/signin", 303, "email", ada, "password", password)
	b.post("/signin/two-factor", 303, "code", code(t, secret, 1))
	file := filepath.Join(t.TempDir(), "backup.db")
	requireCommand(t, "", append(c.flags(), "backup", file)...)
	dump := filepath.Join(c.server.dir, "dump")
	c.server.run("pg_dump", "-Fc", "-f", dump, c.server.url("postgres", "gatehouse"))

	requireIn := func(what string, flags ...string) {
		t.Helper()
		if out := requireCommand(t, "", append(flags, "check", "--key-file", c.key)...); !strings.Contains(out, "every sealed secret opens (1)") {
			t.Errorf("%s: %s", what, out)
		}
		if out := requireCommand(t, "", append(flags, "user", "list", "--key-file", c.key)...); !strings.Contains(out, ada) {
			t.Errorf("%s: %s", what, out)
		}
	}
	for _, name := range []string{"restored", "dumped"} {
		c.server.sql("postgres", `CREATE DATABASE `+name+` OWNER gatehouse_owner`)
	}
	data := filepath.Join(t.TempDir(), "data")
	requireCommand(t, "", "restore", file, "--data", data, "--key-file", c.key)
	requireIn("in a directory", "--data", data)
	restored, dumped := c.server.url("gatehouse_owner", "restored"), c.server.url("gatehouse_owner", "dumped")
	requireCommand(t, "", "restore", file, "--database", restored, "--data", filepath.Join(t.TempDir(), "data"), "--key-file", c.key)
	requireIn("in a database", "--database", restored)
	if code, out := command(t, "", "restore", file, "--database", restored, "--data", t.TempDir(), "--key-file", c.key); code != 1 ||
		!strings.Contains(out, "there is a workspace already") {
		t.Errorf("into one that is in use: %d %s", code, out)
	}

	c.server.run("pg_restore", "-d", c.server.url("postgres", "dumped"), dump)
	if code, out := command(t, "", "restore", "--in-place", "--database", dumped, "--key-file", c.key); code != 1 ||
		!strings.Contains(out, "stop all nodes first") {
		t.Errorf("what says that it is served: %d %s", code, out)
	}
	c.server.sql("dumped", `UPDATE node SET seen_at = seen_at - 60`) // as half a minute later
	requireCommand(t, "", "restore", "--in-place", "--database", dumped, "--key-file", c.key)
	requireIn("after pg_restore", "--database", dumped)
	for _, name := range []string{"restored", "dumped"} {
		if got := c.server.sql(name, `SELECT (SELECT count(*) FROM session) + (SELECT count(*) FROM challenge) + (SELECT count(*) FROM node)`); got != "0" {
			t.Errorf("%s: %s rows of access are left", name, got)
		}
		if got := c.server.sql(name, `SELECT count(*) FROM activity WHERE event = 'sys_workspace_restored'`); got == "0" {
			t.Errorf("%s: no row says that it was restored", name)
		}
	}

	p.stop()
	c.server.sql("gatehouse", `INSERT INTO activity (at, event, ok, actor_kind, actor) VALUES (1, 'x', TRUE, 'machine', 'os:test')`)
	prune := []string{"activity", "prune", "--before", "2020-01-01", "--key-file", c.key}
	if code, out := command(t, "", append(prune, "--database", c.server.url("gatehouse", "gatehouse"))...); code != 1 ||
		!strings.Contains(out, "the role that owns the tables") {
		t.Errorf("the servers' role prunes: %d %s", code, out)
	}
	if got := c.server.sql("gatehouse", `SELECT count(*) FROM activity WHERE at = 1`); got != "1" {
		t.Errorf("%s of 1 row is left", got)
	}
	requireCommand(t, "", append(prune, "--database", c.owner())...)
	if got := c.server.sql("gatehouse", `SELECT count(*) FROM activity WHERE at = 1`); got != "0" {
		t.Errorf("%s rows are left", got)
	}
}
