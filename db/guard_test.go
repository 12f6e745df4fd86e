package db_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// runGuard goes through what a guarded app's proxy and its visitors do.
func runGuard(t *testing.T, store *db.Store, admin db.Visitor, now time.Time) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	by, client := admin.Author(db.Client{}), db.Client{Address: "192.0.2.1"}
	id, err := store.AddApp(ctx, db.NewApp{
		AppFacts: db.AppFacts{Name: "Guarded", Address: "https://guarded.example.org"},
		Access:   db.AppAccess{Everyone: true},
		Guarded:  true,
	}, by, now)
	must(err)
	a, err := store.App(ctx, id)
	must(err)
	must(store.WatchApp(ctx, id, by, now))
	must(store.NoteAppRequest(ctx, db.AppRequest{App: id, At: now, Status: 200}, now))
	must(store.NoteAppRequest(ctx, db.AppRequest{At: now, Status: 400}, now))
	_, err = store.LastAppRequest(ctx, id)
	must(err)
	_, err = store.AppAnswer(ctx, admin, a, now)
	must(err)
	cookie, state := db.NewState()
	ticket, err := store.NewTicket(ctx, admin, id, state, "/", client, now)
	must(err)
	token, _, err := store.EnterApp(ctx, "guarded.example.org", ticket, cookie, now)
	must(err)
	checked, err := store.CheckRequest(ctx, "guarded.example.org", token, now.Add(2*time.Minute))
	must(err)
	if !checked.SignedIn {
		t.Fatalf("%+v", checked)
	}
	must(store.NoteRefused(ctx, checked, client, now))
	must(store.NoteUsed(ctx))
	_, err = store.AppSessions(ctx, admin, now)
	must(err)
	must(store.EndAppSessions(ctx, admin, id, client, now))
}

