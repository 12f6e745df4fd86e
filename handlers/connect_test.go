package handlers_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"gatehouse/twofactor"
)

// seenIn reads what the form that posts to an address shows.
func seenIn(t *testing.T, page, action string) string {
	t.Helper()
	_, form, found := strings.Cut(page, `action="`+action+`"`)
	form, _, _ = strings.Cut(form, "</form>")
	m := regexp.MustCompile(`name="seen" value="([^"]*)"`).FindStringSubmatch(form)
	if !found || m == nil {
		t.Fatalf("no form for %s in\n%s", action, page)
	}
	return m[1]
}

// TestConnectAnApp: an admin adds an app by its template, copies what is shown once, and adds
// an address that was refused.
func TestConnectAnApp(t *testing.T) {
	t.Parallel()
	s := openIDSite(t)
	s.add("eve@example.org", twofactor.Administrator)
	s.add("ada@example.org", twofactor.Member)
	b := s.signedIn("eve@example.org")
	to := b.post("/admin/apps/add", "name", "Immich", "address", "https://photos.example.org", "template", "immich",
		"everyone", "yes").header.Get("Location")
	page, _, _ := strings.Cut(to, "?")
	b.get(strings.TrimSuffix(to, "#app-connect")).wantStatus(200,
		"https://photos.example.org/auth/login\nhttps://photos.example.org/user-settings\napp.immich:///oauth-callback", "Connect this app")
	fields := []string{"connected", "yes", "kind", "web", "algorithm", "ES256", "pkce", "yes", "ours", "yes"}
	seen := func() []string { return append(fields, "seen", seenIn(t, b.get(page).body, page+"/connect")) }
	b.post(page+"/connect", append(seen(), "redirect", "https://photos.example.org/#x", "backchannel", "https://other.example/")...).
		wantStatus(422, "https://photos.example.org/#x", "https://other.example/", "Enter whole addresses", "the app's own host name")
	b.post(page+"/connect", fields...).wantStatus(422)
	a := b.post(page+"/connect", append(seen(), "redirect", "https://photos.example.org/auth/login\napp.immich:///oauth-callback")...).
		wantStatus(200, "Copy the secret now", "Administration → Settings")
	m := regexp.MustCompile(`id="client-secret"[^>]*>([A-Za-z0-9_-]{43})<`).FindStringSubmatch(a.body)
	id := regexp.MustCompile(`Client ID: <code translate="no">([a-z0-9]{16})<`).FindStringSubmatch(a.body)
	if m == nil || id == nil {
		t.Fatal("no id or secret on the page")
	}
	b.get(page).wantStatus(200, "Connected", id[1]).wantNot(m[1])
	again := b.post(page+"/secret").wantStatus(200, "The app has a new secret", "Copy the secret now").wantNot(m[1])
	_ = again
	if _, err := s.store.MakeSigningKeys(ctx, s.now); err != nil {
		t.Fatal(err)
	}
	app := &client{site: s, id: id[1], secret: m[1], redirect: "https://photos.example.org/auth/login"}
	ada := s.signedIn("ada@example.org")
	app.exchange(app.code(ada)) // with the secret before the newest
	wanted := "https://photos.example.org/user-settings"
	request := app.request("redirect_uri=" + wanted)
	ada.get(request).wantStatus(400, "Tell your administrator").wantNot("Add it")
	b.get(request).wantStatus(400, "Add it", wanted)
	ada.post(page+"/connect/redirect", "redirect", wanted).wantStatus(403)
	b.post(page+"/connect/redirect", "redirect", wanted).wantRedirect(page)
	app.redirect = wanted
	app.code(ada)
	b.post(page+"/connect/redirect", "redirect", "http://evil.example/").wantStatus(303) // the portal itself is plain here
	b.post(page+"/connect/redirect", "redirect", "javascript:alert(1)").wantStatus(422, "Enter whole addresses")
	ada.get(app.request("redirect_uri=javascript:alert(1)")).wantStatus(400)
	b.get(app.request("redirect_uri=javascript:alert(1)")).wantStatus(400, "cannot be added").wantNot("Add it")

	bare := newSite(t)
	bare.add("eve@example.org", twofactor.Administrator)
	c := bare.signedIn("eve@example.org")
	to = c.post("/admin/apps/add", "name", "X", "address", "https://x.example.org", "template", "").header.Get("Location")
	c.get(fmt.Sprint(to)).wantStatus(200, "--base-url")
}
