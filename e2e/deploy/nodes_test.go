package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"gatehouse/e2e/loopback"
)

// A cluster is a PostgreSQL server with the documented roles, and nodes that serve from it.
type cluster struct {
	t      testing.TB
	server *server
	key    string // the key file, of which each node has a copy
	base   string // how browsers reach it
}

// newCluster makes the database as docs/deploy.md does: the owner's role makes the tables, the servers' role serves.
// Ada is Super-administrator.
func newCluster(t testing.TB, settings ...string) *cluster {
	t.Helper()
	return newClusterOn(t, newServer(t, settings...), func() {})
}

// newClusterOn does it on a server, and something more before there are tables.
func newClusterOn(t testing.TB, server *server, empty func()) *cluster {
	t.Helper()
	c := &cluster{t: t, server: server, key: filepath.Join(t.TempDir(), "gatehouse.key")}
	c.server.script(absolute(t, "../../docs/postgres/roles.sql"))
	empty()
	write(t, c.key, strings.Repeat("k", 32))
	requireCommand(t, "", "migrate", "--server-role", "gatehouse", "--database", c.owner())
	requireCommand(t, password+"\n", append(c.flags(), "user", "add", ada, "--name", "Ada", "--role", "super-administrator",
		"--new-workspace")...)
	return c
}

func absolute(t testing.TB, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func (c *cluster) owner() string { return c.server.url("gatehouse_owner", "gatehouse") }

// flags are what every command needs here.
func (c *cluster) flags() []string {
	return []string{"--database", c.server.url("gatehouse", "gatehouse"), "--key-file", c.key}
}

// node starts a node with a key file of its own. The first one's address is how browsers reach the workspace.
func (c *cluster) node(flags ...string) (p *process, address string) {
	c.t.Helper()
	p, address = c.unready(flags...)
	healthy(c.t, p, address)
	return p, address
}

// unready starts a node, and does not wait.
func (c *cluster) unready(flags ...string) (p *process, address string) {
	c.t.Helper()
	data := c.t.TempDir()
	copyFile(c.t, c.key, filepath.Join(data, "gatehouse.key"))
	address = loopback.Free(c.t)
	if c.base == "" {
		c.base = "http://" + address
	}
	return start(c.t, nil, program, append([]string{"serve", "--data", data, "--listen", address, "--base-url", c.base,
		"--database", c.server.url("gatehouse", "gatehouse")}, flags...)...), address
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// at is the same browser, at another node.
func (b *browser) at(address string) *browser {
	other := newBrowser(b.t, b.base, address, "127.0.0.1", nil)
	other.client.Jar = b.client.Jar
	return other
}

// kill ends a process as a power cut does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// nodeStatus is what gatehouse status --json tells.
type nodeStatus struct {
	Schema int
	Nodes  []struct {
		Name    string
		Serves  bool
		Key     bool
		NextKey string `json:"next_key"`
	}
}

func (c *cluster) status() (s nodeStatus) {
	c.t.Helper()
	if err := json.Unmarshal([]byte(requireCommand(c.t, "", append(c.flags(), "status", "--json")...)), &s); err != nil {
		c.t.Fatal(err)
	}
	return s
}

// TestNodes signs in on one node and clicks on the other, kills one and goes on: nobody is signed out, and what was
// answered is there. The role that serves owns nothing, and cannot touch what was written to the activity.
func TestNodes(t *testing.T) {
	c := newCluster(t)
	one, first := c.node()
	two, second := c.node()
	for _, p := range []*process{one, two} {
		if strings.Contains(p.output.String(), "/setup/") {
			t.Error("a node prints a set-up link, and there are people")
		}
	}
	b := newBrowser(t, c.base, first, "127.0.0.1", nil)
	b.post("/signin", 303, "email", ada, "password", password)
	b.at(second).get("/my")
	general := "/admin/settings/general"
	b.at(second).post(general, 200, "workspace", "Acme of two", "seen", seenOn(t, b.at(second).get(general)))
	eventually(t, "the name, which each node keeps for a moment, is the other's", func() error {
		if page := newBrowser(t, c.base, first, "127.0.0.1", nil).get("/signin"); !strings.Contains(page, "Acme of two") {
			return errors.New("it is the one from before")
		}
		return nil
	})
	if s := c.status(); len(s.Nodes) != 2 || !s.Nodes[0].Serves || !s.Nodes[1].Serves || !s.Nodes[0].Key {
		t.Errorf("status: %+v", s)
	}
	_, found := command(t, "", append(c.flags(), "doctor", "--json")...)
	for _, want := range []string{`"check":"reach","level":"ok"`, `"check":"clock","level":"ok"`,
		`"check":"nodes","level":"ok","seen":"2 nodes serve the workspace`, `"seen":"PostgreSQL, schema`} {
		if !strings.Contains(found, want) {
			t.Errorf("doctor says nothing of %s:\n%s", want, found)
		}
	}

	// Sign-ins go on on both while one is killed: each session that was answered goes on at the other.
	var mu sync.Mutex
	var signedIn []*browser
	var all sync.WaitGroup
	for i := range 8 {
		address := []string{first, second}[i%2]
		all.Go(func() {
			for range 4 {
				own := newBrowser(t, c.base, address, "127.0.0.1", nil)
				if own.try("/signin", "email", ada, "password", password) == http.StatusSeeOther {
					mu.Lock()
					signedIn = append(signedIn, own)
					mu.Unlock()
				}
			}
		})
	}
	eventually(t, "somebody has signed in", func() error {
		mu.Lock()
		defer mu.Unlock()
		if len(signedIn) < 8 {
			return fmt.Errorf("%d have", len(signedIn))
		}
		return nil
	})
	one.kill()
	all.Wait()
	for _, own := range append(signedIn, b) {
		own.at(second).get("/my")
	}
	t.Logf("%d sign-ins were answered, before and after the kill", len(signedIn))

	two.stop()
	if s := c.status(); len(s.Nodes) != 1 {
		t.Errorf("after one was stopped and one killed: %+v; want the killed one alone", s)
	}
	for _, statement := range []string{`DELETE FROM activity`, `UPDATE activity SET ok = FALSE`, `TRUNCATE activity`,
		`DROP TABLE person`, `ALTER TABLE activity DISABLE TRIGGER ALL`, `CREATE TABLE mine (id int)`} {
		if out, err := c.server.try("psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statement, c.server.url("gatehouse",
			"gatehouse")); err == nil || !strings.Contains(out, "permission denied") && !strings.Contains(out, "must be owner") {
			t.Errorf("%s as the servers' role: %v %s", statement, err, out)
		}
	}
	if out, err := c.server.try("psql", "-qAtX", "-c", `DELETE FROM activity`, c.owner()); err == nil || !strings.Contains(out,
		"append only") {
		t.Errorf("the owner deletes activity: %v %s", err, out)
	}
}

// try posts a form and gives the status, or 0 where no answer came.
func (b *browser) try(path string, fields ...string) int {
	form := make([]string, 0, len(fields)/2)
	for i := 0; i+1 < len(fields); i += 2 {
		form = append(form, urlPair(fields[i], fields[i+1]))
	}
	r, err := http.NewRequest(http.MethodPost, b.base+path, strings.NewReader(strings.Join(form, "&")))
	if err != nil {
		return 0
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.base)
	answer, err := b.client.Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	b.last = answer
	return answer.StatusCode
}

var seenField = regexp.MustCompile(`name="seen" value="([^"]*)"`)

// seenOn is what the form on a page shows.
func seenOn(t testing.TB, page string) string {
	t.Helper()
	found := seenField.FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no form with seen on the page:\n%s", page)
	}
	return found[1]
}

