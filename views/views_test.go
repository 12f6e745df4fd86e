package views

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"html"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/twofactor"

	"github.com/a-h/templ"
)

var updateGolden = flag.Bool("update", false, "rewrite the golden files")

var (
	now   = time.Date(2026, 11, 23, 9, 41, 12, 0, time.UTC)
	madeA = time.Date(2026, 11, 12, 8, 0, 0, 0, time.UTC)
	sheet = twofactor.Sheet{ID: "K7", MadeAt: madeA, Used: [twofactor.RecoveryCodes]bool{true, true, true}}

	admin  = Visitor{Name: "Ada Lovelace", Email: "ada@example.org", Role: twofactor.SuperAdmin}
	member = Visitor{Name: "Alan Turing", Email: "alan@example.org", Role: twofactor.Member}
)

func frame(v Visitor, path string) Frame {
	return Frame{
		Workspace: "Acme & Söhne",
		Assets:    Assets{CSS: "/static/gatehouse.1.css", HTMX: "/static/htmx.1.js", Icon: "/static/icon.1.svg"},
		Visitor:   v,
		Path:      path,
		Now:       now,
	}
}

func notConfigured() TwoFactor {
	return TwoFactor{Workspace: "Acme & Söhne", Email: "ada@example.org", Now: now, NextCode: 18 * time.Second}
}

func pending(t *testing.T) TwoFactor {
	t.Helper()
	secret, err := twofactor.ParseSecret([]byte("12345678901234567890"))
	if err != nil {
		t.Fatal(err)
	}
	x := notConfigured()
	x.Enrollment = twofactor.Enrollment{State: twofactor.Pending, Secret: secret, ExpiresAt: now.Add(10 * time.Minute)}
	if x.QR, err = NewQR(twofactor.KeyURI(x.Workspace, x.Email, secret)); err != nil {
		t.Fatal(err)
	}
	return x
}

func enabled() TwoFactor {
	x := notConfigured()
	x.Enrollment = twofactor.Enrollment{State: twofactor.Enabled, ConfirmedAt: madeA, Sheet: sheet}
	return x
}

// newPhone is the card while a new phone is set up beside the old one.
func newPhone(t *testing.T) TwoFactor {
	x := pending(t)
	x.Replacing = true
	return x
}

func codes(t *testing.T) []twofactor.RecoveryCode {
	t.Helper()
	var out []twofactor.RecoveryCode
	for _, typed := range strings.Fields("0000-1111 2222-3333 4444-5555 6666-7777 8888-9999 AAAA-BBBB CCCC-DDDD EEEE-FFFF") {
		code, ok := twofactor.NormalizeRecoveryCode(typed)
		if !ok {
			t.Fatal("no recovery code: " + typed)
		}
		out = append(out, code)
	}
	return out
}

// modified changes a screen.
func modified(t TwoFactor, change func(*TwoFactor)) TwoFactor {
	change(&t)
	return t
}

