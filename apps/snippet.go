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

// Where things are in a configuration that nobody has said otherwise.
const (
	snippetGatehouse = "127.0.0.1:8080"
	snippetApp       = "127.0.0.1:3000"
)

// noSocket begins a configuration for a proxy that could not reach us.
const noSocket = "# Traefik cannot ask at a unix socket: start Gatehouse with --listen 127.0.0.1:8080.\n"

// Snippet is what makes a proxy ask us, at the address where it reaches us (host:port, or
// unix:/path), before each request to an app. Where the app itself runs only the admin knows:
// it says 127.0.0.1:3000.
func (a App) Snippet(p Proxy, gatehouse string) string {
	text := map[Proxy]string{Nginx: nginxSnippet, Caddy: caddySnippet, Traefik: traefikSnippet}[p]
	var pairs []string
	socket, isUnix := strings.CutPrefix(gatehouse, "unix:")
	switch {
	case isUnix && p == Traefik:
		text = noSocket + text
	case isUnix && p == Caddy:
		pairs = append(pairs, snippetGatehouse, "unix/"+socket)
	case gatehouse != "":
		pairs = append(pairs, snippetGatehouse, gatehouse)
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
