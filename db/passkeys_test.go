package db_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/passkeys"
	"gatehouse/passkeys/passkeystest"
	"gatehouse/twofactor"
)

var (
	party   = passkeys.Party{ID: "localhost", Name: "Acme", Origins: []string{"http://localhost:8080"}}
	keyPage = passkeystest.Page{Origin: "http://localhost:8080"}
)

// addPasskey registers an authenticator for a visitor and returns the visitor of the new
// session.
func addPasskey(t *testing.T, store *db.Store, v db.Visitor, a *passkeystest.Authenticator,
	now time.Time) (db.Visitor, db.AddedPasskey) {
	t.Helper()
	added, err := store.AddPasskey(ctx, v, party, registration(t, store, v, a, now), "", db.Client{}, now)
	if err != nil {
		t.Fatal(err)
	}
	return visitor(t, store, added.Session, now), added
}

// registration begins a ceremony and answers it.
func registration(t *testing.T, store *db.Store, v db.Visitor, a *passkeystest.Authenticator, now time.Time) string {
	t.Helper()
	c, err := store.BeginPasskey(ctx, v, party, now)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := a.Create(c.Options, keyPage)
	if err != nil {
		t.Fatal(err)
	}
	return answer.JSON()
}

func assertion(t *testing.T, a *passkeystest.Authenticator, options string) string {
	t.Helper()
	answer, err := a.Get(options, keyPage)
	if err != nil {
		t.Fatal(err)
	}
	return answer.JSON()
}

// withPasskey opens a store with somebody who has the app and one passkey.
func withPasskey(t *testing.T) (*db.Store, enrolled, *passkeystest.Authenticator) {
	t.Helper()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	if _, err := store.SetPasskeyDomain(ctx, party.ID); err != nil {
		t.Fatal(err)
	}
	e, a := enrol(t, store, "ada@example.org", start), passkeystest.New()
	e.visitor, _ = addPasskey(t, store, e.visitor, a, start)
	return store, e, a
}

// secondStep opens a challenge and returns what it offers of passkeys.
func secondStep(t *testing.T, store *db.Store, now time.Time) (token, options string) {
	t.Helper()
	token = challenged(t, store, "ada@example.org", now)
	return token, stepOptions(t, store, token, now)
}

func stepOptions(t *testing.T, store *db.Store, token string, now time.Time) string {
	t.Helper()
	c, err := store.Challenge(ctx, token, now)
	if err != nil {
		t.Fatal(err)
	}
	step, err := store.PasskeyStep(ctx, party, c)
	if err != nil || step.Options == "" {
		t.Fatalf("the challenge offers %+v, %v", step, err)
	}
	return step.Options
}

func TestPasskeyIsASecondStep(t *testing.T) {
	t.Parallel()
	store, _, a := withPasskey(t)
	token, options := secondStep(t, store, start)
	result, _, err := store.VerifyPasskey(ctx, party, token, assertion(t, a, options), db.Client{}, start)
	if err != nil || result.Session == "" {
		t.Fatalf("%+v, %v", result, err)
	}
	v := visitor(t, store, result.Session, start)
	list, err := store.Passkeys(ctx, v)
	if err != nil || len(list) != 1 || list[0].SignCount != a.Counter || !list[0].UsedAt.Equal(start) {
		t.Errorf("afterwards %+v, %v", list, err)
	}
	if _, err := store.Challenge(ctx, token, start); !errors.Is(err, twofactor.ErrChallengeOver) {
		t.Errorf("the challenge: %v", err)
	}
}

