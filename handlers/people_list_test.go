package handlers_test

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/twofactor"
)

// TestPeopleFilter narrows and orders the list by its address; paging, the heads of columns and the
// CSV keep what was chosen.
func TestPeopleFilter(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	s.add("bea@example.org", twofactor.Member)
	gone := s.add("cyd@example.org", twofactor.Member)
	s.enrolled("bea@example.org")
	ada := s.signedIn("ada@example.org")
	ada.postAndFollow(personPath(gone, "/deactivate")).wantStatus(200)
	ada.post("/admin/people/invite", "name", "Dora", "email", "dora@example.org", "role", "member").wantStatus(200)
	s.advance(time.Minute)
	bea := s.browser()
	bea.post("/signin", "email", "bea@example.org", "password", "wrong horse").wantStatus(422)

	emails := regexp.MustCompile(`<p class="small" translate="no">([a-z]+)@example\.org</p></div></div></td>`)
	for query, want := range map[string]string{
		"":                                 "dora ada bea cyd",
		"sort=name-desc":                   "cyd bea ada dora",
		"sort=last-sign-in-asc":            "cyd dora bea ada",
		"role=administrator":               "ada",
		"two_factor=enabled":               "bea",
		"two_factor=not-configured":        "dora ada cyd",
		"account=deactivated":              "cyd",
		"account=invited":                  "dora",
		"account=active&role=member":       "bea",
		"account=active&q=bea":             "bea",
		"account=invited&q=bea":            "",
		"role=king&account=dead&sort=luck": "dora ada bea cyd",
	} {
		var got []string
		page := ada.get("/admin/people?" + query).wantStatus(200)
		for _, m := range emails.FindAllStringSubmatch(page.body, -1) {
			got = append(got, m[1])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s lists %s; want %s", query, got, want)
		}
		var exported []string
		for _, row := range ada.get("/admin/people.csv?" + query).tableCells()[1:] {
			exported = append(exported, strings.TrimSuffix(row[0], "@example.org"))
		}
		if strings.Join(exported, " ") != want {
			t.Errorf("%s exports %s; want %s", query, exported, want)
		}
	}
	page := ada.get("/admin/people?account=active&q=example&sort=last-sign-in")
	page.wantStatus(200, `href="/admin/people.csv?account=active&q=example&sort=last-sign-in"`,
		`<th scope="col" aria-sort="descending">`, `href="/admin/people?account=active&q=example&sort=last-sign-in-asc"`,
		`href="/admin/people?account=active&q=example"`, `<option value="active" selected>`, "Show everybody")
	ada.get("/admin/people?account=invited&role=administrator").wantStatus(200, "No matches.", "a wider filter")

	for i := range db.PageSize + 1 {
		s.add(fmt.Sprintf("m%02d@example.org", i), twofactor.ITAdministrator)
	}
	first := ada.get("/admin/people?role=it-administrator&sort=name-desc").wantStatus(200)
	next := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(first.body)
	if next == nil || !strings.Contains(next[1], "role=it-administrator") || !strings.Contains(next[1], "sort=name-desc") {
		t.Fatalf("the next page is %q", next)
	}
	second := ada.get(html.UnescapeString(next[1])).wantStatus(200, "First page", "m00@example.org</p>")
	second.wantNot("m50@example.org</p>", "Next page")
}

// TestPeopleExport holds that taking the list away is noted with what it was narrowed by, and
// is for admins.
func TestPeopleExport(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	s.add("mia@example.org", twofactor.Member)
	ada := s.signedIn("ada@example.org")
	table := ada.get("/admin/people.csv?role=member&two_factor=not-configured&account=active&q=mia").tableCells()
	want := `[mia@example.org Person of mia@example.org member mia yes no not-configured  0 0 ]`
	if len(table) != 2 || fmt.Sprint(table[1]) != want {
		t.Errorf("got %q; want %s", table, want)
	}
	ada.get("/admin/activity").wantStatus(200, "Exported as CSV (people, role member, two-factor not-configured, account active, those of a search)")
	s.signedIn("mia@example.org").get("/admin/people.csv").wantStatus(403)
}

// TestInvitePage has the form that invites at an address of its own, which nothing else opens.
func TestInvitePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	ada := s.signedIn("ada@example.org")
	ada.get("/admin/people").wantStatus(200, `href="/admin/people?invite"`, "Nobody but you yet.").wantNot("Make invitation link", `name="q"`)
	ada.get("/admin/people?invite").wantStatus(200, "Make invitation link", `<option value="member" selected>`).
		wantNot(`href="/admin/people?invite"`)
	ada.post("/admin/people/invite", "name", "", "email", "x", "role", "member").wantStatus(422, "Make invitation link", `value="x"`)
	s.add("mia@example.org", twofactor.Member)
	ada.get("/admin/people").wantStatus(200, `name="q"`).wantNot("Nobody but you yet.")
	ada.get("/admin/people?q=ada").wantStatus(200).wantNot("Nobody but you yet.")
}

// TestActivityRowsLead has days above the rows, and links to what they are about.
func TestActivityRowsLead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.SuperAdmin)
	mia := s.add("mia@example.org", twofactor.Member)
	ada := s.signedIn("ada@example.org")
	ada.postAndFollow(personPath(mia, "/unlock")).wantStatus(200)
	ada.postAndFollow("/admin/groups/add", "name", "ops").wantStatus(200)
	ada.postAndFollow("/admin/apps/add", "name", "Wiki & more", "address", "https://wiki.example.org", "template", "other", "everyone", "yes").
		wantStatus(200)
	ada.get("/admin/activity").wantStatus(200, `href="`+personPath(mia, "")+`"`, `href="/admin/groups" translate="no">ops<`,
		`href="/admin/apps?q=Wiki+%26+more" translate="no">Wiki & more<`, `>Sunday, 17 Mar 2030 UTC</time></th>`)
	s.advance(24 * time.Hour)
	ada = s.signedIn("ada@example.org")
	page := ada.get("/admin/activity").wantStatus(200, `>Monday, 18 Mar 2030 UTC</time></th>`)
	if n := strings.Count(page.body, `class="table__day"`); n != 2 {
		t.Errorf("%d heads above the rows of two days", n)
	}
	ada.get("/admin/apps?q=Wiki+%26+more").wantStatus(200, "wiki.example.org")
}
