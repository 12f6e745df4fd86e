package handlers

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"gatehouse/views"
)

// bodyLimit is the largest form that is read, in bytes.
const bodyLimit = 64 << 10

// requestIDKey holds a request's id in its context.
type requestIDKey struct{}

// requestID names a request in the log and on pages that tell of a fault.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

func newRequestID() string { return rand.Text()[:12] }

// middleware wraps everything that is true of every request but the guard's.
func (s *Server) middleware(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	if s.base != nil {
		// Behind a proxy that changes the Host header the browser's origin is the base URL.
		if err := guard.AddTrustedOrigin(s.base.Scheme + "://" + s.base.Host); err != nil {
			s.log.Error("the base URL is not an origin", "error", err)
		}
	}
	for _, path := range spokenAcrossSites {
		guard.AddInsecureBypassPattern("POST " + path)
	}
	guard.SetDenyHandler(s.authorize(route{access: public, handler: func(*Server, *requestContext) error { return errCrossSite }}))
	handler := s.requireHost(s.requireHTTPS(limitBody(guard.Handler(next))))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.now()
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, newRequestID()))
		s.warnUntrusted(r)
		rec := &responseRecorder{ResponseWriter: w}
		s.setHeaders(rec.Header())
		rec.Header().Set("X-Request-Id", requestID(r.Context())) // to find an answer in the log
		defer func() {
			fault := recover()
			if fault == http.ErrAbortHandler {
				defer panic(fault) // after the line in the log
			} else if fault != nil {
				s.logPanic(requestID(r.Context()), fault)
				if rec.status == 0 {
					s.fail(&requestContext{w: rec, r: r, now: start}, errPanic)
				}
			}
			s.noteAnswer(r, rec, requestID(r.Context()), s.now().Sub(start))
		}()
		handler.ServeHTTP(rec, r)
	})
}

// logPanic is called while a panic is being recovered from.
func (s *Server) logPanic(request string, fault any) {
	s.log.Error("panic", "request", request, "fault", fault, "stack", string(debug.Stack()))
}

// noteAnswer counts a request and logs it: by the route's pattern, not the address, which may
// hold a one-time link.
func (s *Server) noteAnswer(r *http.Request, rec *responseRecorder, request string, elapsed time.Duration) {
	s.observe(r.Pattern, rec.status, elapsed)
	if r.Pattern == checkPath && rec.status < http.StatusInternalServerError {
		return // each request of every app asks: the proxy's log has them
	}
	s.log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("request", request),
		slog.String("route", r.Pattern),
		slog.Int("status", rec.status), slog.Int("bytes", rec.bytes),
		slog.Duration("took", elapsed.Round(time.Microsecond)))
}

// setHeaders sets what every answer carries, redirects and faults included.
func (s *Server) setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", s.csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would make forms on plain http send Origin: null
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), "+
		"publickey-credentials-create=(self), publickey-credentials-get=(self)")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "HX-Request")
	if s.https() {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// contentSecurityPolicy allows our own files and the layout's own scripts, by
// their hashes, and nothing else.
func contentSecurityPolicy() string {
	return "default-src 'none'; script-src 'self' " + strings.Join(views.ScriptHashes(), " ") +
		"; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
}

// requireHost refuses requests under another name than the base URL's, so that no
// page of another name can pass for the workspace. Browsers ask the domain of passkeys which
// origins may use them. /healthz is asked by
// machines under any name.
func (s *Server) requireHost(next http.Handler) http.Handler {
	refuse := s.authorize(route{access: public, handler: func(*Server, *requestContext) error { return errWrongHost }})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.hosts.accepts(r.Host) && r.URL.Path != "/healthz" && !s.isRelatedOrigins(r) {
			s.hosts.warn(r)
			refuse(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit)
		next.ServeHTTP(w, r)
	})
}

// clientAddress is where the request came from: the connection's other end, or
// what trusted proxies say in X-Forwarded-For, read from the right until the
// first address that is not one of theirs. It is "" for a proxy on our own socket that
// says nothing.
func (s *Server) clientAddress(r *http.Request) string {
	peer := s.peer(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && peer.isTrusted; i-- {
		text := strings.TrimSpace(hops[i])
		if text == "" {
			continue // an empty element of a list says nothing: RFC 9110, 5.6.1.2
		}
		hop, ok := parseHop(text)
		if !ok {
			break
		}
		peer = s.peerAt(hop)
	}
	return peer.text()
}

// A peer is a connection's other end, or a hop before it.
type peer struct {
	address   netip.Addr // the zero Addr on a unix socket
	isTrusted bool       // a proxy whose word counts
}

// peer is the connection's other end. Whoever reaches our own unix socket was let in by its
// permissions and counts as a trusted proxy.
func (s *Server) peer(r *http.Request) peer {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" {
		return peer{isTrusted: true}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return peer{}
	}
	return s.peerAt(address)
}

func (s *Server) peerAt(address netip.Addr) peer {
	address = address.Unmap().WithZone("")
	trusts := func(network netip.Prefix) bool { return network.Contains(address) }
	return peer{address, slices.ContainsFunc(s.proxies, trusts)}
}

// text is the address, or "" on a unix socket.
func (p peer) text() string {
	if !p.address.IsValid() {
		return ""
	}
	return p.address.String()
}

// name is the address, or what the operator calls our own socket.
func (p peer) name() string { return cmp.Or(p.text(), "unix socket") }

// warnUntrusted tells the operator once that a proxy's word is not taken, so that
// all who come through it count as one address.
func (s *Server) warnUntrusted(r *http.Request) {
	if r.Header.Get("X-Forwarded-For") == "" {
		return
	}
	peer := s.peer(r)
	if peer.text() == "" || peer.isTrusted {
		return
	}
	if _, ok := s.askedByDoctor(r); ok {
		return // which says so itself
	}
	s.untrusted.Do(func() {
		s.log.WarnContext(r.Context(),
			"X-Forwarded-For is ignored, because it comes from an address that is not a trusted proxy",
			"peer", peer.text(),
			"what_to_do", "if this is your proxy, set --trusted-proxy "+peer.text()+
				" (GATEHOUSE_TRUSTED_PROXY); otherwise ignore this")
	})
}

// parseHop reads an address with or without a port, which some proxies add, or an
// IPv6 address in brackets.
func parseHop(text string) (netip.Addr, bool) {
	bare, isOpen := strings.CutPrefix(text, "[")
	bare, isClosed := strings.CutSuffix(bare, "]")
	if hop, err := netip.ParseAddr(bare); err == nil && isOpen == isClosed {
		return hop, true
	}
	hop, err := netip.ParseAddrPort(text)
	return hop.Addr(), err == nil
}

// A responseRecorder notes what was answered, for the log.
type responseRecorder struct {
	http.ResponseWriter
	status int
	bytes  int
}

func (r *responseRecorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *responseRecorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *responseRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
