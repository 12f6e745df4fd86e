package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"gatehouse/e2e/loopback"
)

// An agent is a browser without script that fills in whatever form comes, until it is led to
// an address of the app's.
type agent struct {
	t      *testing.T
	client *http.Client
	app    string // where it stops
	fields url.Values
}

func newAgent(t *testing.T, app string, p person) *agent {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{t: t, app: app, fields: url.Values{
		"email": {p.email}, "password": {p.password}, "login": {p.email},
	}}
	a.client = &http.Client{Jar: jar, Transport: opensPages{}, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), app) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return a
}

// opensPages says with each request that a page is wanted, as browsers do.
type opensPages struct{}

func (opensPages) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "text/html")
	return http.DefaultTransport.RoundTrip(r)
}

var (
	aForm    = regexp.MustCompile(`(?s)<form[^>]*method="post"[^>]*>.*?</form>`)
	anAction = regexp.MustCompile(`action="([^"]*)"`)
	anInput  = regexp.MustCompile(`<(?:input|button)[^>]*>`)
	aName    = regexp.MustCompile(`\bname="([^"]*)"`)
	aValue   = regexp.MustCompile(`\bvalue="([^"]*)"`)
	aRefresh = regexp.MustCompile(`http-equiv="refresh" content="0; url=([^"]*)"`)
)

// goTo opens an address and goes on until the app's, which it returns.
func (a *agent) goTo(address string) string {
	a.t.Helper()
	answer, err := a.client.Get(address)
	for range 12 {
		if err != nil {
			a.t.Fatal(err)
		}
		body, readErr := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if readErr != nil {
			a.t.Fatal(readErr)
		}
		if to := answer.Header.Get("Location"); strings.HasPrefix(to, a.app) {
			return to
		}
		here := answer.Request.URL
		if m := aRefresh.FindSubmatch(body); m != nil {
			to, err := here.Parse(html.UnescapeString(string(m[1])))
			if err != nil {
				a.t.Fatal(err)
			}
			if strings.HasPrefix(to.String(), a.app) {
				return to.String()
			}
			answer, err = a.client.Get(to.String())
			if err != nil {
				a.t.Fatal(err)
			}
			continue
		}
		form := string(aForm.Find(body))
		if form == "" {
			a.t.Fatalf("no form and no way on at %s, %s:\n%s", here, answer.Status, body)
		}
		to, parseErr := here.Parse(html.UnescapeString(match(anAction, form)))
		if parseErr != nil {
			a.t.Fatal(parseErr)
		}
		answer, err = a.client.PostForm(to.String(), a.fill(form))
	}
	a.t.Fatal("it never comes back to the app")
	return ""
}

func match(pattern *regexp.Regexp, text string) string {
	if m := pattern.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// fill fills a form in: what it holds, what the agent knows, and its first button.
func (a *agent) fill(form string) url.Values {
	out := url.Values{}
	button := false
	for _, input := range anInput.FindAllString(form, -1) {
		name := match(aName, input)
		if name == "" || strings.HasPrefix(input, "<button") && button {
			continue
		}
		button = button || strings.HasPrefix(input, "<button")
		out.Set(name, html.UnescapeString(match(aValue, input)))
		if known, ok := a.fields[name]; ok {
			out[name] = known
		}
	}
	return out
}

// openIDClientLearns is what the app prints at its end.
type openIDClientLearns struct {
	Email, Revoked, CodeAgain, SignOut string
	Same, Rotates                      bool
}

// runOpenIDClient signs somebody in at an app with openid-client, and demands what any
// certified provider does.
func runOpenIDClient(t *testing.T, issuer, id, secret string, p person, redirect, afterwards string) {
	t.Helper()
	cmd := exec.Command(tool(t, "node", "nodejs"), "testdata/openid-client.mjs", issuer, id, secret, redirect, afterwards)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	problems := &output{}
	cmd.Stderr = problems
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	lines := bufio.NewScanner(out)
	read := func(into any) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("openid-client says nothing more:\n%s", problems)
		}
		if err := json.Unmarshal(lines.Bytes(), into); err != nil {
			t.Fatal(err)
		}
	}
	var first struct{ Visit string }
	read(&first)
	a := newAgent(t, strings.TrimSuffix(redirect, "/cb"), p)
	fmt.Fprintln(in, a.goTo(first.Visit))
	var learned openIDClientLearns
	read(&learned)
	if learned.Email != p.email || !learned.Same || !learned.Rotates || learned.Revoked != "invalid_grant" || learned.CodeAgain != "invalid_grant" {
		t.Errorf("the app learned %+v", learned)
	}
	if to := a.goTo(learned.SignOut); to != afterwards+"?state=s" {
		t.Errorf("after the sign-out: %s", to)
	}
}

// TestOpenIDClient runs an app with openid-client (npm, certified), first against a certified
// provider, so that the test itself is proved, and then against Gatehouse.
func TestOpenIDClient(t *testing.T) {
	t.Parallel()
	const redirect, afterwards = "http://localhost:9/cb", "http://localhost:9/bye"
	t.Run("oidc-provider", func(t *testing.T) {
		t.Parallel()
		address := loopback.Free(t)
		_, port, _ := strings.Cut(address, ":")
		cmd := exec.Command(tool(t, "node", "nodejs"), "testdata/oidc-provider.mjs", port, redirect, afterwards)
		started := &output{}
		cmd.Stdout, cmd.Stderr = started, started
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		if err := poll(timeout, func() error {
			if !strings.Contains(started.String(), "ready") {
				return fmt.Errorf("oidc-provider does not start:\n%s", started)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		runOpenIDClient(t, "http://"+address, "demo", "of-the-demo", ada, redirect, afterwards)
	})
	t.Run("Gatehouse", func(t *testing.T) {
		t.Parallel()
		s := startSiteAtItsAddress(t)
		s.addPerson(ada, "member")
		id, secret := s.connect("Demo", "http://localhost:9", "--redirect", redirect, "--logout-redirect", afterwards)
		runOpenIDClient(t, s.url, id, secret, ada, redirect, afterwards)
	})
}
