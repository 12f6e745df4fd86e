package handlers_test

import (
	"net/http"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/handlers"
	"gatehouse/twofactor"
)

// TestSessionLengths lets an administrator choose how long people stay signed in: it counts
// at the next request, for the sessions that there are, and the cookie outlives the browser
// where that is more than a day.
func TestSessionLengths(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("eve@example.org", twofactor.SuperAdmin)
	s.add("ada@example.org", twofactor.Member)
	eve, ada := s.signedIn("eve@example.org"), s.signedIn("ada@example.org")
	const page = "/admin/settings/sessions"

	eve.get(page).wantStatus(200, `value="60" selected`, `value="1440" selected`, "1 hour (recommended)")
	ada.get(page).wantStatus(403)
	eve.save(page, "session_idle", "10080", "session_max", "43200").wantStatus(200, "The times are saved.", `value="10080" selected`)
	s.advance(6 * 24 * time.Hour)
	ada.get("/my").wantStatus(200)
	if age := s.cookieAge("ada@example.org"); age != 30*24*60*60 {
		t.Errorf("the cookie lasts for %d s", age)
	}

	// Now a shorter time: who is over it signs in again.
	eve = s.signedIn("eve@example.org")
	s.advance(6 * time.Minute)
	eve.save(page, "session_idle", "5", "session_max", "60").wantStatus(200)
	ada.get("/my").wantRedirect("/signin")
	if age := s.cookieAge("ada@example.org"); age != 0 {
		t.Errorf("the cookie of a short session lasts for %d s", age)
	}
	if n := s.events(account.SessionLengthsChanged); n != 2 {
		t.Errorf("%d rows tell of two changes", n)
	}
	eve = s.signedIn("eve@example.org")
	eve.get("/admin/activity").wantStatus(200, "Length of sessions changed (5 minutes without use, 1 hour at most)")
}

// cookieAge is the Max-Age of the cookie that a sign-in gives; 0 for one that ends with the
// browser.
func (s *site) cookieAge(email string) int {
	s.t.Helper()
	a := s.browser().post("/signin", "email", email, "password", dbtest.Password).wantRedirect("/my")
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == "gatehouse" {
			return c.MaxAge
		}
	}
	s.t.Fatal("no cookie")
	return 0
}

// TestSessionLengthsAreRefused keeps what was chosen, and changes nothing.
func TestSessionLengthsAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("eve@example.org", twofactor.SuperAdmin)
	eve := s.signedIn("eve@example.org")
	const page = "/admin/settings/sessions"
	for name, c := range map[string]struct {
		idle, most string
		words      []string
	}{
		"idle for longer than the whole": {"1440", "480", []string{"longer than the whole session", `value="1440" selected`, `value="480" selected`}},
		"a minute":                       {"1", "1440", []string{"Choose a time from 5 minutes to 90 days."}},
		"a year":                         {"60", "525600", []string{"Choose a time from 5 minutes to 90 days."}},
		"nothing":                        {"", "", []string{"Choose a time from 5 minutes to 90 days."}},
	} {
		if a := eve.save(page, "session_idle", c.idle, "session_max", c.most); a.status != 422 {
			t.Errorf("%s: %d", name, a.status)
		} else {
			a.wantStatus(422, c.words...)
		}
	}
	// Of two admins with one form the second is told what the first has done.
	seen := eve.get(page).seen()
	eve.post(page, "session_idle", "30", "session_max", "1440", "seen", seen).wantStatus(200)
	eve.post(page, "session_idle", "480", "session_max", "1440", "seen", seen).
		wantStatus(422, "Length of sessions changed (30 minutes without use, 1 day at most)", `value="30" selected`)
	eve.get(page).wantStatus(200, `value="30" selected`)
}

// TestFixedSessionLengths shows what the server was started with, and lets nobody change it.
func TestFixedSessionLengths(t *testing.T) {
	t.Parallel()
	o := dbtest.Options(t, t.TempDir())
	o.Times.SessionIdle = 8 * time.Hour
	store, err := db.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	s := newSite(t, func(c *handlers.Config) { c.Store = store })
	s.store = store
	s.add("eve@example.org", twofactor.SuperAdmin)
	eve := s.signedIn("eve@example.org")
	const page = "/admin/settings/sessions"
	eve.get(page).wantStatus(200, "8 hours, as --session-idle says on the machine").wantNot(`<select class="input" id="session_idle"`)
	eve.save(page, "session_idle", "15", "session_max", "1440").wantStatus(200)
	s.advance(7 * time.Hour)
	eve.get("/my").wantStatus(200)
	s.advance(8 * time.Hour)
	eve.get("/my").wantRedirect("/signin")
}
