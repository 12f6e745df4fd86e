package db_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"

	"pgregory.net/rapid"
)

// TestTallyCountsWhatActivityTells makes random sign-ins, right and wrong, of people and of
// names that nobody has, over days and midnights: the tally says of each day what the rows
// of activity say.
func TestTallyCountsWhatActivityTells(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	var people []string
	for i := range 5 {
		people = append(people, fmt.Sprintf("person%d@example.org", i))
		dbtest.Add(t, store, people[i], twofactor.Member)
	}
	now := start
	rapid.Check(t, func(r *rapid.T) {
		now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(r, "hours")) * time.Hour)
		for range rapid.IntRange(1, 4).Draw(r, "sign-ins") {
			email := rapid.SampledFrom(append(people, "nobody@example.org", "none@example.org")).Draw(r, "who")
			password := rapid.SampledFrom([]string{dbtest.Password, dbtest.Password, "something else"}).Draw(r, "password")
			_, _ = store.SignIn(ctx, email, password, "", db.Client{Address: "192.0.2.1"}, now)
		}
		if rapid.IntRange(0, 4).Draw(r, "flood") == 0 { // of an hour, whose rest is one row of activity
			for i := range 14 {
				_, _ = store.SignIn(ctx, fmt.Sprintf("x%d@example.org", i), "x", "", db.Client{Address: "192.0.2.2"}, now)
			}
			now = now.Add(time.Hour)
		}
		if rapid.IntRange(0, 9).Draw(r, "sweep") == 0 {
			if err := store.Sweep(ctx, now); err != nil {
				r.Fatal(err)
			}
		}
		days, err := store.Tally(ctx, now, 30)
		if err != nil {
			r.Fatal(err)
		}
		if today := days[29]; len(days) != 30 || today.People != len(people) || today.Enrolled != 0 || !today.IsNoted {
			r.Fatalf("%d days, the last %+v", len(days), today)
		}
		for _, day := range days {
			signIns, refused := countedRows(r, store, day.Day)
			if day.SignIns != signIns || day.Refused != refused {
				r.Fatalf("on %s the tally has %d sign-ins and %d refusals, the activity %d and %d",
					day.Day.Format(time.DateOnly), day.SignIns, day.Refused, signIns, refused)
			}
		}
	})
}

// countedRows counts a day's rows of activity.
func countedRows(t interface{ Fatal(...any) }, store *db.Store, day time.Time) (signIns, refused int) {
	err := store.EachActivity(context.Background(), db.Filter{From: day, Until: day.AddDate(0, 0, 1)}, func(row db.ActivityRow) error {
		switch row.Event {
		case account.SignedIn:
			signIns++
		case account.SignInFailed:
			refused++
		case account.UnknownNames:
			var n int
			_, err := fmt.Sscan(row.Detail, &n)
			refused += n
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return signIns, refused
}

// TestTallyOfManyAtOnce has many people sign in at the same time: none is lost.
func TestTallyOfManyAtOnce(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	const n = 24
	for i := range n {
		dbtest.Add(t, store, fmt.Sprintf("person%d@example.org", i), twofactor.Member)
	}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for _, password := range []string{"something else", dbtest.Password} {
				c := db.Client{Address: fmt.Sprintf("192.0.2.%d", i)}
				_, _ = store.SignIn(ctx, fmt.Sprintf("person%d@example.org", i), password, "", c, start)
			}
		})
	}
	all.Wait()
	days, err := store.Tally(ctx, start, 1)
	if err != nil || len(days) != 1 {
		t.Fatal(days, err)
	}
	signIns, refused := countedRows(t, store, days[0].Day)
	if days[0].SignIns != signIns || days[0].Refused != refused || signIns == 0 || refused == 0 {
		t.Errorf("%+v; the activity has %d and %d", days[0], signIns, refused)
	}
}

// TestTallyOfEnrolled follows who has enrolled from day to day, over a day on which no
// server ran.
func TestTallyOfEnrolled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	day := 24 * time.Hour
	for i, act := range []func(now time.Time){
		func(time.Time) { dbtest.Add(t, store, "ben@example.org", twofactor.Member) },
		func(now time.Time) { enrol(t, store, "ada@example.org", now) },
		nil,
		func(now time.Time) {
			p, err := store.PersonByEmail(ctx, "ben@example.org")
			if err == nil {
				err = store.SetActive(ctx, p.ID, false, db.Machine("root").Author(), now)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		now := start.Add(time.Duration(i) * day)
		if act == nil {
			continue
		}
		act(now)
		if err := store.Sweep(ctx, now); err != nil {
			t.Fatal(err)
		}
	}
	days, err := store.Tally(ctx, start.Add(3*day), 6)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, d := range days {
		got += fmt.Sprintf("%v %d/%d, ", d.IsNoted, d.Enrolled, d.People)
	}
	if want := "false 0/0, false 0/0, true 0/2, true 1/2, true 1/2, true 1/1, "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := store.Sweep(ctx, start.Add(405*day)); err != nil {
		t.Fatal(err)
	}
	if n := queryText(t, filepath.Join(dir, db.FileName), `SELECT CAST(count(DISTINCT day) AS TEXT) FROM tally WHERE day > 0`); n != "1" {
		t.Errorf("%s days are kept after 400", n)
	}
	_ = store.Close() // the activity is kept for longer: dbtest would compare
}

// TestTallyCarriesOn shows days that nobody has noted as the newest before them, though that
// is long ago, and people and those who have enrolled each for themselves: an upgrade fills
// them so.
func TestTallyCarriesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	today := start.Unix() / (24 * 60 * 60)
	for _, note := range []struct {
		ago  int64
		what string
		n    int
	}{{120, "people", 2}, {100, "people", 3}, {50, "enrolled", 1}, {4, "people", 4}, {2, "enrolled", 3}} {
		execRaw(t, filepath.Join(dir, db.FileName), fmt.Sprintf(`INSERT INTO tally (day, what, shard, n) VALUES (%d, '%s', 0, %d)`,
			today-note.ago, note.what, note.n))
	}
	for days, want := range map[int]string{
		6:   "true 1/3, true 1/4, true 1/4, true 3/4, true 3/4, ",
		122: "false 0/0, true 0/2, true 0/2, true 0/2, true 0/2, ",
	} {
		all, err := store.Tally(ctx, start, days)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, d := range all[:5] {
			got += fmt.Sprintf("%v %d/%d, ", d.IsNoted, d.Enrolled, d.People)
		}
		if got != want {
			t.Errorf("of %d days: %s, want %s", days, got, want)
		}
	}
}

// TestUpgradeCounts fills the tally of a workspace from before it: sign-ins, and since when
// people are enrolled.
func TestUpgradeCounts(t *testing.T) {
	dbtest.OnlySQLite(t)
	t.Parallel()
	dir, _ := unpack(t, 10)
	store, err := db.Open(ctx, options(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	days, err := store.Tally(ctx, start.Add(24*time.Hour), 3)
	if err != nil {
		t.Fatal(err)
	}
	signIns, refused := countedRows(t, store, days[1].Day)
	if signIns == 0 || days[1].SignIns != signIns || days[1].Refused != refused || days[1].Enrolled != 1 || days[1].People != 2 {
		t.Errorf("%+v; the activity has %d sign-ins", days[1], signIns)
	}
	if days[0].IsNoted || days[2].Enrolled != 1 {
		t.Errorf("before and after: %+v, %+v", days[0], days[2])
	}
}
