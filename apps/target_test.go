package apps_test

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"

	"gatehouse/apps"
)

// headers makes headers by their canonical names: name, value, name, value.
func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func fromNginx(url, method string) http.Header {
	return headers("X-Original-URL", url, "X-Original-Method", method)
}

func fromCaddy(scheme, host, uri, method string) http.Header {
	return headers("X-Forwarded-Proto", scheme, "X-Forwarded-Host", host, "X-Forwarded-Uri", uri,
		"X-Forwarded-Method", method)
}

func TestParseTarget(t *testing.T) {
	t.Parallel()
	grafana := apps.Address{Scheme: "https", Host: "grafana.example.org"}
	for name, c := range map[string]struct {
		from http.Header
		want apps.Target
	}{
		"nginx": {fromNginx("https://grafana.example.org/d/1?a=b", "POST"),
			apps.Target{Address: grafana, Path: "/d/1?a=b", Method: "POST", Family: apps.Original}},
		"Caddy and Traefik": {fromCaddy("https", "grafana.example.org", "/d/1?a=b", "GET"),
			apps.Target{Address: grafana, Path: "/d/1?a=b", Method: "GET", Family: apps.Forwarded}},
		"a host in capitals, with a last dot and the default port": {
			fromCaddy("https", "GRAFANA.example.org.:443", "/", "GET"),
			apps.Target{Address: grafana, Path: "/", Method: "GET", Family: apps.Forwarded}},
		"another port": {fromNginx("http://grafana.example.org:8080/", "GET"),
			apps.Target{Address: apps.Address{Scheme: "http", Host: "grafana.example.org", Port: "8080"}, Path: "/",
				Method: "GET", Family: apps.Original}},
		"a raw path": {fromNginx("https://grafana.example.org/public/../secret", "GET"),
			apps.Target{Address: grafana, Path: "/public/../secret", Method: "GET", Family: apps.Original}},
		"an address in the query": {fromNginx("https://grafana.example.org/?to=https://evil.example/", "GET"),
			apps.Target{Address: grafana, Path: "/?to=https://evil.example/", Method: "GET", Family: apps.Original}},
		"a comma in the path": {fromCaddy("https", "grafana.example.org", "/d/1?panels=1,2", "GET"),
			apps.Target{Address: grafana, Path: "/d/1?panels=1,2", Method: "GET", Family: apps.Forwarded}},
	} {
		got, err := apps.ParseTarget(c.from)
		if err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, c.want)
		}
	}

	both := fromNginx("https://grafana.example.org/d/1", "GET")
	maps.Copy(both, fromCaddy("https", "Grafana.example.org", "/d/1", "GET"))
	if got, err := apps.ParseTarget(both); err != nil || got.Family != apps.Forwarded {
		t.Errorf("two families that agree: got %+v, %v", got, err)
	}
}

