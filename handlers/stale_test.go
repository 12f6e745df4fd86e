package handlers_test

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/db/dbtest"
	"gatehouse/handlers"
	"gatehouse/twofactor"
)

var (
	postForm  = regexp.MustCompile(`(?s)<form[^>]*method="post"[^>]*>.*?</form>`)
	asField   = regexp.MustCompile(`<input type="hidden" name="as" value="([^"]+)"`)
	seenField = regexp.MustCompile(`<input type="hidden" name="seen" value="([^"]+)"[^>]*></form>`) // the last field
)

// shownHandle reads off a page for which session or challenge its forms were shown, the same one
// in every form that posts.
func (a answer) shownHandle() string {
	a.t.Helper()
	handle := ""
	for _, form := range postForm.FindAllString(a.body, -1) {
		m := asField.FindStringSubmatch(form)
		if m == nil || handle != "" && m[1] != handle {
			a.t.Fatalf("a form without its handle %q:\n%s", handle, form)
		}
		handle = m[1]
	}
	if handle == "" {
		a.t.Fatalf("no form that posts in:\n%s", a.body)
	}
	return handle
}

// seen reads off a page what its form shows.
func (a answer) seen() string {
	a.t.Helper()
	m := seenField.FindStringSubmatch(a.body)
	if m == nil {
		a.t.Fatalf("no form that says what it shows in:\n%s", a.body)
	}
	return m[1]
}

// save opens a page and sends its form with these fields.
func (b *browser) save(page string, fields ...string) answer {
	b.site.t.Helper()
	htmx := b.htmx
	b.htmx = false
	seen := b.get(page).wantStatus(200).seen()
	b.htmx = htmx
	return b.post(page, append(fields, "seen", seen)...)
}

func TestEveryFormNamesItsSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.SuperAdmin)
	s.add("mia@example.org", twofactor.Member)
	ada, other := s.signedIn("ada@example.org"), s.signedIn("ada@example.org")
	handle := ada.get("/my").wantStatus(200).shownHandle()
	if handle == other.get("/my").shownHandle() {
		t.Error("two sessions have one handle")
	}
	pages := []string{"/my", "/my/profile", "/my/profile/two-factor", "/admin/people", "/admin/people/1",
		"/admin/people/2", "/admin/settings/security", "/admin/settings/sessions", "/admin/settings/general", "/admin/activity",
		"/admin/settings/not-enrolled"}
	for _, htmx := range []bool{false, true} {
		ada.htmx = htmx
		for _, page := range pages {
			a := ada.get(page).wantStatus(200)
			if strings.Contains(a.body, `method="post"`) && a.shownHandle() != handle {
				t.Errorf("%s was shown for another session", page)
			}
		}
	}
	ada.htmx = false
	// her own, too
	ada.post("/my/profile/sessions/end", "as", other.get("/my").shownHandle(), "session", "of nobody").wantRedirect("/my/profile")
	pending := ada.post("/my/profile/two-factor/enable", "as", handle).wantStatus(200)
	if pending.shownHandle() != handle {
		t.Error("the pending card was shown for another session")
	}
	before := ada.cookies["gatehouse"]
	confirmed := ada.post("/my/profile/two-factor/confirm", "as", handle, "code", s.code(pending.secret())).wantStatus(200)
	if confirmed.shownHandle() != handle || ada.cookies["gatehouse"] == before {
		t.Error("a new id of the session did not keep its handle")
	}
	ada.post("/my/profile/two-factor/regenerate", "as", handle, "confirmed", "yes").wantStatus(200, "shown ONCE")
}

