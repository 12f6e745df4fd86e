package deploy

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"gatehouse/e2e/loopback"
)

// An upstream is an app behind the proxy: it prints what it got, and speaks WebSocket and
// server-sent events.
func upstream(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, string(body), r.Header})
	})
	mux.HandleFunc("/socket", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			http.Error(w, "no WebSocket", http.StatusBadRequest)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nI am %s\n", r.Header.Get("Remote-User"))
		_ = rw.Flush()
		line, err := rw.ReadString('\n')
		if err == nil {
			fmt.Fprintf(conn, "you said %s", line)
		}
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: first\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // the second never comes: whoever waits for it gets nothing
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.CloseClientConnections)
	t.Cleanup(s.Close)
	return s
}

// seen is what an upstream got.
type seen struct {
	Method, URI, Body string
	Header            http.Header
}

// identity is every header that any app could read for one of ours, however it is spelt.
func (s seen) identity() string {
	var all []string
	for name, values := range s.Header {
		plain := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
		if strings.HasPrefix(plain, "remote-") {
			all = append(all, name+"="+strings.Join(values, "|"))
		}
	}
	sort.Strings(all)
	return strings.Join(all, " ")
}

// A guardedSite is the program, two apps, and a proxy in front of all three.
type guardedSite struct {
	t       *testing.T
	data    string
	program *process
	at      string // where the proxy listens
	own     pair
}

func (g *guardedSite) origin(name string) string {
	return "https://" + name + ".example.org:" + port(g.at)
}

// A guardProxy runs the snippets of the program for its apps, and the documented proxy of the
// portal, on one address.
type guardProxy func(g *guardedSite, gatehouse, app string)

// newGuardedSite starts everything. Grafana is for everyone, Wiki for Super-administrators.
func newGuardedSite(t *testing.T, proxy guardProxy) *guardedSite {
	t.Helper()
	g := &guardedSite{t: t, data: dataWithAda(t), at: loopback.Free(t)}
	g.own = newPair(t, t.TempDir(), "portal.example.org", "grafana.example.org", "wiki.example.org", "secret.example.org")
	requireCommand(t, password+"\n", "user", "add", "bob@example.org", "--name", "Bob Müller", "--data", g.data)
	requireCommand(t, "", "app", "add", "Grafana", g.origin("grafana"), "--guard", "--everyone", "--public", "/public/",
		"--public", "/health", "--data", g.data)
	requireCommand(t, "", "app", "add", "Wiki", g.origin("wiki"), "--guard", "--everyone", "--remote-user", "e-mail",
		"--data", g.data)
	requireCommand(t, "", "app", "add", "Secret", g.origin("secret"), "--guard", "--role", "super-administrator", "--data", g.data)
	var gatehouse string
	g.program, gatehouse = serve(t, g.data, "--base-url", g.origin("portal"), "--trusted-proxy", "127.0.0.1/32")
	proxy(g, gatehouse, strings.TrimPrefix(upstream(t).URL, "http://"))
	eventually(t, "the proxy answers", func() error {
		_, err := serial(g.at, "grafana.example.org", g.own.roots)
		return err
	})
	return g
}

// snippet is what the program shows for an app, with the app where the test has it.
func (g *guardedSite) snippet(app, flag, gatehouse, at string) string {
	g.t.Helper()
	text := requireCommand(g.t, "", "app", "show", app, flag, "--gatehouse", gatehouse, "--data", g.data)
	return replace(g.t, text, "127.0.0.1:3000", at)
}

// byNginx is nginx with the snippets.
func byNginx(g *guardedSite, gatehouse, app string) {
	t := g.t
	t.Helper()
	path := tool(t, "nginx", "nginx-light")
	dir := t.TempDir()
	listen := "listen " + g.at + " ssl"
	conf := replace(t, read(t, "../../docs/proxy/nginx.conf"), "listen 80;", "listen "+loopback.Free(t)+";", "listen 443 ssl", listen,
		"/etc/ssl/portal.example.org.pem", g.own.cert, "/etc/ssl/portal.example.org.key", g.own.key, "127.0.0.1:8080", gatehouse)
	for i, name := range []string{"grafana", "wiki", "secret"} {
		block := replace(t, g.snippet(name, "--nginx", gatehouse, app), "listen "+port(g.at)+" ssl", listen,
			"/etc/ssl/"+name+".example.org.pem", g.own.cert, "/etc/ssl/"+name+".example.org.key", g.own.key)
		if _, each, found := strings.Cut(block, "# For each app."); found && i > 0 {
			block = each
		}
		conf += block
	}
	temporary := ""
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += fmt.Sprintf("%s_temp_path %s;\n", what, filepath.Join(dir, what))
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n"
	}
	file := filepath.Join(dir, "nginx.conf")
	write(t, file, user+"daemon off;\nmaster_process off;\npid "+filepath.Join(dir, "pid")+
		";\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\nserver_names_hash_bucket_size 64;\n"+temporary+conf+"}\n")
	start(t, nil, path, "-p", dir, "-c", file, "-e", "stderr")
}

