package db_test

import (
	"fmt"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"

	"pgregory.net/rapid"
)

// A factorModel is one person with sessions on some devices, beside what the guide says
// should be: the app whose codes sign in, and the codes that do.
type factorModel struct {
	t     *testing.T
	store *db.Store
	id    int64
	email string
	now   time.Time

	secret string // of the app that is enabled; "" for none
	codes  map[string]bool
	tokens []string          // of sessions, ended ones too
	begun  map[string]string // what a session has pending, by its token

	begunAt map[string]time.Time
}

// check holds after every move: nobody whom the policy applies to is signed in with the
// password alone, and codes do not outlive the last factor.
func (m *factorModel) check(t *rapid.T) {
	p, err := m.store.Person(ctx, m.id)
	if err != nil {
		t.Fatal(err)
	}
	if enrolled := m.secret != ""; (p.State() == twofactor.Enabled) != enrolled || p.CodesLeft != len(m.codes) {
		t.Fatalf("%v with %d codes, want enrolled %v with %d", p.State(), p.CodesLeft, enrolled, len(m.codes))
	}
	for _, token := range m.tokens {
		v, err := m.store.Visitor(ctx, token, m.now)
		if err != nil {
			continue // it has ended
		}
		if v.Workspace.Policy.Everyone && !v.MustEnroll && v.SecondStepAt.IsZero() {
			t.Fatal("the policy applies, and somebody is signed in with the password alone")
		}
		if m.secret != "" && v.SecondStepAt.IsZero() {
			t.Fatal("there is a factor, and a session that has not shown it")
		}
	}
}

// visitor draws a session that is alive.
func (m *factorModel) visitor(t *rapid.T) (db.Visitor, string) {
	alive := m.alive()
	if len(alive) == 0 {
		t.Skip()
	}
	token := rapid.SampledFrom(alive).Draw(t, "session")
	v, err := m.store.Visitor(ctx, token, m.now)
	if err != nil {
		t.Fatal(err)
	}
	return v, token
}

