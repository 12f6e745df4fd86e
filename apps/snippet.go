package apps

import (
	_ "embed"
	"strings"
)

// A Proxy is a proxy that can ask before each request to an app.
type Proxy string

// The proxies whose configuration is written for an app.
const (
	Nginx   Proxy = "nginx"
	Caddy   Proxy = "caddy"
	Traefik Proxy = "traefik"
)

// Proxies are these, in the order in which they are offered.
var Proxies = []Proxy{Nginx, Caddy, Traefik}

// Name is what a proxy calls itself.
func (p Proxy) Name() string {
	switch p {
	case Caddy:
		return "Caddy"
	case Traefik:
		return "Traefik"
	}
	return string(p)
}

// The configurations, for an app at https://grafana.example.org. Tests run these very texts.
var (
	//go:embed snippets/nginx.conf
	nginxSnippet string
	//go:embed snippets/Caddyfile
	caddySnippet string
	//go:embed snippets/traefik.yml
	traefikSnippet string
)

// The configurations for the portal itself, at https://portal.example.org.
var (
	//go:embed snippets/portal-nginx.conf
	nginxPortal string
	//go:embed snippets/portal-Caddyfile
	caddyPortal string
	//go:embed snippets/portal-traefik.yml
	traefikPortal string
)

// Where things are in a configuration that nobody has said otherwise.
const (
	snippetGatehouse = "127.0.0.1:8080"
	snippetApp       = "127.0.0.1:3000"
)

// What Caddy is told beside the addresses of several nodes: one that does not answer is left
// out for a while, and the next is asked.
const (
	caddyAppNodes = " {\n\t\t\tfail_duration 5s\n\t\t\tlb_try_duration 5s\n"
	caddyNodes    = " {\n\t\thealth_uri /healthz\n\t\thealth_interval 2s\n\t\thealth_timeout 3s\n\t\tfail_duration 5s\n" +
		"\t\tlb_policy round_robin\n\t\tlb_try_duration 5s\n\t}\n"
)

// noSocket begins a configuration for a proxy that could not reach us.
const noSocket = "# Traefik cannot ask at a unix socket: start Gatehouse with --listen 127.0.0.1:8080.\n"

// Snippet is what makes a proxy ask us, at the address where it reaches us (host:port, or
// unix:/path; several nodes for Caddy, with blanks), before each request to an app. Where the app itself runs only the admin knows:
// it says 127.0.0.1:3000.
func (a App) Snippet(p Proxy, gatehouse string) string { return a.SnippetTo(p, gatehouse, "") }

// SnippetTo is Snippet for an app that runs at a known host and port.
func (a App) SnippetTo(p Proxy, gatehouse, app string) string {
	text := map[Proxy]string{Nginx: nginxSnippet, Caddy: caddySnippet, Traefik: traefikSnippet}[p]
	text, pairs := reaching(p, text, gatehouse)
	if app != "" {
		pairs = append(pairs, snippetApp, app)
	}
	host, port := JoinHost(a.Address.Host, ""), a.Address.Port
	switch {
	case p == Nginx && a.Address.Scheme == "http":
		if port == "" {
			port = "80"
		}
		text = withoutLines(text, "ssl_certificate")
		pairs = append(pairs, "listen 443 ssl;", "listen "+port+";")
	case p == Nginx && port != "":
		pairs = append(pairs, "listen 443 ssl;", "listen "+port+" ssl;")
	case p == Caddy && (a.Address.Scheme == "http" || port != ""):
		pairs = append(pairs, "grafana.example.org {", a.Address.String()+" {")
	case p == Traefik && a.Address.Scheme == "http":
		text = withoutLines(text, "tls: {}")
		pairs = append(pairs, "[websecure]", "[web]")
	}
	pairs = append(pairs, "grafana.example.org", host, "grafana:", a.Slug+":", "service: grafana", "service: "+a.Slug)
	return strings.NewReplacer(pairs...).Replace(text)
}

// PortalSnippet is what makes a proxy lead to the portal.
func PortalSnippet(p Proxy, portal Address, gatehouse string) string {
	text := map[Proxy]string{Nginx: nginxPortal, Caddy: caddyPortal, Traefik: traefikPortal}[p]
	text, pairs := reaching(p, text, gatehouse)
	if p == Nginx && portal.Port != "" {
		pairs = append(pairs, "listen 443 ssl", "listen "+portal.Port+" ssl")
	}
	pairs = append(pairs, "https://portal.example.org$", portal.String()+"$")
	if p == Caddy && portal.Port != "" {
		pairs = append(pairs, "portal.example.org {", portal.String()+" {")
	}
	pairs = append(pairs, "portal.example.org", JoinHost(portal.Host, ""))
	return strings.NewReplacer(pairs...).Replace(text)
}

// Further drops from a snippet what stands once for all apps: this is not the first.
func Further(p Proxy, snippet string) string {
	switch p {
	case Nginx:
		if _, rest, found := strings.Cut(snippet, "# For each app.\n"); found {
			return rest
		}
	case Traefik:
		head, rest, _ := strings.Cut(snippet, "  middlewares:\n")
		if _, after, found := strings.Cut(rest, "\n\n"); found {
			_, head, _ = strings.Cut(head, "\n") // a comment about the middlewares
			return head + after
		}
	}
	return snippet
}

// reaching returns a configuration and what to replace in it, so that the proxy reaches us.
func reaching(p Proxy, text, gatehouse string) (of string, pairs []string) {
	socket, isUnix := strings.CutPrefix(gatehouse, "unix:")
	switch {
	case isUnix && p == Traefik:
		return noSocket + text, nil
	case p == Caddy && strings.Contains(gatehouse, " "):
		return text, []string{
			"forward_auth " + snippetGatehouse + " {\n", "forward_auth " + gatehouse + caddyAppNodes,
			"reverse_proxy " + snippetGatehouse + "\n", "reverse_proxy " + gatehouse + caddyNodes,
		}
	case isUnix && p == Caddy:
		return text, []string{snippetGatehouse, "unix/" + socket}
	case gatehouse != "":
		return text, []string{snippetGatehouse, gatehouse}
	}
	return text, nil
}

// withoutLines drops the lines of a text that hold a part.
func withoutLines(text, part string) string {
	var kept []string
	for _, line := range strings.SplitAfter(text, "\n") {
		if !strings.Contains(line, part) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
