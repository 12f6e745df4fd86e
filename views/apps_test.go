package views

import (
	"strings"
	"testing"

	"gatehouse/apps"
	"gatehouse/openid"
	"gatehouse/twofactor"
)

func anApp() apps.App {
	return apps.App{
		ID:      7,
		Slug:    "grafana",
		Name:    "Grafana",
		Mark:    "G",
		Address: apps.Address{Scheme: "https", Host: "grafana.example.org"},
		Guarded: true,
		Access: apps.Access{
			Roles:        []twofactor.Role{twofactor.Administrator},
			Groups:       []apps.Group{{ID: 7, Name: "ops"}},
			People:       []apps.Named{{ID: 1, Name: "Ada <Lovelace>", Email: "ada@example.org"}},
			SecondStep:   true,
			FreshMinutes: 90,
		},
	}
}

func appDetail() AppDetail {
	a := anApp()
	return AppDetail{
		App:    a,
		Portal: "https://portal.example.org/enter/grafana",
		Access: AppAccess{Roles: a.Access.Roles, Groups: append(a.Access.Groups, apps.Group{ID: 8, Name: "crew"}),
			Ticked: []string{"ops"}, People: a.Access.People, SecondStep: true, Fresh: "90"},
		SeenAccess: "1.abc",
		Edit: AppEdit{Name: Field{Value: a.Name}, Address: Field{Value: a.Address.String()}, Mark: Field{Value: a.Mark},
			Seen: "1.abc"},
		Guard:   guardState(),
		Connect: connectState(),
	}
}

func guardState() GuardCard {
	a := anApp()
	a.Guarded = true
	return GuardCard{
		App: a, Gatehouse: "127.0.0.1:8080", On: true, Public: Field{Value: "/health"}, RemoteUser: apps.ByUserName,
		Seen: "1.abc", Found: true, Watching: true,
		Request: GuardRequest{Peer: "10.0.0.5", Family: apps.Forwarded, Method: "GET", Address: "https://grafana.example.org/", Status: 200},
	}
}

func connectState() Connect {
	return Connect{
		App: 1, Connected: true, Known: true, Issuer: "https://portal.example.org", ClientID: "abcdefgh2345",
		SecretMadeAt: now, TwoSecrets: true, On: true, Kind: openid.Web, Algorithm: openid.RS256, PKCE: true, Ours: true,
		Address:  apps.Address{Scheme: "https", Host: "grafana.example.org"},
		Redirect: Field{Value: "https://grafana.example.org/login/generic_oauth"}, Seen: "1.abc",
	}
}

// TestEveryTemplateSaysWhatToPaste walks the templates: each says where to put what, with the
// app's id and secret and this workspace's address in it.
func TestEveryTemplateSaysWhatToPaste(t *testing.T) {
	for _, template := range append(apps.Templates, apps.Template{}) {
		c := connectState()
		c.Template, c.Secret = template, "the-secret"
		place, settings, block := c.paste()
		for _, s := range settings {
			block += s.what + "\n"
		}
		for _, want := range []string{c.ClientID, c.Secret, c.Issuer} {
			if !strings.Contains(block, want) {
				t.Errorf("%s: no %s in\n%s", template.Key, want, block)
			}
		}
		if place == "" || template.Key != "" && strings.HasPrefix(place, "Copy these") {
			t.Errorf("%s says %q", template.Key, place)
		}
	}
}

func launcherState() Launcher {
	return Launcher{
		Many: true,
		Gone: []string{"Wiki <b>"},
		Tiles: []Tile{
			{AppMark: MarkOf(anApp()), Slug: "grafana", Host: "grafana.example.org", Locked: true},
			{AppMark: AppMark{ID: 8, Name: "Jellyfin <b>", Mark: "J", Icon: "abc"}, Slug: "jellyfin", Host: "films.example.org",
				IsNew: true},
			{AppMark: AppMark{ID: 9, Name: "Paperless", Mark: "P"}, Slug: "paperless", Host: "paper.example.org", Paused: true},
		},
	}
}

// TestEveryRuleHasItsSentences walks the rules that decide who may open an app: each reads
// something whether it is met or not, and what would change it where it is not.
func TestEveryRuleHasItsSentences(t *testing.T) {
	for _, kind := range apps.RuleKinds {
		r := apps.Rule{Kind: kind, Role: twofactor.Member, Group: apps.Group{Name: "ops"}, Minutes: 60}
		text, change := RuleText(r, "Ada")
		if !strings.HasSuffix(text, ".") || kind != apps.RuleEveryone && !strings.HasSuffix(change, ".") {
			t.Errorf("%s, not met: %q, %q", kind, text, change)
		}
		r.Met = true
		if met, change := RuleText(r, "Ada"); !strings.HasSuffix(met, ".") ||
			met == text && kind != apps.RuleEveryone && kind != apps.RuleFresh && kind != apps.RuleAccepted && kind != apps.RuleNobody ||
			change != "" && change == text {
			t.Errorf("%s, met: %q, %q", kind, met, change)
		}
	}
}

func TestWhyTitle(t *testing.T) {
	alan := apps.Person{ID: 2, Role: twofactor.Member, Active: true}
	for _, c := range []struct {
		app  apps.App
		want string
	}{
		{anApp(), "Alan cannot open Grafana"},
		{apps.App{Access: apps.Access{Everyone: true, SecondStep: true}}, "Alan can open Grafana after setting up two-factor"},
		{apps.App{Access: apps.Access{Everyone: true, FreshMinutes: 5}}, "Alan can open Grafana"},
	} {
		if got := WhyTitle(c.app.Explain(alan, twofactor.Policy{}), "Alan", "Grafana"); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestAccessText(t *testing.T) {
	for want, access := range map[string]apps.Access{
		"Everyone":                            {Everyone: true, Roles: []twofactor.Role{twofactor.Member}},
		"Nobody":                              {},
		"Administrators, ops, Ada <Lovelace>": anApp().Access,
		"4 people":                            {People: make([]apps.Named, 4)},
	} {
		if got := accessText(access); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := askedText(anApp().Access); got != "two-factor, a password from the last 90 minutes" {
		t.Errorf("got %q", got)
	}
}
