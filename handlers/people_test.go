package handlers_test

import (
	"encoding/csv"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

const newPassword = "lantern sofa marble"

// link reads the one-time link off a page, as a path.
func (a answer) link() string {
	a.t.Helper()
	m := regexp.MustCompile(`id="link"[^>]*>http://example\.com(/welcome/[A-Za-z0-9_-]{43})<`).
		FindStringSubmatch(a.body)
	if m == nil {
		a.t.Fatalf("no link in:\n%s", a.body)
	}
	return m[1]
}

// personPath is the page of somebody's.
func personPath(id int64, verb string) string { return fmt.Sprintf("/admin/people/%d%s", id, verb) }

// postAndFollow sends a form and follows where it leads.
func (b *browser) postAndFollow(path string, fields ...string) answer {
	b.site.t.Helper()
	a := b.post(path, fields...)
	if a.status == 303 {
		return b.get(a.header.Get("Location"))
	}
	return a
}

func TestInvitation(t *testing.T) {
	t.Parallel()
	withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
		s := newSite(t)
		s.add("ada@example.org", twofactor.Administrator)
		ada := s.signedIn("ada@example.org")
		ada.htmx = htmx
		refused := ada.post("/admin/people/invite", "name", "Alan", "email", "alan", "role", "member").
			wantStatus(422, "Enter an e-mail address, like", `value="Alan"`, `value="alan"`)
		if whole := strings.Contains(refused.body, "<html"); whole == htmx {
			t.Errorf("a whole page: %v", whole)
		}
		ada.post("/admin/people/invite", "name", "Alan", "email", "ada@example.org", "role", "member").
			wantStatus(422, "Another account already uses this e-mail address.")
		ada.post("/admin/people/invite", "name", "Eve", "email", "eve@example.org", "role", "administrator").wantStatus(403)
		link := ada.post("/admin/people/invite", "name", "Alan", "email", "Alan@example.org", "role", "member").
			wantStatus(200, "Invitation link — shown ONCE", `until <time datetime="2030-03-18T17:46:40Z"`,
				"18 Mar 2030, 17:46 UTC", "Copy").link()
		ada.htmx = false
		ada.get("/admin/people").wantStatus(200, "alan@example.org", "Invited").wantNot("/welcome/")

		alan := s.browser()
		alan.htmx = htmx
		alan.get(link).wantStatus(200, "You have been invited", "alan@example.org", `value="Alan"`)
		alan.post(link, "name", "Alan Turing", "password", "short").
			wantStatus(422, "Use at least 8 characters", `value="Alan Turing"`).wantNot("short\"")
		alan.post(link, "name", "Alan Turing", "password", newPassword).wantRedirect("/signin")
		for _, cookie := range []string{"gatehouse", "gatehouse-challenge", "gatehouse-browser"} {
			if alan.cookies[cookie] != "" {
				t.Errorf("the link opened %s", cookie)
			}
		}
		alan.htmx = false
		alan.get("/signin").wantStatus(200, "Your password is set.")
		alan.get(link).wantStatus(404, "This link does not work")
		alan.post(link, "name", "Eve", "password", newPassword).wantStatus(404, "This link does not work")
		alan.htmx = false
		alan.post("/signin", "email", "alan@example.org", "password", newPassword).wantRedirect("/my")
		alan.get("/my").wantStatus(200, "Alan Turing")
		ada.get("/admin/people?q=alan+tur").wantStatus(200, "Alan Turing", "Active").wantNot(`href="/admin/people/1"`)
		ada.get("/admin/people?q=nobody").wantStatus(200, "No matches.", `value="nobody"`)
	})
}

func TestPasswordLink(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	id := s.add("mia@example.org", twofactor.Member)
	ada := s.signedIn("ada@example.org")
	mia, _, _ := s.enrolled("mia@example.org")
	link := ada.postAndFollow(personPath(id, "/link")).wantStatus(200, "Password link — shown ONCE", "their second step does not change").link()
	ada.get(personPath(id, "")).wantStatus(200, "A password link is open until").wantNot(link)
	stranger := s.browser()
	stranger.get(link).wantStatus(200, "Choose a new password", "mia@example.org").wantNot("Your name")
	stranger.post(link, "password", newPassword).wantRedirect("/signin")
	mia.get("/my").wantRedirect("/signin")
	stranger.post("/signin", "email", "mia@example.org", "password", newPassword).wantRedirect("/signin/two-factor")
	ada.get(personPath(id, "")).wantStatus(200, "Enabled", "8 recovery codes left").wantNot("link is open")

	t.Run("a link from a day ago is over", func(t *testing.T) {
		link := ada.postAndFollow(personPath(id, "/link")).link()
		s.advance(24 * time.Hour)
		s.browser().get(link).wantStatus(404, "ask an administrator for a new link")
	})
	t.Run("guessing counts against the address", func(t *testing.T) {
		b := s.browser()
		b.address = "203.0.113.77:1"
		for n := 0; ; n++ {
			a := b.post("/welcome/guess", "password", newPassword)
			if a.status == 429 {
				if a.header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
				break
			}
			if a.wantStatus(404); n > 60 {
				t.Fatal("never refused")
			}
		}
	})
	if strings.Contains(s.log.String(), link) ||
		strings.Contains(s.log.String(), strings.TrimPrefix(link, "/welcome/")) {
		t.Error("the log holds the link")
	}
}

func TestPersonPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	superID := s.add("sue@example.org", twofactor.SuperAdmin)
	adminID := s.add("ada@example.org", twofactor.Administrator)
	id := s.add("mia@example.org", twofactor.Member)
	sue, ada := s.signedIn("sue@example.org"), s.signedIn("ada@example.org")

	t.Run("tells and changes", func(t *testing.T) {
		withAndWithoutHTMX(t, func(t *testing.T, htmx bool) {
			ada.htmx = htmx
			ada.get(personPath(id, "")).wantStatus(200, "Person of mia@example.org", "Not configured", "Never", "0 sessions")
			ada.postAndFollow(personPath(id, "/edit"), "name", "Mia M", "email", "mia@", "role", "member").
				wantStatus(422, `value="Mia M"`, `value="mia@"`, "Enter an e-mail address, like")
			ada.postAndFollow(personPath(id, "/edit"), "name", "Mia M", "email", "mia2@example.org", "role", "member").
				wantStatus(200, "The changes are saved.", "Mia M", "mia2@example.org")
			ada.postAndFollow(personPath(id, "/edit"), "name", "Person of mia@example.org", "email", "mia@example.org", "role",
				"member").wantStatus(200)
			ada.postAndFollow(personPath(id, "/edit"), "name", "Mia", "email", "sue@example.org", "role", "member").
				wantStatus(422, "Another account already uses this e-mail address.")
			ada.postAndFollow(personPath(id, "/edit"), "name", "Mia", "email", "mia@example.org", "role", "owner").
				wantStatus(422, "Choose one of the values offered.")
		})
		ada.htmx = false
	})
	t.Run("an administrator makes no admin", func(t *testing.T) {
		ada.postAndFollow(personPath(id, "/edit"), "name", "Mia", "email", "mia@example.org", "role", "administrator").wantStatus(403)
		ada.get(personPath(id, "")).wantNot(`value="administrator"`)
	})
	t.Run("an administrator changes no admin", func(t *testing.T) {
		ada.get(personPath(superID, "")).wantStatus(200, "Only a Super-administrator can change admins.").
			wantNot("Save changes", "Deactivate")
		for _, verb := range []string{"/edit", "/deactivate", "/reactivate", "/sessions/end", "/link",
			"/two-factor/reset", "/unlock"} {
			ada.postAndFollow(personPath(superID, verb), "name", "X", "email", "x@example.org", "role", "member").wantStatus(403)
		}
	})
	t.Run("nobody touches their own account here", func(t *testing.T) {
		sue.get(personPath(superID, "")).wantStatus(200, "This is your own account.").wantNot("Deactivate")
		for _, verb := range []string{"/deactivate", "/reactivate", "/sessions/end", "/link", "/two-factor/reset",
			"/unlock"} {
			sue.postAndFollow(personPath(superID, verb)).wantStatus(422, "This is your own account.")
		}
		sue.postAndFollow(personPath(superID, "/edit"), "name", "Sue", "email", "sue@example.org", "role", "member").
			wantStatus(422, "You cannot change your own role.")
		sue.postAndFollow(personPath(superID, "/edit"), "name", "Sue Super", "email", "sue@example.org", "role", "super-administrator").
			wantStatus(200, "The changes are saved.", "Sue Super")
	})
	t.Run("a Super-administrator makes an admin and unmakes one", func(t *testing.T) {
		sue.postAndFollow(personPath(id, "/edit"), "name", "Mia", "email", "mia@example.org", "role", "it-administrator").
			wantStatus(200, "IT administrator")
		sue.postAndFollow(personPath(id, "/edit"), "name", "Mia", "email", "mia@example.org", "role", "member").wantStatus(200)
		sue.postAndFollow(personPath(adminID, "/sessions/end")).wantStatus(200, "All sessions have ended.")
		ada.get("/my").wantRedirect("/signin")
	})
	t.Run("there is nobody under another number", func(t *testing.T) {
		for _, wrong := range []string{"0", "-1", "x", "4711", "99999999999999999999"} {
			sue.get("/admin/people/" + wrong).wantStatus(404)
			sue.post("/admin/people/"+wrong+"/edit", "name", "A", "email", "a@example.org", "role", "member").wantStatus(404)
			sue.post("/admin/people/" + wrong + "/deactivate").wantStatus(404)
		}
	})
}

