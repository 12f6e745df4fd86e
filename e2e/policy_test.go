package e2e

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
		w.confirm(b, phone.code())
		w.badge(b, "Enabled", "emerald")
		b.SeesNot(required)
		b.Click(leadOn)
		w.want(b.Path() == "/admin/settings/general", "the link leads on to %s", b.Path())
		b.Click("My profile", sidebar)
		w.want(b.Path() == "/my/profile", "My profile leads to %s", b.Path())
	}, "normal navigation stays blocked until the card shows Enabled",
		"Every page keeps redirecting you to this setup screen")

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
