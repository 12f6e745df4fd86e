package deploy

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"gatehouse/e2e/loopback"
)

// nobody is the user that the service runs as in these tests when they are run by root; otherwise all is one user.
const nobody = 65534

// A service is a data directory that belongs to the service's user, beside whom root runs commands.
type service struct {
	t    *testing.T
	data string
	uid  int
	as   *syscall.SysProcAttr // nil when the tests cannot change the user
}

func newService(t *testing.T) *service {
	t.Helper()
	above, err := os.MkdirTemp("", "gatehouse-owner-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(above) })
	s := &service{t: t, data: filepath.Join(above, "data"), uid: os.Geteuid()}
	if err := errors.Join(os.Chmod(above, 0o755), os.Mkdir(s.data, 0o700)); err != nil {
		t.Fatal(err)
	}
	if s.uid == 0 {
		s.uid = nobody
		s.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		if err := os.Chown(s.data, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	} else {
		t.Log("not run by root: the service and who looks after it are one user here")
	}
	return s
}

// root runs a command as whoever looks after the machine.
func (s *service) root(input string, args ...string) string {
	s.t.Helper()
	return requireCommand(s.t, input, append(args, "--data", s.data)...)
}

// check runs gatehouse check as the service's user: everything that it needs is readable, and the database writable.
func (s *service) check(after string) {
	s.t.Helper()
	cmd := exec.Command(program, "check", "--data", s.data)
	cmd.SysProcAttr = s.as
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Errorf("after %s the service cannot use its files: %v\n%s", after, err, out)
	}
	s.owned(after)
}

// owned demands that everything in the data directory belongs to the service, and is for it alone.
func (s *service) owned(after string) {
	s.t.Helper()
	err := filepath.WalkDir(s.data, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if owner := info.Sys().(*syscall.Stat_t); int(owner.Uid) != s.uid || info.Mode().Perm()&0o077 != 0 {
			s.t.Errorf("after %s: %s has mode %v and belongs to %d; want %d", after, filepath.Base(path), info.Mode(),
				owner.Uid, s.uid)
		}
		return nil
	})
	if err != nil {
		s.t.Error(err)
	}
}

// serveOnce serves, until stop is called.
func (s *service) serveOnce(as *syscall.SysProcAttr, flags ...string) (p *process, address string) {
	s.t.Helper()
	address = loopback.Free(s.t)
	p = startAs(s.t, as, nil, program, append([]string{"serve", "--data", s.data, "--listen", address}, flags...)...)
	healthy(s.t, p, address)
	return p, address
}

// TestFilesBelongToTheService runs every command that makes files as root, in a directory of the service's user.
func TestFilesBelongToTheService(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.root(password+"\n", "user", "add", ada, "--name", "Ada", "--role", "super-administrator", "--new-workspace")
	s.check("user add")
	s.root("", "key", "rotate")
	s.check("key rotate")
	inside := filepath.Join(s.data, "backup.db")
	s.root("", "backup", inside)
	s.check("backup")
	s.root("", "restore", inside)
	s.check("restore")

	p, _ := s.serveOnce(nil) // once as root
	s.owned("serve, while it runs")
	if _, err := os.Stat(filepath.Join(s.data, "gatehouse.db-wal")); err != nil {
		t.Errorf("no journal to look at: %v", err)
	}
	if err := p.cmd.Process.Kill(); err != nil { // and its journal stays
		t.Fatal(err)
	}
	<-p.ended
	s.check("serve, which was killed")

	p, _ = s.serveOnce(s.as)
	s.root(password+"\n", "user", "add", "late@example.org", "--name", "Late")
	s.root("", "key", "rotate")
	s.check("commands beside the service")
	p.stop()
	s.check("the service")
}

