package twofactor_test

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"testing"
	"time"

	"gatehouse/twofactor"

	"pgregory.net/rapid"
)

// A model is an enrolment as the guide tells it, in the plainest words, beside
// the real one. Its ledger never forgets, so that it can say "never".
type model struct {
	real twofactor.Enrollment
	now  time.Time

	// What the real one should be.
	state     twofactor.State
	key       []byte
	expires   time.Time
	wrong     int
	confirmed time.Time
	last      int64 // the newest accepted time step
	sheet     twofactor.Sheet

	// The ledger.
	secrets, sheets int
	codes           map[string][8]twofactor.RecoveryCode // by sheet
	oldKeys         [][]byte
	acceptedCodes   []string
	acceptedSteps   map[string]bool // secret and step
	redeemed        map[string]bool // sheet and code
	wrongOn         map[string]int  // refused codes by pending secret
}

// newSheet mints codes as the store does, with an id of its own for each sheet.
func (m *model) newSheet() twofactor.Sheet {
	m.sheets++
	sheet := twofactor.Sheet{ID: fmt.Sprint("sheet ", m.sheets), MadeAt: m.now}
	m.codes[sheet.ID] = twofactor.NewRecoveryCodes()
	return sheet
}

// matching returns the newest time step within reach whose code this is.
func (m *model) matching(code string, reach int64) (int64, bool) {
	for step := stepOf(m.now) + reach; step >= stepOf(m.now)-reach; step-- {
		if codeAt(m.key, step) == code {
			return step, true
		}
	}
	return 0, false
}

// anyCode draws what somebody may type: mostly a code of a time step around the
// present one, else a used code, a code of an older secret, or nonsense.
func (m *model) anyCode(t *rapid.T) string {
	key := m.key
	if key == nil {
		key = make([]byte, 20)
	}
	switch rapid.IntRange(0, 9).Draw(t, "kind of code") {
	case 0:
		return rapid.SampledFrom([]string{"", "12345", "1234567", "abcdef", wrongFor(key, m.now)}).Draw(t, "nonsense")
	case 1:
		if len(m.acceptedCodes) > 0 {
			return rapid.SampledFrom(m.acceptedCodes).Draw(t, "a used code")
		}
	case 2:
		if len(m.oldKeys) > 0 {
			key = rapid.SampledFrom(m.oldKeys).Draw(t, "an older secret")
		}
	case 3, 4:
		return codeAt(key, stepOf(m.now)+rapid.Int64Range(-24, 24).Draw(t, "steps far"))
	}
	return codeAt(key, stepOf(m.now)+rapid.Int64Range(-2, 2).Draw(t, "steps off"))
}

// accept enters an accepted code into the ledger.
func (m *model) accept(t *rapid.T, code string, step int64) {
	entry := fmt.Sprintf("%x %d", m.key, step)
	if m.acceptedSteps[entry] {
		t.Fatalf("time step %d was accepted twice", step)
	}
	m.acceptedSteps[entry] = true
	m.acceptedCodes = append(m.acceptedCodes, code)
}

func (m *model) forget() {
	if m.key != nil {
		m.oldKeys = append(m.oldKeys, m.key)
	}
	m.state, m.key, m.expires, m.wrong, m.confirmed, m.last, m.sheet = twofactor.NotConfigured, nil, time.Time{}, 0, time.Time{}, 0, twofactor.Sheet{}
}

// skipOften makes a move rarer than the others, or hardly a sequence would stay in
// one state for long.
func skipOften(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "now") > 0 {
		t.Skip()
	}
}

func requireError(t *rapid.T, move string, got, want error) {
	t.Helper()
	if got != want {
		t.Fatalf("%s says %#v, want %#v", move, got, want)
	}
}

