package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gatehouse/db"
	"gatehouse/handlers"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/term"
)

type serveCommand struct {
	Listen         string   `help:"Address to listen on, or unix:/PATH for a socket: 127.0.0.1:8080 unless named, :443 with a --tls-… flag." env:"GATEHOUSE_LISTEN" placeholder:"HOST:PORT"`
	BaseURL        string   `name:"base-url" help:"How browsers reach the workspace, e.g. https://portal.example.org." env:"GATEHOUSE_BASE_URL" placeholder:"URL"`
	Workspace      string   `help:"Name of a new workspace, Workspace unless named." env:"GATEHOUSE_WORKSPACE" placeholder:"NAME"`
	PasskeyDomain  string   `name:"passkey-domain" help:"Domain that passkeys are made for, the base URL's host unless named: a domain above it, or its old name after a move." env:"GATEHOUSE_PASSKEY_DOMAIN" placeholder:"DOMAIN"`
	PasskeyOrigins []string `name:"passkey-origins" help:"Other addresses that may use the passkeys of --passkey-domain, e.g. https://old.example.org." env:"GATEHOUSE_PASSKEY_ORIGINS" placeholder:"URL"`
	NewWorkspace   bool     `name:"new-workspace" help:"Make a key file for a new workspace on PostgreSQL; else it must be there, the same on every node."`
	TrustedProxy   []string `help:"Addresses or networks of proxies whose X-Forwarded-For counts, e.g. 10.0.0.1,192.168.0.0/16." env:"GATEHOUSE_TRUSTED_PROXY" placeholder:"CIDR"`
	InsecureHTTP   bool     `name:"insecure-http" help:"Serve plain http beyond this machine." env:"GATEHOUSE_INSECURE_HTTP"`
	Metrics        string   `name:"metrics-listen" help:"Address for GET /metrics, in Prometheus' format; keep it from strangers." env:"GATEHOUSE_METRICS_LISTEN" placeholder:"HOST:PORT"`
	LogFormat      string   `help:"auto, text or json." enum:"auto,text,json" default:"auto" env:"GATEHOUSE_LOG_FORMAT" placeholder:"FORMAT"`

	SessionIdle  *time.Duration `help:"How long a session lasts without a request: 1h, or what Settings say, unless named." env:"GATEHOUSE_SESSION_IDLE" placeholder:"TIME"`
	SessionMax   *time.Duration `help:"How long a session lasts at most: 24h, or what Settings say, unless named." env:"GATEHOUSE_SESSION_MAX" placeholder:"TIME"`
	ChallengeTTL time.Duration  `name:"challenge-ttl" help:"How long the second step may take." default:"10m" env:"GATEHOUSE_CHALLENGE_TTL" placeholder:"TIME"`
	DrainDelay   time.Duration  `name:"drain-delay" help:"How long /healthz answers 503 after SIGTERM before nobody new is let in." default:"3s" env:"GATEHOUSE_DRAIN_DELAY" placeholder:"TIME"`
	PendingTTL   time.Duration  `name:"pending-ttl" help:"How long an enrolment may stay unconfirmed." default:"10m" env:"GATEHOUSE_PENDING_TTL" placeholder:"TIME"`

	tlsFlags
	mailFlags

	handed []net.Listener // the sockets that systemd has opened, in the place of Listen
}

// drainTimeout is how long open requests may take after SIGTERM.
const drainTimeout = 10 * time.Second

// maxDrainDelay is the longest wait before it: service managers kill what takes
// longer to stop.
const maxDrainDelay = time.Minute

// sweepInterval is how often expired rows are deleted.
const sweepInterval = 10 * time.Minute

