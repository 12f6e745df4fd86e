package apps

import (
	"strings"
	"testing"

	"gatehouse/account"
	"gatehouse/twofactor"
)

func TestParseGroupName(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{"ops": "ops", " Ops ": "ops", "dev.ops_2-x": "dev.ops_2-x", "7": "7"} {
		if got, err := ParseGroupName(typed); err != nil || got != want {
			t.Errorf("%q gives %q, %v", typed, got, err)
		}
	}
	refused := map[string]account.Reason{
		"": account.Missing, "a b": account.NotPlainName, "a,b": account.NotPlainName, "größe": account.NotPlainName,
		"-rf": account.NotPlainName, ".": account.NotPlainName, "Admins": account.Reserved,
		strings.Repeat("a", 65): account.TooLong,
	}
	for _, role := range twofactor.Roles {
		refused[string(role)] = account.Reserved
	}
	for typed, want := range refused {
		if got, err := ParseGroupName(typed); reasonOf(t, "name", err) != want {
			t.Errorf("%q gives %q, %v; want %s", typed, got, err, want)
		}
	}
}

func TestHeaderGroups(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		role   twofactor.Role
		groups []string
		want   string
	}{
		{twofactor.Member, nil, "member"},
		{twofactor.Member, []string{"ops", "crew"}, "member,crew,ops"},
		{twofactor.ITAdministrator, []string{"crew"}, "it-administrator,admins,crew"},
	} {
		if got := strings.Join(HeaderGroups(c.role, c.groups), ","); got != c.want {
			t.Errorf("%s gives %q, want %q", c.role, got, c.want)
		}
	}
}

func TestSlugAndMark(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		"Grafana":                 {"grafana", "G"},
		"Paperless-ngx":           {"paperless-ngx", "PN"},
		"Home Assistant Green":    {"home-assistant-green", "HA"},
		"O'Hara's Wiki":           {"oharas-wiki", "OW"},
		"Übersicht":               {"ubersicht", "Ü"},
		"Вики":                    {"app", "В"},
		"3D print":                {"3d-print", "3P"},
		"***":                     {"app", "•"},
		strings.Repeat("ab ", 40): {strings.TrimRight(strings.Repeat("ab-", 14)[:40], "-"), "AA"},
	} {
		mark, err := ParseMark("", name)
		if slug := Slug(name); slug != want[0] || mark != want[1] || err != nil {
			t.Errorf("%q gives %q and %q, %v; want %q", name, slug, mark, err, want)
		}
	}
	for typed, want := range map[string]string{"g": "G", " gf ": "GF", "山田": "山田", "7": "7"} {
		if got, err := ParseMark(typed, "X"); err != nil || got != want {
			t.Errorf("%q gives %q, %v", typed, got, err)
		}
	}
	for typed, want := range map[string]account.Reason{"abc": account.TooLong, "<b": account.NotLetters,
		"\u202ea": account.NotLetters} {
		if got, err := ParseMark(typed, "X"); reasonOf(t, "mark", err) != want {
			t.Errorf("%q gives %q, %v; want %s", typed, got, err, want)
		}
	}
}