func (m *model) enable(t *rapid.T) {
	m.secrets++
	key := sha1.Sum(fmt.Append(nil, "secret ", m.secrets))
	secret, err := twofactor.ParseSecret(key[:])
	if err != nil {
		t.Fatal(err)
	}
	before := m.real.Secret.Base32()
	err = m.real.Enable(secret, m.now, pendingTTL)
	if m.state == twofactor.Enabled {
		requireError(t, "Enable", err, twofactor.ErrAlreadyEnabled)
		if m.real.Secret.Base32() != before {
			t.Fatal("Enable changed an enabled secret")
		}
		return
	}
	requireError(t, "Enable", err, nil)
	m.forget()
	m.state, m.key, m.expires = twofactor.Pending, key[:], m.now.Add(pendingTTL)
}

func (m *model) discard(t *rapid.T) {
	skipOften(t)
	m.real.Discard()
	if m.state == twofactor.Pending {
		m.forget()
	}
}

func (m *model) confirm(t *rapid.T) { m.confirmWith(t, m.anyCode(t)) }

// guess enters several codes in a row at random.
func (m *model) guess(t *rapid.T) {
	for range rapid.IntRange(2, 6).Draw(t, "guesses") {
		m.confirmWith(t, fmt.Sprintf("%06d", rapid.IntRange(0, 999_999).Draw(t, "guess")))
	}
}

func (m *model) confirmWith(t *rapid.T, code string) {
	sheet, key := m.newSheet(), fmt.Sprintf("%x", m.key)
	err := m.real.Confirm(code, sheet, m.now)
	if wrong := (twofactor.WrongCode{}); errors.As(err, &wrong) {
		if m.wrongOn[key]++; m.wrongOn[key] > 5 {
			t.Fatal("a sixth wrong code was looked at for one pending secret")
		}
	}
	switch step, ok := m.matching(code, 1); {
	case m.state == twofactor.Enabled:
		requireError(t, "Confirm", err, twofactor.ErrAlreadyEnabled)
	case m.state == twofactor.NotConfigured:
		requireError(t, "Confirm", err, twofactor.ErrNoPending)
	case !m.now.Before(m.expires):
		requireError(t, "Confirm", err, twofactor.ErrNoPending)
		m.forget()
	case ok:
		requireError(t, "Confirm", err, nil)
		m.accept(t, code, step)
		m.state, m.expires, m.wrong, m.confirmed, m.last, m.sheet = twofactor.Enabled, time.Time{}, 0, m.now, step, sheet
	default:
		m.wrong++
		refusal := twofactor.WrongCode{Left: 5 - m.wrong}
		if step, ok := m.matching(code, 20); ok {
			refusal.ClockOff = time.Duration(step-stepOf(m.now)) * 30 * time.Second
		}
		requireError(t, "Confirm", err, refusal)
		if m.wrong == 5 {
			m.forget()
		}
	}
}

func (m *model) verify(t *rapid.T) {
	code := m.anyCode(t)
	err := m.real.Verify(code, m.now)
	switch step, ok := m.matching(code, 1); {
	case m.state != twofactor.Enabled:
		requireError(t, "Verify", err, twofactor.ErrNotEnabled)
	case ok && step > m.last:
		requireError(t, "Verify", err, nil)
		m.accept(t, code, step)
		m.last = step
	default:
		expired := false
		for step := stepOf(m.now) - 11; step <= stepOf(m.now)-2; step++ {
			expired = expired || !ok && step >= 0 && code == codeAt(m.key, step)
		}
		requireError(t, "Verify", err, twofactor.WrongCode{Expired: expired})
	}
}