// Run serves until SIGTERM or an interrupt, and then finishes open requests.
func (c *serveCommand) Run(env *commandEnv) error {
	if err := c.tlsFlags.check(); err != nil {
		return err
	}
	if env.isOnServer() && c.TLSDomain != "" {
		return usageError("each node would order a certificate of its own: leave --tls-domain out, and use --tls-cert, or the proxy's https")
	}
	var err error
	if c.handed, err = handedOver(); err != nil {
		return err
	}
	c.Listen = listenAddress(c.Listen, c.tlsFlags.enabled())
	if len(c.handed) > 0 {
		c.Listen = addressName(c.handed[0].Addr())
	}
	base, err := c.parseBaseURL()
	if err != nil {
		return err
	}
	proxies, err := proxyNetworks(c.TrustedProxy)
	if err != nil {
		return err
	}
	if err := c.checkPasskeys(base); err != nil {
		return err
	}
	for _, t := range []*time.Duration{c.SessionIdle, c.SessionMax, &c.ChallengeTTL, &c.PendingTTL} {
		if t != nil && *t < time.Second {
			return usageError("the times must be a second or more, e.g. --session-idle 1h")
		}
	}
	if c.DrainDelay < 0 || c.DrainDelay > maxDrainDelay {
		return usageError("--drain-delay must be between 0s and 1m")
	}
	settings, err := c.settings()
	if err != nil {
		return err
	}
	zone, err := env.zone()
	if err != nil {
		return err
	}
	boundMemory()
	ctx, stop := untilSignal(env.ctx)
	defer stop()

	unlock, err := env.lockForServing()
	if err != nil {
		return err
	}
	defer unlock()

	o, err := env.options()
	if err != nil {
		return err
	}
	o.Upgrade, o.NewWorkspace, o.DatabaseWait = true, c.NewWorkspace, serveWaits
	o.Workspace = cmp.Or(c.Workspace, defaultWorkspace)
	o.Times = db.Times{ChallengeTTL: c.ChallengeTTL, PendingTTL: c.PendingTTL}
	if c.SessionIdle != nil {
		o.Times.SessionIdle = *c.SessionIdle
	}
	if c.SessionMax != nil {
		o.Times.SessionMax = *c.SessionMax
	}
	store, err := db.Open(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(c.serve(ctx, env, store, base, proxies, settings, zone), store.Close())
}

// listenAddress is where serve listens when nothing, or this, was said.
func listenAddress(listen string, withTLS bool) string {
	switch {
	case listen != "":
		return listen
	case withTLS:
		return ":443"
	}
	return "127.0.0.1:8080"
}

// boundMemory sets the size at which the collector starts at the latest: 28 MiB for the
// program, what the slow hashes that run at once take, and as much again for what
// finished ones leave behind. With less, each hash would ask the system for its memory
// again. GOMEMLIMIT in the environment takes precedence.
func boundMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(28<<20 + 2*db.HashMemory())
	}
}

// serve answers requests until the context ends.
func (c *serveCommand) serve(ctx context.Context, env *commandEnv, store *db.Store, base *url.URL,
	proxies []netip.Prefix, settings mailSettings, zone *time.Location) error {
	log := slog.New(c.logHandler(env))
	if err := c.logIgnoredWorkspace(ctx, store, log); err != nil {
		return err
	}
	if err := c.notePasskeyDomain(ctx, store, base, log); err != nil {
		return err
	}
	served := new(servedCertificate)
	metricsMonitor := newMonitor(store, log, served.validity, env.now)
	server, err := handlers.New(handlers.Config{
		Store:          store,
		Static:         env.Files.Static,
		Log:            log,
		Now:            env.now,
		BaseURL:        base,
		TrustedProxies: proxies,
		Version:        Version,
		PasskeyDomain:  c.PasskeyDomain,
		PasskeyOrigins: c.PasskeyOrigins,
		InsecureHTTP:   c.InsecureHTTP,
		Observe:        metricsMonitor.observe,
		Mail:           settings.forPages(store, zone, env.now),
		TimeZone:       zone,
		Certificate:    served.validity,
	})
	if err != nil {
		return err
	}
	listeners, err := c.listenAll(ctx, env, server, metricsMonitor, served, base, log)
	if err != nil {
		return errors.Join(err, listeners.close())
	}
	leave, err := joinNodes(ctx, env, store, listeners[0].listener.Addr().String(), log)
	if err != nil {
		return errors.Join(err, listeners.close())
	}
	defer leave()
	if err := c.announce(env, store, listeners[0].listener, base); err != nil {
		return errors.Join(err, listeners.close())
	}
	if err := store.SetMailFrom(ctx, settings.from.Email, env.now()); err != nil {
		return errors.Join(err, listeners.close())
	}
	if err := store.SetBaseURL(ctx, addressOf(base), env.now()); err != nil {
		return errors.Join(err, listeners.close())
	}
	if !settings.server.IsZero() {
		(&postman{
			mailSettings: settings,
			store:        store,
			base:         ownAddress(listeners[0].listener, base),
			zone:         zone,
			now:          env.now,
			log:          log,
		}).run(ctx)
	}
	go sweep(ctx, env, store, log)
	if base != nil {
		go serveConnected(ctx, env, store, base.String(), log)
	}
	go noteUsed(ctx, store, log)
	go watchdog(ctx, env, store, log)
	notifySystemd(log, daemon.SdNotifyReady)

	if err := listeners.serve(ctx); err != nil {
		return errors.Join(err, listeners.close())
	}
	log.Info("stopping")
	notifySystemd(log, daemon.SdNotifyStopping)
	server.Stop()
	c.drain(ctx, listeners)
	if err := listeners.close(); err != nil {
		log.Warn("some requests were aborted", "error", err)
	}
	if err := store.NoteUsed(context.WithoutCancel(ctx)); err != nil {
		log.Error("cannot note which sessions were used", "error", err)
	}
	return nil
}

