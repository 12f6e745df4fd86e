package e2e

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
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
					chapter.walk(&walk{t: t, site: startSite(t), script: script, ledger: proofs})
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
	walk func(*walk)
}{
	{"one person's way from set-up to disabling", onePersonsWay},
	{"the organisation requires two-factor", requiredByPolicy},
	{"two devices of one person", twoDevices},
	{"two tabs of one browser", twoTabs},
}

// walk is one chapter of the guide on a site of its own.
type walk struct {
	t      *testing.T
	site   *site
	script bool
	ledger *ledger
}

// open opens a browser of the walk's kind.
func (w *walk) open() *tab {
	w.t.Helper()
	if w.script {
		return openBrowser(w.t, w.site)
	}
	return openBrowserWithoutScript(w.t, w.site)
}

// proves runs a check that proves these sentences of the guide.
func (w *walk) proves(check func(), words ...string) {
	w.t.Helper()
	w.ledger.prove(w.t, w.script, check, words...)
}

// want fails the test unless the condition holds.
func (w *walk) want(holds bool, format string, args ...any) {
	w.t.Helper()
	if !holds {
		w.t.Fatalf(format, args...)
	}
}

// Buttons whose words the guide leaves open, and parts of the pages.
const (
	setUpButton = "Create workspace"
	saveLevers  = "Save changes"
	confirmNew  = "Generate new codes"

	twoFactorPath = "/my/profile/two-factor"
	card          = "#two-factor"
	sidebar       = "nav"
	refusal       = "[role=alert]"
	success       = "[role=status]"

	wrongCode    = "That code did not match"
	noPending    = `No pending enrollment. Click "Enable" to start over`
	required     = "Two-factor authentication is required by your organisation. Set it up to continue."
	nowActive    = "Two-factor authentication is now active. Save your recovery codes — they're shown once."
	savePanel    = "Save these recovery codes — shown ONCE"
	askNew       = "Generate new recovery codes? Old codes will stop working immediately."
	passwordIsNo = "Password did not match. Two-factor remains enabled."
	lostPhone    = "Lost your phone? Use a recovery code"
)