// redeem types a code of any sheet that ever was. As in the store, only the
// sheet that the real enrolment has is looked through.
func (m *model) redeem(t *rapid.T) {
	from, number := m.sheet.ID, rapid.IntRange(0, 7).Draw(t, "number")
	if m.sheets > 0 && rapid.IntRange(0, 3).Draw(t, "any sheet") == 0 {
		from = fmt.Sprint("sheet ", rapid.IntRange(1, m.sheets).Draw(t, "sheet"))
	}
	typed := m.codes[from][number].Symbols()
	found := -1
	for i, code := range m.codes[m.real.Sheet.ID] {
		if typed != "" && code.Symbols() == typed {
			found = i
		}
	}
	err := m.real.Redeem(found)
	entry := from + " " + typed
	if err == nil {
		if from != m.sheet.ID {
			t.Fatalf("a code of %s was accepted, the sheet is %s", from, m.sheet.ID)
		}
		if m.redeemed[entry] {
			t.Fatal("a recovery code was accepted twice")
		}
	}
	switch {
	case m.state != twofactor.Enabled:
		requireError(t, "Redeem", err, twofactor.ErrNotEnabled)
	case from != m.sheet.ID || m.redeemed[entry]:
		requireError(t, "Redeem", err, twofactor.ErrWrongRecovery)
	default:
		requireError(t, "Redeem", err, nil)
		m.redeemed[entry] = true
		m.sheet.Used[number] = true
	}
}

func (m *model) regenerate(t *rapid.T) {
	sheet := m.newSheet()
	err := m.real.Regenerate(sheet)
	if m.state != twofactor.Enabled {
		requireError(t, "Regenerate", err, twofactor.ErrNotEnabled)
		return
	}
	requireError(t, "Regenerate", err, nil)
	m.sheet = sheet
}

func (m *model) disable(t *rapid.T) {
	skipOften(t)
	err := m.real.Disable()
	if m.state != twofactor.Enabled {
		requireError(t, "Disable", err, twofactor.ErrNotEnabled)
		return
	}
	requireError(t, "Disable", err, nil)
	m.forget()
}

func (m *model) moveClock(t *rapid.T) {
	by := rapid.OneOf(
		rapid.Int64Range(1, 60),
		rapid.Int64Range(-90, -1),
		rapid.SampledFrom([]int64{30, -30, 600, -600, 86400, -86400}),
	).Draw(t, "seconds")
	m.now = m.now.Add(time.Duration(by) * time.Second)
}

// check holds the real enrolment against the model after every move.
func (m *model) check(t *rapid.T) {
	e := m.real
	key := string(e.Secret.Bytes())
	if e.State != m.state || key != string(m.key) || !e.ExpiresAt.Equal(m.expires) || e.WrongCodes != m.wrong ||
		!e.ConfirmedAt.Equal(m.confirmed) || e.LastStep != m.last || e.Sheet != m.sheet {
		t.Fatalf("the enrolment is %+v, the model %s, wrong %d, last step %d, %+v", e, m.state, m.wrong, m.last,
			m.sheet)
	}
	if m.state != twofactor.Pending {
		return
	}
	// A pending enrolment protects nothing: no code of it passes a challenge.
	for off := int64(-1); off <= 1; off++ {
		probe := e
		requireError(t, "Verify while pending", probe.Verify(codeAt(m.key, stepOf(m.now)+off), m.now), twofactor.ErrNotEnabled)
	}
	probe := e
	requireError(t, "Redeem while pending", probe.Redeem(0), twofactor.ErrNotEnabled)
	for _, role := range twofactor.Roles {
		if !(twofactor.Policy{Everyone: true}).MustEnroll(role, e.State) {
			t.Fatal("a pending enrolment satisfies the policy")
		}
	}
}

func TestRandomMovesKeepTheGuidesPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			now:   noon,
			codes: map[string][8]twofactor.RecoveryCode{}, acceptedSteps: map[string]bool{},
			redeemed: map[string]bool{}, wrongOn: map[string]int{},
		}
		t.Repeat(map[string]func(*rapid.T){
			"Enable":         m.enable,
			"Discard":        m.discard,
			"Confirm":        m.confirm,
			"guess":          m.guess,
			"Verify":         m.verify,
			"Redeem":         m.redeem,
			"Regenerate":     m.regenerate,
			"Disable":        m.disable,
			"the clock goes": m.moveClock,
			"":               m.check,
		})
	})
}