func TestDeactivating(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	id := s.add("mia@example.org", twofactor.Member)
	ada, mia := s.signedIn("ada@example.org"), s.signedIn("mia@example.org")
	ada.postAndFollow(personPath(id, "/deactivate")).wantStatus(200, "The account is deactivated.", "Deactivated", "Reactivate")
	mia.get("/my").wantRedirect("/signin")
	mia.post("/signin", "email", "mia@example.org", "password", dbtest.Password).
		wantStatus(422, "E-mail or password did not match.")
	ada.postAndFollow(personPath(id, "/link")).wantStatus(422, "This account is deactivated.")
	ada.postAndFollow(personPath(id, "/reactivate")).wantStatus(200, "The account is active again.")
	mia.get("/my").wantRedirect("/signin")
	mia.post("/signin", "email", "mia@example.org", "password", dbtest.Password).wantRedirect("/my")
}

// TestLostPhone is the way back in that an admin opens in the browser.
func TestLostPhone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	id := s.add("mia@example.org", twofactor.Member)
	ada := s.signedIn("ada@example.org")
	mia, _, _ := s.enrolled("mia@example.org")
	ada.postAndFollow(personPath(id, "/two-factor/reset")).wantStatus(200, "Two-factor is reset.", "Not configured")
	ada.postAndFollow(personPath(id, "/two-factor/reset")).wantStatus(422, "There is nothing to reset.")
	mia.get("/my").wantRedirect("/signin")
	s.advance(time.Minute)
	mia = s.signedIn("mia@example.org")
	mia.get("/my").wantStatus(200, "Since your last sign-in", "Your two-factor authentication was reset by",
		"Person of ada@example.org (ada@example.org)")
	mia.get("/my/profile").wantStatus(200, "Two-factor reset", "Person of ada@example.org (ada@example.org)")
	s.enrolled("mia@example.org")
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	id := s.add("mia@example.org", twofactor.Member)
	ada, mia := s.signedIn("ada@example.org"), s.browser()
	mia.address = "203.0.113.9:1"
	for a := mia.post("/signin", "email", "mia@example.org", "password",
		"wrong"); a.status != 429; s.advance(time.Second) {
		a = mia.post("/signin", "email", "mia@example.org", "password", "wrong")
	}
	ada.postAndFollow(personPath(id, "/unlock")).wantStatus(200, "The account is unlocked.")
	s.advance(10 * time.Second) // one place in the address's bucket
	mia.post("/signin", "email", "mia@example.org", "password", dbtest.Password).wantRedirect("/my")
}

func TestNotices(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	s.add("bob@example.org", twofactor.Administrator)
	s.add("mia@example.org", twofactor.Member)
	if err := s.store.SetPolicy(ctx, twofactor.Policy{Everyone: true}, db.Machine("root").Author(), s.now); err != nil {
		t.Fatal(err)
	}
	if err := s.store.SetPolicy(ctx, twofactor.Policy{}, db.Machine("root").Author(), s.now); err != nil {
		t.Fatal(err)
	}
	ada, bob, mia := s.signedIn("ada@example.org"), s.signedIn("bob@example.org"), s.signedIn("mia@example.org")
	mia.get("/my").wantStatus(200).wantNot("on the machine")
	bob.get("/my").wantStatus(200, "on the machine by", ">root<", "everyone on")
	page := ada.get("/admin/people").wantStatus(200, "on the machine by", "everyone off", "was added as Administrator")
	forms := regexp.MustCompile(`action="(/admin/notices/\d+/dismiss)"`).FindAllStringSubmatch(page.body, -1)
	if len(forms) != 3 {
		t.Fatalf("%d notices", len(forms))
	}
	mia.post(forms[0][1]).wantStatus(403)
	for _, form := range forms {
		ada.post(form[1]).wantRedirect("/my")
		ada.post(form[1]).wantRedirect("/my") // a second click
	}
	bob.get("/my").wantStatus(200).wantNot("on the machine")
	ada.get("/admin/activity?event=sys_notice_dismissed").wantStatus(200, "Notice dismissed")
}

