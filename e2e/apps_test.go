package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// drawing is an icon, wide and yellow.
const drawing = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="5" fill="#fbbf24"/>` +
	`<path d="M6 17V7h4l4 5 4-5v10" fill="none" stroke="#78350f" stroke-width="2"/></svg>`

// fillApps adds what a small team has.
func (s *site) fillApps() {
	s.t.Helper()
	icon := filepath.Join(s.t.TempDir(), "icon.svg")
	if err := os.WriteFile(icon, []byte(drawing), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.run("", "group", "add", "editors")
	s.run("", "group", "members", "editors", "--add", mia.email)
	for _, app := range [][]string{
		{"Grafana", "grafana.example.org", "--guard", "--role", "administrator", "--role", "super-administrator", "--second-step"},
		{"Paperless-ngx", "paper.example.org", "--guard", "--everyone"},
		{"Jellyfin", "films.example.org", "--everyone", "--connect"},
		{"Wiki of the whole workspace, with a long name", "the-wiki-of-the-whole-workspace.example.org", "--everyone", "--guard"},
		{"Nextcloud", "cloud.example.org", "--everyone", "--connect"},
		{"Home Assistant", "home.example.org", "--everyone", "--guard"},
		{"Vaultwarden", "vault.example.org", "--everyone", "--guard", "--second-step", "--fresh", "15m"},
		{"Miniflux", "news.example.org", "--group", "editors", "--guard", "--icon", icon},
		{"Immich", "photos.example.org", "--everyone", "--connect"},
	} {
		s.run("", append([]string{"app", "add"}, app...)...)
	}
	s.run("", "app", "pause", "Immich")
}

// TestPagesOfApps looks at the pages of apps and groups in every state, as TestPages does.
func TestPagesOfApps(t *testing.T) {
	s := startSite(t)
	g := &gallery{
		t:      t,
		site:   s,
		axe:    readTool(t, "node_modules/axe-core/axe.min.js"),
		folder: os.Getenv("GATEHOUSE_SCREENS"),
		html:   t.TempDir(),
	}
	w := &walkthrough{t: t, site: s, script: true, ledger: newLedger()}
	s.addPerson(sue, "super-administrator")
	s.addPerson(mia, "member")
	b, member := w.open(), w.open()
	w.signIn(b, sue)
	w.signIn(member, mia)
	g.look(member, "home-no-apps")
	b.Visit("/my")
	g.look(b, "home-first-app")
	g.addsTheFirstApp(b)
	s.fillApps()
	member.Visit("/my")
	g.look(member, "home-apps")
	member.Visit("/my/profile/apps")
	g.look(member, "own-apps-none")
	g.adminsApps(b)
	g.groups(b)
	s.run("", "app", "remove", "Miniflux", "--yes")
	for i := range 8 {
		s.run("", "app", "add", fmt.Sprintf("Tool %d", i), fmt.Sprintf("tool%d.example.org", i), "--everyone", "--guard")
	}
	member.Visit("/my")
	g.look(member, "home-many-apps")
	member.Fill("q", "tool 7")
	member.Click("Search", "form")
	if tiles := member.Texts(".tile"); len(tiles) != 1 || !strings.HasPrefix(tiles[0], "Tool 7") && !strings.Contains(tiles[0], "Tool 7") {
		t.Errorf("the search finds %q", tiles)
	}
	g.look(member, "home-search")
	b.Visit("/my/profile/apps")
	g.stage(b, "own-apps")
	g.validate()
}

// addsTheFirstApp goes from the empty portal to the page of an app.
func (g *gallery) addsTheFirstApp(b *tab) {
	b.Click("Add the first app", "main")
	g.look(b, "app-new")
	b.Fill("name", "Mealie", "main")
	b.Fill("address", "https://example.org/mealie", "main")
	b.Fill("fresh_minutes", "soon", "main")
	b.Click("Add the app", "form")
	b.WaitFor("Enter the address without a path", refusal)
	g.look(b, "app-new-refused")
	b.Fill("address", "mealie.example.org", "main")
	b.Fill("fresh_minutes", "15", "main")
	b.Click("Add the app", "form")
	b.WaitFor("The app is added.", success)
	g.look(b, "app-added")
}

func (g *gallery) adminsApps(b *tab) {
	b.Visit("/admin/apps")
	g.look(b, "apps")
	b.Click("Vaultwarden", "main")
	g.look(b, "app")
	b.Click("Pause", "#app form")
	b.WaitFor("The app is paused.", success)
	b.Click("Name, address and icon")
	g.look(b, "app-paused")
	b.Click("Remove the app")
	b.Click("Remove", "#app form")
	b.WaitFor("This cannot be undone.", refusal)
	g.look(b, "app-remove")
	b.Visit("/admin/apps")
	b.Click("Grafana", "main")
	b.Fill("person", mia.email, "#app-why")
	b.Click("Explain", "form")
	b.WaitFor(mia.name + " cannot open Grafana")
	g.look(b, "app-why")
	b.Click("Go to the page of "+mia.name, "main")
	b.Click("Explain", "form")
	g.look(b, "person-apps")
}

func (g *gallery) groups(b *tab) {
	b.Visit("/admin/groups")
	g.look(b, "groups")
	b.Click("editors", "main")
	g.look(b, "group")
	b.Fill("Add people by e-mail address", "nobody@example.org", "#group")
	b.Click("Save the members", "form")
	b.WaitFor("Nobody here has one of these e-mail addresses.", refusal)
	g.look(b, "group-refused")
}
