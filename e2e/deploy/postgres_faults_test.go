package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/e2e/loopback"
)

// healthOf is what /healthz answers.
func healthOf(address string) string {
	answer, err := http.Get("http://" + address + "/healthz")
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return fmt.Sprintf("%d %s", answer.StatusCode, strings.TrimSpace(string(body)))
}

// A signInLoad signs people in until it is stopped, and keeps the browsers that were told that they are.
type signInLoad struct {
	mu       sync.Mutex
	signedIn []*browser
	failed   atomic.Int64
	stopped  chan struct{}
	all      sync.WaitGroup
}

func newLoad(c *cluster, workers int, addresses ...string) *signInLoad {
	l := &signInLoad{stopped: make(chan struct{})}
	for i := range workers {
		l.all.Go(func() {
			for n := i; ; n++ {
				select {
				case <-l.stopped:
					return
				default:
				}
				own := newBrowser(c.t, c.base, addresses[n%len(addresses)], "127.0.0.1", nil)
				if own.try("/signin", "email", ada, "password", password) != http.StatusSeeOther {
					l.failed.Add(1)
					time.Sleep(20 * time.Millisecond) // as people do before they try again
					continue
				}
				l.mu.Lock()
				l.signedIn = append(l.signedIn, own)
				l.mu.Unlock()
			}
		})
	}
	return l
}

func (l *signInLoad) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.signedIn)
}

// wait waits until so many more have signed in.
func (l *signInLoad) wait(t testing.TB, more int) {
	t.Helper()
	want := l.count() + more
	eventually(t, fmt.Sprintf("%d more sign in", more), func() error {
		if n := l.count(); n < want {
			return fmt.Errorf("%d of %d have", n, want)
		}
		return nil
	})
}

func (l *signInLoad) stop() {
	close(l.stopped)
	l.all.Wait()
}

// requireStored looks for the session of each sign-in that was answered. People have 50 at most: the oldest end.
func (l *signInLoad) requireStored(t testing.TB, address string) {
	t.Helper()
	newest := l.signedIn[max(0, len(l.signedIn)-20):]
	for _, own := range newest {
		own.at(address).get("/my")
	}
	t.Logf("%d sign-ins were answered, %d were not", len(l.signedIn), l.failed.Load())
}

// TestPostgresStopsAndStarts stops the server as a crash does, under load: the process stays and says 503 with when to
// try again, what was answered is stored, and it goes on by itself once the server is there.
func TestPostgresStopsAndStarts(t *testing.T) {
	c := newCluster(t)
	p, address := c.node()
	load := newLoad(c, 4, address)
	load.wait(t, 10)
	c.server.stop("immediate")
	eventually(t, "/healthz says so", func() error {
		if got := healthOf(address); !strings.HasPrefix(got, "503 ") {
			return errors.New(got)
		}
		return nil
	})
	b := newBrowser(t, c.base, address, "127.0.0.1", nil)
	b.post("/signin", 503, "email", ada, "password", password)
	if b.last.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	c.server.start()
	healthy(t, p, address)
	load.wait(t, 5)
	load.stop()
	load.requireStored(t, address)
}

// TestPostgresComesLater starts a node before its server: it waits.
func TestPostgresComesLater(t *testing.T) {
	c := newCluster(t)
	c.server.stop("fast")
	p, address := c.unready()
	select {
	case <-p.ended:
		t.Fatal("the node has ended")
	case <-time.After(time.Second):
	}
	c.server.start()
	healthy(t, p, address)
}

// TestFailover promotes a synchronous standby under load: nothing that was answered is lost, and the node goes on there
// without a restart.
func TestFailover(t *testing.T) {
	c := newCluster(t, "wal_level = replica", "max_wal_senders = 4", "hot_standby = on")
	standby := serverIn(t, t.TempDir())
	standby.run("pg_basebackup", "-R", "-X", "stream", "-c", "fast", "-d", c.server.url("postgres", "postgres"), "-D", standby.data())
	standby.configure()
	standby.start()
	c.server.configure("synchronous_standby_names = '*'")
	c.server.run("pg_ctl", "reload", "-D", c.server.data())
	eventually(t, "the standby is synchronous", func() error {
		if got := c.server.sql("postgres", `SELECT coalesce(max(sync_state), 'none') FROM pg_stat_replication`); got != "sync" {
			return errors.New(got)
		}
		return nil
	})
	both := "postgres://gatehouse@" + c.server.address + "," + standby.address + "/gatehouse?target_session_attrs=read-write"
	if code, out := command(t, "", "check", "--key-file", c.key, "--database", standby.url("gatehouse", "gatehouse")); code != 1 ||
		!strings.Contains(out, "standby") {
		t.Errorf("a standby is taken: %d %s", code, out)
	}
	p, address := c.node("--database", both)
	load := newLoad(c, 4, address)
	load.wait(t, 15)
	c.server.stop("immediate")
	standby.run("pg_ctl", "promote", "-w", "-D", standby.data())
	healthy(t, p, address)
	load.wait(t, 5)
	load.stop()
	load.requireStored(t, address)
}