// TestUpgradeAsRoot upgrades data of the first version: the copy aside is the service's, too.
func TestUpgradeAsRoot(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for _, name := range []string{"gatehouse.db", "gatehouse.key"} {
		write(t, filepath.Join(s.data, name), read(t, filepath.Join("../../db/testdata/schema-1", name)))
		if err := os.Chown(filepath.Join(s.data, name), s.uid, s.uid); err != nil && os.Geteuid() == 0 {
			t.Fatal(err)
		}
	}
	p, _ := s.serveOnce(nil)
	p.stop()
	if _, err := os.Stat(filepath.Join(s.data, "gatehouse.db.schema-1")); err != nil {
		t.Error(err)
	}
	s.check("the upgrade")
}

// TestDirectoryMadeByRoot is made inside the service's, for the service.
func TestDirectoryMadeByRoot(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.data = filepath.Join(s.data, "deeper", "data")
	s.root(password+"\n", "user", "add", ada, "--name", "Ada", "--new-workspace")
	s.check("user add in a directory that was missing")
}

// TestLinksAreNotFollowed puts links in the way of every file that root makes, as the service's user could.
func TestLinksAreNotFollowed(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.root(password+"\n", "user", "add", ada, "--name", "Ada", "--new-workspace")
	backup := filepath.Join(filepath.Dir(s.data), "backup.db")
	s.root("", "backup", backup)
	victim := filepath.Join(filepath.Dir(s.data), "victim")
	write(t, victim, "root's own")
	before, err := os.Stat(victim)
	if err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(filepath.Dir(s.data), "missing")
	for _, name := range []string{
		"gatehouse.lock", "gatehouse.db.new", "gatehouse.db.restoring", "gatehouse.key.new", "gatehouse.key.next.new",
		"taken.db", "taken.db.new",
	} {
		for i, target := range []string{victim, missing} {
			link := filepath.Join(s.data, name)
			if i == 1 {
				link += ".dangling"
				if name == "gatehouse.lock" || name == "taken.db" {
					link = filepath.Join(s.data, name)
				}
			}
			_ = os.Remove(link)
			if err := os.Symlink(target, link); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code, output := command(t, "", "restore", backup, "--data", s.data); code != 1 {
		t.Errorf("restore with a lock that is a link: exit %d, %s", code, output)
	}
	if err := os.Remove(filepath.Join(s.data, "gatehouse.lock")); err != nil {
		t.Fatal(err)
	}
	s.root("", "restore", backup)
	s.root("", "key", "rotate")
	if code, output := command(t, "", "backup", filepath.Join(s.data, "taken.db"), "--data", s.data); code != 1 ||
		!strings.Contains(output, "exists already") {
		t.Errorf("a backup over a link: exit %d, %s", code, output)
	}
	after, err := os.Stat(victim)
	if err != nil || read(t, victim) != "root's own" ||
		after.Sys().(*syscall.Stat_t).Uid != before.Sys().(*syscall.Stat_t).Uid {
		t.Errorf("the file behind the links was changed: %v", err)
	}
	if _, err := os.Lstat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was made where a link leads: %v", err)
	}
}

// TestOpenToOthers refuses what other users could read or change, and says the command that closes
// it; that command helps.
func TestOpenToOthers(t *testing.T) {
	t.Parallel()
	data := dataWithAda(t)
	key := filepath.Join(data, "gatehouse.key")
	for _, c := range []struct {
		path string
		mode fs.FileMode
		says string
	}{
		{key, 0o644, "chmod 600 " + key},
		{key, 0o640, "chmod 600 " + key},
		{key, 0o602, "chmod 600 " + key},
		{data, 0o755, "chmod 700 " + data},
		{data, 0o770, "chmod 700 " + data},
		{data, 0o707, "chmod 700 " + data},
	} {
		if err := os.Chmod(c.path, c.mode); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"user", "list"}, {"check"},
			{"key", "rotate"}} {
			code, output := command(t, "", append(args, "--data", data)...)
			if code != 1 || !strings.Contains(output, c.says) || strings.Count(output, "\n") != 1 {
				t.Errorf("%v %s with mode %o: exit %d, %q; want a sentence with %q", args, filepath.Base(c.path),
					c.mode, code, output, c.says)
			}
		}
		if out, err := exec.Command("sh", "-c", c.says).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", c.says, err, out)
		}
		requireCommand(t, "", "check", "--data", data)
	}
	t.Run("a key that may only be read, as systemd hands it over", func(t *testing.T) {
		if err := os.Chmod(key, 0o400); err != nil {
			t.Fatal(err)
		}
		requireCommand(t, "", "check", "--data", data)
	})
	t.Run("an empty directory is closed before it is used", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		requireCommand(t, password+"\n", "user", "add", ada, "--name", "Ada", "--new-workspace", "--data", dir)
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v, %v", info, err)
		}
	})
	t.Run("a directory with other things in it is left as it is", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "thesis.txt"), "")
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		code, output := command(t, password+"\n", "user", "add", ada, "--name", "Ada", "--new-workspace", "--data", dir)
		names, err := os.ReadDir(dir)
		if code != 1 || !strings.Contains(output, "chmod 700") || err != nil || len(names) != 1 {
			t.Errorf("exit %d, %q, %v, %v", code, output, names, err)
		}
	})
}

