package twofactor_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gatehouse/twofactor"
)

var allStates = []twofactor.State{twofactor.NotConfigured, twofactor.Pending, twofactor.Enabled}

// enrollmentIn returns an enrolment in a state.
func enrollmentIn(t *testing.T, state twofactor.State) twofactor.Enrollment {
	switch state {
	case twofactor.Pending:
		return pending(t)
	case twofactor.Enabled:
		return enabled(t)
	}
	return twofactor.Enrollment{}
}

func TestMovesByState(t *testing.T) {
	fresh := secretOf(t, []byte("another secret of 20"))
	right := codeAt([]byte(rfcKey), stepOf(noon)+1)
	for name, c := range map[string]struct {
		move    func(*twofactor.Enrollment) error
		refused [3]error // by state
		leads   [3]twofactor.State
	}{
		"Enable": {func(e *twofactor.Enrollment) error { return e.Enable(fresh, noon, pendingTTL) },
			[3]error{nil, nil, twofactor.ErrAlreadyEnabled},
			[3]twofactor.State{twofactor.Pending, twofactor.Pending, twofactor.Enabled}},
		"Discard": {func(e *twofactor.Enrollment) error { e.Discard(); return nil },
			[3]error{}, [3]twofactor.State{twofactor.NotConfigured, twofactor.NotConfigured, twofactor.Enabled}},
		"Confirm": {func(e *twofactor.Enrollment) error { return e.Confirm(right, twofactor.Sheet{ID: "M4"}, noon) },
			[3]error{twofactor.ErrNoPending, nil, twofactor.ErrAlreadyEnabled},
			[3]twofactor.State{twofactor.NotConfigured, twofactor.Enabled, twofactor.Enabled}},
		"Verify": {func(e *twofactor.Enrollment) error { return e.Verify(right, noon) },
			[3]error{twofactor.ErrNotEnabled, twofactor.ErrNotEnabled, nil},
			[3]twofactor.State{twofactor.NotConfigured, twofactor.Pending, twofactor.Enabled}},
		"Redeem": {func(e *twofactor.Enrollment) error { return e.Redeem(0) },
			[3]error{twofactor.ErrNotEnabled, twofactor.ErrNotEnabled, nil},
			[3]twofactor.State{twofactor.NotConfigured, twofactor.Pending, twofactor.Enabled}},
		"Regenerate": {func(e *twofactor.Enrollment) error { return e.Regenerate(twofactor.Sheet{ID: "M4"}) },
			[3]error{twofactor.ErrNotEnabled, twofactor.ErrNotEnabled, nil},
			[3]twofactor.State{twofactor.NotConfigured, twofactor.Pending, twofactor.Enabled}},
		"Disable": {func(e *twofactor.Enrollment) error { return e.Disable() },
			[3]error{twofactor.ErrNotEnabled, twofactor.ErrNotEnabled, nil},
			[3]twofactor.State{twofactor.NotConfigured, twofactor.Pending, twofactor.NotConfigured}},
	} {
		for _, state := range allStates {
			t.Run(fmt.Sprintf("%s when %s", name, state), func(t *testing.T) {
				e, before := enrollmentIn(t, state), enrollmentIn(t, state)
				err := c.move(&e)
				if err != c.refused[state] || e.State != c.leads[state] {
					t.Errorf("%v, %s; want %v, %s", err, e.State, c.refused[state], c.leads[state])
				}
				if err != nil {
					requireEqual(t, e, before)
				}
				if e.State == twofactor.NotConfigured {
					requireEqual(t, e, twofactor.Enrollment{})
				}
			})
		}
	}
}

func TestEnable(t *testing.T) {
	t.Run("a new secret takes the place of a pending one and its count", func(t *testing.T) {
		e := pending(t)
		if err := e.Confirm("", twofactor.Sheet{}, noon); !errors.As(err, new(twofactor.WrongCode)) {
			t.Fatal(err)
		}
		fresh, later := secretOf(t, []byte("another secret of 20")), noon.Add(time.Minute)
		if err := e.Enable(fresh, later, pendingTTL); err != nil {
			t.Fatal(err)
		}
		requireEqual(t, e, twofactor.Enrollment{State: twofactor.Pending, Secret: fresh, ExpiresAt: later.Add(pendingTTL)})
		if err := e.Confirm(codeAt([]byte(rfcKey), stepOf(later)), twofactor.Sheet{}, later); !errors.As(err,
			new(twofactor.WrongCode)) {
			t.Errorf("a code of the old secret: %v", err)
		}
	})
	t.Run("an enabled secret stays, whoever asks for a new one", func(t *testing.T) {
		e := enabled(t)
		if err := e.Enable(secretOf(t, []byte("another secret of 20")), noon,
			pendingTTL); err != twofactor.ErrAlreadyEnabled {
			t.Error(err)
		}
		requireEqual(t, e, enabled(t))
	})
}