// states is every state that somebody can see.
func states(t *testing.T) map[string]templ.Component {
	wait := Refused(twofactor.Wait{Until: now.Add(30 * time.Second)}, now)
	profile := Profile{State: twofactor.Enabled, ConfirmedAt: madeA, Sheet: sheet, PasswordChangedAt: madeA,
		Sessions: []Session{
			{ID: "one", Browser: "Firefox on Linux", Address: "192.0.2.4", StartedAt: now, SeenAt: now, Current: true},
			{ID: "two", Browser: "Safari on iPhone", Address: "2001:db8::1", StartedAt: madeA, SeenAt: now},
		},
		Browsers: []KnownBrowser{
			{ID: "one", Browser: "Firefox on Linux", Address: "192.0.2.4", MadeAt: madeA, SeenAt: now, Current: true},
			{ID: "two", Browser: "A browser", MadeAt: madeA, SeenAt: madeA},
		},
		Events: []Event{
			{At: now, Text: EventText("authn_login_success", true, "totp", ""), Address: "192.0.2.4"},
			{At: madeA, Text: EventText("authn_factor_reset", true, "", ""), By: grace},
		}}
	screen := func(x TwoFactor) templ.Component { return TwoFactorScreen(x) }
	return map[string]templ.Component{
		"not-configured": screen(notConfigured()),
		"required": screen(modified(notConfigured(),
			func(x *TwoFactor) { x.Required, x.Next = true, "/my/profile?a=b" })),
		"no-pending": screen(modified(notConfigured(),
			func(x *TwoFactor) { x.Alert = EnrollmentRefused(twofactor.ErrNoPending, now) })),
		"disabled": screen(modified(notConfigured(), func(x *TwoFactor) { x.Success = Disabled() })),
		"pending":  screen(pending(t)),
		"pending-wrong": screen(modified(pending(t),
			func(x *TwoFactor) { x.Alert = EnrollmentRefused(twofactor.WrongCode{Left: 4}, now) })),
		"new-phone": screen(newPhone(t)),
		"new-phone-wrong": screen(modified(newPhone(t),
			func(x *TwoFactor) { x.Alert = ReplacementRefused(twofactor.WrongCode{Left: 4}, now) })),
		"new-phone-last": screen(modified(enabled(),
			func(x *TwoFactor) { x.Alert = ReplacementRefused(twofactor.WrongCode{}, now) })),
		"new-phone-gone": screen(modified(enabled(),
			func(x *TwoFactor) { x.Alert = ReplacementRefused(twofactor.ErrNoPending, now) })),
		"new-phone-done": screen(modified(enabled(), func(x *TwoFactor) { x.Success = Replaced() })),
		"check-ask":      screen(modified(enabled(), func(x *TwoFactor) { x.Ask = true })),
		"check-good": screen(modified(enabled(),
			func(x *TwoFactor) { x.Check, x.Success = true, CodeIsGood(x.Enrollment) })),
		"check-wrong": screen(modified(enabled(), func(x *TwoFactor) {
			x.Check, x.Alert = true, CheckRefused(twofactor.ErrWrongRecovery, now, x.Enrollment)
		})),
		"pending-clock": screen(modified(pending(t), func(x *TwoFactor) {
			x.Alert = EnrollmentRefused(twofactor.WrongCode{Left: 4, ClockOff: -4 * time.Minute}, now)
		})),
		"recovery-panel": screen(modified(enabled(), func(x *TwoFactor) {
			x.Codes, x.Success, x.Next, x.Enrollment.Sheet.Used = codes(t), Confirmed(), "/my", [twofactor.RecoveryCodes]bool{}
		})),
		"enabled": screen(enabled()),
		"enabled-few": screen(modified(enabled(), func(x *TwoFactor) {
			x.Enrollment.Sheet.Used[3], x.Enrollment.Sheet.Used[4], x.Enrollment.Sheet.Used[5] = true, true, true
		})),
		"enabled-prompt": screen(modified(enabled(), func(x *TwoFactor) { x.Prompt = true })),
		"enabled-reauth": screen(modified(enabled(), func(x *TwoFactor) { x.Reauth = true })),
		"enabled-reauth-no": screen(modified(enabled(),
			func(x *TwoFactor) { x.Reauth, x.Alert = true, PasswordRefused(twofactor.ErrWrongPassword, now) })),
		"enabled-disable-no": screen(modified(enabled(),
			func(x *TwoFactor) { x.Disable, x.Alert = true, DisableRefused(twofactor.ErrWrongPassword, now) })),
		"enabled-wait": screen(modified(enabled(), func(x *TwoFactor) { x.Disable, x.Alert = true, wait })),
		"with-sidebar": TwoFactorScreenWithSidebar(frame(member, "/my/profile"), enabled()),
		"page":         TwoFactorPage(frame(admin, "/my/profile"), notConfigured()),
		"page-stopped": TwoFactorPage(frame(Visitor{
			Name:       "Alan Turing",
			Email:      "alan@example.org",
			Role:       twofactor.Member,
			MustEnroll: true,
		}, "/my/profile"),
			modified(notConfigured(), func(x *TwoFactor) { x.Required = true })),

		"passkeys": screen(modified(enabled(), func(x *TwoFactor) { x.Passkeys = passkeyCard() })),
		"passkeys-only": screen(modified(notConfigured(), func(x *TwoFactor) {
			x.Passkeys = passkeyCard()
			x.Passkeys.Rename, x.Passkeys.Alert = "", Refused(twofactor.ErrTooManyPasskeys, now)
		})),
		"passkey-new": TwoFactorPage(frame(member, "/my/profile"), modified(notConfigured(), func(x *TwoFactor) {
			x.Passkeys.Options, x.Passkeys.Signal, x.Next = `{"challenge":"AA"}`, `{"rpId":"example.org"}`, "/my"
		})),
		"passkeys-unable": screen(modified(enabled(), func(x *TwoFactor) { x.Passkeys.Unable = NeedsHTTPS })),
		"signin-passkey": SignInPage(frame(Visitor{}, "/signin"), SignIn{
			Next:         "/my/profile",
			Passkeys:     true,
			PasskeyAlert: Refused(twofactor.ErrWrongPasskey, now),
			Signal:       `{"rpId":"example.org"}`,
		}),
		"challenge-passkey": ChallengePage(frame(Visitor{}, "/signin/two-factor"), Challenge{
			Email:        "ada@example.org",
			Sheet:        sheet,
			Passkey:      `{"challenge":"AA"}`,
			PasskeyAlert: Refused(twofactor.ErrPasskeyOver, now),
		}),
		"challenge-passkey-only": ChallengeCard(Challenge{
			Email:   "ada@example.org",
			Sheet:   sheet,
			NoApp:   true,
			Passkey: `{"challenge":"AA"}`,
		}),
		"challenge-elsewhere": ChallengeCard(Challenge{
			Email:   "ada@example.org",
			Sheet:   sheet,
			NoApp:   true,
			MadeFor: []string{"old.example.org"},
		}),
		"signin":        SignInPage(frame(Visitor{}, "/signin"), SignIn{Next: "/my/profile"}),
		"signin-notice": SignInCard(SignIn{Notice: PageMessage("signed-out", "", "")}),
		"signin-refused": SignInCard(SignIn{
			Email: "ada@example.org",
			Alert: SignInRefused(twofactor.ErrWrongPassword, now),
		}),
		"signin-wait": SignInCard(SignIn{Email: "ada@example.org", Alert: wait, Wait: 30 * time.Second}),
		"challenge": ChallengePage(frame(Visitor{}, "/signin/two-factor"), Challenge{
			Email: "ada@example.org",
			Sheet: sheet,
		}),
		"challenge-wrong": ChallengeCard(Challenge{
			Email:     "ada@example.org",
			Sheet:     sheet,
			CodeAlert: ChallengeRefused(twofactor.WrongCode{Left: 4}, now),
		}),
		"challenge-wait": ChallengeCard(Challenge{
			Email:     "ada@example.org",
			Sheet:     sheet,
			CodeAlert: wait,
			Wait:      30 * time.Second,
		}),
		"challenge-recovery": ChallengeCard(Challenge{
			Email:         "ada@example.org",
			Sheet:         sheet,
			RecoveryAlert: ChallengeRefused(twofactor.ErrWrongRecovery, now),
		}),
		"setup": SetupPage(frame(Visitor{}, "/setup/x"), Setup{Token: "x"}),
		"setup-refused": SetupCard(Setup{
			Token:     "x",
			Workspace: Field{Value: "Acme"},
			Email: Field{
				Value: "ada",
				Error: FieldErrorText(account.FieldError{Field: "email", Reason: account.NotEmail}),
			},
		}),

		"home": HomePage(frame(member, "/my"), Home{Advice: HomeAdvice(twofactor.Enrollment{})}),
		"home-events": HomeCards(Home{State: twofactor.Enabled, Since: madeA,
			Advice: HomeAdvice(enabled().Enrollment),
			Events: []Dated{AccountEventText("authn_login_fail", 2, now, account.Party{}),
				AccountEventText("authn_factor_reset", 1, now, grace)}}),
		"profile":       ProfilePage(frame(admin, "/my/profile"), profile),
		"profile-empty": ProfileCards(Profile{}),
		"profile-wrong": ProfileCards(Profile{CurrentPassword: Field{Error: FieldErrorText(account.FieldError{
			Field:  "current_password",
			Reason: account.Wrong,
		})}}),
		"security": SecurityPage(frame(admin, "/admin/settings/security"), Security{
			Policy: twofactor.Policy{Admins: true},
			Everyone: PolicyImpact{
				Count: 7,
				First: []AffectedPerson{{Name: "Ada"}, {Name: "Alan", NeverSignedIn: true}},
				You:   true,
			},
			NoCodes: true,
		}),
		"security-outdated": SecurityCard(Security{Alert: Outdated([]Change{{
			At:   now,
			By:   account.Party{Kind: account.ActorPerson, ID: 2, Name: "Grace Hopper", Email: "grace@example.org"},
			Text: "Policy changed",
		}})}),
		"security-saved": SecurityCard(Security{
			Policy:  twofactor.Policy{Everyone: true},
			Success: PolicySaved(twofactor.Policy{Everyone: true}, time.UTC),
		}),
		"general": GeneralPage(frame(admin, "/admin/settings/general"),
			General{Workspace: Field{Value: "Acme & Söhne"}}),
		"general-empty": GeneralCard(General{Workspace: Field{Error: FieldErrorText(account.FieldError{
			Field:  "workspace",
			Reason: account.Missing,
		})}}),
		"problem": ProblemPage(frame(Visitor{}, "/x"), NotFound()),
		"onward":  OnwardPage(frame(Visitor{}, "/signin"), "/oauth/authorize?client_id=a"),
		"agreement": AgreementPage(frame(member, "/oauth/authorize"), Agreement{
			App: "Gitea", Host: "gitea.example.org", Name: "Emil", Email: "emil@example.org", Request: "client_id=a", Profile: true,
			Address: true, Groups: true, Offline: true, OtherUser: "/signout",
		}),
		"app-refused": AppRefusedPage(frame(member, "/oauth/authorize"), AppRefusal{
			App: "Gitea", Name: "Emil", Email: "emil@example.org", Back: "https://gitea.example.org/cb?error=access_denied", OtherUser: "/signout",
		}),
		"wrong-address": WrongAddressPage(frame(admin, "/oauth/authorize"), WrongAddress{
			App: "Gitea", AppID: 1, Address: "https://gitea.example.org/other", CanAdd: true,
		}),
		"app-signout": SignOutPage(frame(member, "/oauth/signout"), SignOut{
			App: "Gitea", Name: "Emil", Email: "emil@example.org", Request: "client_id=a",
		}),
		"problem-inside": ProblemPage(frame(member, "/x"), Unavailable("5f2c9a")),
		"help":           HelpPage(frame(member, "/help/two-factor"), HelpFromPortal()),
		"notices": portalWith(Frame{Workspace: "Acme", Visitor: admin, Path: "/my",
			Notices: Notices{Open: 1, Through: 3, Shown: []Notice{
				InsecureHTTP(), {Text: BreakGlass("authn_factor_reset", root, alan, "", now), DismissID: 3}}}}),
		"notices-many": portalWith(Frame{Workspace: "Acme", Visitor: admin, Path: "/my",
			Notices: Notices{Open: 25, Through: 31, Shown: []Notice{
				{Text: BreakGlass(account.RoleChanged, root, alan, "member to administrator", now), DismissID: 31},
				{Text: BreakGlass(account.KeyRotated, root, account.Party{}, "", now), DismissID: 30}}}}),
		"list": longLists(),

		"people": peoplePage(),
		"people-empty": PeopleCards(People{
			Filter: account.PeopleFilter{Search: "zz", Role: twofactor.Member, Order: account.BySignIn},
			Export: "/admin/people.csv?q=zz",
			Invite: Invite{
				Open:  true,
				Name:  Field{Error: FieldErrorText(account.FieldError{Field: "name", Reason: account.Missing})},
				Roles: []twofactor.Role{twofactor.Member},
			},
		}),
		"people-alone": PeopleCards(People{
			Rows:   people()[:1],
			Alone:  true,
			Export: "/admin/people.csv",
			Invite: Invite{Open: true, Roles: []twofactor.Role{twofactor.Member}},
		}),
		"people-unordered": PeopleCards(People{
			Filter:     account.PeopleFilter{Search: "a", Order: account.ByNameBackward},
			Unordered:  true,
			Pagination: Pagination{Next: "/admin/people?after=1"},
		}),
		"person-remove": PersonCards(PersonDetail{
			Person:    people()[1],
			AddedAt:   madeA,
			AskRemove: true,
			Rights:    account.Rights{Edit: true, Manage: true},
		}),
		"person":             PersonPage(frame(admin, "/admin/people/2"), personDetail()),
		"home-apps":          HomePage(frame(member, "/my"), Home{State: twofactor.NotConfigured, Launcher: launcherState()}),
		"home-no-apps-admin": HomeCards(Home{State: twofactor.Enabled, Launcher: Launcher{None: true, Admin: true}}),
		"home-no-apps":       HomeCards(Home{State: twofactor.Enabled}),
		"apps":               AppsPage(frame(admin, "/admin/apps"), Apps{Rows: []apps.App{anApp()}, Alert: AppsNeed(true, false)}),
		"own-apps": OwnAppsPage(frame(member, "/my/profile/apps"), OwnApps{Rows: []OwnApp{
			{AppMark: MarkOf(anApp()), Slug: "grafana", SignedInAt: madeA, Offline: true, Agreed: []string{"openid", "profile", "email", "groups"}},
			{AppMark: AppMark{ID: 8, Name: "Wiki <b>", Mark: "W"}, Slug: "wiki", Sessions: []OwnAppSession{
				{Browser: "Firefox on Linux", MadeAt: madeA, Current: true}, {Browser: "Safari on iPhone", MadeAt: madeA}}},
		}}),
		"own-apps-none": OwnAppsCard(OwnApps{}),
		"apps-none":     AppsCards(Apps{Alert: AppsNeed(false, false)}),
		"app-new":       NewAppPage(frame(admin, "/admin/apps/new"), NewApp{Access: AppAccess{Everyone: true}}),
		"app":           AppPage(frame(admin, "/admin/apps/7"), appDetail()),
		"app-remove":    AppCards(func() AppDetail { d := appDetail(); d.AskRemove, d.App.Paused = true, true; return d }()),
		"app-why": AppWhyPage(frame(admin, "/admin/apps/7/why"), AppWhy{
			App: MarkOf(anApp()), Person: Field{Value: "alan@example.org"}, Known: true,
			Named:       apps.Named{ID: 2, Name: "Alan", Email: "alan@example.org"},
			Explanation: anApp().Explain(apps.Person{ID: 2, Role: twofactor.Member, Active: true}, twofactor.Policy{Everyone: true}),
		}),
		"groups": GroupsPage(frame(admin, "/admin/groups"),
			Groups{Rows: []Group{{Group: apps.Group{ID: 7, Name: "ops"}, Members: 1, Apps: 2}}}),
		"groups-none": GroupsCards(Groups{Name: Field{Value: "a b", Error: "x"}}),
		"group": GroupPage(frame(admin, "/admin/groups/7"), GroupDetail{
			Group:   apps.Group{ID: 7, Name: "ops"},
			Members: []apps.Named{{ID: 2, Name: "Alan <Turing>", Email: "alan@example.org"}},
			Apps:    []AppMark{MarkOf(anApp())},
		}),
		"group-remove": GroupCards(GroupDetail{Group: apps.Group{ID: 7, Name: "ops"}, AskRemove: true}),
		"person-own": PersonCards(PersonDetail{
			Person:  people()[0],
			AddedAt: madeA,
			Rights:  account.Rights{Own: true, Edit: true},
		}),
		"person-admin": PersonCards(PersonDetail{
			Person:  people()[0],
			AddedAt: madeA,
			Alert:   PersonRefused(account.ErrLastSuperAdmin),
		}),
		"not-enrolled": NotEnrolledPage(frame(admin, "/admin/settings/not-enrolled"), NotEnrolled{
			Rows:       people()[1:],
			Pagination: Pagination{Next: "/admin/settings/not-enrolled?after=2"},
		}),
		"welcome": WelcomePage(frame(Visitor{}, "/welcome/x"), Welcome{
			Token: "x",
			Kind:  "invitation",
			Email: "alan@example.org",
			Name:  Field{Value: "Alan"},
		}),
		"welcome-again": WelcomeCard(Welcome{
			Token: "x",
			Kind:  "password",
			Email: "alan@example.org",
			Password: Field{Error: FieldErrorText(account.FieldError{
				Field:  "password",
				Reason: account.TooShort,
				Limit:  account.PasswordMin,
			})},
		}),
		"activity": activityPage(),
		"activity-empty": ActivityCards(Activity{
			Person:   Field{Value: "x", Error: FilterErrorText("person")},
			Filtered: true,
			Export:   "/admin/activity.csv",
		}),
	}
}

