package handlers_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/handlers"
	"gatehouse/twofactor"
)

const (
	portalURL  = "https://portal.example.org"
	grafanaURL = "https://grafana.example.org"
	wikiURL    = "https://wiki.example.org"
)

// guarded is a site with two guarded apps behind proxies, Ada the member, and Root the admin.
func guarded(t *testing.T, change ...func(*db.NewApp)) *site {
	t.Helper()
	s := at(t, portalURL)
	s.add("ada@example.org", twofactor.Member)
	s.add("root@example.org", twofactor.SuperAdmin)
	for name, address := range map[string]string{"Grafana": grafanaURL, "Wiki": wikiURL} {
		n := db.NewApp{AppFacts: db.AppFacts{Name: name, Address: address}, Access: db.AppAccess{Everyone: true}, Guarded: true}
		for _, f := range change {
			f(&n)
		}
		if _, err := s.store.AddApp(ctx, n, machine.Author(), s.now); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// app finds one of them.
func (s *site) app(slug string) apps.App {
	s.t.Helper()
	a, err := s.store.AppBySlug(ctx, slug)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// A kind is how a proxy asks.
type kind string

const (
	nginxKind kind = "nginx"
	caddyKind kind = "Caddy"
)

// A person is somebody with one browser that visits apps through proxies: it keeps the cookies
// of each host by themselves.
type appBrowser struct {
	*browser
	kind kind
	jars map[string]map[string]string // by origin
}

func (s *site) appBrowser(k kind) *appBrowser {
	b := &appBrowser{browser: s.browser(), kind: k, jars: map[string]map[string]string{}}
	b.host = "portal.example.org"
	return b
}

// with changes a request before it is sent.
type with func(http.Header)

func header(name, value string) with { return func(h http.Header) { h.Set(name, value) } }

// asProxy sends one request to the guard, about a visitor's request.
func (b *appBrowser) asProxy(path, method, address string, change ...with) answer {
	b.site.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.site.t.Fatal(err)
	}
	origin, rest := u.Scheme+"://"+u.Host, strings.TrimPrefix(address, u.Scheme+"://"+u.Host)
	r := httptest.NewRequest("GET", path, nil)
	r.Host, r.RemoteAddr = "127.0.0.1:8080", b.address
	h := r.Header
	if b.kind == nginxKind {
		h.Set("X-Original-URL", address)
		h.Set("X-Original-Method", method)
	} else {
		h.Set("X-Forwarded-Proto", u.Scheme)
		h.Set("X-Forwarded-Host", u.Host)
		h.Set("X-Forwarded-Uri", rest)
		h.Set("X-Forwarded-Method", method)
	}
	h.Set("Sec-Fetch-Mode", "navigate")
	h.Set("Sec-Fetch-Dest", "document")
	h.Set("Accept", "text/html,*/*")
	for _, f := range change {
		f(h)
	}
	for name, value := range b.jars[origin] {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.site.server.ServeHTTP(w, r)
	if b.jars[origin] == nil {
		b.jars[origin] = map[string]string{}
	}
	for _, c := range w.Result().Cookies() {
		b.jars[origin][c.Name] = c.Value
	}
	return answer{b.site.t, w.Code, w.Header(), w.Body.String()}
}

// check is what the proxy is told of a visitor's request.
func (b *appBrowser) check(method, address string, change ...with) answer {
	b.site.t.Helper()
	return b.asProxy("/.gatehouse/check", method, address, change...)
}

// ours is the answer to an address of ours on the app's host: each proxy has its way to it.
func (b *appBrowser) ours(address string, change ...with) answer {
	b.site.t.Helper()
	u, _ := url.Parse(address)
	if b.kind == nginxKind {
		return b.asProxy(u.Path, "GET", address, change...)
	}
	return b.check("GET", address, change...)
}

// open opens a page as a browser does: it follows what it is answered through the app's
// host and the portal, and returns the proxy's last check, or the page at which it stops.
func (b *appBrowser) open(address string) answer {
	b.site.t.Helper()
	var a answer
	for hops := 0; ; hops++ {
		if hops > 8 {
			b.site.t.Fatalf("led round in a circle: %s", address)
		}
		switch {
		case strings.HasPrefix(address, portalURL):
			a = b.get(strings.TrimPrefix(address, portalURL))
		case strings.Contains(address, "/.gatehouse/"):
			a = b.ours(address)
		default:
			a = b.check("GET", address)
			if b.kind == nginxKind && a.status == http.StatusUnauthorized {
				a = b.asProxy("/.gatehouse/start", "GET", address)
			} else if b.kind == nginxKind && a.status == http.StatusForbidden {
				a = b.asProxy("/.gatehouse/refused", "GET", address)
			}
		}
		if a.status != http.StatusSeeOther {
			return a
		}
		if address = a.header.Get("Location"); strings.HasPrefix(address, "/") {
			return a // to the portal's own page
		}
	}
}

// signIn signs in at the portal.
func (b *appBrowser) signIn(email string) *appBrowser {
	b.site.t.Helper()
	signed := b.site.signedInAt(email)
	b.cookies = signed.cookies
	return b
}

// signedInAt is signedIn on the portal's host.
func (s *site) signedInAt(email string) *browser {
	s.t.Helper()
	b := s.browser()
	b.host = "portal.example.org"
	b.post("/signin", "email", email, "password", "violet kettle harbour").wantRedirect("/my")
	return b
}

// wantThrough fails unless the request goes through as somebody's.
func (a answer) wantThrough(user string) answer {
	a.t.Helper()
	if a.status != http.StatusOK || a.header.Get("Remote-User") != user {
		a.t.Fatalf("status %d as %q, want 200 as %q; Location %q\n%s", a.status, a.header.Get("Remote-User"), user,
			a.header.Get("Location"), a.body)
	}
	for _, name := range []string{"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups"} {
		if len(a.header[name]) != 1 {
			a.t.Errorf("%d times %s", len(a.header[name]), name)
		}
	}
	return a
}

// eachProxy runs a test as each kind of proxy asks.
func eachProxy(t *testing.T, test func(t *testing.T, k kind)) {
	t.Helper()
	for _, k := range []kind{nginxKind, caddyKind} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			test(t, k)
		})
	}
}

