package apps_test

import (
	"os"
	"strings"
	"testing"

	"gatehouse/apps"
)

// TestSnippetsAreTheDocumentedOnes: the program shows what stands in docs/proxy, with the
// names filled in.
func TestSnippetsAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	grafana := apps.App{Slug: "grafana", Address: apps.Address{Scheme: "https", Host: "grafana.example.org"}}
	for proxy, file := range map[apps.Proxy]string{apps.Nginx: "app-nginx.conf", apps.Caddy: "app-Caddyfile", apps.Traefik: "app-traefik.yml"} {
		text, err := os.ReadFile("../docs/proxy/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if got := grafana.Snippet(proxy, ""); got != string(text) {
			t.Errorf("docs/proxy/%s is not what the program shows:\n%s", file, got)
		}
	}
	portal := apps.Address{Scheme: "https", Host: "portal.example.org"}
	for proxy, file := range map[apps.Proxy]string{apps.Nginx: "nginx.conf", apps.Caddy: "Caddyfile", apps.Traefik: "traefik.yml"} {
		text, err := os.ReadFile("../docs/proxy/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if got := apps.PortalSnippet(proxy, portal, ""); got != string(text) {
			t.Errorf("docs/proxy/%s is not what the program shows:\n%s", file, got)
		}
	}
}

func TestSnippetNamesTheApp(t *testing.T) {
	t.Parallel()
	secure := apps.App{Slug: "wiki", Address: apps.Address{Scheme: "https", Host: "wiki.example.net", Port: "8443"}}
	plain := apps.App{Slug: "wiki", Address: apps.Address{Scheme: "http", Host: "wiki.lan"}}
	for _, c := range []struct {
		app   apps.App
		proxy apps.Proxy
		has   []string
		not   []string
	}{
		{secure, apps.Nginx, []string{"listen 8443 ssl;", "server_name wiki.example.net;", "/etc/ssl/wiki.example.net.pem", "server 10.0.0.1:9;"}, nil},
		{secure, apps.Caddy, []string{"https://wiki.example.net:8443 {", "forward_auth 10.0.0.1:9 {"}, nil},
		{secure, apps.Traefik, []string{"Host(`wiki.example.net`)", "    wiki:\n", "service: wiki\n", "tls: {}", "http://10.0.0.1:9/.gatehouse/check"}, nil},
		{plain, apps.Nginx, []string{"listen 80;", "server_name wiki.lan;"}, []string{"ssl"}},
		{plain, apps.Caddy, []string{"http://wiki.lan {"}, nil},
		{plain, apps.Traefik, []string{"entryPoints: [web]"}, []string{"tls: {}"}},
	} {
		got := c.app.Snippet(c.proxy, "10.0.0.1:9")
		for _, part := range c.has {
			if !strings.Contains(got, part) {
				t.Errorf("%s has no %q:\n%s", c.proxy, part, got)
			}
		}
		for _, part := range append(c.not, "grafana", "127.0.0.1:8080") {
			if strings.Contains(got, part) {
				t.Errorf("%s has %q:\n%s", c.proxy, part, got)
			}
		}
	}
}

// TestSnippetForASocket writes a unix socket as each proxy does.
func TestSnippetForASocket(t *testing.T) {
	t.Parallel()
	app := apps.App{Slug: "wiki", Address: apps.Address{Scheme: "https", Host: "wiki.example.net"}}
	for proxy, line := range map[apps.Proxy]string{
		apps.Nginx:   "    server unix:/run/gatehouse/gatehouse.sock;\n",
		apps.Caddy:   "forward_auth unix//run/gatehouse/gatehouse.sock {\n",
		apps.Traefik: "# Traefik cannot ask at a unix socket",
	} {
		if got := app.Snippet(proxy, "unix:/run/gatehouse/gatehouse.sock"); !strings.Contains(got, line) {
			t.Errorf("%s has no %q:\n%s", proxy, line, got)
		}
	}
}

// TestSnippetForNodes is the documented configuration of Caddy before two nodes, and an app's beside it.
func TestSnippetForNodes(t *testing.T) {
	t.Parallel()
	const nodes = "10.0.0.11:8080 10.0.0.12:8080"
	text, err := os.ReadFile("../docs/proxy/Caddyfile-nodes")
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(string(text), "\n")
	_, got, _ := strings.Cut(apps.PortalSnippet(apps.Caddy, apps.Address{Scheme: "https", Host: "portal.example.org"}, nodes), "\n")
	if got != want {
		t.Errorf("docs/proxy/Caddyfile-nodes is not what the program shows:\n%s", got)
	}
	app := apps.App{Slug: "wiki", Address: apps.Address{Scheme: "https", Host: "wiki.example.net"}}
	if got := app.Snippet(apps.Caddy, nodes); !strings.Contains(got, "forward_auth "+nodes+" {\n\t\t\tfail_duration 5s\n\t\t\tlb_try_duration 5s\n\t\t\turi ") {
		t.Errorf("the app asks one:\n%s", got)
	}
}