func portalWith(f Frame) templ.Component { return portalPage(f, "My portal", pageAssets{}) }

// longLists shows the parts of long lists together.
func longLists() templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		for _, c := range []templ.Component{
			searchForm("/admin/people", "Search people", "ada"),
			selectField("result", "Result", "no", [][2]string{{"", "All"}, {"no", "Refused"}}),
			emptyState("people", "No matches.", "Try a part of the name."),
		} {
			if err := c.Render(ctx, w); err != nil {
				return err
			}
		}
		return nil
	})
}

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sentence is a text of more than three words that ends like a sentence and holds no
// figure.
var sentence = regexp.MustCompile(`>((?:[^\s<>\d]+\s+){3})[^<>\d]*[.!?]\s*<`)

// outline shortens sentences to their first words: which one stands where belongs to
// the structure of a page, and how it goes on stands once, in the list of sentences.
func outline(page string) string {
	page = sentence.ReplaceAllString(page, ">$1…<")
	return strings.ReplaceAll(page, "><", ">\n<") + "\n"
}

// TestGoldenFiles compares each state with its file, and all sentences with the list of
// them.
func TestGoldenFiles(t *testing.T) {
	scripts := regexp.MustCompile(`(?s)<script>.*?</script>`)
	sentences := map[string]bool{}
	for name, c := range states(t) {
		page := scripts.ReplaceAllString(render(t, c), "<script>…</script>")
		for _, found := range sentence.FindAllString(page, -1) {
			sentences[html.UnescapeString(strings.Trim(found, "<> \t\n"))] = true
		}
		golden(t, name+".golden.html", outline(page))
	}
	golden(t, "sentences.golden.txt", strings.Join(slices.Sorted(maps.Keys(sentences)), "\n")+"\n")
}

