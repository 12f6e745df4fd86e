package deploy

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/e2e/loopback"
)

func TestVersion(t *testing.T) {
	output := requireCommand(t, "", "version")
	if !regexp.MustCompile(`^gatehouse \d+\.\d+\.\d+\S*\ncommit  \S.*\ngo      go1\.\d+\S* \w+/\w+\nsqlite  3\.\d+\.\d+\n$`).MatchString(output) {
		t.Errorf("version says:\n%s", output)
	}
}

// TestDrain asks a server to end while a form is half sent: nobody new gets in, the form is answered, the journal
// is written back, and the exit code is 0.
func TestDrain(t *testing.T) {
	data := dataWithAda(t)
	p, at := serve(t, data)
	form := url.Values{"email": {ada}, "password": {password}}.Encode()
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /signin HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", at, at, len(form))
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil ||
		!strings.Contains(line, "100 Continue") { // now the handler waits for the form
		t.Fatalf("%q, %v", line, err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nobody new gets in", func() error {
		another, err := net.Dial("tcp", at)
		if err != nil {
			return nil
		}
		return errors.Join(errors.New("a new connection is accepted"), another.Close())
	})
	fmt.Fprint(conn, form)
	if _, err := answers.ReadString('\n'); err != nil { // the empty line after 100 Continue
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(answers, nil)
	if err != nil || answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/my" {
		t.Errorf("the form is answered with %+v, %v", answer, err)
	}
	select {
	case <-p.ended:
	case <-time.After(timeout):
		t.Fatal("it does not end")
	}
	if p.result != nil {
		t.Errorf("it ends with %v", p.result)
	}
	if _, err := os.Stat(filepath.Join(data, "gatehouse.db-wal")); !os.IsNotExist(err) {
		t.Errorf("the journal was not written back: %v", err)
	}
}

