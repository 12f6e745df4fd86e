package handlers_test

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/twofactor"
)

// TestGuardAnApp: the form, what is refused of it, and the snippets with this workspace's names.
func TestGuardAnApp(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	s.add("eve@example.org", twofactor.Administrator)
	b := s.signedInAt("eve@example.org")
	page := "/admin/apps/" + strconv.FormatInt(s.app("grafana").ID, 10)
	seen := func(fields ...string) []string {
		return append(fields, "seen", seenIn(t, b.get(page).body, page+"/guard"))
	}
	b.get(page).wantStatus(200, "auth_request /.gatehouse/check;", "server_name grafana.example.org;", "request_header -Remote*",
		"trustForwardHeader: false", "Check this app now")
	b.post(page+"/guard", "guarded", "yes", "public", "/health").wantStatus(422)
	b.post(page+"/guard", seen("guarded", "yes", "public", "/a/../b", "remote_user", "user-name")...).
		wantStatus(422, "/a/../b", "no spaces, accents, ..")
	b.post(page+"/guard", seen("guarded", "yes", "public", "/", "remote_user", "user-name")...).wantStatus(422, "open the whole app")
	b.post(page+"/guard", seen("guarded", "yes", "others", "not an origin/", "remote_user", "nobody")...).wantStatus(422)
	old := seen("public", "", "remote_user", "user-name")
	b.post(page+"/guard", seen("guarded", "yes", "public", "/health\n/public/", "others", "https://editor.example.org", "remote_user", "e-mail")...).
		wantRedirect(page)
	a := s.app("grafana")
	if strings.Join(a.Guard.Public, " ") != "/health /public/" || strings.Join(a.Guard.Others, " ") != "https://editor.example.org" ||
		a.Guard.RemoteUser != "e-mail" || !a.Guarded {
		t.Errorf("the guard is %+v", a.Guard)
	}
	b.post(page+"/guard", old...).wantStatus(422)
	b.post(page+"/guard", seen("remote_user", "user-name")...).wantRedirect(page)
	b.get(page).wantStatus(200, "Guard this app").wantNot("auth_request")
}

// TestCheckThisAppNow: the page shows what came within the minute, what is wrong with it, and
// neither a cookie nor a query.
func TestCheckThisAppNow(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	s.add("eve@example.org", twofactor.Administrator)
	b := s.signedInAt("eve@example.org")
	page := "/admin/apps/" + strconv.FormatInt(s.app("grafana").ID, 10)
	visitor := s.appBrowser(caddyKind)
	look := func(texts ...string) answer {
		t.Helper()
		s.server.WaitForNotes()
		s.advance(time.Second)
		return b.post(page+"/check", "look", "yes").wantStatus(200, texts...)
	}
	visitor.check("GET", grafanaURL+"/before")
	b.post(page+"/check").wantStatus(200, "For a minute", "Open https://grafana.example.org")
	look().wantNot("/before")
	visitor.address = "203.0.113.9:1"
	visitor.check("GET", grafanaURL+"/")
	look("203.0.113.9, which is not a trusted proxy", "--trusted-proxy 203.0.113.9")
	visitor.address = "192.0.2.7:1"
	visitor.check("GET", "http://grafana.example.org/d?token=s3cr3t", header("Cookie", "secret=s3cr3t"))
	look("The proxy asks about http://grafana.example.org/d, and the app's address is https://grafana.example.org").wantNot("s3cr3t")
	visitor.check("GET", grafanaURL+"/d?token=s3cr3t")
	look("The proxy asks as it should.", "192.0.2.7", "X-Forwarded-Host", "GET https://grafana.example.org/d", "sent to the sign-in").
		wantNot("s3cr3t")
	b.post(page + "/check").wantStatus(200)
	r := httptest.NewRequest("GET", "/.gatehouse/check", nil)
	r.RemoteAddr = "192.0.2.7:1"
	s.server.ServeHTTP(httptest.NewRecorder(), r)
	look("does not say where requests are going")
	s.advance(time.Minute)
	b.post(page+"/check", "look", "yes").wantStatus(200, "does not say where")
	b.post(page + "/check").wantStatus(200)
	s.advance(2 * time.Minute)
	b.post(page+"/check", "look", "yes").wantStatus(200, "The proxy has not asked.")
	visitor.check("GET", grafanaURL+"/late")
	s.server.WaitForNotes()
	b.post(page+"/check", "look", "yes").wantStatus(200, "The proxy has not asked.")
	ada := s.signedInAt("ada@example.org")
	ada.post(page + "/check").wantStatus(403)
}
