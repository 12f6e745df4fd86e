package e2e

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
	codes := w.confirm(second, phone.code())

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
	codes := w.confirm(laptop, phone.code())

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
		w.refused(laptop, wrongCode)
	}, "a code is invalidated the moment it's used")
	w.enterCode(laptop, phone.next())
	w.signedIn(laptop)
}