func TestConfirm(t *testing.T) {
	sheet := twofactor.Sheet{ID: "M4", MadeAt: noon}
	for _, c := range []struct {
		name  string
		after time.Duration // since noon
		typed string
		step  int64 // accepted, from the step at noon
		err   error
	}{
		{"the present code", 0, codeAt([]byte(rfcKey), stepOf(noon)), 0, nil},
		{"the code before", 0, codeAt([]byte(rfcKey), stepOf(noon)-1), -1, nil},
		{"the code after", 0, codeAt([]byte(rfcKey), stepOf(noon)+1), 1, nil},
		{"a code with a space", 0,
			codeAt([]byte(rfcKey), stepOf(noon))[:3] + " " + codeAt([]byte(rfcKey), stepOf(noon))[3:], 0, nil},
		{"two codes before is too old", 0, codeAt([]byte(rfcKey), stepOf(noon)-2), 0, twofactor.WrongCode{
			ClockOff: -time.Minute,
			Left:     4,
		}},
		{"two codes after is too new", 0, codeAt([]byte(rfcKey), stepOf(noon)+2), 0, twofactor.WrongCode{
			ClockOff: time.Minute,
			Left:     4,
		}},
		{"a phone four minutes behind is told", 0, codeAt([]byte(rfcKey), stepOf(noon)-8), 0, twofactor.WrongCode{
			ClockOff: -4 * time.Minute,
			Left:     4,
		}},
		{"a phone ten minutes behind is told", 0, codeAt([]byte(rfcKey), stepOf(noon)-20), 0, twofactor.WrongCode{
			ClockOff: -10 * time.Minute,
			Left:     4,
		}},
		{"a phone ten minutes ahead is told", 0, codeAt([]byte(rfcKey), stepOf(noon)+20), 0, twofactor.WrongCode{
			ClockOff: 10 * time.Minute,
			Left:     4,
		}},
		{"a phone further behind is not", 0, codeAt([]byte(rfcKey), stepOf(noon)-21), 0, twofactor.WrongCode{Left: 4}},
		{"a phone further ahead is not", 0, codeAt([]byte(rfcKey), stepOf(noon)+21), 0, twofactor.WrongCode{Left: 4}},
		{"a code of no step near", 0, wrongFor([]byte(rfcKey), noon), 0, twofactor.WrongCode{Left: 4}},
		{"nothing typed counts as well", 0, "", 0, twofactor.WrongCode{Left: 4}},
		{"five digits count as well", 0, "12345", 0, twofactor.WrongCode{Left: 4}},
		{"a nanosecond before the end", pendingTTL - 1, codeAt([]byte(rfcKey), stepOf(noon)+20), 20, nil},
		{"the end itself is too late", pendingTTL, codeAt([]byte(rfcKey), stepOf(noon)+20), 0, twofactor.ErrNoPending},
		{"and so is any time after it", 1000 * time.Hour, codeAt([]byte(rfcKey), stepOf(noon)+120_000), 0,
			twofactor.ErrNoPending},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, now := pending(t), noon.Add(c.after)
			if err := e.Confirm(c.typed, sheet, now); err != c.err {
				t.Fatalf("%#v, want %#v", err, c.err)
			}
			want := pending(t)
			switch c.err {
			case nil:
				want = twofactor.Enrollment{
					State:       twofactor.Enabled,
					Secret:      want.Secret,
					ConfirmedAt: now,
					LastStep:    stepOf(noon) + c.step,
					Sheet:       sheet,
				}
			case twofactor.ErrNoPending:
				want = twofactor.Enrollment{}
			default:
				want.WrongCodes = 1
			}
			requireEqual(t, e, want)
		})
	}
}

