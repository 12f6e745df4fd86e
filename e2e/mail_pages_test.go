package e2e

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestMailPages looks at every page that mails and a policy from a date have brought, as TestPages looks
// at the others.
func TestMailPages(t *testing.T) {
	pit, flags := mailFlags(t)
	s := startSite(t, append(flags, "--time-zone", "Europe/Berlin")...)
	g := &gallery{
		t:      t,
		site:   s,
		axe:    readTool(t, "node_modules/axe-core/axe.min.js"),
		folder: os.Getenv("GATEHOUSE_SCREENS"),
		html:   t.TempDir(),
	}
	w := &walkthrough{t: t, site: s, script: true, ledger: newLedger()}
	s.addPerson(mia, "member")
	s.addPerson(sue, "super-administrator")

	b := w.open()
	b.Visit("/signin")
	g.look(b, "signin-with-mail")
	b.Click("Forgot your password?")
	g.look(b, "forgot")
	b.Fill("email", "nobody@example.org")
	b.Click("Send link")
	g.look(b, "forgot-sent")

	chief := w.open()
	w.signIn(chief, sue)
	chief.Visit("/admin/settings/mail")
	g.look(chief, "mail-empty")
	chief.Click("Send a test mail to me")
	chief.WaitFor("It answered")
	g.look(chief, "mail-tested")
	chief.Visit("/admin/people")
	chief.Click("Invite somebody")
	chief.Fill("name", "Alan Turing")
	chief.Fill("email", "alan@example.org")
	chief.Click("Make invitation link")
	chief.WaitFor("is on its way to alan@example.org")
	g.look(chief, "person-invited-by-mail")
	pit.await("alan@example.org", "Your invitation").requireWellMade(t)

	chief.Visit("/admin/settings/security")
	chief.Tick("require_everyone", true)
	evaluate[any](chief, `(day) => document.querySelector("#everyone_from").value = day`, "2001-01-01")
	chief.Click("Save changes")
	chief.WaitFor("This day has passed.")
	g.look(chief, "policy-day-refused")
	evaluate[any](chief, `(day) => document.querySelector("#everyone_from").value = day`,
		time.Now().AddDate(0, 0, 8).Format(time.DateOnly))
	chief.Click("Save changes")
	chief.WaitFor("Required from")
	g.look(chief, "policy-day")
	chief.Visit("/my")
	chief.Sees("Two-factor authentication will be required from")

	member := w.open()
	w.signIn(member, mia)
	member.Sees("Two-factor authentication will be required from")
	g.look(member, "announced")
	pit.await(mia.email, "requires two-factor authentication from").requireWellMade(t)
	member.Visit("/my/profile/notifications")
	g.look(member, "notifications")
	member.Click("Later")
	member.WaitFor("Mails to you")
	member.DoesNotSee("Two-factor authentication will be required from")
	member.Tick("sign_in", false)
	member.Click("Save changes")
	member.WaitFor("Your choice is saved.")
	g.look(member, "notifications-saved")
	phone, _ := w.enrol(member)
	member.Visit("/my/profile")
	g.look(member, "profile-with-mail")

	m := pit.await(mia.email, "Two-factor authentication enabled")
	b.Visit(strings.TrimPrefix(m.link(t), s.url))
	g.look(b, "not-me")
	b.Click("This wasn't me, close my account")
	b.WaitFor("Your account is closed")
	g.look(b, "not-me-closed")
	b.Visit(strings.TrimPrefix(m.link(t), s.url))
	g.look(b, "not-me-used")
	chief.Visit("/admin/people")
	g.look(chief, "account-closed")
	chief.Click("Mia Member")
	g.look(chief, "person-closed")

	b.Visit(strings.TrimPrefix(pit.await(mia.email, "is closed").link(t), s.url))
	b.Fill("password", "marble thunder otter")
	b.Click("Set password")
	b.Fill("email", mia.email)
	b.Fill("password", "marble thunder otter")
	b.Click("Sign in", "form")
	b.EnterCode(phone.code(), "Verify and sign in")
	b.WaitFor("This is switched off.")
	g.look(b, "challenge-switched-off")
	chief.Visit("/admin/settings/mail")
	g.look(chief, "mail")
	g.validate()
}
