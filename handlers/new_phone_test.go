package handlers_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

const (
	replacePath = "/my/profile/two-factor/replace"
	confirmPath = "/my/profile/two-factor/confirm"
	checkCode   = "/my/profile/two-factor/check"
)

// signsIn demands that a code passes the challenge, or does not.
func (s *site) signsIn(t *testing.T, email, code string, does bool) {
	t.Helper()
	b := s.challenged(email)
	if a := b.post("/signin/two-factor", "code", code); does {
		a.wantRedirect("/my")
	} else {
		a.wantStatus(422, "That code did not match")
	}
}

// TestNewPhone moves the app to a new phone: the old one signs in until the new one's code is
// confirmed, and from then on only the new one does; the recovery codes stay, all other
// sessions end, and the person is told.
func TestNewPhone(t *testing.T) {
	t.Parallel()
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := newSite(t)
		s.add("ada@example.org", twofactor.Member)
		b, old, codes := s.enrolled("ada@example.org")
		s.advance(time.Minute)
		other := s.challenged("ada@example.org")
		other.post("/signin/two-factor", "code", s.code(old)).wantRedirect("/my")
		b.htmx = htmx
		pending := b.post(replacePath).wantStatus(200, "Set up a new phone.", "Enabled", "Pending confirmation", "Step 1",
			"Confirm new phone", "Keep the old phone", "otpauth").wantNot("Nothing is protected yet", "Confirm and enable")
		isCard(t, pending, htmx)
		secret := pending.secret()
		if secret == old {
			t.Fatal("the secret is the old one")
		}
		s.advance(time.Minute)
		s.signsIn(t, "ada@example.org", s.code(secret), false)
		s.signsIn(t, "ada@example.org", s.code(old), true)
		if wrong := b.post(confirmPath, "new_phone", "yes", "code", "000000").
			wantStatus(422, "That code did not match", "Confirm new phone"); wrong.secret() != secret {
			t.Error("a wrong code changed the secret")
		}
		b.post(confirmPath, "code", s.code(old)).wantStatus(422, "That code did not match")
		before := b.cookies["gatehouse"]
		done := b.post(confirmPath, "new_phone", "yes", "code", s.code(secret)).wantStatus(200,
			"Your new phone is set up. Codes from the old one no longer work.", "Regenerate recovery codes").
			wantNot("Pending confirmation", "shown ONCE", secret)
		isCard(t, done, htmx)
		if b.cookies["gatehouse"] == before {
			t.Error("the session kept its id")
		}
		b.htmx = false
		b.get("/my").wantStatus(200)
		other.get("/my").wantRedirect("/signin")

		s.signsIn(t, "ada@example.org", s.code(secret), false) // it has confirmed already
		s.advance(time.Minute)
		s.signsIn(t, "ada@example.org", s.code(old), false)
		s.signsIn(t, "ada@example.org", s.code(secret), true)
		again := s.challenged("ada@example.org")
		again.post("/signin/two-factor/recovery", "recovery_code", codes[0]).wantRedirect("/my")
		told := s.challenged("ada@example.org")
		s.advance(time.Minute)
		told.post("/signin/two-factor", "code", s.code(secret)).wantRedirect("/my")
		if n := s.events(account.FactorExchanged); n != 1 {
			t.Errorf("%d rows of activity", n)
		}
	})
}

// TestNewPhoneIsToldAtTheNextSignIn signs in after the exchange.
func TestNewPhoneIsToldAtTheNextSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b, _, _ := s.enrolled("ada@example.org")
	secret := b.post(replacePath).secret()
	b.post(confirmPath, "code", s.code(secret)).wantStatus(200)
	s.advance(time.Minute)
	next := s.challenged("ada@example.org")
	next.post("/signin/two-factor", "code", s.code(secret)).wantRedirect("/my")
	next.get("/my").wantStatus(200, "Your authenticator app was moved to a new phone")
	next.get("/my/profile").wantStatus(200, "Authenticator app moved to a new phone")
}