func TestPasskeySignsInAlone(t *testing.T) {
	t.Parallel()
	store, _, a := withPasskey(t)
	c, err := store.BeginPasskeySignIn(party, "browser", start)
	if err != nil {
		t.Fatal(err)
	}
	answer := assertion(t, a, c.Options)
	if _, _, err := store.SignInWithPasskey(ctx, party, "another browser", answer, "", db.Client{},
		start); !errors.Is(err,
		twofactor.ErrPasskeyOver) {
		t.Errorf("in another browser: %v", err)
	}
	if _, _, err := store.SignInWithPasskey(ctx, party, "browser", answer, "", db.Client{},
		start.Add(passkeys.Timeout)); !errors.Is(err, twofactor.ErrPasskeyOver) {
		t.Errorf("too late: %v", err)
	}
	result, _, err := store.SignInWithPasskey(ctx, party, "browser", answer, "/my/profile", db.Client{}, start)
	if err != nil || result.Session == "" || result.Challenge != "" || result.Next != "/my/profile" {
		t.Fatalf("%+v, %v", result, err)
	}
	if v := visitor(t, store, result.Session,
		start); v.Person.Email != "ada@example.org" || !v.AuthenticatedAt.Equal(start) {
		t.Errorf("signed in as %+v", v)
	}
	if _, _, err := store.SignInWithPasskey(ctx, party, "browser", answer, "", db.Client{}, start); !errors.Is(err,
		twofactor.ErrPasskeyOver) {
		t.Errorf("sent again: %v", err)
	}
}

