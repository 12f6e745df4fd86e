package db_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/db/dbtest/server"
	"gatehouse/passkeys/passkeystest"
	"gatehouse/roster"
	"gatehouse/twofactor"
)

// scansGrowingTable are the tables that no page and no sign-in may walk through.
var scansGrowingTable = regexp.MustCompile(`^SCAN (p|person|a|activity|s|session|e|enrollment|k|passkey|ceremony|c|challenge|recovery_code|recovery_sheet|r|known_browser|attempt|address_attempt|l|link|gr|app_grant|tok|access_token|cs|connected_session|ac|app_consent|m|mailed_link|o|outbox|x|app_session|ticket)\b`)

// walksGrowingTable is the same as PostgreSQL says it, even where it was told to avoid that.
var walksGrowingTable = regexp.MustCompile(`Seq Scan on (person|activity|session|enrollment|passkey|ceremony|challenge|recovery_code|recovery_sheet|known_browser|attempt|address_attempt|link|app_grant|access_token|connected_session|app_consent|mailed_link|outbox)\b`)

// allowedScans are the ends of the statements that are there to walk: through everybody
// for an export, or to the first row alone.
var allowedScans = []string{"ORDER BY p.sort_key, p.id", "EXISTS (SELECT 1 FROM person)",
	"ORDER BY o.id DESC LIMIT $1",
	"RETURNING id, active, enrolled_here"} // once, when a server starts under another address

// TestPlans runs what pages, steps and commands run, and demands of every
// statement that finds rows that it finds them by an index. A statement in the
// source that was not run fails as well.
func TestPlans(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	runEverything(t, store)
	var seen []string
	for _, query := range store.Statements() {
		if !findsRows.MatchString(query) {
			continue
		}
		seen = append(seen, query)
		plan, err := store.Plan(ctx, query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
		}
		if server.IsUsed() {
			for _, line := range plan {
				if walksGrowingTable.MatchString(line) && !isAllowedScan(query) {
					t.Errorf("%s\n\t%s", query, line)
				}
			}
			continue
		}
		for _, line := range plan {
			if scansGrowingTable.MatchString(line) && !isAllowedScan(query) && !isBoundedScan(query, line) ||
				strings.HasPrefix(line, "USE TEMP B-TREE") && strings.Contains(query, "LIMIT") && !isBoundedSort(query) {
				t.Errorf("%s\n\t%s", query, line)
			}
		}
	}
	all := oneLine(strings.Join(seen, "\n"))
	for place, text := range sourceStatements(t) {
		if !server.IsUsed() && onServerOnly.MatchString(text) {
			continue
		}
		if !strings.Contains(all, text) {
			t.Errorf("%s: this statement was not run, so its plan was not looked at:\n\t%s", place, text)
		}
	}
	_ = store.Close() // some of its activity was pruned: dbtest would compare it with the tally
}

// onServerOnly tells the statements that are PostgreSQL's alone.
var onServerOnly = regexp.MustCompile(`FOR (NO KEY )?UPDATE`)

// findsRows begins like one that finds rows.
var findsRows = regexp.MustCompile(`^\s*(SELECT|UPDATE|DELETE)\b`)

func oneLine(query string) string { return strings.Join(strings.Fields(query), " ") }

// statementPart begins like a statement that finds rows, or like a later part of one that is
// joined from several.
var statementPart = regexp.MustCompile(`^\s*(SELECT|UPDATE|DELETE|FROM|JOIN|WHERE|ORDER BY|UNION)\b`)

