package e2e

// requiredByPolicy turns each setting on and sees whom it stops, one person of each role.
func requiredByPolicy(w *walkthrough) {
	boss := person{"Bea Boss", "bea@example.org", "window pepper glacier 12"}
	w.site.addPerson(boss, "super-administrator")
	chief := w.open()
	w.signIn(chief, boss)
	w.enrol(chief)
	w.site.addPerson(mia, "member")
	member := w.open()
	w.signIn(member, mia)
	w.requireSignedIn(member)
	browsers := map[string]*tab{} // by role
	for _, a := range admins {
		w.site.addPerson(a.person, a.role)
		browsers[a.role] = w.open()
		w.signIn(browsers[a.role], a.person)
		w.requireSignedIn(browsers[a.role])
	}

	w.setPolicy(chief, "require_admins", "Require MFA for admins")
	w.prove(func() {
		member.Click("My profile", sidebar)
		w.want(member.Path() == "/my/profile", "a Member is stopped at %s", member.Path())
	}, "Require MFA for admins: not a Member")
	for _, a := range admins {
		w.prove(func() {
			browsers[a.role].Click("My profile", sidebar)
			w.stopped(browsers[a.role])
		}, a.words)
	}
	w.blockedEverywhere(browsers["it-administrator"], ines)
	w.freeOnceEnabled(browsers["administrator"], adam)

	w.setPolicy(chief, "require_everyone", "Require MFA for everyone")
	w.prove(func() {
		member.Click("Home", sidebar)
		w.stopped(member)
	}, "Require MFA for everyone")
	w.prove(func() {
		phone, codes := w.enrol(member)
		w.want(phone.used > 0 && len(codes) == 8, "a Member has no codes")
		member.Visit("/my")
		w.requireSignedIn(member)
	}, "No admin role is required; every user can enrol their own account")
}

// setPolicy turns a setting on in the way that the guide describes.
func (w *walkthrough) setPolicy(b *tab, field, label string) {
	w.prove(func() {
		b.Visit("/my")
		b.WaitFor("Admin", sidebar)
		b.Click("Settings", sidebar)
		if b.Path() != "/admin/settings/security" {
			b.Click("Security")
		}
		w.want(b.Path() == "/admin/settings/security", "Security leads to %s", b.Path())
		b.Sees(label)
		b.Tick(field, true)
		b.Click(savePolicy)
		w.want(b.Count(success) == 1, "there is no confirmation")
	}, "from Admin → Settings → Security with either of two policy levers")
}

// stopped demands that the person stands before the screen with the message.
func (w *walkthrough) stopped(b *tab) {
	w.t.Helper()
	if b.Path() != twoFactorPath {
		b.fail("the policy does not stop them")
	}
	b.Sees(required)
}

// blockedEverywhere tries every page and signing out as a stopped person.
func (w *walkthrough) blockedEverywhere(b *tab, p person) {
	w.prove(func() {
		for _, path := range pages {
			b.Visit(path)
			w.stopped(b)
		}
	}, "redirects every page you open to My profile → Two-factor authentication",
		"Two-factor authentication is required by your organisation. Set it up to continue.")
	w.prove(func() { w.signOut(b) }, "sign out")
	w.prove(func() {
		w.signIn(b, p)
		w.stopped(b)
	}, "You can't sign out of the requirement")
}

// freeOnceEnabled enrols a stopped person, who then goes on at once, and disables to be stopped again.
func (w *walkthrough) freeOnceEnabled(b *tab, p person) {
	w.stopped(b)
	var phone *phone
	w.prove(func() {
		phone = newPhone(w.t, w.enable(b))
		b.Sees(required)
	}, "You can still reach the enrolment steps")
	w.prove(func() {
		b.Visit("/admin/settings/general")
		w.stopped(b)
		phone = newPhone(w.t, w.enable(b))
		w.confirm(b, phone.code())
		w.requireBadge(b, "Enabled", "emerald")
		b.DoesNotSee(required)
		b.Click(continueButton)
		w.want(b.Path() == "/admin/settings/general", "the link leads on to %s", b.Path())
		b.Click("My profile", sidebar)
		w.want(b.Path() == "/my/profile", "My profile leads to %s", b.Path())
	}, "normal navigation stays blocked until the card shows Enabled",
		"Every page keeps redirecting you to this setup screen")

	w.signOut(b)
	w.prove(func() {
		w.signIn(b, p)
		w.requireChallenge(b)
		w.enterCode(b, phone.current())
		w.requireSignedIn(b)
	}, "and complete the login challenge")

	w.prove(func() {
		b.Visit(twoFactorPath)
		b.Click("Disable two-factor", card)
		b.Fill("Current password", p.password)
		b.Click("Disable two-factor", card+" form")
		w.requireBadge(b, "Not configured", "slate")
		b.Click("Sign out") // reached: the page is not a trap
		w.signIn(b, p)
		w.stopped(b)
	}, "disabling it sends you straight back to this setup page on your next request")
}
