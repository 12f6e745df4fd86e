package deploy

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// insideVariable is set where a test runs as the only one on a machine: see onAMachine.
const insideVariable = "GATEHOUSE_TEST_MACHINE"

// machineSetUp makes a process's own view of the machine: what is written to the directories of the documents is gone
// with it, and the loopback is its own, with every port free.
const machineSetUp = `
ip link set lo up
mount -t tmpfs tmpfs "$1"
for dir in etc root usr/local var/lib var/backups var/log; do
	mkdir -p "$1/$dir/upper" "$1/$dir/work" "/$dir"
	mount -t overlay overlay -o "lowerdir=/$dir,upperdir=$1/$dir/upper,workdir=$1/$dir/work" "/$dir"
done
mkdir "$1/tmp"
mount --bind "$1/tmp" /run
mount -t tmpfs tmpfs /sys/fs/cgroup 2>/dev/null || true # as in small containers
for name in portal wiki app; do echo "127.0.0.1 $name.example.org" >> /etc/hosts; done
shift
exec "$@"
`

// onAMachine runs the rest of a test alone, as root in namespaces of its own: mounts and a network. It reports whether
// this process is that one.
func onAMachine(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideVariable) != "" {
		return true
	}
	tool(t, "ip", "iproute2")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 4*timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", machineSetUp, "sh", dir, self, "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), insideVariable+"=yes", "GATEHOUSE_TEST_PROGRAM="+program)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case strings.Contains(string(out), "=== RUN") && err == nil:
	case strings.Contains(string(out), "=== RUN"):
		t.Errorf("on the machine: %v\n%s", err, out)
	default:
		t.Skipf("no namespaces may be made here (%v): nothing is tested\n%s", err, out)
	}
	return false
}

// A walk follows a document on a machine: its blocks of commands, in a directory with what was released.
type walk struct {
	t        *testing.T
	document string
	released string
	env      []string
}

// newWalk has what a new user has: a directory with what was released, and the machine's commands. There is no systemd;
// what stands for it does what the units say. Packages are there already.
func newWalk(t *testing.T, document string) *walk {
	t.Helper()
	w := &walk{t: t, document: read(t, document), released: t.TempDir()}
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(w.released, "gatehouse-0.5.0-linux-amd64"), string(binary))
	write(t, filepath.Join(w.released, "SHA256SUMS"), fmt.Sprintf("%x  gatehouse-0.5.0-linux-amd64\n", sha256.Sum256(binary)))
	write(t, filepath.Join(w.released, "roles.sql"), read(t, "../../docs/postgres/roles.sql"))
	stubs := t.TempDir()
	for _, name := range []string{"systemctl", "journalctl"} {
		write(t, filepath.Join(stubs, name), read(t, filepath.Join("testdata", name)))
	}
	for name, script := range map[string]string{
		"apt-get": "#!/bin/sh\nfor one; do case $one in -*|install) ;; *) echo \"$one\" >> /run/packages ;; esac; done\n",
		"certbot": "#!/bin/sh\nmkdir -p /etc/letsencrypt/live/gatehouse\ncp /run/certificate/* /etc/letsencrypt/live/gatehouse/\n",
		"useradd": "#!/bin/sh\necho \"$@\" | grep -q -- '--system'\n",
		"nft":     "#!/bin/sh\n[ \"$1 $2 $3\" = '--check --file /etc/nftables.conf' ]\n",
	} {
		if name == "nft" {
			if _, err := exec.LookPath("nft"); err == nil {
				continue
			}
		}
		write(t, filepath.Join(stubs, name), script)
	}
	entries, err := os.ReadDir(stubs)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if err := os.Chmod(filepath.Join(stubs, entry.Name()), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.env = append(os.Environ(), "PATH="+stubs+":/usr/local/bin:"+os.Getenv("PATH"))
	t.Cleanup(func() {
		for _, unit := range []string{"gatehouse", "caddy", "nginx"} {
			w.sh("systemctl stop "+unit, "")
		}
	})
	return w
}

// sh runs commands as they stand, with what is typed.
func (w *walk) sh(commands, typed string) string {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "output") // not a pipe: what is started in the background holds it open
	out, err := os.Create(file)
	if err != nil {
		w.t.Fatal(err)
	}
	defer out.Close()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	sh := exec.CommandContext(ctx, "bash", "-eu", "-c", "portal=portal.example.org wiki=wiki.example.org\n"+commands)
	sh.Dir, sh.Env, sh.Stdin, sh.Stdout, sh.Stderr = w.released, w.env, strings.NewReader(typed), out, out
	if err := sh.Run(); err != nil {
		w.t.Fatalf("%v\n%s\n%s", err, commands, read(w.t, file))
	}
	return read(w.t, file)
}

