package handlers_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/handlers"
	"gatehouse/twofactor"
)

// mailing is a site that sends mails. Its server answers a test as it is told.
func mailing(t *testing.T, change ...func(*handlers.Config)) *site {
	t.Helper()
	s := newSite(t, append([]func(*handlers.Config){func(c *handlers.Config) {
		c.Mail = &handlers.Mail{
			Server: "smtps://portal@mail.example.org:465",
			From:   "portal@example.org",
			Test: func(_ context.Context, name, email string) (string, bool) {
				return "550 5.1.1 <" + email + "> unknown", strings.HasPrefix(email, "good")
			},
		}
	}}, change...)...)
	if err := s.store.SetMailFrom(ctx, "portal@example.org", s.now); err != nil {
		t.Fatal(err)
	}
	return s
}

// mails takes every mail that waits.
func (s *site) mails() []db.Mail {
	s.t.Helper()
	var all []db.Mail
	for {
		m, err := s.store.ClaimMail(ctx, s.now)
		if errors.Is(err, db.ErrNotFound) {
			return all
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if err := s.store.MailSent(ctx, m, "250 OK", s.now); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, m)
	}
}

// mail takes the one mail of a kind that waits.
func (s *site) mail(kind account.MailKind) db.Mail {
	s.t.Helper()
	all := s.mails()
	for _, m := range all {
		if m.Kind == kind {
			return m
		}
	}
	s.t.Fatalf("no mail %s among %d", kind, len(all))
	return db.Mail{}
}

// TestWithoutMailServer says whom to ask, and shows nothing of what mails would do.
func TestWithoutMailServer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	stranger := s.browser()
	stranger.get("/signin").wantStatus(200, "Forgot your password? Ask an administrator for a link.").wantNot(`href="/signin/forgot"`)
	stranger.get("/signin/forgot").wantStatus(200, "Ask an administrator for a link").wantNot("<form")
	stranger.post("/signin/forgot", "email", "ada@example.org").wantStatus(200).wantNot("a mail is on its way")
	ada := s.signedIn("ada@example.org")
	ada.get("/my/profile").wantStatus(200).wantNot("/my/profile/notifications")
	ada.get("/admin/settings/mail").wantStatus(200, "No mail server is set").wantNot("Send a test mail")
	ada.post("/admin/settings/mail/test").wantStatus(404)
	ada.post("/admin/people/invite", "name", "Bob", "email", "bob@example.org", "role", "member").wantStatus(200, "shown ONCE")
	ada.post("/admin/settings/security/remind").wantStatus(404)
}

// TestForgotAnswersAlike asks for a link for somebody, for nobody, for somebody deactivated and for
// what is no address: status, headers and page are the same.
func TestForgotAnswersAlike(t *testing.T) {
	t.Parallel()
	s := mailing(t)
	s.add("root@example.org", twofactor.SuperAdmin)
	s.add("ada@example.org", twofactor.Member)
	gone := s.add("gone@example.org", twofactor.Member)
	if err := s.store.SetActive(ctx, gone, false, machine.Author(), s.now); err != nil {
		t.Fatal(err)
	}
	s.mails()
	var first answer
	for i, email := range []string{"ada@example.org", "nobody@example.org", "gone@example.org", "", "not an address", "ada@example.org"} {
		a := s.browser().post("/signin/forgot", "email", email)
		a.wantStatus(200, "If this address has an account, a mail is on its way.").wantNot("ada@example.org")
		a.header.Del("X-Request-Id")
		if i == 0 {
			first = a
		} else if a.body != first.body || len(a.header) != len(first.header) {
			t.Errorf("%q is answered otherwise", email)
		}
	}
	if all := s.mails(); len(all) != 1 || all[0].Email != "ada@example.org" {
		t.Errorf("%d mails", len(all))
	}
	for range 40 {
		s.browser().post("/signin/forgot", "email", "nobody@example.org")
	}
	s.browser().post("/signin/forgot", "email", "bob@example.org").wantStatus(429, "Too many tries", `value="bob@example.org"`)
}

// TestForgottenPassword chooses a new password with the link of a mail.
func TestForgottenPassword(t *testing.T) {
	t.Parallel()
	s := mailing(t)
	s.add("ada@example.org", twofactor.Member)
	_, secret, _ := s.enrolled("ada@example.org")
	s.mails()
	b := s.browser()
	b.get("/signin").wantStatus(200, `href="/signin/forgot"`)
	b.post("/signin/forgot", "email", "ada@example.org").wantStatus(200)
	path := "/welcome/" + s.mail(account.MailForgot).Token
	b.get(path).wantStatus(200, "ada@example.org")
	b.post(path, "password", "short").wantStatus(422)
	b.post(path, "password", newPassword).wantRedirect("/signin")
	b.post(path, "password", newPassword).wantStatus(404)
	s.advance(time.Minute)
	b.post("/signin", "email", "ada@example.org", "password", newPassword).wantRedirect("/signin/two-factor")
	b.post("/signin/two-factor", "code", s.code(secret)).wantRedirect("/my")
}