// sourceStatements returns the statements that stand in this package, or the parts that
// they are joined from, by where they stand. restore.go works on a copy that nobody uses
// yet and walks on purpose; fill.go is for benchmarks; sealed.go and progress.go make their statements of names of columns.
func sourceStatements(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "restore.go" || file == "move.go" || strings.HasPrefix(file, "upgrade_") ||
			file == "fill.go" || file == "sealed.go" || file == "progress.go" || file == "postgres.go" ||
			server.IsUsed() && file == "sweep.go" {
			continue
		}
		places := token.NewFileSet()
		tree, err := parser.ParseFile(places, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				text, err := strconv.Unquote(literal.Value)
				if err == nil && statementPart.MatchString(text) {
					out[places.Position(literal.Pos()).String()] = oneLine(text)
				}
			}
			return true
		})
	}
	return out
}

func isAllowedScan(query string) bool {
	for _, end := range allowedScans {
		if strings.HasSuffix(query, end) {
			return true
		}
	}
	return false
}

// isBoundedScan reports whether a walk is through the few admins, or stops at a limit
// in the index of those who have not enrolled.
func isBoundedScan(query, detail string) bool {
	return strings.HasSuffix(detail, "INDEX person_admins") || strings.HasSuffix(detail, "INDEX person_left") ||
		// else it is walked to find a role
		(strings.HasSuffix(detail, "INDEX person_not_enrolled") || strings.HasSuffix(detail, "INDEX person_to_remind")) && strings.Contains(query, "LIMIT") &&
			!strings.Contains(query, "role")
}

// isBoundedSort names the statements that may sort, since what they sort is bounded.
func isBoundedSort(query string) bool {
	return strings.Contains(query, "role <> 'member'") || // the few admins
		strings.Contains(query, "SELECT DISTINCT sort_key, person_id") || // entries that were counted: 200 at most
		strings.Contains(query, "SELECT id FROM (SELECT a.at") || // the union's page
		strings.Contains(query, "SELECT id FROM (SELECT p.") || // the same of people
		strings.Contains(query, "ORDER BY e.state = 'enabled'") || // one person's enabled and one pending
		strings.HasPrefix(query, "DELETE FROM") // one person's sessions, challenges and browsers
}

