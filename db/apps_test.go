package db_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// anApp is what it takes to add an app for everyone.
func anApp(name string) db.NewApp {
	return db.NewApp{
		AppFacts: db.AppFacts{Name: name, Address: "https://" + apps.Slug(name) + ".example.org"},
		Access:   db.AppAccess{Everyone: true},
		Guarded:  true,
	}
}

// addApp adds an app, by the machine.
func addApp(t *testing.T, store *db.Store, n db.NewApp) int64 {
	t.Helper()
	id, err := store.AddApp(ctx, n, db.Machine("root").Author(), start)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// refusedFields are the fields that an error refuses, with their reasons, in order.
func refusedFields(err error) string {
	var out []string
	var walk func(error)
	walk = func(err error) {
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, one := range many.Unwrap() {
				walk(one)
			}
		}
		if e, ok := err.(account.FieldError); ok {
			out = append(out, e.Field+": "+string(e.Reason))
		}
	}
	walk(err)
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// runApps goes through what admins do with apps and groups, and what people see of them.
func runApps(t *testing.T, store *db.Store, admin db.Visitor, now time.Time) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	by := admin.Author(db.Client{})
	crew, err := store.AddGroup(ctx, "crew", by, now)
	must(err)
	must(store.RenameGroup(ctx, crew, "ops", by, now))
	must(store.ChangeGroupMembers(ctx, crew, db.GroupChange{Add: []string{"bob@example.org"}}, by, now))
	must(store.SetGroupMembers(ctx, crew, account.Seen{}, []string{"ada@example.org"}, by, now))
	_, err = store.Groups(ctx)
	must(err)
	_, err = store.Group(ctx, crew)
	must(err)
	_, err = store.GroupByName(ctx, "ops")
	must(err)
	_, err = store.GroupsOf(ctx, admin.Person.ID)
	must(err)
	n := anApp("Grafana")
	n.Icon = []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)
	n.Access = db.AppAccess{Roles: []string{"member"}, Groups: []string{"ops"}, People: []string{"ada@example.org"}}
	id, err := store.AddApp(ctx, n, by, now)
	must(err)
	for _, address := range []string{"grafana", "Grafana", "grafana.example.org"} {
		_, err = store.AppByName(ctx, address)
		if address != "grafana.example.org" {
			must(err)
		}
	}
	_, err = store.AppBySlug(ctx, "grafana")
	must(err)
	_, err = store.AppByHost(ctx, "grafana.example.org")
	must(err)
	_, _, err = store.AppIcon(ctx, id, admin)
	must(err)
	must(store.EachApp(ctx, func(apps.App) error { return nil }))
	must(store.ChangeApp(ctx, id, account.Seen{}, db.AppFacts{Name: "Graphs", Address: "g.example.org"}, by, now))
	must(store.ChangeAppAccess(ctx, id, account.Seen{}, db.AppAccess{Everyone: true}, by, now))
	must(store.ChangeAppGuard(ctx, id, account.Seen{}, db.AppGuard{Guarded: true, Public: "/health"}, by, now))
	must(store.PauseApp(ctx, id, true, by, now))
	_, err = store.AppPerson(ctx, admin.Person.ID)
	must(err)
	visit := func(now time.Time) {
		l, err := store.Launcher(ctx, admin)
		must(err)
		must(store.NoteLauncher(ctx, admin, l, now))
	}
	visit(now)
	a, err := store.App(ctx, id)
	must(err)
	must(store.NoteAppOpened(ctx, admin, a, db.Client{}, now))
	must(store.NoteAppRefused(ctx, admin, a, db.Client{}, now))
	must(store.RemoveApp(ctx, id, by, now))
	visit(now)
	must(store.RemoveGroup(ctx, crew, by, now))
	must(store.SetUserName(ctx, admin.Person.ID, "ada.l", by, now))
}