// golden compares a text with a file in testdata, or writes it there.
func golden(t *testing.T, name, got string) {
	t.Run(name, func(t *testing.T) {
		file := filepath.Join("testdata", name)
		if *updateGolden {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs; look at the change with: go test ./views -update && git diff views/testdata", file)
		}
	})
}

func TestMarkupObeysTheContentSecurityPolicy(t *testing.T) {
	inline := regexp.MustCompile(`(?i)\sstyle=|<style|\son[a-z]+=|\s(data-)?hx-on|javascript:|\shx-`)
	scripts := regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	hashes := ScriptHashes()
	seen := map[string]bool{}
	for name, c := range states(t) {
		page := render(t, c)
		for _, found := range scripts.FindAllStringSubmatch(page, -1) {
			sum := sha256.Sum256([]byte(found[1]))
			hash := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
			if !slices.Contains(hashes, hash) {
				t.Errorf("%s has a script that the policy does not allow", name)
			}
			if strings.Count(page, found[0]) != 1 {
				t.Errorf("%s has a script twice", name)
			}
			seen[hash] = true
		}
		if at := inline.FindString(scripts.ReplaceAllString(page, "")); at != "" {
			t.Errorf("%s has %q", name, at)
		}
	}
	for _, hash := range hashes {
		if !seen[hash] {
			// The countdown of the sign-in is the same script as that of the screen.
			t.Errorf("the policy allows %s, which stands on no page", hash)
		}
	}
}