// TestNodesFromTheDocument follows docs/deploy.md to the letter, on directories that stand for two machines, and signs in
// through Caddy and through nginx. One node is killed behind each: the next click works, and nobody is signed out.
func TestNodesFromTheDocument(t *testing.T) {
	blocks := nodeCommands(t)
	db := newServer(t)
	cut := []string{"gatehouse_owner:PASSWORD@db.example.org/gatehouse?sslmode=verify-full", "gatehouse_owner@" + db.address + "/gatehouse",
		"gatehouse:PASSWORD@db.example.org/gatehouse?sslmode=verify-full", "gatehouse@" + db.address + "/gatehouse"}
	released := releasedFiles(t, "gatehouse-0.5.0-linux-amd64")
	write(t, filepath.Join(released, "roles.sql"), read(t, "../../docs/postgres/roles.sql"))
	own := newPair(t, t.TempDir(), "portal.example.org")
	sh := func(root, commands string) {
		t.Helper()
		cmd := exec.Command("sh", "-eu", "-c", rooted(commands, root))
		cmd.Dir = released
		cmd.Env = append(os.Environ(), "PGHOST=127.0.0.1", "PGPORT="+port(db.address), "PGUSER=postgres",
			"PATH="+strings.Join([]string{filepath.Join(root, "stubs"), filepath.Join(root, "usr/local/bin"),
				filepath.Dir(postgresTool(t, "psql")), os.Getenv("PATH")}, ":"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s\n%s", err, commands, out)
		}
	}
	machines := []string{newMachine(t), newMachine(t)}
	sh(machines[0], blocks[0])
	sh(machines[0], replace(t, blocks[1], cut...))
	for _, name := range []string{"var/lib/gatehouse/gatehouse.key", "etc/gatehouse/database"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(machines[1], name)), 0o700); err != nil {
			t.Fatal(err)
		}
		copyFile(t, filepath.Join(machines[0], name), filepath.Join(machines[1], name))
	}
	sh(machines[1], blocks[2])

	at := loopback.Free(t)
	base := "https://portal.example.org:" + port(at)
	addresses := []string{loopback.Free(t), loopback.Free(t)}
	run := func(i int) *process {
		root := machines[i]
		unit := read(t, filepath.Join(root, "etc/systemd/system/gatehouse.service")) +
			read(t, filepath.Join(root, "etc/systemd/system/gatehouse.service.d/nodes.conf"))
		env := environment(t, unit, map[string]string{"%S/": filepath.Join(root, "var/lib") + "/",
			"%d/": filepath.Join(root, "etc/gatehouse") + "/"})
		env = append(env, "GATEHOUSE_LISTEN="+addresses[i], "GATEHOUSE_BASE_URL="+base, "GATEHOUSE_TRUSTED_PROXY=127.0.0.1")
		p := start(t, env, filepath.Join(root, "usr/local/bin/gatehouse"), "serve")
		healthy(t, p, addresses[i])
		return p
	}
	nodes := []*process{run(0), run(1)}
	link := regexp.MustCompile(regexp.QuoteMeta(base) + `(/setup/\S+)`).FindStringSubmatch(nodes[0].output.String())
	if link == nil || strings.Contains(nodes[1].output.String(), "/setup/") {
		t.Fatal("the node that starts first prints a set-up link, and the other none")
	}

	for i, proxy := range []struct {
		name string
		run  func(t *testing.T, at string, upstreams []string, own pair) *process
	}{{"Caddy", caddyNodes}, {"nginx", nginxNodes}} {
		p := proxy.run(t, at, addresses, own)
		eventually(t, proxy.name+" answers", func() error {
			_, err := serial(at, "portal.example.org", own.roots)
			return err
		})
		b := newBrowser(t, base, at, "127.0.0.1", own.roots)
		if i == 0 {
			b.post(link[1], 303, "workspace", "Acme", "name", "Ada", "email", ada, "password", password)
			b.post("/signout", 303)
			b.wholeSignIn()
		} else {
			requireCommand(t, password+"\n", "--database-file", filepath.Join(machines[0], "etc/gatehouse/database"), "--data",
				filepath.Join(machines[0], "var/lib/gatehouse"), "user", "add", "bob@example.org", "--name", "Bob")
			b.post("/signin", 303, "email", "bob@example.org", "password", password)
		}
		nodes[i].kill()
		for range 10 { // in turn, where the killed one comes as well
			b.get("/my")
		}
		nodes[i] = run(i)
		for range 4 {
			b.get("/my")
		}
		b.post("/signout", 303)
		p.stop()
	}
}

