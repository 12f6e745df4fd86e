package handlers_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/handlers"
	"gatehouse/twofactor"
)

// addApp adds an app for everyone behind the server's back.
func (s *site) addApp(name, address string, access db.AppAccess) int64 {
	s.t.Helper()
	id, err := s.store.AddApp(ctx, db.NewApp{
		AppFacts: db.AppFacts{Name: name, Address: address},
		Access:   access,
		Guarded:  true,
	}, machine.Author(), s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// everyone is the access of an app that is for everyone.
var everyone = db.AppAccess{Everyone: true}

// appByID reads an app.
func (s *site) appByID(id int64) apps.App {
	s.t.Helper()
	a, err := s.store.App(ctx, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func appPath(id int64, verb string) string { return fmt.Sprintf("/admin/apps/%d%s", id, verb) }

// seenOf reads off a page what the form with this action shows.
func (a answer) seenOf(action string) string {
	a.t.Helper()
	for _, form := range postForm.FindAllString(a.body, -1) {
		if !strings.Contains(form, `action="`+action+`"`) {
			continue
		}
		if m := seenField.FindStringSubmatch(form); m != nil {
			return m[1]
		}
	}
	a.t.Fatalf("no form for %s says what it shows in:\n%s", action, a.body)
	return ""
}

// upload sends a form with a file: name, value, name, value.
func (b *browser) upload(path, field string, content []byte, fields ...string) answer {
	b.site.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i := 0; i+1 < len(fields); i += 2 {
		_ = w.WriteField(fields[i], fields[i+1])
	}
	file, err := w.CreateFormFile(field, "C:\\fakepath\\../icon.html")
	if err == nil {
		_, err = file.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		b.site.t.Fatal(err)
	}
	r := httptest.NewRequest("POST", path, &body)
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.Header.Set("Origin", "http://example.com")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.send(r)
}

func TestAppPages(t *testing.T) {
	t.Parallel()
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := newSite(t, func(c *handlers.Config) { c.BaseURL = &url.URL{Scheme: "http", Host: "example.com"} })
		s.add("ada@example.org", twofactor.Administrator)
		s.add("mia@example.org", twofactor.Member)
		ada := s.signedIn("ada@example.org")
		ada.get("/my").wantStatus(200, "No apps yet.", "Add the first app", `href="/admin/apps/new"`)
		s.signedIn("mia@example.org").get("/my").wantStatus(200, "No apps yet. Ask your administrator.").
			wantNot("Add the first app")
		ada.get("/admin/apps").wantStatus(200, "No apps yet.", "the server trusts no proxy")
		ada.htmx = htmx

		// Refused: what was typed stays.
		refused := ada.post("/admin/apps/add", "name", "Grafana", "address", "https://example.org/grafana", "mark", "gr",
			"role", "member", "person", "mia@example.org, nobody@example.org", "fresh_minutes", "soon").
			wantStatus(422, "Enter the address without a path", "Enter a number of minutes from 1 to 1440",
				`value="Grafana"`, `value="https://example.org/grafana"`, `value="gr"`, `value="soon"`,
				`value="mia@example.org, nobody@example.org"`, `name="role" value="member" checked`)
		if whole := strings.Contains(refused.body, "<html"); whole == htmx {
			t.Errorf("a whole page: %v", whole)
		}
		ada.post("/admin/apps/add", "name", "Grafana", "address", "grafana.example.org", "person", "nobody@example.org").
			wantStatus(422, "Nobody here has one of these e-mail addresses.")
		ada.post("/admin/apps/add", "name", "Grafana", "address", "https://EXAMPLE.com:9", "everyone", "yes").
			wantStatus(422, "This is the portal's own host name.")
		ada.post("/admin/apps/add", "name", "Grafana", "address", "grafana.example.org", "everyone", "").
			wantStatus(422, "The form was incomplete")

		// Added.
		a := ada.post("/admin/apps/add", "name", "Grafana", "address", "grafana.example.org", "template", "",
			"role", "administrator", "second_step", "yes", "fresh_minutes", "60")
		at := a.header.Get("Location") + a.header.Get("HX-Redirect")
		if !regexp.MustCompile(`^/admin/apps/\d+$`).MatchString(at) {
			t.Fatalf("leads to %q\n%s", at, a.body)
		}
		ada.htmx = false
		page := ada.get(at).wantStatus(200, "The app is added.", "https://grafana.example.org", "Guarded",
			"Administrators", "Two-factor, a password from the last hour", "http://example.com/enter/grafana")
		ada.get(at).wantNot("The app is added.")
		ada.get("/admin/apps").wantStatus(200, "Grafana", "Administrators")
		ada.get("/admin/apps?q=nothing").wantStatus(200, "No matches.")

		// Access, from a form that shows how it stands.
		ada.htmx = htmx
		ada.post(at+"/access", "everyone", "yes").wantStatus(422, "The form was incomplete.")
		seen := page.seenOf(at + "/access")
		ada.post(at+"/access", "group", "crew", "seen", seen).wantStatus(422, "Choose one of the groups offered.")
		ada.post(at+"/access", "person", "nobody@example.org", "seen", seen).
			wantStatus(422, "Nobody here has one of these e-mail addresses.", `value="nobody@example.org"`)
		saved := ada.postAndFollow(at+"/access", "person", "mia@example.org", "seen", seen).
			wantStatus(200, "The changes are saved.", "Person of mia@example.org")
		ada.post(at+"/access", "everyone", "yes", "seen", seen).
			wantStatus(422, "This has changed since you opened the page.", "access for 1 person")
		if mia := s.signedIn("mia@example.org").get("/my").wantStatus(200, `href="/enter/grafana"`); strings.Contains(mia.text(), "Needs") {
			t.Error("a lock where no second step is needed")
		}

		// Paused and open again.
		ada.postAndFollow(at+"/pause").wantStatus(200, "The app is paused.", "Paused", "Resume")
		s.signedIn("mia@example.org").get("/my").wantStatus(200, "Paused for now").wantNot(`href="/enter/grafana"`)
		ada.postAndFollow(at+"/resume").wantStatus(200, "The app is open again.")

		// Another name, by a form with a file.
		ada.htmx = false
		seen = ada.get(at).seenOf(at + "/edit")
		ada.upload(at+"/edit", "icon", nil, "name", "", "address", "grafana.example.org", "mark", "G", "seen", seen).
			wantStatus(422, "Enter a name.")
		ada.upload(at+"/edit", "icon", nil, "name", "Graphs", "address", "graphs.example.org", "mark", "", "seen", seen).
			wantRedirect(at)
		ada.get(at).wantStatus(200, "The changes are saved.", "Graphs", "https://graphs.example.org")
		ada.upload(at+"/edit", "icon", nil, "name", "X", "address", "x.example.org", "mark", "", "seen", seen).
			wantStatus(422, "This has changed since you opened the page.")

		// Removed, after it was asked.
		ada.htmx = htmx
		ada.post(at+"/remove").wantStatus(200, "This cannot be undone.")
		ada.post(at+"/remove", "confirmed", "yes").wantRedirect("/admin/apps")
		ada.htmx = false
		ada.get("/admin/apps").wantStatus(200, "The app is removed.", "No apps yet.")
		ada.get(at).wantStatus(404)
		ada.get("/admin/activity").wantStatus(200, "App added (Grafana)", "App changed (Grafana: access for 1 person)",
			"App removed (Graphs)")
		_ = saved
	})
}

func TestWhyNot(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	mia := s.add("mia@example.org", twofactor.Member)
	id := s.addApp("Grafana", "grafana.example.org", db.AppAccess{Roles: []string{"administrator"}, SecondStep: true})
	ada := s.signedIn("ada@example.org")
	why := appPath(id, "/why")
	ada.get(why).wantStatus(200, "Why not?").wantNot("can open")
	ada.get(why+"?person=mia@example.org").wantStatus(200, "Person of mia@example.org cannot open Grafana",
		"does not have the role Administrator.", "Give them this role.", "has not set it up")
	ada.get(why+"?person=MIA@example.org").wantStatus(200, "cannot open Grafana")
	ada.get(why+"?person=ada@example.org").wantStatus(200, "can open Grafana after setting up two-factor")
	ada.get(why+"?person=nobody@example.org").wantStatus(422, "Nobody has this e-mail address.", `value="nobody@example.org"`)
	s.signedIn("mia@example.org").get(why + "?person=mia@example.org").wantStatus(403)
	ada.get(personPath(mia, "?app=Grafana")).wantStatus(200, "cannot open Grafana", "does not have the role")
	ada.get(personPath(mia, "?app=Wiki")).wantStatus(200, "No app is called this.")
	if err := s.store.SetActive(ctx, mia, false, machine.Author(), s.now); err != nil {
		t.Fatal(err)
	}
	ada.get(why+"?person=mia@example.org").wantStatus(200, "The account is deactivated.")
}

// TestIconRunsNothingWhenOpened sends a picture as another type than it is, and opens it: its type
// is ours, and nothing in it may run.
func TestIconRunsNothingWhenOpened(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	s.add("mia@example.org", twofactor.Member)
	id := s.addApp("Grafana", "grafana.example.org", db.AppAccess{Roles: []string{"administrator"}})
	ada := s.signedIn("ada@example.org")
	edit := appPath(id, "/edit")
	seen := ada.get(appPath(id, "")).seenOf(edit)
	send := func(content string) answer {
		return ada.upload(edit, "icon", []byte(content), "name", "Grafana", "address", "grafana.example.org", "mark", "G", "seen", seen)
	}
	send("<html><script>alert(1)</script></html>").wantStatus(422, "Choose a PNG or SVG picture.")
	send(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`).wantStatus(422, "This drawing holds script")
	send(strings.Repeat("a", 49<<10)).wantStatus(422, "Choose a smaller picture")
	send(strings.Repeat("a", 65<<10)).wantStatus(413)
	send(`<svg xmlns="http://www.w3.org/2000/svg"/>`).wantRedirect(appPath(id, ""))
	page := ada.get(appPath(id, "")).wantStatus(200)
	m := regexp.MustCompile(`src="(/apps/\d+/icon\?v=[0-9a-f]+)"`).FindStringSubmatch(page.body)
	if m == nil {
		t.Fatalf("no icon in\n%s", page.body)
	}
	icon := ada.get(m[1]).wantStatus(200, "<svg")
	for header, want := range map[string]string{
		"Content-Type":            "image/svg+xml",
		"Content-Security-Policy": "default-src 'none'; sandbox",
		"X-Content-Type-Options":  "nosniff",
		"Cache-Control":           "private, max-age=31536000, immutable",
	} {
		if got := icon.header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	s.signedIn("mia@example.org").get(m[1]).wantStatus(404)
	s.browser().get(m[1]).wantRedirect("/signin?next=" + url.QueryEscape(m[1]))
	ada.get("/apps/999/icon").wantStatus(404)
}

func TestGroupPages(t *testing.T) {
	t.Parallel()
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := newSite(t)
		s.add("ada@example.org", twofactor.Administrator)
		mia := s.add("mia@example.org", twofactor.Member)
		ada := s.signedIn("ada@example.org")
		ada.get("/admin/groups").wantStatus(200, "No groups yet.")
		ada.htmx = htmx
		ada.post("/admin/groups/add", "name", "a b").wantStatus(422, "Use letters from a to z", `value="a b"`)
		ada.post("/admin/groups/add", "name", "Member").wantStatus(422, "This name is reserved for a role.")
		a := ada.post("/admin/groups/add", "name", "Ops")
		at := a.header.Get("Location") + a.header.Get("HX-Redirect")
		ada.post("/admin/groups/add", "name", "ops").wantStatus(422, "This name is taken.")
		ada.htmx = false
		page := ada.get(at).wantStatus(200, "The group is added.", "Nobody is in this group yet.")
		ada.htmx = htmx
		ada.post(at+"/members", "person", "mia@example.org").wantStatus(422, "The form was incomplete.")
		seen := page.seenOf(at + "/members")
		ada.post(at+"/members", "person", "mia@example.org, eve@example.org", "seen", seen).
			wantStatus(422, "Nobody here has one of these e-mail addresses.", `value="mia@example.org, eve@example.org"`)
		ada.postAndFollow(at+"/members", "person", "mia@example.org", "person", "ada@example.org", "seen", seen).
			wantStatus(200, "The members are saved.", "2 people")
		ada.post(at+"/members", "seen", seen).wantStatus(422, "This has changed since you opened the page.", "ops: 2 added, 0 removed")
		ada.postAndFollow(at+"/rename", "name", "Crew").wantStatus(200, "The group has a new name.", ">crew</h1>")
		ada.htmx = false
		ada.get(personPath(mia, "")).wantStatus(200, ">crew<")

		app := s.addApp("Grafana", "grafana.example.org", db.AppAccess{Groups: []string{"crew"}})
		ada.htmx = htmx
		ada.post(at+"/remove", "confirmed", "yes").wantStatus(422, "Apps refer to this group.")
		if err := s.store.ChangeAppAccess(ctx, app, account.Seen{}, db.AppAccess{}, machine.Author(), s.now); err != nil {
			t.Fatal(err)
		}
		ada.post(at+"/remove").wantStatus(200, "This cannot be undone.")
		ada.post(at+"/remove", "confirmed", "yes").wantRedirect("/admin/groups")
		ada.htmx = false
		ada.get("/admin/groups").wantStatus(200, "The group is removed.", "No groups yet.")
		ada.get(at).wantStatus(404)
	})
}

// TestLauncherTiles has what a person's portal shows: the search from thirteen apps on, the lock,
// what is new and what is gone; and nothing that they may not open.
func TestLauncherTiles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	s.add("mia@example.org", twofactor.Member)
	for i := range 12 {
		s.addApp(fmt.Sprintf("Tool %c", 'A'+i), fmt.Sprintf("tool%d.example.org", i), db.AppAccess{Everyone: true})
	}
	s.addApp("Payroll", "payroll.example.org", db.AppAccess{Roles: []string{"administrator"}})
	s.advance(time.Minute)
	mia := s.signedIn("mia@example.org")
	mia.get("/my").wantStatus(200, "Tool A", "Tool L").wantNot("Payroll", "payroll", `role="search"`, ">New<")
	s.advance(time.Minute)
	vault := s.addApp("Vault <b>", "vault.example.org", db.AppAccess{Everyone: true, SecondStep: true})
	mia.get("/my").wantStatus(200, "Needs two-factor", ">New<", `href="/enter/vault-b"`, `role="search"`)
	mia.get("/my?q=tool+b").wantStatus(200, "Tool B", `value="tool b"`).wantNot("Tool C")
	mia.get("/my?q=nothing").wantStatus(200, "No matches.")
	if err := s.store.RemoveApp(ctx, vault, machine.Author(), s.now); err != nil {
		t.Fatal(err)
	}
	mia.get("/my").wantStatus(200, "No longer available to you: Vault <b>.").wantNot(`role="search"`)
	s.advance(time.Minute)
	s.signedIn("mia@example.org").get("/my").wantStatus(200, "Tool A").wantNot("No longer available", ">New<")
}

// TestUserNameOnAPersonsPage changes by what name apps know somebody.
func TestUserNameOnAPersonsPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	mia := s.add("mia@example.org", twofactor.Member)
	ada := s.signedIn("ada@example.org")
	edit := func(name string) answer {
		return ada.postAndFollow(personPath(mia, "/edit"), "name", "Mia", "email", "mia@example.org", "role", "member",
			"user_name", name)
	}
	ada.get(personPath(mia, "")).wantStatus(200, `name="user_name" type="text" value="mia"`)
	edit("Mia M").wantStatus(422, "Use letters from a to z", `value="Mia M"`)
	edit("ada").wantStatus(422, "This user name belongs to somebody else, or did once.", `value="ada"`)
	edit("Mia.M").wantStatus(200, "The changes are saved.", `value="mia.m"`)
	ada.get("/admin/activity").wantStatus(200, "Account changed (user name mia to mia.m)")
}
