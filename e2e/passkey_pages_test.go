package e2e

import (
	"os"
	"testing"
)

// TestPasskeyPages looks at every page that passkeys have brought, as TestPages looks at the
// others.
func TestPasskeyPages(t *testing.T) {
	s := startPasskeySite(t)
	g := &gallery{
		t:      t,
		site:   s,
		axe:    readTool(t, "node_modules/axe-core/axe.min.js"),
		folder: os.Getenv("GATEHOUSE_SCREENS"),
		html:   t.TempDir(),
	}
	b := openBrowser(t, s)
	b.suggestsNothing()
	b.plugIn(phoneOrLaptop)
	b.givePassword(ada)
	b.Visit(twoFactorPath)
	b.Click("Add a passkey")
	g.look(b, "passkey-new")
	b.Fill("name", "Work laptop", "#passkeys .prompt")
	b.press("Create passkey")
	b.arrives("Save these recovery codes")
	g.look(b, "passkey-first")
	b.Visit(twoFactorPath)
	g.look(b, "passkeys-only")
	b.addPasskey("Again")
	b.WaitFor("holds one of your passkeys already")
	g.look(b, "passkey-again")
	b.Visit("/my")
	b.Click("Sign out")
	b.Visit("/signin")
	g.look(b, "signin-with-passkey")
	b.givePassword(ada)
	g.look(b, "challenge-passkey-only")
	b.press("Use a passkey")
	b.arrives("My portal")
	b.enableApp()
	b.Visit(twoFactorPath)
	b.Click("Rename or remove Work laptop")
	g.look(b, "passkeys-and-app")
	b.Fill("name", " ", "#passkeys")
	b.Click("Save name")
	b.WaitFor("Enter a name.")
	g.look(b, "passkey-renamed-to-nothing")
	b.Visit("/my")
	b.Click("Sign out")
	b.givePassword(ada)
	g.look(b, "challenge-passkey-and-app")
	g.validate()
}
