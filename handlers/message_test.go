package handlers_test

import (
	"testing"
	"time"

	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestMessagesAreShownOnce does what ends with a message on the next page: it stands there
// once, and no address makes a page say it.
func TestMessagesAreShownOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	s.add("mia@example.org", twofactor.Member)
	for name, act := range map[string]struct {
		post   string
		fields []string
		page   string
		says   string
		asked  string // what an address must not make the page say
	}{
		"a password": {"/my/profile/password",
			[]string{"current_password", dbtest.Password, "new_password", dbtest.Password + "!"}, "/my/profile",
			"Your password is changed.", "?done=password"},
		"a session": {"/my/profile/sessions/end", []string{"session", "of nobody"}, "/my/profile",
			"The session has ended.", "?done=session"},
		"the others": {"/my/profile/sessions/end", []string{"others", "all"}, "/my/profile",
			"All your other sessions have ended.", "?done=sessions"},
		"an unlocked": {"/admin/people/2/unlock", nil, "/admin/people/2", "The account is unlocked.",
			"?done=unlock"},
		"sessions of Mia's": {"/admin/people/2/sessions/end", nil, "/admin/people/2", "All sessions have ended.",
			"?done=sessions%2Fend"},
		"Mia's name": {"/admin/people/2/edit", []string{"name", "Mia", "email", "mia@example.org", "role", "member"},
			"/admin/people/2", "The changes are saved.", "?done=edit"},
		"the sign-out": {"/signout", nil, "/signin", "You are signed out.", "?ended=signout"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "a password" {
				return // the last one, below
			}
			b := s.signedIn("ada@example.org")
			if act.page != "/signin" {
				b.get(act.page + act.asked).wantStatus(200).wantNot(act.says)
			} else {
				s.browser().get(act.page + act.asked).wantStatus(200).wantNot(act.says)
			}
			b.post(act.post, act.fields...).wantRedirect(act.page)
			b.htmx = true
			b.get(act.page).wantStatus(200).wantNot(act.says) // a fragment is no page
			b.htmx = false
			b.get(act.page).wantStatus(200, act.says)
			b.get(act.page).wantStatus(200).wantNot(act.says)
		})
	}
	b := s.signedIn("ada@example.org")
	b.post("/my/profile/password", "current_password", dbtest.Password, "new_password", newPassword).wantRedirect("/my/profile")
	b.get("/my").wantStatus(200, "Your password is changed.")
	b.get("/my/profile").wantStatus(200).wantNot("Your password is changed.")
}

// TestMessagesAreShownToOnePersonOnly moves a message to where it does not belong.
func TestMessagesAreShownToOnePersonOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	s.add("mia@example.org", twofactor.Member)
	const says = "All your other sessions have ended."
	left := func() (*browser, string) {
		b := s.signedIn("ada@example.org")
		b.post("/my/profile/sessions/end", "others", "all").wantRedirect("/my/profile")
		return b, b.cookies["gatehouse-message"]
	}
	b, cookie := left()
	mia := s.signedIn("mia@example.org")
	mia.cookies["gatehouse-message"] = cookie
	mia.get("/my/profile").wantStatus(200).wantNot(says)
	nobody := s.browser()
	nobody.cookies["gatehouse-message"] = cookie
	nobody.get("/signin").wantStatus(200).wantNot(says)
	for _, changed := range []string{"", "x", "...", "." + cookie, "sessions.0.zzzzzz." + cookie[len(cookie)-22:],
		"password" + cookie[len("sessions"):]} {
		b.cookies["gatehouse-message"] = changed
		b.get("/my/profile").wantStatus(200).wantNot(says, "Your password is changed.")
	}
	s.advance(time.Minute)
	b.cookies["gatehouse-message"] = cookie
	b.get("/my/profile").wantStatus(200).wantNot(says)
	b, _ = left()
	b.get("/my/profile").wantStatus(200, says)
}

// TestLinkInSomebodyElsesSession accepts a link in a browser in which somebody else is
// signed in: they stay so, and the page says both.
func TestLinkInSomebodyElsesSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	id := s.add("mia@example.org", twofactor.Member)
	s.add("emil@example.org", twofactor.Member)
	ada, emil := s.signedIn("ada@example.org"), s.signedIn("emil@example.org")
	link := ada.postAndFollow(personPath(id, "/link")).wantStatus(200).link()
	emil.post(link, "password", newPassword).wantRedirect("/my")
	emil.get("/my").wantStatus(200, "The password of mia@example.org is set.",
		"You are still signed in as Person of emil@example.org.", "sign out first")
	emil.get("/my").wantStatus(200).wantNot("is set.")
	emil.get("/my/profile").wantStatus(200, "emil@example.org")

	mia := s.browser()
	mia.post("/signin", "email", "mia@example.org", "password", newPassword).wantRedirect("/my")
	link = ada.postAndFollow(personPath(id, "/link")).wantStatus(200).link()
	mia.post(link, "password", dbtest.Password).wantRedirect("/signin") // her own session has ended with the old password
	mia.get("/signin").wantStatus(200, "Your password is set.")
}