// runEverything goes through what people, admins, a monitor and the command line
// do, so that every statement is prepared.
func runEverything(t *testing.T, store *db.Store) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	refused := func(err error) {
		t.Helper()
		if !db.IsRefusal(err) {
			t.Fatalf("got %v; want a refusal", err)
		}
	}
	now, machine, client := start, db.Machine("root").Author(), db.Client{Address: "192.0.2.1"}

	// The first Super-administrator, and people.
	_, err := store.FirstSetupToken(ctx, now)
	must(err)
	token, err := store.NewSetupToken(ctx, now)
	must(err)
	must(store.CheckSetup(ctx, token))
	result, err := store.SetUp(ctx, token, "Acme", db.NewPerson{
		Name:     "Ada",
		Email:    "ada@example.org",
		Password: dbtest.Password,
	}, client, now)
	must(err)
	by := visitor(t, store, result.Session, now).Author(client)
	bob := dbtest.Add(t, store, "bob@example.org", twofactor.Member)
	dbtest.Add(t, store, "eve@example.org", twofactor.Member)
	must(store.RenameWorkspace(ctx, account.Seen{}, "Harbour", by, now))
	must(store.NoteBackup(ctx, now))
	must(store.SetBaseURL(ctx, "https://old.example.org", now))
	must(store.SetBaseURL(ctx, "https://portal.example.org", now))
	_, err = store.DoctorFacts(ctx, now)
	must(err)

	// Enrolling: a wrong code, discarded, confirmed, regenerated after the password was given again.
	v := signIn(t, store, "bob@example.org", now)
	_, err = store.SignIn(ctx, "nobody@example.org", dbtest.Password, "", db.Client{
		Address: "192.0.2.9",
		Session: result.Session,
	}, now)
	refused(err)
	_, err = store.EnableTwoFactor(ctx, v, now)
	must(err)
	_, _, err = store.ConfirmTwoFactor(ctx, v, "000000", client, now)
	refused(err)
	must(store.DiscardPending(ctx, v))
	enrolledBob := enrol(t, store, "bob@example.org", now)
	refused(store.Reauthenticate(ctx, enrolledBob.visitor, "wrong horse", client, now))
	must(store.Reauthenticate(ctx, enrolledBob.visitor, dbtest.Password, client, now))
	refused(store.CheckRecoveryCode(ctx, enrolledBob.visitor, "0000-0000", client, now))
	must(store.CheckRecoveryCode(ctx, enrolledBob.visitor, enrolledBob.codes[0].Text(), client, now))
	if asked, err := store.AskForCodes(ctx, enrolledBob.visitor, now.AddDate(1, 0, 0)); !asked || err != nil {
		t.Fatal("nobody was asked: ", err)
	}
	newPhone, err := store.ReplaceTwoFactor(ctx, enrolledBob.visitor, now)
	must(err)
	_, exchanged, err := store.ExchangeTwoFactor(ctx, enrolledBob.visitor,
		dbtest.Code(t, newPhone.Secret.Base32(), now), client, now)
	must(err)
	enrolledBob.visitor, enrolledBob.secret = visitor(t, store, exchanged.Session, now), newPhone.Secret.Base32()
	_, rotated, err := store.RegenerateRecoveryCodes(ctx, enrolledBob.visitor, client, now)
	must(err)

	// The second step: from a known browser, wrong, right, by recovery code, cancelled, five times wrong.
	next := func() { now = now.Add(time.Minute) }
	verify := func(c db.Client, code string) (db.SignInResult, error) {
		next()
		challenge := challengedFrom(t, store, "bob@example.org", c, now)
		owing, err := store.Challenge(ctx, challenge, now)
		must(err)
		_, err = store.RecoverySheet(ctx, owing)
		must(err)
		if code == "" {
			code = dbtest.Code(t, enrolledBob.secret, now)
		}
		return store.VerifyCode(ctx, challenge, code, c, now)
	}
	_, err = verify(client, "000000")
	refused(err)
	result, err = verify(client, "")
	must(err)
	known := db.Client{Address: client.Address, Known: result.Browser, Session: result.Session}
	_, err = verify(known, "000000")
	refused(err)
	result, err = verify(known, "")
	must(err)
	known.Session = result.Session
	next()
	_, left, err := store.RedeemRecoveryCode(ctx, challenged(t, store, "bob@example.org", now), "0000-0000", client,
		now)
	refused(err)
	if left != 4 {
		t.Fatal(left)
	}
	result, _, err = store.RedeemRecoveryCode(ctx, challenged(t, store, "bob@example.org", now),
		rotated.Codes[0].Text(), client, now)
	must(err)
	must(store.CancelChallenge(ctx, challenged(t, store, "bob@example.org", now)))
	last := challenged(t, store, "bob@example.org", now)
	for range 5 {
		_, err = store.VerifyCode(ctx, last, "000000", known, now)
		refused(err)
	}
	refused(guessPassword(store, "eve@example.org", client, now))
	must(store.Transaction(ctx, func(exec func(string, ...any) error) error {
		return exec(`UPDATE person SET password_hash = $1 WHERE email = 'eve@example.org'`, weakHash)
	}))
	_, err = store.SignIn(ctx, "eve@example.org", "password", "", client, now)
	must(err)
	refused(guessPassword(store, "nobody@example.org", client, now))

	// One's own pages.
	v = visitor(t, store, result.Session, now)
	v.PreviousSignInAt = start
	next()
	must(store.Touch(ctx, v, now))
	_, err = store.TwoFactor(ctx, v)
	must(err)
	_, err = store.HasSession(ctx, v, "of nobody")
	must(err)
	_, err = store.EventsSince(ctx, v)
	must(err)
	_, err = store.OwnActivity(ctx, v, 10)
	must(err)
	sessions, err := store.Sessions(ctx, v, now)
	must(err)
	must(store.EndOwnSession(ctx, v, sessions[len(sessions)-1].Handle, client, now))
	browsers, err := store.KnownBrowsers(ctx, v, client, now)
	must(err)
	must(store.ForgetBrowser(ctx, v, browsers[0].Handle, client, now))
	must(store.EndOtherSessions(ctx, v, client, now))
	_, err = store.PasswordChangedAt(ctx, v)
	must(err)
	rotated, err = store.ChangePassword(ctx, v, dbtest.Password, dbtest.Password+"!", client, now)
	must(err)
	v = visitor(t, store, rotated.Session, now)
	_, _, err = store.DisableTwoFactor(ctx, v, dbtest.Password+"!", client, now)
	must(err)
	must(store.SetPassword(ctx, bob, dbtest.Password, machine, now))
	must(store.EndSession(ctx, enrol(t, store, "bob@example.org", now).visitor, client, now))

	// People, settings and activity.
	must(store.Transaction(ctx, func(exec func(string, ...any) error) error { // more entries than are put in order
		return exec(`INSERT INTO person_word (word, sort_key, person_id)
			WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 400) SELECT 'zz' || i, '', $1
			FROM n`, bob)
	}))
	for _, search := range []string{"", "ada", "ada@example.org", "zz"} {
		_, err = store.People(ctx, account.PeopleFilter{Search: search}, "")
		must(err)
	}
	for _, order := range account.Orders {
		for _, f := range []account.PeopleFilter{{}, {Role: twofactor.Member, Standing: account.ActivePerson}, {Search: "ada"}} {
			f.Order = order
			must(store.EachListedPerson(ctx, f, func(db.Person) error { return nil }))
		}
	}
	_, err = store.Person(ctx, bob)
	must(err)
	_, err = store.PersonDetails(ctx, bob, now)
	must(err)
	_, err = store.NotEnrolled(ctx, "")
	must(err)
	must(store.EachNotEnrolled(ctx, func(db.Person) error { return nil }))
	for _, f := range []db.Filter{{}, {Person: bob}, {Event: account.SignedIn},
		{Person: bob, Event: account.SignedIn}} {
		_, err = store.Activity(ctx, f)
		must(err)
		must(store.EachActivity(ctx, f, func(db.ActivityRow) error { return nil }))
	}
	admin := signIn(t, store, "ada@example.org", now)
	by = admin.Author(client)
	for _, p := range []twofactor.Policy{{Everyone: true}, {Admins: true}} {
		_, err = store.PolicyImpact(ctx, admin, p)
		must(err)
		must(store.SetPolicy(ctx, p, machine, now))
	}
	_, err = store.AdminsWithoutCodes(ctx)
	must(err)
	must(store.NoteExport(ctx, "activity", by, now))
	notices, err := store.Notices(ctx)
	must(err)
	must(store.DismissNotice(ctx, notices.Newest[0].ID, by, now))
	must(store.DismissNotices(ctx, notices.Newest[0].ID, by, now))
	invited, token, err := store.Invite(ctx, db.NewPerson{
		Name:  "Cy",
		Email: "cy@example.org",
		Role:  twofactor.Member,
	}, by, now)
	must(err)
	_, err = store.Link(ctx, token, now)
	must(err)
	_, err = store.UseLink(ctx, token, "Cy", dbtest.Password, client, now)
	must(err)
	_, err = store.NewLink(ctx, invited, by, now)
	must(err)
	must(store.ChangePerson(ctx, invited, account.Seen{}, db.NewPerson{
		Name:  "Cyd",
		Email: "cyd@example.org",
		Role:  twofactor.SuperAdmin,
	}, by, now))
	_, err = store.PersonChanges(ctx, invited, start)
	must(err)
	_, err = store.Tally(ctx, now, 90)
	must(err)
	_, err = store.HasApps(ctx)
	must(err)
	must(store.ChangeSessionLengths(ctx, account.Seen{}, account.SessionLengths{Idle: time.Hour, Max: 2 * time.Hour}, by, now))
	_, err = store.WorkspaceChanges(ctx, account.PolicyChanged, start)
	must(err)
	must(store.SetRole(ctx, invited, twofactor.Member, machine, now))
	must(store.Unlock(ctx, invited, by, now))
	must(store.EndSessionsOf(ctx, invited, by, now))
	must(store.SetActive(ctx, invited, false, by, now))
	must(store.SetActive(ctx, invited, true, by, now))
	must(store.ResetTwoFactor(ctx, bob, by, now))
	runApps(t, store, admin, now)
	runGuard(t, store, admin, now)
	runOpenID(t, store, admin, now)
	must(store.RemovePerson(ctx, invited, by, now))

	runPasskeys(t, store, now)
	runMails(t, store, bob, now)

	// A monitor, the command line, and what runs by itself.
	must(store.Beat(ctx, db.Node{ID: "one", Name: "one"}, time.Now))
	_, err = store.Status(ctx)
	must(err)
	must(store.Leave(ctx, "one"))
	_, err = store.Metrics(ctx)
	must(err)
	must(store.Ping(ctx, now))
	must(store.EachPerson(ctx, func(db.Person) error { return nil }))
	_, err = store.ImportPeople(ctx, []roster.Person{
		{Email: "ada@example.net", Name: "Ada", Role: twofactor.Member, Groups: []string{"imported"}},
		{Email: "ida@example.net", Name: "Ida", Role: twofactor.Member, UserName: "ida"},
	}, db.ImportOptions{CreateGroups: true}, db.Machine("root"), now)
	must(err)
	_, err = store.MemberGroups(ctx)
	must(err)
	_, err = store.PersonByEmail(ctx, "ada@example.org")
	must(err)
	enrol(t, store, "bob@example.org", now)
	_, err = store.MakeNextKey()
	must(err)
	_, err = store.RotateKey(ctx, machine.Actor, now)
	must(err)
	_, err = store.NewestActivity(ctx)
	must(err)
	_, err = store.Check(ctx)
	must(err)
	must(store.Sweep(ctx, now))
	must(store.Sweep(ctx, now.Add(2*time.Hour))) // the hour of unknown names is over
	_, err = store.PruneActivity(ctx, now, machine.Actor, now)
	must(err)
}