func TestSecuritySettings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	s.add("mia@example.org", twofactor.Member)
	ada := s.signedIn("ada@example.org")
	page := ada.get("/admin/settings/security").
		wantStatus(200, "2 people would have to set it up first: Person of ada@example.org, Person of mia@example.org (never signed in).",
			"1 person would have to set it up first: Person of ada@example.org.", "You are one of them",
			"No admin has a recovery code left.")
	page.wantStatus(200, "/admin/settings/not-enrolled")
	ada.get("/admin/settings/not-enrolled").wantStatus(200, "ada@example.org", "mia@example.org", "Never")

	ada, _, _ = s.enrolled("ada@example.org")
	ada.get("/admin/settings/security").
		wantStatus(200, "1 person would have to set it up first: Person of mia@example.org (never signed in).",
			"Nobody would be stopped now").
		wantNot("You are one of them", "No admin has a recovery code left.")
	ada.get("/admin/settings/not-enrolled").wantStatus(200, "mia@example.org").wantNot(`href="/admin/people/1"`)
	table := ada.get("/admin/settings/not-enrolled.csv").wantStatus(200).tableCells()
	if want := [][]string{{"name", "email", "role", "last_sign_in"},
		{"Person of mia@example.org", "mia@example.org", "member", ""}}; !slices.EqualFunc(table, want,
		slices.Equal[[]string]) {
		t.Errorf("got %q", table)
	}
}

// tableCells reads CSV, as a script would.
func (a answer) tableCells() [][]string {
	a.t.Helper()
	if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "text/csv") {
		a.t.Fatalf("Content-Type %q", got)
	}
	if got := a.header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment; filename=") {
		a.t.Errorf("Content-Disposition %q", got)
	}
	text, marked := strings.CutPrefix(a.body, "\ufeff")
	if !marked {
		a.t.Error("no byte-order mark")
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		if !strings.HasPrefix(line, `"`) || !strings.HasSuffix(line, `"`) || strings.Contains(strings.ReplaceAll(line, `","`, ""), `,,`) {
			a.t.Errorf("a cell without quotes: %s", line)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		a.t.Fatal(err)
	}
	return rows
}

func TestActivityPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	id := s.add("mia@example.org", twofactor.Member)
	ada := s.signedIn("ada@example.org")
	ada.postAndFollow(personPath(id, "/edit"), "name", `=HYPERLINK("http://evil.example")`, "email", "mia@example.org", "role",
		"member").wantStatus(200)
	s.browser().post("/signin", "email", "nobody@example.org", "password", "my other password").wantStatus(422)
	s.advance(24 * time.Hour)
	ada = s.signedIn("ada@example.org")

	all := ada.get("/admin/activity").
		wantStatus(200, "authn_login_success", "Signed in with password", "test on the machine", "Unknown name", "Refused",
			"user_updated").wantNot("nobody@example.org", "my other password")
	if strings.Index(all.body, "18 Mar 2030") > strings.Index(all.body, "17 Mar 2030") {
		t.Error("the newest does not come first")
	}
	for query, want := range map[string][]string{
		"event=user_updated":                           {">user_updated", ">authn_login"},
		"person=mia@example.org":                       {">user_updated", ">authn_login"},
		"until=2030-03-17":                             {"17 Mar 2030", "18 Mar 2030"},
		"from=2030-03-18":                              {"18 Mar 2030", "17 Mar 2030"},
		"from=2030-03-18&until=2030-03-18":             {"18 Mar 2030", "17 Mar 2030"},
		"event=user_created&person=mia%40example.org":  {">user_created", ">user_updated"},
		"event=user_deactivated":                       {"Nothing matches.", "<code"},
		"event=none":                                   {"Nothing matches.", "<code"},
		"after=rubbish&event=user_updated&from=&until": {">user_updated", ">authn_login"},
	} {
		ada.get("/admin/activity?"+query).wantStatus(200, want[0]).wantNot(want[1])
	}
	for query, want := range map[string]string{
		"person=eve@example.org": "Nobody has this e-mail address.",
		"from=yesterday":         "Enter a day like",
		"until=2030-13-01":       "Enter a day like",
	} {
		_, typed, _ := strings.Cut(query, "=")
		ada.get("/admin/activity?"+query).wantStatus(422, want, `value="`+typed+`"`)
		ada.get("/admin/activity.csv?" + query).wantRedirect("/admin/activity?" + strings.ReplaceAll(query, "@", "%40"))
	}
	table := ada.get("/admin/activity.csv?event=user_updated").wantStatus(200).tableCells()
	if len(table) != 2 || table[0][0] != "time" || table[1][1] != "user_updated" || table[1][4] != "ada@example.org" ||
		table[1][6] != "mia@example.org" {
		t.Fatalf("got %q", table)
	}
	if cell := table[1][5]; cell != `'=HYPERLINK("http://evil.example")` {
		t.Errorf("a spreadsheet would take %s for a formula", cell)
	}
	if rows := ada.get("/admin/activity.csv?person=mia@example.org&after=1+1").tableCells(); len(rows) != 3 {
		t.Errorf("%d rows about Mia", len(rows))
	}
}

func TestActivityByPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	id := s.add("mia@example.org", twofactor.Member)
	ada := s.signedIn("ada@example.org")
	for range db.PageSize + 5 {
		ada.postAndFollow(personPath(id, "/unlock")).wantStatus(200)
	}
	first := ada.get("/admin/activity?event=authn_login_unlock").wantStatus(200, "Next page").wantNot("First page")
	next := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(first.body)
	if next == nil {
		t.Fatal("no next page")
	}
	second := ada.get(strings.ReplaceAll(next[1], "&amp;", "&")).wantStatus(200, "First page").wantNot("Next page")
	if n := strings.Count(second.body, ">authn_login_unlock"); n != 5 {
		t.Errorf("%d rows on the second page", n)
	}
	if rows := ada.get("/admin/activity.csv?event=authn_login_unlock").tableCells(); len(rows) != db.PageSize+6 {
		t.Errorf("%d rows exported", len(rows))
	}
}

// TestOwnPage is what everybody sees and does on My profile.
func TestOwnPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("mia@example.org", twofactor.Member)
	s.add("bob@example.org", twofactor.Member)
	first := s.signedIn("mia@example.org")
	s.advance(time.Minute)
	two, three := s.signedIn("mia@example.org"), s.signedIn("mia@example.org")
	bob := s.signedIn("bob@example.org")
	page := first.get("/my/profile").
		wantStatus(200, "Firefox on Linux", "192.0.2.7", "This session", "End all others", "Recent activity",
			"Signed in with password")
	handles := regexp.MustCompile(`name="session" value="([^"]+)"`).FindAllStringSubmatch(page.body, -1)
	if len(handles) != 2 {
		t.Fatalf("%d sessions can be ended", len(handles))
	}
	bob.post("/my/profile/sessions/end", "session", handles[0][1]).wantRedirect("/my/profile") // not his: nothing happens
	two.get("/my").wantStatus(200)
	three.get("/my").wantStatus(200)
	first.post("/my/profile/sessions/end", "session", handles[0][1]).wantRedirect("/my/profile")
	if (two.get("/my").status == 200) == (three.get("/my").status == 200) {
		t.Error("not exactly one session has ended")
	}
	first.post("/my/profile/sessions/end", "others", "all").wantRedirect("/my/profile")
	two.get("/my").wantRedirect("/signin")
	three.get("/my").wantRedirect("/signin")
	bob.get("/my").wantStatus(200)
	first.get("/my/profile").wantStatus(200, "Sessions ended (all others)").wantNot("End all others")
}

// TestExportsAreNoted holds that whoever takes a list away leaves a row that says what
// it was, and that the row stands before the first byte leaves.
func TestExportsAreNoted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	mia := s.add("mia@example.org", twofactor.Member)
	ada, member := s.signedIn("ada@example.org"), s.signedIn("mia@example.org")
	ada.postAndFollow(personPath(mia, "/edit"), "name", "Mia;=1+1", "email", "mia@example.org", "role", "member").wantStatus(200)
	table := ada.get("/admin/activity.csv?event=sensitive_read").wantStatus(200).tableCells()
	if len(table) != 2 || table[1][3] != "Person of ada@example.org" || table[1][8] != "activity, event sensitive_read" {
		t.Errorf("got %q", table)
	}
	if list := ada.get("/admin/settings/not-enrolled.csv").wantStatus(200).tableCells(); !slices.ContainsFunc(list, func(row []string) bool { return row[0] == "Mia;'=1+1" }) {
		t.Errorf("got %q", list)
	}
	ada.get("/admin/activity.csv?person=mia@example.org&from=2030-01-01&until=2031-01-01").wantStatus(200)
	ada.get("/admin/activity?event=sensitive_read").wantStatus(200, "Exported as CSV (not enrolled)",
		"Exported as CSV (activity, person mia@example.org, from 2030-01-01, until 2031-01-01)")
	member.get("/admin/activity.csv").wantStatus(403)
	member.get("/admin/settings/not-enrolled.csv").wantStatus(403)
	if table := ada.get("/admin/activity.csv?event=sensitive_read").tableCells(); len(table) != 5 {
		t.Errorf("%d exports are noted; want 4", len(table)-1)
	}
}
