package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gatehouse/e2e/loopback"
)

// TestOAuth2Proxy puts oauth2-proxy in front of a page. The program takes minutes to build
// (task oauth2-proxy), so it is not in every run.
func TestOAuth2Proxy(t *testing.T) {
	t.Parallel()
	proxy := os.Getenv("GATEHOUSE_OAUTH2_PROXY")
	if proxy == "" {
		t.Skip("run it with: task oauth2-proxy")
	}
	s := startSiteAtItsAddress(t)
	s.addPerson(ada, "member")
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Header.Get("X-Forwarded-Preferred-Username"), r.Header.Get("X-Forwarded-Email"))
	}))
	t.Cleanup(upstream.Close)
	address := loopback.Free(t)
	_, port, _ := strings.Cut(address, ":")
	app := "http://localhost:" + port
	id, secret := s.connect("Board", app, "--redirect", app+"/oauth2/callback")
	cmd := exec.Command(proxy, "--provider=oidc", "--oidc-issuer-url="+s.url, "--client-id="+id, "--client-secret="+secret,
		"--redirect-url="+app+"/oauth2/callback", "--http-address="+address, "--upstream="+upstream.URL, "--email-domain=*",
		"--cookie-secret=0123456789abcdef0123456789abcdef", "--cookie-secure=false", "--code-challenge-method=S256",
		"--skip-provider-button=true", "--scope=openid profile email groups", "--pass-user-headers=true")
	log := &output{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("oauth2-proxy's output:\n%s", log)
		}
	})
	if err := poll(timeout, func() error {
		answer, err := http.Get(app + "/ping")
		if err == nil {
			_ = answer.Body.Close()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, app, ada)
	back := a.goTo(app + "/")
	answer, err := a.client.Get(back)
	if err == nil {
		_ = answer.Body.Close()
		answer, err = a.client.Get(app + "/")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 200 || string(body) != "ada ada@example.org" {
		t.Errorf("the page behind the proxy answers %d: %s, %v", answer.StatusCode, body, err)
	}
}
