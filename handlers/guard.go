package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/views"
)

// The cookies on the hosts of guarded apps. Under https their names begin with __Host-.
const (
	appCookie      = "gatehouse-app"
	appStateCookie = "gatehouse-app-state"
)

// stateAge is how long a browser is known again on an app's host while it signs in, in seconds.
const stateAge = 10 * 60

// A guardRequest is what a proxy asks about a request to an app, or hands on to us of it.
type guardRequest struct {
	w      responseRecorder
	r      *http.Request
	now    time.Time
	target apps.Target
	id     string // names the request in the log; "" until somebody asks
}

func (g *guardRequest) ctx() context.Context { return g.r.Context() }

// requestID names the request in the log and on pages that tell of a fault.
func (g *guardRequest) requestID() string {
	if g.id == "" {
		g.id = newRequestID()
		g.w.Header().Set("X-Request-Id", g.id)
	}
	return g.id
}

// isGuardPath reports whether a request is one for the guard, which has its own rule of hosts.
func isGuardPath(path string) bool { return strings.HasPrefix(path, apps.GuardPath) }

// serveGuard answers on any host, and trusted proxies alone: they say where a request was
// going. Nothing else of it says that: not the host that they ask, and not the query.
func (s *Server) serveGuard(w http.ResponseWriter, r *http.Request) {
	r.Pattern = apps.GuardPath
	g := &guardRequest{w: responseRecorder{ResponseWriter: w}, r: r, now: s.now()}
	defer func() {
		if fault := recover(); fault != nil {
			s.logPanic(g.requestID(), fault)
			if g.w.status == 0 {
				g.refuse(http.StatusServiceUnavailable, views.GuardUnavailable(g.requestID()))
			}
		}
		s.noteAnswer(r, &g.w, g.id, s.now().Sub(g.now))
	}()
	if !s.peer(r).isTrusted {
		s.warnAsker(r)
		s.noteWatched(g, 0, http.StatusForbidden, apps.UntrustedPeer)
		g.refuse(http.StatusForbidden, views.GuardUntrusted())
		return
	}
	if s.base == nil || s.stopping.Load() {
		g.refuse(http.StatusServiceUnavailable, views.GuardUnavailable(g.requestID()))
		return
	}
	var err error
	if g.target, err = apps.ParseTarget(r.Header); err != nil {
		s.log.WarnContext(r.Context(), "cannot tell where a request was going", "request", g.requestID(), "error", err)
		var wrong apps.TargetError
		errors.As(err, &wrong)
		s.noteWatched(g, 0, http.StatusBadRequest, apps.GuardFault(wrong.Reason))
		g.refuse(http.StatusBadRequest, views.GuardUnclear())
		return
	}
	handler := g.route()
	if handler == nil {
		g.refuse(http.StatusNotFound, views.GuardNotFound())
		return
	}
	if err := handler(s, g); err != nil {
		s.failGuard(g, err)
	}
}

// route finds what answers a request. A proxy that knows one address alone asks there about
// ours as about any other of the app's, and hands the answer on: so it answers them itself.
// That address is for proxies, and not for who asks through them.
func (g *guardRequest) route() func(*Server, *guardRequest) error {
	asked, _, _ := strings.Cut(g.target.Path, "?")
	path := g.r.URL.Path
	if path == checkPath && isGuardPath(asked) {
		path = asked
		if path == checkPath {
			return nil
		}
	}
	for _, row := range guardRoutes {
		if row.path == path {
			g.r.Pattern = path
			return row.handler
		}
	}
	return nil
}

// query are the fields of an address of ours as the visitor asked for it.
func (g *guardRequest) query() url.Values {
	_, query, _ := strings.Cut(g.target.Path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil
	}
	return values
}

// isFor reports whether the visitor asked for an address of ours, and not for a page of the
// app before which we stand.
func (g *guardRequest) isFor(path string) bool {
	asked, _, _ := strings.Cut(g.target.Path, "?")
	return asked == path
}

