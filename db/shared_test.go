package db

import (
	"context"
	"errors"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// TestNameOfOthers renames the workspace from one store, and reads it from another whose
// database others write: it is right after five seconds, and not read with every page.
func TestNameOfOthers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	here, there := openIn(t, dir), openIn(t, dir)
	here.shared = true
	defer func() { _, _ = here.Close(), there.Close() }()
	name := func(at time.Duration, want string) {
		t.Helper()
		if got, err := here.WorkspaceName(ctx, rotateStart.Add(at)); err != nil || got != want {
			t.Errorf("after %v it is %q, %v; want %q", at, got, err, want)
		}
	}
	name(0, "Acme")
	if err := there.RenameWorkspace(ctx, account.Seen{}, "Emca", Machine("test").Author(), rotateStart); err != nil {
		t.Fatal(err)
	}
	name(4*time.Second, "Acme")
	name(5*time.Second, "Emca")
	name(-time.Minute, "Emca") // the clock was set back: it is read again, and not kept for longer
}

// TestSignInsAreCountedOnceCommitted counts none whose transaction was rolled back.
func TestSignInsAreCountedOnceCommitted(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir())
	defer func() { _ = s.Close() }()
	for _, c := range []struct {
		result error
		want   int
	}{
		{nil, 1},
		{twofactor.ErrWrongPassword, 1}, // a refusal is committed
		{errors.New("a fault"), 0},
	} {
		err := s.write(context.Background(), lockNothing(), func(t *tx) error {
			if _, err := t.appendActivity(rotateStart, activityEntry{
				event:  account.SignInFailed,
				failed: true,
				actor:  strangerAt(""),
				method: account.ByPassword,
			}); err != nil {
				return err
			}
			return c.result
		})
		if !errors.Is(err, c.result) {
			t.Fatal(err)
		}
		counted := 0
		for _, one := range s.TakeSignIns() {
			counted += one.Count
		}
		if counted != c.want {
			t.Errorf("after %v: %d counted, want %d", c.result, counted, c.want)
		}
	}
}

// TestFirstSetupToken has several nodes start: one of them prints the link, and it works.
func TestFirstSetupToken(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	one, two := openIn(t, dir), openIn(t, dir)
	defer func() { _, _ = one.Close(), two.Close() }()
	token, err := one.FirstSetupToken(ctx, rotateStart)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.FirstSetupToken(ctx, rotateStart); !errors.Is(err, ErrLinkPrinted) {
		t.Errorf("the second node: %v", err)
	}
	if err := two.CheckSetup(ctx, token); err != nil {
		t.Errorf("the link that the first node printed: %v", err)
	}
	again, err := two.NewSetupToken(ctx, rotateStart) // gatehouse setup-link
	if err != nil || one.CheckSetup(ctx, again) != nil || !errors.Is(one.CheckSetup(ctx, token), ErrNotFound) {
		t.Errorf("a new link: %v", err)
	}
	fillSecrets(t, one, 1)
	if _, err := two.FirstSetupToken(ctx, rotateStart); !errors.Is(err, ErrNotFound) {
		t.Errorf("once there are people: %v", err)
	}
}