// runPasskeys does with passkeys what can be done with them.
func runPasskeys(t *testing.T, store *db.Store, now time.Time) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := store.SetPasskeyDomain(ctx, party.ID)
	must(err)
	dbtest.Add(t, store, "kay@example.org", twofactor.Member)
	v := enrol(t, store, "kay@example.org", now).visitor
	a := passkeystest.New()
	v, _ = addPasskey(t, store, v, a, now)
	c, err := store.BeginPasskeySignIn(party, "browser", now)
	must(err)
	_, _, err = store.SignInWithPasskey(ctx, party, "browser", assertion(t, a, c.Options), "", db.Client{}, now)
	must(err)
	token := challenged(t, store, "kay@example.org", now)
	_, _, err = store.VerifyPasskey(ctx, party, token, assertion(t, a, stepOptions(t, store, token, now)), db.Client{}, now)
	must(err)
	options, err := store.BeginStepUp(ctx, v, party, now)
	must(err)
	must(store.StepUpWithPasskey(ctx, v, party, assertion(t, a, options), db.Client{}, now))
	_, err = store.AcceptedPasskeys(ctx, v, party)
	must(err)
	list, err := store.Passkeys(ctx, v)
	must(err)
	rotated, err := store.RemoveAuthenticatorApp(ctx, v, dbtest.Password, db.Client{}, now)
	must(err)
	v = enableApp(t, store, visitor(t, store, rotated.Session, now), now)
	must(store.RenamePasskey(ctx, v, list[0].Handle, "Blue key", db.Client{}, now))
	_, err = store.RemovePasskey(ctx, v, list[0].Handle, db.Client{}, now)
	must(err)
}