// checkRequest says whether a request goes through. It writes nothing.
func (s *Server) checkRequest(g *guardRequest) error {
	c, err := s.readCheck(g)
	if err != nil {
		return err
	}
	fault := c.App.FaultOf(g.target)
	switch {
	case fault != apps.NoFault:
		return s.refuseGuard(g, c, fault)
	case c.App.IsPublicTarget(g.target):
		s.noteChecked(g, c, http.StatusOK, apps.NoFault)
		g.letThrough(db.Check{})
		return nil
	case !c.App.AllowsOrigin(g.target, g.r.Header, s.portalOrigin()):
		return s.refuseGuard(g, c, apps.OtherOrigin)
	case c.MaySee():
		s.noteChecked(g, c, http.StatusOK, apps.NoFault)
		g.letThrough(c)
		return nil
	case c.SignedIn && c.Answer == apps.MayNot:
		return s.refuseGuard(g, c, apps.NotAllowed)
	case g.target.Family == apps.Forwarded && g.target.IsPage(g.r.Header):
		s.noteChecked(g, c, http.StatusSeeOther, apps.NoFault)
		g.redirect(c.App.Address.String() + startPath + "?" + url.Values{"to": {apps.Way(g.target.Path)}}.Encode())
		return nil
	}
	s.noteChecked(g, c, http.StatusUnauthorized, apps.NoFault)
	g.askSignIn(s.enterAddress(c.App, ""))
	return nil
}

// startApp leads the browser from an app's host to the portal, and makes it known again here.
func (s *Server) startApp(g *guardRequest) error {
	c, err := s.readCheck(g)
	if err != nil {
		return err
	}
	if fault := c.App.FaultOf(g.target); fault != apps.NoFault {
		return s.refuseGuard(g, c, fault)
	}
	if !g.target.IsPage(g.r.Header) {
		g.askSignIn(s.enterAddress(c.App, ""))
		return nil
	}
	way := g.target.Path
	if g.isFor(startPath) {
		way = g.query().Get("to")
	}
	cookie := g.token(appStateCookie)
	state := db.StateOf(cookie)
	if !db.IsToken(cookie) {
		cookie, state = db.NewState()
	}
	g.setCookie(appStateCookie, cookie, stateAge)
	g.redirect(s.enterAddress(c.App, "") + "?" + url.Values{"to": {apps.Way(way)}, "state": {state}}.Encode())
	return nil
}

// finishEnter takes up the ticket from the portal. Where that fails there is no way on by
// itself: it could lead round in a circle.
func (s *Server) finishEnter(g *guardRequest) error {
	if g.target.Method != http.MethodGet || !g.isFor(enterPath) {
		g.refuse(http.StatusNotFound, views.GuardNotFound())
		return nil
	}
	token, way, err := s.store.EnterApp(g.ctx(), g.target.Address.Host, g.query().Get("ticket"), g.token(appStateCookie), g.now)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return err
	}
	if err != nil {
		c, err := s.readCheck(g)
		switch fault := c.App.FaultOf(g.target); {
		case err != nil:
			return err
		case fault != apps.NoFault:
			return s.refuseGuard(g, c, fault)
		case c.MaySee(): // another tab was faster
			g.redirect(c.App.Address.String() + "/")
			return nil
		}
		g.refuse(http.StatusBadRequest, views.GuardTicketOver(c.App.Name, s.enterAddress(c.App, "")))
		return nil
	}
	g.setCookie(appCookie, token, 0)
	g.redirect(g.target.Address.String() + apps.Way(way))
	return nil
}

// showRefused says why a request was refused, where a proxy has a page for that.
func (s *Server) showRefused(g *guardRequest) error {
	c, err := s.readCheck(g)
	if err != nil {
		return err
	}
	fault := c.App.FaultOf(g.target)
	switch {
	case fault != apps.NoFault:
	case c.SignedIn && c.Answer == apps.MayNot:
		fault = apps.NotAllowed
	default:
		fault = apps.OtherOrigin
	}
	return s.refuseGuard(g, c, fault)
}

// leaveApp leads to the page of the portal that asks whether to sign out.
func (s *Server) leaveApp(g *guardRequest) error {
	c, err := s.readCheck(g)
	if err != nil {
		return err
	}
	if fault := c.App.FaultOf(g.target); fault != apps.NoFault && fault != apps.PausedApp {
		return s.refuseGuard(g, c, fault)
	}
	g.redirect(s.enterAddress(c.App, "/signout"))
	return nil
}

// readCheck asks the store, once.
func (s *Server) readCheck(g *guardRequest) (db.Check, error) {
	return s.store.CheckRequest(g.ctx(), g.target.Address.Host, g.token(appCookie), g.now)
}

