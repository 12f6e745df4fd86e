package handlers_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// withAndWithoutHTMX runs a test as a browser with htmx and as one without script.
func withAndWithoutHTMX(t *testing.T, do func(t *testing.T, htmx bool)) {
	t.Run("with htmx", func(t *testing.T) { do(t, true) })
	t.Run("without script", func(t *testing.T) { do(t, false) })
}

// isCard checks that htmx gets the fragment and a browser the whole page.
func isCard(t *testing.T, a answer, htmx bool) {
	t.Helper()
	if whole := strings.Contains(a.body, "<html"); whole == htmx {
		t.Errorf("a whole page: %v, with htmx: %v", whole, htmx)
	}
	if !strings.Contains(a.body, `id="two-factor"`) {
		t.Errorf("no card in:\n%s", a.body)
	}
}

func TestEnrolment(t *testing.T) {
	t.Parallel()
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := newSite(t)
		s.add("ada@example.org", twofactor.Member)
		b := s.signedIn("ada@example.org")
		b.get("/my/profile/two-factor").wantStatus(200, "Not configured", "Enable two-factor").wantNot("otpauth")

		b.htmx = htmx
		pending := b.post("/my/profile/two-factor/enable").
			wantStatus(200, "Pending confirmation", "Step 1", "Step 2", "Confirm and enable", "<svg")
		isCard(t, pending, htmx)
		secret := pending.secret()

		wrong := b.post("/my/profile/two-factor/confirm", "code", "000000").wantStatus(422, "That code did not match")
		isCard(t, wrong, htmx)
		if wrong.secret() != secret {
			t.Error("a wrong code changed the secret that people have scanned already")
		}
		before := b.cookies["gatehouse"]
		done := b.post("/my/profile/two-factor/confirm", "code", s.code(secret)[:3]+" "+s.code(secret)[3:]).wantStatus(200,
			"Two-factor authentication is now active. Save your recovery codes — they're shown once.",
			"Save these recovery codes — shown ONCE", "Enabled")
		isCard(t, done, htmx)
		if codes := done.codes(); len(codes) != 8 {
			t.Errorf("%d codes", len(codes))
		}
		if b.cookies["gatehouse"] == before {
			t.Error("the session kept its id")
		}
		b.htmx = false
		b.get("/my/profile/two-factor").wantStatus(200, "Enabled", "Regenerate recovery codes", "Disable two-factor").
			wantNot("shown ONCE", secret)
	})
}

