package e2e

import (
	"strings"
	"testing"
)

// TestAdministration walks what an administrator does for colleagues, with JavaScript and without: an
// invitation, a lost phone, a lock-out that the machine repairs.
func TestAdministration(t *testing.T) {
	for _, script := range []bool{true, false} {
		t.Run(mode(script), func(t *testing.T) {
			t.Parallel()
			w := &walkthrough{t: t, site: startSite(t), script: script, ledger: newLedger()}
			w.site.addPerson(sue, "super-administrator")
			admin := w.open()
			w.signIn(admin, sue)
			w.requireSignedIn(admin)
			member := w.invitation(admin)
			w.lostPhone(admin, member)
			w.lockedOut(admin)
		})
	}
}

// invitation invites mia, who chooses her password and signs in.
func (w *walkthrough) invitation(admin *tab) *tab {
	admin.Click("People", sidebar)
	admin.Click("Invite somebody")
	admin.Fill("name", "Mia")
	admin.Fill("email", sue.email)
	admin.Click("Make invitation link")
	admin.Fill("email", mia.email, "#people")
	admin.Click("Make invitation link")
	admin.WaitFor("Invitation link — shown ONCE")
	link := admin.Texts("#link")[0]
	if w.script {
		w.want(admin.CopyFromClipboard("Copy") == link, "Copy does not copy the link")
	}
	admin.Visit("/admin/people")
	admin.Sees(mia.email, "Invited")
	w.want(admin.Count("#link") == 0, "the link is shown again")

	member := w.open()
	member.Visit(link)
	member.Sees("Welcome", mia.email)
	w.strength(member)
	member.Fill("name", mia.name)
	member.Fill("password", "12345678")
	member.Click("Accept invitation")
	w.requireRefusal(member, "too common")
	member.Fill("password", mia.password)
	member.Click("Accept invitation")
	w.want(member.Path() == "/signin", "the link leads to %s", member.Path())
	member.Sees("Your password is set.")
	w.signIn(member, mia)
	w.requireSignedIn(member)
	member.Sees(mia.name)

	stranger := w.open()
	stranger.Visit(link)
	w.want(stranger.Status() == 404, "a used link answers %d", stranger.Status())
	stranger.Sees("This link does not work")
	return member
}

// strength types passwords of all kinds: how strong each is stands beside it, and nothing is sent for that.
func (w *walkthrough) strength(b *tab) {
	w.t.Helper()
	if !w.script {
		w.want(!strings.Contains(b.Text(), "Too short"), "a strength is shown without script")
		return
	}
	for typed, want := range map[string]string{
		"": "hidden", "violet": "0", "鍵は秘密だ": "0", "12345678": "1", "aaaaaaaaaaaaaaaaaaaa": "1", "abababababababab": "1",
		"kv7 ruhm": "2", "kv7 ruhm?!ab": "3", "violet kettle harbour": "4", "mia example mia example": "1",
	} {
		got := evaluate[string](b, `(typed) => {
			const field = document.querySelector("#password"), meter = document.querySelector("[data-strength]");
			field.value = typed;
			field.dispatchEvent(new Event("input", {bubbles: true}));
			return meter.hidden ? "hidden" : meter.dataset.level;
		}`, typed)
		if got != want {
			w.t.Errorf("the strength of %q is %s; want %s", typed, got, want)
		}
	}
	b.Fill("password", "violet kettle harbour")
	b.WaitFor("Strong.", "[data-strength]")
}

// lostPhone resets mia's factor; she is told and enrols again.
func (w *walkthrough) lostPhone(admin, member *tab) {
	w.enrol(member)
	admin.Visit("/admin/people")
	admin.Fill("q", "mem")
	admin.Click("Search")
	admin.Click(mia.name, "table")
	admin.Sees("Enabled", "8 recovery codes left")
	admin.Click("Reset two-factor", "#person")
	admin.Click("Reset two-factor", "#person form")
	admin.WaitFor("Two-factor is reset.")
	admin.Sees("Not configured")

	member.Visit("/my")
	w.want(member.Path() == "/signin", "the reset does not end the session: %s", member.Path())
	w.signIn(member, mia)
	w.requireSignedIn(member)
	member.Sees("Your two-factor authentication was reset by " + sue.name)
	w.enrol(member)
	admin.Reload()
	admin.Sees("Enabled")
}

// lockedOut turns the policy on without being enrolled; the machine turns it off.
func (w *walkthrough) lockedOut(admin *tab) {
	admin.Visit("/admin/settings/security")
	admin.Sees("1 person would have to set it up first: "+sue.name, "You are one of them",
		"No admin has a recovery code left.")
	admin.Tick("require_everyone", true)
	admin.Click(savePolicy)
	admin.WaitFor("", success)
	admin.Visit("/admin/people")
	w.stopped(admin)

	w.site.run("", "policy", "set", "--everyone", "off")
	admin.Visit("/admin/people")
	w.want(admin.Path() == "/admin/people", "still stopped, at %s", admin.Path())
	admin.Sees("on the machine by")
	admin.Click("Dismiss")
	w.want(admin.Path() == "/admin/people", "Dismiss leads to %s", admin.Path())
	admin.DoesNotSee("on the machine by")

	admin.Click("Activity", sidebar)
	admin.Sees("Policy changed", "sys_policy_changed", "Two-factor reset", "on the machine")
	admin.Fill("person", "eve@example.org")
	admin.Click("Filter")
	w.requireRefusal(admin, "Nobody has this e-mail address.")
	admin.Fill("person", mia.email)
	admin.Click("Filter")
	w.want(strings.Count(admin.Text(), "sys_policy_changed") == 0, "the filter does not filter")
	admin.Sees("authn_factor_reset")
}
