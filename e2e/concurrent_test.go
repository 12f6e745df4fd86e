package e2e

// twoTabs lets one person do things twice in one browser: one effect, and cards that tell the truth.
func twoTabs(w *walkthrough) {
	w.site.addPerson(mia, "member")
	first := w.open()
	w.signIn(first, mia)
	second := first.NewTab()

	// A page loaded in the second tab discards what is pending in the first.
	first.Visit(twoFactorPath)
	discarded := newPhone(w.t, w.enable(first))
	second.Visit("/my")
	w.prove(func() {
		first.EnterCode(discarded.code(), "Confirm and enable")
		w.requireRefusal(first, noPending)
		w.requireBadge(first, "Not configured", "slate")
	}, `No pending enrollment. Click "Enable" to start over appears on confirm`, "or navigate away")
	var stale string
	w.prove(func() { stale = w.enable(first) }, "Select Enable two-factor again to mint a fresh QR code")

	// The second tab begins anew: the first tab's card is stale and enables nothing.
	second.Visit(twoFactorPath)
	w.requireBadge(second, "Not configured", "slate")
	phone := newPhone(w.t, w.enable(second))
	w.want(phone.secret != stale, "the second tab was shown the first tab's secret")
	w.prove(func() {
		first.EnterCode(newPhone(w.t, stale).code(), "Confirm and enable")
		w.requireRefusal(first, wrongCode)
	}, "only active once you complete the confirmation step below and the badge turns Enabled")
	codes := w.confirm(second, phone.code())

	// The first tab still shows a Pending card: neither its Confirm nor another Enable touches the factor.
	first.EnterCode(phone.current(), "Confirm and enable")
	w.requireBadge(first, "Enabled", "emerald")
	first.HasNone(codes)

	// Both tabs turn it off: the second one finds it off, and says so.
	for _, tab := range []*tab{first, second} {
		tab.Visit(twoFactorPath)
		tab.Click("Disable two-factor", card)
		tab.Fill("Current password", mia.password)
	}
	first.Click("Disable two-factor", card+" form")
	w.requireBadge(first, "Not configured", "slate")
	second.Click("Disable two-factor", card+" form")
	w.requireBadge(second, "Not configured", "slate")
	w.signOut(second)
	w.signIn(second, mia)
	w.requireSignedIn(second)
}

// twoDevices lets one person enrol and sign in on two devices at once.
func twoDevices(w *walkthrough) {
	w.site.addPerson(mia, "member")
	laptop, tablet := w.open(), w.open()
	for _, device := range []*tab{laptop, tablet} {
		w.signIn(device, mia)
		device.Visit(twoFactorPath)
	}
	phone := newPhone(w.t, w.enable(laptop))
	other := newPhone(w.t, w.enable(tablet))
	w.want(phone.secret != other.secret, "both devices were shown one secret")
	codes := w.confirm(laptop, phone.code())

	// Enabling ended the tablet's session: its Pending card leads to the sign-in and enables nothing.
	tablet.EnterCode(other.code(), "Confirm and enable")
	w.want(tablet.Path() == "/signin", "the other device is at %s", tablet.Path())

	// One code, two devices: it signs in on one of them only.
	w.signOut(laptop)
	for _, device := range []*tab{laptop, tablet} {
		w.signIn(device, mia)
		w.requireChallenge(device)
	}
	code := phone.current()
	w.enterCode(laptop, code)
	w.requireSignedIn(laptop)
	w.prove(func() {
		w.enterCode(tablet, code)
		w.requireRefusal(tablet, wrongCode)
	}, "a stale code")
	w.enterRecoveryCode(tablet, codes[0])
	w.requireSignedIn(tablet)

	// And so does one recovery code.
	w.signOut(laptop)
	w.signIn(laptop, mia)
	w.prove(func() {
		w.enterRecoveryCode(laptop, codes[0])
		w.requireRefusal(laptop, wrongCode)
	}, "a code is invalidated the moment it's used")
	w.enterCode(laptop, phone.next())
	w.requireSignedIn(laptop)
}