func TestPendingIsDiscarded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	begin := func() (b *browser, secret string) {
		b = s.signedIn("ada@example.org")
		return b, b.post("/my/profile/two-factor/enable").wantStatus(200).secret()
	}
	gone := func(t *testing.T, b *browser, secret string) {
		t.Helper()
		b.post("/my/profile/two-factor/confirm", "code", s.code(secret)).
			wantStatus(422, `No pending enrollment. Click "Enable" to start over`, "Not configured")
	}
	t.Run("by a reload", func(t *testing.T) {
		b, secret := begin()
		b.get("/my/profile/two-factor").wantStatus(200, "Not configured")
		gone(t, b, secret)
	})
	t.Run("by another page", func(t *testing.T) {
		b, secret := begin()
		b.get("/my").wantStatus(200)
		gone(t, b, secret)
	})
	t.Run("after ten minutes", func(t *testing.T) {
		b, secret := begin()
		s.advance(10 * time.Minute)
		gone(t, b, secret)
	})
	t.Run("by the fifth wrong code", func(t *testing.T) {
		b, secret := begin()
		for range 4 {
			b.post("/my/profile/two-factor/confirm", "code", "000000").
				wantStatus(422, "That code did not match", "Pending confirmation")
		}
		b.post("/my/profile/two-factor/confirm", "code", "000000").wantStatus(422, "That code did not match", "Not configured")
		gone(t, b, secret)
	})
	t.Run("by signing out", func(t *testing.T) {
		b, secret := begin()
		b.post("/signout").wantRedirect("/signin")
		b.post("/signin", "email", "ada@example.org", "password", dbtest.Password).wantRedirect("/my")
		gone(t, b, secret)
	})
	looks := map[string]struct {
		method    string
		headers   []string
		discarded bool
	}{
		"a document that a person opens": {"GET",
			[]string{"Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-User", "?1"}, true},
		"a document that a redirect leads to": {"GET",
			[]string{"Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate"}, true},
		"a browser without Fetch Metadata": {"GET", nil, true},
		"a HEAD":                           {"HEAD", nil, false},
		"a fragment":                       {"GET", []string{"HX-Request", "true"}, false},
		"a script's fetch": {"GET", []string{"Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "cors"},
			false},
		"a script's fetch without CORS": {"GET", []string{"Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "no-cors"},
			false},
		"an image": {"GET", []string{"Sec-Fetch-Dest", "image", "Sec-Fetch-Mode", "no-cors"},
			false},
		"a frame": {"GET",
			[]string{"Sec-Fetch-Dest", "iframe", "Sec-Fetch-Mode", "navigate"}, false},
		"a prefetch by a link element": {"GET",
			[]string{"Sec-Purpose", "prefetch", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "no-cors"}, false},
		"a prerender by speculation rules": {"GET",
			[]string{"Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate"},
			false},
		"a prefetch through a private proxy": {"GET",
			[]string{"Sec-Purpose", "prefetch;anonymous-client-ip", "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode",
				"navigate"}, false},
		"Chromium's preview of a link": {"GET", []string{"Sec-Purpose", "prefetch;prerender;preview"}, false},
		"an older Chromium's prefetch": {"GET", []string{"Purpose", "prefetch"}, false},
		"Safari's preview":             {"GET", []string{"X-Purpose", "preview"}, false},
		"Safari's top hit":             {"GET", []string{"Purpose", "preview"}, false},
		"an older Firefox's prefetch":  {"GET", []string{"X-Moz", "prefetch"}, false},
	}
	for name, look := range looks {
		t.Run("or not, by "+name, func(t *testing.T) {
			s := newSite(t)
			s.add("ada@example.org", twofactor.Member)
			b := s.signedIn("ada@example.org")
			secret := b.post("/my/profile/two-factor/enable").wantStatus(200).secret()
			r := httptest.NewRequest(look.method, "/my", nil)
			for i := 0; i < len(look.headers); i += 2 {
				r.Header.Set(look.headers[i], look.headers[i+1])
			}
			b.send(r).wantStatus(200)
			a := b.post("/my/profile/two-factor/confirm", "code", s.code(secret))
			if discarded := a.status == 422; discarded != look.discarded {
				t.Errorf("discarded: %v, want %v", discarded, look.discarded)
			}
		})
	}
	t.Run("but not by a static file", func(t *testing.T) {
		b, secret := begin()
		b.get("/favicon.ico").wantStatus(200)
		b.post("/my/profile/two-factor/confirm", "code", s.code(secret)).wantStatus(200, "Enabled")
	})
}

func TestEnableWhileEnabled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b, secret, _ := s.enrolled("ada@example.org")
	b.post("/my/profile/two-factor/enable").wantStatus(200, "Enabled").wantNot("Pending confirmation", "otpauth")
	other := s.challenged("ada@example.org")
	other.post("/signin/two-factor", "code", s.code(secret)).wantRedirect("/my")
}

func TestTwoTabs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	firstTab := s.signedIn("ada@example.org")
	two := firstTab.clone()
	first := firstTab.post("/my/profile/two-factor/enable").wantStatus(200).secret()
	second := two.post("/my/profile/two-factor/enable").wantStatus(200).secret()
	if first == second {
		t.Fatal("the second tab got the first one's secret")
	}
	firstTab.post("/my/profile/two-factor/confirm", "code", s.code(first)).wantStatus(422, "That code did not match")
	two.post("/my/profile/two-factor/confirm", "code", s.code(second)).wantStatus(200, "Enabled")
	firstTab.cookies = two.clone().cookies // tabs of one browser share their cookies
	firstTab.post("/my/profile/two-factor/confirm", "code", s.code(second)).wantStatus(200, "Enabled").wantNot("shown ONCE")
}

