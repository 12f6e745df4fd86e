package db

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/twofactor"
)

// growing are the tables that no page and no sign-in may walk through.
var growing = regexp.MustCompile(`^SCAN (p|person|a|activity|s|session|e|enrollment|c|challenge|recovery_code|recovery_sheet|r|known_browser|attempt|address_attempt|l|link)\b`)

// walks are the ends of the statements that are there to walk: everybody, or a
// table that has at most one row to look at.
var walks = []string{"ORDER BY p.name, p.id", "SELECT EXISTS (SELECT 1 FROM person)"}

// TestPlans runs what pages and commands run, and demands of every statement
// that was prepared on the way that it finds its rows by an index.
func TestPlans(t *testing.T) {
	ctx, now := context.Background(), time.Date(2030, 3, 17, 17, 46, 40, 0, time.UTC)
	schema, err := os.ReadFile("../schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, Options{Dir: t.TempDir(), Schema: string(schema), Workspace: "Acme", Times: DefaultTimes, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	runEverything(t, s, now)

	plan := func(query string) {
		rows, err := s.writer.db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if growing.MatchString(detail) && !walking(query) && !bounded(query, detail) || strings.HasPrefix(detail, "USE TEMP B-TREE") && strings.Contains(query, "LIMIT") && !sorts(query) {
				t.Errorf("%s\n\t%s", query, detail)
			}
		}
		if err := rows.Err(); err != nil {
			t.Error(err)
		}
	}
	seen := 0
	s.reader.stmts.Range(func(query, _ any) bool { plan(query.(string)); seen++; return true })
	for query := range s.writer.stmts {
		if verb, _, _ := strings.Cut(query, " "); verb == "SELECT" || verb == "UPDATE" || verb == "DELETE" {
			plan(query)
			seen++
		}
	}
	if seen < 50 {
		t.Errorf("only %d statements were looked at", seen)
	}
}

func walking(query string) bool {
	for _, end := range walks {
		if strings.HasSuffix(query, end) {
			return true
		}
	}
	return false
}

// bounded reports whether a walk is through the few admins, or stops at a limit
// in the index of those who have not enrolled.
func bounded(query, detail string) bool {
	return strings.HasSuffix(detail, "INDEX person_admins") ||
		strings.HasSuffix(detail, "INDEX person_not_enrolled") && strings.Contains(query, "LIMIT ?") && !strings.Contains(query, "role") // else it is walked to find a role
}

// sorts names the statements that may sort, since what they sort is bounded.
func sorts(query string) bool {
	return strings.Contains(query, "p.role <> 'member'") || // the few admins
		strings.Contains(query, "SELECT id FROM (SELECT a.at") || // the union's page
		strings.HasPrefix(query, "DELETE FROM") // one person's sessions, challenges and browsers
}

// runEverything calls what reads and writes, so that its statements are prepared.
func runEverything(t *testing.T, s *Store, now time.Time) {
	ctx, machine, client := context.Background(), Machine("root").Author(), Client{Address: "192.0.2.1"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const password = "violet kettle harbour"
	id, err := s.AddPerson(ctx, NewPerson{Name: "Ada", Email: "ada@example.org", Password: password, Role: twofactor.SuperAdmin}, machine.Actor, now)
	must(err)
	other, err := s.AddPerson(ctx, NewPerson{Name: "Bob", Email: "bob@example.org", Password: password, Role: twofactor.Member}, machine.Actor, now)
	must(err)
	passage, err := s.SignIn(ctx, "ada@example.org", password, "", client, now)
	must(err)
	v, err := s.Visitor(ctx, passage.Session, now)
	must(err)
	v.PreviousSignInAt = now.Add(-time.Hour)
	by := v.Author(client)

	for _, search := range []string{"", "ada"} {
		_, err = s.People(ctx, search, "")
		must(err)
	}
	_, err = s.NotEnrolled(ctx, "")
	must(err)
	must(s.EachNotEnrolled(ctx, func(Person) error { return nil }))
	must(s.EachPerson(ctx, func(Person) error { return nil }))
	_, err = s.PersonByEmail(ctx, "ada@example.org")
	must(err)
	_, err = s.Facts(ctx, id, now)
	must(err)
	for _, f := range []Filter{{}, {Person: id}, {Event: SignedIn}, {Person: id, Event: SignedIn}} {
		_, err = s.Activity(ctx, f)
		must(err)
	}
	_, err = s.OwnActivity(ctx, v, 10)
	must(err)
	_, err = s.Meanwhile(ctx, v)
	must(err)
	_, err = s.Sessions(ctx, v, now)
	must(err)
	for _, p := range []twofactor.Policy{{Everyone: true}, {Admins: true}} {
		_, err = s.WouldStop(ctx, v, p)
		must(err)
		must(s.SetPolicy(ctx, p, machine, now))
	}
	_, err = s.AdminsWithoutCodes(ctx)
	must(err)
	notices, err := s.Notices(ctx)
	must(err)
	must(s.DismissNotice(ctx, notices[0].ID, by, now))
	must(s.ChangePerson(ctx, other, NewPerson{Name: "Bobby", Email: "bobby@example.org", Role: twofactor.Administrator}, by, now))
	token, err := s.NewLink(ctx, other, by, now)
	must(err)
	_, err = s.Link(ctx, token, now)
	must(err)
	_, err = s.TakeUpLink(ctx, token, "", password, client, now)
	must(err)
	must(s.Unlock(ctx, other, by, now))
	must(s.EndSessionsOf(ctx, other, by, now))
	must(s.SetActive(ctx, other, false, by, now))
	must(s.SetActive(ctx, other, true, by, now))
	_, err = s.Check(ctx)
	must(err)
	must(s.Sweep(ctx, now))
}