// TestAKeyThatRootHands over, as systemd's LoadCredential and Kubernetes do: root's, and readable
// by the service's group.
func TestKeyHandedOverByRoot(t *testing.T) {
	t.Parallel()
	s := newService(t)
	key := filepath.Join(filepath.Dir(s.data), "key")
	s.root(password+"\n", "user", "add", ada, "--name", "Ada", "--new-workspace", "--key-file", key)
	if err := errors.Join(os.Chmod(key, 0o440)); err != nil {
		t.Fatal(err)
	}
	if s.as == nil { // one user: the group is of no use
		if err := os.Chmod(key, 0o400); err != nil {
			t.Fatal(err)
		}
	} else if err := os.Chown(key, 0, nobody); err != nil {
		t.Fatal(err)
	}
	p, _ := s.serveOnce(s.as, "--key-file", key)
	p.stop()
}

// TestPermissionErrorsNameTheUser starts the program where its user may not.
func TestPermissionErrorsNameTheUser(t *testing.T) {
	t.Parallel()
	s := newService(t)
	file := filepath.Join(filepath.Dir(s.data), "file")
	write(t, file, "")
	if code, output := command(t, "", "serve", "--data", filepath.Join(file, "data")); code != 1 ||
		!strings.Contains(output, "a file stands where a directory should be") {
		t.Errorf("a file for a directory: exit %d, %q", code, output)
	}
	if s.as == nil {
		return // the rest needs a user who may not
	}
	s.root(password+"\n", "user", "add", ada, "--name", "Ada", "--new-workspace")
	if err := filepath.WalkDir(s.data,
		func(path string, _ fs.DirEntry, _ error) error { return os.Chown(path, 0, 0) }); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"user", "list"}, {"check"},
		{"backup", "/tmp/never.db"}} {
		cmd := exec.Command(program, append(args, "--data", s.data)...)
		cmd.SysProcAttr = s.as
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "(uid 65534)") ||
			!strings.Contains(string(out), "belongs to root (uid 0)") {
			t.Errorf("%v: %v, %s", args, err, out)
		}
	}
}