func TestFiveWrongCodesDiscardThePendingSecret(t *testing.T) {
	e := pending(t)
	for left := 4; left >= 0; left-- {
		if e.State != twofactor.Pending {
			t.Fatalf("with %d codes left the enrolment is %s", left+1, e.State)
		}
		if err := e.Confirm(wrongFor([]byte(rfcKey), noon), twofactor.Sheet{},
			noon); err != (twofactor.WrongCode{Left: left}) {
			t.Errorf("%#v, want %d left", err, left)
		}
	}
	requireEqual(t, e, twofactor.Enrollment{})
	if err := e.Confirm(codeAt([]byte(rfcKey), stepOf(noon)), twofactor.Sheet{}, noon); err != twofactor.ErrNoPending {
		t.Errorf("the right code afterwards: %v", err)
	}
}

func TestFourWrongCodesLeaveOneTry(t *testing.T) {
	e := pending(t)
	for range 4 {
		if err := e.Confirm("000000", twofactor.Sheet{}, noon); err == nil {
			t.Fatal("a wrong code was accepted")
		}
	}
	if err := e.Confirm(codeAt([]byte(rfcKey), stepOf(noon)), twofactor.Sheet{}, noon); err != nil ||
		e.WrongCodes != 0 {
		t.Errorf("%v, %d wrong codes", err, e.WrongCodes)
	}
}

func TestVerify(t *testing.T) {
	// Every move is a code of a step, given at a time, both from noon, to an
	// enrolment that was confirmed with the code of step 0.
	type try struct {
		at   time.Duration
		step int64
		ok   bool
	}
	for _, c := range []struct {
		name  string
		tries []try
	}{
		{"the confirming code does not sign in", []try{{0, 0, false}, {20 * time.Second, 0, false}}},
		{"nor does the one before it", []try{{0, -1, false}}},
		{"the next code does, once",
			[]try{{0, 1, true}, {0, 1, false}, {30 * time.Second, 1, false}, {time.Minute, 1, false}}},
		{"the present code does", []try{{time.Hour, 120, true}}},
		{"the code before does", []try{{time.Hour, 119, true}}},
		{"the code after does", []try{{time.Hour, 121, true}}},
		{"two before is too old", []try{{time.Hour, 118, false}}},
		{"two after is too new", []try{{time.Hour, 122, false}}},
		{"three codes of one window, each once, in order",
			[]try{{time.Hour, 119, true}, {time.Hour, 120, true}, {time.Hour, 121, true}, {time.Hour, 119, false},
				{time.Hour, 120, false}, {time.Hour, 121, false}}},
		{"a newer code makes the older ones worthless",
			[]try{{time.Hour, 121, true}, {time.Hour, 120, false}, {time.Hour, 119, false}}},
		{"a refused code does not use up the right one", []try{{time.Hour, 118, false}, {time.Hour, 120, true}}},
		{"a used code stays used when the clock goes back",
			[]try{{time.Hour, 120, true}, {time.Hour - 30*time.Second, 120, false},
				{time.Hour - time.Minute, 119, false}, {0, 1, false}, {time.Hour + 30*time.Second, 121, true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := enabled(t)
			for i, try := range c.tries {
				before := e
				late := stepOf(noon.Add(try.at)) - stepOf(noon) - try.step
				err := e.Verify(codeAt([]byte(rfcKey), stepOf(noon)+try.step), noon.Add(try.at))
				if try.ok {
					before.LastStep = stepOf(noon) + try.step
					if err != nil {
						t.Errorf("try %d: %v", i, err)
					}
				} else if err != (twofactor.WrongCode{Expired: late >= 2 && late <= 11}) {
					t.Errorf("try %d: %#v, want a wrong code and no word about the clock", i, err)
				}
				requireEqual(t, e, before)
			}
		})
	}
}

func TestVerifyReportsExpiredCodes(t *testing.T) {
	for _, c := range []struct {
		name    string
		step    int64 // from that of the present
		expired bool
	}{
		{"the step before the window", -2, true},
		{"one of the ten before the window", -7, true},
		{"the tenth before the window", -11, true},
		{"one before those", -12, false},
		{"in the window, but used", -1, false},
		{"the step after the window is coming, and nothing is told of it", 2, false},
		{"nor of a later one", 8, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := twofactor.Enrollment{
				State:    twofactor.Enabled,
				Secret:   secretOf(t, []byte(rfcKey)),
				LastStep: stepOf(noon) - 1,
			}
			err := e.Verify(codeAt([]byte(rfcKey), stepOf(noon)+c.step), noon)
			if err != (twofactor.WrongCode{Expired: c.expired}) {
				t.Errorf("%#v", err)
			}
		})
	}
	t.Run("a wrong code", func(t *testing.T) {
		e := enabled(t)
		if err := e.Verify(wrongFor([]byte(rfcKey), noon), noon); err != (twofactor.WrongCode{}) {
			t.Errorf("%#v", err)
		}
	})
}