// blocks are the blocks of commands in a part of the document, from its heading to the next of its level or above.
func (w *walk) blocks(heading string) (blocks []string) {
	w.t.Helper()
	_, part, found := strings.Cut(w.document, "\n"+heading+"\n")
	if !found {
		w.t.Fatalf("the document has no %q", heading)
	}
	part, _, _ = strings.Cut(part, "\n## ")
	if strings.HasPrefix(heading, "### ") {
		part, _, _ = strings.Cut(part, "\n### ")
	}
	for {
		_, rest, more := strings.Cut(part, "```sh\n")
		if !more {
			return blocks
		}
		var block string
		block, part, _ = strings.Cut(rest, "```")
		blocks = append(blocks, block)
	}
}

// follow runs the blocks of a part, and returns what they printed.
func (w *walk) follow(heading, typed string) string {
	w.t.Helper()
	blocks := w.blocks(heading)
	if len(blocks) == 0 {
		w.t.Fatalf("%s has no commands", heading)
	}
	return w.sh(strings.Join(blocks, ""), typed)
}

// curl asks as a browser on the machine would, and returns the status and where it leads.
func (w *walk) curl(address string) string {
	w.t.Helper()
	return w.sh("curl --silent --insecure --header 'Accept: text/html' --header 'Sec-Fetch-Mode: navigate' --header 'Sec-Fetch-Dest: document' --output /dev/null --write-out '%{http_code} %{redirect_url}' "+address, "")
}

// TestDocument follows docs/deploy.md to the letter on a machine of its own: ten commands to a guarded app, a backup and a
// drill, the restore, an upgrade and back, other proxies and users, and a unix socket.
func TestDocument(t *testing.T) {
	t.Parallel()
	if !onAMachine(t) {
		return
	}
	w := newWalk(t, "../../docs/deploy.md")
	blocks := w.blocks("## Ten commands")
	if n := strings.Count(blocks[0], "\n"); n != 11 { // and the line with the names
		t.Errorf("%d lines, want the names and ten commands", n)
	}
	out := w.sh(strings.Join(blocks, ""), password+"\n")
	if !regexp.MustCompile(`(?m)^https://portal\.example\.org/welcome/\S+$`).MatchString(out) {
		t.Errorf("no invitation:\n%s", out)
	}
	w.wantGuarded("Caddy")
	w.openTheWiki(regexp.MustCompile(`https://portal\.example\.org(/welcome/\S+)`).FindStringSubmatch(out)[1])
	if out := w.sh("gatehouse policy show", ""); strings.Contains(out, "metrics") || !strings.Contains(strings.ToLower(out), "everyone") {
		t.Errorf("the policy: %s", out)
	}
	if out := w.follow("## Firewall", ""); out != "" {
		t.Logf("the firewall says %s", out)
	}
	w.follow("## Backup", "")
	drill := w.follow("## A restore drill", "")
	if !strings.Contains(drill, ada) || !strings.Contains(drill, "ben@example.org") {
		t.Errorf("the drill does not say who is in the backup:\n%s", drill)
	}
	w.sh("gatehouse user add late@example.org --name Late", password+"\n")
	w.sh("backup=$(ls -1 /var/backups/gatehouse/*.db | tail -n 1)\n"+w.blocks("## Restore")[0], "")
	if out := w.sh("gatehouse user list", ""); strings.Contains(out, "late@") || !strings.Contains(out, ada) {
		t.Errorf("after the restore:\n%s", out)
	}
	w.wantGuarded("Caddy, after a restore")

	upgrade := w.blocks("## Upgrade and rollback")
	if out := w.sh(upgrade[0], ""); !strings.Contains(out, "kept     /etc/gatehouse/gatehouse.key") || !strings.HasSuffix(out, "ok\n") {
		t.Errorf("the upgrade says:\n%s", out)
	}
	w.sh("cp /var/lib/gatehouse/gatehouse.db /var/lib/gatehouse/gatehouse.db.schema-10", "") // as from an older one
	w.sh("gatehouse user add late@example.org --name Late", password+"\n")
	w.sh(upgrade[1], "")
	if out := w.sh("gatehouse user list", ""); strings.Contains(out, "late@") {
		t.Errorf("after the rollback:\n%s", out)
	}

	w.follow("## Logs and files", "")
	service := w.blocks("## The service")
	w.sh(service[0], "")
	w.sh("systemctl stop caddy\ngatehouse app remove Wiki --yes", "")
	own := newPair(t, t.TempDir(), "portal.example.org", "wiki.example.org")
	w.sh(fmt.Sprintf("mkdir /run/certificate\ncp %s /run/certificate/fullchain.pem\ncp %s /run/certificate/privkey.pem", own.cert, own.key), "")
	w.follow("### nginx", "")
	w.wantGuarded("nginx")
	if got := w.curl("http://portal.example.org/my"); got != "308 https://portal.example.org/my" {
		t.Errorf("http leads to %s", got)
	}
	if out := w.sh(service[1], ""); !strings.Contains(out, "reverse_proxy unix//run/gatehouse/gatehouse.sock\n") {
		t.Errorf("the socket: %s", out)
	}
}