// TestMistypedDirectory runs commands where no workspace is: none is made but by user add, which says so.
func TestMistypedDirectory(t *testing.T) {
	t.Parallel()
	above := t.TempDir()
	empty := filepath.Join(above, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{filepath.Join(above, "dta"), empty} {
		for _, args := range [][]string{
			{"user", "list"}, {"user", "unlock", ada}, {"two-factor", "status"}, {"policy", "show"},
			{"user", "invite", ada, "--name", "Ada", "--base-url", "http://127.0.0.1:8080"},
			{"backup", filepath.Join(above, "b.db")}, {"check"}, {"key", "rotate"},
		} {
			code, output := command(t, password+"\n", append(args, "--data", data)...)
			if code != 1 || !strings.Contains(output, "no workspace in "+data) || strings.Count(output, "\n") != 1 {
				t.Errorf("%v: exit %d, %q", args, code, output)
			}
		}
	}
	if names, err := os.ReadDir(above); err != nil || len(names) != 1 {
		t.Errorf("%v, %v; want nothing made", names, err)
	}
	if names, err := os.ReadDir(empty); err != nil || len(names) != 0 {
		t.Errorf("%v, %v; want nothing made", names, err)
	}
	for data, flags := range map[string][]string{empty: nil, filepath.Join(above, "new"): {"--new-workspace"}} {
		says := "There was no workspace in " + data
		output := requireCommand(t, password+"\n", append([]string{"user", "add", ada, "--name", "Ada", "--data", data}, flags...)...)
		if !strings.Contains(output, says) {
			t.Errorf("it makes one without a word: %q", output)
		}
		output = requireCommand(t, password+"\n", append([]string{"user", "add", "ben@example.org", "--name", "Ben", "--data", data}, flags...)...)
		if strings.Contains(output, says) {
			t.Errorf("the second time: %q", output)
		}
	}
}

// TestBackupDeletesNothing keeps whatever lies beside a backup's name.
func TestBackupDeletesNothing(t *testing.T) {
	t.Parallel()
	data, dir := dataWithAda(t), t.TempDir()
	for _, name := range []string{"b.db.new", "b.db.restoring", "b.db-wal", "b.db.new-wal"} {
		write(t, filepath.Join(dir, name), "somebody's")
	}
	requireCommand(t, "", "backup", filepath.Join(dir, "b.db"), "--data", data)
	if code, output := command(t, "", "backup", filepath.Join(dir, "b.db.new"), "--data", data); code != 1 ||
		!strings.Contains(output, "exists already") {
		t.Errorf("over another file: exit %d, %q", code, output)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 5 {
		t.Errorf("%v, %v", names, err)
	}
	for _, name := range names {
		if name.Name() != "b.db" && read(t, filepath.Join(dir, name.Name())) != "somebody's" {
			t.Errorf("%s was changed", name.Name())
		}
	}
	if output := requireCommand(t, "", "check", "--data", data); !strings.Contains(output, "newest activity: 20") {
		t.Errorf("check says %q", output)
	}
}

// TestWorkspaceIsIgnored says that a name for a new workspace names no old one.
func TestWorkspaceIsIgnored(t *testing.T) {
	t.Parallel()
	data := dataWithAda(t)
	p, _ := serve(t, data, "--workspace", "Acme")
	p.stop()
	if output := p.output.String(); !strings.Contains(output, "--workspace is ignored") ||
		!strings.Contains(output, `"name":"Workspace"`) {
		t.Errorf("it says nothing:\n%s", output)
	}
	p, _ = serve(t, data, "--workspace", "Workspace")
	p.stop()
	if output := p.output.String(); strings.Contains(output, "is ignored") {
		t.Errorf("the same name: %s", output)
	}
}

// TestSetupLinkOpens follows the printed link of a server that listens everywhere.
func TestSetupLinkOpens(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"", "0.0.0.0", "[::]", "127.0.0.1"} {
		at := host + ":" + port(loopback.Free(t))
		p := start(t, nil, program, "serve", "--data", filepath.Join(t.TempDir(), "data"), "--listen", at,
			"--insecure-http")
		link := regexp.MustCompile(`http://\S+/setup/\S+`)
		eventually(t, "the page of the set-up link for "+at, func() error {
			found := link.FindString(p.output.String())
			if found == "" {
				return errors.New("no link yet")
			}
			return ask(found)
		})
		p.stop()
	}
}

// TestFullOrReadOnlyDisk starts where nothing can be written, on a file system of its own
// where one may be mounted.
func TestFullOrReadOnlyDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Logf("no file system can be mounted here (%v): nothing is tested", err)
		return
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	data := filepath.Join(dir, "data")
	requireCommand(t, password+"\n", "user", "add", ada, "--name", "Ada", "--new-workspace", "--data", data)
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = filler.Write(make([]byte, 512))
	}
	if err := filler.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"serve", "--listen", "127.0.0.1:0"}, {"user", "add", "b@example.org", "--name", "B"},
		{"backup", filepath.Join(dir, "b.db")},
	} {
		if code, output := command(t, password+"\n", append(args, "--data", data)...); code != 1 ||
			!strings.Contains(output, "make room") {
			t.Errorf("%v on a full disk: exit %d, %q", args, code, output)
		}
	}
	if err := os.Remove(filler.Name()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if code, output := command(t, "", "serve", "--listen", "127.0.0.1:0", "--data", data); code != 1 ||
		!strings.Contains(output, "mount the file system for writing") {
		t.Errorf("a read-only disk: exit %d, %q", code, output)
	}
}

