package views

import (
	"regexp"
	"testing"
	"time"

	"gatehouse/account"
)

// TestEveryEventHasASentence walks the table of events: each has its own words in the
// filter and in the list, and what people are told at their next sign-in a sentence.
func TestEveryEventHasASentence(t *testing.T) {
	seen := map[string]account.Event{}
	options := eventOptions(account.Events())[1:]
	for i, event := range account.Events() {
		text := EventText(event, true, "", "")
		if text == "" || text == string(event) || options[i][1] == "" {
			t.Errorf("%s is worded %q, %q", event, text, options[i][1])
		}
		if other, taken := seen[options[i][1]]; taken {
			t.Errorf("%s and %s are both %q", event, other, options[i][1])
		}
		seen[options[i][1]] = event
	}
	for _, event := range append(account.EventsShownAtSignIn(), account.SignInFailed, account.SignedIn) {
		if AccountEventText(event, 1, time.Unix(0, 0), account.Party{}) == (Dated{}) {
			t.Errorf("nothing is told of %s", event)
		}
	}
	for _, method := range account.Methods {
		if methods[method] == "" {
			t.Errorf("%s has no words", method)
		}
	}
	for _, event := range account.NoticeEvents() {
		if workspaceActs[event] == nil && personActs[event] == nil && anybodysActs[event] == nil {
			t.Errorf("%s has no sentence for a notice", event)
		}
	}
	if n := len(workspaceActs) + len(personActs) + len(anybodysActs); n != len(account.NoticeEvents()) {
		t.Errorf("%d sentences for notices, there are %d", n, len(account.NoticeEvents()))
	}
	if len(events) != len(account.Events()) {
		t.Errorf("%d events have words, there are %d", len(events), len(account.Events()))
	}
}

// TestParties names everybody in a list and in a sentence: people of one name can be
// told apart, and nobody can pass for the machine by a name.
func TestParties(t *testing.T) {
	person := func(id int64, name, email string) account.Party {
		return account.Party{Kind: account.ActorPerson, ID: id, Name: name, Email: email}
	}
	for _, c := range []struct {
		party          account.Party
		list, sentence string
	}{
		{person(1, "Kim Lee", "kim@example.org"), "Kim Lee", "Kim Lee (kim@example.org)"},
		{person(2, "Kim Lee", "lee@example.org"), "Kim Lee", "Kim Lee (lee@example.org)"},
		{person(3, "os:root", "eve@example.org"), "os:root", "os:root (eve@example.org)"},
		{person(4, "unknown:0123456789", "mal@example.org"), "unknown:0123456789",
			"unknown:0123456789 (mal@example.org)"},
		{person(5, "", ""), "Removed account #5", "removed account #5"},
		{account.Party{Kind: account.ActorMachine, Name: "os:root"}, "root on the machine", "root on the machine"},
		{account.Party{
			Kind: account.ActorStranger,
			Name: "unknown:0123456789",
		}, "Unknown name 01234567", "Unknown name 01234567"},
		{account.Party{Kind: account.ActorStranger}, "—", "—"},
		{account.Party{}, "—", "—"},
	} {
		if got := partyName(c.party); got != c.list {
			t.Errorf("%+v in a list: %q, want %q", c.party, got, c.list)
		}
		if got := partyText(c.party); got != c.sentence {
			t.Errorf("%+v in a sentence: %q, want %q", c.party, got, c.sentence)
		}
	}
}

// TestBreakGlass has the sentence of each kind of act on the machine.
func TestBreakGlass(t *testing.T) {
	at := time.Date(2026, 11, 26, 14, 5, 0, 0, time.UTC)
	root := account.Party{Kind: account.ActorMachine, Name: "os:root"}
	kim := account.Party{Kind: account.ActorPerson, ID: 7, Name: "Kim Lee", Email: "kim@example.org"}
	for _, c := range []struct {
		event  account.Event
		about  account.Party
		detail string
		want   string
	}{
		{account.PersonAdded, kim, "it-administrator", "Kim Lee (kim@example.org) was added as IT administrator"},
		{account.RoleChanged, kim, "member to super-administrator",
			"The role of Kim Lee (kim@example.org) was changed from Member to Super-administrator"},
		{account.PasswordChanged, kim, "", "The password of Kim Lee (kim@example.org) was set"},
		{account.PersonDeactivated, kim, "", "The account of Kim Lee (kim@example.org) was deactivated"},
		{account.PersonReactivated, kim, "", "The account of Kim Lee (kim@example.org) was reactivated"},
		{account.PersonUnlocked, kim, "", "Failed attempts of Kim Lee (kim@example.org) were cleared"},
		{account.PersonRemoved, account.Party{
			Kind: account.ActorPerson,
			ID:   7,
		}, "administrator", "Account #7 (Administrator) was removed"},
		{account.FactorReset, kim, "", "Two-factor authentication of Kim Lee (kim@example.org) was reset"},
		{account.PolicyChanged, account.Party{}, "everyone off, admins on",
			"The two-factor policy was set to everyone off, admins on"},
		{account.WorkspaceRestored, account.Party{}, "", "The workspace was restored from a backup"},
		{account.ActivityPruned, account.Party{}, "before 2026-01-01, 12 rows",
			"Activity was deleted (before 2026-01-01, 12 rows)"},
		{account.KeyRotated, account.Party{}, "", "The encryption key was replaced"},
	} {
		page := render(t, dated(BreakGlass(c.event, root, c.about, c.detail, at)))
		got := regexp.MustCompile(`<[^>]+>`).ReplaceAllString(page, "")
		if want := c.want + " on the machine by root, 26 Nov 2026, 14:05 UTC."; got != want {
			t.Errorf("%s: %q, want %q", c.event, got, want)
		}
	}
}
