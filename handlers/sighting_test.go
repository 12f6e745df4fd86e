package handlers_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/handlers"
	"gatehouse/twofactor"
)

// TestDoctorIsAnswered asks /healthz as gatehouse doctor does, and as those who would like to:
// only who has the workspace's key learns more than ok.
func TestDoctorIsAnswered(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) {
		c.BaseURL = &url.URL{Scheme: "https", Host: "portal.example.org"}
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	ask := func(path, question string) (*http.Response, string) {
		r := httptest.NewRequest(http.MethodGet, "http://portal.example.org"+path, nil)
		r.RemoteAddr = "192.0.2.9:4711"
		r.Header.Set(handlers.DoctorHeader, question)
		r.Header.Set("X-Forwarded-For", "203.0.113.5")
		r.Header.Set("X-Forwarded-Proto", "https")
		w := httptest.NewRecorder()
		s.server.ServeHTTP(w, r)
		body, _ := io.ReadAll(w.Result().Body)
		return w.Result(), string(body)
	}
	question, proof := handlers.NewQuestion(s.store, s.now)
	_, body := ask("/healthz", question)
	var seen handlers.Sighting
	if err := json.Unmarshal([]byte(body), &seen); err != nil {
		t.Fatal(err, body)
	}
	if seen.Proof != proof || !seen.Well || !seen.HostAccepted || seen.Scheme != "https" || seen.Peer != "192.0.2.9" || !seen.Trusted ||
		seen.Client != "203.0.113.5" || seen.BaseURL != "https://portal.example.org" || len(seen.TrustedProxies) != 1 {
		t.Errorf("got %+v", seen)
	}
	old, _ := handlers.NewQuestion(s.store, s.now.Add(-2*time.Minute))
	other, _ := handlers.NewQuestion(newSite(t).store, s.now)
	for name, c := range map[string]struct{ path, question string }{
		"no question":              {"/healthz", ""},
		"an old one":               {"/healthz", old},
		"one of another workspace": {"/healthz", other},
		"a later one, forged":      {"/healthz", "9" + question[1:]},
		"one that was cut":         {"/healthz", question[:len(question)-1]},
		"no MAC":                   {"/healthz", question[:strings.LastIndexByte(question, '.')]},
		"another page":             {"/signin", question},
	} {
		r, body := ask(c.path, c.question)
		if c.path == "/healthz" && (r.StatusCode != http.StatusOK || body != "ok\n") || strings.Contains(body, "192.0.2") {
			t.Errorf("%s: %d %q", name, r.StatusCode, body)
		}
	}
}

// TestNewBaseURLInSettings serves a workspace at another address: Settings tell what that breaks, and
// nothing at an address that stays.
func TestNewBaseURLInSettings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.SuperAdmin)
	s.add("bob@example.org", twofactor.Member)
	ada := s.signedInAt("ada@example.org")
	if err := s.store.SetBaseURL(ctx, "https://old.example.org", s.now); err != nil {
		t.Fatal(err)
	}
	bob, err := s.store.PersonByEmail(ctx, "bob@example.org")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.NewLink(ctx, bob.ID, machine.Author(), s.now); err != nil {
		t.Fatal(err)
	}
	if page := ada.get("/admin/settings/general"); page.status != http.StatusOK || strings.Contains(page.body, "old.example.org") {
		t.Errorf("before: %d %s", page.status, page.body)
	}
	s.now = s.now.Add(time.Minute)
	if err := s.store.SetBaseURL(ctx, "https://new.example.org", s.now); err != nil {
		t.Fatal(err)
	}
	if page := ada.get("/admin/settings/general"); !strings.Contains(page.body, "The workspace was at https://old.example.org before. "+
		"Since then 1 link leads to the old address.") {
		t.Errorf("after: %d %s", page.status, page.body)
	}
}