func TestNoFieldCutsWhatIsPasted(t *testing.T) {
	for name, c := range states(t) {
		if page := render(t, c); strings.Contains(page, "maxlength") {
			t.Errorf("%s has a field with a maxlength", name)
		}
	}
}

func TestOnlyPagesThatUseHTMXLoadIt(t *testing.T) {
	for _, name := range []string{"signin", "challenge", "setup", "home", "profile", "problem", "problem-inside",
		"help"} {
		if strings.Contains(render(t, states(t)[name]), "/static/htmx") {
			t.Errorf("%s loads htmx", name)
		}
	}
	for _, name := range []string{"page", "page-stopped", "security", "general"} {
		if !strings.Contains(render(t, states(t)[name]), `<script src="/static/htmx.1.js" defer>`) {
			t.Errorf("%s does not load htmx", name)
		}
	}
}

func TestEveryFormWorksWithoutScript(t *testing.T) {
	form := regexp.MustCompile(`<form[^>]*>`)
	for name, c := range states(t) {
		for _, tag := range form.FindAllString(render(t, c), -1) {
			if !strings.Contains(tag, ` method="`) || !strings.Contains(tag, ` action="/`) {
				t.Errorf("%s: %s", name, tag)
			}
		}
	}
}

func TestFragmentIsOneElementAndTheSameInThePage(t *testing.T) {
	x := enabled()
	fragment := render(t, TwoFactorScreen(x))
	if !strings.HasPrefix(fragment, `<div class="stack" id="two-factor">`) {
		t.Errorf("the fragment begins with %.60s", fragment)
	}
	if !strings.Contains(render(t, TwoFactorPage(frame(admin, "/my/profile"), x)), fragment) {
		t.Error("the page does not hold the fragment as it is")
	}
}