// drain goes on serving for a while after SIGTERM, so that a load balancer sees
// /healthz answer 503 and sends nobody here any more. Whoever interrupts the
// program at a keyboard does not wait.
func (c *serveCommand) drain(ctx context.Context, listeners httpListeners) {
	if !errors.Is(context.Cause(ctx), errTerminated) || c.DrainDelay <= 0 {
		return
	}
	for _, d := range listeners {
		d.server.SetKeepAlivesEnabled(false)
	}
	<-time.After(c.DrainDelay)
}

// listenAll listens wherever the flags say: for the workspace, for plain http that is
// sent on to it, for /metrics. It returns what is open even when it fails.
func (c *serveCommand) listenAll(ctx context.Context, env *commandEnv, server http.Handler, metricsMonitor *monitor,
	served *servedCertificate, base *url.URL, log *slog.Logger) (httpListeners, error) {
	var all httpListeners
	add := func(address string, answer http.Handler, certificates *tls.Config) error {
		d, err := listen(address, answer, certificates, log)
		if err == nil {
			all = append(all, d)
		}
		return err
	}
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP)
	certs := &certificates{reload: func() error { return nil }, obtain: func() error { return nil }}
	if c.tlsFlags.enabled() {
		var err error
		if certs, err = c.certificates(env.flags.Data, served); err != nil {
			return nil, err
		}
	}
	for _, listener := range c.handed {
		log.Info("listening where systemd says", "address", addressName(listener.Addr()))
		all = append(all, newHTTPListener(listener, server, certs.config, log))
	}
	if len(c.handed) == 0 {
		if err := add(c.Listen, server, certs.config); err != nil {
			return all, err
		}
	}
	if certs.config != nil && c.RedirectListen != "none" {
		if err := add(c.RedirectListen, certs.httpHandler(toHTTPS(base)), nil); err != nil {
			return all, err
		}
	}
	if c.Metrics != "" {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", metricsMonitor)
		if err := add(c.Metrics, mux, nil); err != nil {
			return all, err
		}
	}
	logResult := func(success, failure string) func(error) {
		return func(err error) {
			if err != nil {
				log.Error(failure, "error", err)
				return
			}
			log.Info(success)
		}
	}
	go reloadOnHangUp(ctx, hangUp, certs.reload, logResult("certificates reloaded", "certificates not reloaded"))
	if c.TLSDomain != "" {
		go func() { logResult("certificate ready", "certificate not ready")(certs.obtain()) }()
	}
	return all, nil
}

// logIgnoredWorkspace says that --workspace changes no name that the workspace has.
func (c *serveCommand) logIgnoredWorkspace(ctx context.Context, store *db.Store, log *slog.Logger) error {
	w, err := store.Workspace(ctx)
	if err == nil && c.Workspace != "" && c.Workspace != w.Name {
		log.Warn("--workspace is ignored: it names a new workspace, and this one has a name", "ignored", c.Workspace,
			"name", w.Name,
			"what_to_do", "change the name under Settings, General")
	}
	return err
}

// announce says where the workspace is and, while it has no people, how to
// make the first one.
func (c *serveCommand) announce(env *commandEnv, store *db.Store, listener net.Listener, base *url.URL) error {
	at := ownAddress(listener, base)
	fmt.Fprintf(env.Stdout, "Gatehouse serves on %s\n", at)
	newLink := store.NewSetupToken
	if store.IsShared() {
		newLink = store.FirstSetupToken
	}
	token, err := newLink(env.ctx, env.now())
	if errors.Is(err, db.ErrNotFound) {
		return nil // there are people
	}
	if errors.Is(err, db.ErrLinkPrinted) {
		fmt.Fprintf(env.Stdout, "Its set-up link was printed by the first server that started; gatehouse setup-link makes another.\n")
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "Set up the workspace and its first Super-administrator with this link, which works once:\n\n    %s/setup/%s\n\n", at, token)
	return nil
}

// addressOf is the base URL as it is kept; "" for none.
func addressOf(base *url.URL) string {
	if base == nil {
		return ""
	}
	return strings.TrimSuffix(base.String(), "/")
}

// ownAddress is what addresses of the workspace begin with.
func ownAddress(listener net.Listener, base *url.URL) string {
	if base != nil {
		return addressOf(base)
	}
	return "http://" + reachable(listener.Addr())
}