// TestNotMePage changes nothing by GET and HEAD, closes the account by POST without a sign-in, once,
// and tells admins.
func TestNotMePage(t *testing.T) {
	t.Parallel()
	s := mailing(t)
	s.add("root@example.org", twofactor.SuperAdmin)
	s.add("ada@example.org", twofactor.Member)
	s.signedIn("ada@example.org") // the first sign-in is no news
	thief := s.signedIn("ada@example.org")
	path := "/not-me/" + s.mail(account.MailEvent).Token
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} {
		r, err := http.NewRequest(method, "http://example.com"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.browser().send(r).wantStatus(200)
	}
	s.browser().get(path).wantStatus(200, "This wasn't me", "ada@example.org", "signed in")
	thief.get("/my").wantStatus(200)
	if all := s.mails(); len(all) != 0 {
		t.Errorf("opening the link has written %d mails", len(all))
	}
	s.browser().post(path).wantStatus(200, "Your account is closed", "on its way to")
	thief.get("/my").wantRedirect("/signin")
	for range 2 {
		s.browser().post(path).wantStatus(404, "This link does not work")
		s.browser().get(path).wantStatus(404)
	}
	closed := s.browser().post("/signin", "email", "ada@example.org", "password", "wrong horse")
	right := s.browser().post("/signin", "email", "ada@example.org", "password", "correct horse battery")
	if closed.status != right.status {
		t.Errorf("a right password of a closed account: %d, a wrong one %d", right.status, closed.status)
	}
	root := s.signedIn("root@example.org")
	root.get("/my").wantStatus(200, "was closed with “This wasn't me” from a mail")
	s.browser().post("/welcome/"+s.mail(account.MailClosed).Token, "password", newPassword).wantRedirect("/signin")
	s.browser().post("/signin", "email", "ada@example.org", "password", newPassword).wantRedirect("/my")
}

// TestMailSettingsPage shows the server's answer word for word, and the newest mails, and no secret.
func TestMailSettingsPage(t *testing.T) {
	t.Parallel()
	s := mailing(t)
	s.add("root@example.org", twofactor.SuperAdmin)
	s.add("good@example.org", twofactor.Administrator)
	root := s.signedIn("root@example.org")
	root.post("/admin/people/invite", "name", "Cy", "email", "cy@example.org", "role", "member").wantRedirect("/admin/people/3")
	root.get("/admin/people/3").wantStatus(200, "The invitation is on its way to cy@example.org.").wantNot("/welcome/")
	token := s.mail(account.MailInvitation).Token
	root.get("/admin/settings/mail").wantStatus(200, "smtps://portal@mail.example.org:465", "Invitation", "cy@example.org", "250 OK").wantNot(token)
	root.post("/admin/settings/mail/test").wantStatus(422, "The test mail was not taken.", "550 5.1.1 <root@example.org> unknown")
	s.signedIn("good@example.org").post("/admin/settings/mail/test").wantStatus(200, "has taken the test mail", "550 5.1.1 <good@example.org> unknown")

	// Showing a link ends the mailed one.
	root.post("/admin/people/3/link").wantStatus(200, "is on its way to").wantNot("/welcome/")
	mailed := s.mail(account.MailInvitation).Token
	root.post("/admin/people/3/link", "show", "yes").wantStatus(200, "shown ONCE")
	s.browser().get("/welcome/" + mailed).wantStatus(404)
}

// TestNotificationsPage turns the mails about sign-ins off and on; those about changes stay.
func TestNotificationsPage(t *testing.T) {
	t.Parallel()
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := mailing(t)
		s.add("ada@example.org", twofactor.Member)
		ada := s.signedIn("ada@example.org")
		ada.get("/my/profile").wantStatus(200, "/my/profile/notifications")
		page := ada.get("/my/profile/notifications").wantStatus(200, "checked")
		ada.htmx = htmx
		ada.post("/my/profile/notifications").wantStatus(422, "checked") // half a form is no unticked box
		seen := seenOf(t, page.body)
		ada.post("/my/profile/notifications", "seen", seen).wantStatus(200, "Your choice is saved.").wantNot(" checked")
		s.mails()
		s.signedIn("ada@example.org")
		if all := s.mails(); len(all) != 0 {
			t.Errorf("%d mails about a sign-in", len(all))
		}
		ada.post("/my/profile/notifications", "sign_in", "yes", "seen", seen).wantStatus(200, " checked")
		s.signedIn("ada@example.org")
		if all := s.mails(); len(all) != 1 {
			t.Errorf("%d mails about a sign-in; want one", len(all))
		}
	})
}

func seenOf(t *testing.T, body string) string {
	t.Helper()
	m := regexp.MustCompile(`name="seen" value="([^"]+)"`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no seen in:\n%s", body)
	}
	return m[1]
}

