package handlers_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/handlers"
	"gatehouse/twofactor"
)

// allowedKinds says, for each address, which kinds of visitors get an answer of its
// own: a(nonymous), c(hallenge), o(bliged by the policy), m(ember), A(dmin).
// Everybody else is sent away. A route without a row here fails the test.
var allowedKinds = map[string]string{
	"GET /{$}":           "acomA",
	"GET /healthz":       "acomA",
	"GET /static/{file}": "acomA",
	"GET /favicon.ico":   "acomA",

	"GET /.well-known/change-password": "acomA",
	"GET /.well-known/webauthn":        "acomA",

	"GET /setup/{token}":  "acomA",
	"POST /setup/{token}": "acomA",

	"GET /welcome/{token}":  "acomA",
	"POST /welcome/{token}": "acomA",

	"GET /signin/forgot":               "acomA",
	"POST /signin/forgot":              "acomA",
	"GET /not-me/{token}":              "acomA",
	"POST /not-me/{token}":             "acomA",
	"GET /signin":                      "acomA",
	"POST /signin":                     "acomA",
	"GET /signin/two-factor":           "c",
	"POST /signin/two-factor":          "c",
	"POST /signin/two-factor/recovery": "c",
	"POST /signin/two-factor/cancel":   "c",
	"POST /signin/two-factor/passkey":  "c",
	"POST /signin/passkey":             "acomA",
	"POST /signin/passkey/begin":       "acomA",
	"GET /signout":                     "omA",
	"POST /signout":                    "omA",
	"GET /enter/{app}":                 "mA",
	"GET /enter/{app}/signout":         "omA",
	"POST /enter/{app}/signout":        "omA",
	"GET /signin/again":                "omA",
	"POST /signin/again":               "omA",
	"POST /signin/again/passkey":       "omA",
	"GET /help/two-factor":             "acomA",

	"GET /.well-known/openid-configuration": "acomA",
	"GET /oauth/keys":                       "acomA",
	"GET /oauth/authorize":                  "acomA",
	"POST /oauth/authorize":                 "acomA",
	"POST /oauth/consent":                   "mA",
	"POST /oauth/token":                     "acomA",
	"GET /oauth/userinfo":                   "acomA",
	"POST /oauth/userinfo":                  "acomA",
	"POST /oauth/revoke":                    "acomA",
	"GET /oauth/signout":                    "acomA",
	"POST /oauth/signout":                   "acomA",
	"POST /oauth/signout/confirm":           "omA",

	"GET /my":                       "mA",
	"GET /my/profile":               "mA",
	"POST /my/profile/password":     "mA",
	"POST /my/profile/sessions/end": "mA",
	"POST /my/profile/browsers/end": "mA",

	"GET /my/profile/notifications":  "mA",
	"POST /my/profile/notifications": "mA",
	"POST /my/policy/later":          "mA",

	"POST /my/profile/two-factor/turn-on": "mA",

	"POST /admin/settings/security/remind": "A",
	"GET /admin/settings/mail":             "A",
	"POST /admin/settings/mail/test":       "A",

	"GET /my/profile/two-factor":                 "omA",
	"POST /my/profile/two-factor/enable":         "omA",
	"POST /my/profile/two-factor/confirm":        "omA",
	"POST /my/profile/two-factor/replace":        "mA",
	"POST /my/profile/two-factor/replace/cancel": "mA",
	"POST /my/profile/two-factor/check":          "mA",
	"POST /my/profile/two-factor/regenerate":     "mA",
	"POST /my/profile/two-factor/disable":        "mA",

	"POST /my/profile/two-factor/app/remove":               "mA",
	"POST /my/profile/two-factor/passkeys/begin":           "omA",
	"POST /my/profile/two-factor/passkeys/add":             "omA",
	"POST /my/profile/two-factor/passkeys/{handle}/rename": "omA",
	"POST /my/profile/two-factor/passkeys/{handle}/remove": "omA",

	"GET /admin/people":                        "A",
	"POST /admin/people/invite":                "A",
	"GET /admin/people.csv":                    "A",
	"GET /admin/people/{id}":                   "A",
	"POST /admin/people/{id}/edit":             "A",
	"POST /admin/people/{id}/deactivate":       "A",
	"POST /admin/people/{id}/reactivate":       "A",
	"POST /admin/people/{id}/sessions/end":     "A",
	"POST /admin/people/{id}/link":             "A",
	"POST /admin/people/{id}/two-factor/reset": "A",
	"POST /admin/people/{id}/unlock":           "A",
	"POST /admin/people/{id}/remove":           "A",

	"GET /apps/{id}/icon":       "mA",
	"GET /my/profile/apps":      "mA",
	"POST /my/profile/apps/end": "mA",

	"GET /admin/apps":                        "A",
	"GET /admin/apps/new":                    "A",
	"POST /admin/apps/add":                   "A",
	"GET /admin/apps/{id}":                   "A",
	"GET /admin/apps/{id}/why":               "A",
	"POST /admin/apps/{id}/edit":             "A",
	"POST /admin/apps/{id}/access":           "A",
	"POST /admin/apps/{id}/connect":          "A",
	"POST /admin/apps/{id}/connect/redirect": "A",
	"POST /admin/apps/{id}/secret":           "A",
	"POST /admin/apps/{id}/guard":            "A",
	"POST /admin/apps/{id}/check":            "A",
	"POST /admin/apps/{id}/pause":            "A",
	"POST /admin/apps/{id}/resume":           "A",
	"POST /admin/apps/{id}/remove":           "A",

	"GET /admin/groups":               "A",
	"POST /admin/groups/add":          "A",
	"GET /admin/groups/{id}":          "A",
	"POST /admin/groups/{id}/rename":  "A",
	"POST /admin/groups/{id}/members": "A",
	"POST /admin/groups/{id}/remove":  "A",

	"GET /admin/activity":     "A",
	"GET /admin/activity.csv": "A",

	"POST /admin/notices/{id}/dismiss": "A",
	"POST /admin/notices/dismiss":      "A",

	"GET /admin/settings/not-enrolled":     "A",
	"GET /admin/settings/not-enrolled.csv": "A",

	"GET /admin/settings/security":  "A",
	"POST /admin/settings/security": "A",
	"GET /admin":                    "A",
	"GET /admin/settings/sessions":  "A",
	"POST /admin/settings/sessions": "A",
	"GET /admin/settings/general":   "A",
	"POST /admin/settings/general":  "A",
}

