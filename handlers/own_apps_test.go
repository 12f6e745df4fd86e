package handlers_test

import (
	"strconv"
	"testing"
	"time"

	"gatehouse/twofactor"
)

// TestOwnApps ends one app on My profile: it is closed at the next request, the other app and
// the portal stay open, and nobody else's session ends.
func TestOwnApps(t *testing.T) {
	t.Parallel()
	eachProxy(t, func(t *testing.T, k kind) {
		s := guarded(t)
		s.add("mia@example.org", twofactor.Member)
		ada, mia := s.appBrowser(k).signIn("ada@example.org"), s.appBrowser(k).signIn("mia@example.org")
		ada.get("/my/profile/apps").wantStatus(200, "You are signed in nowhere else.")
		for _, b := range []*appBrowser{ada, mia} {
			b.open(grafanaURL + "/").wantStatus(200)
			b.open(wikiURL + "/").wantStatus(200)
		}
		phone := s.appBrowser(k).signIn("ada@example.org")
		phone.open(grafanaURL + "/").wantThrough("ada")
		ada.get("/my/profile/apps").wantStatus(200, "Grafana", "Wiki", "This browser, since", "Firefox on Linux, since",
			`href="/enter/grafana"`)
		ada.post("/my/profile/apps/end").wantStatus(422)
		ada.post("/my/profile/apps/end", "app", "999").wantRedirect("/my/profile/apps")
		app := strconv.FormatInt(s.app("grafana").ID, 10)
		ada.post("/my/profile/apps/end", "app", app).wantRedirect("/my/profile/apps")
		ada.get("/my/profile/apps").wantStatus(200, "The app's access has ended.", "Wiki").wantNot("Grafana")
		for _, b := range []*appBrowser{ada, phone} {
			if a := b.check("GET", grafanaURL+"/"); a.status == 200 {
				t.Error("the app is still open")
			}
		}
		ada.check("GET", wikiURL+"/").wantThrough("ada")
		mia.check("GET", grafanaURL+"/").wantThrough("mia")
		ada.open(grafanaURL + "/").wantThrough("ada") // one click opens it again
		mia.post("/my/profile/apps/end", "app", app)
		ada.check("GET", grafanaURL+"/").wantThrough("ada")
	})
}

// TestFileIsNotLostUnseen sends an icon with a form that was opened when the proof was fresh: the
// panel keeps no file, so the form comes back and says so, and nothing has changed.
func TestFileIsNotLostUnseen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	ada := s.signedIn("ada@example.org")
	id := s.addApp("Grafana", "grafana.example.org", everyone)
	edit := appPath(id, "/edit")
	seen := ada.get(appPath(id, "")).wantNot("please confirm it's you first").seenOf(edit)
	s.advance(16 * time.Minute)
	ada.get(appPath(id, "")).wantStatus(200, "please confirm it's you first").wantNot(`type="file"`)
	icon := []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)
	fields := []string{"name", "Graphs", "address", "grafana.example.org", "mark", "G", "seen", seen}
	ada.upload(edit, "icon", icon, fields...).wantStatus(200, `type="password"`, `value="Graphs"`)
	ada.post(edit, append(fields, "icon_lost", "yes", "password", "violet kettle harbour")...).
		wantStatus(422, "Choose the icon again.", `value="Graphs"`)
	if a := s.appByID(id); a.Name != "Grafana" || a.Icon != "" {
		t.Errorf("half of it was changed: %+v", a)
	}
	ada.upload(edit, "icon", icon, fields...).wantRedirect(appPath(id, ""))
	if a := s.appByID(id); a.Name != "Graphs" || a.Icon == "" {
		t.Errorf("it was not changed: %+v", a)
	}
}
