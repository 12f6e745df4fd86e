package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
)

// TestPagesOfConnectedApps looks at every page that connected apps have brought, as TestPages looks at the others: an
// admin connects an app, somebody signs in at it, and both meet what can go wrong.
func TestPagesOfConnectedApps(t *testing.T) {
	s := startSiteAtItsAddress(t)
	s.addPerson(sue, "super-administrator")
	g := &gallery{
		t:      t,
		site:   s,
		axe:    readTool(t, "node_modules/axe-core/axe.min.js"),
		folder: os.Getenv("GATEHOUSE_SCREENS"),
		html:   t.TempDir(),
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(`<!doctype html><title>Photos</title><link rel="icon" href="data:,"><p>Arrived at the photos.`))
	}))
	t.Cleanup(app.Close)
	at := "http://localhost:" + app.URL[strings.LastIndex(app.URL, ":")+1:]
	w := &walkthrough{t: t, site: s, script: true, ledger: newLedger()}
	b := w.open()
	b.traffic.allow(strings.TrimPrefix(at, "http://"))
	w.signIn(b, sue)
	id := g.connectsAnApp(b, at)

	request := func(changes ...string) string {
		v := url.Values{
			"client_id": {id}, "redirect_uri": {at + "/auth/login"}, "response_type": {"code"}, "code_challenge_method": {"S256"},
			"scope": {"openid profile email groups offline_access"}, "code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
		}
		for i := 0; i+1 < len(changes); i += 2 {
			v.Set(changes[i], changes[i+1])
		}
		return "/oauth/authorize?" + v.Encode()
	}
	b.Visit(request())
	g.look(b, "consent")
	b.Click("Continue", "form")
	b.WaitFor("Arrived at the photos.")
	b.settle("arrive at the app", 0)
	b.Visit("/my/profile/apps")
	g.look(b, "own-connected-apps")
	refused := func(path string) {
		t.Helper()
		b.traffic.expectFault("the server responded with a status of 400")
		b.Visit(path)
	}
	refused(request("redirect_uri", at+"/a/path/that/somebody/has/configured/in/another/way/callback?tenant=harbour-studio"))
	b.Sees("Add it")
	g.look(b, "redirect-refused")
	refused(request("redirect_uri", "javascript:alert(1)"))
	b.DoesNotSee("Add it")
	refused(request("client_id", "nobody"))
	b.Sees("This app is not connected")
	refused("/oauth/signout?post_logout_redirect_uri=https%3A%2F%2Fevil.example")
	b.Sees("The app's sign-out cannot be followed")
	s.run("", "app", "pause", "Photos of the whole family")
	b.Visit(request())
	b.Sees("paused")
	b.Visit("/oauth/signout?client_id=" + id)
	g.look(b, "app-signout")
	b.Click("Sign out", "form")
	b.Sees("You are signed out.")
	g.validate()
}

// connectsAnApp adds an app of a template, connects it, and returns its client id.
func (g *gallery) connectsAnApp(b *tab, at string) string {
	g.t.Helper()
	b.Visit("/admin/apps/new")
	b.Fill("name", "Photos of the whole family", "main")
	b.Fill("address", at, "main")
	b.Tick("everyone", true)
	evaluate[any](b, `() => document.querySelector("[name=template]").value = "immich"`)
	b.Click("Add the app", "form")
	b.WaitFor("The app is added.", success)
	g.look(b, "connect-form")
	b.Reload() // what was said once does not stand beside what comes next
	b.Fill("redirect", at+"/#fragment", "#app-connect")
	b.Fill("backchannel", "https://elsewhere.example.org/", "#app-connect")
	b.Tick("ours", false)
	b.Click("Connect", "#app-connect form")
	b.WaitFor("Enter whole addresses", refusal)
	g.look(b, "connect-refused")
	b.Fill("redirect", at+"/auth/login", "#app-connect")
	b.Fill("backchannel", at+"/backchannel", "#app-connect")
	b.Click("Connect", "#app-connect form")
	b.WaitFor("Copy the secret now", "#app-connect")
	g.look(b, "connect-secret")
	b.Reload()
	b.DoesNotSee("Copy the secret now")
	_, after, _ := strings.Cut(b.Texts("#app-connect")[0], "Client ID: ")
	return after[:16]
}
