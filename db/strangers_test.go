package db_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
)

// TestStrangersLeaveFewRows signs in with 500 made-up names within an hour, and goes on
// in the next one.
func TestStrangersLeaveFewRows(t *testing.T) {
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	file := openFile(t, filepath.Join(dir, db.FileName))
	count := func(query string) (n int) {
		t.Helper()
		if err := file.QueryRowContext(ctx, query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	hour := start.Truncate(time.Hour)
	for i := range 500 {
		_ = guessPassword(store, fmt.Sprintf("made-up-%d@example.org", i), clientAt(i), hour.Add(time.Duration(i)*time.Second))
	}
	if n := count(`SELECT count(*) FROM activity`); n != 10 {
		t.Errorf("%d rows of activity, want 10", n)
	}
	sum := 0
	for _, one := range store.TakeSignIns() {
		sum += one.Count
	}
	if sum != 500 {
		t.Errorf("a monitor counts %d failed sign-ins, want 500", sum)
	}
	if err := store.Sweep(ctx, hour.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	page, err := store.Activity(ctx, db.Filter{Event: account.UnknownNames})
	if err != nil || len(page.Rows) != 1 || page.Rows[0].Detail != "490" {
		t.Errorf("the hour's row: %+v, %v", page.Rows, err)
	}
	if counts := store.TakeSignIns(); len(counts) != 0 {
		t.Errorf("the hour's row is counted as sign-ins: %+v", counts)
	}
	_ = guessPassword(store, "one-more@example.org", clientAt(600), hour.Add(time.Hour))
	if n := count(`SELECT count(*) FROM activity`); n != 12 {
		t.Errorf("%d rows of activity in the next hour, want 12", n)
	}
	if err := store.Sweep(ctx, hour.Add(26*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := count(`SELECT (SELECT count(*) FROM attempt) + (SELECT count(*) FROM address_attempt) + (SELECT count(*) FROM unknown_name)`); n != 0 {
		t.Errorf("%d rows are left after a day", n)
	}
}

// TestUnknownNamesShareCounts: names are made up without bound, their counts are not.
func TestUnknownNamesShareCounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	_ = guessPassword(store, "made-up@example.org", clientAt(1), start)
	file := openFile(t, filepath.Join(dir, db.FileName))
	var subject string
	if err := file.QueryRowContext(ctx, `SELECT subject FROM attempt`).Scan(&subject); err != nil {
		t.Fatal(err)
	}
	if len(subject) != len("unknown:")+4 {
		t.Errorf("the count stands under %q; want one of 65,536", subject)
	}
}
