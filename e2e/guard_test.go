package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/e2e/loopback"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// guardedApps starts a site behind nginx, with two apps on hosts of their own that say whom
// they were told of. All three have the one port; browsers know where *.localhost is.
func guardedApps(t *testing.T) (s *site, origin func(name string) string) {
	t.Helper()
	at := loopback.Free(t)
	_, port, _ := strings.Cut(at, ":")
	origin = func(name string) string { return "http://" + name + ".localhost:" + port }
	s = startSite(t, "--base-url", origin("portal"), "--trusted-proxy", "127.0.0.1", "--insecure-http")
	gatehouse := strings.TrimPrefix(s.url, "http://")
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!DOCTYPE html><link rel="icon" href="data:,"><title>%s</title><p>%s says: you are %s at %s`+
			`<form method="post" action="/save"><button>Save</button></form><a href="/.gatehouse/signout">Sign out</a>`,
			r.Host, r.Host, r.Header.Get("Remote-User"), r.URL.Path)
	}))
	t.Cleanup(app.Close)

	dir := t.TempDir()
	conf := fmt.Sprintf("server {\nlisten %s;\nserver_name portal.localhost;\nlocation / {\nproxy_pass http://%s;\n"+
		"proxy_set_header Host $http_host;\nproxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n}\n}\n", at, gatehouse)
	for i, name := range []string{"app1", "app2"} {
		s.run("", "app", "add", strings.ToUpper(name), origin(name), "--guard", "--everyone")
		snippet := s.run("", "app", "show", name, "--nginx", "--gatehouse", gatehouse)
		snippet = strings.NewReplacer("listen "+port+";", "listen "+at+";", "127.0.0.1:3000", strings.TrimPrefix(app.URL, "http://")).Replace(snippet)
		if _, each, found := strings.Cut(snippet, "# For each app."); found && i > 0 {
			snippet = each
		}
		conf += snippet
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n"
	}
	temporary := ""
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += what + "_temp_path " + filepath.Join(dir, what) + ";\n"
	}
	file := filepath.Join(dir, "nginx.conf")
	text := user + "daemon off;\nmaster_process off;\npid " + filepath.Join(dir, "pid") + ";\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n" +
		temporary + conf + "}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	nginx := exec.Command(tool(t, "nginx", "nginx-light"), "-p", dir, "-c", file, "-e", "stderr")
	said := &output{}
	nginx.Stdout, nginx.Stderr = said, said
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = nginx.Process.Kill()
		_ = nginx.Wait()
		if t.Failed() {
			t.Logf("nginx said:\n%s", said)
		}
	})
	if err := poll(timeout, func() error {
		answer, err := http.Get("http://" + at + "/")
		if err != nil {
			return err
		}
		return answer.Body.Close()
	}); err != nil {
		t.Fatal(err)
	}
	s.url = origin("portal")
	return s, origin
}

// TestOneSignInOpensTwoApps: in a real browser, with and without script; one sign-out closes
// both, and the cookie of one opens neither the other nor the portal.
func TestOneSignInOpensTwoApps(t *testing.T) {
	s, origin := guardedApps(t)
	s.addPerson(mia, "member")
	for name, open := range map[string]func(testing.TB, *site) *tab{"with script": openBrowser, "without": openBrowserWithoutScript} {
		t.Run(name, func(t *testing.T) {
			b := open(t, s)
			for _, app := range []string{"app1", "app2"} {
				b.traffic.allow(strings.TrimPrefix(origin(app), "http://"))
			}
			b.Visit(origin("app1") + "/d/1?from=now")
			b.Sees("Sign in")
			b.Fill("email", mia.email)
			b.Fill("password", mia.password)
			b.Click("Sign in")
			b.WaitFor("app1.localhost")
			b.Sees("you are mia at /d/1")
			b.Visit(origin("app2") + "/")
			b.Sees("you are mia at /")
			b.Click("Save")
			b.Sees("you are mia at /save")
			b.Visit("/my")
			b.Click("APP1")
			b.Sees("you are mia at /")

			stolen := ""
			for _, c := range cookies(b, origin("app1")) {
				if c.Name == "gatehouse-app" {
					stolen = c.Value
				}
			}
			if stolen == "" {
				t.Fatal("app1 has no cookie")
			}
			for _, address := range []string{origin("app2") + "/", origin("portal") + "/my"} {
				for _, name := range []string{"gatehouse-app", "gatehouse", "gatehouse-" + portOf(s.url)} {
					if opensWith(t, address, name, stolen) {
						t.Errorf("app1's cookie, as %s, opens %s", name, address)
					}
				}
			}
			if !opensWith(t, origin("app1")+"/", "gatehouse-app", stolen) {
				t.Error("app1's own cookie does not open it: what is shown here is nothing")
			}

			b.Visit(origin("app2") + "/")
			b.Click("Sign out")
			b.Sees("Sign out of APP2 and the workspace?")
			b.Click("Sign out")
			b.Sees("You are signed out.")
			for _, app := range []string{"app1", "app2"} {
				b.Visit(origin(app) + "/")
				b.Sees("Sign in")
				b.DoesNotSee("you are mia")
			}
		})
	}
}

func portOf(address string) string { return address[strings.LastIndex(address, ":")+1:] }

// cookies are what the browser would send to an address.
func cookies(b *tab, address string) []*network.Cookie {
	b.t.Helper()
	result, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{address}})
	b.must("look at the cookies", err)
	return result.Cookies
}

// opensWith reports whether a cookie alone opens an address.
func opensWith(t *testing.T, address, name, value string) bool {
	t.Helper()
	host := strings.TrimPrefix(address, "http://")
	host, path, _ := strings.Cut(host, "/")
	r, err := http.NewRequest("GET", "http://127.0.0.1:"+portOf(host)+"/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	r.Header.Set("Accept", "text/html")
	r.AddCookie(&http.Cookie{Name: name, Value: value})
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
