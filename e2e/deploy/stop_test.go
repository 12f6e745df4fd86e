package deploy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/e2e/loopback"
)

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// hasEnded waits until the process has.
func (p *process) hasEnded() {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(timeout):
		p.t.Fatal("it does not end")
	}
}

func status(address string) (int, error) {
	answer, err := http.Get(address)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// waitUnhealthy waits until /healthz answers 503.
func waitUnhealthy(t *testing.T, address string) {
	t.Helper()
	eventually(t, "/healthz answers 503", func() error {
		if got, err := status("http://" + address + "/healthz"); err != nil || got != 503 {
			return fmt.Errorf("%d, %v", got, err)
		}
		return nil
	})
}

// TestLoadBalancerSeesTheEnd asks /healthz after SIGTERM: it answers 503 while everything else is still served.
func TestLoadBalancerSeesTheEnd(t *testing.T) {
	t.Parallel()
	t.Run("by default", func(t *testing.T) {
		at := loopback.Free(t)
		p := start(t, []string{"GATEHOUSE_DRAIN_DELAY="}, program, "serve", "--data", dataWithAda(t), "--listen", at)
		healthy(t, p, at)
		p.signal(syscall.SIGTERM)
		waitUnhealthy(t, at)
		p.hasEnded()
		if p.result != nil {
			t.Errorf("it ends with %v", p.result)
		}
	})
	t.Run("a second signal ends it at once", func(t *testing.T) {
		p, at := serve(t, dataWithAda(t), "--drain-delay", "60s")
		p.signal(syscall.SIGTERM)
		waitUnhealthy(t, at)
		if got, err := status("http://" + at + "/signin"); err != nil || got != 200 {
			t.Errorf("people are not served any more: %d, %v", got, err)
		}
		p.signal(syscall.SIGTERM)
		p.hasEnded()
	})
	t.Run("also one that the shell has made it ignore", func(t *testing.T) {
		at := loopback.Free(t)
		p := start(t, nil, "sh", "-c", `trap "" INT; exec "$0" "$@"`, program, "serve", "--data", dataWithAda(t),
			"--listen", at, "--drain-delay", "60s")
		healthy(t, p, at)
		p.signal(syscall.SIGTERM)
		waitUnhealthy(t, at)
		p.signal(syscall.SIGINT)
		p.hasEnded()
	})
	t.Run("an interrupt from the keyboard waits for nobody", func(t *testing.T) {
		p, _ := serve(t, dataWithAda(t), "--drain-delay", "60s")
		p.signal(syscall.SIGINT)
		p.hasEnded()
		if p.result != nil {
			t.Errorf("it ends with %v", p.result)
		}
	})
}

// TestHealthCommand asks as an image without a shell does.
func TestHealthCommand(t *testing.T) {
	t.Parallel()
	health := func(env []string, args ...string) (int, string) {
		cmd := exec.Command(program, append([]string{"health"}, args...)...)
		cmd.Env = env
		out, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(out)
	}
	p, at := serve(t, dataWithAda(t), "--base-url", "https://portal.example.org", "--drain-delay", "60s")
	well := func(env []string, args ...string) {
		t.Helper()
		if code, output := health(env, args...); code != 0 || output != "ok\n" {
			t.Errorf("%v %v: exit %d, %q", env, args, code, output)
		}
	}
	well(nil, "--url", "http://"+at)
	well(nil, "--url", "http://"+at+"/healthz")
	well([]string{"GATEHOUSE_LISTEN=" + at})
	well([]string{"GATEHOUSE_LISTEN=:" + port(at)})
	well([]string{"GATEHOUSE_LISTEN=0.0.0.0:" + port(at)})
	if code, output := health(nil, "--url", "localhost"); code != 2 {
		t.Errorf("no address: exit %d, %q", code, output)
	}
	if code, output := health(nil, "--url", "http://"+at+"/signin?wrong"); code != 1 {
		t.Errorf("another host's page: exit %d, %q", code, output)
	}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "It works!")
	}))
	defer other.Close()
	if code, said := health(nil, "--url", other.URL); code != 1 || !strings.Contains(said, "--url") {
		t.Errorf("another program: exit %d, %q", code, said)
	}
	p.signal(syscall.SIGTERM)
	waitUnhealthy(t, at)
	if code, output := health(nil, "--url", "http://"+at); code != 1 {
		t.Errorf("while it stops: exit %d, %q", code, output)
	}
	p.signal(syscall.SIGTERM)
	p.hasEnded()
	if code, output := health(nil, "--url", "http://"+at); code != 1 {
		t.Errorf("nobody there: exit %d, %q", code, output)
	}

	if code, output := health(nil, "--url", "http://"+at); code != 1 || !strings.Contains(output, "GATEHOUSE_HEALTH_URL") {
		t.Errorf("nobody there: exit %d, %q", code, output)
	}

	own := newPair(t, t.TempDir(), "portal.example.org")
	p, at = serveTLS(t, own.cert, own.key)
	eventually(t, "https", func() error {
		if code, output := health(nil, "--url", "http://"+at); code != 1 || !strings.Contains(output, "serves https") {
			return fmt.Errorf("http of a server of https: exit %d, %q", code, output)
		}
		if code, output := health([]string{"GATEHOUSE_LISTEN=" + at, "GATEHOUSE_TLS_CERT=" + own.cert}); code != 0 {
			return fmt.Errorf("exit %d, %q; %s", code, output, p.output)
		}
		return nil
	})
}

// serveTLS serves a certificate from files.
func serveTLS(t *testing.T, cert, key string) (*process, string) {
	t.Helper()
	at := loopback.Free(t)
	return start(t, nil, program, "serve", "--data", filepath.Join(t.TempDir(), "data"), "--listen", at,
		"--redirect-listen", "none",
		"--tls-cert", cert, "--tls-key", key, "--base-url", "https://portal.example.org:"+port(at)), at
}
