package deploy

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/e2e/loopback"
)

// replace changes a document's text in places that must be there.
func replace(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the document has no %q:\n%s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// nginx runs the documented server block, on a loopback address and with a test's certificate.
func nginx(t *testing.T, at, upstream string, own pair) *process {
	t.Helper()
	return runNginx(t, replace(t, read(t, "../../docs/proxy/nginx.conf"), "listen 80;", "listen "+loopback.Free(t)+";", "listen 443 ssl", "listen "+at+" ssl",
		"/etc/ssl/portal.example.org.pem", own.cert, "/etc/ssl/portal.example.org.key", own.key, "127.0.0.1:8080", upstream))
}

// runNginx runs server blocks.
func runNginx(t *testing.T, block string) *process {
	t.Helper()
	path := tool(t, "nginx", "nginx-light")
	dir := t.TempDir()
	temporary := ""
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += fmt.Sprintf("%s_temp_path %s;\n", what, filepath.Join(dir, what))
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n"
	}
	conf := filepath.Join(dir, "nginx.conf")
	write(t, conf, user+"daemon off;\nmaster_process off;\npid "+filepath.Join(dir, "pid")+
		";\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n"+temporary+block+"}\n")
	return start(t, nil, path, "-p", dir, "-c", conf, "-e", "stderr")
}

// caddy runs the documented site, on a loopback address and with a test's certificate.
func caddy(t *testing.T, at, upstream string, own pair) *process {
	t.Helper()
	return runCaddy(t, t.TempDir(), replace(t, read(t, "../../docs/proxy/Caddyfile"), "portal.example.org {",
		"https://portal.example.org:"+port(at)+" {\n\tbind 127.0.0.1\n\ttls "+own.cert+" "+own.key, "127.0.0.1:8080",
		upstream))
}

// runCaddy runs sites.
func runCaddy(t *testing.T, dir, site string) *process {
	t.Helper()
	path := tool(t, "caddy", "caddy")
	conf := filepath.Join(dir, "Caddyfile")
	write(t, conf, "{\n\tadmin off\n\tauto_https off\n\tservers {\n\t\tprotocols h1 h2\n\t}\n}\n"+site)
	return start(t, []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}, path, "run", "--config",
		conf, "--adapter", "caddyfile")
}

// TestProxies signs in through real proxies: the address that counts is the browser's, whatever it says itself.
func TestProxies(t *testing.T) {
	for name, run := range map[string]func(t *testing.T, at, upstream string, own pair) *process{"nginx": nginx,
		"Caddy": caddy} {
		t.Run(name, func(t *testing.T) {
			data := dataWithAda(t)
			own := newPair(t, t.TempDir(), "portal.example.org")
			at := loopback.Free(t)
			base := "https://portal.example.org:" + port(at)
			_, upstream := serve(t, data, "--base-url", base, "--trusted-proxy", "127.0.0.1/32")
			run(t, at, upstream, own)
			eventually(t, "the proxy answers", func() error {
				_, err := serial(at, "portal.example.org", own.roots)
				return err
			})

			b := newBrowser(t, base, at, "127.0.0.5", own.roots)
			b.header = http.Header{"X-Forwarded-For": {"203.0.113.9"}, "X-Real-Ip": {"203.0.113.9"},
				"Forwarded": {"for=203.0.113.9;host=evil.example;proto=http"}, "X-Forwarded-Host": {"evil.example"},
				"X-Forwarded-Proto": {"http"}, "Remote-User": {"root"}}
			b.wholeSignIn()
			b.post("/signout", 303)
			b.post("/signin", 303, "email", ada, "password", password)
			for _, cookie := range b.last.Cookies() {
				if !strings.HasPrefix(cookie.Name, "__Host-") || !cookie.Secure {
					t.Errorf("the cookie %s", cookie)
				}
			}
			if addresses := activityAddresses(t, data); addresses != "127.0.0.5" {
				t.Errorf("the activity names %q, want 127.0.0.5 alone", addresses)
			}
		})
	}
}

// TestDoctorBehindProxies asks through the documented proxies what doctor finds: that they hand on what they must.
func TestDoctorBehindProxies(t *testing.T) {
	own := newPair(t, t.TempDir(), "localhost")
	for name, run := range map[string]func(at, upstream string){
		"nginx": func(at, upstream string) {
			runNginx(t, replace(t, read(t, "../../docs/proxy/nginx.conf"), "listen 80;", "listen "+loopback.Free(t)+";", "listen 443 ssl", "listen "+at+" ssl",
				"/etc/ssl/portal.example.org.pem", own.cert, "/etc/ssl/portal.example.org.key", own.key, "portal.example.org",
				"localhost", "127.0.0.1:8080", upstream))
		},
		"Caddy": func(at, upstream string) {
			runCaddy(t, t.TempDir(), replace(t, read(t, "../../docs/proxy/Caddyfile"), "portal.example.org {",
				"https://localhost:"+port(at)+" {\n\tbind 127.0.0.1\n\ttls "+own.cert+" "+own.key, "127.0.0.1:8080", upstream))
		},
	} {
		at := loopback.Free(t)
		base := "https://localhost:" + port(at)
		data := dataWithAda(t)
		_, upstream := serve(t, data, "--base-url", base, "--trusted-proxy", "127.0.0.1/32")
		run(at, upstream)
		eventually(t, "the proxy answers", func() error {
			_, err := serial(at, "localhost", own.roots)
			return err
		})
		_, found := command(t, "", "doctor", "--json", "--data", data, "--acme-ca", own.cert)
		for _, want := range []string{`{"check":"reach","level":"ok","seen":"` + base, `{"check":"certificate","level":"ok"`,
			`{"check":"proxy","level":"ok","seen":"It hands on name, scheme and the visitor's address`,
			`{"check":"trusted-proxies","level":"ok"`} {
			if !strings.Contains(found, want) {
				t.Errorf("%s: no %s in\n%s", name, want, found)
			}
		}
	}
}

// TestUntrustedPeer forges headers without a proxy in between, and from a peer that is none of the proxies.
func TestUntrustedPeer(t *testing.T) {
	data := dataWithAda(t)
	_, at := serve(t, data, "--trusted-proxy", "127.0.0.1/32")
	b := newBrowser(t, "http://"+at, at, "127.0.0.6", nil)
	b.header = http.Header{"X-Forwarded-For": {"203.0.113.9"}}
	b.post("/signin", 303, "email", ada, "password", password)
	if addresses := activityAddresses(t, data); addresses != "127.0.0.6" {
		t.Errorf("the activity names %q, want 127.0.0.6 alone", addresses)
	}
}

// activityAddresses is every address that the activity names, in order, from a backup that is read from outside.
func activityAddresses(t *testing.T, data string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "backup.db")
	requireCommand(t, "", "backup", copied, "--data", data)
	out, err := exec.Command(tool(t, "sqlite3", "sqlite3"), copied,
		"SELECT group_concat(a, ' ') FROM (SELECT DISTINCT address AS a FROM activity WHERE address <> '' ORDER BY a)").
		Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