// TestPolicyFromADay sets a policy for a day, tells people until then, and stops them from then on.
func TestPolicyFromADay(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := mailing(t, func(c *handlers.Config) { c.TimeZone = berlin })
		s.now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
		s.add("root@example.org", twofactor.SuperAdmin)
		s.add("ada@example.org", twofactor.Member)
		root, _, _ := s.enrolled("root@example.org")
		ada := s.signedIn("ada@example.org")
		root.htmx = htmx
		set := func(status int, fields ...string) answer {
			t.Helper()
			root.htmx = false
			seen := seenOf(t, root.get("/admin/settings/security").body)
			root.htmx = htmx
			return root.post("/admin/settings/security", append(fields, "seen", seen)...).wantStatus(status)
		}
		set(422, "require_everyone", "yes", "everyone_from", "3.12.2026").wantStatus(422, "Enter a day, like 2026-12-03.", `value="3.12.2026"`)
		set(422, "require_everyone", "yes", "everyone_from", "2026-11-25").wantStatus(422, "This day has passed.")
		set(422, "everyone_from", "2026-12-03").wantStatus(422, "Tick the box as well")
		ada.get("/my").wantStatus(200).wantNot("will be required")
		set(200, "require_everyone", "yes", "everyone_from", "2026-12-03").wantStatus(200, `value="2026-12-03"`,
			"Required from 3 December (in 7 days). 1 person is ready, 1 is not.", "Remind them")

		const said = "Two-factor authentication will be required from 3 December (in 7 days)."
		for _, path := range []string{"/my", "/my/profile", "/my/profile/two-factor"} {
			ada.get(path).wantStatus(200, said, "Set it up now", "Later", `name="next" value="`+path+`"`)
		}
		root.htmx = false
		root.get("/my").wantStatus(200).wantNot("will be required")
		ada.post("/my/policy/later", "next", "/my/profile").wantRedirect("/my/profile")
		ada.post("/my/policy/later", "next", "https://evil.example/").wantRedirect("/my")
		ada.get("/my").wantStatus(200).wantNot("will be required")
		s.now = time.Date(2026, 11, 26, 23, 1, 0, 0, time.UTC) // tomorrow in Berlin
		ada = s.signedIn("ada@example.org")
		ada.get("/my").wantStatus(200, "3 December (in 6 days)")

		for more := true; more; {
			if more, err = s.store.SendReminders(ctx, s.now); err != nil {
				t.Fatal(err)
			}
		}
		if m := s.mail(account.MailPolicy); m.Email != "ada@example.org" {
			t.Errorf("a mail to %s", m.Email)
		}
		s.now = time.Date(2026, 12, 2, 22, 59, 59, 0, time.UTC)
		ada = s.signedIn("ada@example.org")
		ada.get("/my").wantStatus(200, "in 1 day")
		s.advance(time.Second)
		ada.get("/my").wantRedirect("/my/profile/two-factor")
		ada.get("/my/profile/two-factor").wantStatus(200, "Two-factor authentication is required by your organisation. Set it up to continue.").
			wantNot("will be required")
	})
}

// TestRemindThem asks for reminders while a policy is to come, and not otherwise.
func TestRemindThem(t *testing.T) {
	t.Parallel()
	s := mailing(t)
	s.add("root@example.org", twofactor.SuperAdmin)
	s.add("ada@example.org", twofactor.Member)
	root, _, _ := s.enrolled("root@example.org")
	root.post("/admin/settings/security/remind").wantStatus(404)
	if err := s.store.SetPolicy(ctx, twofactor.Policy{EveryoneFrom: s.now.Add(20 * 24 * time.Hour)}, machine.Author(), s.now); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s.advance(time.Minute)
		root.post("/admin/settings/security/remind").wantRedirect("/admin/settings/security")
		root.get("/admin/settings/security").wantStatus(200, "Mails are on their way to everybody who is not ready.")
		if _, err := s.store.SendReminders(ctx, s.now); err != nil {
			t.Fatal(err)
		}
		s.mail(account.MailPolicy)
	}
	s.signedIn("ada@example.org").post("/admin/settings/security/remind").wantStatus(403)
}

// TestSwitchedOffCard offers to turn on again what "This wasn't me" has switched off.
func TestSwitchedOffCard(t *testing.T) {
	t.Parallel()
	s := mailing(t)
	s.add("ada@example.org", twofactor.Member)
	_, secret, _ := s.enrolled("ada@example.org")
	s.mails()
	s.advance(time.Hour)
	thief := s.challenged("ada@example.org")
	thief.post("/signin/two-factor", "code", s.code(secret)).wantRedirect("/my")
	token := s.mail(account.MailEvent).Token
	s.advance(time.Minute)
	s.browser().post("/not-me/" + token).wantStatus(200)
	s.browser().post("/welcome/"+s.mail(account.MailClosed).Token, "password", newPassword).wantRedirect("/signin")
	ada := s.browser()
	ada.post("/signin", "email", "ada@example.org", "password", newPassword).wantRedirect("/signin/two-factor")
	ada.post("/signin/two-factor", "code", s.code(secret)).wantRedirect("/my")
	ada.get("/my/profile/two-factor").wantStatus(200, "Parts of your second step are switched off.")
	ada.post("/my/profile/two-factor/turn-on").wantRedirect("/my/profile/two-factor")
	ada.get("/my/profile/two-factor").wantStatus(200, "Your second step is as it was.").wantNot("switched off.")
}