// parseBaseURL checks --base-url, and that passwords are not sent in the clear by
// accident.
func (c *serveCommand) parseBaseURL() (*url.URL, error) {
	_, isUnix := unixPath(c.Listen)
	switch {
	case isUnix && c.tlsFlags.enabled():
		return nil, usageError("on a unix socket the proxy speaks plain http, and https outside: leave the --tls-… flags out")
	case (isUnix || len(c.handed) > 0) && c.BaseURL == "" && c.TLSDomain == "":
		return nil, usageError("a socket does not say how browsers reach the workspace: " +
			"name it with --base-url, e.g. https://portal.example.org")
	}
	if c.BaseURL == "" && c.TLSDomain != "" {
		return c.domainURL(c.Listen)
	}
	if c.BaseURL == "" && c.tlsFlags.enabled() {
		return nil, usageError("--tls-cert needs the workspace's own address too, e.g. --base-url https://portal.example.org")
	}
	if c.BaseURL == "" {
		host, _, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return nil, usageError("--listen takes a host and a port, e.g. 127.0.0.1:8080")
		}
		if !isLoopback(host) && !c.InsecureHTTP {
			return nil, usageError("passwords would travel in the clear: put https in front and name it with --base-url https://…, or accept it with --insecure-http")
		}
		return nil, nil
	}
	base, err := canonicalBaseURL(c.BaseURL)
	if err != nil {
		return nil, err
	}
	if base.Scheme == "http" && !isLoopback(base.Hostname()) && !c.InsecureHTTP {
		return nil, usageError("passwords would travel in the clear: use an https --base-url, or accept it with --insecure-http")
	}
	isForDomain := true
	if c.TLSDomain != "" {
		domain, err := c.domainURL(":443")
		if err != nil {
			return nil, err
		}
		isForDomain = base.Hostname() == domain.Hostname()
	}
	if c.tlsFlags.enabled() && base.Scheme != "https" || !isForDomain {
		return nil, usageError("--base-url must be https and of the name that the certificate is for")
	}
	return base, nil
}

// canonicalBaseURL reads the value of --base-url and returns it as browsers send it.
func canonicalBaseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err == nil && strings.Trim(u.Path, "/") != "" {
		return nil, usageError("--base-url takes no path: the sign-in's cookie and passkeys are a whole host's, and another app " +
			"on it would get them too; give Gatehouse a host name of its own, e.g. https://portal.example.org")
	}
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" ||
		u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, usageError("--base-url takes a scheme and a host and no path, e.g. https://portal.example.org")
	}
	base, err := handlers.CanonicalBaseURL(u)
	if err != nil {
		return nil, usageError("--base-url: " + err.Error())
	}
	if base.Port() == "0" {
		return nil, usageError("--base-url: no browser can ask for port 0")
	}
	return base, nil
}

// reachable returns an address that a browser on this machine can open: one that listens
// everywhere is called localhost.
func reachable(listening net.Addr) string {
	at, err := netip.ParseAddrPort(listening.String())
	if err != nil || !at.Addr().IsUnspecified() {
		return listening.String()
	}
	return net.JoinHostPort("localhost", strconv.Itoa(int(at.Port())))
}

// proxyNetworks reads --trusted-proxy: networks, or single addresses.
func proxyNetworks(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range strings.Fields(strings.Join(texts, " ")) {
		network, err := netip.ParsePrefix(text)
		bare := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]") // IPv6 as it stands in addresses
		if address, notAddress := netip.ParseAddr(bare); notAddress == nil {
			network, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			return nil, usageError(fmt.Sprintf("--trusted-proxy takes addresses or networks, e.g. 10.0.0.1 or 192.168.0.0/16, "+
				"separated by commas; %q is neither", text))
		}
		if mapped := network.Addr(); mapped.Is4In6() && network.Bits() >= 96 {
			network = netip.PrefixFrom(mapped.Unmap(), network.Bits()-96)
		}
		all = append(all, network)
	}
	return all, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// logHandler writes text to a terminal and JSON to anything else.
func (c *serveCommand) logHandler(env *commandEnv) slog.Handler {
	f, isFile := env.Stderr.(*os.File)
	if c.LogFormat == "text" || c.LogFormat == "auto" && isFile && term.IsTerminal(int(f.Fd())) {
		return slog.NewTextHandler(env.Stderr, nil)
	}
	return slog.NewJSONHandler(env.Stderr, nil)
}

// noteInterval is how often it is written which sessions were used through apps.
const noteInterval = time.Minute

// noteUsed writes from time to time which sessions were used through apps, for all at once: no
// check of a request waits for that.
func noteUsed(ctx context.Context, store *db.Store, log *slog.Logger) {
	tick := time.NewTicker(noteInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := store.NoteUsed(ctx); err != nil && ctx.Err() == nil {
				log.Error("cannot note which sessions were used", "error", err)
			}
		}
	}
}

// sweep deletes expired rows from time to time.
func sweep(ctx context.Context, env *commandEnv, store *db.Store, log *slog.Logger) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := store.Sweep(ctx, env.now()); err != nil {
				log.Error("sweep failed", "error", err)
			}
		}
	}
}
