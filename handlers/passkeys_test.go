package handlers_test

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/handlers"
	"gatehouse/passkeys/passkeystest"
	"gatehouse/twofactor"
)

// passkeySite is a site that browsers reach at http://localhost:8080, where passkeys work.
func passkeySite(t *testing.T, change ...func(*handlers.Config)) *site {
	t.Helper()
	base := &url.URL{Scheme: "http", Host: "localhost:8080"}
	s := newSite(t, append([]func(*handlers.Config){func(c *handlers.Config) { c.BaseURL = base }}, change...)...)
	s.host = base.Host
	if _, err := s.store.SetPasskeyDomain(ctx, "localhost"); err != nil {
		t.Fatal(err)
	}
	return s
}

var passkeyPage = passkeystest.Page{Origin: "http://localhost:8080"}

var optionsAttribute = regexp.MustCompile(`data-options="([^"]+)"`)

// options reads what a page asks the browser for.
func (a answer) options() string {
	a.t.Helper()
	m := optionsAttribute.FindStringSubmatch(a.body)
	if m == nil {
		a.t.Fatalf("no options in:\n%s", a.body)
	}
	return html.UnescapeString(m[1])
}

// addPasskey adds an authenticator as the card does.
func (b *browser) addPasskey(a *passkeystest.Authenticator, name string) answer {
	b.site.t.Helper()
	page := b.post("/my/profile/two-factor/passkeys/begin").wantStatus(200, "Create passkey")
	made, err := a.Create(page.options(), passkeyPage)
	if err != nil {
		b.site.t.Fatal(err)
	}
	return b.post("/my/profile/two-factor/passkeys/add", "credential", made.JSON(), "name", name)
}

func (s *site) assert(a *passkeystest.Authenticator, options string) string {
	s.t.Helper()
	made, err := a.Get(options, passkeyPage)
	if err != nil {
		s.t.Fatal(err)
	}
	return made.JSON()
}

func TestPasskeyCard(t *testing.T) {
	t.Parallel()
	s := passkeySite(t)
	s.add("ada@example.org", twofactor.Member)
	ada, _, _ := s.enrolled("ada@example.org")
	ada.get("/my/profile/two-factor").wantStatus(200, "Passkeys and security keys", "Add a passkey")
	ada.addPasskey(passkeystest.New(), "Work <laptop>").wantStatus(200, "The passkey Work <laptop> is added.",
		"not used yet", "this device only", "Remove passkey")
	ada.addPasskey(passkeystest.New(), strings.Repeat("x", 101)).wantStatus(422, "Use at most 100 characters.",
		strings.Repeat("x", 101), "Create passkey")
	list, err := s.store.Passkeys(ctx, s.visitor(ada))
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	act := func(verb string, fields ...string) answer {
		return ada.post("/my/profile/two-factor/passkeys/"+list[0].Handle+"/"+verb, fields...)
	}
	act("rename", "name", " ").wantStatus(422, "Enter a name.")
	act("rename", "name", "Blue key").wantStatus(200, "The name is saved.", "Blue key")
	s.advance(20 * time.Minute)
	act("remove").wantStatus(200, "Confirm it's you").wantNot("The passkey is removed.")
	act("remove", "password", "wrong horse").wantStatus(422, "Password did not match.")
	act("remove", "password", dbtest.Password).wantStatus(200, "The passkey is removed.", "allAcceptedCredentialIds").
		wantNot("Blue key")
	act("remove").wantStatus(404)
	act("rename", "name", "Mine").wantStatus(404)
	s.advance(20 * time.Minute)
	ada.post("/my/profile/two-factor/passkeys/begin").wantStatus(200, "Confirm it's you").
		wantNot("Create passkey")
}

// visitor finds who a browser is signed in as.
func (s *site) visitor(b *browser) db.Visitor {
	s.t.Helper()
	for name, token := range b.cookies {
		if strings.HasPrefix(name, "gatehouse-browser") || strings.Contains(name, "challenge") {
			continue
		}
		if v, err := s.store.Visitor(ctx, token, s.now); err == nil {
			return v
		}
	}
	s.t.Fatal("nobody is signed in")
	return db.Visitor{}
}