// TestNewPhoneIsDiscarded discards the new phone's secret in every way that the guide has for
// a pending one: each leaves the old phone as it is.
func TestNewPhoneIsDiscarded(t *testing.T) {
	t.Parallel()
	for name, discard := range map[string]func(s *site, b *browser){
		"by a reload":     func(_ *site, b *browser) { b.get("/my/profile/two-factor").wantStatus(200, "Set up a new phone") },
		"by another page": func(_ *site, b *browser) { b.get("/my").wantStatus(200) },
		"by keeping the old phone": func(_ *site, b *browser) {
			b.post(replacePath+"/cancel").wantStatus(200, "Enabled").wantNot("Pending confirmation")
		},
		"after ten minutes": func(s *site, _ *browser) { s.advance(10 * time.Minute) },
		"by the fifth wrong code": func(_ *site, b *browser) {
			for range 4 {
				b.post(confirmPath, "new_phone", "yes", "code", "000000").wantStatus(422, "Confirm new phone")
			}
			b.post(confirmPath, "new_phone", "yes", "code", "000000").
				wantStatus(422, "That was the last try for this QR code.", "The app that you have confirmed keeps working.",
					"Set up a new phone").wantNot("Pending confirmation", "Enable two-factor")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.add("ada@example.org", twofactor.Member)
			b, old, codes := s.enrolled("ada@example.org")
			secret := b.post(replacePath).wantStatus(200).secret()
			discard(s, b)
			b.post(confirmPath, "new_phone", "yes", "code", s.code(secret)).
				wantStatus(422, "This QR code is no longer valid.", "Set up a new phone").wantNot("Pending confirmation", "Click")
			b.get("/my/profile/two-factor").wantStatus(200, "Disable two-factor")
			s.advance(time.Minute)
			s.signsIn(t, "ada@example.org", s.code(secret), false)
			s.signsIn(t, "ada@example.org", s.code(old), true)
			s.challenged("ada@example.org").post("/signin/two-factor/recovery", "recovery_code", codes[0]).wantRedirect("/my")
		})
	}
}

// TestNewPhoneAsksForAProof begins an exchange sixteen minutes after the sign-in: nothing
// happens before the password is given, and the QR code comes with it.
func TestNewPhoneAsksForAProof(t *testing.T) {
	t.Parallel()
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := newSite(t)
		s.add("ada@example.org", twofactor.Member)
		b, _, _ := s.enrolled("ada@example.org")
		b.htmx = htmx
		s.advance(16 * time.Minute)
		b.post(replacePath+"?next=%2Fmy%2Fprofile").wantStatus(200, "Confirm it's you", "next=%2Fmy%2Fprofile").wantNot("otpauth")
		b.post(replacePath, "password", "something else").wantStatus(422, "Password did not match.").wantNot("otpauth")
		b.htmx = false // the panel's form is no card's
		b.post(replacePath, "password", dbtest.Password).wantStatus(200, "otpauth", "Confirm new phone")
	})
}

// TestNewPhoneUnderAPolicy exchanges while the policy stops whoever has no factor: nobody is
// stopped on the way.
func TestNewPhoneUnderAPolicy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b, _, _ := s.enrolled("ada@example.org")
	s.requireEverybody()
	secret := b.post(replacePath).wantStatus(200, "Confirm new phone").wantNot("required by your organisation").secret()
	tab := b.clone()
	tab.get("/my/profile").wantStatus(200)
	b.post(confirmPath, "new_phone", "yes", "code", s.code(secret)).wantStatus(422, "no longer valid") // by the other tab
	secret = b.post(replacePath).wantStatus(200).secret()
	b.post(confirmPath, "new_phone", "yes", "code", s.code(secret)).wantStatus(200, "Your new phone is set up.").
		wantNot("required by your organisation")
	b.get("/my").wantStatus(200)
}