// TestOneSignInOpensBothApps: and one sign-out closes them.
func TestOneSignInOpensBothApps(t *testing.T) {
	t.Parallel()
	eachProxy(t, func(t *testing.T, k kind) {
		s := guarded(t)
		b := s.appBrowser(k)
		a := b.open(grafanaURL + "/d/1?from=now")
		if location := a.header.Get("Location"); !strings.HasPrefix(location, "/signin?next=%2Fenter%2Fgrafana%3F") {
			t.Fatalf("leads to %q", location)
		}
		b.signIn("ada@example.org")
		b.open(grafanaURL + "/d/1?from=now").wantThrough("ada")
		b.open(wikiURL + "/").wantThrough("ada")
		got := b.check("GET", grafanaURL+"/").wantThrough("ada")
		if got.header.Get("Remote-Email") != "ada@example.org" || got.header.Get("Remote-Name") != "Person of ada@example.org" ||
			got.header.Get("Remote-Groups") != "member" {
			t.Errorf("who it is: %v", got.header)
		}
		b.post("/signout")
		for _, address := range []string{grafanaURL, wikiURL} {
			if got := b.check("GET", address+"/", header("Sec-Fetch-Mode", "cors")); got.status != http.StatusUnauthorized {
				t.Errorf("%s after the sign-out: %d", address, got.status)
			}
		}
	})
}

// TestOpeningLeadsBackToThePage: through the sign-in, with what was asked for.
func TestOpeningLeadsBackToThePage(t *testing.T) {
	t.Parallel()
	eachProxy(t, func(t *testing.T, k kind) {
		s := guarded(t)
		b := s.appBrowser(k)
		next, err := url.Parse(b.open(grafanaURL + "/d/1?from=now&to=%2F").header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		b.signIn("ada@example.org")
		ticket := b.get(next.Query().Get("next"))
		if to := ticket.header.Get("Location"); !strings.HasPrefix(to, grafanaURL+"/.gatehouse/enter?ticket=") {
			t.Fatalf("leads to %q", to)
		}
		entered := b.ours(ticket.header.Get("Location")).wantRedirect(grafanaURL + "/d/1?from=now&to=%2F")
		if entered.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("Referrer-Policy %q", entered.header.Get("Referrer-Policy"))
		}
		cookie := entered.header.Get("Set-Cookie")
		for _, part := range []string{"__Host-gatehouse-app=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
			if !strings.Contains(cookie, part) || strings.Contains(cookie, "Domain") {
				t.Errorf("no %q in %q", part, cookie)
			}
		}
	})
}

// TestAnswersOfCheck is the table of answers.
func TestAnswersOfCheck(t *testing.T) {
	t.Parallel()
	eachProxy(t, func(t *testing.T, k kind) {
		s := guarded(t, func(n *db.NewApp) { n.Public = "/public/ /health" })
		b := s.appBrowser(k).signIn("ada@example.org")
		b.open(grafanaURL + "/").wantThrough("ada")
		stranger := s.appBrowser(k)

		page := map[kind]int{nginxKind: 401, caddyKind: 303}[k]
		for name, c := range map[string]struct {
			who            *appBrowser
			method, target string
			with           []with
			want           int
		}{
			"may":                      {b, "GET", grafanaURL + "/", nil, 200},
			"may, and changes":         {b, "POST", grafanaURL + "/", []with{header("Origin", grafanaURL)}, 200},
			"a page":                   {stranger, "GET", grafanaURL + "/", nil, page},
			"a fetch":                  {stranger, "GET", grafanaURL + "/", []with{header("Sec-Fetch-Mode", "cors")}, 401},
			"a frame":                  {stranger, "GET", grafanaURL + "/", []with{header("Sec-Fetch-Dest", "iframe")}, 401},
			"a form":                   {stranger, "POST", grafanaURL + "/", []with{header("Origin", grafanaURL)}, 401},
			"a WebSocket":              {stranger, "GET", grafanaURL + "/", []with{header("Sec-WebSocket-Key", "x"), header("Origin", grafanaURL)}, 401},
			"a public page":            {stranger, "GET", grafanaURL + "/health", nil, 200},
			"a public path by POST":    {stranger, "POST", grafanaURL + "/public/hook?a=b", []with{header("Origin", wikiURL)}, 200},
			"no such app":              {b, "GET", "https://other.example.org/", nil, 403},
			"the portal is no app":     {b, "GET", portalURL + "/", nil, 403},
			"another scheme":           {b, "GET", "http://grafana.example.org/", nil, 403},
			"another port":             {b, "GET", grafanaURL + ":8443/", nil, 403},
			"a host in capitals":       {b, "GET", "https://GRAFANA.example.org/", nil, page},
			"a form of a sibling":      {b, "POST", grafanaURL + "/", []with{header("Origin", wikiURL)}, 403},
			"a WebSocket of a sibling": {b, "GET", grafanaURL + "/", []with{header("Sec-WebSocket-Key", "x"), header("Origin", wikiURL)}, 403},
			"check itself":             {b, "GET", grafanaURL + "/.gatehouse/check", nil, 404},
			"another of ours":          {b, "GET", grafanaURL + "/.gatehouse/other", nil, 404},
		} {
			got := c.who.check(c.method, c.target, c.with...)
			if got.status != c.want {
				t.Errorf("%s: got %d, want %d", name, got.status, c.want)
			}
			if got.header.Get("WWW-Authenticate") != "" || got.header.Get("Strict-Transport-Security") != "" {
				t.Errorf("%s: %v", name, got.header)
			}
			if _, through := got.header["Remote-User"]; through != (c.want == 200) {
				t.Errorf("%s: %d with Remote-User %v", name, got.status, through)
			}
		}
		got := stranger.check("GET", grafanaURL+"/public/", header("Remote-User", "root"))
		got.wantThrough("")
		if k == caddyKind {
			stranger.check("GET", grafanaURL+"/d?a=b").
				wantRedirect(grafanaURL + "/.gatehouse/start?to=%2Fd%3Fa%3Db")
		}
		text := stranger.check("GET", grafanaURL+"/api", header("Accept", "application/json"), header("Sec-Fetch-Mode", "cors"))
		text.wantStatus(401, portalURL+"/enter/grafana")
		if text.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("a script is answered with %q", text.header.Get("Content-Type"))
		}
	})
}