// refuseGuard answers 403, with a page that says why to whoever can read one.
func (s *Server) refuseGuard(g *guardRequest, c db.Check, fault apps.GuardFault) error {
	s.noteChecked(g, c, http.StatusForbidden, fault)
	if fault != apps.NotAllowed || !g.readsPages() {
		g.refuse(http.StatusForbidden, views.GuardRefused(c.App, fault))
		return nil
	}
	client := db.Client{Address: s.clientAddress(g.r), Browser: g.r.UserAgent()}
	s.inBackground(func(ctx context.Context) error { return s.store.NoteRefused(ctx, c, client, g.now) })
	a, err := s.store.App(g.ctx(), c.App.ID)
	if err != nil {
		return err
	}
	other := s.portalOrigin().String() + "/signout?" + url.Values{"next": {"/enter/" + a.Slug}}.Encode()
	g.refuse(http.StatusForbidden, views.GuardNotAllowed(a, c.Email, other, s.portalOrigin().String()+"/my"))
	return nil
}

// failGuard tells the proxy that nobody can say whether the request may go through: so it may not.
func (s *Server) failGuard(g *guardRequest, err error) {
	if isClientGone(g.r, err) {
		g.w.WriteHeader(statusHungUp)
		return
	}
	s.log.Error("fault", "request", g.requestID(), "route", g.r.Pattern, "error", err)
	g.refuse(http.StatusServiceUnavailable, views.GuardUnavailable(g.requestID()))
}

// letThrough answers that the request goes through, and as whose. Every header is always
// there: where one is missing the proxy leaves what the visitor has sent. It is for the proxy
// alone, so that nothing else is said that browsers go by.
func (g *guardRequest) letThrough(c db.Check) {
	names := [...]string{"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "Content-Length", "Cache-Control"}
	values := []string{
		headerText(c.RemoteUser()),
		headerText(c.Email),
		headerText(c.Name),
		headerText(strings.Join(c.Groups, ",")),
		"0",
		"no-store",
	}
	h := g.w.Header()
	for i, name := range names {
		h[name] = values[i : i+1 : i+1]
	}
	g.w.WriteHeader(http.StatusOK)
}

// headerText is a value without control characters.
func headerText(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, text)
}

// redirect answers 303, with an address that is always whole: Traefik would take a part of
// one for its own.
func (g *guardRequest) redirect(address string) {
	h := g.w.Header()
	g.setHeaders(h)
	h.Set("Location", address)
	h.Set("Content-Length", "0")
	g.w.WriteHeader(http.StatusSeeOther)
}

// askSignIn answers what is no page being opened: it cannot follow to the sign-in.
func (g *guardRequest) askSignIn(address string) {
	g.refuse(http.StatusUnauthorized, views.GuardSignIn(address))
}

// readsPages reports whether somebody reads what is answered, as opposed to a script.
func (g *guardRequest) readsPages() bool {
	h := g.r.Header
	return strings.Contains(strings.Join(h["Accept"], ","), "text/html") && len(h["X-Requested-With"]) == 0 && len(h["Hx-Request"]) == 0
}