func (m *factorModel) alive() (tokens []string) {
	for _, token := range m.tokens {
		if _, err := m.store.Visitor(ctx, token, m.now); err == nil {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

func (m *factorModel) code(secret string) string {
	m.now = m.now.Add(time.Minute) // a time step counts once
	return dbtest.Code(m.t, secret, m.now)
}

func (m *factorModel) signIn(t *rapid.T) {
	in, err := m.store.SignIn(ctx, m.email, dbtest.Password, "", db.Client{}, m.now)
	if err != nil {
		t.Fatal(err)
	}
	if (in.Challenge != "") != (m.secret != "") {
		t.Fatal("the password alone opened something, or a challenge without a factor")
	}
	if in.Challenge == "" {
		m.tokens = append(m.tokens, in.Session)
		return
	}
	if code := anyOf(m.codes); code != "" && rapid.Bool().Draw(t, "with a recovery code") {
		out, _, err := m.store.RedeemRecoveryCode(ctx, in.Challenge, code, db.Client{}, m.now)
		if err != nil {
			t.Fatal(err)
		}
		delete(m.codes, code)
		m.tokens = append(m.tokens, out.Session)
		return
	}
	for _, secret := range m.begun { // what is pending signs nobody in
		if out, err := m.store.VerifyCode(ctx, in.Challenge, m.code(secret), db.Client{}, m.now); err == nil {
			t.Fatalf("a code of a pending secret opened %+v", out)
		}
		break
	}
	out, err := m.store.VerifyCode(ctx, in.Challenge, m.code(m.secret), db.Client{}, m.now)
	if err != nil {
		t.Fatal(err)
	}
	m.tokens = append(m.tokens, out.Session)
}

func (m *factorModel) enable(t *rapid.T) {
	v, token := m.visitor(t)
	e, err := m.store.EnableTwoFactor(ctx, v, m.now)
	if (err == nil) != (m.secret == "") {
		t.Fatalf("Enable says %v", err)
	}
	if err == nil {
		m.begun[token], m.begunAt[token] = e.Secret.Base32(), m.now
	}
}

func (m *factorModel) replace(t *rapid.T) {
	v, token := m.visitor(t)
	e, err := m.store.ReplaceTwoFactor(ctx, v, m.now)
	if (err == nil) != (m.secret != "") {
		t.Fatalf("Replace says %v", err)
	}
	if err == nil {
		m.begun[token], m.begunAt[token] = e.Secret.Base32(), m.now
	}
}

// confirm confirms what a session has pending: the first app, or a new phone.
func (m *factorModel) confirm(t *rapid.T) {
	v, token := m.visitor(t)
	secret, ok := m.begun[token]
	if !ok {
		t.Skip()
	}
	code := m.code(secret)
	if !m.now.Before(m.begunAt[token].Add(db.DefaultTimes.PendingTTL)) {
		t.Skip() // it has expired
	}
	var out db.RotatedSession
	var err error
	if m.secret != "" {
		_, out, err = m.store.ExchangeTwoFactor(ctx, v, code, db.Client{}, m.now)
	} else if _, out, err = m.store.ConfirmTwoFactor(ctx, v, code, db.Client{}, m.now); err == nil {
		m.codes = texts(out.Codes)
	}
	if err != nil {
		t.Fatalf("a right code was refused: %v", err)
	}
	m.secret = secret
	m.rotated(t, out)
}

// rotated holds that one session is left, under a new id, with nothing pending.
func (m *factorModel) rotated(t *rapid.T, out db.RotatedSession) {
	if alive := m.alive(); len(alive) != 0 {
		t.Fatalf("%d sessions keep their ids", len(alive))
	}
	m.tokens, m.begun = []string{out.Session}, map[string]string{}
}

func (m *factorModel) cancel(t *rapid.T) {
	v, token := m.visitor(t)
	if err := m.store.DiscardPending(ctx, v); err != nil {
		t.Fatal(err)
	}
	delete(m.begun, token)
}

func (m *factorModel) checkCode(t *rapid.T) {
	v, _ := m.visitor(t)
	code := anyOf(m.codes)
	if code == "" {
		t.Skip()
	}
	if err := m.store.CheckRecoveryCode(ctx, v, code, db.Client{}, m.now); err != nil {
		t.Fatal(err)
	}
}

func (m *factorModel) regenerate(t *rapid.T) {
	v, _ := m.visitor(t)
	_, out, err := m.store.RegenerateRecoveryCodes(ctx, v, db.Client{}, m.now)
	if (err == nil) != (m.secret != "") {
		t.Fatalf("Regenerate says %v", err)
	}
	if err == nil {
		m.codes = texts(out.Codes)
		m.rotated(t, out)
	}
}

func (m *factorModel) disable(t *rapid.T) {
	v, _ := m.visitor(t)
	_, out, err := m.store.DisableTwoFactor(ctx, v, dbtest.Password, db.Client{}, m.now)
	if (err == nil) != (m.secret != "") {
		t.Fatalf("Disable says %v", err)
	}
	if err == nil {
		m.secret, m.codes = "", nil
		m.rotated(t, out)
	}
}

func (m *factorModel) reset(t *rapid.T) {
	err := m.store.ResetTwoFactor(ctx, m.id, byMachine, m.now)
	if (err == nil) != (m.secret != "") {
		t.Fatalf("Reset says %v", err)
	}
	if err == nil {
		if alive := m.alive(); len(alive) != 0 {
			t.Fatalf("%d sessions outlive a reset", len(alive))
		}
		m.secret, m.codes, m.tokens, m.begun = "", nil, nil, map[string]string{}
	}
}

func (m *factorModel) policy(t *rapid.T) {
	p := twofactor.Policy{Everyone: rapid.Bool().Draw(t, "everyone")}
	if err := m.store.SetPolicy(ctx, p, byMachine, m.now); err != nil {
		t.Fatal(err)
	}
}

func anyOf(codes map[string]bool) string {
	for code := range codes {
		return code
	}
	return ""
}

func texts(codes []twofactor.RecoveryCode) map[string]bool {
	out := map[string]bool{}
	for _, code := range codes {
		out[code.Text()] = true
	}
	return out
}

// TestRandomFactorsLeaveNobodyUnprotected does everything about the app and the codes, in any
// order and on several devices, against the store.
func TestRandomFactorsLeaveNobodyUnprotected(outer *testing.T) {
	store := dbtest.Open(outer)
	n := 0
	rapid.Check(outer, func(t *rapid.T) {
		n++
		m := &factorModel{
			t:       outer,
			store:   store,
			email:   fmt.Sprintf("person%d@example.org", n),
			now:     start,
			begun:   map[string]string{},
			begunAt: map[string]time.Time{},
		}
		m.id = dbtest.Add(outer, store, m.email, twofactor.Member)
		t.Repeat(map[string]func(*rapid.T){
			"SignIn":     m.signIn,
			"Enable":     m.enable,
			"Replace":    m.replace,
			"confirm":    m.confirm,
			"Discard":    m.cancel,
			"Check":      m.checkCode,
			"Regenerate": m.regenerate,
			"Disable":    m.disable,
			"Reset":      m.reset,
			"SetPolicy":  m.policy,
			"":           m.check,
		})
	})
}