// TestSpoofedTargetIsRefused: what a visitor adds to what the proxy says changes nothing but
// that the request is refused.
func TestSpoofedTargetIsRefused(t *testing.T) {
	t.Parallel()
	caddy := func() http.Header { return fromCaddy("https", "a.example.org", "/secret", "POST") }
	with := func(h http.Header, pairs ...string) http.Header {
		for i := 0; i+1 < len(pairs); i += 2 {
			h.Add(pairs[i], pairs[i+1])
		}
		return h
	}
	without := func(h http.Header, name string) http.Header { h.Del(name); return h }
	for name, c := range map[string]struct {
		from http.Header
		want apps.TargetReason
	}{
		"none":                         {headers("Forwarded", "host=a.example.org;proto=https", "X-Forwarded-For", "1.2.3.4"), apps.HeadersMissing},
		"no host":                      {without(caddy(), "X-Forwarded-Host"), apps.HeadersMissing},
		"no scheme":                    {without(caddy(), "X-Forwarded-Proto"), apps.HeadersMissing},
		"no address":                   {without(caddy(), "X-Forwarded-Uri"), apps.HeadersMissing},
		"no method":                    {without(caddy(), "X-Forwarded-Method"), apps.HeadersMissing},
		"an address without method":    {headers("X-Original-URL", "https://a.example.org/"), apps.HeadersMissing},
		"a method of the other family": {with(caddy(), "X-Original-Method", "GET"), apps.HeadersMissing},
		"another address of the other": {with(caddy(), "X-Original-URL", "https://b.example.org/secret",
			"X-Original-Method", "POST"), apps.HeadersDisagree},
		"another path of the other": {with(caddy(), "X-Original-URL", "https://a.example.org/public/",
			"X-Original-Method", "POST"), apps.HeadersDisagree},
		"another method of the other": {with(caddy(), "X-Original-URL", "https://a.example.org/secret",
			"X-Original-Method", "GET"), apps.HeadersDisagree},
		"the host twice":    {with(caddy(), "X-Forwarded-Host", "b.example.org"), apps.HeadersTwice},
		"two hosts in one":  {fromCaddy("https", "a.example.org, b.example.org", "/", "GET"), apps.HeadersTwice},
		"two schemes":       {fromCaddy("https,http", "a.example.org", "/", "GET"), apps.HeadersTwice},
		"two methods":       {fromCaddy("https", "a.example.org", "/", "GET,POST"), apps.HeadersTwice},
		"two addresses":     {fromCaddy("https", "a.example.org", "/a, /b", "GET"), apps.HeadersUnclear},
		"the address twice": {with(fromNginx("https://a.example.org/", "GET"), "X-Original-URL", "https://a.example.org/"), apps.HeadersTwice},
		"no path":           {fromNginx("https://a.example.org", "GET"), apps.HeadersUnclear},
		"a whole address":   {fromCaddy("https", "a.example.org", "https://b.example.org/", "GET"), apps.HeadersUnclear},
		"a star":            {fromCaddy("https", "a.example.org", "*", "OPTIONS"), apps.HeadersUnclear},
		"another scheme":    {fromCaddy("javascript", "a.example.org", "/", "GET"), apps.HeadersUnclear},
		"a user":            {fromNginx("https://a.example.org@b.example.org/", "GET"), apps.HeadersUnclear},
		"a backslash":       {fromNginx(`https://a.example.org\.b.example.org/`, "GET"), apps.HeadersUnclear},
		"a query as host":   {fromNginx("https://a.example.org?.b.example.org/", "GET"), apps.HeadersUnclear},
		"a wildcard":        {fromCaddy("https", "*.example.org", "/", "GET"), apps.HeadersUnclear},
		"no host at all":    {fromNginx("https:///", "GET"), apps.HeadersUnclear},
		"an empty host":     {fromCaddy("https", "", "/", "GET"), apps.HeadersMissing},
		"a blank":           {fromNginx("https://a.example.org/a b", "GET"), apps.HeadersUnclear},
		"a line break":      {fromNginx("https://a.example.org/a\r\nb", "GET"), apps.HeadersUnclear},
		"a small method":    {fromCaddy("https", "a.example.org", "/", "get"), apps.HeadersUnclear},
	} {
		got, err := apps.ParseTarget(c.from)
		var wrong apps.TargetError
		if !errors.As(err, &wrong) || wrong.Reason != c.want || got != (apps.Target{}) {
			t.Errorf("%s: got %+v, %v; want %s", name, got, err, c.want)
		}
	}
}

