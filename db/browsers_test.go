package db_test

import (
	"testing"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestBrowserTokenBelongsToOnePerson signs two people in with one browser: the second gets
// a token of their own, and what the first had is known to the first alone.
func TestBrowserTokenBelongsToOnePerson(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	dbtest.Add(t, store, "bob@example.org", twofactor.Member)
	first, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", db.Client{Address: "192.0.2.1"}, start)
	if err != nil {
		t.Fatal(err)
	}
	second, err := store.SignIn(ctx, "bob@example.org", dbtest.Password, "", db.Client{Address: "192.0.2.1", Known: first.Browser}, start)
	if err != nil {
		t.Fatal(err)
	}
	if second.Browser == first.Browser {
		t.Fatal("the second person took the first one's token over")
	}
	// With Ada's token, guesses at Bob's password are those of a stranger.
	for range 11 {
		_ = guessPassword(store, "bob@example.org", db.Client{Address: "192.0.2.2", Known: first.Browser}, start)
	}
	waitUntil(t, guessPassword(store, "bob@example.org", clientAt(1), start))
	if _, err := store.SignIn(ctx, "bob@example.org", dbtest.Password, "", db.Client{Address: "192.0.2.1", Known: second.Browser}, start); err != nil {
		t.Errorf("Bob at his own browser: %v", err)
	}
	if again, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", db.Client{Known: first.Browser}, start); err != nil || again.Browser != first.Browser {
		t.Errorf("Ada at her own browser got another token: %v", err)
	}
}