func TestTwoDevices(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	laptop, phone := s.signedIn("ada@example.org"), s.signedIn("ada@example.org")
	secret := laptop.post("/my/profile/two-factor/enable").wantStatus(200).secret()
	phone.get("/my").wantStatus(200)
	phone.post("/my/profile/two-factor/enable").wantStatus(200, "Pending confirmation")
	laptop.post("/my/profile/two-factor/confirm", "code", s.code(secret)).wantStatus(200, "Enabled")
	phone.post("/my/profile/two-factor/confirm", "code", s.code(secret)).wantRedirect("/signin?next=%2Fmy%2Fprofile%2Ftwo-factor")
}

func TestRegenerate(t *testing.T) {
	t.Parallel()
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := newSite(t)
		s.add("ada@example.org", twofactor.Member)
		b, _, old := s.enrolled("ada@example.org")
		b.htmx = htmx
		isCard(t, b.post("/my/profile/two-factor/regenerate").
			wantStatus(200, "Generate new recovery codes? Old codes will stop working immediately.").wantNot("shown ONCE"), htmx)
		codes := b.post("/my/profile/two-factor/regenerate", "confirmed", "yes").
			wantStatus(200, "Save these recovery codes — shown ONCE").codes()

		other := s.challenged("ada@example.org")
		other.post("/signin/two-factor/recovery", "recovery_code", old[0]).wantStatus(422)
		other.post("/signin/two-factor/recovery", "recovery_code",
			strings.ToLower(strings.ReplaceAll(codes[0], "-", " "))).wantRedirect("/my")

		s.advance(16 * time.Minute)
		b = other
		b.htmx = htmx
		b.post("/my/profile/two-factor/regenerate", "confirmed", "yes").wantStatus(200, "Current password").wantNot("shown ONCE")
		b.post("/my/profile/two-factor/regenerate", "password", "something else").wantStatus(422, "Password did not match.")
		b.post("/my/profile/two-factor/regenerate", "password", dbtest.Password).wantStatus(200, "Generate new recovery codes?")
		b.post("/my/profile/two-factor/regenerate", "confirmed", "yes").
			wantStatus(200, "Save these recovery codes — shown ONCE")
	})
}

func TestDisable(t *testing.T) {
	t.Parallel()
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := newSite(t)
		s.add("ada@example.org", twofactor.Member)
		b, _, _ := s.enrolled("ada@example.org")
		other := b.clone()
		b.htmx = htmx
		isCard(t, b.post("/my/profile/two-factor/disable", "password", "something else").
			wantStatus(422, "Password did not match. Two-factor remains enabled.", "Enabled"), htmx)
		isCard(t, b.post("/my/profile/two-factor/disable", "password", dbtest.Password).
			wantStatus(200, "Not configured", "Enable two-factor"), htmx)
		other.get("/my").wantRedirect("/signin")
		s.signedIn("ada@example.org").get("/my").wantStatus(200)
	})
}

// TestCodesAsDevicesGiveThem goes the whole way from the field to the session with
// codes as keyboards and clipboards of the world send them.
func TestCodesAsDevicesGiveThem(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	_, secret, codes := s.enrolled("ada@example.org")
	fullWidth := strings.NewReplacer("0", "０", "1", "１", "2", "２", "3", "３", "4", "４", "5", "５", "6", "６", "7", "７",
		"8", "８", "9", "９")
	arabic := strings.NewReplacer("0", "٠", "1", "١", "2", "٢", "3", "٣", "4", "٤", "5", "٥", "6", "٦", "7", "٧", "8",
		"٨", "9", "٩")
	for _, write := range []func(code string) string{
		func(code string) string { return "\ufeff" + fullWidth.Replace(code[:3]+"\u3000"+code[3:]) },
		func(code string) string { return "\u2067" + arabic.Replace(code) + "\u2069\r\n" },
	} {
		s.advance(time.Minute)
		b := s.challenged("ada@example.org")
		b.post("/signin/two-factor", "code", write(s.code(secret))).wantRedirect("/my")
	}
	for i, typed := range []string{
		"1. " + codes[0],
		fullWidth.Replace("2.\t" + strings.ToLower(codes[1])),
		"\u200b" + strings.ReplaceAll(codes[2], "-", "\u00ad—") + "\u00a0",
	} {
		b := s.challenged("ada@example.org")
		b.post("/signin/two-factor/recovery", "recovery_code", typed).wantRedirect("/my")
		if b.get("/my").wantStatus(200, fmt.Sprintf("%d recovery codes left", 7-i)); i == 2 {
			b = s.challenged("ada@example.org")
			b.post("/signin/two-factor/recovery", "recovery_code", codes[3]+"\n"+codes[4]).
				wantStatus(422, "That code did not match")
		}
	}
}

