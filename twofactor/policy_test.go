package twofactor_test

import (
	"testing"
	"time"

	"gatehouse/twofactor"
)

var policyDay = time.Date(2026, 12, 3, 0, 0, 0, 0, time.UTC)

// TestPolicyTurnsOnByItself is off until the instant and on from it.
func TestPolicyTurnsOnByItself(t *testing.T) {
	p := twofactor.Policy{Admins: true, EveryoneFrom: policyDay}
	before, after := p.At(policyDay.Add(-time.Second)), p.At(policyDay)
	if before.MustEnroll(twofactor.Member, twofactor.NotConfigured) || !after.MustEnroll(twofactor.Member, twofactor.NotConfigured) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if from := before.RequiresFrom(twofactor.Member); !from.Equal(policyDay) {
		t.Errorf("a member is obliged from %s", from)
	}
	if from := before.RequiresFrom(twofactor.Administrator); !from.IsZero() {
		t.Errorf("an admin is obliged from %s, and is already", from)
	}
	if from := after.RequiresFrom(twofactor.Member); !from.IsZero() || !after.EveryoneFrom.IsZero() {
		t.Errorf("afterwards there is still something to come: %+v", after)
	}
	both := twofactor.Policy{EveryoneFrom: policyDay, AdminsFrom: policyDay.Add(-time.Hour)}
	if from := both.RequiresFrom(twofactor.SuperAdmin); !from.Equal(policyDay.Add(-time.Hour)) {
		t.Errorf("an admin is obliged from %s", from)
	}
}

// TestLastReminder lists the occasions: when it was set, seven days before, one day before.
func TestLastReminder(t *testing.T) {
	asked := policyDay.Add(-30 * 24 * time.Hour)
	for before, want := range map[time.Duration]time.Time{
		31 * 24 * time.Hour:          {},
		30 * 24 * time.Hour:          asked,
		7*24*time.Hour + time.Second: asked,
		7 * 24 * time.Hour:           policyDay.Add(-7 * 24 * time.Hour),
		24*time.Hour + time.Second:   policyDay.Add(-7 * 24 * time.Hour),
		24 * time.Hour:               policyDay.Add(-24 * time.Hour),
		time.Second:                  policyDay.Add(-24 * time.Hour),
	} {
		if got := twofactor.LastReminder(asked, policyDay, policyDay.Add(-before)); !got.Equal(want) {
			t.Errorf("%v before: %s; want %s", before, got, want)
		}
	}
}