func TestIsPage(t *testing.T) {
	t.Parallel()
	navigation := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html"}
	for name, c := range map[string]struct {
		method string
		with   http.Header
		want   bool
	}{
		"a link":              {"GET", headers(navigation...), true},
		"a look at it":        {"HEAD", headers(navigation...), true},
		"an old browser":      {"GET", headers("Accept", "text/html,application/xhtml+xml"), true},
		"a form":              {"POST", headers(navigation...), false},
		"a command":           {"GET", headers("Accept", "*/*"), false},
		"nothing accepted":    {"GET", headers(), false},
		"a fetch":             {"GET", headers("Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "text/html"), false},
		"a frame":             {"GET", headers("Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Accept", "text/html"), false},
		"a picture":           {"GET", headers("Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"), false},
		"half of it":          {"GET", headers("Sec-Fetch-Mode", "navigate", "Accept", "text/html"), false},
		"a script's request":  {"GET", headers(append(navigation, "X-Requested-With", "XMLHttpRequest")...), false},
		"htmx":                {"GET", headers(append(navigation, "HX-Request", "true")...), false},
		"a WebSocket":         {"GET", headers(append(navigation, "Sec-WebSocket-Key", "x")...), false},
		"the mode twice":      {"GET", headers(append(navigation, "Sec-Fetch-Mode", "cors")...), false},
		"an API that says so": {"GET", headers("Accept", "application/json"), false},
		"server-sent events":  {"GET", headers("Accept", "text/event-stream"), false},
	} {
		if got := (apps.Target{Method: c.method}).IsPage(c.with); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// TestSiblingsMayNotAct: forms and WebSockets of another app's page are refused by their
// origin, which is of the same site.
func TestSiblingsMayNotAct(t *testing.T) {
	t.Parallel()
	app := apps.App{
		Address: apps.Address{Scheme: "https", Host: "a.example.org"},
		Guard:   apps.Guard{Others: []string{"https://editor.example.org:8443"}},
	}
	portal := apps.Address{Scheme: "https", Host: "portal.example.org"}
	for name, c := range map[string]struct {
		method string
		with   http.Header
		want   bool
	}{
		"a page of a sibling reads":     {"GET", headers("Origin", "https://b.example.org"), true},
		"the app's own form":            {"POST", headers("Origin", "https://a.example.org"), true},
		"the portal's":                  {"POST", headers("Origin", "https://portal.example.org"), true},
		"one of its list":               {"DELETE", headers("Origin", "https://editor.example.org:8443"), true},
		"one of its list, another port": {"DELETE", headers("Origin", "https://editor.example.org"), false},
		"a sibling's form":              {"POST", headers("Origin", "https://b.example.org", "Sec-Fetch-Site", "same-site"), false},
		"a suffix":                      {"POST", headers("Origin", "https://evil-a.example.org"), false},
		"a prefix":                      {"POST", headers("Origin", "https://a.example.org.evil.example"), false},
		"another scheme":                {"POST", headers("Origin", "http://a.example.org"), false},
		"another port":                  {"PUT", headers("Origin", "https://a.example.org:8443"), false},
		"two origins":                   {"POST", headers("Origin", "https://a.example.org", "Origin", "https://b.example.org"), false},
		"no origin, no browser":         {"POST", headers(), true},
		"no origin, a sibling":          {"POST", headers("Sec-Fetch-Site", "same-site"), false},
		"no origin, another site":       {"POST", headers("Sec-Fetch-Site", "cross-site"), false},
		"null, the app's own":           {"POST", headers("Origin", "null", "Sec-Fetch-Site", "same-origin"), true},
		"null, whose is not known":      {"POST", headers("Origin", "null"), false},
		"null, a sibling's":             {"POST", headers("Origin", "null", "Sec-Fetch-Site", "same-site"), false},
		"garbage":                       {"POST", headers("Origin", "a.example.org"), false},
		"the app's own WebSocket":       {"GET", headers("Origin", "https://a.example.org", "Sec-WebSocket-Key", "x"), true},
		"a sibling's WebSocket":         {"GET", headers("Origin", "https://b.example.org", "Sec-WebSocket-Key", "x"), false},
		"an unknown method":             {"PROPFIND", headers("Origin", "https://b.example.org"), false},
	} {
		if got := app.AllowsOrigin(apps.Target{Method: c.method}, c.with, portal); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestWay(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/": "/", "/d/1?a=b": "/d/1?a=b", "/a//b": "/a//b", "/%2f%2fevil.example": "/%2f%2fevil.example",
		"": "/", "d": "/", "//evil.example": "/", `/\evil.example`: "/", `/a\b`: "/", "https://evil.example/": "/",
		"/a\r\nb": "/", "/a b": "/", "/.gatehouse/start": "/", "/" + strings.Repeat("a", 2047): "/" + strings.Repeat("a", 2047),
		"/" + strings.Repeat("a", 2048): "/",
	} {
		if got := apps.Way(path); got != want {
			t.Errorf("%.60q: got %q, want %q", path, got, want)
		}
	}
}

// FuzzTarget: what is read is an origin and a path, whatever was sent, and what is public is plain.
func FuzzTarget(f *testing.F) {
	f.Add("https", "grafana.example.org", "/d/1?a=b", "GET")
	f.Add("http", "[::1]:8080", "/public/../secret", "POST")
	f.Add("https", "a.example.org:443", "//evil.example/%2e%2e", "DELETE")
	app := apps.App{Guard: apps.Guard{Public: []string{"/public/", "/health"}}}
	f.Fuzz(func(t *testing.T, scheme, host, uri, method string) {
		got, err := apps.ParseTarget(fromCaddy(scheme, host, uri, method))
		if err != nil {
			return
		}
		if got.Address.Scheme != scheme || !strings.HasPrefix(got.Path, "/") || got.Path != uri {
			t.Fatalf("read %+v of %q %q %q", got, scheme, host, uri)
		}
		if again, ok := apps.ParseOrigin(got.Address.String()); !ok || again != got.Address {
			t.Fatalf("%q is not its own spelling: %v %v", got.Address, again, ok)
		}
		if app.IsPublicTarget(got) {
			path, _, _ := strings.Cut(got.Path, "?")
			if strings.ContainsAny(path, `%\;#`) || strings.Contains(path, "//") || strings.Contains(path+"/", "/../") ||
				path != "/health" && !strings.HasPrefix(path, "/public/") {
				t.Fatalf("%q is public", got.Path)
			}
		}
		other, err := apps.ParseTarget(fromNginx(scheme+"://"+host+uri, method))
		if err == nil && (other.Address != got.Address || other.Path != got.Path) && !strings.ContainsAny(host, "/?#") {
			t.Fatalf("nginx's %+v is not Caddy's %+v", other, got)
		}
		if way := apps.Way(got.Path); !strings.HasPrefix(way, "/") || strings.HasPrefix(way, "//") || strings.ContainsAny(way, "\\\r\n\t ") {
			t.Fatalf("the way %q", way)
		}
	})
}