// TestOnlyTrustedProxiesAsk: a stranger learns nothing, whatever it says of itself, and the
// log says what to set.
func TestOnlyTrustedProxiesAsk(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	b := s.appBrowser(caddyKind).signIn("ada@example.org")
	b.open(grafanaURL + "/").wantThrough("ada")
	b.address = "203.0.113.9:1"
	for _, path := range []string{"check", "start", "enter", "refused", "signout", "other"} {
		got := b.asProxy("/.gatehouse/"+path, "GET", grafanaURL+"/", header("X-Forwarded-For", "192.0.2.7"),
			header("Forwarded", "for=192.0.2.7;host=grafana.example.org;proto=https"))
		if got.status != 403 || got.header.Get("Remote-User") != "" || got.header.Get("Location") != "" {
			t.Errorf("%s answers %d %v", path, got.status, got.header)
		}
	}
	if log := s.log.String(); strings.Count(log, "refused to check") != 1 || !strings.Contains(log, "set --trusted-proxy 203.0.113.9") {
		t.Errorf("the log:\n%s", log)
	}
}

// TestSpoofedHeadersNameNoOtherApp: what a visitor sends beside what the proxy says is
// refused or changes nothing, the query of the check and the host among it.
func TestSpoofedHeadersNameNoOtherApp(t *testing.T) {
	t.Parallel()
	s := guarded(t, func(n *db.NewApp) {
		if n.Name == "Wiki" {
			n.Public = "/open/"
		}
	})
	stranger := s.appBrowser(caddyKind)
	for name, c := range map[string]struct {
		want int
		with with
	}{
		"the other family names a public path": {400, func(h http.Header) {
			h.Set("X-Original-URL", wikiURL+"/open/")
			h.Set("X-Original-Method", "GET")
		}},
		"the other family, a part of it": {400, header("X-Original-URL", wikiURL+"/open/")},
		"a second host":                  {400, func(h http.Header) { h.Add("X-Forwarded-Host", "wiki.example.org") }},
		"a list of hosts":                {400, header("X-Forwarded-Host", "grafana.example.org, wiki.example.org")},
		"Forwarded":                      {401, header("Forwarded", "host=wiki.example.org;proto=https")},
		"a prefix":                       {401, header("X-Forwarded-Prefix", "/open/")},
		"a port":                         {401, header("X-Forwarded-Port", "1")},
	} {
		got := stranger.check("POST", grafanaURL+"/open/", c.with, header("Origin", grafanaURL))
		if got.status != c.want {
			t.Errorf("%s: got %d, want %d", name, got.status, c.want)
		}
	}
	got := stranger.asProxy("/.gatehouse/check?rd="+url.QueryEscape(wikiURL+"/open/")+"&to=/open/", "POST", grafanaURL+"/")
	if got.status != 401 {
		t.Errorf("the query of the check decides: %d", got.status)
	}
	r := httptest.NewRequest("GET", "/.gatehouse/check", nil)
	r.Host, r.RemoteAddr = "wiki.example.org", stranger.address
	w := httptest.NewRecorder()
	if s.server.ServeHTTP(w, r); w.Code != 400 {
		t.Errorf("the host decides: %d", w.Code)
	}
}

