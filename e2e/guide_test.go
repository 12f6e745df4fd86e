package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// TestGuide walks through the user guide as people do, with JavaScript and without, and then demands a
// proof of every sentence.
func TestGuide(t *testing.T) {
	proofs := newLedger()
	t.Run("people do what the guide says", func(t *testing.T) {
		for _, script := range []bool{true, false} {
			for _, chapter := range chapters {
				t.Run(chapter.name+" "+mode(script), func(t *testing.T) {
					t.Parallel()
					chapter.walk(&walkthrough{t: t, site: startSite(t), script: script, ledger: proofs})
				})
			}
		}
	})
	if t.Failed() {
		return // the proofs that follow a failed step would only be missing too
	}
	t.Run("every sentence of the guide has a proof", proofs.check)
}

// chapters are what people do; the longest first, so that the short ones fill the time beside it.
var chapters = []struct {
	name string
	walk func(*walkthrough)
}{
	{"one person's way from set-up to disabling", guideInOrder},
	{"the organisation requires two-factor", requiredByPolicy},
	{"two devices of one person", twoDevices},
	{"two tabs of one browser", twoTabs},
}

// walkthrough is one chapter of the guide on a site of its own.
type walkthrough struct {
	t      *testing.T
	site   *site
	script bool
	ledger *ledger
}

// open opens a browser of the walk's kind.
func (w *walkthrough) open() *tab {
	w.t.Helper()
	if w.script {
		return openBrowser(w.t, w.site)
	}
	return openBrowserWithoutScript(w.t, w.site)
}

// prove runs a check that proves these sentences of the guide.
func (w *walkthrough) prove(check func(), words ...string) {
	w.t.Helper()
	w.ledger.prove(w.t, w.script, check, words...)
}

// want fails the test unless the condition holds.
func (w *walkthrough) want(holds bool, format string, args ...any) {
	w.t.Helper()
	if !holds {
		w.t.Fatalf(format, args...)
	}
}

// Buttons whose words the guide leaves open, and parts of the pages.
const (
	setUpButton    = "Create workspace"
	savePolicy     = "Save changes"
	confirmNew     = "Generate new codes"
	continueButton = "Continue where you left off"

	twoFactorPath = "/my/profile/two-factor"
	card          = "#two-factor"
	sidebar       = "nav"
	refusal       = "[role=alert]"
	success       = "[role=status]"

	wrongCode        = "That code did not match"
	noPending        = `No pending enrollment. Click "Enable" to start over`
	required         = "Two-factor authentication is required by your organisation. Set it up to continue."
	nowActive        = "Two-factor authentication is now active. Save your recovery codes — they're shown once."
	savePanel        = "Save these recovery codes — shown ONCE"
	regeneratePrompt = "Generate new recovery codes? Old codes will stop working immediately."
	wrongPassword    = "Password did not match. Two-factor remains enabled."
	lostPhone        = "Lost your phone? Use a recovery code"
)

var (
	ada = person{"Ada Lovelace", "ada@example.org", "tidal marble orchard 47"}
	mia = person{"Mia Member", "mia@example.org", "copper violin thursday 3"}

	adam = person{"Adam Administrator", "adam@example.org", "pencil harbour walnut 8"}
	ines = person{"Ines Infra", "ines@example.org", "lantern velvet socket 5"}
	sue  = person{"Sue Super", "sue@example.org", "cobalt meadow ferry 21"}

	// admins are one of each role that the setting for admins applies to, with the guide's
	// words.
	admins = []struct {
		person
		role, words string
	}{
		{adam, "administrator", "Require MFA for admins: Administrator"},
		{ines, "it-administrator", "Require MFA for admins: IT administrator"},
		{sue, "super-administrator", "Require MFA for admins: super-administrator"},
	}

	recoveryCode  = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$`)
	groupsOfFour  = regexp.MustCompile(`^([A-Z2-7]{4} )*[A-Z2-7]{1,4}$`)
	sixDigitField = `#two-factor input[name=code]`
)

// pages are what an admin who is signed in opens.
var pages = []string{"/", "/my", "/my/profile", "/admin/settings/security", "/admin/settings/general"}

// --- steps that several chapters take