func TestChallenge(t *testing.T) {
	t.Parallel()
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := newSite(t)
		s.add("ada@example.org", twofactor.Member)
		_, secret, codes := s.enrolled("ada@example.org")
		b := s.challenged("ada@example.org")
		b.get("/signin/two-factor").
			wantStatus(200, "Two-factor verification", "Password accepted. Enter your code to continue.", "Verify and sign in",
				"Lost your phone? Use a recovery code", "Use recovery code", "Sign in as a different user")
		b.get("/my").wantRedirect("/signin")
		b.htmx = htmx
		b.post("/signin/two-factor", "code", "000000").wantStatus(422, "That code did not match")
		b.post("/signin/two-factor", "code", s.code(secret)).wantRedirect("/my")
		b.htmx = false
		b.get("/my").wantStatus(200)

		b = s.challenged("ada@example.org")
		b.htmx = htmx
		b.post("/signin/two-factor", "code", s.code(secret)).wantStatus(422, "That code did not match")
		b.post("/signin/two-factor/recovery", "recovery_code", codes[3]).wantRedirect("/my")
		b.htmx = false
		b.get("/my").wantStatus(200, "7 recovery codes left")

		b = s.challenged("ada@example.org")
		b.htmx = htmx
		b.post("/signin/two-factor/recovery", "recovery_code", codes[3]).wantStatus(422, "That code did not match")
		b.post("/signin/two-factor/cancel").wantRedirect("/signin")
		b.post("/signin/two-factor", "code", s.code(secret)).wantRedirect("/signin")
	})
}

func TestEitherFieldTakesEitherCode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	_, secret, codes := s.enrolled("ada@example.org")
	s.advance(time.Minute)

	b := s.challenged("ada@example.org")
	b.post("/signin/two-factor/recovery", "recovery_code", s.code(secret)[:3]+" "+s.code(secret)[3:]).wantRedirect("/my")
	b.get("/my/profile").wantStatus(200, "8 recovery codes left")

	b = s.challenged("ada@example.org")
	b.post("/signin/two-factor", "code", strings.ToLower(codes[2])).wantRedirect("/my")
	b.get("/my/profile").wantStatus(200, "7 recovery codes left")

	b = s.challenged("ada@example.org")
	b.post("/signin/two-factor", "code", codes[2]).
		wantStatus(422, `id="code-error"`, "That code did not match", "Each code works once", `<details class="fold" open>`).
		wantNot(`id="recovery-error"`)
	b.post("/signin/two-factor/recovery", "recovery_code", s.code(secret)).
		wantStatus(422, `id="recovery-error"`, "That code did not match", "Wait for the next code").wantNot(`id="code-error"`)
	b.post("/signin/two-factor", "code", codes[3]).wantRedirect("/my")
}