func TestSecretsAreOnlyWhereTheyAreShown(t *testing.T) {
	x := pending(t)
	page := render(t, TwoFactorScreen(x))
	label := regexp.MustCompile(`<svg class="qr"[^>]*>`).FindString(page)
	if !strings.Contains(label, `role="img"`) || strings.Contains(label, x.Enrollment.Secret.Base32()) {
		t.Errorf("the image says %s", label)
	}
	if strings.Contains(render(t, TwoFactorScreen(enabled())), "otpauth:") {
		t.Error("the enabled card holds a key address")
	}
	x = enabled()
	x.Codes = codes(t)
	page = render(t, TwoFactorScreen(x))
	if n := strings.Count(page, "AAAA-BBBB"); n != 1 {
		t.Errorf("a recovery code stands %d times on the page", n)
	}
}

func TestOneInputHasFocus(t *testing.T) {
	for name, c := range states(t) {
		if n := strings.Count(render(t, c), "autofocus"); n > 1 {
			t.Errorf("%s: %d elements ask for the focus", name, n)
		}
	}
}

func TestIdsAreUnique(t *testing.T) {
	id := regexp.MustCompile(`\sid="([^"]*)"`)
	for name, c := range states(t) {
		seen := map[string]bool{}
		for _, found := range id.FindAllStringSubmatch(render(t, c), -1) {
			if seen[found[1]] {
				t.Errorf("%s: id %q twice", name, found[1])
			}
			seen[found[1]] = true
		}
	}
}

