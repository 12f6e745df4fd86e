package e2e

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// A tokenApp is a connected app of which only the requests to the token address count.
type tokenApp struct {
	t          *testing.T
	site       *site
	browser    *client
	id, secret string
}

const tokenAppURL = "https://grafana.example.org"

// startTokenApp starts a site with an app, and a browser that is signed in.
func startTokenApp(t *testing.T) *tokenApp {
	t.Helper()
	s := startSiteAtItsAddress(t)
	s.addPerson(fay, "member")
	a := &tokenApp{t: t, site: s, browser: newClient(t, s)}
	a.id, a.secret = s.connect("Grafana", tokenAppURL, "--redirect", tokenAppURL+"/cb")
	a.browser.signIn(fay)
	return a
}

// code is one that was not exchanged, as the form that does.
func (a *tokenApp) code(scope string) url.Values {
	a.t.Helper()
	verifier := oauth2.GenerateVerifier()
	to, err := url.Parse(a.browser.send(http.StatusSeeOther, "GET", "/oauth/authorize?"+url.Values{
		"client_id": {a.id}, "redirect_uri": {tokenAppURL + "/cb"}, "response_type": {"code"}, "scope": {scope},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}.Encode()).location)
	if err != nil || to.Query().Get("code") == "" {
		a.t.Fatalf("no code: %v, %v", to, err)
	}
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {tokenAppURL + "/cb"},
		"code_verifier": {verifier},
	}
}

// tokenAnswer is what the token address answers.
type tokenAnswer struct {
	status  int
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Error   string `json:"error"`
}

// ask asks for tokens. It returns an error where no whole answer came.
func (a *tokenApp) ask(form url.Values) (got tokenAnswer, err error) {
	r, err := http.NewRequest(http.MethodPost, a.site.url+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return got, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(a.id, a.secret)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return got, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return got, err
	}
	got.status = answer.StatusCode
	return got, json.Unmarshal(text, &got)
}

// want asks for tokens and demands how it is answered: "" for with tokens.
func (a *tokenApp) want(form url.Values, status int, code string) tokenAnswer {
	a.t.Helper()
	got, err := a.ask(form)
	if err != nil || got.status != status || got.Error != code || (got.Access != "" && got.ID != "") != (code == "") {
		a.t.Fatalf("%s: %+v, %v; want %d, %q", form.Get("grant_type"), got, err, status, code)
	}
	return got
}

// userinfo is the status with which an access token is answered.
func (a *tokenApp) userinfo(token string) int {
	a.t.Helper()
	r, err := http.NewRequest(http.MethodGet, a.site.url+"/oauth/userinfo", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

func refreshForm(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
}

// TestDiskFullAtToken: while nothing can be written no token is handed out, and the app is told to try again; the code and
// the refresh token are not used up by that.
func TestDiskFullAtToken(t *testing.T) {
	prlimit := tool(t, "prlimit", "util-linux")
	a := startTokenApp(t)
	code, first := a.code("openid"), a.want(a.code("openid offline_access"), 200, "")
	limit := func(to string) {
		t.Helper()
		out, err := exec.Command(prlimit, "--pid", strconv.Itoa(a.site.server.Process.Pid), "--fsize="+to+":").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	limit("0")
	a.want(code, http.StatusServiceUnavailable, "temporarily_unavailable")
	a.want(refreshForm(first.Refresh), http.StatusServiceUnavailable, "temporarily_unavailable")
	if status := a.userinfo(first.Access); status != 200 {
		t.Errorf("what needs no writing is answered with %d", status)
	}
	limit("unlimited")
	if err := poll(timeout, a.site.healthy); err != nil {
		t.Fatal(err)
	}
	if got := a.want(code, 200, ""); a.userinfo(got.Access) != 200 {
		t.Error("the code's token does not work")
	}
	a.want(refreshForm(first.Refresh), 200, "")
	a.site.run("", "check")
}

// TestKilledAtToken kills the program around the exchange of a code and of a refresh token: of two exchanges one at most
// is answered with tokens, and each token that was answered is in the store.
func TestKilledAtToken(t *testing.T) {
	a := startTokenApp(t)
	form := a.code("openid offline_access")
	start := time.Now()
	a.want(form, 200, "")
	window := 3 * time.Since(start) / 2 // so that some are killed before the end, and some after
	done := 0
	for round := range rounds(t) {
		form := a.code("openid offline_access")
		if round%2 == 1 {
			form = refreshForm(a.want(form, 200, "").Refresh)
		}
		moment := time.After(rand.N(window))
		answered := make(chan tokenAnswer, 1)
		go func() {
			got, err := a.ask(form)
			if err != nil {
				got = tokenAnswer{}
			}
			answered <- got
		}()
		<-moment
		a.site.kill()
		first := <-answered
		a.site.run("", "check")
		a.site.start("--base-url", a.site.url)
		if first.status == 200 && a.userinfo(first.Access) != 200 {
			t.Fatalf("round %d: a token that was answered is not known", round)
		}
		second, err := a.ask(form)
		switch {
		case err != nil:
			t.Fatal(err)
		case second.status == 200 && (first.status == 200 || a.userinfo(second.Access) != 200):
			t.Fatalf("round %d: two have won, or a token is not known: %+v", round, second)
		case second.status != 200 && second.Error != "invalid_grant":
			t.Fatalf("round %d: %+v", round, second)
		}
		if first.status == 200 {
			done++
		}
	}
	t.Logf("%d of %d exchanges were answered before the end", done, rounds(t))
}