func TestPasskeyAtTheChallenge(t *testing.T) {
	t.Parallel()
	s := passkeySite(t)
	s.add("ada@example.org", twofactor.Member)
	ada, secret, _ := s.enrolled("ada@example.org")
	a := passkeystest.New()
	ada.addPasskey(a, "").wantStatus(200)
	b := s.challenged("ada@example.org")
	page := b.get("/signin/two-factor").wantStatus(200, "Use a passkey", "6-digit code", "Use recovery code")
	b.post("/signin/two-factor/passkey", "credential", s.assert(a, page.options())).wantRedirect("/my")
	b.get("/my").wantStatus(200)

	b = s.challenged("ada@example.org")
	page = b.get("/signin/two-factor")
	if again := b.get("/signin/two-factor"); again.options() != page.options() {
		t.Error("a second tab is asked for something else")
	}
	thief := a.Clone()
	thief.Rekey()
	for range 4 {
		page = b.post("/signin/two-factor/passkey", "credential", s.assert(thief, page.options())).
			wantStatus(422, "That passkey was not accepted.")
	}
	b.post("/signin/two-factor/passkey", "credential", s.assert(thief, page.options())).
		wantStatus(422, "Too many wrong codes. Sign in again with your password.")
	b = s.challenged("ada@example.org")
	b.post("/signin/two-factor", "code", s.code(secret)).wantRedirect("/my")
}

// TestPasskeyIsAFreshProof asks for a proof, by the panel of an act and by the page for it.
func TestPasskeyIsAFreshProof(t *testing.T) {
	t.Parallel()
	s := passkeySite(t)
	s.add("ada@example.org", twofactor.Member)
	ada, _, _ := s.enrolled("ada@example.org")
	a := passkeystest.New()
	ada.addPasskey(a, "").wantStatus(200)
	const begin = "/my/profile/two-factor/passkeys/begin"
	s.advance(20 * time.Minute)
	page := ada.post(begin).wantStatus(200, "Confirm it's you", "Use a passkey")
	thief := a.Clone()
	thief.Rekey()
	page = ada.post(begin, "again", "passkey", "credential", s.assert(thief, page.options())).
		wantStatus(422, "That passkey was not accepted.")
	ada.post(begin, "again", "passkey", "credential", s.assert(a, page.options())).wantStatus(200, "Create passkey")
	ada.post(begin).wantStatus(200, "Create passkey")
	s.advance(20 * time.Minute)
	page = ada.get("/signin/again?next=/my/profile").wantStatus(200, "Use a passkey")
	ada.post("/signin/again/passkey", "credential", s.assert(a, page.options()), "next", "/my/profile").
		wantRedirect("/my/profile")
	ada.post(begin).wantStatus(200, "Create passkey")
}

func TestSignInWithAPasskey(t *testing.T) {
	t.Parallel()
	s := passkeySite(t)
	s.add("ada@example.org", twofactor.Member)
	ada, _, _ := s.enrolled("ada@example.org")
	a := passkeystest.New()
	ada.addPasskey(a, "").wantStatus(200)
	b := s.browser()
	b.get("/signin").wantStatus(200, "Sign in with a passkey", `autocomplete="username webauthn"`)
	options := b.post("/signin/passkey/begin").wantStatus(200)
	if got := options.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("options are %s", got)
	}
	answer := s.assert(a, options.body)
	s.browser().post("/signin/passkey", "credential", answer).wantStatus(422, "That took too long")
	b.post("/signin/passkey", "credential", answer, "next", "/my/profile").wantRedirect("/my/profile")
	b.get("/my").wantStatus(200)

	b = s.browser()
	other := a.Clone()
	other.ID = []byte("of nobody")
	page := b.post("/signin/passkey", "credential", s.assert(other, b.post("/signin/passkey/begin").body),
		"next", "/my/profile").wantStatus(422, "That passkey was not accepted.", `"credentialId"`, `value="/my/profile"`)
	if strings.Contains(page.body, "ada@") {
		t.Error("the page tells a name")
	}
	thief := a.Clone()
	thief.Rekey()
	b.post("/signin/passkey", "credential", s.assert(thief, b.post("/signin/passkey/begin").body)).
		wantStatus(422, "That passkey was not accepted.").wantNot(`"credentialId"`)
	b.post("/signin/passkey").wantStatus(422, "That passkey was not accepted.")
}