// openTheWiki is what Ben does with his link: a password, the second step without which nothing opens, and the app.
func (w *walk) openTheWiki(link string) {
	t := w.t
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:3000")
	if err != nil {
		t.Fatal(err)
	}
	app := &http.Server{Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(out, "I am %s", r.Header.Get("Remote-User"))
	})}
	go func() { _ = app.Serve(listener) }()
	t.Cleanup(func() { _ = app.Close() })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(read(t, "/run/stand-in/caddy/pki/authorities/local/root.crt")))
	b := newBrowser(t, "https://portal.example.org", "127.0.0.1:443", "127.0.0.1", roots)
	b.header.Set("Accept", "text/html")
	b.header.Set("Sec-Fetch-Mode", "navigate")
	b.header.Set("Sec-Fetch-Dest", "document")
	b.get(link)
	b.post(link, 303, "name", "Ben", "password", password)
	if b.last.Header.Get("Location") == "/signin" {
		b.post("/signin", 303, "email", "ben@example.org", "password", password)
	}
	if at, _, text := b.visit("https://wiki.example.org/page"); !strings.HasPrefix(at, "https://portal.example.org/") || strings.Contains(text, "I am") {
		t.Errorf("without a second step the wiki opens at %s:\n%s", at, text)
	}
	found := secretOnCard.FindStringSubmatch(b.post("/my/profile/two-factor/enable", 200))
	if found == nil {
		t.Fatal("no secret on the card")
	}
	b.post("/my/profile/two-factor/confirm", 200, "code", code(t, strings.ReplaceAll(found[1], " ", ""), 0))
	if at, _, text := b.visit("https://wiki.example.org/page"); at != "https://wiki.example.org/page" || text != "I am ben" {
		t.Errorf("the wiki is at %s:\n%s", at, text)
	}
}

// wantGuarded demands that the proxy leads to the portal, and asks it before it lets anybody to the app.
func (w *walk) wantGuarded(proxy string) {
	w.t.Helper()
	if got := w.curl("https://portal.example.org/signin"); got != "200 " {
		w.t.Errorf("%s: the portal answers %s", proxy, got)
	}
	if got := w.curl("https://wiki.example.org/page"); !strings.HasPrefix(got, "303 https://portal.example.org/enter/wiki") &&
		got != "303 https://wiki.example.org/.gatehouse/start?to=%2Fpage" { // which leads there
		w.t.Errorf("%s: the app answers a stranger %s", proxy, got)
	}
}

// TestDocumentWithoutAProxy follows the same document where Gatehouse has its certificate by itself, from a real ACME
// server, up to the first Super-administrator's second step.
func TestDocumentWithoutAProxy(t *testing.T) {
	t.Parallel()
	if !onAMachine(t) {
		return
	}
	w := newWalk(t, "../../docs/deploy.md")
	ca := newAuthority(t, "127.0.0.1:80", "127.0.0.1:443", 90*days)
	w.sh("install -m 0644 "+ca.ca+" /run/authority.pem", "") // the service's user has to read it
	w.env = append(w.env, "GATEHOUSE_ACME_DIRECTORY="+ca.directory, "GATEHOUSE_ACME_CA=/run/authority.pem")
	out := w.follow("### Gatehouse itself", "")
	link := regexp.MustCompile(`https://portal\.example\.org(/setup/\S+)`).FindStringSubmatch(out)
	if link == nil {
		t.Fatalf("no set-up link:\n%s", out)
	}
	eventually(t, "the certificate", func() error {
		_, err := serial("127.0.0.1:443", "portal.example.org", ca.roots)
		return err
	})
	b := newBrowser(t, "https://portal.example.org", "127.0.0.1:443", "127.0.0.1", ca.roots)
	b.get(link[1])
	b.post(link[1], 303, "workspace", "Acme", "name", "Ada", "email", ada, "password", password)
	b.post("/signout", 303)
	b.wholeSignIn()
	if _, err := os.Stat("/var/lib/gatehouse/gatehouse.key"); !os.IsNotExist(err) {
		t.Errorf("there is a key beside the database: %v", err)
	}
}

