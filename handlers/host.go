package handlers

import (
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"gatehouse/apps"
)

// defaultPorts are the ports that browsers leave out of the Host header and of an
// address.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// CanonicalBaseURL returns a base URL as browsers send it: its host in lower case, in
// ASCII (UTS 46), without a trailing dot, and without the scheme's default port. It
// returns an error for a host that no browser could ask for.
func CanonicalBaseURL(base *url.URL) (*url.URL, error) {
	name, err := apps.CanonicalHost(base.Hostname())
	if err != nil {
		return nil, err
	}
	port, err := apps.CanonicalPort(base.Scheme, base.Port())
	if err != nil {
		return nil, err
	}
	return &url.URL{Scheme: base.Scheme, Host: apps.JoinHost(name, port)}, nil
}

// splitHost takes a Host header apart. The port is "" when there is none, or none
// that a browser would send.
func splitHost(host string) (name, port string) {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ""
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return name, ""
	}
	return name, port
}

// A hostRule decides under which names requests are answered.
type hostRule struct {
	base *url.URL // nil for whatever name was used
	log  *slog.Logger

	mu      sync.Mutex
	refused map[string]bool // the names that were refused and logged
}

// maxWarnedHosts is how many names that were refused are logged: whoever scans the
// Internet must not fill the log.
const maxWarnedHosts = 10

// accepts reports whether a Host header names the workspace. Proxies that map a
// port send the host without it or with the default one.
func (h *hostRule) accepts(host string) bool {
	if h.base == nil || host == h.base.Host {
		return true
	}
	given, port := splitHost(host)
	name, err := apps.CanonicalHost(given)
	if err != nil || name != h.base.Hostname() {
		return false
	}
	return port == "" || port == h.base.Port() || port == defaultPorts["https"] || port == defaultPorts["http"]
}

// warn logs a name that was refused, once each, and what to set.
func (h *hostRule) warn(r *http.Request) {
	host := r.Host[:min(len(r.Host), 255)]
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refused[host] || len(h.refused) >= maxWarnedHosts {
		return
	}
	h.refused[host] = true
	h.log.WarnContext(r.Context(), "refused a request for another host", "host", host, "base_url", h.base.String(),
		"what_to_do", "if people use this host, set --base-url (GATEHOUSE_BASE_URL) to it; "+
			"if a proxy sent it, let the proxy pass on the browser's Host header")
}

// cookiePort is the port that tells the cookies of two workspaces on one host
// apart, since browsers send a host's cookies to each of its ports: the one that
// the browser used, or "" for the scheme's default.
func (h *hostRule) cookiePort(r *http.Request) string {
	if h.base != nil {
		return h.base.Port()
	}
	if _, port := splitHost(r.Host); port != defaultPorts["http"] {
		return port
	}
	return ""
}