// A wrong code counts with its own kind, whichever field it was typed into.
func TestCodesCountByTheirKind(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	_, secret, codes := s.enrolled("ada@example.org")
	s.advance(time.Minute)
	const app, recovery = "/signin/two-factor", "/signin/two-factor/recovery"
	stranger := func() *browser { // has the password, in a browser that is not known
		b := s.browser()
		b.post("/signin", "email", "ada@example.org", "password", dbtest.Password).wantRedirect("/signin/two-factor")
		return b
	}
	fiveWrong := func(path, field, code string) {
		b := stranger()
		for range 4 {
			b.post(path, field, code).wantStatus(422, "That code did not match")
		}
		b.post(path, field, code).
			wantStatus(422, "That code did not match", "Too many wrong codes. Sign in again with your password.")
	}
	t.Run("recovery codes in the field for the app's make recovery codes wait, and no others", func(t *testing.T) {
		fiveWrong(app, "code", "AAAA-AAAA")
		b := stranger()
		b.post(app, "code", codes[0]).wantStatus(429, `id="code-error"`)
		b.post(recovery, "recovery_code", codes[0]).wantStatus(429, `id="recovery-error"`)
		b.post(recovery, "recovery_code", s.code(secret)).wantRedirect("/my")
	})
	t.Run("the app's codes in the field for recovery codes make the app's wait, and no others", func(t *testing.T) {
		s.advance(time.Minute)
		fiveWrong(recovery, "recovery_code", "000000")
		b := stranger()
		b.post(recovery, "recovery_code", s.code(secret)).wantStatus(429, `id="recovery-error"`)
		b.post(app, "code", s.code(secret)).wantStatus(429, `id="code-error"`)
		b.post(app, "code", codes[0]).wantRedirect("/my")
	})
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, role := range twofactor.Roles {
		s.add(string(role)+"@example.org", role)
	}
	boss, _, _ := s.enrolled("super-administrator@example.org")
	people := map[twofactor.Role]*browser{}
	for _, role := range twofactor.Roles[:3] {
		people[role] = s.signedIn(string(role) + "@example.org")
	}
	const required = "Two-factor authentication is required by your organisation. Set it up to continue."

	boss.save("/admin/settings/security", "require_admins", "on").wantStatus(200)
	people[twofactor.Member].get("/my").wantStatus(200).wantNot(required)
	for _, role := range []twofactor.Role{twofactor.Administrator, twofactor.ITAdministrator} {
		people[role].get("/my/profile").wantRedirect("/my/profile/two-factor?next=%2Fmy%2Fprofile")
		people[role].get("/my/profile/two-factor").wantStatus(200, required)
	}
	boss.save("/admin/settings/security", "require_everyone", "on").wantStatus(200)
	b := people[twofactor.Member]
	b.get("/my").wantRedirect("/my/profile/two-factor")
	b.htmx = true
	b.post("/my/profile/password").wantRedirect("/my/profile/two-factor?next=%2Fmy%2Fprofile")
	b.htmx = false
	secret := b.post("/my/profile/two-factor/enable", "next", "/my/profile").wantStatus(200, required, "Pending confirmation").
		secret()
	b.post("/my/profile/two-factor/confirm", "code", "000000", "next", "/my/profile").wantStatus(422, required)
	b.post("/my/profile/two-factor/confirm", "code", s.code(secret), "next", "/my/profile").
		wantStatus(200, "Enabled", `href="/my/profile"`).wantNot(required)
	b.get("/my").wantStatus(200)
	b.post("/my/profile/two-factor/disable", "password", dbtest.Password).wantStatus(200, "Not configured", required)
	b.get("/my").wantRedirect("/my/profile/two-factor")
	b.post("/signout").wantRedirect("/signin")
}

// TestHelpIsOpenToEverybody reads the guide before the sign-in, in the middle of it, while
// the policy stops somebody, and as a member: it leads on to where they were.
func TestHelpIsOpenToEverybody(t *testing.T) {
	t.Parallel()
	const help, title, link = "/help/two-factor", "How two-factor works", `href="/help/two-factor"`
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	s.add("mia@example.org", twofactor.Member)
	s.enrolled("ada@example.org")

	stranger := s.browser()
	stranger.get("/signin").wantStatus(200, link)
	stranger.get(help).wantStatus(200, title, `href="/signin"`).wantNot("Sign out")
	challenged := s.challenged("ada@example.org")
	challenged.get("/signin/two-factor").wantStatus(200, link)
	challenged.get(help).wantStatus(200, title, `href="/signin/two-factor"`).wantNot("Sign out", "ada@example.org")
	challenged.post("/signin/two-factor/cancel").wantRedirect("/signin")
	challenged.get(help).wantStatus(200, `href="/signin"`)

	mia := s.signedIn("mia@example.org")
	if err := s.store.SetPolicy(ctx, twofactor.Policy{Everyone: true}, machine.Author(), s.now); err != nil {
		t.Fatal(err)
	}
	mia.get("/my/profile/two-factor").wantStatus(200, "required by your organisation", link)
	mia.get(help).wantStatus(200, title, `href="/my/profile/two-factor"`, "Sign out").wantNot(`href="/my/profile"`)
	secret := mia.post("/my/profile/two-factor/enable").wantStatus(200).secret()
	mia.get(help).wantStatus(200)
	// it is a page like any other
	mia.post("/my/profile/two-factor/confirm", "code", s.code(secret)).wantStatus(422, "No pending enrollment.")
	mia.get("/my").wantRedirect("/my/profile/two-factor")
}