func TestDescriptionsExist(t *testing.T) {
	refers := regexp.MustCompile(`aria-(?:describedby|labelledby)="([^"]*)"`)
	for name, c := range states(t) {
		page := render(t, c)
		for _, found := range refers.FindAllStringSubmatch(page, -1) {
			for _, id := range strings.Fields(found[1]) {
				if !strings.Contains(page, `id="`+id+`"`) {
					t.Errorf("%s refers to %q, which is not there", name, id)
				}
			}
		}
	}
}

// An instant is text of a <time>, in UTC, which timeScript finds and puts into the browser's own zone.
func TestEveryInstantIsATime(t *testing.T) {
	marked := regexp.MustCompile(`<time datetime="(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"( data-time="[a-z]+")?>([^<]* UTC)</time>`)
	instant := regexp.MustCompile(`\d{1,2} [A-Z][a-z]{2} 20\d\d|\d\d:\d\d`)
	for name, c := range states(t) {
		page := strings.ReplaceAll(render(t, c), "Sheet K7 of 12 Nov 2026</em>", "") // an example in the help
		found := marked.FindAllString(page, -1)
		if len(found) != strings.Count(page, "<time") {
			t.Errorf("%s has a <time> that is not as timeScript reads it, or does not say UTC", name)
		}
		if len(found) > 0 && strings.Contains(page, "<html") && !strings.Contains(page, string(timeScript)) {
			t.Errorf("%s has instants, and no script that puts them into the browser's zone", name)
		}
		if at := instant.FindString(marked.ReplaceAllString(page, "")); at != "" {
			t.Errorf("%s shows %q outside of a <time>", name, at)
		}
	}
}

