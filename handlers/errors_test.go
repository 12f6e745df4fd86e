package handlers_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// hangingUp is the context of a request whose sender hangs up when the server has
// looked at it a number of times.
type hangingUp struct {
	context.Context
	hangUp context.CancelFunc

	mu   sync.Mutex
	left int
}

func (c *hangingUp) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left < 0 {
		c.hangUp()
	}
	return c.Context.Err()
}

// TestClientsThatHangUpAreNoError hangs up at every moment of a request: nothing is in the
// log that an operator would have to look into.
func TestClientsThatHangUpAreNoError(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.SuperAdmin)
	b := s.signedIn("ada@example.org")
	for _, request := range []string{
		"GET /my", "GET /my/profile", "GET /admin/people", "GET /admin/activity", "GET /admin/activity.csv",
		"GET /healthz", "GET /signin", "GET /nowhere",
		"POST /signin", "POST /admin/settings/general", "POST /my/profile/two-factor/enable",
	} {
		t.Run(request, func(t *testing.T) {
			for looks := range 30 {
				method, path, _ := strings.Cut(request, " ")
				form := "email=ada@example.org&password=" + strings.ReplaceAll(dbtest.Password, " ", "+") +
					"&workspace=Acme"
				r := httptest.NewRequest(method, path, strings.NewReader(form))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				c := &hangingUp{left: looks}
				c.Context, c.hangUp = context.WithCancel(ctx)
				s.log.Reset()
				func() {
					defer func() { _ = recover() }() // a download is cut off
					b.send(r.WithContext(c))
				}()
				c.hangUp()
				if log := s.log.String(); strings.Contains(log, "level=ERROR") {
					t.Fatalf("after %d looks: %s", looks, log)
				}
			}
		})
	}
}

// TestFaultsAreLoggedAfterAHangUp breaks the database before the sender
// hangs up.
func TestFaultsAreLoggedAfterAHangUp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.SuperAdmin)
	b := s.signedIn("ada@example.org")
	execRaw(t, s.dir, `ALTER TABLE session RENAME TO elsewhere`)
	c := &hangingUp{left: 1}
	c.Context, c.hangUp = context.WithCancel(ctx)
	b.send(httptest.NewRequest("GET", "/my", nil).WithContext(c))
	if log := s.log.String(); !strings.Contains(log, "level=ERROR") {
		t.Errorf("nothing tells of the fault: %s", log)
	}
}

func TestErrorsKeepTheCardWithHTMX(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b := s.signedIn("ada@example.org")
	b.htmx = true
	a := b.post("/admin/settings/general", "workspace", "Mine").wantStatus(403, "You don't have permission").
		wantNot("<html", "problem-title")
	if target, swap := a.header.Get("HX-Retarget"), a.header.Get("HX-Reswap"); target != "#fault" ||
		swap != "innerHTML" {
		t.Errorf("goes to %q by %q", target, swap)
	}
	b.htmx = false
	if a := b.post("/admin/settings/general", "workspace", "Mine").
		wantStatus(403, "<html", "problem-title"); a.header.Get("HX-Retarget") != "" {
		t.Error("a whole page goes to a part of one")
	}
}

func TestSidebarShowsTheNewName(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.SuperAdmin)
	b := s.signedIn("ada@example.org")
	b.htmx = true
	b.post("/admin/settings/general", "workspace", "Harbour").
		wantStatus(200, `data-hx-swap-oob="true"`, `<span class="brand__name" translate="no">Harbour</span>`,
			"<title>General settings · Harbour</title>")
	b.post("/admin/settings/general", "workspace", "").wantStatus(422).wantNot("data-hx-swap-oob", "<title>")
}
