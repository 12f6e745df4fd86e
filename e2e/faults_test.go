package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// rounds is how often a crash test kills the program: GATEHOUSE_ROUNDS, or a
// few. `task crash` runs hundreds.
func rounds(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("GATEHOUSE_ROUNDS"))
	if err != nil || n < 1 {
		return 6
	}
	return n
}

var fay = person{"Fay", "fay@example.org", "violet kettle harbour"}

// client is a browser without a screen: cookies and forms.
type client struct {
	t    testing.TB
	site *site
	http *http.Client
}

func newClient(t testing.TB, s *site) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t, s, &http.Client{
		Jar:           jar,
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// reply is a whole answer.
type reply struct {
	status   int
	location string
	body     string
}

func (c *client) do(method, path string, fields ...string) (reply, error) {
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	r, err := http.NewRequest(method, c.site.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := c.http.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return reply{answer.StatusCode, answer.Header.Get("Location"), string(body)}, err
}

// send sends a request and demands a status.
func (c *client) send(status int, method, path string, fields ...string) reply {
	c.t.Helper()
	answer, err := c.do(method, path, fields...)
	if err != nil || answer.status != status {
		c.t.Fatalf("%s %s: status %d, %v; want %d\n%s", method, path, answer.status, err, status, answer.body)
	}
	return answer
}

func (c *client) signIn(p person) reply {
	c.t.Helper()
	return c.send(http.StatusSeeOther, "POST", "/signin", "email", p.email, "password", p.password)
}

// enable mints a secret and returns the app that holds it.
func (c *client) enable() *phone {
	c.t.Helper()
	m := regexp.MustCompile(`id="secret"[^>]*>([A-Z2-7 ]+)<`).
		FindStringSubmatch(c.send(200, "POST", "/my/profile/two-factor/enable").body)
	if m == nil {
		c.t.Fatal("no secret on the card")
	}
	return newPhone(c.t, m[1])
}

var codeOnPage = regexp.MustCompile(`[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}`)

// twoFactorStatus is a person's line of `two-factor status --json`.
type twoFactorStatus struct {
	Email     string `json:"email"`
	TwoFactor bool   `json:"two_factor"`
	CodesLeft int    `json:"recovery_codes_left"`
}

func (s *site) twoFactorStatus(email string) twoFactorStatus {
	s.t.Helper()
	for line := range strings.Lines(s.run("", "two-factor", "status", "--json")) {
		var status twoFactorStatus
		if err := json.Unmarshal([]byte(line), &status); err != nil {
			s.t.Fatal(err)
		}
		if status.Email == email {
			return status
		}
	}
	s.t.Fatalf("nobody is called %s", email)
	return twoFactorStatus{}
}

// kill ends the server as a power cut would end it for the program.
func (s *site) kill() {
	s.t.Helper()
	if err := s.server.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	<-s.ended
}

// killDuring sends a request and kills the server at a random moment of it. It
// gives the answer, and whether there was one.
func (c *client) killDuring(window time.Duration, path string, fields ...string) (reply, bool) {
	c.t.Helper()
	moment := time.After(rand.N(window))
	type outcome struct {
		reply
		err error
	}
	answered := make(chan outcome, 1)
	go func() {
		answer, err := c.do("POST", path, fields...)
		answered <- outcome{answer, err}
	}()
	<-moment
	c.site.kill()
	got := <-answered
	return got.reply, got.err == nil
}

// TestKilledWhileConfirming kills the program around Confirm: what was answered
// is there afterwards, and never half of it.
func TestKilledWhileConfirming(t *testing.T) {
	s := startSite(t)
	s.addPerson(fay, "member")
	c := newClient(t, s)
	c.signIn(fay)
	p := c.enable()
	start := time.Now()
	c.send(200, "POST", "/my/profile/two-factor/confirm", "code", p.current())
	window := 2 * time.Since(start) // so that some are killed before the end, and some after
	s.run("", "two-factor", "reset", fay.email)
	enabled := 0
	for round := range rounds(t) {
		c.signIn(fay)
		p := c.enable()
		answer, answered := c.killDuring(window, "/my/profile/two-factor/confirm", "code", p.current())
		s.run("", "check")
		s.requireTally()
		is := s.twoFactorStatus(fay.email)
		if answered && answer.status == 200 && !is.TwoFactor {
			t.Fatalf("round %d: an answered confirmation is gone", round)
		}
		if is.TwoFactor != (is.CodesLeft == 8) || !is.TwoFactor && is.CodesLeft != 0 {
			t.Fatalf("round %d: half a confirmation: %+v", round, is)
		}
		s.start()
		if is.TwoFactor {
			enabled++
			if answer := c.signIn(fay); answer.location != "/signin/two-factor" {
				t.Fatalf("round %d: the sign-in leads to %s", round, answer.location)
			}
			if answered {
				code := codeOnPage.FindString(answer.body)
				c.send(http.StatusSeeOther, "POST", "/signin/two-factor/recovery", "recovery_code", code)
			}
			s.run("", "two-factor", "reset", fay.email)
		}
	}
	t.Logf("%d of %d confirmations were done before the end", enabled, rounds(t))
}

// requireTally demands of a program that does not run that it has counted what it has done:
// who has enrolled, and the sign-ins that the activity tells.
func (s *site) requireTally() {
	s.t.Helper()
	out, err := exec.Command(tool(s.t, "sqlite3", "sqlite3"), "-readonly", filepath.Join(s.data, "gatehouse.db"), `SELECT
		(SELECT coalesce(sum(n), 0) FROM tally WHERE day = 0 AND what = 'enrolled'),
		(SELECT count(*) FROM person WHERE active AND enrolled_here),
		(SELECT coalesce(sum(n), 0) FROM tally WHERE day > 0 AND what = 'sign-in'),
		(SELECT count(*) FROM activity WHERE event = 'authn_login_success')`).CombinedOutput()
	n := strings.Split(strings.TrimSpace(string(out)), "|")
	if err != nil || len(n) != 4 || n[0] != n[1] || n[2] != n[3] || n[2] == "0" {
		s.t.Errorf("enrolled as counted and as they are, sign-ins as counted and as told: %s, %v", out, err)
	}
}

// TestKilledWhileRedeeming kills the program around the use of a recovery code:
// a code that signed somebody in never comes back.
func TestKilledWhileRedeeming(t *testing.T) {
	s := startSite(t)
	s.addPerson(fay, "member")
	c := newClient(t, s)
	var codes []string
	var window time.Duration
	used := 0
	for round := range rounds(t) {
		if len(codes) == 0 {
			if s.twoFactorStatus(fay.email).TwoFactor {
				s.run("", "two-factor", "reset", fay.email)
			}
			c.signIn(fay)
			p := c.enable()
			codes = codeOnPage.FindAllString(c.send(200, "POST", "/my/profile/two-factor/confirm", "code",
				p.current()).body, 8)
			c.signIn(fay)
			start := time.Now()
			c.send(http.StatusSeeOther, "POST", "/signin/two-factor/recovery", "recovery_code", codes[0])
			window, codes = 2*time.Since(start), codes[1:]
		}
		before := s.twoFactorStatus(fay.email).CodesLeft
		c.signIn(fay)
		code := codes[0]
		codes = codes[1:]
		answer, answered := c.killDuring(window, "/signin/two-factor/recovery", "recovery_code", code)
		s.run("", "check")
		after := s.twoFactorStatus(fay.email).CodesLeft
		gone := before - after
		if gone != 0 && gone != 1 || answered && answer.status == http.StatusSeeOther && gone != 1 {
			t.Fatalf("round %d: %d codes before, %d after; answered %v with %d", round, before, after, answered,
				answer.status)
		}
		s.start()
		s.run("", "user", "unlock", fay.email)
		if answered && answer.location == "/my" {
			c.send(200, "GET", "/my") // the session that was answered stands
		}
		c.signIn(fay)
		want := http.StatusSeeOther
		if gone == 1 {
			used++
			want = http.StatusUnprocessableEntity
		}
		c.send(want, "POST", "/signin/two-factor/recovery", "recovery_code", code)
	}
	t.Logf("%d of %d codes were used before the end", used, rounds(t))
}

// TestKilledUnderLoad kills the program while twelve rename as many people at once
// and share commits: of each, the last name that was answered or the one after it is
// there.
func TestKilledUnderLoad(t *testing.T) {
	const clerks = 12
	s := startSite(t)
	root := person{"Root", "root@example.org", "violet kettle harbour"}
	s.addPerson(root, "super-administrator")
	c := newClient(t, s)
	c.signIn(root)
	email := func(i int) string { return fmt.Sprintf("clerk%d@example.org", i) }
	for i := range clerks {
		c.send(200, "POST", "/admin/people/invite", "name", "Clerk 0", "email", email(i), "role", "member")
	}
	var sent, answered [clerks]atomic.Int64
	for round := range rounds(t) {
		var all sync.WaitGroup
		begun := make(chan bool, clerks)
		for i := range clerks {
			all.Go(func() {
				for first := true; ; first = false {
					n := sent[i].Add(1)
					path := fmt.Sprintf("/admin/people/%d/edit", i+2) // root was the first
					answer, err := c.do("POST", path, "name", fmt.Sprintf("Clerk %d", n), "email", email(i), "role",
						"member")
					if err == nil && answer.status < 400 {
						answered[i].Store(n)
					}
					if first {
						begun <- err == nil && answer.status < 400
					}
					if err != nil {
						return
					}
				}
			})
		}
		for range clerks {
			if !<-begun {
				t.Fatal("a name was not changed")
			}
		}
		<-time.After(rand.N(50 * time.Millisecond))
		s.kill()
		all.Wait()
		s.run("", "check")
		for line := range strings.Lines(s.run("", "user", "list", "--json")) {
			var listed struct{ Email, Name string }
			if err := json.Unmarshal([]byte(line), &listed); err != nil {
				t.Fatal(err)
			}
			var i int
			var n int64
			if _, err := fmt.Sscanf(listed.Email, "clerk%d@", &i); err != nil {
				continue // root
			}
			if _, err := fmt.Sscanf(listed.Name, "Clerk %d", &n); err != nil || n < answered[i].Load() ||
				n > sent[i].Load() {
				t.Errorf("round %d: %s is called %q; %d was answered, %d sent", round, listed.Email, listed.Name,
					answered[i].Load(), sent[i].Load())
			}
		}
		s.start()
	}
}

// TestCountsOutlastAKill guesses, kills, and is still made to wait.
func TestCountsOutlastAKill(t *testing.T) {
	s := startSite(t)
	s.addPerson(fay, "member")
	for range 14 {
		if answer, err := newClient(t, s).
			do("POST", "/signin", "email", fay.email, "password", "wrong horse"); err != nil ||
			answer.status == http.StatusSeeOther {
			t.Fatalf("%+v, %v", answer, err)
		}
	}
	for i := range 20 { // to the end of the address's bucket
		_, _ = newClient(t, s).
			do("POST", "/signin", "email", fmt.Sprintf("p%d@example.org", i), "password", "wrong horse")
	}
	s.kill()
	s.start()
	newClient(t, s).send(http.StatusTooManyRequests, "POST", "/signin", "email", fay.email, "password", fay.password)
}

// TestDiskFull takes the right to write from the running program, and gives it
// back: nobody comes in meanwhile, health says so, and no restart is needed.
func TestDiskFull(t *testing.T) {
	prlimit := tool(t, "prlimit", "util-linux")
	s := startSite(t)
	s.addPerson(fay, "member")
	c := newClient(t, s)
	c.signIn(fay)
	p := c.enable()
	limit := func(to string) {
		t.Helper()
		out, err := exec.Command(prlimit, "--pid", strconv.Itoa(s.server.Process.Pid), "--fsize="+to+":").
			CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	limit("0")
	if err := poll(timeout, func() error { return s.unhealthy() }); err != nil {
		t.Error(err)
	}
	stranger := newClient(t, s)
	stranger.send(http.StatusServiceUnavailable, "POST", "/signin", "email", fay.email, "password", fay.password)
	c.send(http.StatusServiceUnavailable, "POST", "/my/profile/two-factor/confirm", "code", p.current())
	limit("unlimited")
	if err := poll(timeout, s.healthy); err != nil {
		t.Fatal(err)
	}
	if is := s.twoFactorStatus(fay.email); is.TwoFactor {
		t.Error("a confirmation that was refused was done")
	}
	c.send(200, "POST", "/my/profile/two-factor/confirm", "code", p.current())
	if answer := stranger.signIn(fay); answer.location != "/signin/two-factor" {
		t.Errorf("the sign-in leads to %s", answer.location)
	}
	s.run("", "check")
}

// unhealthy is nil when the program says on /healthz that it cannot serve.
func (s *site) unhealthy() error {
	err := s.healthy()
	if err == nil {
		return errors.New("/healthz says ok")
	}
	if !strings.Contains(err.Error(), "503") {
		return err
	}
	return nil
}

// TestTermUnderLoad asks the program to end while many people use it: it ends
// well, leaves one whole file, and every answered change is in it.
func TestTermUnderLoad(t *testing.T) {
	s := startSite(t)
	s.addPerson(fay, "member")
	root := person{"Root", "root@example.org", "violet kettle harbour"}
	s.addPerson(root, "super-administrator")
	c := newClient(t, s)
	c.signIn(root)
	var mu sync.Mutex
	last := ""
	stop, cancel := context.WithCancel(context.Background())
	var load sync.WaitGroup
	for i := range 12 {
		load.Go(func() {
			for n := 0; stop.Err() == nil; n++ {
				if i == 0 {
					name := fmt.Sprintf("Acme %d", n)
					if answer, err := c.do("POST", "/admin/settings/general", "workspace", name); err == nil &&
						answer.status == 200 {
						mu.Lock()
						last = name
						mu.Unlock()
					}
					continue
				}
				_, _ = newClient(t, s).do("GET", "/signin")
			}
		})
	}
	err := poll(timeout, func() error {
		mu.Lock()
		defer mu.Unlock()
		if last == "" {
			return errors.New("nothing was answered yet")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.stop()
	cancel()
	load.Wait()
	if _, err := os.Stat(filepath.Join(s.data, "gatehouse.db-wal")); !os.IsNotExist(err) {
		t.Errorf("the -wal was not written back: %v", err)
	}
	s.start()
	s.run("", "check")
	if page := c.send(200, "GET", "/my").body; !strings.Contains(page, last) {
		t.Errorf("the name %q was answered and is gone", last)
	}
}

// TestManySlowConnections holds 500 connections whose forms never come to an
// end: others are served all the same.
func TestManySlowConnections(t *testing.T) {
	s := startSite(t)
	s.addPerson(fay, "member")
	for range 500 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn,
			"POST /signin HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 65000\r\n\r\nemail="); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.healthy(); err != nil {
		t.Error(err)
	}
	if answer := newClient(t, s).signIn(fay); answer.location != "/my" {
		t.Errorf("the sign-in leads to %s", answer.location)
	}
}

func TestLargeBodies(t *testing.T) {
	s := startSite(t)
	s.addPerson(fay, "member")
	c := newClient(t, s)
	c.send(http.StatusUnprocessableEntity, "POST", "/signin", "email", fay.email, "password",
		strings.Repeat("x", 60<<10))
	c.send(http.StatusRequestEntityTooLarge, "POST", "/signin", "email", fay.email, "password",
		strings.Repeat("x", 64<<10))
	if err := s.healthy(); err != nil {
		t.Error(err)
	}
}

// TestKilledWhileChangingPhones kills the program around the exchange of the app: afterwards the old one
// signs in or the new one, never none and never both, and the recovery codes are all there.
func TestKilledWhileChangingPhones(t *testing.T) {
	s := startSite(t)
	s.addPerson(fay, "member")
	c := newClient(t, s)
	begin := func() (old, fresh *phone) {
		c.signIn(fay)
		old = c.enable()
		c.send(200, "POST", "/my/profile/two-factor/confirm", "code", old.current())
		m := regexp.MustCompile(`id="secret"[^>]*>([A-Z2-7 ]+)<`).
			FindStringSubmatch(c.send(200, "POST", "/my/profile/two-factor/replace").body)
		if m == nil {
			t.Fatal("no secret on the card")
		}
		return old, newPhone(t, m[1])
	}
	_, fresh := begin()
	start := time.Now()
	c.send(200, "POST", "/my/profile/two-factor/confirm", "code", fresh.current())
	window := time.Since(start) // so that some are killed before the end, and some after
	exchanged := 0
	for round := range rounds(t) {
		s.run("", "two-factor", "reset", fay.email)
		old, fresh := begin()
		answer, answered := c.killDuring(window, "/my/profile/two-factor/confirm", "code", fresh.current())
		s.run("", "check")
		if is := s.twoFactorStatus(fay.email); !is.TwoFactor || is.CodesLeft != 8 {
			t.Fatalf("round %d: %+v", round, is)
		}
		s.start()
		if answer := c.signIn(fay); answer.location != "/signin/two-factor" {
			t.Fatalf("round %d: the sign-in leads to %s", round, answer.location)
		}
		works, other := old, fresh
		reply, err := c.do("POST", "/signin/two-factor", "code", fresh.next())
		if err != nil {
			t.Fatal(err)
		}
		if reply.status == http.StatusSeeOther {
			exchanged++
			works, other = fresh, old
			c.signIn(fay)
			c.send(http.StatusUnprocessableEntity, "POST", "/signin/two-factor", "code", other.next())
			continue
		}
		if answered && answer.status == 200 {
			t.Fatalf("round %d: an answered exchange is gone", round)
		}
		c.send(http.StatusSeeOther, "POST", "/signin/two-factor", "code", works.next())
	}
	t.Logf("%d of %d exchanges were done before the end", exchanged, rounds(t))
}
