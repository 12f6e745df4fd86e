package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gatehouse/e2e/loopback"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestCommandLine runs the pages in testdata/script: each is a small story of
// what somebody types on the machine and what comes back.
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("ADDRESS", loopback.Free(t))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "await": await, "enrol": enrolByWeb, "browse": browse, "private": private,
		},
	})
}

// exits runs a command and demands its exit code: exits 2 gatehouse frobnicate.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil {
		ts.Fatalf("usage: exits CODE COMMAND …")
	}
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// await waits until the server at $ADDRESS answers.
func await(ts *testscript.TestScript, _ bool, _ []string) {
	s := &site{url: "http://" + ts.Getenv("ADDRESS")}
	ts.Check(poll(timeout, s.healthy))
}

// private demands that a file is readable by its owner only: private FILE.
func private(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if info.Mode().Perm()&0o077 != 0 {
		ts.Fatalf("%s has the mode %v", args[0], info.Mode())
	}
}

// A caller is somebody with a browser that knows no script.
type caller struct {
	ts     *testscript.TestScript
	client *http.Client
}

// signedInCaller gives e-mail address and password, and must be let in.
func signedInCaller(ts *testscript.TestScript, email, password string) *caller {
	jar, err := cookiejar.New(nil)
	ts.Check(err)
	c := &caller{ts: ts, client: &http.Client{Jar: jar}}
	_, page := c.post("/signin", "email", email, "password", password)
	if !strings.Contains(page, "Sign out") {
		ts.Fatalf("%s is not signed in:\n%s", email, page)
	}
	return c
}

func (c *caller) read(answer *http.Response, err error) (status int, page string) {
	c.ts.Check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	c.ts.Check(err)
	return answer.StatusCode, string(body)
}

func (c *caller) get(path string) (int, string) {
	return c.read(c.client.Get("http://" + c.ts.Getenv("ADDRESS") + path))
}

// post sends a form: name, value, name, value.
func (c *caller) post(path string, fields ...string) (int, string) {
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return c.read(c.client.PostForm("http://"+c.ts.Getenv("ADDRESS")+path, form))
}

// enrolByWeb enables two-factor for somebody: enrol EMAIL PASSWORD.
func enrolByWeb(ts *testscript.TestScript, _ bool, args []string) {
	c := signedInCaller(ts, args[0], args[1])
	_, page := c.post("/my/profile/two-factor/enable")
	secret := regexp.MustCompile(`id="secret"[^>]*>([A-Z2-7 ]+)<`).FindStringSubmatch(page)
	if secret == nil {
		ts.Fatalf("no secret in:\n%s", page)
	}
	out, err := exec.Command("oathtool", "--totp", "-b", strings.ReplaceAll(secret[1], " ", "")).Output()
	ts.Check(err)
	if _, page = c.post("/my/profile/two-factor/confirm", "code",
		strings.TrimSpace(string(out))); !strings.Contains(page, nowActive) &&
		!strings.Contains(page, "is now active") {
		ts.Fatalf("the code did not confirm:\n%s", page)
	}
}

// browse signs in with the password and prints a page: browse EMAIL PASSWORD PATH.
func browse(ts *testscript.TestScript, neg bool, args []string) {
	status, page := signedInCaller(ts, args[0], args[1]).get(args[2])
	if (status == http.StatusOK) == neg {
		ts.Fatalf("status %d", status)
	}
	fmt.Fprintln(ts.Stdout(), page)
}
