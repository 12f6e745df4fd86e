package e2e

import "testing"

// TestStaleTab leaves Dora's pages open in one tab while Emil signs in in another of the same browser: her
// buttons do nothing to him, and say why.
func TestStaleTab(t *testing.T) {
	for name, script := range map[string]bool{"with script": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			s := startSite(t)
			w := &walkthrough{t: t, site: s, script: script, ledger: newLedger()}
			dora := person{"Dora", "dora@example.org", "lantern sofa marble"}
			s.addPerson(dora, "member")
			s.addPerson(mia, "member")
			old := w.open()
			w.signIn(old, dora)
			old.Visit(twoFactorPath)
			other := old.NewTab()
			other.Visit("/my")
			w.signOut(other)
			w.signIn(other, mia)
			w.requireSignedIn(other)

			told := "You are signed in as " + mia.name + " now. Nothing was changed."
			old.Click("Enable two-factor", card)
			old.Sees(told)
			old.DoesNotSee("Pending confirmation")
			if script { // the old page is still there
				old.Click("Sign out")
				old.Sees(told)
			}
			other.Reload()
			w.requireSignedIn(other)
			old.Visit("/my")
			old.Sees(mia.name)
		})
	}
}