// TestPgBouncer serves through PgBouncer, which gives a connection to each transaction.
func TestPgBouncer(t *testing.T) {
	path := tool(t, "pgbouncer", "pgbouncer")
	c := newCluster(t)
	at := loopback.Free(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "pgbouncer.ini")
	host, serverPort, _ := strings.Cut(c.server.address, ":")
	write(t, conf, "[databases]\ngatehouse = host="+host+" port="+serverPort+" dbname=gatehouse user=gatehouse\n[pgbouncer]\n"+
		"listen_addr = 127.0.0.1\nlisten_port = "+port(at)+"\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n"+
		"default_pool_size = 4\nlogfile = "+filepath.Join(dir, "log")+"\n")
	open(t, dir)
	startAs(t, c.server.as, nil, path, conf)
	url := "postgres://gatehouse@" + at + "/gatehouse?default_query_exec_mode=exec"
	p, address := c.node("--database", url)
	b := newBrowser(t, c.base, address, "127.0.0.1", nil)
	b.wholeSignIn()
	load := newLoad(c, 8, address)
	load.wait(t, 30)
	load.stop()
	if strings.Contains(p.output.String(), `"level":"ERROR"`) {
		t.Error("the log tells of errors")
	}
}

// open lets another user read a directory of the test's.
func open(t testing.TB, dir string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Dir(dir), func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return os.Chmod(path, 0o777)
		}
		return nil
	})
	if err == nil {
		err = os.Chmod(filepath.Join(dir, "pgbouncer.ini"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A cutter stands before the server, and cuts a connection when it is about to commit.
type cutter struct {
	address string
	armed   atomic.Bool
	cut     atomic.Int64
	pass    bool // the commit reaches the server, and its answer does not come back
}

func newCutter(t testing.TB, to string, pass bool) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{address: l.Addr().String(), pass: pass}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			var dead atomic.Bool
			go func() {
				_, _ = io.Copy(answerOnly{client, &dead}, server)
				_ = client.Close()
			}()
			go c.forward(client, server, &dead)
		}
	}()
	return c
}

// answerOnly passes answers on until the connection is dead.
type answerOnly struct {
	to   net.Conn
	dead *atomic.Bool
}

func (a answerOnly) Write(b []byte) (int, error) {
	if a.dead.Load() {
		return 0, io.ErrClosedPipe
	}
	return a.to.Write(b)
}

func (c *cutter) forward(client, server net.Conn, dead *atomic.Bool) {
	defer client.Close()
	defer server.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(bytes.ToLower(buffer[:n]), []byte("commit\x00")) && c.armed.CompareAndSwap(true, false) {
			dead.Store(true)
			c.cut.Add(1)
			if c.pass {
				_, _ = server.Write(buffer[:n])
				time.Sleep(200 * time.Millisecond) // until it is committed; nothing is measured by it
			}
			return
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// TestLostAtCommit cuts the connection while a code's transaction is being committed: the answer is 503, nothing is run
// again by itself, and whether the code is used up is what the database says. The next code signs in.
func TestLostAtCommit(t *testing.T) {
	for name, pass := range map[string]bool{"the server commits": true, "the server does not": false} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			cut := newCutter(t, c.server.address, pass)
			_, address := c.node("--database", "postgres://gatehouse@"+cut.address+"/gatehouse?sslmode=disable")
			b := newBrowser(t, c.base, address, "127.0.0.1", nil)
			secret := b.enrol()
			b.post("/signin", 303, "email", ada, "password", password)
			sessions := c.server.sql("gatehouse", `SELECT count(*) FROM session`)
			cut.armed.Store(true)
			used := code(t, secret, 1)
			b.post("/signin/two-factor", 503, "code", used)
			if cut.cut.Load() != 1 {
				t.Fatalf("%d connections were cut", cut.cut.Load())
			}
			after := c.server.sql("gatehouse", `SELECT count(*) FROM session`)
			if (after != sessions) != pass {
				t.Errorf("%s sessions before, %s after", sessions, after)
			}
			want := 303 // the code is not used up
			if pass {
				want = 422
				other := newBrowser(t, c.base, address, "127.0.0.1", nil)
				other.post("/signin", 303, "email", ada, "password", password)
				other.post("/signin/two-factor", want, "code", used)
			} else {
				b.post("/signin/two-factor", want, "code", used)
			}
		})
	}
}

