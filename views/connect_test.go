package views

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"gatehouse/apps"
	"gatehouse/openid"
)

// TestConnectedDocument holds the document about connected apps beside what the page of an app prints: each template
// has its section there, with its addresses and the names of its settings.
func TestConnectedDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/apps/connected.md")
	if err != nil {
		t.Fatal(err)
	}
	_, sections, _ := strings.Cut(string(text), "\n## What is worth knowing")
	name := regexp.MustCompile(`(?m)--[a-z][a-z-]+|^ *[A-Za-z][A-Za-z0-9_]+(?:=|:)|"[A-Za-z_]{5,}":`)
	for _, template := range apps.Templates {
		t.Run(template.Name, func(t *testing.T) {
			section := regexp.MustCompile(`(?ms)^## [^\n]*` + regexp.QuoteMeta(template.Name) + `.*?(?:^## |\z)`).FindString(sections)
			if section == "" {
				t.Fatal("it has no section")
			}
			for _, path := range template.Paths {
				if !strings.Contains(section, path) {
					t.Errorf("it does not name %s", path)
				}
			}
			_, settings, block := Connect{
				Template: template, Algorithm: openid.RS256, ClientID: "CLIENT-ID", Secret: "SECRET", Issuer: "https://gate.example.org",
			}.paste()
			for _, one := range settings {
				if !strings.Contains(strings.ToLower(strings.ReplaceAll(section, "\n", " ")), strings.ToLower(one.where)) {
					t.Errorf("it does not name %q", one.where)
				}
			}
			for _, found := range name.FindAllString(block, -1) {
				key := strings.Trim(found, ` =:"`)
				if rest, ok := strings.CutPrefix(key, "GF_AUTH_GENERIC_OAUTH_"); ok {
					key = "\n" + strings.ToLower(rest) + " ="
				}
				if key == "GF_SERVER_ROOT_URL" {
					key = "root_url"
				}
				if !strings.Contains(section, key) {
					t.Errorf("it does not name %q", key)
				}
			}
		})
	}
}