// TestRootBesideAServiceThatReadsThroughItsGroup runs commands as root where the key and the
// directory are root's and the service uses them through its group: they must neither be refused
// nor closed to the service.
func TestRootBesideAServiceThatReadsThroughItsGroup(t *testing.T) {
	t.Parallel()
	s := newService(t)
	if s.as == nil {
		t.Skip("takes two users")
	}
	key := filepath.Join(s.data, "gatehouse.key")
	s.root(password+"\n", "user", "add", ada, "--name", "Ada", "--new-workspace")
	both := func(want int, says string) {
		t.Helper()
		for _, as := range []*syscall.SysProcAttr{nil, s.as} {
			cmd := exec.Command(program, "check", "--data", s.data)
			cmd.SysProcAttr = as
			out, _ := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != want || !strings.Contains(string(out), says) {
				t.Errorf("as %v: exit %d, %s; want %q", as, cmd.ProcessState.ExitCode(), out, says)
			}
		}
	}
	set := func(path string, mode fs.FileMode) {
		t.Helper()
		if err := errors.Join(os.Chown(path, 0, nobody), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	set(key, 0o440)
	both(0, "")
	set(s.data, 0o770|fs.ModeSetgid)
	both(0, "")
	set(s.data, 0o777|fs.ModeSetgid)
	both(1, "chmod 77")
	set(s.data, 0o770|fs.ModeSetgid)
	set(key, 0o444)
	both(1, key)
	if _, output := command(t, "", "check", "--data", s.data); !strings.Contains(output, "chmod 440 "+key) {
		t.Errorf("the advice closes the key to the service: %s", output)
	}
	set(key, 0o440)
	if err := os.Chmod(s.data, 0o775|fs.ModeSetgid); err != nil { // as Kubernetes mounts a volume with fsGroup
		t.Fatal(err)
	}
	cmd := exec.Command(program, "check", "--data", s.data)
	cmd.SysProcAttr = s.as
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("a volume that the service cannot close: %v\n%s", err, out)
	}
}

// TestKeyThatBelongsToAnother says the command that hands the key over.
func TestKeyThatBelongsToAnother(t *testing.T) {
	t.Parallel()
	s := newService(t)
	if s.as == nil {
		t.Skip("takes two users")
	}
	key := filepath.Join(s.data, "gatehouse.key")
	s.root(password+"\n", "user", "add", ada, "--name", "Ada", "--new-workspace")
	for _, mode := range []fs.FileMode{0o600, 0o444} {
		if err := errors.Join(os.Chown(key, 0, 0), os.Chmod(key, mode)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "check", "--data", s.data)
		cmd.SysProcAttr = s.as
		out, err := cmd.CombinedOutput()
		_, advice, found := strings.Cut(string(out), ": chown ")
		if err == nil || !found {
			t.Fatalf("mode %o: %v, %s", mode, err, out)
		}
		if out, err := exec.Command("sh", "-c", "chown "+advice).CombinedOutput(); err != nil {
			t.Fatalf("chown %s: %v\n%s", advice, err, out)
		}
		s.check("the command that it says")
	}
}

// TestDatabaseThatCannotBeWritten says so in words.
func TestDatabaseThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.root(password+"\n", "user", "add", ada, "--name", "Ada", "--new-workspace")
	if err := os.Chmod(filepath.Join(s.data, "gatehouse.db"), 0o400); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "policy", "set", "--admins", "on", "--data", s.data)
	cmd.SysProcAttr = s.as
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "cannot be written; gatehouse runs as") ||
		strings.Contains(string(out), "UPDATE") {
		t.Errorf("%v, %s", err, out)
	}
}