// inApp is the token of a session in an app, made as a browser does.
func inApp(t *testing.T, store *db.Store, v db.Visitor, app int64, host string, now time.Time) string {
	t.Helper()
	cookie, state := db.NewState()
	ticket, err := store.NewTicket(ctx, v, app, state, "/", db.Client{}, now)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := store.EnterApp(ctx, host, ticket, cookie, now)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// guardedApp is a store with a guarded app for everyone, and somebody who is signed in.
func guardedApp(t *testing.T) (store *db.Store, app int64, v db.Visitor) {
	t.Helper()
	store = dbtest.Open(t)
	app, v = guardedAppIn(t, store)
	return store, app, v
}

// guardedAppIn does the same in a store that there is.
func guardedAppIn(t *testing.T, store *db.Store) (app int64, v db.Visitor) {
	t.Helper()
	dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	app, err := store.AddApp(ctx, db.NewApp{
		AppFacts: db.AppFacts{Name: "Grafana", Address: "https://grafana.example.org"},
		Access:   db.AppAccess{Everyone: true},
		Guarded:  true,
	}, db.Machine("root").Author(), start)
	if err != nil {
		t.Fatal(err)
	}
	return app, signedInAs(t, store, "ada@example.org", start)
}

func signedInAs(t *testing.T, store *db.Store, email string, now time.Time) db.Visitor {
	t.Helper()
	in, err := store.SignIn(ctx, email, dbtest.Password, "", db.Client{}, now)
	if err != nil {
		t.Fatal(err)
	}
	v, err := store.Visitor(ctx, in.Session, now)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestCheckSeesWhatCountsNow: a host that is none, a token of nobody, and a session that ends.
func TestCheckSeesWhatCountsNow(t *testing.T) {
	t.Parallel()
	store, app, v := guardedApp(t)
	token := inApp(t, store, v, app, "grafana.example.org", start)
	check := func(host, token string, at time.Time) db.Check {
		t.Helper()
		c, err := store.CheckRequest(ctx, host, token, at)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := check("grafana.example.org", token, start); !c.MaySee() || c.UserName != "ada" || c.App.ID != app {
		t.Errorf("got %+v", c)
	}
	for name, c := range map[string]db.Check{
		"another host": check("wiki.example.org", token, start),
		"no token":     check("grafana.example.org", "", start),
		"too late":     check("grafana.example.org", token, start.Add(account.DefaultSessionLengths.Max)),
	} {
		if c.SignedIn || c.MaySee() || c.Person != 0 {
			t.Errorf("%s: got %+v", name, c)
		}
	}
	if err := store.EndSession(ctx, v, db.Client{}, start); err != nil {
		t.Fatal(err)
	}
	if c := check("grafana.example.org", token, start); c.SignedIn {
		t.Errorf("after the sign-out: %+v", c)
	}
}

// TestCheckSeesShorterSessionsAtOnce: a check has its lengths of sessions from the row that it reads, whoever changed them.
func TestCheckSeesShorterSessionsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	app, v := guardedAppIn(t, store)
	token := inApp(t, store, v, app, "grafana.example.org", start)
	other := dbtest.OpenIn(t, dir) // a command on the machine, or another node
	isOpen := func(at time.Time) bool {
		t.Helper()
		c, err := store.CheckRequest(ctx, "grafana.example.org", token, at)
		if err != nil {
			t.Fatal(err)
		}
		return c.MaySee()
	}
	now := start.Add(30 * time.Minute)
	if !isOpen(now) {
		t.Fatal("the session is over already")
	}
	for _, l := range []account.SessionLengths{{Idle: 20 * time.Minute, Max: time.Hour}, {Idle: 10 * time.Minute, Max: 30 * time.Minute}} {
		if err := other.ChangeSessionLengths(ctx, account.Seen{}, l, db.Machine("root").Author(), now); err != nil {
			t.Fatal(err)
		}
		if isOpen(now) {
			t.Errorf("open in spite of %v", l)
		}
	}
}

// TestTicketEndsWithTheSession, and with its time, and with the app.
func TestTicketEndsWithTheSession(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(store *db.Store, app int64, v db.Visitor) (time.Time, error){
		"signed out": func(store *db.Store, _ int64, v db.Visitor) (time.Time, error) {
			return start, store.EndSession(ctx, v, db.Client{}, start)
		},
		"too late": func(*db.Store, int64, db.Visitor) (time.Time, error) { return start.Add(db.TicketTTL), nil },
		"paused": func(store *db.Store, app int64, _ db.Visitor) (time.Time, error) {
			return start, store.PauseApp(ctx, app, true, db.Machine("root").Author(), start)
		},
		"swept": func(store *db.Store, _ int64, _ db.Visitor) (time.Time, error) {
			return start, store.Sweep(ctx, start.Add(db.TicketTTL))
		},
		"its sessions ended": func(store *db.Store, app int64, v db.Visitor) (time.Time, error) {
			inApp(t, store, v, app, "grafana.example.org", start)
			return start, store.EndAppSessions(ctx, v, app, db.Client{}, start)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, app, v := guardedApp(t)
			cookie, state := db.NewState()
			ticket, err := store.NewTicket(ctx, v, app, state, "/", db.Client{}, start)
			if err != nil {
				t.Fatal(err)
			}
			now, err := end(store, app, v)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := store.EnterApp(ctx, "grafana.example.org", ticket, cookie, now); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestTicketIsForWhoMay: access is decided again in its transaction.
func TestTicketIsForWhoMay(t *testing.T) {
	t.Parallel()
	store, app, v := guardedApp(t)
	if err := store.PauseApp(ctx, app, true, db.Machine("root").Author(), start); err != nil {
		t.Fatal(err)
	}
	_, state := db.NewState()
	if _, err := store.NewTicket(ctx, v, app, state, "/", db.Client{}, start); !errors.Is(err, db.ErrMayNot) {
		t.Errorf("a paused app: %v", err)
	}
	if err := store.EndSession(ctx, v, db.Client{}, start); err != nil {
		t.Fatal(err)
	}
	if _, err := store.NewTicket(ctx, v, app, state, "/", db.Client{}, start); !errors.Is(err, db.ErrSignedOut) {
		t.Errorf("after the sign-out: %v", err)
	}
}

// TestAppSessionsAreBounded: a browser that enters again and again leaves few rows.
func TestAppSessionsAreBounded(t *testing.T) {
	t.Parallel()
	store, app, v := guardedApp(t)
	var tokens []string
	for i := range 8 {
		tokens = append(tokens, inApp(t, store, v, app, "grafana.example.org", start.Add(time.Duration(i)*time.Second)))
	}
	live := ""
	for _, token := range tokens {
		c, err := store.CheckRequest(ctx, "grafana.example.org", token, start.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		live += map[bool]string{true: "1", false: "0"}[c.MaySee()]
	}
	if live != "00011111" {
		t.Errorf("of eight sessions live %s", live)
	}
	list, err := store.AppSessions(ctx, v, start.Add(time.Minute))
	if err != nil || len(list) != 1 || list[0].App.Name != "Grafana" || !list[0].Current {
		t.Errorf("the list: %+v, %v", list, err)
	}
}

// TestAnotherHostEndsTheSessionsInAnApp: the name may be somebody else's machine next.
func TestAnotherHostEndsTheSessionsInAnApp(t *testing.T) {
	t.Parallel()
	store, app, v := guardedApp(t)
	token := inApp(t, store, v, app, "grafana.example.org", start)
	a, err := store.App(ctx, app)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"https://graphs.example.org", "https://grafana.example.org"} {
		if err := store.ChangeApp(ctx, app, account.Seen{}, db.AppFacts{Name: "Grafana", Address: address, Mark: a.Mark},
			db.Machine("root").Author(), start); err != nil {
			t.Fatal(err)
		}
		if a, err = store.App(ctx, app); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := store.CheckRequest(ctx, "grafana.example.org", token, start); err != nil || c.SignedIn {
		t.Errorf("got %+v, %v", c, err)
	}
}

// TestWatchingAnApp: what its proxy asks is noted for a minute, and what names no app only
// where nothing says more.
func TestWatchingAnApp(t *testing.T) {
	t.Parallel()
	store, app, v := guardedApp(t)
	by := v.Author(db.Client{})
	note := func(r db.AppRequest, at time.Time) {
		t.Helper()
		r.At = at
		if err := store.NoteAppRequest(ctx, r, at); err != nil {
			t.Fatal(err)
		}
	}
	last := func() string {
		t.Helper()
		r, err := store.LastAppRequest(ctx, app)
		if errors.Is(err, db.ErrNotFound) {
			return "nothing"
		}
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(r.Status, " ", r.Fault)
	}
	note(db.AppRequest{App: app, Status: 200}, start)
	if got := last(); got != "nothing" {
		t.Errorf("noted while nobody checks: %s", got)
	}
	if err := store.WatchApp(ctx, app, by, start); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		r    db.AppRequest
		want string
	}{
		{db.AppRequest{Status: 403, Fault: apps.UntrustedPeer}, "403 untrusted"},
		{db.AppRequest{Status: 400}, "403 untrusted"},
		{db.AppRequest{App: app, Status: 303, Family: apps.Forwarded}, "303 "},
		{db.AppRequest{Status: 403, Fault: apps.UntrustedPeer}, "303 "},
		{db.AppRequest{App: app, Status: 200}, "200 "},
		{db.AppRequest{App: app + 1, Status: 403}, "200 "},
	} {
		note(step.r, start)
		if got := last(); got != step.want {
			t.Errorf("after %+v: %q, want %q", step.r, got, step.want)
		}
	}
	note(db.AppRequest{App: app, Status: 403}, start.Add(db.WatchTTL))
	if got := last(); got != "200 " {
		t.Errorf("noted after the minute: %s", got)
	}
	if err := store.WatchApp(ctx, app, by, start); err != nil || last() != "nothing" {
		t.Errorf("a new check begins with nothing: %v, %s", err, last())
	}
}