var (
	ada = person{"Ada Lovelace", "ada@example.org", "tidal marble orchard 47"}
	mia = person{"Mia Member", "mia@example.org", "copper violin thursday 3"}

	adam = person{"Adam Administrator", "adam@example.org", "pencil harbour walnut 8"}
	ines = person{"Ines Infra", "ines@example.org", "lantern velvet socket 5"}
	sue  = person{"Sue Super", "sue@example.org", "cobalt meadow ferry 21"}

	// admins are one of each role that the lever for admins applies to, with the guide's words.
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
func (w *walk) signIn(b *tab, p person) {
	w.t.Helper()
	b.Visit("/signin")
	b.Fill("email", p.email)
	b.Fill("password", p.password)
	b.Click("Sign in", "form")
}

// signedIn demands that the person stands in My portal.
func (w *walk) signedIn(b *tab) {
	w.t.Helper()
	if b.Path() != "/my" {
		b.fail("not in My portal")
	}
	b.Sees("My portal")
}

// signOut signs out and demands that it happened.
func (w *walk) signOut(b *tab) {
	w.t.Helper()
	b.Click("Sign out")
	if b.Path() != "/signin" {
		b.fail("signing out does not lead to the sign-in")
	}
}

// badge demands the state that the card reports.
func (w *walk) badge(b *tab, state, colour string) {
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
func (w *walk) enable(b *tab) string {
	w.t.Helper()
	b.Click("Enable two-factor", card)
	w.badge(b, "Pending confirmation", "amber")
	return b.Secret()
}

// confirm enters a code and returns the recovery codes that follow.
func (w *walk) confirm(b *tab, code string) []string {
	w.t.Helper()
	b.EnterCode(code, "Confirm and enable")
	b.WaitFor(nowActive, success)
	return b.RecoveryCodes()
}

// enrol takes a signed-in person from Not configured to Enabled.
func (w *walk) enrol(b *tab) (*phone, []string) {
	w.t.Helper()
	b.Visit(twoFactorPath)
	p := newPhone(w.t, w.enable(b))
	return p, w.confirm(b, p.code())
}

// enterCode enters a code of the app at the challenge.
func (w *walk) enterCode(b *tab, code string) {
	w.t.Helper()
	b.EnterCode(code, "Verify and sign in")
}

// enterRecoveryCode enters a recovery code at the challenge.
func (w *walk) enterRecoveryCode(b *tab, code string) {
	w.t.Helper()
	if b.Count("[name=recovery_code]") == 0 {
		b.Click(lostPhone)
	}
	b.Fill("recovery_code", code)
	b.Click("Use recovery code", "form")
}

// atChallenge demands that the challenge page is shown.
func (w *walk) atChallenge(b *tab) {
	w.t.Helper()
	b.WaitFor("Two-factor verification", "h1")
	b.Sees("Password accepted. Enter your code to continue.")
}

// refused demands a refusal with these words.
func (w *walk) refused(b *tab, words string) {
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

// KnowsNone demands that none of these codes is anywhere on the page, seen or not.
func (b *tab) KnowsNone(codes []string) {
	b.t.Helper()
	source := b.Source()
	for _, code := range codes {
		if strings.Contains(source, code) {
			b.fail("the recovery code %s is still on the page", code)
		}
	}
	b.SeesNot(savePanel)
}

// --- one person's way

// onePersonsWay is the guide from its first to its last section, by the first Super-administrator.
func onePersonsWay(w *walk) {
	b := w.open()
	w.setUpWorkspace(b)
	w.notConfigured(b)
	w.discard(b)
	secret := w.pending(b)
	phone := newPhone(w.t, secret)
	w.wrongCodes(b, phone)
	codes := w.activate(b, phone)
	w.signInWithApp(b, phone)
	w.differentUser(b)
	codes = w.signInWithRecoveryCode(b, codes)
	w.regenerate(b, codes)
	w.disable(b)
}

// setUpWorkspace walks the link that the program printed, and signs the first person in.
func (w *walk) setUpWorkspace(b *tab) {
	link := w.site.setupLink()
	w.proves(func() {
		b.Visit(twoFactorPath)
		w.want(b.Path() == "/signin", "signed out, the screen leads to %s", b.Path())
	}, "You need a signed-in account on the workspace")

	b.Visit(link)
	b.Fill("workspace", "Acme & Söhne + 100% #1")
	b.Fill("name", ada.name)
	b.Fill("email", ada.email)
	b.Fill("password", ada.password)
	b.Click(setUpButton)
	w.signedIn(b)
	b.Sees("Acme & Söhne + 100% #1", ada.name)

	b.Visit(link)
	w.want(b.Status() == 404, "the set-up link answers %d a second time", b.Status())
	b.Visit("/my")
}

// notConfigured looks at the screen before anything was done, and goes there by both ways.
func (w *walk) notConfigured(b *tab) {
	w.proves(func() {
		b.Visit(twoFactorPath)
		w.want(b.Path() == twoFactorPath, "the address leads to %s", b.Path())
		b.WaitFor("Authenticator app (TOTP)", card)
	}, "go straight to /my/profile/two-factor", "The Authenticator app (TOTP) card")
	w.proves(func() { w.badge(b, "Not configured", "slate") }, "Not configured (slate)")
	w.proves(func() {
		w.want(b.Count(card+" p") > 0, "there is no explainer")
		b.WaitFor("Enable two-factor", card+" button")
	}, "A short explainer and an Enable two-factor button")
	w.proves(func() { b.SeesNot("Regenerate recovery codes") }, "(the card must show Enabled)")

	b.Visit("/my")
	w.proves(func() {
		b.Click("My profile", sidebar)
		w.want(b.Path() == "/my/profile", "My profile leads to %s", b.Path())
	}, "In the My portal sidebar, select My profile")
	w.proves(func() {
		b.Sees("Two-factor authentication")
		b.Click("Set up two-factor")
		w.badge(b, "Pending confirmation", "amber")
		w.want(b.Count("svg.qr") == 1, "there is no QR code")
	}, "In the Two-factor authentication card, select Set up two-factor", "from the My portal under My profile → Two-factor authentication")
}

// discard shows that leaving the Pending card in any way takes its secret away.
func (w *walk) discard(b *tab) {
	first := b.Secret()
	w.proves(func() {
		b.Reload()
		if b.Path() != twoFactorPath {
			b.Visit(twoFactorPath)
		}
		if w.script {
			w.want(strings.Contains(b.Dialogs(), "beforeunload"), "the browser does not warn before leaving the card")
		}
		w.badge(b, "Not configured", "slate")
		w.want(!strings.Contains(b.Source(), first), "the discarded secret is still on the page")
	}, "If you reload the page")

	var second string
	w.proves(func() {
		second = w.enable(b)
		w.want(b.Count("svg.qr") == 1, "there is no QR code")
	}, "(or Enable two-factor on the management screen)")
	w.proves(func() { w.want(second != first, "the same secret was minted again") }, "Select Enable two-factor again to mint a fresh QR code")
	w.proves(func() {
		b.Click("My profile", sidebar)
		b.Visit(twoFactorPath)
		w.badge(b, "Not configured", "slate")
	}, "or navigate away")
}

// pending looks at the Pending card and returns its secret.
func (w *walk) pending(b *tab) string {
	secret := w.enable(b)
	w.proves(func() { w.badge(b, "Pending confirmation", "amber") }, "Pending confirmation (amber)")
	w.proves(func() {
		b.WaitFor("Step 1", card)
		b.WaitFor("Step 2", card)
		w.want(b.Count("svg.qr") == 1 && b.Count("#secret") == 1 && b.Count(sixDigitField) == 1, "the Pending card is not complete")
	}, "A QR code, the secret to copy, and a 6-digit code field")

	key := w.readKey(b)
	w.proves(func() {
		w.want(key.Get("secret") == secret, "the QR code holds the secret %q, the card shows %q", key.Get("secret"), secret)
	}, "The secret and QR produce the same account")
	if w.script {
		w.proves(func() {
			copied := b.CopyFromClipboard("Copy", card)
			w.want(copied == secret, "Copy gives %q, the secret is %q", copied, secret)
		}, "select Copy next to the secret")
	}

	other := w.open()
	w.proves(func() {
		w.signIn(other, ada)
		w.signedIn(other)
	}, "A pending enrolment does not protect your account", "does not block password sign-in")
	w.signOut(other)
	return secret
}

// readKey reads the QR code from the screen as an authenticator app does, and returns its parameters.
func (w *walk) readKey(b *tab) url.Values {
	var key *url.URL
	w.proves(func() {
		var err error
		key, err = url.Parse(scan(w.t, b.Screenshot("svg.qr")))
		b.must("read the QR code's address", err)
		w.want(key.Scheme == "otpauth" && key.Host == "totp", "the QR code holds no TOTP key but %s://%s", key.Scheme, key.Host)
		w.want(key.Path == "/Acme & Söhne + 100% #1:"+ada.email, "the label is %q", key.Path)
		w.want(key.Query().Get("issuer") == "Acme & Söhne + 100% #1", "the issuer is %q", key.Query().Get("issuer"))
		w.want(!strings.Contains(key.RawQuery, "+"), "apps would show the plus signs in %q", key.RawQuery)
	}, "scan the QR code under Step 1")
	values := key.Query()
	w.proves(func() {
		w.want(values.Get("period") == "" || values.Get("period") == "30", "the period is %q", values.Get("period"))
	}, "The code rotates every 30 seconds")
	w.want(values.Get("digits") == "" || values.Get("digits") == "6", "the digits are %q", values.Get("digits"))
	w.want(values.Get("algorithm") == "" || values.Get("algorithm") == "SHA1", "the algorithm is %q", values.Get("algorithm"))
	return values
}

// wrongCodes enters codes that must be refused; the card keeps the secret that was scanned already.
func (w *walk) wrongCodes(b *tab, p *phone) {
	qr := evaluate[string](b, `() => document.querySelector("svg.qr").outerHTML`)
	try := func(code string) {
		b.EnterCode(code, "Confirm and enable")
		w.refused(b, wrongCode)
		w.badge(b, "Pending confirmation", "amber")
		w.want(b.Secret() == p.secret, "a wrong code changes the secret")
		w.want(evaluate[string](b, `() => document.querySelector("svg.qr").outerHTML`) == qr, "a wrong code changes the QR code")
	}
	w.proves(func() { try(p.wrong()) }, "Your code is rejected with That code did not match")
	w.proves(func() {
		try(p.behind(2))
		b.WaitFor("behind", refusal)
		try(p.ahead(3))
		b.WaitFor("ahead", refusal)
	}, "roughly a minute of clock drift", "a clock more than ~1 minute off the server will fail")
	w.proves(func() {
		other := w.open()
		w.signIn(other, ada)
		w.signedIn(other)
	}, "only active once you complete the confirmation step below and the badge turns Enabled")
}

// activate confirms with the code of the previous time step and returns the recovery codes.
func (w *walk) activate(b *tab, p *phone) []string {
	b.WaitFor("Step 2", card)
	var codes []string
	w.proves(func() { codes = w.confirm(b, p.previous()) },
		"Under Step 2, enter the current 6-digit code", "Select Confirm and enable", "plus the one immediately before",
		"If a code is rejected, wait for the next one and try again", "Any TOTP-compatible app works", "The code rotates every 30 seconds")
	w.proves(func() {
		b.WaitFor(nowActive, success)
		seen := b.Colour(success)
		w.want(seen == "emerald", "the confirmation looks %s, not green", seen)
	}, "Two-factor authentication is now active. Save your recovery codes — they're shown once.")
	w.proves(func() { w.badge(b, "Enabled", "emerald") }, "Enabled (emerald)",
		"only active once you complete the confirmation step below and the badge turns Enabled")
	w.panel(b, codes)
	w.proves(func() { w.want(len(codes) == 8, "there are %d codes", len(codes)) }, "your recovery codes are displayed immediately")
	w.proves(func() {
		// Without JavaScript this sends the form again: it must do nothing a second time.
		b.Reload()
		b.KnowsNone(codes)
		w.badge(b, "Enabled", "emerald")
	}, "never displayed again")
	w.shownOnce(b, codes)
	w.proves(func() {
		today := time.Now().UTC()
		shown := strings.Join(b.Texts(card), " ")
		w.want(strings.Contains(shown, today.Format("2 Jan 2006")), "the date of today is not in %q", shown)
	}, "The date you confirmed")
	w.proves(func() { b.WaitFor("Regenerate recovery codes", card+" button") }, "a Regenerate recovery codes button")
	w.proves(func() {
		w.want(b.Count(card+" summary") == 1 && b.Count(card+" [name=password]") == 0, "the section to disable is not collapsed")
		b.WaitFor("Disable two-factor", card+" summary")
	}, "a collapsed Disable two-factor section")
	return codes
}

// panel looks at a panel with new recovery codes.
func (w *walk) panel(b *tab, codes []string) {
	w.proves(func() {
		b.Sees(savePanel)
		seen := b.Colour("section:has(#recovery-codes)")
		w.want(seen == "amber", "the panel looks %s, not amber", seen)
	}, "an amber Save these recovery codes — shown ONCE panel")
	w.proves(func() {
		for _, code := range codes {
			w.want(recoveryCode.MatchString(code), "the code %q is not XXXX-XXXX", code)
		}
	}, "Each code is formatted XXXX-XXXX")
	w.proves(func() {
		different := slices.Compact(slices.Sorted(slices.Values(codes)))
		w.want(len(codes) == 8 && len(different) == 8, "the codes are %d, %d of them different", len(codes), len(different))
	}, "Number of codes: 8")
	if w.script {
		w.proves(func() {
			copied := strings.Fields(b.CopyFromClipboard("Copy all codes"))
			w.want(slices.Equal(copied, codes), "Copy all codes gives %q, the panel shows %q", copied, codes)
		}, "Select Copy all codes")
	}
}

// shownOnce leaves the panel and finds its codes nowhere.
func (w *walk) shownOnce(b *tab, codes []string) {
	w.proves(func() {
		b.Click("My profile", sidebar)
		b.KnowsNone(codes)
		b.Back()
		b.KnowsNone(codes)
		b.Visit(twoFactorPath)
		b.KnowsNone(codes)
		w.badge(b, "Enabled", "emerald")
	}, "never displayed again")
}

// signInWithApp signs in twice with codes of the app, and meets the refusals on the way.
func (w *walk) signInWithApp(b *tab, p *phone) {
	used := p.codes(p.used, 1)[0]
	w.signOut(b)
	w.proves(func() {
		w.signIn(b, ada)
		w.want(b.Path() == "/signin/two-factor", "the password alone leads to %s", b.Path())
	}, "adds a second sign-in step", "every sign-in adds a verification step after your password is accepted")
	w.proves(func() { b.WaitFor("Two-factor verification", "h1") }, "Two-factor verification")
	w.proves(func() { b.Sees("Password accepted. Enter your code to continue.") }, "Password accepted. Enter your code to continue.")
	w.proves(func() {
		for _, path := range append(pages, twoFactorPath) {
			b.Visit(path)
			w.want(strings.HasPrefix(b.Path(), "/signin"), "with the password alone %s leads to %s", path, b.Path())
		}
		b.Visit("/signin/two-factor")
		w.atChallenge(b)
	}, "an attacker still needs the rotating 6-digit code to reach your account")
	w.proves(func() {
		w.enterCode(b, used)
		w.refused(b, wrongCode)
	}, "a stale code")
	w.proves(func() {
		w.enterCode(b, p.current())
		w.signedIn(b)
	}, "then Verify and sign in", "The server accepts the current code", "If a code is rejected, wait for the next one and try again")

	w.signOut(b)
	w.proves(func() {
		w.signIn(b, ada)
		w.atChallenge(b)
	}, "every sign-in adds a verification step after your password is accepted")
	w.enterCode(b, p.codes(p.used, 1)[0])
	w.refused(b, wrongCode)
	w.proves(func() {
		code := p.next()
		w.enterCode(b, code[:3]+" "+code[3:]) // as apps show it
		w.signedIn(b)
	}, "and after it")
}

// differentUser leaves the challenge.
func (w *walk) differentUser(b *tab) {
	w.signOut(b)
	w.signIn(b, ada)
	w.proves(func() {
		b.Click("Sign in as a different user")
		w.want(b.Path() == "/signin" && b.Count("[name=email]") == 1, "cancelling leads to %s", b.Path())
		b.Visit("/signin/two-factor")
		w.want(b.Path() == "/signin", "the cancelled challenge is still open at %s", b.Path())
	}, "Selecting Sign in as a different user")
}

// signInWithRecoveryCode uses two of the codes and returns those that are left.
func (w *walk) signInWithRecoveryCode(b *tab, codes []string) []string {
	w.signIn(b, ada)
	w.atChallenge(b)
	w.want(b.Count("[name=recovery_code]") == 0, "the field for a recovery code is open before it is asked for")
	w.proves(func() {
		b.Click(lostPhone)
		w.want(b.Count("[name=recovery_code]") == 1, "the field for a recovery code does not appear")
	}, "Select Lost your phone? Use a recovery code")
	w.proves(func() {
		w.enterRecoveryCode(b, codes[0])
		w.signedIn(b)
	}, "then Use recovery code", "Each code signs you in once if you lose your authenticator app", "You lost your phone and can't get a code")
	w.proves(func() {
		b.Sees("7 recovery codes left")
		w.signOut(b)
		w.signIn(b, ada)
		w.enterRecoveryCode(b, codes[0])
		w.refused(b, "That recovery code did not match")
	}, "a code is invalidated the moment it's used", "Using a recovery code consumes it permanently")

	// Typed from a printout: small letters, no hyphen.
	w.enterRecoveryCode(b, strings.ToLower(strings.ReplaceAll(codes[1], "-", "")))
	w.signedIn(b)
	b.Sees("6 recovery codes left")
	return codes[2:]
}

// regenerate replaces the codes behind the prompt: the old ones die, the new ones live.
func (w *walk) regenerate(b *tab, old []string) {
	w.proves(func() {
		b.Click("My profile", sidebar)
		b.Click("Manage")
		w.want(b.Path() == twoFactorPath, "Manage leads to %s", b.Path())
		b.WaitFor("Regenerate recovery codes", card+" button")
	}, "After signing in this way, open My profile")

	w.proves(func() {
		b.Click("Regenerate recovery codes", card)
		b.Sees(askNew)
		w.want(b.Count("#recovery-codes") == 0, "new codes appear before the prompt is confirmed")
	}, "Generate new recovery codes? Old codes will stop working immediately.")
	b.Click(confirmNew)
	codes := b.RecoveryCodes()
	w.panel(b, codes)
	w.proves(func() {
		w.want(len(codes) == 8, "there are %d codes", len(codes))
		for _, code := range old {
			w.want(!slices.Contains(codes, code), "the old code %s is in the new set", code)
		}
	}, "A new 8-code panel appears", "issue a fresh set of 8")
	w.shownOnce(b, codes)

	w.signOut(b)
	w.signIn(b, ada)
	w.proves(func() {
		w.enterRecoveryCode(b, old[0])
		w.refused(b, "That recovery code did not match")
	}, "this immediately invalidates the old set")
	w.proves(func() {
		w.enterRecoveryCode(b, codes[0])
		w.signedIn(b)
		b.Sees("7 recovery codes left")
	}, "The previous codes stop working at once, so re-save the new set")
}

// disable turns two-factor off: with a wrong password first, then with the right one.
func (w *walk) disable(b *tab) {
	b.Visit(twoFactorPath)
	w.proves(func() {
		b.Click("Disable two-factor", card)
		seen := b.Colour(card + " details")
		w.want(seen == "rose", "the section looks %s, not rose", seen)
	}, "Expand the rose Disable two-factor section")
	w.proves(func() {
		b.Fill("Current password", "not my password at all")
		b.Click("Disable two-factor", card+" form")
		w.refused(b, passwordIsNo)
		w.badge(b, "Enabled", "emerald")
	}, "Password did not match. Two-factor remains enabled.")

	w.proves(func() { b.Fill("Current password", ada.password) }, "Enter your Current password")
	w.proves(func() {
		b.Click("Disable two-factor", card+" form")
		w.badge(b, "Not configured", "slate")
		w.want(b.Count(success) == 1, "there is no confirmation")
	}, "Select Disable two-factor", "The card returns to the Not configured state and a confirmation appears")

	w.signOut(b)
	w.proves(func() {
		w.signIn(b, ada)
		w.signedIn(b)
	}, "removes the second sign-in step")
}

// --- the policy

// requiredByPolicy turns each lever and sees whom it stops, one person of each role.
func requiredByPolicy(w *walk) {
	boss := person{"Bea Boss", "bea@example.org", "window pepper glacier 12"}
	w.site.addPerson(boss, "super-administrator")
	chief := w.open()
	w.signIn(chief, boss)
	w.enrol(chief)
	w.site.addPerson(mia, "member")
	member := w.open()
	w.signIn(member, mia)
	w.signedIn(member)
	browsers := map[string]*tab{} // by role
	for _, a := range admins {
		w.site.addPerson(a.person, a.role)
		browsers[a.role] = w.open()
		w.signIn(browsers[a.role], a.person)
		w.signedIn(browsers[a.role])
	}

	w.turnLever(chief, "require_admins", "Require MFA for admins")
	w.proves(func() {
		member.Click("My profile", sidebar)
		w.want(member.Path() == "/my/profile", "a Member is stopped at %s", member.Path())
	}, "Require MFA for admins: not a Member")
	for _, a := range admins {
		w.proves(func() {
			browsers[a.role].Click("My profile", sidebar)
			w.stopped(browsers[a.role])
		}, a.words)
	}
	w.blockedEverywhere(browsers["it-administrator"], ines)
	w.freeOnceEnabled(browsers["administrator"], adam)

	w.turnLever(chief, "require_everyone", "Require MFA for everyone")
	w.proves(func() {
		member.Click("Home", sidebar)
		w.stopped(member)
	}, "Require MFA for everyone")
	w.proves(func() {
		phone, codes := w.enrol(member)
		w.want(phone.used > 0 && len(codes) == 8, "a Member has no codes")
		member.Visit("/my")
		w.signedIn(member)
	}, "No admin role is required; every user can enrol their own account")
}

// turnLever switches a lever on by the way that the guide tells.
func (w *walk) turnLever(b *tab, field, label string) {
	w.proves(func() {
		b.Visit("/my")
		b.WaitFor("Admin", sidebar)
		b.Click("Settings", sidebar)
		if b.Path() != "/admin/settings/security" {
			b.Click("Security")
		}
		w.want(b.Path() == "/admin/settings/security", "Security leads to %s", b.Path())
		b.Sees(label)
		b.Tick(field, true)
		b.Click(saveLevers)
		w.want(b.Count(success) == 1, "there is no confirmation")
	}, "from Admin → Settings → Security with either of two policy levers")
}

// stopped demands that the person stands before the screen with the message.
func (w *walk) stopped(b *tab) {
	w.t.Helper()
	if b.Path() != twoFactorPath {
		b.fail("the policy does not stop them")
	}
	b.Sees(required)
}

// blockedEverywhere tries every page and signing out as a stopped person.
func (w *walk) blockedEverywhere(b *tab, p person) {
	w.proves(func() {
		for _, path := range pages {
			b.Visit(path)
			w.stopped(b)
		}
	}, "redirects every page you open to My profile → Two-factor authentication",
		"Two-factor authentication is required by your organisation. Set it up to continue.")
	w.proves(func() { w.signOut(b) }, "sign out")
	w.proves(func() {
		w.signIn(b, p)
		w.stopped(b)
	}, "You can't sign out of the requirement")
}

// freeOnceEnabled enrols a stopped person, who then goes on at once, and disables to be stopped again.
func (w *walk) freeOnceEnabled(b *tab, p person) {
	w.stopped(b)
	var phone *phone
	w.proves(func() {
		phone = newPhone(w.t, w.enable(b))
		b.Sees(required)
	}, "You can still reach the enrolment steps")
	w.proves(func() {
		b.Visit("/admin/settings/general")
		w.stopped(b)
		phone = newPhone(w.t, w.enable(b))
		w.confirm(b, phone.previous())
		w.badge(b, "Enabled", "emerald")
		b.SeesNot(required)
		b.Click("Continue to where you were going")
		w.want(b.Path() == "/admin/settings/general", "the link leads on to %s", b.Path())
		b.Click("My profile", sidebar)
		w.want(b.Path() == "/my/profile", "My profile leads to %s", b.Path())
	}, "normal navigation stays blocked until the card shows Enabled", "Every page keeps redirecting you to this setup screen")

	w.signOut(b)
	w.proves(func() {
		w.signIn(b, p)
		w.atChallenge(b)
		w.enterCode(b, phone.current())
		w.signedIn(b)
	}, "and complete the login challenge")

	w.proves(func() {
		b.Visit(twoFactorPath)
		b.Click("Disable two-factor", card)
		b.Fill("Current password", p.password)
		b.Click("Disable two-factor", card+" form")
		w.badge(b, "Not configured", "slate")
		b.Click("Sign out") // reached: the page is not a trap
		w.signIn(b, p)
		w.stopped(b)
	}, "disabling it sends you straight back to this setup page on your next request")
}

// --- two tabs, two devices

// twoTabs lets one person do things twice in one browser: one effect, and cards that tell the truth.
func twoTabs(w *walk) {
	w.site.addPerson(mia, "member")
	first := w.open()
	w.signIn(first, mia)
	second := first.NewTab()

	// A page loaded in the second tab discards what is pending in the first.
	first.Visit(twoFactorPath)
	discarded := newPhone(w.t, w.enable(first))
	second.Visit("/my")
	w.proves(func() {
		first.EnterCode(discarded.code(), "Confirm and enable")
		w.refused(first, noPending)
		w.badge(first, "Not configured", "slate")
	}, `No pending enrollment. Click "Enable" to start over appears on confirm`, "or navigate away")
	var stale string
	w.proves(func() { stale = w.enable(first) }, "Select Enable two-factor again to mint a fresh QR code")

	// The second tab begins anew: the first tab's card is stale and enables nothing.
	second.Visit(twoFactorPath)
	w.badge(second, "Not configured", "slate")
	phone := newPhone(w.t, w.enable(second))
	w.want(phone.secret != stale, "the second tab was shown the first tab's secret")
	w.proves(func() {
		first.EnterCode(newPhone(w.t, stale).code(), "Confirm and enable")
		w.refused(first, wrongCode)
	}, "only active once you complete the confirmation step below and the badge turns Enabled")
	codes := w.confirm(second, phone.previous())

	// The first tab still shows a Pending card: neither its Confirm nor another Enable touches the factor.
	first.EnterCode(phone.current(), "Confirm and enable")
	w.badge(first, "Enabled", "emerald")
	first.KnowsNone(codes)

	// Both tabs turn it off: the second one finds it off, and says so.
	for _, tab := range []*tab{first, second} {
		tab.Visit(twoFactorPath)
		tab.Click("Disable two-factor", card)
		tab.Fill("Current password", mia.password)
	}
	first.Click("Disable two-factor", card+" form")
	w.badge(first, "Not configured", "slate")
	second.Click("Disable two-factor", card+" form")
	w.badge(second, "Not configured", "slate")
	w.signOut(second)
	w.signIn(second, mia)
	w.signedIn(second)
}

// twoDevices lets one person enrol and sign in on two devices at once.
func twoDevices(w *walk) {
	w.site.addPerson(mia, "member")
	laptop, tablet := w.open(), w.open()
	for _, device := range []*tab{laptop, tablet} {
		w.signIn(device, mia)
		device.Visit(twoFactorPath)
	}
	phone := newPhone(w.t, w.enable(laptop))
	other := newPhone(w.t, w.enable(tablet))
	w.want(phone.secret != other.secret, "both devices were shown one secret")
	codes := w.confirm(laptop, phone.previous())

	// Enabling ended the tablet's session: its Pending card leads to the sign-in and enables nothing.
	tablet.EnterCode(other.code(), "Confirm and enable")
	w.want(tablet.Path() == "/signin", "the other device is at %s", tablet.Path())

	// One code, two devices: it signs in on one of them only.
	w.signOut(laptop)
	for _, device := range []*tab{laptop, tablet} {
		w.signIn(device, mia)
		w.atChallenge(device)
	}
	code := phone.current()
	w.enterCode(laptop, code)
	w.signedIn(laptop)
	w.proves(func() {
		w.enterCode(tablet, code)
		w.refused(tablet, wrongCode)
	}, "a stale code")
	w.enterRecoveryCode(tablet, codes[0])
	w.signedIn(tablet)

	// And so does one recovery code.
	w.signOut(laptop)
	w.signIn(laptop, mia)
	w.proves(func() {
		w.enterRecoveryCode(laptop, codes[0])
		w.refused(laptop, "That recovery code did not match")
	}, "a code is invalidated the moment it's used")
	w.enterCode(laptop, phone.next())
	w.signedIn(laptop)
}

// Colour is the name of the guide's colour that an element wears: that of its background or, where this is
// plain, of its border or else of its text.
func (b *tab) Colour(selector string) string {
	b.t.Helper()
	b.WaitFor("", selector)
	hue := evaluate[float64](b, hueScript, selector)
	switch {
	case hue >= 195 && hue < 245:
		return "slate"
	case hue >= 20 && hue < 70:
		return "amber"
	case hue >= 130 && hue < 195:
		return "emerald"
	case hue >= 320 || hue >= 0 && hue < 20:
		return "rose"
	}
	return fmt.Sprintf("of the hue %.0f", hue)
}

// hueScript paints the element's colours on a canvas, whatever notation they are written in, and returns
// the hue in degrees of the first that has one; -1 when all are grey.
const hueScript = `(selector) => {
	const style = getComputedStyle(document.querySelector(selector));
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	for (const colour of [style.backgroundColor, style.borderTopColor, style.color]) {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = colour;
		canvas.fillRect(0, 0, 1, 1);
		const [r, g, b, opaque] = canvas.getImageData(0, 0, 1, 1).data;
		const most = Math.max(r, g, b), chroma = most - Math.min(r, g, b);
		if (opaque < 255 || chroma < 10) continue;
		const sixth = most === r ? ((g - b) / chroma) % 6 : most === g ? (b - r) / chroma + 2 : (r - g) / chroma + 4;
		return (sixth * 60 + 360) % 360;
	}
	return -1;
}`
