package deploy

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// The challenge and verifier of RFC 7636, appendix B.
const (
	pkceVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	pkceChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// A nodesApp is an app that signs people in at a cluster.
type nodesApp struct {
	c          *cluster
	id, secret string
	client     *http.Client
}

const nodesAppURL = "https://grafana.example.org"

// connect adds an app that everybody may open.
func (c *cluster) connect() *nodesApp {
	c.t.Helper()
	out := requireCommand(c.t, "", append(c.flags(), "app", "add", "Grafana", nodesAppURL, "--everyone", "--connect",
		"--redirect", nodesAppURL+"/cb", "--base-url", c.base)...)
	found := regexp.MustCompile(`Client ID: +(\S+)\s+Client secret: +(\S+)`).FindStringSubmatch(out)
	if found == nil {
		c.t.Fatalf("no id and secret:\n%s", out)
	}
	return &nodesApp{c: c, id: found[1], secret: found[2], client: &http.Client{}}
}

// code signs a browser in at the app.
func (a *nodesApp) code(b *browser, scope string) string {
	a.c.t.Helper()
	b.send("GET", "/oauth/authorize?"+url.Values{
		"client_id": {a.id}, "redirect_uri": {nodesAppURL + "/cb"}, "response_type": {"code"}, "scope": {scope},
		"code_challenge": {pkceChallenge}, "code_challenge_method": {"S256"},
	}.Encode(), 303, nil)
	to, err := b.last.Location()
	if err != nil || to.Query().Get("code") == "" {
		a.c.t.Fatalf("no code: %v, %v", to, err)
	}
	return to.Query().Get("code")
}

// nodesTokens are what the token address answers.
type nodesTokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
}

// ask asks a node for tokens.
func (a *nodesApp) ask(address string, form url.Values) (status int, tokens nodesTokens) {
	r, err := http.NewRequest(http.MethodPost, "http://"+address+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return 0, tokens
	}
	r.Host = strings.TrimPrefix(a.c.base, "http://")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(a.id, a.secret)
	answer, err := a.client.Do(r)
	if err != nil {
		return 0, tokens
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&tokens); err != nil {
		return 0, tokens
	}
	return answer.StatusCode, tokens
}

// userinfo is the status with which a node answers an access token.
func (a *nodesApp) userinfo(address, token string) int {
	a.c.t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+address+"/oauth/userinfo", nil)
	if err != nil {
		a.c.t.Fatal(err)
	}
	r.Host = strings.TrimPrefix(a.c.base, "http://")
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := a.client.Do(r)
	if err != nil {
		a.c.t.Fatal(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

// raceForTokens sends one request for tokens to both nodes, 64 at once each, and returns what the one gets that wins.
func (a *nodesApp) raceForTokens(t *testing.T, nodes []string, form url.Values) (won nodesTokens) {
	t.Helper()
	var mu sync.Mutex
	got := atOnce(t, nodes, func(_ int, address string) int {
		status, tokens := a.ask(address, form)
		if status == http.StatusOK {
			mu.Lock()
			defer mu.Unlock()
			won = tokens
		} else if tokens.Error != "invalid_grant" {
			t.Errorf("status %d, %q", status, tokens.Error)
		}
		return status
	})
	if got[http.StatusOK] != 1 || got[http.StatusBadRequest] != 64*len(nodes)-1 {
		t.Errorf("answers: %v", got)
	}
	return won
}

// openIDRaces are the races of an app's code and refresh token, with a browser that is signed in.
func openIDRaces(t *testing.T, c *cluster, nodes []string, b *browser) {
	a := c.connect()
	exchange := func(code string) url.Values {
		return url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {nodesAppURL + "/cb"},
			"code_verifier": {pkceVerifier},
		}
	}
	t.Run("one refresh token is exchanged once, and its successor works", func(t *testing.T) {
		status, first := a.ask(nodes[0], exchange(a.code(b, "openid offline_access")))
		if status != http.StatusOK || first.Refresh == "" {
			t.Fatalf("status %d, %+v", status, first)
		}
		won := a.raceForTokens(t, nodes, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Refresh}})
		for _, address := range nodes {
			if status := a.userinfo(address, won.Access); status != http.StatusOK {
				t.Errorf("the winner's token is answered with %d", status)
			}
		}
		if status, _ := a.ask(nodes[1], url.Values{"grant_type": {"refresh_token"}, "refresh_token": {won.Refresh}}); status != 200 {
			t.Errorf("the successor is answered with %d", status)
		}
	})
	t.Run("one code of an app is exchanged once, and what came of it ends", func(t *testing.T) {
		won := a.raceForTokens(t, nodes, exchange(a.code(b, "openid")))
		for _, address := range nodes {
			if status := a.userinfo(address, won.Access); status != http.StatusUnauthorized {
				t.Errorf("a code that came %d times leaves a token that works: %d", 64*len(nodes), status)
			}
		}
		if got := c.server.sql("gatehouse", `SELECT count(*) FROM activity WHERE event = 'authn_token_reuse'`); got != "1" {
			t.Errorf("the activity tells it %s times", got)
		}
	})
}