// TestRestoreLooksOnly restores a copy of a stopped server's file from where nothing can be made,
// leaves nothing beside a backup, and words refusals for who restores.
func TestRestoreLooksOnly(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.root(password+"\n", "user", "add", ada, "--name", "Ada", "--new-workspace")
	shelf := filepath.Join(filepath.Dir(s.data), "shelf")
	if err := os.Mkdir(shelf, 0o755); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(shelf, "copy.db")
	write(t, backup, read(t, filepath.Join(s.data, "gatehouse.db")))
	if err := errors.Join(os.Chmod(backup, 0o444), os.Chmod(shelf, 0o555)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "restore", backup, "--data", s.data)
	cmd.SysProcAttr = s.as
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v, %s", err, out)
	}
	s.root("", "restore", backup)
	if names, err := os.ReadDir(shelf); err != nil || len(names) != 1 {
		t.Errorf("beside the backup stand %v, %v", names, err)
	}
	no := filepath.Join(filepath.Dir(s.data), "no")
	for content, says := range map[string]string{
		"":                        "choose another backup",
		"no database":             "choose another backup",
		read(t, backup)[:100_000]: "choose another backup",
	} {
		write(t, no, content)
		if code, output := command(t, "", "restore", no, "--data", s.data); code != 1 || !strings.Contains(output, says) ||
			strings.Contains(output, "data directory") {
			t.Errorf("%d bytes: exit %d, %s", len(content), code, output)
		}
	}
	if code, output := command(t, "", "restore", shelf, "--data", s.data); code != 1 ||
		!strings.Contains(output, "is no file") {
		t.Errorf("a directory: exit %d, %s", code, output)
	}
}

// TestBackupWhereRootMayGiveNothingAway backs up into somebody else's directory as a root without
// the right to change owners, as on a network file system or in a container.
func TestBackupWhereRootMayGiveNothingAway(t *testing.T) {
	t.Parallel()
	s := newService(t)
	if s.as == nil {
		t.Skip("takes two users")
	}
	s.root(password+"\n", "user", "add", ada, "--name", "Ada", "--new-workspace")
	shelf := filepath.Join(filepath.Dir(s.data), "shelf")
	if err := errors.Join(os.Mkdir(shelf, 0o777), os.Chown(shelf, nobody, nobody), os.Chmod(shelf, 0o777)); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(shelf, "backup.db")
	out, err := exec.Command("setpriv", "--bounding-set=-chown", program, "backup", backup, "--data", s.data).
		CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if info, err := os.Stat(backup); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestARefusedPersonMakesNoWorkspace adds somebody who is refused where no workspace is.
func TestARefusedPersonMakesNoWorkspace(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	for _, c := range [][]string{
		{"short", ada, "Ada"},
		{password, "ada", "Ada"},
		{password, ada, " "},
		{"", ada, "Ada"},
	} {
		code, output := command(t, c[0]+"\n", "user", "add", c[1], "--name", c[2], "--data", data)
		if _, err := os.Lstat(data); code != 1 || strings.Contains(output, "was made") || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: exit %d, %s; the directory: %v", c, code, output, err)
		}
	}
}