// TestLog reads the log as a machine does: a JSON object a line, with a time stamp, and each answer's id in it.
func TestLog(t *testing.T) {
	p, at := serve(t, dataWithAda(t))
	b := newBrowser(t, "http://"+at, at, "127.0.0.1", nil)
	b.get("/signin?next=/my/profile")
	id := b.last.Header.Get("X-Request-Id")
	b.post("/signin", 422, "email", "stranger-7f3a@example.org", "password", "not the password")
	p.stop()
	found := false
	for line := range strings.Lines(p.output.String()) {
		if strings.HasPrefix(line, "Gatehouse serves on") {
			continue
		}
		var entry struct {
			Time                       time.Time
			Level, Msg, Request, Route string
			Status                     int
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Time.IsZero() {
			t.Errorf("no JSON with a time stamp: %s", line)
		}
		if id != "" && entry.Request == id {
			found = entry.Route == "GET /signin" && entry.Status == 200
		}
		if strings.Contains(line, "7f3a") || strings.Contains(line, "not the password") {
			t.Errorf("the log tells what was typed: %s", line)
		}
	}
	if !found {
		t.Errorf("no line of the request %q:\n%s", id, p.output)
	}
}

// TestHealth asks as a load balancer does, by the machine's address and not by the workspace's name.
func TestHealth(t *testing.T) {
	data := dataWithAda(t)
	_, at := serve(t, data, "--base-url", "https://portal.example.org", "--trusted-proxy", "127.0.0.1/32")
	if err := ask("http://" + at + "/healthz"); err != nil {
		t.Error(err)
	}
}

// TestRestoreCommand restores after an accident, on a machine where a server runs: not before it is stopped.
func TestRestoreCommand(t *testing.T) {
	data := dataWithAda(t)
	p, at := serve(t, data)
	b := newBrowser(t, "http://"+at, at, "127.0.0.1", nil)
	b.wholeSignIn()
	backup := filepath.Join(t.TempDir(), "backup.db")
	requireCommand(t, "", "backup", backup, "--data", data)
	requireCommand(t, password+"\n", "user", "add", "late@example.org", "--name", "Late", "--data", data)

	if code, output := command(t, "", "restore", backup, "--data", data); code != 1 ||
		!strings.Contains(output, "stop it before restoring") {
		t.Errorf("beside a server: exit %d, %q", code, output)
	}
	if code, output := command(t, "", "restore", "--data", data); code != 2 || strings.Count(output, "\n") != 1 {
		t.Errorf("without a file: exit %d, %q", code, output)
	}
	b.get("/my") // nothing has happened
	p.stop()
	output := requireCommand(t, "", "restore", backup, "--data", data)
	for _, sentence := range []string{"Ended: 1 session, 0 sign-ins", "Recovery codes that were used after the backup work again",
		"is kept as"} {
		if !strings.Contains(output, sentence) {
			t.Errorf("restore does not say %q:\n%s", sentence, output)
		}
	}
	_, at = serve(t, data)
	again := newBrowser(t, "http://"+at, at, "127.0.0.1", nil)
	again.client.Jar = b.client.Jar // cookies are of a host, whatever its port
	again.send("GET", "/my", 303, nil)
	if list := requireCommand(t, "", "user", "list", "--data", data); strings.Contains(list, "late@") ||
		!strings.Contains(list, ada) {
		t.Errorf("the people are\n%s", list)
	}
	again.post("/signin", 303, "email", ada, "password", password)
	if to := again.last.Header.Get("Location"); to != "/signin/two-factor" {
		t.Errorf("after the restore the password leads to %q: the second step is gone", to)
	}
}

// TestMetrics signs in, wrongly and rightly, and reads what a monitor reads, where alone it may.
func TestMetrics(t *testing.T) {
	at := loopback.Free(t)
	_, site := serve(t, dataWithAda(t), "--metrics-listen", at)
	b := newBrowser(t, "http://"+site, site, "127.0.0.1", nil)
	b.post("/signin", 422, "email", ada, "password", "not the password")
	b.wholeSignIn()
	b.send("GET", "/setup/one-time-link", 404, nil)

	answer, err := http.Get("http://" + at + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 200 || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/plain") {
		t.Fatalf("%s %v", answer.Status, err)
	}
	for _, line := range []string{
		`gatehouse_requests_total{route="POST /signin",status="422"} 1`,
		`gatehouse_requests_total{route="POST /signin",status="303"} 2`,
		`gatehouse_requests_total{route="GET /setup/{token}",status="404"} 1`,
		`gatehouse_request_seconds_count{route="POST /signin"} 3`,
		`gatehouse_sign_ins_total{method="password",result="fail"} 1`,
		`gatehouse_sign_ins_total{method="password",result="success"} 1`,
		`gatehouse_sign_ins_total{method="totp",result="success"} 1`,
		`gatehouse_people 1`, `gatehouse_people_enrolled 1`,
		`gatehouse_backup_timestamp_seconds 0`, `gatehouse_certificate_end_timestamp_seconds 0`,
		`gatehouse_mails_waiting 0`, `gatehouse_mails_failing 0`, `gatehouse_findings{level="fault"} 0`,
		`gatehouse_hashes_running 0`, `gatehouse_hashes_waiting 0`, `gatehouse_hashes_refused_total 0`,
		`gatehouse_database_waits_total{for="writing"} 0`, `gatehouse_database_waits_total{for="reading"} 0`,
	} {
		if !strings.Contains(string(body), line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	requireDashboard(t, string(body))
	if !strings.Contains(string(body), "\nprocess_resident_memory_bytes ") {
		t.Error("nothing about the process")
	}
	if strings.Contains(string(body), "one-time-link") || strings.Contains(string(body), ada) {
		t.Error("an address or a person is named")
	}
	if t.Failed() {
		t.Logf("%s", body)
	}
	b.send("GET", "/metrics", 404, nil)
}

// requireDashboard demands that the dashboard for Grafana asks for nothing that is not told.
func requireDashboard(t *testing.T, told string) {
	t.Helper()
	dashboard := read(t, "../../docs/grafana.json")
	if !json.Valid([]byte(dashboard)) {
		t.Error("docs/grafana.json is no JSON")
	}
	names := regexp.MustCompile(`(?:gatehouse|process)_[a-z_]+`).FindAllString(dashboard, -1)
	if len(names) < 15 {
		t.Errorf("the dashboard asks for %d figures", len(names))
	}
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^` + name + `[ {]`).MatchString(told) {
			t.Errorf("the dashboard asks for %s, which is not told", name)
		}
	}
}

// TestSystemd speaks systemd's protocol: ready, alive, stopping.
func TestSystemd(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	listener, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p := start(t, []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=150000"}, program, "serve", "--data",
		dataWithAda(t), "--listen", loopback.Free(t))
	expect := func(want string) {
		t.Helper()
		for message := make([]byte, 4096); ; {
			if err := listener.SetReadDeadline(time.Now().Add(timeout)); err != nil {
				t.Fatal(err)
			}
			n, err := listener.Read(message)
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			if string(message[:n]) == want {
				return
			}
		}
	}
	expect("READY=1")
	expect("WATCHDOG=1")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	expect("STOPPING=1")
}

// TestUnit lets systemd read the documented unit: it is sound, and little is exposed.
func TestUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze on this machine")
	}
	dir := t.TempDir()
	unit := filepath.Join(dir, "gatehouse.service")
	write(t, unit, replace(t, read(t, "../../docs/gatehouse.service"), "/usr/local/bin/gatehouse", program))
	dropIn := filepath.Join(dir, "gatehouse.service.d")
	exposed := func(name string, limit string) {
		if out, err := exec.Command(analyze, "verify", "--man=no", unit).
			CombinedOutput(); err != nil || strings.Contains(string(out), "gatehouse.service") {
			t.Errorf("%s: verify: %v\n%s", name, err, out)
		}
		out, err := exec.Command(analyze, "security", "--offline=true", "--threshold="+limit, unit).CombinedOutput()
		if err != nil {
			t.Errorf("%s: security: %v\n%s", name, err, out)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Logf("%s: %s", name, lines[len(lines)-1])
	}
	exposed("behind a proxy", "13")
	if err := os.Mkdir(dropIn, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dropIn, "tls.conf"), read(t, "../../docs/gatehouse-tls.conf"))
	exposed("with certificates of its own", "20")
}