func TestApps(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Administrator)
	mia := dbtest.Add(t, store, "mia@example.org", twofactor.Member)
	by := signIn(t, store, "ada@example.org", start).Author(db.Client{})
	if _, err := store.AddGroup(ctx, "Ops", by, start); err != nil {
		t.Fatal(err)
	}
	n := anApp("Grafana")
	n.Access = db.AppAccess{Roles: []string{"administrator", "member"}, Groups: []string{"ops"},
		People: []string{" Mia@example.org, ada@example.org", ""}, SecondStep: true, FreshMinutes: "15"}
	n.Public, n.Others, n.RemoteUser = "/health\n/public/", "https://wiki.example.org", apps.ByEmail
	id, err := store.AddApp(ctx, n, by, start)
	if err != nil {
		t.Fatal(err)
	}
	a, err := store.App(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if a.Slug != "grafana" || a.Address.String() != "https://grafana.example.org" || a.Mark != "G" || !a.Guarded ||
		a.Connected || a.Paused || !a.Ours || strings.Join(a.Guard.Public, " ") != "/health /public/" ||
		strings.Join(a.Guard.Others, " ") != "https://wiki.example.org" || a.Guard.RemoteUser != apps.ByEmail {
		t.Errorf("the app is kept as %+v", a)
	}
	if want := "role member, role administrator, group ops, 2 people; second step; password within 15 min"; a.Access.
		String() != want {
		t.Errorf("its access is kept as %q, want %q", a.Access, want)
	}
	for name, find := range map[string]func() (apps.App, error){
		"slug": func() (apps.App, error) { return store.AppBySlug(ctx, "grafana") },
		"host": func() (apps.App, error) { return store.AppByHost(ctx, "grafana.example.org") },
		"name": func() (apps.App, error) { return store.AppByName(ctx, "Grafana") },
	} {
		if found, err := find(); err != nil || found.ID != id {
			t.Errorf("by %s: %+v, %v", name, found, err)
		}
	}

	t.Run("a host name belongs to one app, whatever the port", func(t *testing.T) {
		other := anApp("Grafana")
		other.Address = "http://GRAFANA.example.org.:3000"
		if _, err := store.AddApp(ctx, other, by, start); refusedFields(err) != "address: taken, name: taken" {
			t.Errorf("got %v", err)
		}
		other.Name, other.Address, other.PortalHost = "Grafana 2", "https://portal.example.org:9", "portal.example.org"
		if _, err := store.AddApp(ctx, other, by, start); refusedFields(err) != "address: the portal's own host" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("what is wrong is told field by field, and nothing is added", func(t *testing.T) {
		wrong := db.NewApp{
			AppFacts: db.AppFacts{Address: "https://x.example/y", Mark: "abc", Icon: []byte("x")},
			Access: db.AppAccess{Roles: []string{"owner"}, Groups: []string{"crew"},
				People: []string{"nobody@example.org"}, FreshMinutes: "soon"},
			Public: "/../", Others: "*", RemoteUser: "uid",
		}
		_, err := store.AddApp(ctx, wrong, by, start)
		if got := refusedFields(err); got != "address: an address with a path, fresh_minutes: no number of minutes, "+
			"icon: no picture, mark: too long, name: missing, others: no address of an app, public: no plain path, "+
			"remote_user: unknown, role: unknown" {
			t.Errorf("got %s", got)
		}
		wrong = anApp("Wiki")
		wrong.Access = db.AppAccess{Groups: []string{"crew"}, People: []string{"nobody@example.org"}}
		if _, err := store.AddApp(ctx, wrong, by, start); refusedFields(err) != "group: no group, person: nobody's e-mail address" {
			t.Errorf("got %v", err)
		}
		if _, err := store.AppBySlug(ctx, "wiki"); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("it is there: %v", err)
		}
	})
	t.Run("members change nothing", func(t *testing.T) {
		byMia := signIn(t, store, "mia@example.org", start).Author(db.Client{})
		for name, err := range map[string]error{
			"add":    func() error { _, err := store.AddApp(ctx, anApp("Wiki"), byMia, start); return err }(),
			"change": store.ChangeApp(ctx, id, account.Seen{}, db.AppFacts{Name: "X", Address: "x.example"}, byMia, start),
			"access": store.ChangeAppAccess(ctx, id, account.Seen{}, db.AppAccess{Everyone: true}, byMia, start),
			"guard":  store.ChangeAppGuard(ctx, id, account.Seen{}, db.AppGuard{}, byMia, start),
			"pause":  store.PauseApp(ctx, id, true, byMia, start),
			"remove": store.RemoveApp(ctx, id, byMia, start),
			"group":  func() error { _, err := store.AddGroup(ctx, "x", byMia, start); return err }(),
		} {
			if !errors.Is(err, account.ErrNotAllowed) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("a form that showed something else changes nothing", func(t *testing.T) {
		seen := func(v account.Version) account.Seen { return account.Seen{Version: v, At: start} }
		facts := db.AppFacts{Name: "Graphs", Address: "grafana.example.org"}
		if err := store.ChangeApp(ctx, id, seen(a.FactsVersion()), facts, by, start); err != nil {
			t.Fatal(err)
		}
		if err := store.ChangeApp(ctx, id, seen(a.FactsVersion()), facts, by, start); !errors.Is(err, account.ErrOutdated) {
			t.Errorf("facts: %v", err)
		}
		if err := store.ChangeAppAccess(ctx, id, seen(a.AccessVersion()), db.AppAccess{Everyone: true}, by, start); err != nil {
			t.Fatal(err)
		}
		if err := store.ChangeAppAccess(ctx, id, seen(a.AccessVersion()), db.AppAccess{}, by, start); !errors.Is(err, account.ErrOutdated) {
			t.Errorf("access: %v", err)
		}
		if err := store.ChangeAppGuard(ctx, id, seen(a.GuardVersion()), db.AppGuard{Guarded: true}, by, start); err != nil {
			t.Fatal(err)
		}
		if err := store.ChangeAppGuard(ctx, id, seen(a.GuardVersion()), db.AppGuard{}, by, start); !errors.Is(err, account.ErrOutdated) {
			t.Errorf("guard: %v", err)
		}
		now, err := store.App(ctx, id)
		if err != nil || now.Name != "Graphs" || now.Slug != "grafana" || !now.Access.Everyone || len(now.Access.Roles) > 0 ||
			len(now.Guard.Public) > 0 {
			t.Errorf("it is now %+v, %v", now, err)
		}
	})
	t.Run("an icon comes and goes", func(t *testing.T) {
		facts := db.AppFacts{Name: "Graphs", Address: "grafana.example.org",
			Icon: []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)}
		if err := store.ChangeApp(ctx, id, account.Seen{}, facts, by, start); err != nil {
			t.Fatal(err)
		}
		visitor := signIn(t, store, "mia@example.org", start)
		kind, content, err := store.AppIcon(ctx, id, visitor)
		if err != nil || kind != apps.SVG || string(content) != string(facts.Icon) {
			t.Errorf("%s %q, %v", kind, content, err)
		}
		if err := store.ChangeAppAccess(ctx, id, account.Seen{}, db.AppAccess{}, by, start); err != nil {
			t.Fatal(err)
		}
		if _, _, err := store.AppIcon(ctx, id, visitor); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("who may not open it sees the icon: %v", err)
		}
		facts.Icon, facts.NoIcon = nil, true
		if err := store.ChangeApp(ctx, id, account.Seen{}, facts, by, start); err != nil {
			t.Fatal(err)
		}
		if now, err := store.App(ctx, id); err != nil || now.Icon != "" {
			t.Errorf("icon %q, %v", now.Icon, err)
		}
	})
	t.Run("a removed person is in no access and no group", func(t *testing.T) {
		if err := store.ChangeAppAccess(ctx, id, account.Seen{}, db.AppAccess{People: []string{"mia@example.org"}}, by, start); err != nil {
			t.Fatal(err)
		}
		if err := store.RemovePerson(ctx, mia, by, start); err != nil {
			t.Fatal(err)
		}
		if now, err := store.App(ctx, id); err != nil || len(now.Access.People) != 0 {
			t.Errorf("%+v, %v", now.Access, err)
		}
	})
	t.Run("removed", func(t *testing.T) {
		if err := store.RemoveApp(ctx, id, by, start); err != nil {
			t.Fatal(err)
		}
		if err := store.RemoveApp(ctx, id, by, start); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("twice: %v", err)
		}
		addApp(t, store, anApp("Grafana")) // name, host and slug are free again
	})
	events := eventsOf(t, store, "app_")
	for _, want := range []string{"app_created Grafana", "app_updated Grafana: name now Graphs",
		"app_updated Graphs: access for everyone", "app_updated Graphs: guard", "app_deleted Graphs"} {
		if !slices.Contains(events, want) {
			t.Errorf("the activity lacks %q: %q", want, events)
		}
	}
}

// eventsOf are the rows of activity whose event begins like this, with their details.
func eventsOf(t *testing.T, store *db.Store, beginning string) []string {
	t.Helper()
	var out []string
	err := store.EachActivity(ctx, db.Filter{}, func(r db.ActivityRow) error {
		if strings.HasPrefix(string(r.Event), beginning) {
			out = append(out, string(r.Event)+" "+r.Detail)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGroups(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Administrator)
	mia := dbtest.Add(t, store, "mia@example.org", twofactor.Member)
	by := signIn(t, store, "ada@example.org", start).Author(db.Client{})
	ops, err := store.AddGroup(ctx, "Ops", by, start)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ops", "OPS "} {
		if _, err := store.AddGroup(ctx, name, by, start); refusedFields(err) != "name: taken" {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := store.ChangeGroupMembers(ctx, ops, db.GroupChange{Add: []string{"mia@example.org", "nobody@example.org"}}, by,
		start); refusedFields(err) != "person: nobody's e-mail address" {
		t.Errorf("got %v", err)
	}
	if g, err := store.Group(ctx, ops); err != nil || len(g.Members) != 0 {
		t.Errorf("half of a change was made: %+v, %v", g, err)
	}
	if err := store.ChangeGroupMembers(ctx, ops, db.GroupChange{Add: []string{"mia@example.org ada@example.org"}}, by,
		start); err != nil {
		t.Fatal(err)
	}
	g, err := store.GroupByName(ctx, " OPS")
	if err != nil || len(g.Members) != 2 {
		t.Fatalf("%+v, %v", g, err)
	}
	seen := account.Seen{Version: g.Version(), At: start}
	if err := store.SetGroupMembers(ctx, ops, seen, []string{"mia@example.org"}, by, start); err != nil {
		t.Fatal(err)
	}
	if err := store.SetGroupMembers(ctx, ops, seen, nil, by, start); !errors.Is(err, account.ErrOutdated) {
		t.Errorf("got %v", err)
	}
	if groups, err := store.GroupsOf(ctx, mia); err != nil || len(groups) != 1 || groups[0].Name != "ops" {
		t.Errorf("%+v, %v", groups, err)
	}

	t.Run("a group that an app refers to stays, and so do its names", func(t *testing.T) {
		n := anApp("Grafana")
		n.Access = db.AppAccess{Groups: []string{"ops"}}
		app := addApp(t, store, n)
		if err := store.RemoveGroup(ctx, ops, by, start); !errors.Is(err, account.ErrGroupInUse) {
			t.Errorf("got %v", err)
		}
		if err := store.RenameGroup(ctx, ops, "operators", by, start); err != nil {
			t.Fatal(err)
		}
		if _, err := store.AddGroup(ctx, "ops", by, start); refusedFields(err) != "name: taken" {
			t.Errorf("another group is called as this one was: %v", err)
		}
		if a, err := store.App(ctx, app); err != nil || a.Access.String() != "group operators" {
			t.Errorf("%v, %v", a.Access, err)
		}
		if err := store.RenameGroup(ctx, ops, "ops", by, start); err != nil {
			t.Errorf("its own former name: %v", err)
		}
		if err := store.RenameGroup(ctx, ops, "operators", by, start); err != nil {
			t.Fatal(err)
		}
		if err := store.RemoveApp(ctx, app, by, start); err != nil {
			t.Fatal(err)
		}
		if _, err := store.AddGroup(ctx, "ops", by, start); err != nil {
			t.Errorf("no app refers to it any more: %v", err)
		}
	})
	if err := store.RemoveGroup(ctx, ops, by, start); err != nil {
		t.Fatal(err)
	}
	if groups, err := store.GroupsOf(ctx, mia); err != nil || len(groups) != 0 {
		t.Errorf("%+v, %v", groups, err)
	}
}

func TestUserNames(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	by := db.Machine("root").Author()
	person := func(id int64) db.Person {
		t.Helper()
		p, err := store.Person(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	other := dbtest.Add(t, store, "Ada@example.com", twofactor.Member)
	admin := dbtest.Add(t, store, "admin@example.org", twofactor.Member)
	if a, o, n := person(ada), person(other), person(admin); a.UserName != "ada" || o.UserName != "ada-2" ||
		n.UserName != "admin-2" || len(a.Sub) < 20 || a.Sub == o.Sub {
		t.Fatalf("%+v\n%+v\n%+v", a, o, n)
	}
	sub := person(other).Sub
	if err := store.SetUserName(ctx, other, "Ada", by, start); refusedFields(err) != "user_name: taken" {
		t.Errorf("somebody else's: %v", err)
	}
	if err := store.SetUserName(ctx, other, "countess", by, start); err != nil {
		t.Fatal(err)
	}
	if err := store.SetUserName(ctx, ada, "ada-2", by, start); refusedFields(err) != "user_name: taken" {
		t.Errorf("somebody else's former one: %v", err)
	}
	if err := store.SetUserName(ctx, other, "ada-2", by, start); err != nil {
		t.Errorf("one's own former one: %v", err)
	}
	if err := store.ChangePerson(ctx, other, account.Seen{}, db.NewPerson{
		Name: "B", Email: "b@example.org", Role: twofactor.Member, UserName: "b b",
	}, by, start); refusedFields(err) != "user_name: no plain name" {
		t.Errorf("got %v", err)
	}
	if err := store.ChangePerson(ctx, other, account.Seen{}, db.NewPerson{
		Name: "B", Email: "b@example.org", Role: twofactor.Member,
	}, by, start); err != nil {
		t.Fatal(err)
	}
	if p := person(other); p.UserName != "ada-2" || p.Sub != sub {
		t.Errorf("another address changes %+v", p)
	}
	if err := store.RemovePerson(ctx, other, by, start); err != nil {
		t.Fatal(err)
	}
	_, err := store.AddPerson(ctx, db.NewPerson{
		Name: "C", Email: "b@example.org", Password: dbtest.Password, Role: twofactor.Member, UserName: "countess",
	}, by.Actor, start)
	if refusedFields(err) != "user_name: taken" {
		t.Errorf("a name of somebody who was removed: %v", err)
	}
	third := dbtest.Add(t, store, "ada@example.net", twofactor.Member)
	if p := person(third); p.UserName != "ada-3" {
		t.Errorf("got %q", p.UserName)
	}
}

// TestLauncher walks through visits to My portal in which apps come and go.
func TestLauncher(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	dbtest.Add(t, store, "mia@example.org", twofactor.Member)
	by := db.Machine("root").Author()
	now := start
	mia := signIn(t, store, "mia@example.org", now)
	// visit is what the portal shows: tiles, new ones with a +, and what is gone with a -.
	visit := func(v db.Visitor) string {
		t.Helper()
		now = now.Add(time.Minute)
		l, err := store.Launcher(ctx, v)
		if err == nil {
			err = store.NoteLauncher(ctx, v, l, now)
		}
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, tile := range l.Tiles {
			sign := ""
			if tile.IsNew {
				sign = "+"
			}
			out = append(out, sign+tile.Name)
		}
		slices.Sort(l.Gone)
		for _, name := range l.Gone {
			out = append(out, "-"+name)
		}
		return strings.Join(out, " ")
	}
	expect := func(when string, v db.Visitor, want string) {
		t.Helper()
		if got := visit(v); got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	if l, err := store.Launcher(ctx, mia); err != nil || !l.None {
		t.Errorf("no app at all: %+v, %v", l, err)
	}
	wiki := addApp(t, store, anApp("Wiki"))
	expect("the first visit has no news", mia, "Wiki")
	grafana := addApp(t, store, anApp("Grafana"))
	expect("a new app", mia, "+Grafana Wiki")
	expect("it stays new in the session", mia, "+Grafana Wiki")
	now = now.Add(time.Minute)
	later := signIn(t, store, "mia@example.org", now)
	expect("it is not new in the next", later, "Grafana Wiki")
	change := func(id int64, a db.AppAccess) {
		t.Helper()
		if err := store.ChangeAppAccess(ctx, id, account.Seen{}, a, by, now); err != nil {
			t.Fatal(err)
		}
	}
	change(grafana, db.AppAccess{Roles: []string{"administrator"}})
	expect("access taken away", later, "Wiki -Grafana")
	expect("it is told in the session", later, "Wiki -Grafana")
	if err := store.RemoveApp(ctx, wiki, by, now); err != nil {
		t.Fatal(err)
	}
	expect("an app removed", later, "-Grafana -Wiki")
	now = now.Add(time.Minute)
	last := signIn(t, store, "mia@example.org", now)
	expect("the next session has heard of it", last, "")
	ops, err := store.AddGroup(ctx, "ops", by, now)
	if err != nil {
		t.Fatal(err)
	}
	change(grafana, db.AppAccess{Groups: []string{"ops"}})
	expect("a group of others", last, "")
	if err := store.ChangeGroupMembers(ctx, ops, db.GroupChange{Add: []string{"mia@example.org"}}, by, now); err != nil {
		t.Fatal(err)
	}
	expect("access given by a group", last, "+Grafana")
	if err := store.ChangeGroupMembers(ctx, ops, db.GroupChange{Remove: []string{"mia@example.org"}}, by, now); err != nil {
		t.Fatal(err)
	}
	expect("and taken away", last, "-Grafana")
	change(grafana, db.AppAccess{People: []string{"mia@example.org"}})
	expect("access given by name", last, "+Grafana")
	change(grafana, db.AppAccess{Roles: []string{"member"}})
	expect("the same by role", last, "+Grafana")
	if err := store.PauseApp(ctx, grafana, true, by, now); err != nil {
		t.Fatal(err)
	}
	expect("a paused one is shown, and says so", last, "+Grafana")
}

// TestLauncherFollowsTheRule holds the one statement of the portal against the rule, for
// every kind of access and person.
func TestLauncherFollowsTheRule(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	by := db.Machine("root").Author()
	var people []db.Visitor
	for i, role := range twofactor.Roles {
		for _, in := range []string{"", "ops", "crew"} {
			email := fmt.Sprintf("p%d%s@example.org", i, in)
			dbtest.Add(t, store, email, role)
			people = append(people, signIn(t, store, email, start))
		}
	}
	for _, name := range []string{"ops", "crew"} {
		id, err := store.AddGroup(ctx, name, by, start)
		if err != nil {
			t.Fatal(err)
		}
		for i := range twofactor.Roles {
			if err := store.ChangeGroupMembers(ctx, id, db.GroupChange{Add: []string{fmt.Sprintf("p%d%s@example.org", i, name)}},
				by, start); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, access := range []db.AppAccess{{}, {Everyone: true}, {Roles: []string{"member"}}, {Groups: []string{"ops"}},
		{People: []string{"p3crew@example.org"}}, {Roles: []string{"administrator", "super-administrator"},
			Groups: []string{"ops", "crew"}}, {Everyone: true, SecondStep: true, FreshMinutes: "5"}} {
		n := anApp(fmt.Sprintf("App %d", i))
		n.Access = access
		addApp(t, store, n)
	}
	opened := 0
	for _, v := range people {
		p, err := store.AppPerson(ctx, v.Person.ID)
		if err != nil {
			t.Fatal(err)
		}
		l, err := store.Launcher(ctx, v)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.EachApp(ctx, func(a apps.App) error {
			shown := slices.ContainsFunc(l.Tiles, func(tile db.Tile) bool { return tile.ID == a.ID })
			if may := a.Access.Allows(p); may != shown {
				t.Errorf("%s, %s: shown %v, may %v", v.Person.Email, a.Access, shown, may)
			} else if may {
				opened++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if opened < 20 {
		t.Errorf("only %d tiles were compared", opened)
	}
}

// TestAppsAreNotedOnce has many open an app, and be refused, at once.
func TestAppsAreNotedOnce(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	ada := signIn(t, store, "ada@example.org", start)
	a, err := store.App(ctx, addApp(t, store, anApp("Wiki")))
	if err != nil {
		t.Fatal(err)
	}
	note := func(at time.Time) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if err := errors.Join(store.NoteAppOpened(ctx, ada, a, db.Client{}, at),
					store.NoteAppRefused(ctx, ada, a, db.Client{}, at)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	note(start)
	note(start.Add(61 * time.Minute)) // another hour of the same day
	note(start.Add(24 * time.Hour))
	got := strings.Join(eventsOf(t, store, "authz_"), ", ")
	if strings.Count(got, "authz_app_opened Wiki") != 2 || strings.Count(got, "authz_fail Wiki") != 3 {
		t.Errorf("got %s", got)
	}
}