// signIn gives e-mail address and password at the sign-in.
func (w *walkthrough) signIn(b *tab, p person) {
	w.t.Helper()
	b.Visit("/signin")
	b.Fill("email", p.email)
	b.Fill("password", p.password)
	b.Click("Sign in", "form")
}

// requireSignedIn demands that the person stands in My portal.
func (w *walkthrough) requireSignedIn(b *tab) {
	w.t.Helper()
	if b.Path() != "/my" {
		b.fail("not in My portal")
	}
	b.Sees("My portal")
}

// signOut signs out and demands that it happened.
func (w *walkthrough) signOut(b *tab) {
	w.t.Helper()
	b.Click("Sign out")
	if b.Path() != "/signin" {
		b.fail("signing out does not lead to the sign-in")
	}
}

// requireBadge demands the state that the card reports.
func (w *walkthrough) requireBadge(b *tab, state, colour string) {
	w.t.Helper()
	b.WaitFor(state, card+" .badge")
	if b.Count(card+" .badge") != 1 || b.Count(card+" .badge.badge--"+colour) != 1 {
		b.fail("the card's badge is not one that is %s", colour)
	}
	if seen := b.Colour(card + " .badge"); seen != colour {
		b.fail("the badge looks %s, not %s", seen, colour)
	}
}

// enable selects Enable two-factor and returns the secret that is shown.
func (w *walkthrough) enable(b *tab) string {
	w.t.Helper()
	b.Click("Enable two-factor", card)
	w.requireBadge(b, "Pending confirmation", "amber")
	return b.Secret()
}

// confirm enters a code and returns the recovery codes that follow.
func (w *walkthrough) confirm(b *tab, code string) []string {
	w.t.Helper()
	b.EnterCode(code, "Confirm and enable")
	b.WaitFor(nowActive, success)
	return b.RecoveryCodes()
}

// enrol takes a signed-in person from Not configured to Enabled.
func (w *walkthrough) enrol(b *tab) (*phone, []string) {
	w.t.Helper()
	b.Visit(twoFactorPath)
	p := newPhone(w.t, w.enable(b))
	return p, w.confirm(b, p.code())
}

// enterCode enters a code of the app at the challenge.
func (w *walkthrough) enterCode(b *tab, code string) {
	w.t.Helper()
	b.EnterCode(code, "Verify and sign in")
}

// enterRecoveryCode enters a recovery code at the challenge.
func (w *walkthrough) enterRecoveryCode(b *tab, code string) {
	w.t.Helper()
	if b.Count("[name=recovery_code]") == 0 {
		b.Click(lostPhone)
	}
	b.Fill("recovery_code", code)
	b.Click("Use recovery code", "form")
}

// requireChallenge demands that the challenge page is shown.
func (w *walkthrough) requireChallenge(b *tab) {
	w.t.Helper()
	b.WaitFor("Two-factor verification", "h1")
	b.Sees("Password accepted. Enter your code to continue.")
}

// requireRefusal demands a refusal with these words.
func (w *walkthrough) requireRefusal(b *tab, words string) {
	w.t.Helper()
	b.WaitFor(words, refusal)
	if status := b.Status(); status != 422 {
		b.fail("a refusal answers 422")
	}
}

// Secret is the secret on the Pending card, without its spaces.
func (b *tab) Secret() string {
	b.t.Helper()
	b.WaitFor("", "#secret")
	shown := b.Texts("#secret")[0]
	if !groupsOfFour.MatchString(shown) {
		b.fail("the secret %q is not in groups of four", shown)
	}
	return strings.ReplaceAll(shown, " ", "")
}

// RecoveryCodes are the codes in the panel.
func (b *tab) RecoveryCodes() []string {
	b.t.Helper()
	b.WaitFor("", "#recovery-codes li")
	return b.Texts("#recovery-codes li")
}

// HasNone demands that none of these codes is anywhere on the page, seen or not.
func (b *tab) HasNone(codes []string) {
	b.t.Helper()
	source := b.Source()
	for _, code := range codes {
		if strings.Contains(source, code) {
			b.fail("the recovery code %s is still on the page", code)
		}
	}
	b.DoesNotSee(savePanel)
}