// TestPublicPathsAreMatchedPlainly: by no query, suffix, fragment, escape, dots or case.
func TestPublicPathsAreMatchedPlainly(t *testing.T) {
	t.Parallel()
	s := guarded(t, func(n *db.NewApp) { n.Public = "/public/ /health" })
	stranger := s.appBrowser(caddyKind)
	for path, want := range map[string]int{
		"/health": 200, "/health?x=/secret": 200, "/public/": 200, "/public/a.css": 200,
		"/secret?/health": 401, "/secret?path=/public/": 401, "/healthz": 401, "/health/": 401, "/secret/health": 401,
		"/Health": 401, "/PUBLIC/": 401, "/public": 401, "/public/../secret": 401, "/public/%2e%2e/secret": 401,
		"/public/..;/secret": 401, "/public/./x": 401, "/public//x": 401, "/public/x%2f..%2f..%2fsecret": 401,
		"/public/\\..\\secret": 401, "/public/#/../secret": 401, "/health#": 401, "/health%00": 401, "//public/": 401,
		"/public/x,/secret": 401, "/public/\xff": 401, "/.gatehouse/../public/": 404,
	} {
		u := httptest.NewRequest("GET", "/", nil)
		u.Host, u.RemoteAddr = "127.0.0.1", stranger.address
		u.URL.Path = "/.gatehouse/check"
		u.Header = http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"grafana.example.org"},
			"X-Forwarded-Uri": {path}, "X-Forwarded-Method": {"GET"}}
		w := httptest.NewRecorder()
		if s.server.ServeHTTP(w, u); w.Code != want {
			t.Errorf("%q: got %d, want %d", path, w.Code, want)
		}
	}
}

// ticketFor is a way into an app for a browser that is signed in.
func (b *appBrowser) ticketFor(origin string) string {
	b.site.t.Helper()
	start := b.ours(origin + "/.gatehouse/start?to=%2Fd")
	enter := start.wantStatus(303).header.Get("Location")
	ticket := b.get(strings.TrimPrefix(enter, portalURL)).wantStatus(303).header.Get("Location")
	if !strings.HasPrefix(ticket, origin+"/.gatehouse/enter?ticket=") {
		b.site.t.Fatalf("leads to %q", ticket)
	}
	return ticket
}

// TestTicketWorksOnce: twice, too late, at another app, and in another browser it opens nothing.
func TestTicketWorksOnce(t *testing.T) {
	t.Parallel()
	eachProxy(t, func(t *testing.T, k kind) {
		s := guarded(t)
		b := s.appBrowser(k).signIn("ada@example.org")
		wrong := func(name string, a answer) {
			t.Helper()
			if a.status != 400 || a.header.Get("Set-Cookie") != "" || a.header.Get("Location") != "" ||
				!strings.Contains(a.body, portalURL+"/enter/") {
				t.Errorf("%s: %d, %v", name, a.status, a.header)
			}
		}
		ticket := b.ticketFor(grafanaURL)
		wrong("another browser", s.appBrowser(k).ours(ticket))
		other := s.appBrowser(k).signIn("root@example.org")
		other.ours(grafanaURL + "/.gatehouse/start").wantStatus(303)
		wrong("another browser with a state of its own", other.ours(ticket))
		b.ours(wikiURL + "/.gatehouse/start").wantStatus(303)
		wrong("another app", b.ours(strings.Replace(ticket, grafanaURL, wikiURL, 1)))
		b.ours(ticket).wantRedirect(grafanaURL + "/d")
		delete(b.jars[grafanaURL], "__Host-gatehouse-app")
		wrong("twice", b.ours(ticket))
		late := b.ticketFor(grafanaURL)
		s.advance(db.TicketTTL)
		wrong("too late", b.ours(late))
		wrong("none", b.ours(grafanaURL+"/.gatehouse/enter"))
		wrong("garbage", b.ours(grafanaURL+"/.gatehouse/enter?ticket=%00%ff"))
		stale := b.ticketFor(grafanaURL)
		b.post("/signout")
		wrong("after the sign-out", b.ours(stale))
	})
}

// TestTicketAtOnce: of 32 uses of one ticket one succeeds.
func TestTicketAtOnce(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	b := s.appBrowser(caddyKind).signIn("ada@example.org")
	ticket := b.ticketFor(grafanaURL)
	state := b.jars[grafanaURL]["__Host-gatehouse-app-state"]
	var wg sync.WaitGroup
	statuses := make([]int, 32)
	for i := range statuses {
		wg.Add(1)
		go func() {
			defer wg.Done()
			one := s.appBrowser(caddyKind)
			one.jars[grafanaURL] = map[string]string{"__Host-gatehouse-app-state": state}
			statuses[i] = one.ours(ticket).status
		}()
	}
	wg.Wait()
	in := 0
	for _, status := range statuses {
		if status == 303 {
			in++
		}
	}
	if in != 1 {
		t.Errorf("%d succeed: %v", in, statuses)
	}
}

// TestStolenAppCookieOpensNothingElse: neither the portal, nor another app, nor by another name.
func TestStolenAppCookieOpensNothingElse(t *testing.T) {
	t.Parallel()
	eachProxy(t, func(t *testing.T, k kind) {
		s := guarded(t)
		b := s.appBrowser(k).signIn("ada@example.org")
		b.open(grafanaURL + "/").wantThrough("ada")
		stolen := b.jars[grafanaURL]["__Host-gatehouse-app"]

		thief := s.appBrowser(k)
		thief.jars[wikiURL] = map[string]string{"__Host-gatehouse-app": stolen, "gatehouse-app": stolen}
		if got := thief.check("GET", wikiURL+"/"); got.status == 200 {
			t.Error("it opens the other app")
		}
		thief.jars[grafanaURL] = map[string]string{"gatehouse-app": stolen, "__Host-gatehouse": stolen,
			"__Host-gatehouse-app-state": stolen}
		if got := thief.check("GET", grafanaURL+"/"); got.status == 200 {
			t.Error("it opens the app by another name")
		}
		for _, name := range []string{"__Host-gatehouse", "__Host-gatehouse-app", "__Host-gatehouse-challenge"} {
			thief.cookies = map[string]string{name: stolen}
			if got := thief.get("/my"); got.status != 303 {
				t.Errorf("as %s it opens the portal: %d", name, got.status)
			}
		}
		// And the portal's opens no app.
		thief.jars[grafanaURL] = map[string]string{"__Host-gatehouse-app": b.cookies["__Host-gatehouse"]}
		if got := thief.check("GET", grafanaURL+"/"); got.status == 200 {
			t.Error("the portal's cookie opens an app")
		}
	})
}