// enrol signs Ada in, enables two-factor, signs out, and gives the secret. The code of this time step is used.
func (b *browser) enrol() (secret string) {
	b.t.Helper()
	b.post("/signin", 303, "email", ada, "password", password)
	found := secretOnCard.FindStringSubmatch(b.post("/my/profile/two-factor/enable", 200))
	if found == nil {
		b.t.Fatal("no secret on the card")
	}
	secret = strings.ReplaceAll(found[1], " ", "")
	b.post("/my/profile/two-factor/confirm", 200, "code", code(b.t, secret, 0))
	b.post("/signout", 303)
	return secret
}

// TestNodeWithAClockOff has a database whose clock is a minute off the node's: that node does not start, and one that
// serves stops writing and says why.
func TestNodeWithAClockOff(t *testing.T) {
	c := newCluster(t)
	p, address := c.node()
	// The server's clock as the servers' role reads it; who reads is told by the search path.
	c.server.sql("gatehouse", `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql
		AS $$ SELECT pg_catalog.clock_timestamp() + interval '60 seconds' $$`)
	c.server.sql("gatehouse", `ALTER ROLE gatehouse SET search_path = public, pg_catalog`)
	c.server.sql("gatehouse", `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gatehouse'`)
	eventually(t, "the node stops", func() error {
		if got := healthOf(address); got != "503 unavailable: clock" {
			return errors.New(got)
		}
		return nil
	})
	b := newBrowser(t, c.base, address, "127.0.0.1", nil)
	b.post("/signin", 503, "email", ada, "password", password)
	late, _ := c.unready()
	<-late.ended
	if late.result == nil || !strings.Contains(late.output.String(), "this machine's clock is") {
		t.Errorf("a node a minute off has started: %s", late.output)
	}
	c.server.sql("gatehouse", `DROP FUNCTION public.clock_timestamp()`)
	healthy(t, p, address)
}

// TestMoveKilled kills moves from SQLite to PostgreSQL and back at many places: each time the target holds nothing and
// the source is whole, or the move is done, or moving again finishes it.
func TestMoveKilled(t *testing.T) {
	c := newCluster(t)
	data := dataWithAda(t)
	for i := range 20 {
		requireCommand(t, password+"\n", "user", "add", fmt.Sprintf("p%d@example.org", i), "--name", "P", "--data", data)
	}
	c.key = filepath.Join(data, "gatehouse.key")
	people := func(flags ...string) int {
		code, out := command(t, "", append(flags, "user", "list", "--key-file", c.key)...)
		if code != 0 {
			return -1
		}
		return strings.Count(out, "@example.org")
	}
	place, killed := data, 0
	for round := range 10 {
		c.server.sql("postgres", fmt.Sprintf(`CREATE DATABASE round%d OWNER gatehouse_owner`, round))
		to := c.server.url("gatehouse_owner", fmt.Sprintf("round%d", round))
		if round%2 == 1 { // back to a directory
			to = filepath.Join(t.TempDir(), "back")
		}
		flags := func(place string) []string {
			if strings.Contains(place, "://") {
				return []string{"--database", place}
			}
			return []string{"--data", place}
		}
		cmd := exec.Command(program, "move", "--from", place, "--to", to, "--key-file", c.key)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(400 * time.Millisecond)) //nolint:gosec // when it is killed; nothing is measured by it
		_ = cmd.Process.Kill()
		if err := cmd.Wait(); err != nil {
			killed++
		}
		if there, here := people(flags(to)...), people(flags(place)...); there != 21 && here != 21 || there > 0 && there != 21 {
			t.Fatalf("round %d: %d people in the source, %d in the target", round, here, there)
		}
		if people(flags(place)...) == 21 { // else it is done
			requireCommand(t, "", "move", "--from", place, "--to", to, "--key-file", c.key)
		}
		if there, here := people(flags(to)...), people(flags(place)...); there != 21 || here != -1 {
			t.Fatalf("round %d, afterwards: %d people in the source, %d in the target", round, here, there)
		}
		place = to
		if out := requireCommand(t, "", append(flags(place), "check", "--key-file", c.key)...); !strings.Contains(out, "whole") {
			t.Error(out)
		}
	}
	t.Logf("%d of 10 were cut off", killed)
}