// TestStaleTabActsOnNobodyElse sends every form of Dora's pages after Emil has signed in
// with the same browser.
func TestStaleTabActsOnNobodyElse(t *testing.T) {
	t.Parallel()
	const told = "You are signed in as Person of emil@example.org now. Nothing was changed."
	s := newSite(t)
	s.add("dora@example.org", twofactor.SuperAdmin)
	s.add("emil@example.org", twofactor.SuperAdmin)
	dora := s.signedIn("dora@example.org").get("/my/profile").wantStatus(200).shownHandle()
	b := s.signedIn("emil@example.org")
	secret := b.post("/my/profile/two-factor/enable").wantStatus(200).secret()
	codes := b.post("/my/profile/two-factor/confirm", "code", s.code(secret)).wantStatus(200).codes()
	emil := b.get("/my").shownHandle()
	sent := 0
	for _, route := range handlers.Routes() {
		method, path, _ := strings.Cut(route, " ")
		if method != "POST" ||
			!strings.HasPrefix(path, "/my") && !strings.HasPrefix(path, "/admin") && path != "/signout" {
			continue
		}
		for _, htmx := range []bool{false, true} {
			b.htmx = htmx
			fields := []string{"as", dora, "confirmed", "yes", "password", dbtest.Password, "current_password",
				dbtest.Password, "new_password", newPassword,
				"others", "all", "require_everyone", "on", "workspace", "Other", "name", "Other", "email",
				"other@example.org", "role", "member"}
			a := b.post(strings.ReplaceAll(path, "{id}", "1"), fields...).wantStatus(409, told)
			if whole := strings.Contains(a.body, "<html"); whole == htmx {
				t.Errorf("%s: a whole page: %v, with htmx: %v", route, whole, htmx)
			}
			if len(a.header.Values("Set-Cookie")) > 0 {
				t.Errorf("%s set %q", route, a.header.Values("Set-Cookie"))
			}
			sent++
		}
	}
	if sent < 30 {
		t.Errorf("%d forms were sent", sent)
	}
	b.htmx = false
	page := b.post("/signout", "as", dora).wantStatus(409, told, "emil@example.org", "Sign out")
	if page.shownHandle() != emil {
		t.Error("the page that tells of it has forms for another session")
	}
	b.get("/my").wantStatus(200, "You are signed in as Person of emil@example.org.", "Acme")
	b.get("/admin/people/1").wantStatus(200, "Person of dora@example.org", "Active")
	for name, fields := range map[string][]string{
		"a handle that is none":   {"as", "x"},
		"an empty handle":         {"as", ""},
		"two handles":             {"as", emil, "as", dora},
		"one of an ended session": {"as", dora[1:]},
	} {
		t.Run(name, func(t *testing.T) {
			b.post("/signout", fields...).wantStatus(409, told)
		})
	}
	s.challenged("emil@example.org").post("/signin/two-factor/recovery", "recovery_code", codes[0]).wantRedirect("/my")
	// a script's, without the field
	b.post("/my/profile/two-factor/regenerate", "confirmed", "yes").wantStatus(200, "shown ONCE")
	b.post("/signout", "as", emil)
	b.get("/my").wantRedirect("/signin")
	b.post("/signout", "as", dora).wantRedirect("/signin")
}

func TestStaleChallengeActsOnNobodyElse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("dora@example.org", twofactor.Member)
	s.add("emil@example.org", twofactor.Member)
	_, secret, codes := s.enrolled("dora@example.org")
	_, emils, _ := s.enrolled("emil@example.org")
	b := s.challenged("dora@example.org")
	dora := b.get("/signin/two-factor").wantStatus(200).shownHandle()
	b.post("/signin", "email", "emil@example.org", "password", dbtest.Password).wantRedirect("/signin/two-factor")
	emil := b.get("/signin/two-factor").wantStatus(200, "emil@example.org").shownHandle()
	for _, htmx := range []bool{false, true} {
		b.htmx = htmx
		for path, fields := range map[string][]string{
			"/signin/two-factor":          {"as", dora, "code", s.code(secret)},
			"/signin/two-factor/recovery": {"as", dora, "recovery_code", codes[0]},
			"/signin/two-factor/cancel":   {"as", dora},
		} {
			b.post(path, fields...).wantStatus(409, "You are signing in as emil@example.org now. Nothing was changed.")
		}
	}
	b.htmx = false
	b.post("/signin/two-factor", "as", emil, "code", s.code(emils)).wantRedirect("/my")
	if got := b.get("/my").wantStatus(200).shownHandle(); got != emil {
		t.Errorf("the session has the handle %q, its challenge had %q", got, emil)
	}
	b.post("/signin/two-factor", "as", dora, "code", s.code(secret)).
		wantStatus(409, "You are signed in as Person of emil@example.org now. Nothing was changed.", "Sign out")
	b.post("/signin/two-factor", "as", emil, "code", s.code(emils)).wantRedirect("/signin") // the same form, sent twice
	b.get("/my").wantStatus(200, "Person of emil@example.org")
	// neither counted nor used up
	s.challenged("dora@example.org").post("/signin/two-factor", "code", s.code(secret)).wantRedirect("/my")
}