// TestPlantedStateIsOfNoUse: a browser that was given somebody else's state takes up no ticket
// of theirs without it, and a state that is none is replaced.
func TestPlantedStateIsOfNoUse(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	b := s.appBrowser(caddyKind)
	b.jars[grafanaURL] = map[string]string{"__Host-gatehouse-app-state": "planted"}
	b.ours(grafanaURL + "/.gatehouse/start").wantStatus(303)
	if b.jars[grafanaURL]["__Host-gatehouse-app-state"] == "planted" {
		t.Error("a planted state is adopted")
	}
	// What the address says of the state is not the state.
	attacker := s.appBrowser(caddyKind).signIn("root@example.org")
	enter, err := url.Parse(b.ours(grafanaURL + "/.gatehouse/start").header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	ticket := attacker.get(enter.RequestURI()).header.Get("Location")
	attacker.jars[grafanaURL] = map[string]string{"__Host-gatehouse-app-state": enter.Query().Get("state")}
	if got := attacker.ours(ticket); got.status != 400 {
		t.Errorf("the state of the address is a cookie: %d", got.status)
	}
	// Who is signed in decides at the portal: a state that does not fit makes no ticket.
	for _, state := range []string{"", "x", strings.Repeat("A", 42) + "B", strings.Repeat("é", 20)} {
		attacker.get("/enter/grafana?to=%2Fd&state=" + url.QueryEscape(state)).wantRedirect(grafanaURL + "/d")
	}
}

// TestTabsShareTheState: pages that are opened at once all get in.
func TestTabsShareTheState(t *testing.T) {
	t.Parallel()
	eachProxy(t, func(t *testing.T, k kind) {
		s := guarded(t)
		b := s.appBrowser(k).signIn("ada@example.org")
		first, second := b.ticketFor(grafanaURL), b.ticketFor(grafanaURL)
		b.ours(second).wantRedirect(grafanaURL + "/d")
		b.ours(first).wantRedirect(grafanaURL + "/d")
		b.check("GET", grafanaURL+"/").wantThrough("ada")
	})
}

// TestNoWayLeadsElsewhere: neither from start, nor from enter, nor from the sign-out.
func TestNoWayLeadsElsewhere(t *testing.T) {
	t.Parallel()
	eachProxy(t, func(t *testing.T, k kind) {
		s := guarded(t)
		b := s.appBrowser(k).signIn("ada@example.org")
		b.open(grafanaURL + "/").wantThrough("ada")
		for _, to := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, `\\evil.example`,
			"@evil.example", ".evil.example", "/%0d%0aSet-Cookie:x=y", "/\r\nLocation: x", "javascript:alert(1)",
			strings.Repeat("/a", 1025), "/.gatehouse/start", "/.gatehouse/signout"} {
			for _, address := range []string{
				b.ours(grafanaURL + "/.gatehouse/start?to=" + url.QueryEscape(to)).header.Get("Location"),
				b.get("/enter/grafana?to=" + url.QueryEscape(to)).header.Get("Location"),
			} {
				u, err := url.Parse(address)
				if err != nil || u.Host != "portal.example.org" && u.Host != "grafana.example.org" || strings.ContainsAny(address, "\r\n") {
					t.Errorf("%q leads to %q", to, address)
				}
				if u.Host == "grafana.example.org" && u.Path != "/" && to != "/%0d%0aSet-Cookie:x=y" {
					t.Errorf("%q leads to %q", to, address)
				}
			}
			next := "/signout?next=" + url.QueryEscape(to)
			if page := b.get(next).wantStatus(200); strings.Contains(page.body, `value="`+to) && !strings.HasPrefix(to, "/.") && !strings.HasPrefix(to, "/%") && len(to) < 1000 {
				t.Errorf("the sign-out goes on to %q", to)
			}
		}
		for _, host := range []string{"https://grafana.example.org.evil.example", "https://evilgrafana.example.org",
			"https://example.org"} {
			if got := b.check("GET", host+"/.gatehouse/start"); got.status != 403 {
				t.Errorf("%s: %d to %q", host, got.status, got.header.Get("Location"))
			}
		}
		b.get("/enter/nothing?to=/").wantStatus(404)
	})
}