// TestPasskeyAlone begins with a passkey under a policy that stops people, and looks at the
// card, the challenge and the way back.
func TestPasskeyAlone(t *testing.T) {
	t.Parallel()
	s := passkeySite(t)
	s.add("ada@example.org", twofactor.Member)
	if err := s.store.SetPolicy(ctx, twofactor.Policy{Everyone: true}, machine.Author(), s.now); err != nil {
		t.Fatal(err)
	}
	ada := s.browser()
	ada.post("/signin", "email", "ada@example.org", "password", dbtest.Password)
	ada.get("/my").wantRedirect("/my/profile/two-factor")
	a := passkeystest.New()
	page := ada.addPasskey(a, "Phone").wantStatus(200, "Save these recovery codes — shown ONCE",
		"Two-factor authentication is now active.", "Two-factor authentication is on: 1 passkey.")
	codes := page.codes()
	ada.get("/my").wantStatus(200, "Signing in takes a passkey, alone or after your password.")
	ada.get("/my/profile").wantStatus(200, "Signing in takes a passkey")
	ada.get("/my/profile/two-factor").wantStatus(200, "Not configured", "Two-factor authentication is on: 1 passkey.",
		"8 of 8 codes left", "Regenerate recovery codes", "Disable two-factor", "Your passkey is removed too.").
		wantNot("Remove the authenticator app")
	b := s.challenged("ada@example.org")
	b.get("/signin/two-factor").wantStatus(200, "Use your passkey to continue.", "Use recovery code").wantNot("6-digit code")
	b.post("/signin/two-factor", "code", "123456").wantStatus(422, "You have no authenticator app.")
	b.post("/signin/two-factor/recovery", "recovery_code", codes[0]).wantRedirect("/my")
	ada.post("/my/profile/two-factor/regenerate", "confirmed", "yes").wantStatus(200, "New recovery codes are ready.")
	list, err := s.store.Passkeys(ctx, s.visitor(ada))
	if err != nil {
		t.Fatal(err)
	}
	ada.post("/my/profile/two-factor/passkeys/"+list[0].Handle+"/remove").wantStatus(422, "This is your last second factor.")
	secret := ada.post("/my/profile/two-factor/enable").wantStatus(200).secret()
	ada.post("/my/profile/two-factor/confirm", "code", s.code(secret)).wantStatus(200, "Save these recovery codes")
	ada.get("/my/profile/two-factor").wantStatus(200, "Remove the authenticator app")
	ada.post("/my/profile/two-factor/app/remove", "password", "wrong horse").wantStatus(422, "Password did not match.")
	ada.post("/my/profile/two-factor/app/remove", "password", dbtest.Password).
		wantStatus(200, "The authenticator app is removed.", "Two-factor authentication is on: 1 passkey.")
	ada.post("/my/profile/two-factor/disable", "password", dbtest.Password).
		wantStatus(200, "Two-factor authentication is now off.").wantNot("Two-factor authentication is on")
	ada.get("/my").wantRedirect("/my/profile/two-factor")
}

// TestWherePasskeysCannotWork asks at addresses where browsers have none.
func TestWherePasskeysCannotWork(t *testing.T) {
	t.Parallel()
	for host, sentence := range map[string]string{
		"192.0.2.1": "reached by an IP address", "[::1]:8080": "reached by an IP address",
		"lan": "Passkeys work over https only", "gate.lan:8080": "Passkeys work over https only",
	} {
		s := newSite(t, func(c *handlers.Config) { c.BaseURL = &url.URL{Scheme: "http", Host: host} })
		s.host = host
		s.add("ada@example.org", twofactor.Member)
		ada := s.signedIn("ada@example.org")
		ada.get("/my/profile/two-factor").wantStatus(200, sentence).wantNot("Add a passkey")
		ada.post("/my/profile/two-factor/passkeys/begin").wantStatus(422, sentence)
		ada.post("/my/profile/two-factor/passkeys/add", "credential", "{}").wantStatus(422, sentence)
		s.browser().get("/signin").wantStatus(200).wantNot("passkey")
		s.browser().post("/signin/passkey/begin").wantStatus(404)
		s.browser().post("/signin/passkey").wantStatus(404)
	}
}

// FuzzPasskeyAnswers posts what is no answer to the endpoints that take one: never a fault,
// never a session.
func FuzzPasskeyAnswers(f *testing.F) {
	f.Add(`{}`)
	f.Add(``)
	f.Add(`{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA"}}`)
	f.Fuzz(func(t *testing.T, credential string) {
		s := passkeySite(t)
		s.add("ada@example.org", twofactor.Member)
		ada, _, _ := s.enrolled("ada@example.org")
		ada.addPasskey(passkeystest.New(), "").wantStatus(200)
		challenged, public := s.challenged("ada@example.org"), s.browser()
		public.post("/signin/passkey/begin")
		for path, b := range map[string]*browser{
			"/signin/passkey": public, "/signin/two-factor/passkey": challenged, "/my/profile/two-factor/passkeys/add": ada,
		} {
			if got := b.post(path, "credential", credential); got.status != 422 {
				t.Errorf("%s: status %d", path, got.status)
			}
		}
		public.get("/my").wantRedirect("/signin")
	})
}