// byCaddy is Caddy with the snippets.
func byCaddy(g *guardedSite, gatehouse, app string) {
	t := g.t
	t.Helper()
	path := tool(t, "caddy", "caddy")
	dir := t.TempDir()
	head := "{\n\tadmin off\n\tauto_https off\n\tservers {\n\t\tprotocols h1\n\t}\n}\n"
	site := func(name string) string {
		return g.origin(name) + " {\n\tbind 127.0.0.1\n\ttls " + g.own.cert + " " + g.own.key
	}
	conf := replace(t, read(t, "../../docs/proxy/Caddyfile"), "portal.example.org {", site("portal"), "127.0.0.1:8080",
		strings.Replace(gatehouse, "unix:", "unix/", 1))
	for _, name := range []string{"grafana", "wiki", "secret"} {
		conf += replace(t, g.snippet(name, "--caddy", gatehouse, app), g.origin(name)+" {", site(name))
	}
	file := filepath.Join(dir, "Caddyfile")
	write(t, file, head+conf)
	start(t, []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}, path, "run", "--config",
		file, "--adapter", "caddyfile")
}

// byTraefik is Traefik with the snippets; TRAEFIK names the program.
func byTraefik(g *guardedSite, gatehouse, app string) {
	t := g.t
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "traefik.yml"), "entryPoints:\n  websecure:\n    address: "+g.at+"\nproviders:\n  file:\n    directory: "+
		filepath.Join(dir, "dynamic")+"\n    watch: false\nglobal:\n  checkNewVersion: false\n  sendAnonymousUsage: false\n")
	if err := os.Mkdir(filepath.Join(dir, "dynamic"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"grafana", "wiki", "secret"} {
		text := g.snippet(name, "--traefik", gatehouse, app)
		if i > 0 { // the middlewares stand once
			before, after, _ := strings.Cut(text, "  middlewares:\n")
			_, routers, _ := strings.Cut(after, "  routers:\n")
			text = before + "  routers:\n" + routers
		}
		write(t, filepath.Join(dir, "dynamic", name+".yml"), text)
	}
	write(t, filepath.Join(dir, "dynamic", "portal.yml"), "tls:\n  stores:\n    default:\n      defaultCertificate:\n        certFile: "+
		g.own.cert+"\n        keyFile: "+g.own.key+"\nhttp:\n  routers:\n    portal:\n      rule: Host(`portal.example.org`)\n"+
		"      entryPoints: [websecure]\n      tls: {}\n      service: portal\n  services:\n    portal:\n      loadBalancer:\n        servers:\n"+
		"          - url: http://"+gatehouse+"\n")
	start(t, nil, os.Getenv("TRAEFIK"), "--configFile="+filepath.Join(dir, "traefik.yml"))
}

// guardProxies are the proxies that are there. Traefik takes minutes to build, so it is there
// where TRAEFIK names its program.
func guardProxies() map[string]guardProxy {
	all := map[string]guardProxy{"nginx": byNginx, "Caddy": byCaddy}
	if os.Getenv("TRAEFIK") != "" {
		all["Traefik"] = byTraefik
	}
	return all
}

// eachGuardProxy runs a test behind each proxy.
func eachGuardProxy(t *testing.T, test func(t *testing.T, g *guardedSite)) {
	for name, proxy := range guardProxies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newGuardedSite(t, proxy))
		})
	}
}

// visitor is a browser that knows all hosts at the proxy.
func (g *guardedSite) visitor() *browser {
	b := newBrowser(g.t, g.origin("portal"), g.at, "127.0.0.5", g.own.roots)
	b.header.Set("Accept", "text/html,*/*;q=0.8")
	b.header.Set("Sec-Fetch-Mode", "navigate")
	b.header.Set("Sec-Fetch-Dest", "document")
	return b
}