// TestAnEndIsAnEnd: what ends a session or an access is seen by the next request.
func TestAnEndIsAnEnd(t *testing.T) {
	t.Parallel()
	author := machine.Author()
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	id := func(t *testing.T, s *site) int64 {
		t.Helper()
		p, err := s.store.PersonByEmail(ctx, "ada@example.org")
		must(t, err)
		return p.ID
	}
	access := func(t *testing.T, s *site, a db.AppAccess) {
		t.Helper()
		must(t, s.store.ChangeAppAccess(ctx, s.app("grafana").ID, account.Seen{}, a, author, s.now))
	}
	for name, c := range map[string]struct {
		before, end func(t *testing.T, s *site, b *appBrowser)
		want        int
	}{
		"signed out": {nil, func(t *testing.T, s *site, b *appBrowser) { b.post("/signout") }, 401},
		"deactivated": {nil, func(t *testing.T, s *site, b *appBrowser) {
			must(t, s.store.SetActive(ctx, id(t, s), false, author, s.now))
		}, 401},
		"sessions ended": {nil, func(t *testing.T, s *site, b *appBrowser) {
			must(t, s.store.EndSessionsOf(ctx, id(t, s), author, s.now))
		}, 401},
		"removed": {nil, func(t *testing.T, s *site, b *appBrowser) {
			must(t, s.store.RemovePerson(ctx, id(t, s), author, s.now))
		}, 401},
		"the password changed elsewhere": {nil, func(t *testing.T, s *site, b *appBrowser) {
			other := s.signedInAt("ada@example.org")
			other.post("/my/profile/password", "current_password", "violet kettle harbour", "new_password", "amber river lantern")
		}, 401},
		"a factor enabled elsewhere": {nil, func(t *testing.T, s *site, b *appBrowser) {
			other := s.signedInAt("ada@example.org")
			secret := other.post("/my/profile/two-factor/enable").wantStatus(200).secret()
			other.post("/my/profile/two-factor/confirm", "code", s.code(secret)).wantStatus(200)
		}, 401},
		"the policy asks for a factor": {nil, func(t *testing.T, s *site, b *appBrowser) {
			root := s.signedInAt("root@example.org")
			page := root.get("/admin/settings/security").wantStatus(200)
			root.post("/admin/settings/security", "require_everyone", "on", "seen", fieldValue(t, page.body, "seen"))
		}, 401},
		"the app asks for a factor": {nil, func(t *testing.T, s *site, b *appBrowser) {
			access(t, s, db.AppAccess{Everyone: true, SecondStep: true})
		}, 401},
		"access taken away": {nil, func(t *testing.T, s *site, b *appBrowser) {
			access(t, s, db.AppAccess{Roles: []string{"administrator"}})
		}, 403},
		"role taken away": {func(t *testing.T, s *site, b *appBrowser) { access(t, s, db.AppAccess{Roles: []string{"member"}}) },
			func(t *testing.T, s *site, b *appBrowser) {
				access(t, s, db.AppAccess{Roles: []string{"administrator"}})
			}, 403},
		"paused": {nil, func(t *testing.T, s *site, b *appBrowser) {
			must(t, s.store.PauseApp(ctx, s.app("grafana").ID, true, author, s.now))
		}, 403},
		"no longer guarded": {nil, func(t *testing.T, s *site, b *appBrowser) {
			must(t, s.store.ChangeAppGuard(ctx, s.app("grafana").ID, account.Seen{}, db.AppGuard{RemoteUser: "user-name"}, author, s.now))
		}, 403},
		"the app removed": {nil, func(t *testing.T, s *site, b *appBrowser) {
			must(t, s.store.RemoveApp(ctx, s.app("grafana").ID, author, s.now))
		}, 403},
		"idle": {nil, func(t *testing.T, s *site, b *appBrowser) { s.advance(account.DefaultSessionLengths.Idle) }, 401},
		"fresh sign-in": {func(t *testing.T, s *site, b *appBrowser) {
			access(t, s, db.AppAccess{Everyone: true, FreshMinutes: "15"})
		}, func(t *testing.T, s *site, b *appBrowser) { s.advance(15 * time.Minute) }, 401},
		"its groups": {func(t *testing.T, s *site, b *appBrowser) {
			_, err := s.store.AddGroup(ctx, "ops", author, s.now)
			must(t, err)
			group, err := s.store.GroupByName(ctx, "ops")
			must(t, err)
			must(t, s.store.SetGroupMembers(ctx, group.ID, account.Seen{}, []string{"ada@example.org"}, author, s.now))
			access(t, s, db.AppAccess{Groups: []string{"ops"}})
		}, func(t *testing.T, s *site, b *appBrowser) {
			group, err := s.store.GroupByName(ctx, "ops")
			must(t, err)
			must(t, s.store.SetGroupMembers(ctx, group.ID, account.Seen{}, nil, author, s.now))
		}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := guarded(t)
			b := s.appBrowser(nginxKind).signIn("ada@example.org")
			if c.before != nil {
				c.before(t, s, b)
			}
			b.open(grafanaURL + "/").wantThrough("ada")
			c.end(t, s, b)
			if got := b.check("GET", grafanaURL+"/"); got.status != c.want {
				t.Errorf("got %d, want %d", got.status, c.want)
			}
		})
	}
}

