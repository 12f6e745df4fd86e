package db_test

import (
	"errors"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestLengthsOfOthers has two stores on one workspace, as a server and a command on the
// machine are: what one changes counts in the other within five seconds, there and back.
func TestLengthsOfOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := dbtest.OpenIn(t, dir)
	dbtest.Add(t, server, "ada@example.org", twofactor.Member)
	p, err := server.SignIn(ctx, "ada@example.org", dbtest.Password, "", db.Client{}, start)
	if err != nil {
		t.Fatal(err)
	}
	other := dbtest.OpenIn(t, dir)
	by := db.Machine("root").Author()
	change := func(idle, most, at time.Duration) {
		t.Helper()
		if err := other.ChangeSessionLengths(ctx, account.Seen{}, account.SessionLengths{Idle: idle, Max: most}, by,
			start.Add(at)); err != nil {
			t.Fatal(err)
		}
	}
	isOpen := func(at time.Duration) bool {
		t.Helper()
		_, err := server.Visitor(ctx, p.Session, start.Add(at))
		if err != nil && !errors.Is(err, db.ErrSignedOut) {
			t.Fatal(err)
		}
		return err == nil
	}
	if !isOpen(30 * time.Minute) {
		t.Fatal("a session ends within the hour")
	}
	change(10*time.Minute, time.Hour, 30*time.Minute)
	if isOpen(30*time.Minute + 5*time.Second) {
		t.Error("a shorter time does not end the session")
	}
	change(48*time.Hour, 72*time.Hour, 40*time.Minute)
	if !isOpen(47 * time.Hour) {
		t.Error("a longer time does not count for a session that there is")
	}
	if err := server.Sweep(ctx, start.Add(47*time.Hour)); err != nil || !isOpen(47*time.Hour) {
		t.Errorf("it is swept: %v", err)
	}
	if isOpen(48*time.Hour + time.Second) {
		t.Error("it outlasts its idle time")
	}
	for _, l := range []account.SessionLengths{{}, {Idle: time.Hour}, {Idle: 2 * time.Hour, Max: time.Hour}} {
		if err := other.ChangeSessionLengths(ctx, account.Seen{}, l, by, start); err == nil {
			t.Errorf("%v is taken", l)
		}
	}
}
