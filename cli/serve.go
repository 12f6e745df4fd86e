package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"gatehouse/db"
	"gatehouse/handlers"

	"golang.org/x/term"
)

type serveCommand struct {
	Listen       string         `help:"Address to listen on." default:"127.0.0.1:8080" env:"GATEHOUSE_LISTEN" placeholder:"HOST:PORT"`
	BaseURL      string         `name:"base-url" help:"How browsers reach the workspace, e.g. https://portal.example.org." env:"GATEHOUSE_BASE_URL" placeholder:"URL"`
	Workspace    string         `help:"Name of a new workspace." default:"Workspace" env:"GATEHOUSE_WORKSPACE" placeholder:"NAME"`
	TrustedProxy []netip.Prefix `help:"Networks of proxies whose X-Forwarded-For counts." env:"GATEHOUSE_TRUSTED_PROXY" placeholder:"CIDR"`
	InsecureHTTP bool           `name:"insecure-http" help:"Serve plain http beyond this machine." env:"GATEHOUSE_INSECURE_HTTP"`
	LogFormat    string         `help:"auto, text or json." enum:"auto,text,json" default:"auto" env:"GATEHOUSE_LOG_FORMAT" placeholder:"FORMAT"`

	SessionIdle  time.Duration `help:"How long a session lasts without a request." default:"1h" env:"GATEHOUSE_SESSION_IDLE" placeholder:"TIME"`
	SessionMax   time.Duration `help:"How long a session lasts at most." default:"24h" env:"GATEHOUSE_SESSION_MAX" placeholder:"TIME"`
	ChallengeTTL time.Duration `name:"challenge-ttl" help:"How long the second step may take." default:"10m" env:"GATEHOUSE_CHALLENGE_TTL" placeholder:"TIME"`
	PendingTTL   time.Duration `name:"pending-ttl" help:"How long an enrolment may stay unconfirmed." default:"10m" env:"GATEHOUSE_PENDING_TTL" placeholder:"TIME"`
}

// drainTime is how long open requests may take after SIGTERM.
const drainTime = 10 * time.Second

// sweepEvery is how often what time has ended is deleted.
const sweepEvery = 10 * time.Minute

// Run serves until SIGTERM or an interrupt, and then finishes what is open.
func (c *serveCommand) Run(s *session) error {
	base, err := c.base()
	if err != nil {
		return err
	}
	for _, t := range []time.Duration{c.SessionIdle, c.SessionMax, c.ChallengeTTL, c.PendingTTL} {
		if t < time.Second {
			return usageError("the times must be a second or more, e.g. --session-idle 1h")
		}
	}
	ctx, stop := signal.NotifyContext(s.ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()

	lock, err := s.lock()
	if errors.Is(err, errLocked) {
		return fmt.Errorf("another gatehouse serves %s already; stop it, or name another directory with --data", s.all.Data)
	}
	if err != nil {
		return err
	}
	defer func() { _ = lock.Unlock() }()

	store, err := db.Open(ctx, db.Options{Dir: s.all.Data, KeyFile: s.all.KeyFile, Schema: s.Files.Schema, Workspace: c.Workspace, Now: s.now(), Upgrade: true,
		Times: db.Times{SessionIdle: c.SessionIdle, SessionMax: c.SessionMax, ChallengeTTL: c.ChallengeTTL, PendingTTL: c.PendingTTL}})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return errors.Join(listenError(c.Listen, err), store.Close())
	}
	return errors.Join(c.serve(ctx, s, store, listener, base), store.Close())
}

// serve answers requests until the context ends.
func (c *serveCommand) serve(ctx context.Context, s *session, store *db.Store, listener net.Listener, base *url.URL) error {
	log := slog.New(c.logHandler(s))
	server, err := handlers.New(handlers.Config{Store: store, Static: s.Files.Static, Log: log, Now: s.now, BaseURL: base, TrustedProxies: c.TrustedProxy,
		InsecureHTTP: c.InsecureHTTP})
	if err != nil {
		return err
	}
	web := &http.Server{Handler: server, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	if err := c.announce(s, store, listener, base); err != nil {
		return err
	}
	go sweep(ctx, s, store, log)

	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	log.Info("stopping")
	server.Stop()
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := web.Shutdown(drain); err != nil {
		_ = web.Close()
		log.Warn("some requests were cut off", "error", err)
	}
	return nil
}

// announce says where the workspace is and, while it has no people, how to
// make the first one.
func (c *serveCommand) announce(s *session, store *db.Store, listener net.Listener, base *url.URL) error {
	at := "http://" + listener.Addr().String()
	if base != nil {
		at = strings.TrimSuffix(base.String(), "/")
	}
	fmt.Fprintf(s.Stdout, "Gatehouse serves on %s\n", at)
	token, err := store.NewSetupToken(s.ctx, s.now())
	if errors.Is(err, db.ErrNotFound) {
		return nil // there are people
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Stdout, "Set up the workspace and its first Super-administrator with this link, which works once:\n\n    %s/setup/%s\n\n", at, token)
	return nil
}

// base checks --base-url, and that passwords do not travel in the clear by
// accident.
func (c *serveCommand) base() (*url.URL, error) {
	if c.BaseURL == "" {
		host, _, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return nil, usageError("--listen takes a host and a port, e.g. 127.0.0.1:8080")
		}
		if !loopback(host) && !c.InsecureHTTP {
			return nil, usageError("passwords would travel in the clear: put https in front and name it with --base-url https://…, or accept it with --insecure-http")
		}
		return nil, nil
	}
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, usageError("--base-url takes a scheme and a host, e.g. https://portal.example.org")
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) && !c.InsecureHTTP {
		return nil, usageError("passwords would travel in the clear: use an https --base-url, or accept it with --insecure-http")
	}
	u.Path = ""
	return u, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// listenError says what to do when the address cannot be had.
func listenError(address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("the address %s is taken by another program; choose another with --listen", address)
	}
	return fmt.Errorf("cannot listen on %s: %w; choose another address with --listen", address, err)
}

// logHandler writes text to a terminal and JSON to anything else.
func (c *serveCommand) logHandler(s *session) slog.Handler {
	f, isFile := s.Stderr.(*os.File)
	if c.LogFormat == "text" || c.LogFormat == "auto" && isFile && term.IsTerminal(int(f.Fd())) {
		return slog.NewTextHandler(s.Stderr, nil)
	}
	return slog.NewJSONHandler(s.Stderr, nil)
}

// sweep deletes what time has ended, now and then.
func sweep(ctx context.Context, s *session, store *db.Store, log *slog.Logger) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := store.Sweep(ctx, s.now()); err != nil {
				log.Error("sweeping", "error", err)
			}
		}
	}
}