// nodeCommands are the blocks of commands in the part about nodes: on the database's server, the first node, and others.
func nodeCommands(t *testing.T) (blocks []string) {
	t.Helper()
	_, part, found := strings.Cut(read(t, "../../docs/deploy.md"), "\n## Two nodes and more, on PostgreSQL\n")
	part, _, _ = strings.Cut(part, "\n## ")
	for {
		_, rest, more := strings.Cut(part, "```sh\n")
		if !more {
			break
		}
		var block string
		block, part, _ = strings.Cut(rest, "```")
		blocks = append(blocks, block)
	}
	if !found || len(blocks) != 3 {
		t.Fatalf("docs/deploy.md has %d blocks of commands about nodes, want 3", len(blocks))
	}
	return blocks
}

// releasedFiles is a directory with the program and what is released beside it.
func releasedFiles(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, name), string(binary))
	for _, document := range []string{"gatehouse.service", "postgres/gatehouse-nodes.conf"} {
		write(t, filepath.Join(dir, filepath.Base(document)), read(t, "../../docs/"+document))
	}
	return dir
}

// newMachine is a directory that stands for a machine's root, without a systemd to speak to.
func newMachine(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"usr/local/bin", "etc/systemd/system", "stubs", "var/lib"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"systemctl", "journalctl"} {
		stub := filepath.Join(root, "stubs", name)
		write(t, stub, "#!/bin/sh\n")
		if err := os.Chmod(stub, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// rooted lets commands work on a directory that stands for the root.
func rooted(commands, root string) string {
	for _, dir := range []string{"/usr/local/", "/etc/", "/var/lib/"} {
		commands = strings.ReplaceAll(commands, dir, root+dir)
	}
	return commands
}

// caddyNodes and nginxNodes run the documented proxies in front of two nodes.

func caddyNodes(t *testing.T, at string, upstreams []string, own pair) *process {
	t.Helper()
	dir := t.TempDir()
	site := replace(t, read(t, "../../docs/proxy/Caddyfile-nodes"), "portal.example.org {",
		"https://portal.example.org:"+port(at)+" {\n\tbind 127.0.0.1\n\ttls "+own.cert+" "+own.key,
		"10.0.0.11:8080", upstreams[0], "10.0.0.12:8080", upstreams[1])
	return runCaddy(t, dir, site)
}

func nginxNodes(t *testing.T, at string, upstreams []string, own pair) *process {
	t.Helper()
	return runNginx(t, replace(t, read(t, "../../docs/proxy/nginx-nodes.conf"), "listen 443 ssl", "listen "+at+" ssl",
		"/etc/ssl/portal.pem", own.cert, "/etc/ssl/portal.key", own.key,
		"10.0.0.11:8080", upstreams[0], "10.0.0.12:8080", upstreams[1]))
}

func urlPair(name, value string) string {
	return strings.NewReplacer("@", "%40", " ", "+").Replace(name + "=" + value)
}
