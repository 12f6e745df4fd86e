package handlers_test

import (
	"regexp"
	"strings"
	"testing"

	"gatehouse/twofactor"
)

var browserHandle = regexp.MustCompile(`name="browser" value="([^"]+)"`)

// TestKnownBrowsers signs in with two browsers, sees both, and forgets one.
func TestKnownBrowsers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	s.add("bob@example.org", twofactor.Member)
	one, other := s.signedIn("ada@example.org"), s.signedIn("ada@example.org")
	page := one.get("/my/profile").wantStatus(200, "Known browsers", "Firefox on Linux", "This browser")
	handles := browserHandle.FindAllStringSubmatch(page.body, -1)
	if len(handles) != 2 {
		t.Fatalf("%d browsers, want 2:\n%s", len(handles), page.body)
	}
	for name, token := range one.cookies {
		if strings.Contains(page.body, token) && name != "" {
			t.Errorf("the page holds the cookie %s", name)
		}
	}
	bob := s.signedIn("bob@example.org")
	bob.post("/my/profile/browsers/end", "browser", handles[0][1]).wantRedirect("/my/profile") // not his: nothing happens
	if n := len(browserHandle.FindAllString(one.get("/my/profile").body, -1)); n != 2 {
		t.Fatalf("%d browsers after somebody else's post, want 2", n)
	}
	one.post("/my/profile/browsers/end", "browser", handles[0][1]).wantRedirect("/my/profile")
	if n := len(browserHandle.FindAllString(one.get("/my/profile").wantStatus(200, "The browser has been forgotten.").body, -1)); n != 1 {
		t.Fatalf("%d browsers, want 1", n)
	}
	other.get("/my").wantStatus(200) // its session has not ended
	one.post("/my/profile/browsers/end").wantStatus(422)
}

// TestEndingSessionsForgetsBrowsers ends all others on My profile, and all on a person's
// page.
func TestEndingSessionsForgetsBrowsers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("root@example.org", twofactor.SuperAdmin)
	s.add("ada@example.org", twofactor.Member)
	root := s.signedIn("root@example.org")
	one := s.signedIn("ada@example.org")
	s.signedIn("ada@example.org")
	root.get("/admin/people/2").wantStatus(200, "2 browsers")
	one.post("/my/profile/sessions/end", "others", "all").wantRedirect("/my/profile")
	root.get("/admin/people/2").wantStatus(200, "1 browser")
	root.post("/admin/people/2/sessions/end").wantRedirect("/admin/people/2")
	root.get("/admin/people/2").wantStatus(200, "0 browsers")
}

// TestChangePasswordAddress is where password managers look for the page.
func TestChangePasswordAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	s.browser().get("/.well-known/change-password").wantRedirect("/my/profile")
	s.signedIn("ada@example.org").get("/.well-known/change-password").wantRedirect("/my/profile")
	s.browser().get("/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200").wantStatus(404)
}