// TestUnits has systemd read the units.
func TestUnits(t *testing.T) {
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here")
	}
	dir := t.TempDir()
	for _, name := range []string{"gatehouse.service", "gatehouse.socket", "gatehouse-backup.service", "gatehouse-backup.timer"} {
		write(t, filepath.Join(dir, name), strings.ReplaceAll(read(t, "../../docs/"+name), "/usr/local/bin/gatehouse", "/bin/true"))
	}
	for _, dropIn := range []string{"gatehouse-tls.conf", "postgres/gatehouse-nodes.conf"} {
		if err := os.MkdirAll(filepath.Join(dir, "gatehouse.service.d"), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "gatehouse.service.d", filepath.Base(dropIn)), read(t, "../../docs/"+dropIn))
	}
	cmd := exec.Command(verify, "verify", "--man=no", filepath.Join(dir, "gatehouse.service"), filepath.Join(dir, "gatehouse.socket"),
		filepath.Join(dir, "gatehouse-backup.service"), filepath.Join(dir, "gatehouse-backup.timer"))
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), dir) {
		t.Errorf("%v\n%s", err, out)
	}
}

// environment is what a unit's Environment lines set, with systemd's words for directories put in.
func environment(t *testing.T, unit string, specifiers map[string]string) []string {
	t.Helper()
	var env []string
	for line := range strings.Lines(unit) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "Environment="); ok {
			for word, dir := range specifiers {
				value = strings.ReplaceAll(value, word, dir)
			}
			env = append(env, value)
		}
	}
	if len(env) == 0 {
		t.Fatal("the unit sets nothing")
	}
	return env
}

// TestContainers looks at what can be looked at without an engine: the variables of both files of Docker Compose and of the
// Dockerfile are those of flags, the proxy's configuration is what the program prints, and a volume of another owner is
// answered with what to do.
func TestContainers(t *testing.T) {
	t.Parallel()
	manual := requireCommand(t, "", "man")
	for _, name := range []string{"docs/compose/compose.yaml", "docs/postgres/compose.yaml", "Dockerfile"} {
		variables := regexp.MustCompile(`GATEHOUSE_[A-Z_]+`).FindAllString(read(t, "../../"+name), -1)
		if len(variables) == 0 {
			t.Errorf("%s sets nothing", name)
		}
		for _, variable := range variables {
			if !strings.Contains(manual, variable) {
				t.Errorf("%s sets %s, which is no flag's", name, variable)
			}
		}
	}
	data := dataWithAda(t)
	requireCommand(t, "", "app", "add", "Wiki", "https://wiki.example.org", "--guard", "--everyone", "--data", data)
	shown := requireCommand(t, "", "app", "show", "Wiki", "--caddy", "--gatehouse", "gatehouse:8080", "--upstream", "wiki:80", "--data", data)
	caddyfile := read(t, "../../docs/compose/Caddyfile")
	if !strings.Contains(caddyfile, shown) {
		t.Errorf("docs/compose/Caddyfile is not what the program shows:\n%s", shown)
	}
	if out, err := exec.Command(tool(t, "caddy", "caddy"), "validate", "--config", "../../docs/compose/Caddyfile", "--adapter", "caddyfile").
		CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if os.Geteuid() != 0 {
		return // the rest takes two users
	}
	volume, err := os.MkdirTemp("", "gatehouse-volume-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(volume) })
	serve := exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--data", volume)
	serve.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	if out, err := serve.CombinedOutput(); err == nil || !strings.Contains(string(out), "chown -R 65532:65532 "+volume) {
		t.Errorf("a volume of root's: %v\n%s", err, out)
	}
}
