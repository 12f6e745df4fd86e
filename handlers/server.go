package handlers

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/db"
	"gatehouse/views"
)

// Config is what a server needs. Every field is required but BaseURL,
// TrustedProxies and Observe.
type Config struct {
	Store  *db.Store
	Static fs.FS // the static files
	Log    *slog.Logger
	Now    func() time.Time

	// how browsers reach the server; nil for whatever they used
	BaseURL        *url.URL
	TrustedProxies []netip.Prefix                                        // whose X-Forwarded-For counts
	Observe        func(route string, status int, elapsed time.Duration) // called with each request, by its route's pattern
	PasskeyDomain  string                                                // what passkeys are made for; "" for the base URL's host
	PasskeyOrigins []string                                              // other pages that may use them, as browsers write them
	Version        string                                                // of the program
	// served over plain http beyond this machine: admins see a notice
	InsecureHTTP bool

	Mail     *Mail          // how mails are sent; nil when they are not
	TimeZone *time.Location // in which the policy's days begin; nil for UTC

	// Certificate tells when the certificate that is served ends, and how long its whole life
	// is; zero, or nil, where this server speaks plain http.
	Certificate func() (end time.Time, life time.Duration)
}

// A Mail is what the pages know of the mail server.
type Mail struct {
	Server string // its address, without a password
	From   string

	// Test sends a mail now and returns the server's answer word for word, or what went
	// wrong. It takes a minute at most.
	Test func(ctx context.Context, name, email string) (answer string, ok bool)
}

// A Server answers every request of the workspace.
type Server struct {
	store          *db.Store
	log            *slog.Logger
	now            func() time.Time
	base           *url.URL
	proxies        []netip.Prefix
	insecure       bool
	version        string
	mail           *Mail
	certificate    func() (end time.Time, life time.Duration)
	testing        sync.Mutex // one test mail at a time
	zone           *time.Location
	passkeyDomain  string
	passkeyOrigins []string
	observe        func(route string, status int, elapsed time.Duration)
	assets         views.Assets
	files          map[string]asset
	csp            string // the Content-Security-Policy
	cookies        *cookieStore
	hosts          *hostRule
	stopping       atomic.Bool
	untrusted      sync.Once // the warning about X-Forwarded-For
	plain          sync.Once // the warning about requests over http
	handler        http.Handler

	askers     firstFew       // who asked about apps and is no trusted proxy: each is logged once
	watching   rareNote       // of requests while an app is being checked
	background sync.WaitGroup // what is written and no answer waits for
}

// New prepares a server; nothing is served before ServeHTTP is called.
func New(c Config) (*Server, error) {
	s := &Server{
		store:          c.Store,
		log:            c.Log,
		now:            c.Now,
		base:           c.BaseURL,
		proxies:        c.TrustedProxies,
		insecure:       c.InsecureHTTP,
		version:        c.Version,
		mail:           c.Mail,
		certificate:    c.Certificate,
		zone:           c.TimeZone,
		passkeyDomain:  c.PasskeyDomain,
		passkeyOrigins: c.PasskeyOrigins,
		observe:        c.Observe,
	}
	if s.zone == nil {
		s.zone = time.UTC
	}
	if s.observe == nil {
		s.observe = func(string, int, time.Duration) {}
	}
	var err error
	if s.files, s.assets, err = loadAssets(c.Static); err != nil {
		return nil, err
	}
	if s.base != nil {
		if s.base, err = CanonicalBaseURL(s.base); err != nil {
			return nil, err
		}
	}
	s.hosts = &hostRule{base: s.base, log: c.Log, refused: map[string]bool{}}
	s.csp = contentSecurityPolicy()
	s.cookies = &cookieStore{
		store:  c.Store,
		now:    c.Now,
		secure: s.https(),
		port:   s.hosts.cookiePort,
	}
	s.handler = s.middleware(s.routeMux())
	return s, nil
}

// ServeHTTP answers one request. The guard has a way in of its own: every request of every app
// asks there, under any host, and needs little of what people's pages do.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isGuardPath(r.URL.Path) {
		s.serveGuard(w, r)
		return
	}
	s.handler.ServeHTTP(w, r)
}

// Stop makes /healthz answer 503, so that a load balancer sends nobody here any
// more while open requests are being finished.
func (s *Server) Stop() { s.stopping.Store(true) }

// https reports whether browsers reach the server over https.
func (s *Server) https() bool { return s.base != nil && s.base.Scheme == "https" }