// TestCheckWritesNothing: neither for whom it lets through nor for a stranger; what it remembers
// is written once a minute for all.
func TestCheckWritesNothing(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	b := s.appBrowser(caddyKind).signIn("ada@example.org")
	b.open(grafanaURL + "/").wantThrough("ada")
	file, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, db.FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	file.SetMaxOpenConns(1) // the version is one connection's view of what the others have done
	changed := func(do func()) bool {
		t.Helper()
		var before, after int
		if err := file.QueryRow(`PRAGMA data_version`).Scan(&before); err != nil {
			t.Fatal(err)
		}
		do()
		if err := file.QueryRow(`PRAGMA data_version`).Scan(&after); err != nil {
			t.Fatal(err)
		}
		return before != after
	}
	stranger := s.appBrowser(caddyKind)
	if changed(func() {
		s.advance(10 * time.Minute)
		for range 3 {
			b.check("GET", grafanaURL+"/").wantThrough("ada")
			b.check("POST", grafanaURL+"/", header("Origin", wikiURL)).wantStatus(403)
			stranger.check("GET", grafanaURL+"/")
			stranger.check("GET", "https://other.example.org/")
			stranger.ours(grafanaURL + "/.gatehouse/start")
			s.server.WaitForNotes()
		}
	}) {
		t.Error("a check is written down")
	}
	if !changed(func() {
		if err := s.store.NoteUsed(ctx); err != nil {
			t.Fatal(err)
		}
	}) {
		t.Error("what it remembers is not written")
	}
	if changed(func() {
		if err := s.store.NoteUsed(ctx); err != nil {
			t.Fatal(err)
		}
	}) {
		t.Error("it is written twice")
	}
}

// TestUsedThroughAnAppIsNotIdle: what is remembered counts.
func TestUsedThroughAnAppIsNotIdle(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	b := s.appBrowser(caddyKind).signIn("ada@example.org")
	b.open(grafanaURL + "/").wantThrough("ada")
	for range 4 {
		s.advance(account.DefaultSessionLengths.Idle / 2)
		b.check("GET", grafanaURL+"/").wantThrough("ada")
		if err := s.store.NoteUsed(ctx); err != nil {
			t.Fatal(err)
		}
	}
	b.get("/my").wantStatus(200)
}

// TestRefusedIsNotedOnceAnHour: and every other check writes nothing.
func TestRefusedIsNotedOnceAnHour(t *testing.T) {
	t.Parallel()
	eachProxy(t, func(t *testing.T, k kind) {
		s := guarded(t)
		b := s.appBrowser(k).signIn("ada@example.org")
		b.open(grafanaURL + "/").wantThrough("ada")
		if err := s.store.ChangeAppAccess(ctx, s.app("grafana").ID, account.Seen{}, db.AppAccess{Groups: nil, People: []string{"root@example.org"}},
			machine.Author(), s.now); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			page := b.open(grafanaURL+"/").wantStatus(403, "You cannot open Grafana", "people whom an administrator has named",
				"Ask your administrator", "ada@example.org", "Sign in as a different user",
				portalURL+"/signout?next=%2Fenter%2Fgrafana")
			page.wantNot("root@example.org")
			s.server.WaitForNotes()
		}
		b.check("GET", grafanaURL+"/", header("Sec-Fetch-Mode", "cors"), header("Accept", "*/*")).wantStatus(403)
		b.get("/enter/grafana").wantStatus(403, "You cannot open Grafana")
		s.server.WaitForNotes()
		if n := s.countRows(t, account.AppRefused); n != 1 {
			t.Errorf("%d rows of refusals, want 1", n)
		}
		if n := s.countRows(t, account.AppOpened); n != 1 {
			t.Errorf("%d rows of opening, want 1", n)
		}
		s.advance(time.Hour)
		b.signIn("ada@example.org")
		b.get("/enter/grafana").wantStatus(403)
		if n := s.countRows(t, account.AppRefused); n != 2 {
			t.Errorf("%d rows an hour later, want 2", n)
		}
	})
}

func (s *site) countRows(t *testing.T, event account.Event) int {
	t.Helper()
	page, err := s.store.Activity(ctx, db.Filter{Event: event})
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Rows)
}

// TestGuardFailsClosed: when nobody can say, the proxy is told so, and nothing goes through.
func TestGuardFailsClosed(t *testing.T) {
	t.Parallel()
	eachProxy(t, func(t *testing.T, k kind) {
		s := guarded(t, func(n *db.NewApp) { n.Public = "/health" })
		b := s.appBrowser(k).signIn("ada@example.org")
		b.open(grafanaURL + "/").wantThrough("ada")
		s.server.Stop()
		b.check("GET", grafanaURL+"/").wantStatus(503, "temporarily unavailable")
		s = guarded(t, func(n *db.NewApp) { n.Public = "/health" })
		b = s.appBrowser(k).signIn("ada@example.org")
		b.open(grafanaURL + "/").wantThrough("ada")
		if err := s.store.Close(); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/", "/health", "/.gatehouse/start", "/.gatehouse/enter?ticket=x", "/.gatehouse/signout"} {
			got := b.check("GET", grafanaURL+path)
			if path != "/" && path != "/health" {
				got = b.ours(grafanaURL + path)
			}
			if got.status != 503 || got.header.Get("Remote-User") != "" {
				t.Errorf("%s answers %d", path, got.status)
			}
		}
	})
}

// TestPanicInACheckLetsNothingThrough: the proxy is told, the log has it, and the next request is looked at.
func TestPanicInACheckLetsNothingThrough(t *testing.T) {
	t.Parallel()
	eachProxy(t, func(t *testing.T, k kind) {
		s := newSite(t, func(c *handlers.Config) {
			base, err := url.Parse(portalURL)
			if err != nil {
				t.Fatal(err)
			}
			c.Store, c.BaseURL, c.TrustedProxies = nil, base, proxies // so that each check panics
		})
		b := s.appBrowser(k)
		for range 2 {
			got := b.check("GET", grafanaURL+"/").wantStatus(503, "temporarily unavailable")
			id := got.header.Get("X-Request-Id")
			if got.header.Get("Remote-User") != "" || id == "" || !strings.Contains(s.log.String(), id) {
				t.Errorf("%v\n%s", got.header, s.log.String())
			}
		}
	})
}