// TestProblemsKeepTheSidebar meets every kind of problem as somebody who is signed in.
func TestProblemsKeepTheSidebar(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSiteIn(t, dir)
	s.add("ada@example.org", twofactor.Administrator)
	s.add("mia@example.org", twofactor.Member)
	ada, mia := s.signedIn("ada@example.org"), s.signedIn("mia@example.org")
	crossSite := httptest.NewRequest("POST", "/signout", nil)
	crossSite.Header.Set("Sec-Fetch-Site", "cross-site")
	for name, a := range map[string]answer{
		"404 of no page":     ada.get("/nowhere").wantStatus(404),
		"404 of no person":   ada.get("/admin/people/77").wantStatus(404),
		"404 of a used link": ada.get("/welcome/x").wantStatus(404),
		"403":                mia.get("/admin/people").wantStatus(403),
		"403 of a form":      ada.send(crossSite).wantStatus(403),
		"409":                ada.post("/my/profile/password", "as", "x").wantStatus(409),
		"413":                ada.post("/my/profile/password", "x", strings.Repeat("x", 65<<10)).wantStatus(413),
		"422": ada.send(httptest.NewRequest("POST", "/my/profile/password", strings.NewReader("x"))).
			wantStatus(422),
	} {
		t.Run(name, func(t *testing.T) {
			a.t = t
			a.wantStatus(a.status, "My profile", "Sign out", `<header class="sidebar"`)
			a.shownHandle()
		})
	}
	s.browser().get("/nowhere").wantStatus(404).wantNot("Sign out")
	execRaw(t, dir, `ALTER TABLE recovery_sheet RENAME TO elsewhere`)
	ada.get("/my").wantStatus(503, "Sign out", "ada@example.org")
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	ada.get("/my").wantStatus(503).wantNot("Sign out")
}

// TestTwoAdminsWithOneForm lets two admins open one form and send it one after the other:
// the second hears what the first has done, and changes nothing until they send again.
func TestTwoAdminsWithOneForm(t *testing.T) {
	t.Parallel()
	type form struct {
		page, action  string
		first, second []string
		shown         string // of the first one's change
		now           string // on the second one's page
		done          string
	}
	forms := map[string]form{
		"the policy": {
			page:   "/admin/settings/security",
			first:  []string{"require_everyone", "yes"},
			second: []string{"require_admins", "yes"},
			shown:  "Policy changed (everyone on, admins off).",
			now:    `id="require_everyone" name="require_everyone" value="yes" checked`,
			done:   "The policy is saved.",
		},
		"the workspace's name": {
			page:   "/admin/settings/general",
			first:  []string{"workspace", "Harbour"},
			second: []string{"workspace", "Quay"},
			shown:  "Workspace renamed (Harbour).",
			now:    `name="workspace" type="text" value="Harbour"`,
			done:   "The name is saved.",
		},
		"a person's role": {
			page:   "/admin/people/3",
			action: "/edit",
			first:  []string{"name", "Mia", "email", "mia@example.org", "role", "administrator"},
			second: []string{"name", "Mia Two", "email", "mia@example.org", "role", "member"},
			shown:  "Role changed",
			now:    `value="administrator" selected`,
			done:   "The changes are saved.",
		},
		"a person's address": {
			page:   "/admin/people/3",
			action: "/edit",
			first:  []string{"name", "Mia", "email", "new@example.org", "role", "member"},
			second: []string{"name", "Mia", "email", "mia@example.org", "role", "administrator"},
			shown:  "Account changed (e-mail address).",
			now:    `value="new@example.org"`,
			done:   "The changes are saved.",
		},
	}
	for name, f := range forms {
		t.Run(name, func(t *testing.T) {
			withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
				s := newSite(t)
				s.add("ada@example.org", twofactor.SuperAdmin)
				s.add("emil@example.org", twofactor.SuperAdmin)
				s.add("mia@example.org", twofactor.Member)
				ada, _, _ := s.enrolled("ada@example.org")
				emil, _, _ := s.enrolled("emil@example.org")
				shown := ada.get(f.page).wantStatus(200).seen()
				s.advance(time.Minute)
				if a := emil.saveAt(f.page, f.action, f.first); a.status != 200 && a.status != 303 {
					t.Fatalf("the first one's form: status %d", a.status)
				}
				state := emil.get(f.page).wantStatus(200, f.now).seen()
				ada.htmx = htmx
				a := ada.post(f.page+f.action, append(f.second, "seen", shown)...).
					wantStatus(422, "This has changed since you opened the page.",
						"Person of emil@example.org (emil@example.org)</span>, <time datetime=", "17 Mar 2030", f.shown,
						"Your changes were not saved.", f.now)
				if whole := strings.Contains(a.body, "<html"); whole == htmx {
					t.Errorf("a whole page: %v", whole)
				}
				if after := emil.get(f.page).
					seen(); after[strings.Index(after, "."):] != state[strings.Index(state, "."):] {
					t.Error("an outdated form has changed something")
				}
				ada.postAndFollow(f.page+f.action, append(f.second, "seen", a.seen())...).wantStatus(200, f.done)
			})
		})
	}
}

