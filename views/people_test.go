package views

import (
	"strings"
	"testing"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/twofactor"

	"github.com/a-h/templ"
)

// Who did what in the pages that are shown.
var (
	root  = account.Party{Kind: account.ActorMachine, Name: "os:root"}
	ada   = account.Party{Kind: account.ActorPerson, ID: 1, Name: "Ada Lovelace", Email: "ada@example.org"}
	alan  = account.Party{Kind: account.ActorPerson, ID: 2, Name: "Alan Turing", Email: "alan@example.org"}
	grace = account.Party{Kind: account.ActorPerson, ID: 3, Name: "Grace Hopper", Email: "grace@example.org"}
)

func people() []Person {
	return []Person{
		{
			ID:           1,
			Name:         "Ada Lovelace",
			Email:        "ada@example.org",
			Role:         twofactor.SuperAdmin,
			Active:       true,
			LastSignInAt: now,
			ConfirmedAt:  madeA,
			CodesLeft:    5,
		},
		{ID: 2, Name: "Alan <Turing>", Email: "alan@example.org", Role: twofactor.Member, Active: true, Invited: true},
		{ID: 3, Name: "Grace", Email: "grace@example.org", Role: twofactor.ITAdministrator, LastSignInAt: madeA},
	}
}

func peoplePage() templ.Component {
	return PeoplePage(frame(admin, "/admin/people"), People{Rows: people(), Pagination: Pagination{
		First: "/admin/people",
		Next:  "/admin/people?after=3",
	},
		Invite: Invite{Roles: twofactor.Roles}, Link: OneTimeLink{
			URL:    "https://portal.example.org/welcome/abc",
			Kind:   "invitation",
			Name:   "Alan",
			Email:  "alan@example.org",
			EndsAt: now,
		}})
}

func personDetail() PersonDetail {
	p := people()[0]
	p.ID, p.Name = 2, "Alan Turing"
	p.UserName = "alan"
	return PersonDetail{Person: p, AddedAt: madeA, Apps: PersonApps{
		Groups: []apps.Group{{ID: 7, Name: "ops"}},
		Any:    true,
		Names:  []string{"Grafana"},
	}, LinkKind: "password", LinkUntil: now, Sessions: 2,
		Rights: account.Rights{
			Edit:   true,
			Manage: true,
			Roles:  twofactor.Roles,
		},
		Edit: Edit{
			Name: Field{Value: p.Name},
			Email: Field{
				Value: "alan",
				Error: FieldErrorText(account.FieldError{Field: "email", Reason: account.NotEmail}),
			},
			Role: Field{Value: "member"},
		}, Success: PersonDone("unlock")}
}

func activityPage() templ.Component {
	return ActivityPage(frame(admin, "/admin/activity"),
		Activity{Events: []account.Event{account.SignInFailed}, Export: "/admin/activity.csv",
			Pagination: Pagination{Next: "/admin/activity?after=1"},
			Rows: []ActivityRow{
				{
					At:      now,
					Event:   "authn_login_fail",
					Text:    EventText("authn_login_fail", false, "password", ""),
					Actor:   account.Party{Kind: account.ActorStranger, Name: "unknown:0123456789abcdef"},
					Address: "192.0.2.4",
				},
				{
					At:    now,
					Event: "sys_policy_changed",
					Text:  EventText("sys_policy_changed", true, "", "everyone off, admins on"),
					OK:    true,
					Actor: root,
				},
				{
					At:      madeA,
					Event:   "authn_factor_reset",
					Text:    EventText("authn_factor_reset", true, "", ""),
					OK:      true,
					Actor:   ada,
					Subject: alan,
				},
			}})
}

func TestEveryOutcomeHasASentence(t *testing.T) {
	for _, verb := range []string{"edit", "deactivate", "reactivate", "sessions/end", "two-factor/reset", "unlock"} {
		if PersonDone(verb).IsZero() {
			t.Errorf("%s has no words", verb)
		}
	}
}

func TestNamesAreEscaped(t *testing.T) {
	if page := render(t, peoplePage()); strings.Contains(page, "<Turing>") {
		t.Error("a name became markup")
	}
}

func TestPagesShowTheUnicodeFormOfAnAddress(t *testing.T) {
	visitor := admin
	visitor.Email = "ada@xn--bcher-kva.example"
	person := people()[0]
	person.Email = visitor.Email
	for name, c := range map[string]templ.Component{
		"people":    PeoplePage(frame(member, "/admin/people"), People{Rows: []Person{person}}),
		"person":    PersonCards(PersonDetail{Person: person}),
		"profile":   ProfilePage(frame(visitor, "/my/profile"), Profile{}),
		"challenge": ChallengeCard(Challenge{Email: visitor.Email}),
		"welcome":   WelcomeCard(Welcome{Token: "x", Kind: "password", Email: visitor.Email}),
	} {
		if page := render(t, c); !strings.Contains(page, ">ada@bücher.example<") {
			t.Errorf("%s does not show it", name)
		}
	}
}
