package passkeys_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/passkeys"
	"gatehouse/passkeys/passkeystest"
)

type (
	phone = passkeystest.Authenticator
	site  = passkeystest.Page
	reply = passkeystest.Answer
)

var (
	party = passkeys.Party{ID: "example.org", Name: "Acme", Origins: []string{"https://example.org"}}
	page  = passkeystest.Page{Origin: "https://example.org"}
)

func newOwner() passkeys.Owner {
	return passkeys.Owner{Handle: passkeys.NewUserHandle(), Name: "ada@example.org", Shown: "Ada"}
}

func register(t *testing.T, o passkeys.Owner, a *passkeystest.Authenticator) passkeys.Passkey {
	t.Helper()
	c, err := party.BeginRegistration(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := a.Create(c.Options, page)
	if err != nil {
		t.Fatal(err)
	}
	key, err := finish(party, o, c, answer)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func finish(p passkeys.Party, o passkeys.Owner, c passkeys.Ceremony, answer reply) (passkeys.Passkey, error) {
	r, err := passkeys.ParseRegistration(answer.JSON())
	if err != nil {
		return passkeys.Passkey{}, err
	}
	return p.FinishRegistration(o, c.State, r)
}

func verify(o passkeys.Owner, keys []passkeys.Passkey, c passkeys.Ceremony,
	answer passkeystest.Answer) (passkeys.Passkey, passkeys.Proof, error) {
	a, err := passkeys.ParseAssertion(answer.JSON())
	if err != nil {
		return passkeys.Passkey{}, passkeys.Proof{}, err
	}
	return party.Verify(o, keys, c.State, a)
}

func beginProof(t *testing.T, o passkeys.Owner, verified bool, keys ...passkeys.Passkey) passkeys.Ceremony {
	t.Helper()
	c, err := party.BeginProof(o, keys, verified, passkeys.NewChallenge())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRegistrationAsksForWhatItShould(t *testing.T) {
	o, a := newOwner(), passkeystest.New()
	first := register(t, o, a)
	c, err := party.BeginRegistration(o, []passkeys.Passkey{first})
	if err != nil {
		t.Fatal(err)
	}
	got, err := passkeystest.ReadOptions(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	var algorithms []int
	for _, p := range got.Parameters {
		algorithms = append(algorithms, p.Algorithm)
	}
	if !slices.Equal(algorithms, []int{passkeystest.ES256, passkeystest.EdDSA, passkeystest.RS256}) {
		t.Errorf("algorithms: %v", algorithms)
	}
	if len(got.Exclude) != 1 || got.Exclude[0].ID != base64.RawURLEncoding.EncodeToString(a.ID) {
		t.Errorf("excludeCredentials: %v", got.Exclude)
	}
	if got.Attestation != "none" || got.Selection["userVerification"] != "preferred" ||
		got.Selection["residentKey"] != "preferred" || got.Extensions["credProps"] != true || got.Timeout != 300_000 {
		t.Errorf("options: %s", c.Options)
	}
	raw, err := base64.RawURLEncoding.DecodeString(got.User.ID)
	if err != nil || !bytes.Equal(raw, o.Handle) || len(raw) != 32 {
		t.Errorf("user handle %q: %v", got.User.ID, err)
	}
	if raw, err := base64.RawURLEncoding.DecodeString(got.Challenge); err != nil || len(raw) < 32 {
		t.Errorf("challenge %q: %v", got.Challenge, err)
	}
	if strings.Contains(c.Options, `"publicKey"`) {
		t.Error("the options are wrapped")
	}
}

func TestEveryKindOfKeyRegistersAndProves(t *testing.T) {
	for _, algorithm := range []int{passkeystest.ES256, passkeystest.EdDSA, passkeystest.RS256} {
		o, a := newOwner(), passkeystest.New()
		a.Algorithm = algorithm
		key := register(t, o, a)
		if key.Discoverable != passkeys.Yes || !key.Verifies() || key.Synced() || key.RPID != party.ID ||
			!slices.Equal(key.Transports, []string{"internal"}) {
			t.Errorf("%d: registered as %+v", algorithm, key)
		}
		c := beginProof(t, o, true, key)
		answer, _ := a.Get(c.Options, page)
		used, proof, err := verify(o, []passkeys.Passkey{key}, c, answer)
		if err != nil || !proof.UserVerified || used.SignCount != a.Counter {
			t.Errorf("%d: %+v, %+v, %v", algorithm, used, proof, err)
		}
	}
}

func TestU2FIsASecondStepOnly(t *testing.T) {
	o, a := newOwner(), passkeystest.NewU2F()
	key := register(t, o, a)
	if key.Verifies() || key.Discoverable != passkeys.No {
		t.Errorf("registered as %+v", key)
	}
	c := beginProof(t, o, false, key)
	answer, _ := a.Get(c.Options, page)
	used, proof, err := verify(o, []passkeys.Passkey{key}, c, answer)
	if err != nil || proof.UserVerified {
		t.Errorf("second step: %+v, %v", proof, err)
	}
	c = beginProof(t, o, true, used)
	answer, _ = a.Get(c.Options, page)
	if _, _, err := verify(o, []passkeys.Passkey{used}, c, answer); !errors.Is(err, passkeys.ErrRefused) {
		t.Errorf("where verification is required: %v", err)
	}
}

// Each case spoils one thing about a registration.
func TestWrongRegistrations(t *testing.T) {
	o := newOwner()
	cases := map[string]func(*phone, *site, *reply){
		"wrong origin": func(_ *phone, p *site, _ *reply) {
			p.Origin = "https://example.org.evil.net"
		},
		"a sibling host": func(_ *phone, p *site, _ *reply) {
			p.Origin = "https://wiki.example.org"
		},
		"plain http": func(_ *phone, p *site, _ *reply) {
			p.Origin = "http://example.org"
		},
		"another port": func(_ *phone, p *site, _ *reply) {
			p.Origin = "https://example.org:8443"
		},
		"the origin in capitals": func(_ *phone, p *site, _ *reply) {
			p.Origin = "https://EXAMPLE.org"
		},
		"no origin":   func(_ *phone, p *site, _ *reply) { p.Origin = "" },
		"wrong RP id": func(_ *phone, p *site, _ *reply) { p.RPID = "evil.net" },
		"wrong type": func(_ *phone, p *site, _ *reply) {
			p.Type = "webauthn.get"
		},
		"another challenge": func(_ *phone, p *site, _ *reply) {
			p.Challenge = base64.RawURLEncoding.EncodeToString(passkeys.NewChallenge())
		},
		"framed": func(_ *phone, p *site, _ *reply) {
			p.CrossOrigin = true
		},
		"framed by ourselves": func(_ *phone, p *site, _ *reply) {
			p.CrossOrigin, p.TopOrigin = true, "https://example.org"
		},
		"top origin alone": func(_ *phone, p *site, _ *reply) {
			p.TopOrigin = "https://example.org"
		},
		"nobody present": func(a *phone, _ *site, _ *reply) {
			a.Flags &^= passkeystest.UserPresent
		},
		"synced but not syncable": func(a *phone, _ *site, _ *reply) {
			a.Flags |= passkeystest.BackupState
		},
		"another id": func(_ *phone, _ *site, r *reply) {
			r.ClaimedRawID = []byte("another id, 16 b")
		},
		"no attestation": func(_ *phone, _ *site, r *reply) {
			r.Attestation = []byte{0xa0}
		},
		"authenticator data cut": func(_ *phone, _ *site, r *reply) {
			r.Attestation = passkeystest.AttestationObject(make([]byte, 36))
		},
		"type of credential": func(_ *phone, _ *site, r *reply) {
			r.Extra = map[string]any{"type": "password"}
		},
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			c, err := party.BeginRegistration(o, nil)
			if err != nil {
				t.Fatal(err)
			}
			a, p := passkeystest.New(), page
			var none passkeystest.Answer
			spoil(a, &p, &none)
			answer, err := a.Create(c.Options, p)
			if err != nil {
				t.Fatal(err)
			}
			spoil(a, &p, &answer)
			if _, err := finish(party, o, c, answer); !errors.Is(err, passkeys.ErrRefused) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRegistrationOfAnAlgorithmThatNobodyAskedFor(t *testing.T) {
	o := newOwner()
	c, err := party.BeginRegistration(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := passkeystest.New().Create(c.Options, page)
	var state map[string]any
	if err := json.Unmarshal(c.State, &state); err != nil {
		t.Fatal(err)
	}
	state["credParams"] = []any{map[string]any{"type": "public-key", "alg": passkeystest.RS256}}
	if c.State, err = json.Marshal(state); err != nil {
		t.Fatal(err)
	}
	if _, err := finish(party, o, c, answer); !errors.Is(err, passkeys.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestLongCredentialIDIsRefused(t *testing.T) {
	o := newOwner()
	a := passkeystest.New()
	for length, want := range map[int]bool{1023: true, 1024: false} {
		c, err := party.BeginRegistration(o, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := a.CreateWithID(c.Options, page, bytes.Repeat([]byte{7}, length))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := finish(party, o, c, answer); (err == nil) != want {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

// Each case spoils one thing about an assertion. The signature is made anew where the
// case is about what was signed.
func TestWrongAssertions(t *testing.T) {
	o, other := newOwner(), passkeys.NewUserHandle()
	type spoiled struct {
		a      *passkeystest.Authenticator
		page   passkeystest.Page
		change func(*phone, *reply)
	}
	nothing := func(*phone, *reply) {}
	flip := func(field func(*passkeystest.Answer) []byte, at int) func(*phone, *reply) {
		return func(_ *phone, r *reply) {
			b := field(r)
			if at < 0 {
				at += len(b)
			}
			b[at] ^= 1
		}
	}
	authData := func(r *passkeystest.Answer) []byte { return r.AuthData }
	with := func(change func(*site)) passkeystest.Page {
		p := page
		change(&p)
		return p
	}
	mine := passkeystest.New()
	key := register(t, o, mine)
	thief := mine.Clone()
	thief.Rekey()
	swapped := mine.Clone()
	swapped.Algorithm = passkeystest.EdDSA
	swapped.Rekey()
	cases := map[string]spoiled{
		"wrong origin":            {mine, with(func(p *site) { p.Origin = "https://evil.net" }), nothing},
		"a sibling host":          {mine, with(func(p *site) { p.Origin = "https://wiki.example.org" }), nothing},
		"a host above":            {mine, with(func(p *site) { p.Origin = "https://org" }), nothing},
		"wrong RP id":             {mine, with(func(p *site) { p.RPID = "evil.net" }), nothing},
		"wrong type":              {mine, with(func(p *site) { p.Type = "webauthn.create" }), nothing},
		"another challenge":       {mine, with(func(p *site) { p.Challenge = strings.Repeat("A", 43) }), nothing},
		"framed":                  {mine, with(func(p *site) { p.CrossOrigin = true }), nothing},
		"framed by ourselves":     {mine, with(func(p *site) { p.CrossOrigin, p.TopOrigin = true, p.Origin }), nothing},
		"top origin alone":        {mine, with(func(p *site) { p.TopOrigin = p.Origin }), nothing},
		"another's handle":        {mine, page, func(_ *phone, r *reply) { r.UserHandle = other }},
		"another key":             {thief, page, nothing},
		"another algorithm":       {swapped, page, nothing},
		"bit of the RP id's hash": {mine, page, flip(authData, 0)},
		"bit of the flags":        {mine, page, flip(authData, 32)},
		"bit of the counter":      {mine, page, flip(authData, 36)},
		"bit of the client data":  {mine, page, flip(func(r *passkeystest.Answer) []byte { return r.ClientData }, 20)},
		"bit of the signature":    {mine, page, flip(func(r *passkeystest.Answer) []byte { return r.Signature }, -1)},
		"bit of the user handle": {mine, page, func(_ *phone, r *reply) {
			r.UserHandle = slices.Clone(r.UserHandle)
			r.UserHandle[3] ^= 1
		}},
		"no signature":           {mine, page, func(_ *phone, r *reply) { r.Signature = nil }},
		"authenticator data cut": {mine, page, func(a *phone, r *reply) { r.AuthData = r.AuthData[:36]; a.Sign(r) }},
		"something after it": {mine, page, func(a *phone, r *reply) {
			r.AuthData = append(r.AuthData, 0)
			a.Sign(r)
		}},
		"nobody present": {mine, page, func(a *phone, r *reply) {
			r.AuthData[32] &^= passkeystest.UserPresent
			a.Sign(r)
		}},
		"nobody verified": {mine, page, func(a *phone, r *reply) {
			r.AuthData[32] &^= passkeystest.UserVerified
			a.Sign(r)
		}},
		"synced but not syncable": {mine, page, func(a *phone, r *reply) {
			r.AuthData[32] |= passkeystest.BackupState
			a.Sign(r)
		}},
		"an id that is not the person's": {mine, page, func(_ *phone, r *reply) {
			r.ID = []byte("an id that nobody has, 32 bytes.")
		}},
	}
	for name, one := range cases {
		t.Run(name, func(t *testing.T) {
			c := beginProof(t, o, true, key)
			answer, err := one.a.Get(c.Options, one.page)
			if err != nil {
				t.Fatal(err)
			}
			one.change(one.a, &answer)
			if _, _, err := verify(o, []passkeys.Passkey{key}, c, answer); !errors.Is(err, passkeys.ErrRefused) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnAnswerCountsForItsOwnCeremonyOnly(t *testing.T) {
	o, a := newOwner(), passkeystest.New()
	key := register(t, o, a)
	first, second := beginProof(t, o, true, key), beginProof(t, o, true, key)
	answer, _ := a.Get(first.Options, page)
	if _, _, err := verify(o, []passkeys.Passkey{key}, second, answer); !errors.Is(err, passkeys.ErrRefused) {
		t.Errorf("got %v", err)
	}
	if _, err := passkeys.ParseRegistration(answer.JSON()); !errors.Is(err, passkeys.ErrRefused) {
		t.Errorf("taken for a registration: %v", err)
	}
}

func TestCounter(t *testing.T) {
	for _, c := range []struct {
		stored, next uint32
		want         error
	}{
		{0, 0, nil}, {0, 1, nil}, {1, 2, nil}, {7, 1 << 31, nil},
		{1, 1, passkeys.ErrCounter}, {2, 1, passkeys.ErrCounter}, {1, 0, passkeys.ErrCounter},
	} {
		o, a := newOwner(), passkeystest.New()
		key := register(t, o, a)
		key.SignCount, a.Counter = c.stored, c.next-1
		ceremony := beginProof(t, o, true, key)
		answer, _ := a.Get(ceremony.Options, page)
		_, _, err := verify(o, []passkeys.Passkey{key}, ceremony, answer)
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%d, then %d: %v", c.stored, c.next, err)
		}
	}
}

func TestAPasskeyMayBeginToBeSyncedButNotCease(t *testing.T) {
	o, a := newOwner(), passkeystest.New()
	key := register(t, o, a)
	prove := func() error {
		c := beginProof(t, o, true, key)
		answer, _ := a.Get(c.Options, page)
		used, _, err := verify(o, []passkeys.Passkey{key}, c, answer)
		if err == nil {
			key = used
		}
		return err
	}
	a.Flags |= passkeystest.BackupEligible | passkeystest.BackupState
	if err := prove(); err != nil || !key.Synced() {
		t.Fatalf("begins to be synced: %v, %t", err, key.Synced())
	}
	a.Flags &^= passkeystest.BackupState
	if err := prove(); err != nil || !key.Synced() {
		t.Errorf("may be synced and is not: %v", err)
	}
	a.Flags &^= passkeystest.BackupEligible
	if err := prove(); !errors.Is(err, passkeys.ErrRefused) {
		t.Errorf("ceases to be syncable: %v", err)
	}
}

func TestSignInNeedsAHandleAndVerification(t *testing.T) {
	o, a := newOwner(), passkeystest.New()
	key := register(t, o, a)
	c, err := party.BeginSignIn(passkeys.NewChallenge())
	if err != nil {
		t.Fatal(err)
	}
	got, _ := passkeystest.ReadOptions(c.Options)
	if got.UserVerification != "required" || len(got.Allow) != 0 || got.RPID != party.ID {
		t.Errorf("options: %s", c.Options)
	}
	answer, _ := a.Get(c.Options, page)
	if _, proof, err := verify(o, []passkeys.Passkey{key}, c, answer); err != nil || !proof.UserVerified {
		t.Errorf("got %+v, %v", proof, err)
	}
	answer, _ = a.Get(c.Options, page)
	answer.UserHandle = nil
	if _, _, err := verify(o, []passkeys.Passkey{key}, c, answer); !errors.Is(err, passkeys.ErrRefused) {
		t.Errorf("without a handle: %v", err)
	}
	a.Flags &^= passkeystest.UserVerified
	answer, _ = a.Get(c.Options, page)
	if _, _, err := verify(o, []passkeys.Passkey{key}, c, answer); !errors.Is(err, passkeys.ErrRefused) {
		t.Errorf("unverified: %v", err)
	}
}

func TestPasskeysOfAnotherPartyAreNotUsable(t *testing.T) {
	o, a := newOwner(), passkeystest.New()
	key := register(t, o, a)
	moved := passkeys.Party{ID: "example.com", Name: "Acme", Origins: []string{"https://example.com"}}
	_, err := moved.BeginProof(o, []passkeys.Passkey{key}, false, passkeys.NewChallenge())
	if !errors.Is(err, passkeys.ErrRefused) {
		t.Errorf("asked for: %v", err)
	}
	c := beginProof(t, o, true, key)
	answer, _ := a.Get(c.Options, page)
	parsed, err := passkeys.ParseAssertion(answer.JSON())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := moved.Verify(o, []passkeys.Passkey{key}, c.State, parsed); !errors.Is(err, passkeys.ErrRefused) {
		t.Errorf("a ceremony of before the move: %v", err)
	}
}

func TestParentDomainAnswersOnlyOurOwnOrigin(t *testing.T) {
	parent := passkeys.Party{ID: "example.org", Name: "Acme", Origins: []string{"https://gate.example.org"}}
	o, a := newOwner(), passkeystest.New()
	for origin, want := range map[string]bool{
		"https://gate.example.org": true, "https://wiki.example.org": false, "https://example.org": false,
	} {
		c, err := parent.BeginRegistration(o, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := a.Create(c.Options, passkeystest.Page{Origin: origin})
		if _, err := finish(parent, o, c, answer); (err == nil) != want {
			t.Errorf("%s: %v", origin, err)
		}
	}
}

func TestPublicChallenge(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	key := []byte("a key")
	mac := func(text string) string {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return string(h.Sum(nil))
	}
	equal := func(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
	c := passkeys.NewPublicChallenge("browser", now, mac)
	until, err := passkeys.CheckPublicChallenge(c, "browser", now.Add(time.Minute), mac, equal)
	if err != nil || !until.Equal(now.Add(passkeys.Timeout)) {
		t.Errorf("until %s, %v", until, err)
	}
	if bytes.Equal(c, passkeys.NewPublicChallenge("browser", now, mac)) {
		t.Error("two challenges are the same")
	}
	for name, one := range map[string]struct {
		browser string
		at      time.Time
		c       []byte
	}{
		"another browser": {"another", now, c},
		"no browser":      {"", now, c},
		"too late":        {"browser", now.Add(passkeys.Timeout), c},
		"too early":       {"browser", now.Add(-time.Hour), c},
		"cut":             {"browser", now, c[:24]},
		"empty":           {"browser", now, nil},
	} {
		_, err := passkeys.CheckPublicChallenge(one.c, one.browser, one.at, mac, equal)
		if !errors.Is(err, passkeys.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range c {
		bent := slices.Clone(c)
		bent[i] ^= 1
		_, err := passkeys.CheckPublicChallenge(bent, "browser", now, mac, equal)
		if !errors.Is(err, passkeys.ErrRefused) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
}

func TestProviderNames(t *testing.T) {
	icloud := []byte{0xfb, 0xfc, 0x30, 0x07, 0x15, 0x4e, 0x4e, 0xcc, 0x8c, 0x0b, 0x6e, 0x02, 0x05, 0x57, 0xd7, 0xbd}
	if got := passkeys.ProviderName(icloud); got != "iCloud Keychain" {
		t.Errorf("got %q", got)
	}
	if got := passkeys.ProviderName(make([]byte, 16)); got != "" {
		t.Errorf("of zeros: %q", got)
	}
}

func FuzzAnswers(f *testing.F) {
	o, a := passkeys.Owner{Handle: make([]byte, 32), Name: "ada@example.org", Shown: "Ada"}, passkeystest.New()
	c, err := party.BeginRegistration(o, nil)
	if err != nil {
		f.Fatal(err)
	}
	answer, _ := a.Create(c.Options, page)
	key, err := finish(party, o, c, answer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(answer.JSON())
	proof, err := party.BeginProof(o, []passkeys.Passkey{key}, true, passkeys.NewChallenge())
	if err != nil {
		f.Fatal(err)
	}
	answer, _ = a.Get(proof.Options, page)
	f.Add(answer.JSON())
	f.Add(`{}`)
	f.Add(``)
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := passkeys.ParseRegistration(text); err == nil {
			_, _ = party.FinishRegistration(o, c.State, r)
		}
		if r, err := passkeys.ParseAssertion(text); err == nil {
			_, _, _ = party.Verify(o, []passkeys.Passkey{key}, proof.State, r)
		}
	})
}
