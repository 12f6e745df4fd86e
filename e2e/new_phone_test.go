package e2e

import (
	"os"
	"testing"
)

// TestNewPhoneInABrowser moves the app to a new phone and checks a saved code, with JavaScript
// and without, and looks at each state on the way.
func TestNewPhoneInABrowser(t *testing.T) {
	for _, script := range []bool{true, false} {
		t.Run(mode(script), func(t *testing.T) {
			w := &walkthrough{t: t, site: startSite(t), script: script, ledger: newLedger()}
			g := &gallery{
				t:      t,
				site:   w.site,
				axe:    readTool(t, "node_modules/axe-core/axe.min.js"),
				folder: os.Getenv("GATEHOUSE_SCREENS"),
				html:   t.TempDir(),
			}
			look := func(b *tab, name string) {
				if script { // axe-core is a script
					g.look(b, name)
				}
			}
			b := w.open()
			w.setUpWorkspace(b)
			old, codes := w.enrol(b)
			b.Visit(twoFactorPath)
			b.Click("Check a saved code", card)
			b.Fill("recovery_code", codes[0], card)
			b.Click("Check code", card)
			b.WaitFor("That code works, and stays unused.", success)
			look(b, "check-good")
			b.Fill("recovery_code", "0000-0000", card)
			b.Click("Check code", card)
			b.WaitFor(wrongCode, refusal)
			look(b, "check-wrong")

			b.Click("Set up a new phone", card)
			b.WaitFor("The app on your old phone keeps working", card)
			look(b, "new-phone")
			fresh := newPhone(t, b.Secret())
			b.EnterCode(fresh.wrong(), "Confirm new phone")
			b.WaitFor(wrongCode, refusal)
			look(b, "new-phone-wrong")
			b.Click("Keep the old phone", card)
			b.WaitFor("Regenerate recovery codes", card)
			b.Click("Set up a new phone", card)
			b.WaitFor("The app on your old phone keeps working", card)
			fresh = newPhone(t, b.Secret())
			b.EnterCode(fresh.code(), "Confirm new phone")
			b.WaitFor("Your new phone is set up.", success)
			look(b, "new-phone-done")

			w.signOut(b)
			w.signIn(b, ada)
			w.requireChallenge(b)
			w.enterCode(b, old.next())
			b.WaitFor(wrongCode, refusal)
			w.enterRecoveryCode(b, codes[0])
			w.requireSignedIn(b)
			b.Sees("Your authenticator app was moved to a new phone")
		})
	}
}
