package db_test

import (
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestCodesLeftIsKept compares the number that lists show with the sheet itself after
// everything that writes a code.
func TestCodesLeftIsKept(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	id := dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	left := func(move string, v db.Visitor, want int) {
		t.Helper()
		p, err := store.Person(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		e, err := store.TwoFactor(ctx, v)
		if err != nil {
			t.Fatal(err)
		}
		if p.CodesLeft != want || e.State == twofactor.Enabled && e.Sheet.Left() != want {
			t.Errorf("after %s: the list says %d, the sheet %d, want %d", move, p.CodesLeft, e.Sheet.Left(), want)
		}
		without, err := store.AdminsWithoutCodes(ctx)
		if err != nil || without != (want == 0) {
			t.Errorf("after %s: no admin has a code left: %v, %v", move, without, err)
		}
	}
	v := signIn(t, store, "ada@example.org", start)
	left("a sign-in", v, 0)
	ada := enrol(t, store, "ada@example.org", start)
	left("enrolling", ada.visitor, twofactor.RecoveryCodes)
	for i, code := range ada.codes {
		now := start.Add(time.Duration(i+1) * time.Hour)
		passed, _, err := store.RedeemRecoveryCode(ctx, challenged(t, store, "ada@example.org", now), code.Text(),
			db.Client{}, now)
		if err != nil {
			t.Fatal(err)
		}
		ada.visitor = visitor(t, store, passed.Session, now)
		left("a code", ada.visitor, twofactor.RecoveryCodes-1-i)
	}
	_, rotated, err := store.RegenerateRecoveryCodes(ctx, ada.visitor, db.Client{}, start.Add(8*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	v = visitor(t, store, rotated.Session, start.Add(8*time.Hour))
	left("regenerating", v, twofactor.RecoveryCodes)
	if err := store.ResetTwoFactor(ctx, id, db.Machine("root").Author(), start.Add(8*time.Hour)); err != nil {
		t.Fatal(err)
	}
	left("a reset", v, 0)
}
