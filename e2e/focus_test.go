package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestFocusAfterAnAct does what there is to do on People, a person's page, My profile, the settings
// and Activity. After each answer
// the focus is on what it tells, or on the field that it is about, and on the screen; where htmx
// swaps, a live region that was there
// before has the words.
func TestFocusAfterAnAct(t *testing.T) {
	for _, script := range []bool{true, false} {
		t.Run(mode(script), func(t *testing.T) {
			t.Parallel()
			w := &walkthrough{t: t, site: startSite(t), script: script, ledger: newLedger()}
			w.site.addPerson(sue, "super-administrator")
			w.site.addPerson(mia, "member")
			b := w.open()
			w.signIn(b, sue)
			w.focusOnPeople(b)
			w.focusOnAPerson(b)
			w.focusOnSettings(b)
			w.focusOnProfile(b)
			b.Visit("/admin/activity")
			b.Fill("person", "nobody@example.org")
			b.Click("Filter")
			w.focused(b, "Person (e-mail)")
		})
	}
}

func (w *walkthrough) focusOnPeople(b *tab) {
	b.Visit("/admin/people")
	b.Click("Invite somebody")
	b.Fill("name", "Grace Hopper", "main")
	b.Fill("email", mia.email, "main")
	w.act(b, "Make invitation link", "form", "E-mail address", "Another account already uses this e-mail address.")
	b.Fill("email", "grace@example.org", "main")
	w.act(b, "Make invitation link", "form", "Invitation link — shown ONCE", "Invitation link — shown ONCE")
}

func (w *walkthrough) focusOnAPerson(b *tab) {
	b.Visit("/admin/people")
	b.Click(mia.name, "main")
	w.act(b, "Make a password link", "form", "Password link — shown ONCE", "Password link — shown ONCE")
	w.act(b, "Unlock", "form", "", "The account is unlocked.")
	w.act(b, "End sessions", "form", "", "All sessions have ended.")
	b.Fill("email", sue.email, "#person")
	w.act(b, savePolicy, "#person", "E-mail address", "Another account already uses this e-mail address.")
	b.Fill("email", mia.email, "#person")
	b.Fill("name", "Mia Two", "#person")
	w.act(b, savePolicy, "#person", "", "The changes are saved.")
	b.Click("Deactivate the account")
	w.act(b, "Deactivate", "form", "", "The account is deactivated.")
	w.act(b, "Reactivate", "form", "", "The account is active again.")
}

func (w *walkthrough) focusOnSettings(b *tab) {
	b.Visit("/admin/settings/security")
	b.Tick("require_everyone", false)
	w.act(b, savePolicy, "form", "Require two-factor authentication", "The policy is saved.")
	b.Visit("/admin/settings/general")
	b.Fill("workspace", " ")
	w.act(b, savePolicy, "form", "Name of the workspace", "Enter a name for the workspace.")
	b.Fill("workspace", "Harbour")
	w.act(b, savePolicy, "form", "Workspace", "The name is saved.")
}

func (w *walkthrough) focusOnProfile(b *tab) {
	other := w.open()
	w.signIn(other, sue)
	b.Visit("/my/profile")
	b.Click("End all others", "form")
	w.focused(b, "All your other sessions have ended.")
	b.Fill("current_password", "not this one")
	b.Fill("new_password", "violet kettle harbour")
	b.Click("Change password", "form")
	w.focused(b, "Current password")
	b.Fill("current_password", sue.password)
	b.Fill("new_password", "violet kettle harbour")
	b.Click("Change password", "form")
	w.focused(b, "Your password is changed.")
}

// act clicks a button and demands where the focus is then ("" for the message itself), and that the
// words are announced.
func (w *walkthrough) act(b *tab, button, within, focus, words string) {
	w.t.Helper()
	evaluate[any](b, `() => { window.live = [...document.querySelectorAll("body > [aria-live]")] }`)
	b.Click(button, within)
	b.WaitFor(words)
	if focus == "" {
		focus = words
	}
	w.focused(b, focus)
	if !w.script {
		return
	}
	err := poll(timeout, func() error {
		output := evaluate[string](b,
			`() => window.live ? window.live.filter(e => e.isConnected).map(e => e.textContent).join(" ") : "the page is another"`)
		if !strings.Contains(output, words) {
			return fmt.Errorf("the live region that was there says %q", output)
		}
		return nil
	})
	if err != nil {
		b.fail("%q is not announced: %v", words, err)
	}
	if seen := evaluate[float64](b,
		`() => Math.max(...window.live.map(e => e.getBoundingClientRect().width))`); seen > 1 {
		b.fail("what is announced can be seen, %v pixels wide", seen)
	}
}

// focused demands that the focus is on what begins with these words, and is on the screen.
func (w *walkthrough) focused(b *tab, words string) {
	w.t.Helper()
	k := keyboard{b}
	var got focus
	err := poll(timeout, func() error {
		if got = k.focus(); !strings.HasPrefix(got.Name, words) {
			return fmt.Errorf("the focus is on %q", got.Name)
		}
		if got.Problem != "" && got.Problem != "it has no ring" { // after a click with the mouse it needs none
			return errors.New(got.Problem)
		}
		return nil
	})
	if err != nil {
		b.fail("the focus is not on %q: %v", words, err)
	}
}