// What is copied or read out letter by letter is for no translator.
func TestCodesKeysAndAddressesAreNotTranslated(t *testing.T) {
	kept := regexp.MustCompile(`<(code|li|ol)[^>]*>`)
	element := regexp.MustCompile(`(?s)<([a-z]+)[^>]* translate="no"[^>]*>.*?</[a-z]+>`)
	address := regexp.MustCompile(`>[^<]*((ada|alan|grace)@example\.org|192\.0\.2\.|2001:db8)`)
	for name, c := range states(t) {
		page := render(t, c)
		for _, tag := range kept.FindAllString(page, -1) {
			code := strings.HasPrefix(tag, "<code") || strings.Contains(tag, `"recovery-codes"`)
			if code && !strings.Contains(tag, `translate="no"`) {
				t.Errorf("%s: %s", name, tag)
			}
		}
		if at := address.FindString(element.ReplaceAllString(page, "<>")); at != "" {
			t.Errorf("%s: %s", name, at)
		}
	}
}

// TestPostedFormsAreOfTwoKinds looks for forms that would go without the handle of the
// session that they are shown to.
func TestPostedFormsAreOfTwoKinds(t *testing.T) {
	files, err := filepath.Glob("*.templ")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found += strings.Count(string(text), `method="post"`)
	}
	if found != 2 {
		t.Errorf("%d forms post; cardForm and postForm are to be the only ones", found)
	}
}

// passkeyCard has a passkey of each kind; the name of one is refused.
func passkeyCard() PasskeyCard {
	return PasskeyCard{
		Rows: []Passkey{
			{Handle: "aaa", Name: "iCloud Keychain", AddedAt: madeA, UsedAt: now, Synced: true},
			{Handle: "bbb", Name: "Blue <key>", AddedAt: madeA},
			{Handle: "ccc", Name: "Old laptop", AddedAt: madeA, UsedAt: now, MadeFor: "old.example.org"},
		},
		Rename:   "bbb",
		Renaming: Field{Error: FieldErrorText(account.FieldError{Field: "name", Reason: account.Missing})},
	}
}

// TestComponentsAreNotInlined holds that components which others use say go:noinline: Go
// would copy the whole of an inlined component into each of its callers, which was 1.8 MB
// of the program.
func TestComponentsAreNotInlined(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.templ")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	begins := regexp.MustCompile(`(?m)^(.*)\ntempl [a-z]`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range begins.FindAllStringSubmatch(string(text), -1) {
			if found[1] != "//go:noinline" {
				t.Errorf("%s: no //go:noinline after %q", file, found[1])
			}
		}
	}
}
