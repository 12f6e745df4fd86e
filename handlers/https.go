package handlers

import (
	"net/http"
	"strings"

	"gatehouse/views"
)

// requireHTTPS leads people who come over http to a workspace whose base URL is https there,
// before they type a password: it would travel in the clear, and the browser would not
// keep the Secure cookie that it is exchanged for. Machines ask /healthz either way, and
// the page that says so needs the static files.
func (s *Server) requireHTTPS(next http.Handler) http.Handler {
	if !s.https() {
		return next
	}
	explain := s.authorize(route{access: public, handler: (*Server).showPlainHTTP})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open := r.URL.Path == "/healthz" || strings.HasPrefix(r.URL.Path, "/static/") || r.URL.Path == "/favicon.ico"
		asks := r.Method == http.MethodGet || r.Method == http.MethodHead
		came := s.schemeOf(r)
		switch {
		case open || came == overHTTPS:
			next.ServeHTTP(w, r)
		case asks && came == overHTTP:
			http.Redirect(w, r, s.base.String()+r.URL.RequestURI(), http.StatusSeeOther)
		default:
			explain(w, r)
		}
	})
}

// A scheme is how a request has come, as far as can be known.
type scheme int

const (
	overHTTPS scheme = iota
	overHTTP
	overProxy // one that is not trusted: whoever were led to https through it would be led there for ever
)

// String is how it is told to gatehouse doctor.
func (s scheme) String() string {
	switch s {
	case overHTTPS:
		return "https"
	case overHTTP:
		return "http"
	}
	return "proxy"
}

// schemeOf tells how a request has come. A trusted proxy serves https unless it says
// otherwise, and so does whatever runs on this machine: a tunnel that ends TLS sets no
// header. A proxy that another one has asked in the clear says "http" of a browser on
// https: it is told by its Fetch Metadata, which browsers send over https alone (and to
// their own machine). Who says "https" without being trusted is a proxy that is not listed,
// since no browser says so of itself; nothing but the transport is taken from its word.
func (s *Server) schemeOf(r *http.Request) scheme {
	if r.TLS != nil {
		return overHTTPS
	}
	h := r.Header
	peer := s.peer(r)
	said := strings.Split(strings.Join(h.Values("X-Forwarded-Proto"), ","), ",")
	proto := strings.ToLower(strings.TrimSpace(said[len(said)-1]))
	if peer.isTrusted || !peer.address.IsValid() || peer.address.IsLoopback() {
		if proto == "http" && h.Get("Sec-Fetch-Site") == "" {
			return overHTTP
		}
		return overHTTPS
	}
	if proto == "https" {
		return overHTTPS
	}
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Via", "Sec-Fetch-Site"} {
		if h.Get(name) != "" {
			return overProxy
		}
	}
	return overHTTP
}

// showPlainHTTP tells that nothing is taken over http, and an operator what to set.
func (s *Server) showPlainHTTP(rc *requestContext) error {
	s.plain.Do(func() {
		s.log.WarnContext(rc.ctx(), "refused a request over http to a workspace whose base URL is https",
			"peer", s.peer(rc.r).name(),
			"what_to_do", "if this is your proxy, set --trusted-proxy (GATEHOUSE_TRUSTED_PROXY) to its address; otherwise ignore this")
	})
	s.showProblem(rc, views.PlainHTTP(s.base.String()))
	return nil
}