// TestPagesOnTheAppsHost: no 2xx, no script, a style that the policy names, and nothing that
// binds the host.
func TestPagesOnTheAppsHost(t *testing.T) {
	t.Parallel()
	eachProxy(t, func(t *testing.T, k kind) {
		s := guarded(t)
		b := s.appBrowser(k)
		for _, path := range []string{"", "check", "start", "enter", "enter?ticket=x", "refused", "signout", "static/x.css"} {
			got := b.ours(grafanaURL + "/.gatehouse/" + path)
			if got.status < 300 {
				t.Errorf("%s answers %d: the proxy would let that through", path, got.status)
			}
			if strings.Contains(got.body, "<script") || strings.Contains(got.body, "style=") || strings.Contains(got.body, `rel="stylesheet"`) {
				t.Errorf("%s:\n%s", path, got.body)
			}
			if csp := got.header.Get("Content-Security-Policy"); !strings.Contains(csp, "style-src 'sha256-") || strings.Contains(csp, "script-src") {
				t.Errorf("%s: %s", path, csp)
			}
			if got.header.Get("Strict-Transport-Security") != "" || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %v", path, got.header)
			}
		}
		b.ours(grafanaURL + "/.gatehouse/signout").wantRedirect(portalURL + "/enter/grafana/signout")
		b.signIn("ada@example.org")
		b.get("/enter/grafana/signout").wantStatus(200, "Sign out of Grafana and the workspace?")
		b.open(grafanaURL + "/").wantThrough("ada")
		b.post("/enter/grafana/signout").wantRedirect("/signin")
		if got := b.check("GET", grafanaURL+"/"); got.status == 200 {
			t.Error("the app is open after the sign-out")
		}
	})
}

// TestWhatAnAppNeedsIsAskedForFirst: a second step and a fresh sign-in, on the way in.
func TestWhatAnAppNeedsIsAskedForFirst(t *testing.T) {
	t.Parallel()
	s := guarded(t, func(n *db.NewApp) {
		n.Access.SecondStep = n.Name == "Grafana"
		if n.Name == "Wiki" {
			n.Access.FreshMinutes = "15"
		}
	})
	b := s.appBrowser(caddyKind).signIn("ada@example.org")
	if got := b.open(grafanaURL + "/d").header.Get("Location"); !strings.HasPrefix(got, "/my/profile/two-factor?next=%2Fenter%2Fgrafana%3F") {
		t.Errorf("leads to %q", got)
	} else {
		b.get(got).wantStatus(200, "Grafana requires two-factor authentication. Set it up to continue.")
	}
	b.open(wikiURL + "/").wantThrough("ada")
	s.advance(15 * time.Minute)
	if got := b.open(wikiURL + "/d").header.Get("Location"); !strings.HasPrefix(got, "/signin/again?next=%2Fenter%2Fwiki%3F") {
		t.Errorf("leads to %q", got)
	}
}

// TestOwnAppsListGuardedOnes: ending one there ends the session in the app, and not the portal's.
func TestOwnAppsListGuardedOnes(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	b := s.appBrowser(caddyKind).signIn("ada@example.org")
	b.open(grafanaURL + "/").wantThrough("ada")
	b.get("/my/profile/apps").wantStatus(200, "Grafana").wantNot("Wiki")
	b.post("/my/profile/apps/end", "app", strconv.FormatInt(s.app("grafana").ID, 10)).wantRedirect("/my/profile/apps")
	if got := b.check("GET", grafanaURL+"/"); got.status == 200 {
		t.Error("the app is still open")
	}
	b.get("/my").wantStatus(200)
	b.get("/my/profile/apps").wantStatus(200).wantNot("grafana.example.org")
}

// TestWhatTheAppIsTold: by user name or e-mail, with groups, and no control characters.
func TestWhatTheAppIsTold(t *testing.T) {
	t.Parallel()
	s := guarded(t, func(n *db.NewApp) {
		if n.Name == "Wiki" {
			n.RemoteUser = "e-mail"
		}
	})
	author := machine.Author()
	for _, name := range []string{"wiki-editors", "ops"} {
		id, err := s.store.AddGroup(ctx, name, author, s.now)
		if err == nil {
			err = s.store.SetGroupMembers(ctx, id, account.Seen{}, []string{"root@example.org"}, author, s.now)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b := s.appBrowser(caddyKind).signIn("root@example.org")
	got := b.open(grafanaURL + "/").wantThrough("root-2") // a name that many apps know as their own admin
	if groups := got.header.Get("Remote-Groups"); groups != "super-administrator,admins,ops,wiki-editors" {
		t.Errorf("groups %q", groups)
	}
	if len(got.header) != 6 || got.header.Get("Content-Length") != "0" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the proxy is told more than who it is: %v", got.header)
	}
	b.open(wikiURL + "/").wantThrough("root@example.org")
}

// fieldValue reads a hidden field off a page.
func fieldValue(t *testing.T, body, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(body, fmt.Sprintf(`name="%s" value="`, name))
	value, _, closed := strings.Cut(rest, `"`)
	if !found || !closed {
		t.Fatalf("no field %s in:\n%s", name, body)
	}
	return value
}
