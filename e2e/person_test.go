package e2e

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// guideInOrder is the guide from its first to its last section, by the first Super-administrator.
func guideInOrder(w *walkthrough) {
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
func (w *walkthrough) setUpWorkspace(b *tab) {
	link := w.site.setupLink()
	w.prove(func() {
		b.Visit(twoFactorPath)
		w.want(b.Path() == "/signin", "signed out, the screen leads to %s", b.Path())
	}, "You need a signed-in account on the workspace")

	b.Visit(link)
	b.Fill("workspace", "Acme & Söhne + 100% #1")
	b.Fill("name", ada.name)
	b.Fill("email", ada.email)
	b.Fill("password", ada.password)
	b.Click(setUpButton)
	w.requireSignedIn(b)
	b.Sees("Acme & Söhne + 100% #1", ada.name)

	b.Visit(link)
	w.want(b.Status() == 404, "the set-up link answers %d a second time", b.Status())
	b.Visit("/my")
}

// notConfigured looks at the screen before anything was done, and goes there by both ways.
func (w *walkthrough) notConfigured(b *tab) {
	w.prove(func() {
		b.Visit(twoFactorPath)
		w.want(b.Path() == twoFactorPath, "the address leads to %s", b.Path())
		b.WaitFor("Authenticator app (TOTP)", card)
	}, "go straight to /my/profile/two-factor", "The Authenticator app (TOTP) card")
	w.prove(func() { w.requireBadge(b, "Not configured", "slate") }, "Not configured (slate)")
	w.prove(func() {
		w.want(b.Count(card+" p") > 0, "there is no explainer")
		b.WaitFor("Enable two-factor", card+" button")
	}, "A short explainer and an Enable two-factor button")
	w.prove(func() { b.DoesNotSee("Regenerate recovery codes") }, "(the card must show Enabled)")

	b.Visit("/my")
	w.prove(func() {
		b.Click("My profile", sidebar)
		w.want(b.Path() == "/my/profile", "My profile leads to %s", b.Path())
	}, "In the My portal sidebar, select My profile")
	w.prove(func() {
		b.Sees("Two-factor authentication")
		b.Click("Set up two-factor")
		w.requireBadge(b, "Pending confirmation", "amber")
		w.want(b.Count("svg.qr") == 1, "there is no QR code")
	}, "In the Two-factor authentication card, select Set up two-factor",
		"from the My portal under My profile → Two-factor authentication")
}

// discard shows that leaving the Pending card in any way takes its secret away.
func (w *walkthrough) discard(b *tab) {
	first := b.Secret()
	w.prove(func() {
		b.Reload()
		if b.Path() != twoFactorPath {
			b.Visit(twoFactorPath)
		}
		if w.script {
			w.want(strings.Contains(b.Dialogs(), "beforeunload"), "the browser does not warn before leaving the card")
		}
		w.requireBadge(b, "Not configured", "slate")
		w.want(!strings.Contains(b.Source(), first), "the discarded secret is still on the page")
	}, "If you reload the page")

	var second string
	w.prove(func() {
		second = w.enable(b)
		w.want(b.Count("svg.qr") == 1, "there is no QR code")
	}, "(or Enable two-factor on the management screen)")
	w.prove(func() { w.want(second != first, "the same secret was minted again") },
		"Select Enable two-factor again to mint a fresh QR code")
	w.prove(func() {
		b.Click("My profile", sidebar)
		b.Visit(twoFactorPath)
		w.requireBadge(b, "Not configured", "slate")
	}, "or navigate away")
}

// pending looks at the Pending card and returns its secret.
func (w *walkthrough) pending(b *tab) string {
	secret := w.enable(b)
	w.prove(func() { w.requireBadge(b, "Pending confirmation", "amber") }, "Pending confirmation (amber)")
	w.prove(func() {
		b.WaitFor("Step 1", card)
		b.WaitFor("Step 2", card)
		w.want(b.Count("svg.qr") == 1 && b.Count("#secret") == 1 && b.Count(sixDigitField) == 1,
			"the Pending card is not complete")
	}, "A QR code, the secret to copy, and a 6-digit code field")

	key := w.readKey(b)
	w.prove(func() {
		w.want(key.Get("secret") == secret, "the QR code holds the secret %q, the card shows %q", key.Get("secret"),
			secret)
	}, "The secret and QR produce the same account")
	if w.script {
		w.prove(func() {
			copied := b.CopyFromClipboard("Copy", card)
			w.want(copied == secret, "Copy gives %q, the secret is %q", copied, secret)
		}, "select Copy next to the secret")
	}

	other := w.open()
	w.prove(func() {
		w.signIn(other, ada)
		w.requireSignedIn(other)
	}, "A pending enrolment does not protect your account", "does not block password sign-in")
	w.signOut(other)
	return secret
}

// readKey reads the QR code from the screen as an authenticator app does, and returns its parameters.
func (w *walkthrough) readKey(b *tab) url.Values {
	var key *url.URL
	w.prove(func() {
		var err error
		key, err = url.Parse(scan(w.t, b.Screenshot("svg.qr")))
		b.must("read the QR code's address", err)
		w.want(key.Scheme == "otpauth" && key.Host == "totp", "the QR code holds no TOTP key but %s://%s", key.Scheme,
			key.Host)
		w.want(key.Path == "/Acme & Söhne + 100% #1:"+ada.email, "the label is %q", key.Path)
		w.want(key.Query().Get("issuer") == "Acme & Söhne + 100% #1", "the issuer is %q", key.Query().Get("issuer"))
		w.want(!strings.Contains(key.RawQuery, "+"), "apps would show the plus signs in %q", key.RawQuery)
	}, "scan the QR code under Step 1")
	values := key.Query()
	w.prove(func() {
		w.want(values.Get("period") == "" || values.Get("period") == "30", "the period is %q", values.Get("period"))
	}, "The code rotates every 30 seconds")
	w.want(values.Get("digits") == "" || values.Get("digits") == "6", "the digits are %q", values.Get("digits"))
	w.want(values.Get("algorithm") == "" || values.Get("algorithm") == "SHA1", "the algorithm is %q",
		values.Get("algorithm"))
	return values
}

// wrongCodes enters codes that must be refused; the card keeps the secret that was scanned already.
func (w *walkthrough) wrongCodes(b *tab, p *phone) {
	qr := evaluate[string](b, `() => document.querySelector("svg.qr").outerHTML`)
	try := func(code string) {
		b.EnterCode(code, "Confirm and enable")
		w.requireRefusal(b, wrongCode)
		w.requireBadge(b, "Pending confirmation", "amber")
		w.want(b.Secret() == p.secret, "a wrong code changes the secret")
		w.want(evaluate[string](b, `() => document.querySelector("svg.qr").outerHTML`) == qr,
			"a wrong code changes the QR code")
	}
	w.prove(func() { try(p.wrong()) }, "Your code is rejected with That code did not match")
	w.prove(func() {
		try(p.behind(2))
		b.WaitFor("behind", refusal)
		try(p.ahead(3))
		b.WaitFor("ahead", refusal)
	}, "roughly a minute of clock drift", "a clock more than ~1 minute off the server will fail")
	w.prove(func() {
		other := w.open()
		w.signIn(other, ada)
		w.requireSignedIn(other)
	}, "only active once you complete the confirmation step below and the badge turns Enabled")
}

// activate confirms with the code of the previous time step and returns the recovery codes.
func (w *walkthrough) activate(b *tab, p *phone) []string {
	b.WaitFor("Step 2", card)
	var codes []string
	w.prove(func() { codes = w.confirm(b, p.previous()) },
		"Under Step 2, enter the current 6-digit code", "Select Confirm and enable", "plus the one immediately before",
		"If a code is rejected, wait for the next one and try again", "Any TOTP-compatible app works",
		"The code rotates every 30 seconds")
	w.prove(func() {
		b.WaitFor(nowActive, success)
		seen := b.Colour(success)
		w.want(seen == "emerald", "the confirmation looks %s, not green", seen)
	}, "Two-factor authentication is now active. Save your recovery codes — they're shown once.")
	w.prove(func() { w.requireBadge(b, "Enabled", "emerald") }, "Enabled (emerald)",
		"only active once you complete the confirmation step below and the badge turns Enabled")
	w.panel(b, codes)
	w.prove(func() { w.want(len(codes) == 8, "there are %d codes", len(codes)) },
		"your recovery codes are displayed immediately")
	w.prove(func() {
		// Without JavaScript this sends the form again: it must do nothing a second time.
		b.Reload()
		b.HasNone(codes)
		w.requireBadge(b, "Enabled", "emerald")
	}, "never displayed again")
	w.shownOnce(b, codes)
	w.prove(func() {
		today := time.Now().UTC()
		shown := strings.Join(b.Texts(card), " ")
		w.want(strings.Contains(shown, today.Format("2 Jan 2006")), "the date of today is not in %q", shown)
	}, "The date you confirmed")
	w.prove(func() { b.WaitFor("Regenerate recovery codes", card+" button") }, "a Regenerate recovery codes button")
	w.prove(func() {
		w.want(b.Count(card+" .fold--rose") == 1 && b.Count(card+" details[open]") == 0 && b.Count(card+" [name=password]") == 0,
			"the section to disable is not collapsed")
		b.WaitFor("Disable two-factor", card+" summary")
	}, "a collapsed Disable two-factor section")
	return codes
}

// panel looks at a panel with new recovery codes.
func (w *walkthrough) panel(b *tab, codes []string) {
	w.prove(func() {
		b.Sees(savePanel)
		seen := b.Colour("section:has(#recovery-codes)")
		w.want(seen == "amber", "the panel looks %s, not amber", seen)
	}, "an amber Save these recovery codes — shown ONCE panel")
	w.prove(func() {
		for _, code := range codes {
			w.want(recoveryCode.MatchString(code), "the code %q is not XXXX-XXXX", code)
		}
	}, "Each code is formatted XXXX-XXXX")
	w.prove(func() {
		different := slices.Compact(slices.Sorted(slices.Values(codes)))
		w.want(len(codes) == 8 && len(different) == 8, "the codes are %d, %d of them different", len(codes),
			len(different))
	}, "Number of codes: 8")
	if w.script {
		w.prove(func() {
			copied := strings.Fields(b.CopyFromClipboard("Copy all codes"))
			w.want(slices.Equal(copied, codes), "Copy all codes gives %q, the panel shows %q", copied, codes)
		}, "Select Copy all codes")
	}
}

// shownOnce leaves the panel and finds its codes nowhere.
func (w *walkthrough) shownOnce(b *tab, codes []string) {
	w.prove(func() {
		b.Click("My profile", sidebar)
		b.HasNone(codes)
		b.Back()
		b.HasNone(codes)
		b.Visit(twoFactorPath)
		b.HasNone(codes)
		w.requireBadge(b, "Enabled", "emerald")
	}, "never displayed again")
}

// signInWithApp signs in twice with codes of the app, and meets the refusals on the way.
func (w *walkthrough) signInWithApp(b *tab, p *phone) {
	used := p.codes(p.used, 1)[0]
	w.signOut(b)
	w.prove(func() {
		w.signIn(b, ada)
		w.want(b.Path() == "/signin/two-factor", "the password alone leads to %s", b.Path())
	}, "adds a second sign-in step", "every sign-in adds a verification step after your password is accepted")
	w.prove(func() { b.WaitFor("Two-factor verification", "h1") }, "Two-factor verification")
	w.prove(func() { b.Sees("Password accepted. Enter your code to continue.") },
		"Password accepted. Enter your code to continue.")
	w.prove(func() {
		for _, path := range append(pages, twoFactorPath) {
			b.Visit(path)
			w.want(strings.HasPrefix(b.Path(), "/signin"), "with the password alone %s leads to %s", path, b.Path())
		}
		b.Visit("/signin/two-factor")
		w.requireChallenge(b)
	}, "an attacker still needs the rotating 6-digit code to reach your account")
	w.prove(func() {
		w.enterCode(b, used)
		w.requireRefusal(b, wrongCode)
	}, "a stale code")
	w.prove(func() {
		w.enterCode(b, p.current())
		w.requireSignedIn(b)
	}, "then Verify and sign in", "The server accepts the current code",
		"If a code is rejected, wait for the next one and try again")

	w.signOut(b)
	w.prove(func() {
		w.signIn(b, ada)
		w.requireChallenge(b)
	}, "every sign-in adds a verification step after your password is accepted")
	w.enterCode(b, p.codes(p.used, 1)[0])
	w.requireRefusal(b, wrongCode)
	w.prove(func() {
		code := p.next()
		w.enterCode(b, code[:3]+" "+code[3:]) // as apps show it
		w.requireSignedIn(b)
	}, "and after it")
}

// differentUser leaves the challenge.
func (w *walkthrough) differentUser(b *tab) {
	w.signOut(b)
	w.signIn(b, ada)
	w.prove(func() {
		b.Click("Sign in as a different user")
		w.want(b.Path() == "/signin" && b.Count("[name=email]") == 1, "cancelling leads to %s", b.Path())
		b.Visit("/signin/two-factor")
		w.want(b.Path() == "/signin", "the cancelled challenge is still open at %s", b.Path())
	}, "Selecting Sign in as a different user")
}

// signInWithRecoveryCode uses two of the codes and returns those that are left.
func (w *walkthrough) signInWithRecoveryCode(b *tab, codes []string) []string {
	w.signIn(b, ada)
	w.requireChallenge(b)
	w.want(b.Count("[name=recovery_code]") == 0, "the field for a recovery code is open before it is asked for")
	w.prove(func() {
		b.Click(lostPhone)
		w.want(b.Count("[name=recovery_code]") == 1, "the field for a recovery code does not appear")
	}, "Select Lost your phone? Use a recovery code")
	w.prove(func() {
		w.enterRecoveryCode(b, codes[0])
		w.requireSignedIn(b)
	}, "then Use recovery code", "Each code signs you in once if you lose your authenticator app",
		"You lost your phone and can't get a code")
	w.prove(func() {
		b.Sees("7 recovery codes left")
		w.signOut(b)
		w.signIn(b, ada)
		w.enterRecoveryCode(b, codes[0])
		w.requireRefusal(b, wrongCode)
	}, "a code is invalidated the moment it's used", "Using a recovery code consumes it permanently")

	// Typed from a printout: small letters, no hyphen.
	w.enterRecoveryCode(b, strings.ToLower(strings.ReplaceAll(codes[1], "-", "")))
	w.requireSignedIn(b)
	b.Sees("6 recovery codes left")
	return codes[2:]
}

// regenerate replaces the codes behind the prompt: the old ones die, the new ones live.
func (w *walkthrough) regenerate(b *tab, old []string) {
	w.prove(func() {
		b.Click("My profile", sidebar)
		b.Click("Manage")
		w.want(b.Path() == twoFactorPath, "Manage leads to %s", b.Path())
		b.WaitFor("Regenerate recovery codes", card+" button")
	}, "After signing in this way, open My profile")

	w.prove(func() {
		b.Click("Regenerate recovery codes", card)
		b.Sees(regeneratePrompt)
		w.want(b.Count("#recovery-codes") == 0, "new codes appear before the prompt is confirmed")
	}, "Generate new recovery codes? Old codes will stop working immediately.")
	b.Click(confirmNew)
	codes := b.RecoveryCodes()
	w.panel(b, codes)
	w.prove(func() {
		w.want(len(codes) == 8, "there are %d codes", len(codes))
		for _, code := range old {
			w.want(!slices.Contains(codes, code), "the old code %s is in the new set", code)
		}
	}, "A new 8-code panel appears", "issue a fresh set of 8")
	w.shownOnce(b, codes)

	w.signOut(b)
	w.signIn(b, ada)
	w.prove(func() {
		w.enterRecoveryCode(b, old[0])
		w.requireRefusal(b, wrongCode)
	}, "this immediately invalidates the old set")
	w.prove(func() {
		w.enterRecoveryCode(b, codes[0])
		w.requireSignedIn(b)
		b.Sees("7 recovery codes left")
	}, "The previous codes stop working at once, so re-save the new set")
}

// disable turns two-factor off: with a wrong password first, then with the right one.
func (w *walkthrough) disable(b *tab) {
	b.Visit(twoFactorPath)
	w.prove(func() {
		b.Click("Disable two-factor", card)
		seen := b.Colour(card + " details:last-of-type")
		w.want(seen == "rose", "the section looks %s, not rose", seen)
	}, "Expand the rose Disable two-factor section")
	w.prove(func() {
		b.Fill("Current password", "not my password at all")
		b.Click("Disable two-factor", card+" form")
		w.requireRefusal(b, wrongPassword)
		w.requireBadge(b, "Enabled", "emerald")
	}, "Password did not match. Two-factor remains enabled.")

	w.prove(func() { b.Fill("Current password", ada.password) }, "Enter your Current password")
	w.prove(func() {
		b.Click("Disable two-factor", card+" form")
		w.requireBadge(b, "Not configured", "slate")
		w.want(b.Count(success) == 1, "there is no confirmation")
	}, "Select Disable two-factor", "The card returns to the Not configured state and a confirmation appears")

	w.signOut(b)
	w.prove(func() {
		w.signIn(b, ada)
		w.requireSignedIn(b)
	}, "removes the second sign-in step")
}