// refuse answers with a page, or with its text to what reads none.
func (g *guardRequest) refuse(status int, page views.GuardPage) {
	page.Status = status
	h := g.w.Header()
	g.setHeaders(h)
	if !g.readsPages() {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		text := page.PlainText()
		h.Set("Content-Length", strconv.Itoa(len(text)))
		g.w.WriteHeader(status)
		_, _ = io.WriteString(&g.w, text) // the proxy may be gone
		return
	}
	var b strings.Builder
	if err := views.GuardHTML(page).Render(g.ctx(), &b); err != nil {
		http.Error(&g.w, http.StatusText(status), status)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	g.w.WriteHeader(status)
	_, _ = io.WriteString(&g.w, b.String()) // the proxy may be gone
}

// setHeaders sets what answers to people on an app's host carry. They say nothing for the host
// itself, such as that it is to be asked by https alone: it is not ours.
func (g *guardRequest) setHeaders(h http.Header) {
	g.requestID()
	h.Set("Content-Security-Policy", guardPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // a ticket, or a page of the app, is nobody else's business
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Cookie, Accept")
}

// guardPolicy lets the pages on an app's host have their own style, and nothing else.
var guardPolicy = func() string {
	sum := sha256.Sum256([]byte(views.GuardStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// cookieName is a cookie's whole name on the app's host.
func (g *guardRequest) cookieName(cookie string) string {
	if g.target.Address.Scheme == "https" {
		return "__Host-" + cookie
	}
	return cookie
}

func (g *guardRequest) token(cookie string) string { return valueOf(g.r, g.cookieName(cookie)) }

func (g *guardRequest) setCookie(cookie, value string, age int) {
	http.SetCookie(&g.w, &http.Cookie{
		Name:     g.cookieName(cookie),
		Value:    value,
		Path:     "/",
		MaxAge:   age,
		HttpOnly: true,
		Secure:   g.target.Address.Scheme == "https",
		SameSite: http.SameSiteLaxMode,
	})
}

// portalOrigin is what browsers reach the portal by; zero without a base URL.
func (s *Server) portalOrigin() apps.Address {
	if s.base == nil {
		return apps.Address{}
	}
	return apps.Address{Scheme: s.base.Scheme, Host: s.base.Hostname(), Port: s.base.Port()}
}

// enterAddress is the portal's address that opens an app, or another that ends with more.
func (s *Server) enterAddress(a apps.App, more string) string {
	return s.portalOrigin().String() + "/enter/" + a.Slug + more
}

// warnAsker tells the operator, once for each of the first few, that somebody asks who is no
// trusted proxy.
func (s *Server) warnAsker(r *http.Request) {
	address := s.peer(r).text()
	if address == "" || !s.askers.isNew(address) {
		return
	}
	s.log.LogAttrs(r.Context(), slog.LevelWarn, "refused to check a request of an app, because who asks is not a trusted proxy",
		slog.String("peer", address),
		slog.String("what_to_do", "if this is your proxy, set --trusted-proxy "+address+
			" (GATEHOUSE_TRUSTED_PROXY); otherwise ignore this"))
}

// inBackground writes what no answer waits for.
func (s *Server) inBackground(do func(ctx context.Context) error) {
	s.background.Add(1)
	go func() {
		defer s.background.Done()
		if err := do(context.Background()); err != nil {
			s.log.Error("cannot note a request", "error", err)
		}
	}()
}

// noteChecked notes an answer for an app that an admin checks just now.
func (s *Server) noteChecked(g *guardRequest, c db.Check, status int, fault apps.GuardFault) {
	if c.App.ID == 0 || c.App.WatchUntil.After(g.now) {
		s.noteWatched(g, c.App.ID, status, fault)
	}
}

// maxWatched is how much of an address is noted, in bytes.
const maxWatched = 300

// watchEvery is how often at most it is noted what a proxy asks.
const watchEvery = 200 * time.Millisecond

// noteWatched notes what came, without its query. Strangers cannot make that much work.
func (s *Server) noteWatched(g *guardRequest, app int64, status int, fault apps.GuardFault) {
	if !s.watching.isTime(app, g.now) {
		return
	}
	path, _, _ := strings.Cut(g.target.Path, "?")
	address := g.target.Address.String() + path
	address = cleanText(address[:min(len(address), maxWatched)])
	noted := db.AppRequest{
		App:     app,
		At:      g.now,
		Peer:    s.peer(g.r).name(),
		Family:  g.target.Family,
		Method:  g.target.Method,
		Address: address,
		Status:  status,
		Fault:   fault,
	}
	s.inBackground(func(ctx context.Context) error { return s.store.NoteAppRequest(ctx, noted, g.now) })
}

// A firstFew tells what is new, of the first few that there are: whoever has many addresses
// must not fill the log.
type firstFew struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (f *firstFew) isNew(what string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen[what] || len(f.seen) >= maxWarnedHosts {
		return false
	}
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[what] = true
	return true
}

// A rareNote bounds how often something is written, for each app by itself.
type rareNote struct {
	mu   sync.Mutex
	last map[int64]time.Time
}

func (n *rareNote) isTime(app int64, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if elapsed := now.Sub(n.last[app]); elapsed >= 0 && elapsed < watchEvery {
		return false
	}
	if n.last == nil {
		n.last = map[int64]time.Time{}
	}
	n.last[app] = now
	return true
}