// TestRefusedPasskeySignInsAreAlike asks with a passkey that nobody has, with a wrong
// signature, with a counter that did not rise, and as somebody deactivated.
func TestRefusedPasskeySignInsAreAlike(t *testing.T) {
	t.Parallel()
	store, e, a := withPasskey(t)
	try := func(a *passkeystest.Authenticator, change func(*passkeystest.Answer)) error {
		c, err := store.BeginPasskeySignIn(party, "browser", start)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := a.Get(c.Options, keyPage)
		if err != nil {
			t.Fatal(err)
		}
		change(&answer)
		result, _, err := store.SignInWithPasskey(ctx, party, "browser", answer.JSON(), "",
			db.Client{Address: "192.0.2.3"}, start)
		if result.Session != "" {
			t.Error("a session")
		}
		return err
	}
	nothing := func(*passkeystest.Answer) {}
	thief, copied, u2f := a.Clone(), a.Clone(), a.Clone()
	thief.Rekey()
	copied.Counter = 0
	u2f.Flags = passkeystest.UserPresent
	u2f.Counter += 10
	other := a.Clone()
	other.ID = []byte("a credential that nobody has")
	for name, err := range map[string]error{
		"nobody's":           try(other, nothing),
		"wrong signature":    try(thief, nothing),
		"counter not risen":  try(copied, nothing),
		"nobody is verified": try(u2f, nothing),
		"no answer":          try(a, func(r *passkeystest.Answer) { *r = passkeystest.Answer{} }),
		"another's handle":   try(a, func(r *passkeystest.Answer) { r.UserHandle = passkeys.NewUserHandle() }),
	} {
		if !errors.Is(err, twofactor.ErrWrongPasskey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	admin := db.Machine("root").Author()
	if err := store.SetActive(ctx, e.visitor.Person.ID, false, admin, start); err != nil {
		t.Fatal(err)
	}
	a.Counter += 20
	if err := try(a, nothing); !errors.Is(err, twofactor.ErrWrongPasskey) {
		t.Errorf("deactivated: %v", err)
	}
}

func TestPasskeySignInsAreCountedByAddress(t *testing.T) {
	t.Parallel()
	store, _, a := withPasskey(t)
	thief := a.Clone()
	thief.Rekey()
	sign := func(a *passkeystest.Authenticator) error {
		c, err := store.BeginPasskeySignIn(party, "browser", start)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = store.SignInWithPasskey(ctx, party, "browser", assertion(t, a, c.Options), "",
			db.Client{Address: "192.0.2.3"}, start)
		return err
	}
	var wait twofactor.Wait
	for n := 0; ; n++ {
		err := sign(thief)
		if errors.As(err, &wait) {
			break
		}
		if !errors.Is(err, twofactor.ErrWrongPasskey) || n > 30 {
			t.Fatalf("try %d: %v", n, err)
		}
	}
	if err := sign(a); !errors.As(err, &wait) {
		t.Errorf("the right one from there: %v", err)
	}
}

// TestOnePasskeyAnswerOpensOneSession posts one answer 64 times at once, alone and as a
// second step.
func TestOnePasskeyAnswerOpensOneSession(t *testing.T) {
	t.Parallel()
	store, _, a := withPasskey(t)
	c, err := store.BeginPasskeySignIn(party, "browser", start)
	if err != nil {
		t.Fatal(err)
	}
	alone := assertion(t, a, c.Options)
	requireOne(t, func() (db.SignInResult, error) {
		result, _, err := store.SignInWithPasskey(ctx, party, "browser", alone, "", db.Client{Address: "192.0.2.3"}, start)
		return result, err
	})
	token, options := secondStep(t, store, start)
	second := assertion(t, a, options)
	requireOne(t, func() (db.SignInResult, error) {
		result, _, err := store.VerifyPasskey(ctx, party, token, second, db.Client{}, start)
		return result, err
	})
}

func requireOne(t *testing.T, do func() (db.SignInResult, error)) {
	t.Helper()
	var sessions atomic.Int32
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			result, err := do()
			if result.Session != "" {
				sessions.Add(1)
			} else if !db.IsRefusal(err) {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if n := sessions.Load(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestWrongPasskeysEndAChallenge(t *testing.T) {
	t.Parallel()
	store, _, a := withPasskey(t)
	thief := a.Clone()
	thief.Rekey()
	token, options := secondStep(t, store, start)
	first := assertion(t, a, options)
	for want := 4; want >= 0; want-- {
		options := stepOptions(t, store, token, start)
		_, left, err := store.VerifyPasskey(ctx, party, token, assertion(t, thief, options), db.Client{}, start)
		if !errors.Is(err, twofactor.ErrWrongPasskey) || left != want {
			t.Fatalf("%d left, %v; want %d", left, err, want)
		}
		if want == 4 { // the right answer to what was asked before
			if _, left, err := store.VerifyPasskey(ctx, party, token, first, db.Client{}, start); !errors.Is(err,
				twofactor.ErrWrongPasskey) {
				t.Errorf("an answer to a ceremony that is over: %d, %v", left, err)
			}
			want--
		}
	}
	if _, _, err := store.VerifyPasskey(ctx, party, token, first, db.Client{}, start); !errors.Is(err,
		twofactor.ErrChallengeOver) {
		t.Errorf("the sixth: %v", err)
	}
}

func TestAnswersOfOneCeremonyPassNoOther(t *testing.T) {
	t.Parallel()
	store, e, a := withPasskey(t)
	public, err := store.BeginPasskeySignIn(party, "browser", start)
	if err != nil {
		t.Fatal(err)
	}
	step, err := store.BeginStepUp(ctx, e.visitor, party, start)
	if err != nil {
		t.Fatal(err)
	}
	token, second := secondStep(t, store, start)
	asked := map[string]string{"sign-in": public.Options, "step-up": step, "second step": second}
	used := map[string]func(answer string) error{
		"sign-in": func(answer string) error {
			_, _, err := store.SignInWithPasskey(ctx, party, "browser", answer, "", db.Client{Address: "192.0.2.3"}, start)
			return err
		},
		"step-up": func(answer string) error {
			return store.StepUpWithPasskey(ctx, e.visitor, party, answer, db.Client{}, start)
		},
		"second step": func(answer string) error {
			_, _, err := store.VerifyPasskey(ctx, party, token, answer, db.Client{}, start)
			return err
		},
		"registration": func(answer string) error {
			_, err := store.AddPasskey(ctx, e.visitor, party, answer, "", db.Client{}, start)
			return err
		},
	}
	for from, options := range asked {
		for to, use := range used {
			if from != to {
				if err := use(assertion(t, a, options)); !db.IsRefusal(err) {
					t.Errorf("an answer to %s at %s: %v", from, to, err)
				}
			}
		}
	}
	register := registration(t, store, e.visitor, passkeystest.New(), start)
	for to, use := range used {
		if to != "registration" {
			if err := use(register); !db.IsRefusal(err) {
				t.Errorf("a registration at %s: %v", to, err)
			}
		}
	}
}

func TestStepUpWithAPasskey(t *testing.T) {
	t.Parallel()
	store, e, a := withPasskey(t)
	later := start.Add(20 * time.Minute)
	options, err := store.BeginStepUp(ctx, e.visitor, party, later)
	if err != nil {
		t.Fatal(err)
	}
	answer := assertion(t, a, options)
	if err := store.StepUpWithPasskey(ctx, e.visitor, party, answer, db.Client{},
		later.Add(passkeys.Timeout)); !errors.Is(err,
		twofactor.ErrPasskeyOver) {
		t.Errorf("too late: %v", err)
	}
	if err := store.StepUpWithPasskey(ctx, e.visitor, party, answer, db.Client{}, later); !errors.Is(err,
		twofactor.ErrPasskeyOver) {
		t.Errorf("spent by the late answer: %v", err)
	}
	unverified := a.Clone()
	unverified.Flags = passkeystest.UserPresent
	options, _ = store.BeginStepUp(ctx, e.visitor, party, later)
	if err := store.StepUpWithPasskey(ctx, e.visitor, party, assertion(t, unverified, options), db.Client{},
		later); !errors.Is(err, twofactor.ErrWrongPasskey) {
		t.Errorf("without verification: %v", err)
	}
	options, _ = store.BeginStepUp(ctx, e.visitor, party, later)
	answer = assertion(t, a, options)
	if err := store.StepUpWithPasskey(ctx, e.visitor, party, answer, db.Client{}, later); err != nil {
		t.Fatal(err)
	}
	again, err := store.Visitor(ctx, e.token, later)
	if err == nil && !account.IsFresh(again.AuthenticatedAt, later) {
		t.Error("the proof is not fresh")
	}
	if err := store.StepUpWithPasskey(ctx, e.visitor, party, answer, db.Client{}, later); !errors.Is(err,
		twofactor.ErrPasskeyOver) {
		t.Errorf("again: %v", err)
	}
}

func TestPasskeyRowsCannotBeMoved(t *testing.T) {
	t.Parallel()
	store, _, a := withPasskey(t)
	dbtest.Add(t, store, "eve@example.org", twofactor.Member)
	eve, mallory := enrol(t, store, "eve@example.org", start), passkeystest.New()
	addPasskey(t, store, eve.visitor, mallory, start)
	sign := func(a *passkeystest.Authenticator, handleOf string) error {
		c, err := store.BeginPasskeySignIn(party, "browser", start)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = store.SignInWithPasskey(ctx, party, "browser", assertion(t, a, c.Options), "", db.Client{}, start)
		return err
	}
	for name, query := range map[string]string{
		"moved to somebody else": `UPDATE passkey SET person_id = (SELECT id FROM person WHERE email = 'ada@example.org')
			WHERE person_id = (SELECT id FROM person WHERE email = 'eve@example.org')`,
	} {
		if err := store.Transaction(ctx, func(exec func(string, ...any) error) error { return exec(query) }); err != nil {
			t.Fatal(err)
		}
		mallory.UserHandle = a.UserHandle
		if err := sign(mallory, ""); err == nil {
			t.Errorf("%s: signs in", name)
		}
	}
	if err := sign(a, ""); err != nil {
		t.Errorf("the person's own: %v", err)
	}
	if _, err := store.Check(ctx); err == nil {
		t.Error("check says nothing")
	}
}

func TestPasskeysAreBoundedAndNamed(t *testing.T) {
	t.Parallel()
	store, e, a := withPasskey(t)
	v := e.visitor
	answer := registration(t, store, v, a.Clone(), start)
	if _, err := store.AddPasskey(ctx, v, party, answer, strings.Repeat("x", 101), db.Client{}, start); err == nil {
		t.Error("a long name was taken")
	}
	icloud := passkeystest.New()
	icloud.AAGUID = [16]byte{0xfb, 0xfc, 0x30, 0x07, 0x15, 0x4e, 0x4e, 0xcc, 0x8c, 0x0b, 0x6e, 0x02, 0x05,
		0x57, 0xd7, 0xbd}
	v, added := addPasskey(t, store, v, icloud, start)
	if added.Name != "iCloud Keychain" {
		t.Errorf("named %q", added.Name)
	}
	for n := 3; n <= passkeys.MaxPerPerson; n++ {
		v, added = addPasskey(t, store, v, passkeystest.New(), start)
	}
	if _, err := store.BeginPasskey(ctx, v, party, start); !errors.Is(err, twofactor.ErrTooManyPasskeys) {
		t.Errorf("the 21st: %v", err)
	}
	names := map[string]bool{}
	list, _ := store.Passkeys(ctx, v)
	for _, p := range list {
		names[p.Name] = true
	}
	if len(names) != passkeys.MaxPerPerson || !names["Passkey"] || !names["Passkey 2"] {
		t.Errorf("names: %v", names)
	}
}

func TestOneCredentialBelongsToOnePerson(t *testing.T) {
	t.Parallel()
	store, _, a := withPasskey(t)
	dbtest.Add(t, store, "eve@example.org", twofactor.Member)
	eve := enrol(t, store, "eve@example.org", start).visitor
	c, err := store.BeginPasskey(ctx, eve, party, start)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := passkeystest.New().CreateWithID(c.Options, keyPage, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.AddPasskey(ctx, eve, party, answer.JSON(), "", db.Client{}, start); !errors.Is(err,
		twofactor.ErrPasskeyTaken) {
		t.Errorf("got %v", err)
	}
}

func TestRegistrationsAreAnsweredOnceByTheirOwnSession(t *testing.T) {
	t.Parallel()
	store, e, _ := withPasskey(t)
	dbtest.Add(t, store, "eve@example.org", twofactor.Member)
	eve := enrol(t, store, "eve@example.org", start).visitor
	answer := registration(t, store, e.visitor, passkeystest.New(), start)
	if _, err := store.AddPasskey(ctx, eve, party, answer, "", db.Client{}, start); !errors.Is(err,
		twofactor.ErrPasskeyOver) {
		t.Errorf("in somebody else's session: %v", err)
	}
	if _, err := store.AddPasskey(ctx, e.visitor, party, answer, "", db.Client{},
		start.Add(passkeys.Timeout)); !errors.Is(err, twofactor.ErrPasskeyOver) {
		t.Errorf("too late: %v", err)
	}
	answer = registration(t, store, e.visitor, passkeystest.New(), start)
	added, err := store.AddPasskey(ctx, e.visitor, party, answer, "Phone", db.Client{}, start)
	if err != nil || added.Name != "Phone" {
		t.Fatalf("%+v, %v", added, err)
	}
	v := visitor(t, store, added.Session, start)
	if _, err := store.AddPasskey(ctx, v, party, answer, "", db.Client{}, start); !errors.Is(err,
		twofactor.ErrPasskeyOver) {
		t.Errorf("again: %v", err)
	}
	if _, err := store.Visitor(ctx, e.token, start); !errors.Is(err, db.ErrSignedOut) {
		t.Errorf("the session of before: %v", err)
	}
}

func TestRenameAndRemoveAPasskey(t *testing.T) {
	t.Parallel()
	store, e, _ := withPasskey(t)
	list, err := store.Passkeys(ctx, e.visitor)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	dbtest.Add(t, store, "eve@example.org", twofactor.Member)
	eve := enrol(t, store, "eve@example.org", start).visitor
	if err := store.RenamePasskey(ctx, eve, list[0].Handle, "Mine", db.Client{}, start); !errors.Is(err,
		db.ErrNotFound) {
		t.Errorf("renamed by somebody else: %v", err)
	}
	if _, err := store.RemovePasskey(ctx, eve, list[0].Handle, db.Client{}, start); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("removed by somebody else: %v", err)
	}
	if err := store.RenamePasskey(ctx, e.visitor, list[0].Handle, " Blue  key ", db.Client{}, start); err != nil {
		t.Error(err)
	}
	if list, _ = store.Passkeys(ctx, e.visitor); list[0].Name != "Blue key" {
		t.Errorf("named %q", list[0].Name)
	}
	rotated, err := store.RemovePasskey(ctx, e.visitor, list[0].Handle, db.Client{}, start)
	if err != nil {
		t.Fatal(err)
	}
	v := visitor(t, store, rotated.Session, start)
	if list, _ = store.Passkeys(ctx, v); len(list) != 0 || v.State != twofactor.Enabled {
		t.Errorf("left: %v, %v", list, v.State)
	}
}

// TestMovedBaseURL moves the workspace to another domain: who has the app as well signs in
// with it, and is not counted; the passkeys of before are offered to nobody.
func TestMovedBaseURL(t *testing.T) {
	t.Parallel()
	store, e, _ := withPasskey(t)
	if left, err := store.SetPasskeyDomain(ctx, "example.com"); err != nil || left != 0 {
		t.Errorf("%d left, %v: the app works everywhere", left, err)
	}
	moved := passkeys.Party{ID: "example.com", Name: "Acme", Origins: []string{"https://example.com"}}
	c, err := store.Challenge(ctx, challenged(t, store, "ada@example.org", start), start)
	if err != nil {
		t.Fatal(err)
	}
	if step, err := store.PasskeyStep(ctx, moved,
		c); err != nil || step.Options != "" ||
		len(step.MadeFor) != 1 || step.MadeFor[0] != party.ID || step.NoApp {
		t.Errorf("offered: %+v, %v", step, err)
	}
	if options, err := store.BeginStepUp(ctx, e.visitor, moved, start); err != nil || options != "" {
		t.Errorf("asked for as a step-up: %q, %v", options, err)
	}
	if _, err := store.BeginPasskey(ctx, e.visitor, moved, start); err != nil {
		t.Errorf("a new one: %v", err)
	}
}

func TestRemovedPeopleAndResetsTakePasskeysAlong(t *testing.T) {
	t.Parallel()
	store, e, _ := withPasskey(t)
	admin := db.Machine("root").Author()
	if err := store.ResetTwoFactor(ctx, e.visitor.Person.ID, admin, start); err != nil {
		t.Fatal(err)
	}
	if n := count(t, store, `SELECT count(*) FROM passkey`); n != 0 {
		t.Errorf("%d passkeys after a reset", n)
	}
	v := enrol(t, store, "ada@example.org", start).visitor
	v, _ = addPasskey(t, store, v, passkeystest.New(), start)
	registration(t, store, v, passkeystest.New(), start)
	if err := store.RemovePerson(ctx, v.Person.ID, admin, start); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"passkey", "ceremony", "person WHERE user_handle IS NOT NULL"} {
		if n := count(t, store, `SELECT count(*) FROM `+table); n != 0 {
			t.Errorf("%d rows of %s after a removal", n, table)
		}
	}
}

func TestDisablingRemovesPasskeys(t *testing.T) {
	t.Parallel()
	store, e, _ := withPasskey(t)
	if _, _, err := store.DisableTwoFactor(ctx, e.visitor, dbtest.Password, db.Client{}, start); err != nil {
		t.Fatal(err)
	}
	signIn(t, store, "ada@example.org", start) // with the password alone
	if n := count(t, store, `SELECT count(*) FROM passkey`); n != 0 {
		t.Errorf("%d passkeys", n)
	}
}

// TestPasskeyAloneIsAFactor begins with a passkey: recovery codes come with it and stay
// until the last factor goes, whatever order factors come and go in.
func TestPasskeyAloneIsAFactor(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	if _, err := store.SetPasskeyDomain(ctx, party.ID); err != nil {
		t.Fatal(err)
	}
	if err := store.SetPolicy(ctx, twofactor.Policy{Everyone: true}, db.Machine("root").Author(), start); err != nil {
		t.Fatal(err)
	}
	v, a := signIn(t, store, "ada@example.org", start), passkeystest.New()
	if !v.MustEnroll {
		t.Error("the policy does not stop them")
	}
	v, added := addPasskey(t, store, v, a, start)
	if len(added.Codes) != twofactor.RecoveryCodes || v.MustEnroll || !v.Enrolled {
		t.Fatalf("%d codes, %+v", len(added.Codes), v)
	}
	c, err := store.Challenge(ctx, challenged(t, store, "ada@example.org", start), start)
	if err != nil {
		t.Fatal(err)
	}
	if step, err := store.PasskeyStep(ctx, party, c); err != nil || !step.NoApp || step.Options == "" {
		t.Errorf("offered %+v, %v", step, err)
	}
	_, left, err := store.RedeemRecoveryCode(ctx, challenged(t, store, "ada@example.org", start), added.Codes[0].Text(),
		db.Client{}, start)
	if err != nil {
		t.Errorf("a code that came with the passkey: %v, %d left", err, left)
	}
	list, _ := store.Passkeys(ctx, v)
	if _, err := store.RemovePasskey(ctx, v, list[0].Handle, db.Client{}, start); !errors.Is(err, twofactor.ErrLastFactor) {
		t.Errorf("the last factor: %v", err)
	}
	if _, err := store.RemoveAuthenticatorApp(ctx, v, dbtest.Password, db.Client{}, start); !errors.Is(err,
		twofactor.ErrNotEnabled) {
		t.Errorf("the app that they do not have: %v", err)
	}
	app := enableApp(t, store, v, start)
	rotated, err := store.RemoveAuthenticatorApp(ctx, app, dbtest.Password, db.Client{}, start)
	if err != nil {
		t.Fatal(err)
	}
	v = visitor(t, store, rotated.Session, start)
	if !v.Enrolled || count(t, store, `SELECT count(*) FROM recovery_sheet`) != 1 {
		t.Error("the passkey does not keep the codes")
	}
	_, rotated, err = store.DisableTwoFactor(ctx, v, dbtest.Password, db.Client{}, start)
	if err != nil {
		t.Fatal(err)
	}
	v = visitor(t, store, rotated.Session, start)
	if v.Enrolled || !v.MustEnroll || count(t, store, `SELECT count(*) FROM recovery_sheet`) != 0 {
		t.Error("something is left after disabling")
	}
}

// enableApp enables the app of a visitor who may have passkeys, and returns the visitor of the
// new session.
func enableApp(t *testing.T, store *db.Store, v db.Visitor, now time.Time) db.Visitor {
	t.Helper()
	e, err := store.EnableTwoFactor(ctx, v, now)
	if err != nil {
		t.Fatal(err)
	}
	_, rotated, err := store.ConfirmTwoFactor(ctx, v, dbtest.Code(t, e.Secret.Base32(), now), db.Client{}, now)
	if err != nil {
		t.Fatal(err)
	}
	return visitor(t, store, rotated.Session, now)
}

// TestMovedPasskeyOnly moves the workspace away from somebody's only factor: the second step
// still stands, the policy counts them as not enrolled, and they come back with the address.
func TestMovedPasskeyOnly(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	if _, err := store.SetPasskeyDomain(ctx, party.ID); err != nil {
		t.Fatal(err)
	}
	v, added := addPasskey(t, store, signIn(t, store, "ada@example.org", start), passkeystest.New(), start)
	for domain, want := range map[string]int{"example.com": 1, "": 1, party.ID: 0} {
		if left, err := store.SetPasskeyDomain(ctx, domain); err != nil || left != want {
			t.Errorf("at %q %d are left, %v; want %d", domain, left, err, want)
		}
	}
	if _, err := store.SetPasskeyDomain(ctx, "example.com"); err != nil {
		t.Fatal(err)
	}
	token := challenged(t, store, "ada@example.org", start) // never the password alone
	if _, _, err := store.RedeemRecoveryCode(ctx, token, added.Codes[0].Text(), db.Client{}, start); err != nil {
		t.Errorf("by recovery code: %v", err)
	}
	page, err := store.NotEnrolled(ctx, "")
	if err != nil || len(page.People) != 1 {
		t.Errorf("not enrolled: %+v, %v", page, err)
	}
	_ = v
}

func TestEverybodyHasAUserHandle(t *testing.T) {
	t.Parallel()
	store, _, _ := withPasskey(t)
	dbtest.Add(t, store, "eve@example.org", twofactor.Member)
	if n := count(t, store, `SELECT count(DISTINCT user_handle) FROM person WHERE length(user_handle) = 32`); n != 2 {
		t.Errorf("%d of 2 people have one", n)
	}
}

func count(t *testing.T, store *db.Store, query string) int64 {
	t.Helper()
	n, err := store.Number(ctx, query)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
