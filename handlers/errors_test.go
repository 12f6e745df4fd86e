package handlers_test

import (
	"testing"

	"gatehouse/twofactor"
)

func TestAProblemLeavesTheCardOfHTMXInItsPlace(t *testing.T) {
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b := s.signedIn("ada@example.org")
	b.htmx = true
	a := b.post("/admin/settings/general", "workspace", "Mine").is(403, "Not for your role").lacks("<html", "problem-title")
	if target, swap := a.header.Get("HX-Retarget"), a.header.Get("HX-Reswap"); target != "#fault" || swap != "innerHTML" {
		t.Errorf("goes to %q by %q", target, swap)
	}
	b.htmx = false
	if a := b.post("/admin/settings/general", "workspace", "Mine").is(403, "<html", "problem-title"); a.header.Get("HX-Retarget") != "" {
		t.Error("a whole page goes to a part of one")
	}
}

func TestTheSidebarShowsTheNewName(t *testing.T) {
	s := newSite(t)
	s.add("ada@example.org", twofactor.SuperAdmin)
	b := s.signedIn("ada@example.org")
	b.htmx = true
	b.post("/admin/settings/general", "workspace", "Harbour").is(200, `data-hx-swap-oob="true"`, `<span class="brand__name">Harbour</span>`, "<title>General settings · Harbour</title>")
	b.post("/admin/settings/general", "workspace", "").is(422).lacks("data-hx-swap-oob", "<title>")
}