// TestRoutes walks every route as every kind of visitor, with and without htmx.
func TestRoutes(t *testing.T) {
	t.Parallel()
	visitors := map[rune]func() *browser{}
	for _, kind := range "acomA" {
		visitors[kind] = browsersOfKind(t, kind)
	}
	for _, route := range handlers.Routes() {
		who, known := allowedKinds[route]
		if !known {
			t.Errorf("%s has no row in reach: decide who may come", route)
			continue
		}
		for _, kind := range "acomA" {
			for _, htmx := range []bool{false, true} {
				name := route + " as " + string(kind)
				if htmx {
					name += " with htmx"
				}
				t.Run(name, func(t *testing.T) {
					b := visitors[kind]()
					b.htmx = htmx
					a := sendEmpty(b, route)
					sentAway := isTurnedAway(a, kind)
					if reached := !sentAway; reached != strings.ContainsRune(who, kind) {
						t.Errorf("reached %v, want %v: status %d, Location %q, HX-Redirect %q", reached, !reached,
							a.status, a.header.Get("Location"), a.header.Get("HX-Redirect"))
					}
					if a.status >= 500 {
						t.Errorf("status %d\n%s", a.status, a.body)
					}
					for _, header := range []string{"Content-Security-Policy", "X-Content-Type-Options",
						"Referrer-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy",
						"Permissions-Policy", "Cache-Control", "Vary"} {
						if a.header.Get(header) == "" {
							t.Errorf("no %s", header)
						}
					}
				})
			}
		}
	}
	if len(allowedKinds) != len(handlers.Routes()) {
		t.Errorf("%d rows in reach for %d routes", len(allowedKinds), len(handlers.Routes()))
	}
}