func TestVerifyAtTheEdgesOfAStep(t *testing.T) {
	begin := time.Unix(stepOf(noon)*30, 0)
	for _, c := range []struct {
		name string
		now  time.Time
		ok   bool
	}{
		{"a nanosecond before the step before", begin.Add(-30*time.Second - 1), false},
		{"when the step before begins", begin.Add(-30 * time.Second), true},
		{"when the step begins", begin, true},
		{"the last nanosecond of the step after", begin.Add(time.Minute - 1), true},
		{"when the step after has ended", begin.Add(time.Minute), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := twofactor.Enrollment{State: twofactor.Enabled, Secret: secretOf(t, []byte(rfcKey))}
			if err := e.Verify(codeAt([]byte(rfcKey), stepOf(noon)), c.now); (err == nil) != c.ok {
				t.Error(err)
			}
		})
	}
}

func TestVerifyNear1970(t *testing.T) {
	e := twofactor.Enrollment{State: twofactor.Enabled, Secret: secretOf(t, []byte(rfcKey)), LastStep: -9}
	if err := e.Verify(codeAt([]byte(rfcKey), -1), time.Unix(-1, 0)); err == nil {
		t.Error("a time step before 1970 was accepted")
	}
	if err := e.Verify(codeAt([]byte(rfcKey), 0), time.Unix(0, 0)); err != nil {
		t.Errorf("the first time step: %v", err)
	}
}

func TestDisableForgetsEverything(t *testing.T) {
	e := enabled(t)
	if err := e.Disable(); err != nil {
		t.Fatal(err)
	}
	requireEqual(t, e, twofactor.Enrollment{})
}

func TestStateWords(t *testing.T) {
	for state, word := range map[twofactor.State]string{0: "not configured", 1: "pending", 2: "enabled",
		3: "not configured"} {
		if state.String() != word {
			t.Errorf("state %d is %q", int(state), state)
		}
	}
}

func TestChallenge(t *testing.T) {
	for _, c := range []struct {
		name  string
		wrong int
		now   time.Time
		open  bool
		left  int
	}{
		{"a new challenge is open", 0, noon, true, 5},
		{"after four wrong codes it is open", 4, noon, true, 1},
		{"the fifth wrong code ends it", 5, noon, false, 0},
		{"more do not open it again", 6, noon, false, 0},
		{"a nanosecond before its end it is open", 0, noon.Add(10*time.Minute - 1), true, 5},
		{"its end ends it", 0, noon.Add(10 * time.Minute), false, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			challenge := twofactor.Challenge{ExpiresAt: noon.Add(10 * time.Minute), WrongCodes: c.wrong}
			want := error(twofactor.ErrChallengeOver)
			if c.open {
				want = nil
			}
			if err := challenge.Open(c.now); err != want || challenge.Left() != c.left {
				t.Errorf("%v, %d left; want %v, %d", err, challenge.Left(), want, c.left)
			}
		})
	}
	if err := (twofactor.Challenge{}).Open(noon); err != twofactor.ErrChallengeOver {
		t.Errorf("the zero challenge: %v", err)
	}
}

func TestRefusalsContainNoSecret(t *testing.T) {
	for err, text := range map[error]string{
		twofactor.ErrNoPending:       "no pending enrolment",
		twofactor.WrongCode{Left: 3}: "wrong code, 3 tries left",
		twofactor.Wait{Until: noon.In(time.FixedZone("Oslo", 2*60*60))}: "wait until 2026-03-14T12:00:10Z",
	} {
		if err.Error() != text {
			t.Errorf("%q, want %q", err, text)
		}
	}
}