// request sends one request to any host.
func (b *browser) request(method, address, body string, header ...string) (status int, text string) {
	b.t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for name, values := range b.header {
		r.Header[name] = values
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header[header[i]] = []string{header[i+1]} // as it is spelt
	}
	if b.last, err = b.client.Do(r); err != nil {
		b.t.Fatal(err)
	}
	defer b.last.Body.Close()
	answer, err := io.ReadAll(b.last.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.last.StatusCode, string(answer)
}

// refresh is where a page goes on to by itself.
var refresh = regexp.MustCompile(`http-equiv="refresh" content="0; url=([^"]*)"`)

// visit opens a page and goes where it leads, and returns the last address, status and text.
func (b *browser) visit(address string) (at string, status int, text string) {
	b.t.Helper()
	for range 10 {
		status, text = b.request("GET", address, "")
		next := b.last.Header.Get("Location")
		if m := refresh.FindStringSubmatch(text); status == 200 && m != nil {
			next = html.UnescapeString(m[1])
		} else if status != 303 {
			return address, status, text
		}
		to, err := b.last.Request.URL.Parse(next)
		if err != nil {
			b.t.Fatal(err)
		}
		address = to.String()
	}
	b.t.Fatalf("led round in a circle: %s", address)
	return "", 0, ""
}

// enter opens an app, signs in where it is asked to, and goes on to what the app got.
func (b *browser) enter(address, email string) seen {
	b.t.Helper()
	at, status, text := b.visit(address)
	if signIn, err := url.Parse(at); err == nil && signIn.Path == "/signin" {
		text = b.post("/signin", 200, "email", email, "password", password, "next", signIn.Query().Get("next"))
		m := refresh.FindStringSubmatch(text)
		if m == nil {
			b.t.Fatalf("the sign-in leads nowhere:\n%s", text)
		}
		_, status, text = b.visit(b.base + html.UnescapeString(m[1]))
	}
	return b.got(status, text)
}

func (b *browser) got(status int, text string) (s seen) {
	b.t.Helper()
	if err := json.Unmarshal([]byte(text), &s); err != nil || status != 200 {
		b.t.Fatalf("the app did not answer: %d, %v\n%s", status, err, text)
	}
	return s
}

// spoofed are the headers by which a visitor would like to be somebody else.
var spoofed = []string{"Remote-User", "root", "remote-user", "root", "Remote_User", "root", "Remote.User", "root", "REMOTE_USER", "root",
	"Remote-Email", "root@example.org", "Remote_Email", "x", "Remote-Name", "Root", "Remote.Name", "x", "Remote-Groups", "admins",
	"Remote_Groups", "admins", "Remote.Groups", "admins"}

// TestGuardedApps: one sign-in opens both apps, behind each proxy, with the program's own
// snippets; and one sign-out closes them.
func TestGuardedApps(t *testing.T) {
	eachGuardProxy(t, func(t *testing.T, g *guardedSite) {
		b := g.visitor()
		at, _, _ := b.visit(g.origin("grafana") + "/d/1?from=now&to=%2F")
		if !strings.HasPrefix(at, g.origin("portal")+"/signin?next=%2Fenter%2Fgrafana%3F") {
			t.Fatalf("a stranger is led to %s", at)
		}
		got := b.enter(g.origin("grafana")+"/d/1?from=now&to=%2F", "bob@example.org")
		if got.URI != "/d/1?from=now&to=%2F" {
			t.Errorf("leads back to %s", got.URI)
		}
		want := "Remote-Email=bob@example.org Remote-Groups=member Remote-Name=Bob Müller Remote-User=bob"
		if got.identity() != want {
			t.Errorf("the app is told %q, want %q", got.identity(), want)
		}

		// The other app, without a sign-in, and by e-mail address.
		at, status, text := b.visit(g.origin("wiki") + "/")
		if wiki := b.got(status, text); at != g.origin("wiki")+"/" || wiki.Header.Get("Remote-User") != "bob@example.org" {
			t.Errorf("at %s the other app is told %q", at, wiki.identity())
		}

		// What a visitor says of who they are, spelt in every way, on public paths too.
		status, text = b.request("GET", g.origin("grafana")+"/", "", spoofed...)
		if got := b.got(status, text); got.identity() != want {
			t.Errorf("a visitor makes themselves %q", got.identity())
		}
		for _, who := range []*browser{g.visitor(), b} {
			status, text = who.request("GET", g.origin("grafana")+"/public/a.css", "", spoofed...)
			public := strings.NewReplacer("=", "").Replace(who.got(status, text).identity())
			for _, name := range []string{"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups"} {
				public = strings.ReplaceAll(public, name, "")
			}
			if strings.TrimSpace(public) != "" {
				t.Errorf("on a public path a visitor makes themselves %q", public)
			}
		}

		// Where a request is going is the proxy's word alone.
		stranger := g.visitor()
		for _, header := range [][]string{
			{"X-Original-URL", g.origin("grafana") + "/public/", "X-Original-Method", "GET"},
			{"X-Forwarded-Uri", "/public/"}, {"X-Forwarded-Host", "wiki.example.org"}, {"X-Forwarded-Method", "GET"},
			{"X-Forwarded-Proto", "http"}, {"Forwarded", "host=wiki.example.org;proto=http"}, {"X-Forwarded-For", "127.0.0.1"},
		} {
			status, text := stranger.request("GET", g.origin("grafana")+"/secret?path=/public/", "", header...)
			if status == 200 {
				t.Errorf("%v opens the app:\n%s", header, text)
			}
		}
		for _, path := range []string{"/public/../secret", "/public/%2e%2e/secret", "/public/..%2fsecret", "/health/../secret",
			"/PUBLIC/x", "/public//../secret", "/secret#/public/", "//public/../secret", "/public/..;/secret"} {
			if answer := g.raw("grafana.example.org:"+port(g.at), path); strings.Contains(answer, `"URI"`) {
				t.Errorf("%s goes through:\n%s", path, answer)
			}
		}
		for _, host := range []string{"GRAFANA.example.org:" + port(g.at), "grafana.example.org.:" + port(g.at)} {
			if answer := g.raw(host, "/secret"); strings.Contains(answer, `"URI"`) {
				t.Errorf("the host %s goes through:\n%s", host, answer)
			}
		}

		// Forms and fetches.
		status, text = b.request("POST", g.origin("grafana")+"/save", "a=b", "Origin", g.origin("grafana"), "Content-Type", "text/plain")
		if got := b.got(status, text); got.Method != "POST" || got.Body != "a=b" {
			t.Errorf("the app got %+v", got)
		}
		for _, origin := range []string{g.origin("wiki"), "https://evil.example", "null"} {
			if status, _ := b.request("POST", g.origin("grafana")+"/save", "a=b", "Origin", origin); status != 403 {
				t.Errorf("a form of %s: %d", origin, status)
			}
		}
		if status, text := stranger.request("GET", g.origin("grafana")+"/api", "", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "application/json"); status != 401 || stranger.last.Header.Get("Www-Authenticate") != "" ||
			!strings.Contains(text, g.origin("portal")+"/enter/grafana") {
			t.Errorf("a fetch is answered %d %v\n%s", status, stranger.last.Header, text)
		}

		// An app that is not for everyone.
		at, status, text = b.visit(g.origin("secret") + "/")
		if status != 403 || !strings.Contains(text, "You cannot open Secret") {
			t.Errorf("at %s: %d\n%s", at, status, text)
		}

		// Sign out, from the app.
		at, _, _ = b.visit(g.origin("grafana") + "/.gatehouse/signout")
		if at != g.origin("portal")+"/enter/grafana/signout" {
			t.Fatalf("the sign-out is at %s", at)
		}
		b.post("/enter/grafana/signout", 303)
		for _, app := range []string{"grafana", "wiki"} {
			if at, _, _ := b.visit(g.origin(app) + "/"); !strings.HasPrefix(at, g.origin("portal")+"/signin") {
				t.Errorf("after the sign-out %s is open at %s", app, at)
			}
		}
	})
}

// raw sends a request target as it is, and returns the whole answer.
func (g *guardedSite) raw(host, target string) string {
	g.t.Helper()
	conn := g.dial()
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\nConnection: close\r\n\r\n", target, host)
	answer, err := io.ReadAll(conn)
	if err != nil && len(answer) == 0 {
		g.t.Fatal(err)
	}
	return string(answer)
}

// dial opens a connection to the proxy.
func (g *guardedSite) dial() net.Conn {
	g.t.Helper()
	conn, err := tls.Dial("tcp", g.at, &tls.Config{RootCAs: g.own.roots, ServerName: "grafana.example.org", NextProtos: []string{"http/1.1"}})
	if err != nil {
		g.t.Fatal(err)
	}
	return conn
}

// cookies are what a browser sends to an app.
func (b *browser) cookiesOf(address string) string {
	b.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	for _, c := range b.client.Jar.Cookies(u) {
		all = append(all, c.Name+"="+c.Value)
	}
	return strings.Join(all, "; ")
}

// TestLongAnswersThroughGuard: a WebSocket is checked when it opens, and by its origin; what
// an app sends bit by bit arrives so.
func TestLongAnswersThroughGuard(t *testing.T) {
	eachGuardProxy(t, func(t *testing.T, g *guardedSite) {
		b := g.visitor()
		b.enter(g.origin("grafana")+"/", "bob@example.org")
		open := func(cookie, origin string) (net.Conn, *bufio.Reader, int) {
			t.Helper()
			conn := g.dial()
			t.Cleanup(func() { _ = conn.Close() })
			fmt.Fprintf(conn, "GET /socket HTTP/1.1\r\nHost: grafana.example.org:%s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: %s\r\nCookie: %s\r\n\r\n",
				port(g.at), origin, cookie)
			in := bufio.NewReader(conn)
			answer, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			return conn, in, answer.StatusCode
		}
		cookie := b.cookiesOf(g.origin("grafana"))
		conn, in, status := open(cookie, g.origin("grafana"))
		if status != http.StatusSwitchingProtocols {
			t.Fatalf("a WebSocket is answered %d", status)
		}
		hello, err := in.ReadString('\n')
		fmt.Fprint(conn, "hello\n")
		echo, errEcho := in.ReadString('\n')
		if err := errors.Join(err, errEcho); err != nil || hello != "I am bob\n" || echo != "you said hello\n" {
			t.Errorf("through the WebSocket came %q %q %v", hello, echo, err)
		}
		if _, _, status := open(cookie, g.origin("wiki")); status != 403 {
			t.Errorf("a WebSocket of a sibling is answered %d", status)
		}
		if _, _, status := open("", g.origin("grafana")); status != 401 {
			t.Errorf("a stranger's WebSocket is answered %d", status)
		}

		r, err := http.NewRequest("GET", g.origin("grafana")+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := b.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if line, err := bufio.NewReader(answer.Body).ReadString('\n'); err != nil || line != "data: first\n" {
			t.Errorf("the first event: %q, %v", line, err)
		}
	})
}

// TestKilledBehindAProxy: when nobody answers the proxy, nothing goes through.
func TestKilledBehindAProxy(t *testing.T) {
	eachGuardProxy(t, func(t *testing.T, g *guardedSite) {
		b := g.visitor()
		b.enter(g.origin("grafana")+"/", "bob@example.org")
		if err := g.program.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-g.program.ended
		for _, path := range []string{"/", "/public/a.css", "/.gatehouse/start", "/socket"} {
			for _, who := range []*browser{b, g.visitor()} {
				if status, text := who.request("GET", g.origin("grafana")+path, ""); status < 500 {
					t.Errorf("%s is answered %d\n%s", path, status, text)
				}
			}
		}
	})
}

// TestCheckThisApp: the command says what the proxy asks, and what is wrong with it.
func TestCheckThisApp(t *testing.T) {
	eachGuardProxy(t, func(t *testing.T, g *guardedSite) {
		b := g.visitor()
		check := func(app string) (int, string) {
			t.Helper()
			done := make(chan struct{})
			var code int
			var said string
			go func() {
				defer close(done)
				code, said = command(t, "", "app", "check", app, "--wait", "20s", "--data", g.data)
			}()
			for {
				select {
				case <-done:
					return code, said
				default:
					b.request("GET", g.origin(app)+"/d?token=hidden", "", "Cookie", "secret=hidden")
				}
			}
		}
		code, said := check("grafana")
		if code != 0 || !strings.Contains(said, "The proxy asks as it should.") || !strings.Contains(said, "127.0.0.1") ||
			!strings.Contains(said, g.origin("grafana")+"/d\n") || strings.Contains(said, "hidden") {
			t.Errorf("exit %d\n%s", code, said)
		}
		requireCommand(t, "", "app", "set", "wiki", "--no-guard", "--data", g.data)
		if code, said = check("wiki"); code != 1 || !strings.Contains(said, "not set to be guarded") {
			t.Errorf("exit %d\n%s", code, said)
		}
	})
}