// browsersOfKind makes browsers of one kind, all on a site of that kind's own.
func browsersOfKind(t *testing.T, kind rune) func() *browser {
	t.Helper()
	s := newSite(t)
	role := map[rune]twofactor.Role{'a': twofactor.Member, 'c': twofactor.Member, 'o': twofactor.Administrator,
		'm': twofactor.Member, 'A': twofactor.Administrator}[kind]
	s.add("ada@example.org", role)
	if kind == 'c' {
		s.enrolled("ada@example.org")
	}
	if kind == 'o' {
		if err := s.store.SetPolicy(ctx, twofactor.Policy{Admins: true}, machine.Author(), s.now); err != nil {
			t.Fatal(err)
		}
	}
	return func() *browser {
		s.advance(15 * time.Second) // as often as one address may sign in for ever
		switch kind {
		case 'a':
			return s.browser()
		case 'c':
			return s.challenged("ada@example.org")
		}
		return s.signedIn("ada@example.org")
	}
}

// sendEmpty sends an empty request to a route.
func sendEmpty(b *browser, route string) answer {
	method, path, _ := strings.Cut(route, " ")
	path = strings.NewReplacer("{$}", "", "{token}", "x", "{file}", "x", "{id}", "1", "{handle}", "x").Replace(path)
	if method == "POST" {
		return b.post(path)
	}
	return b.send(httptest.NewRequest(method, path, nil))
}

// isTurnedAway reports whether the request was answered in place of the route.
func isTurnedAway(a answer, kind rune) bool {
	to := a.header.Get("Location") + a.header.Get("HX-Redirect")
	return a.status == 403 || strings.HasPrefix(to, "/signin?next=") ||
		kind == 'o' && strings.HasPrefix(to, "/my/profile/two-factor") ||
		to == "/signin" && len(a.header.Values("Set-Cookie")) == 0 // signing out and cancelling take a cookie away
}

// TestGetOnActions goes to the action's page.
func TestGetOnActions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for path, page := range map[string]string{
		"/my/profile/two-factor/confirm":    "/my/profile/two-factor",
		"/my/profile/two-factor/enable":     "/my/profile/two-factor",
		"/my/profile/two-factor/regenerate": "/my/profile/two-factor",
		"/my/profile/two-factor/disable":    "/my/profile/two-factor",
		"/my/profile/password":              "/my/profile",
		"/my/profile/sessions/end":          "/my/profile",
		"/signin/two-factor/recovery":       "/signin/two-factor",
		"/signin/two-factor/cancel":         "/signin/two-factor",
		"/signout":                          "/signin", // a page of its own: nobody is signed in
		"/admin/people/invite":              "/admin/people",
		"/admin/people/7/edit":              "/admin/people/7",
		"/admin/people/7/two-factor/reset":  "/admin/people/7",
		"/admin/people/%2F%2Fevil/edit":     "/admin/people/%2F%2Fevil",
		"/admin/notices/7/dismiss":          "/my",
	} {
		s.browser().get(path).wantRedirect(page)
	}
}

// TestPathSpellings tries to come to a page by another spelling of it.
func TestPathSpellings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b := s.signedIn("ada@example.org")
	for _, path := range []string{"/%61dmin/settings/security", "/admin/./settings/security",
		"/admin//settings/security", "/my/../admin/settings/security", "/ADMIN/settings/security",
		"/admin/settings/security/"} {
		a := b.get(path)
		if a.status == 200 {
			t.Errorf("%s was opened", path)
		}
	}
	for _, method := range []string{"TRACE", "PUT", "DELETE", "OPTIONS", "PATCH"} {
		r := httptest.NewRequest(method, "/my/profile", nil)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if a := b.send(r); a.status != 404 && a.status != 405 {
			t.Errorf("%s: status %d", method, a.status)
		}
	}
}

func TestCrossSiteRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b := s.signedIn("ada@example.org")
	for name, header := range map[string][2]string{
		"a form of another site": {"Sec-Fetch-Site", "cross-site"},
		"a form of another port": {"Sec-Fetch-Site", "same-site"},
		"another origin":         {"Origin", "https://evil.example"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/signout", nil)
			r.Header.Set(header[0], header[1])
			b.send(r).wantStatus(403)
			b.get("/my").wantStatus(200)
		})
	}
}