// TestNewPhoneNeedsAnOldOne asks for a new phone without the app.
func TestNewPhoneNeedsAnOldOne(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b := s.signedIn("ada@example.org")
	b.post(replacePath).wantStatus(422, "Two-factor authentication is not enabled.", "Enable two-factor").wantNot("otpauth")
	b.post(confirmPath, "new_phone", "yes", "code", "123456").wantStatus(422, `No pending enrollment. Click "Enable" to start over`)
	b.post(replacePath + "/cancel").wantStatus(200)
	s.requireEverybody()
	b.post(replacePath).wantRedirect("/my/profile/two-factor")
}

// TestNewPhoneOnTwoDevices begins on two devices: the one that confirms first ends the other.
func TestNewPhoneOnTwoDevices(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	laptop, old, _ := s.enrolled("ada@example.org")
	s.advance(time.Minute)
	tablet := s.challenged("ada@example.org")
	tablet.post("/signin/two-factor", "code", s.code(old)).wantRedirect("/my")
	first, second := laptop.post(replacePath).secret(), tablet.post(replacePath).secret()
	if first == second {
		t.Fatal("two devices were given one secret")
	}
	laptop.post(confirmPath, "new_phone", "yes", "code", s.code(second)).wantStatus(422)
	tablet.post(confirmPath, "new_phone", "yes", "code", s.code(second)).wantStatus(200, "Your new phone is set up.")
	laptop.post(confirmPath, "new_phone", "yes", "code", s.code(first)).wantRedirect("/signin?next=%2Fmy%2Fprofile%2Ftwo-factor")
	s.advance(time.Minute)
	s.signsIn(t, "ada@example.org", s.code(first), false)
	s.signsIn(t, "ada@example.org", s.code(second), true)
}

// TestDisablingEndsANewPhone disables in one tab while another sets up a new phone: its QR
// code turns nothing on again.
func TestDisablingEndsANewPhone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b, _, _ := s.enrolled("ada@example.org")
	secret := b.post(replacePath).secret()
	b.post("/my/profile/two-factor/disable", "password", dbtest.Password).wantStatus(200, "Not configured")
	b.post(confirmPath, "new_phone", "yes", "code", s.code(secret)).
		wantStatus(422, `No pending enrollment. Click "Enable" to start over`, "Not configured")
}

// TestManyConfirmANewPhone posts one right code 64 times at once: one exchange, and one row.
func TestManyConfirmANewPhone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b, _, _ := s.enrolled("ada@example.org")
	code := s.code(b.post(replacePath).secret())
	var all sync.WaitGroup
	var lock sync.Mutex
	done := 0
	for range 64 {
		tab := b.clone()
		all.Go(func() {
			a := tab.post(confirmPath, "new_phone", "yes", "code", code)
			lock.Lock()
			defer lock.Unlock()
			if strings.Contains(a.text(), "Your new phone is set up.") {
				done++
			}
		})
	}
	all.Wait()
	if rows := s.events(account.FactorExchanged); done != 1 || rows != 1 {
		t.Errorf("%d exchanges, %d rows", done, rows)
	}
}

// TestCheckASavedCode checks codes: a right one stays unused, a wrong one counts like one at
// the sign-in, and no answer repeats what was typed.
func TestCheckASavedCode(t *testing.T) {
	t.Parallel()
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := newSite(t)
		s.add("ada@example.org", twofactor.Member)
		b, _, codes := s.enrolled("ada@example.org")
		b.get("/my/profile/two-factor").wantStatus(200, "Check a saved code")
		b.htmx = htmx
		for range 3 {
			good := b.post(checkCode, "recovery_code", strings.ToLower(codes[2])).
				wantStatus(200, "That code works, and stays unused.", "8 unused codes").wantNot(codes[2])
			isCard(t, good, htmx)
		}
		wrong := b.post(checkCode, "recovery_code", "0000-0000").
			wantStatus(422, "That code did not match", `id="check-error"`).wantNot("0000-0000")
		isCard(t, wrong, htmx)
		b.post(checkCode).wantStatus(422, "That code did not match")
		s.challenged("ada@example.org").post("/signin/two-factor/recovery", "recovery_code", codes[2]).wantRedirect("/my")
		b.post(checkCode, "recovery_code", codes[2]).wantStatus(422, "That code did not match")
		b.post(checkCode, "recovery_code", codes[3]).wantStatus(200, "7 unused codes")
		if n := s.events(account.CodeChecked); n != 7 {
			t.Errorf("%d rows of activity", n)
		}
		b.htmx = false
		b.get("/my/profile").wantStatus(200, "Recovery code checked", "Wrong recovery code at a check")
	})
}

