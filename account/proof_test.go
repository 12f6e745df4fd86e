package account_test

import (
	"testing"
	"time"

	"gatehouse/account"
)

func TestIsFresh(t *testing.T) {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for age, want := range map[time.Duration]bool{
		0:                            true,
		15*time.Minute - 1:           true,
		15 * time.Minute:             false,
		24 * time.Hour:               false,
		-time.Minute:                 true,
		-time.Minute - 1:             false,
		-365 * 24 * 60 * time.Minute: false,
	} {
		if got := account.IsFresh(noon, noon.Add(age)); got != want {
			t.Errorf("after %v: %v", age, got)
		}
	}
}
