package e2e

import (
	"strings"
	"testing"
)

// TestCommandLineUndoesALockout tries the command line beside the running server: the way back in when a
// phone is lost together with its codes, and when the policy stops everybody.
func TestCommandLineUndoesALockout(t *testing.T) {
	t.Parallel()
	w := &walkthrough{t: t, site: startSite(t), script: true, ledger: newLedger()}
	w.site.addPerson(mia, "member")
	b := w.open()
	w.signIn(b, mia)
	w.enrol(b)

	status := w.site.run("", "two-factor", "status")
	w.want(strings.Contains(status, mia.email), "two-factor status does not name %s:\n%s", mia.email, status)

	w.site.run("", "two-factor", "reset", mia.email)
	b.Visit("/my")
	w.want(b.Path() == "/signin", "a reset does not end the session: the portal leads to %s", b.Path())
	w.signIn(b, mia)
	w.requireSignedIn(b)
	b.Sees("Your two-factor authentication was reset")

	w.site.run("", "policy", "set", "--everyone", "on")
	b.Click("My profile", sidebar)
	w.stopped(b)
	policy := w.site.run("", "policy", "show")
	w.want(strings.Contains(policy, "Require MFA for everyone: on"), "policy show says:\n%s", policy)

	w.site.run("", "policy", "set", "--everyone", "off")
	b.Visit("/my/profile")
	w.want(b.Path() == "/my/profile", "the policy still stops people, at %s", b.Path())
}