// TestCheckingIsNoWayToGuess has the check and the sign-in count together.
func TestCheckingIsNoWayToGuess(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b, _, codes := s.enrolled("ada@example.org")
	waited := false
	for range 6 {
		waited = waited || b.post(checkCode, "recovery_code", "0000-0000").status == 429
	}
	if !waited {
		t.Fatal("six wrong codes cost no wait")
	}
	b.post(checkCode, "recovery_code", codes[0]).wantStatus(429, "Too many tries.", `id="check-error"`)
	s.challenged("ada@example.org").post("/signin/two-factor/recovery", "recovery_code", codes[0]).wantStatus(429)
	s.advance(time.Hour)
	b = s.challenged("ada@example.org")
	b.post("/signin/two-factor/recovery", "recovery_code", codes[0]).wantRedirect("/my")
}

// TestCheckWithoutCodes checks a code of somebody who has none, and one of somebody else's.
func TestCheckWithoutCodes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	s.add("bob@example.org", twofactor.Member)
	_, _, codes := s.enrolled("ada@example.org")
	b := s.signedIn("bob@example.org")
	b.post(checkCode, "recovery_code", codes[0]).wantStatus(422, "Two-factor authentication is not enabled.")
	bob, _, _ := s.enrolled("bob@example.org")
	bob.post(checkCode, "recovery_code", codes[0]).wantStatus(422, "That code did not match")
}

// TestAskedForCodes comes half a year after the codes were made, used or checked: the card
// asks once in a month whether they are still there, and only whoever opens the page.
func TestAskedForCodes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	_, secret, codes := s.enrolled("ada@example.org")
	const question = "Do you still have your codes?"
	opens := func() *browser {
		s.t.Helper()
		s.advance(time.Minute) // a time step counts once
		b := s.challenged("ada@example.org")
		b.post("/signin/two-factor", "code", s.code(secret)).wantRedirect("/my")
		return b
	}
	card := func(asks bool) *browser {
		t.Helper()
		b := opens()
		if a := b.get("/my/profile/two-factor").wantStatus(200); asks {
			a.wantStatus(200, question)
		} else {
			a.wantNot(question)
		}
		return b
	}
	const day = 24 * time.Hour
	s.advance(179 * day)
	card(false)
	s.advance(day)
	b := opens()
	b.htmx = true
	b.get("/my/profile/two-factor").wantNot(question) // nobody has opened the page
	card(true)
	s.advance(time.Hour)
	card(false)
	s.advance(29 * day)
	card(false)
	s.advance(day)
	b = card(true)
	b.post(checkCode, "recovery_code", codes[0]).wantStatus(200, "That code works").wantNot(question)
	s.advance(31 * day)
	card(false)
	s.advance(150 * day)
	card(true)
	s.challenged("ada@example.org").post("/signin/two-factor/recovery", "recovery_code", codes[0]).wantRedirect("/my")
	s.advance(100 * day)
	card(false)
}

// requireEverybody turns the policy on.
func (s *site) requireEverybody() {
	s.t.Helper()
	if err := s.store.SetPolicy(ctx, twofactor.Policy{Everyone: true}, byMachine, s.now); err != nil {
		s.t.Fatal(err)
	}
}