// saveAt is save for a form that is sent to an action of the page.
func (b *browser) saveAt(page, action string, fields []string) answer {
	return b.post(page+action, append(fields, "seen", b.get(page).seen())...)
}

func TestFormsWithoutTheirVersion(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.SuperAdmin)
	s.add("mia@example.org", twofactor.Member)
	ada := s.signedIn("ada@example.org")
	ada.post("/admin/settings/general", "workspace", "Harbour").wantStatus(200, "The name is saved.") // a script's
	ada.postAndFollow("/admin/people/2/edit", "name", "Mia", "email", "mia@example.org", "role", "member").
		wantStatus(200, "The changes are saved.")
	for _, seen := range []string{"", "x", "1.", ".x", "12345.abc", ada.get("/admin/settings/general").seen() + "x"} {
		ada.post("/admin/settings/general", "workspace", "Quay", "seen", seen).wantStatus(422, "The form was incomplete")
		ada.post("/admin/people/2/edit", "name", "Mia Two", "email", "mia@example.org", "role", "member", "seen", seen).
			wantStatus(422, "The form was incomplete")
		ada.post("/admin/settings/security", "require_everyone", "on", "seen", seen).
			wantStatus(422, "The form was incomplete")
	}
	typed := ada.saveAt("/admin/people/2", "/edit", []string{"name", "", "email", "two@example.org", "role", "member"}).
		wantStatus(422, "Enter a name.", `value="two@example.org"`)
	ada.postAndFollow("/admin/people/2/edit", "name", "Two", "email", "two@example.org", "role", "member", "seen", typed.seen()).
		wantStatus(200, "The changes are saved.")
	typed = ada.saveAt("/admin/people/2", "/edit", []string{"name", "", "email", "two@example.org", "role", "member"}).
		wantStatus(422, "Enter a name.")
	if err := s.store.SetRole(ctx, 2, twofactor.Administrator, machine.Author(), s.now); err != nil {
		t.Fatal(err)
	}
	ada.post("/admin/people/2/edit", "name", "Mia", "email", "two@example.org", "role", "member", "seen", typed.seen()).
		wantStatus(422, "This has changed since you opened the page.", "on the machine", "Role changed")
	ada.post("/my/profile/sessions/end").wantStatus(422)
	ada.get("/my").wantStatus(200, "Harbour")
}

// TestGarbledCheckboxTurnsNothingOff sends ticks that are not as a browser sends them:
// none of them is read as an unticked box.
func TestGarbledCheckboxTurnsNothingOff(t *testing.T) {
	t.Parallel()
	const page, on = "/admin/settings/security", `id="require_admins" name="require_admins" value="yes" checked`
	s := newSite(t)
	s.add("ada@example.org", twofactor.SuperAdmin)
	ada := s.signedIn("ada@example.org")
	secret := ada.post("/my/profile/two-factor/enable").wantStatus(200).secret()
	ada.post("/my/profile/two-factor/confirm", "code", s.code(secret)).wantStatus(200)
	ada.save(page, "require_admins", "yes").wantStatus(200, on)
	for _, htmx := range []bool{false, true} {
		ada.htmx = htmx
		for _, fields := range [][]string{
			{"require_admins", ""},
			{"require_admins", "\x00"},
			{"require_admins", "\xff"},
			{"require_admins", "", "require_admins", "yes"},
			{"require_admins", "yes", "require_admins", ""},
			{"require_everyone", "", "require_admins", "yes"},
		} {
			ada.save(page, fields...).wantStatus(422)
			ada.htmx = false
			ada.get(page).wantStatus(200, on)
			ada.htmx = htmx
		}
	}
}
