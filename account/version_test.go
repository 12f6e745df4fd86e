package account_test

import (
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

func TestVersions(t *testing.T) {
	versions := map[account.Version]string{}
	for name, version := range map[string]account.Version{
		"a policy that is off":     account.PolicyVersion(twofactor.Policy{}),
		"a policy for everyone":    account.PolicyVersion(twofactor.Policy{Everyone: true}),
		"a policy for admins":      account.PolicyVersion(twofactor.Policy{Admins: true}),
		"a person":                 account.PersonVersion("A", "b", "c", twofactor.Member),
		"another name and address": account.PersonVersion("A\" \"b", "", "c", twofactor.Member),
		"another role":             account.PersonVersion("A", "b", "c", twofactor.SuperAdmin),
		"a workspace":              account.WorkspaceVersion("A"),
		"lengths of sessions":      account.SessionLengthsVersion(account.DefaultSessionLengths),
		"other lengths":            account.SessionLengthsVersion(account.SessionLengths{Idle: 24 * time.Hour, Max: time.Hour}),
	} {
		if other, twice := versions[version]; twice {
			t.Errorf("%s and %s have one version", name, other)
		}
		versions[version] = name
	}
}

func TestSeen(t *testing.T) {
	now := account.PolicyVersion(twofactor.Policy{Everyone: true})
	seen := account.Seen{Version: now, At: time.Date(2030, 3, 17, 17, 46, 40, 0, time.UTC)}
	text := seen.String()
	if got, ok := account.ParseSeen(text); !ok || got != seen {
		t.Errorf("%q reads as %+v, %v", text, got, ok)
	}
	for n := range text {
		if got, ok := account.ParseSeen(text[:n]); ok {
			t.Errorf("%q, cut off, reads as %+v", text[:n], got)
		}
	}
	for _, given := range []string{"+" + text, "0" + text, "-" + text, "0." + string(now)} {
		if got, ok := account.ParseSeen(given); ok {
			t.Errorf("%q, which no form carries, reads as %+v", given, got)
		}
	}
	if seen.Outdated(now) || !seen.Outdated(account.PolicyVersion(twofactor.Policy{})) {
		t.Error("a form is outdated when it showed something else, and only then")
	}
	if (account.Seen{}).Outdated(now) {
		t.Error("a form that does not say what it showed is never outdated")
	}
}
