package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestKeyboard goes the whole way without a mouse: signing in, enrolling, the recovery codes, the challenge,
// disabling. On each step of the way the focus can be seen, and after each answer it is where the next act is.
func TestKeyboard(t *testing.T) {
	s := startSite(t)
	s.addPerson(mia, "member")
	w := &walkthrough{t: t, site: s, script: true, ledger: newLedger()}
	k := keyboard{w.open()}
	phone, codes := k.enrol(mia)
	codes = k.regenerate(codes)
	k.challenge(mia, phone, codes)
	k.disable(mia)
}

// keyboard is somebody who uses Tab, Enter, Space and what is written.
type keyboard struct{ *tab }

// press presses a key, and waits for the answer when the server is asked for one.
func (k keyboard) press(key string, asks bool) {
	k.t.Helper()
	before := k.traffic.count()
	k.must("press a key", chromedp.Do(k.ctx, chromedp.KeyEvent(key)))
	if asks {
		k.settle("pressing a key", before)
	}
}

const (
	tabKey = "\t"
	enter  = "\r"
	space  = " "
)

// focus is what the focus is on, as it is called, and why it cannot be seen; else "".
type focus struct{ Name, Problem string }

func (k keyboard) focus() focus {
	k.t.Helper()
	return evaluate[focus](k.tab, `() => {
		const e = document.activeElement;
		if (e === document.body) return {};
		const style = getComputedStyle(e), box = e.getBoundingClientRect();
		const words = [...(e.labels || [])].map(label => label.textContent).join(" ") || e.getAttribute("aria-label") || e.innerText || e.tagName;
		const x = box.left + box.width / 2, y = box.top + box.height / 2;
		let problem = "";
		if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) problem = "it has no ring";
		else if (!box.width || !box.height) problem = "it has no size";
		else if (e.id !== "content" && (x < 0 || y < 0 || x > innerWidth || y > innerHeight)) problem = "it is off the screen";
		return {Name: words.replace(/\s+/g, " ").trim(), Problem: problem};
	}`)
}

// requireFocus demands that the focus is on what is called so, and can be seen.
func (k keyboard) requireFocus(name string) {
	k.t.Helper()
	err := poll(timeout, func() error {
		if got := k.focus(); got.Name != name {
			return fmt.Errorf("the focus is on %q", got.Name)
		}
		return nil
	})
	if err != nil {
		k.fail("not at %q: %v", name, err)
	}
	if got := k.focus(); got.Problem != "" {
		k.fail("the focus on %q cannot be seen: %s", name, got.Problem)
	}
}

// tabTo presses Tab until it comes to what is called so. All on the way can be seen.
func (k keyboard) tabTo(name string) {
	k.t.Helper()
	var passed []string
	for range 60 {
		k.press(tabKey, false)
		got := k.focus()
		passed = append(passed, got.Name)
		if got.Problem != "" {
			k.fail("the focus on %q cannot be seen: %s", got.Name, got.Problem)
		}
		if got.Name == name {
			return
		}
	}
	k.fail("Tab does not come to %q, but to %q", name, passed)
}

// write types into what has the focus.
func (k keyboard) write(text string, asks bool) {
	k.t.Helper()
	k.press(text, asks)
}

// announced demands that a screen reader hears these words.
func (k keyboard) announced(words, part string) {
	k.t.Helper()
	k.WaitFor(words, part)
}

// described demands that a screen reader hears these words at what has the focus.
func (k keyboard) described(words string) {
	k.t.Helper()
	const told = `() => (document.activeElement.getAttribute("aria-describedby") || "").split(" ")
		.map(id => document.getElementById(id)).map(e => e && e.checkVisibility() ? e.innerText : "").join(" ")`
	if text := evaluate[string](k.tab, told); !strings.Contains(text, words) {
		k.fail("the field is described as %q, not by %q", text, words)
	}
}

func (k keyboard) signIn(p person) {
	k.Visit("/signin")
	k.requireFocus("E-mail address")
	k.write(p.email, false)
	k.tabTo("Password")
	k.write(p.password, false)
	k.press(enter, true)
}

// enrol signs in, enrols and saves the recovery codes.
func (k keyboard) enrol(p person) (*phone, []string) {
	k.signIn(p)
	k.press(tabKey, false)
	k.requireFocus("Skip to content")
	k.press(enter, false)
	k.tabTo("Set up two-factor")
	k.press(enter, true)
	k.requireFocus("6-digit code")
	k.WaitFor("Pending confirmation", card+" .badge")
	device := newPhone(k.t, k.Secret())

	k.described("sixth digit")
	k.write(device.wrong(), true)
	k.announced(wrongCode, refusal)
	k.requireFocus("6-digit code")
	if !evaluate[bool](k.tab, `() => document.activeElement.matches("[aria-invalid=true][aria-describedby]")`) {
		k.fail("the field does not say that it is wrong, or why")
	}
	k.tabTo("Having trouble?")
	k.press(space, false)
	k.Sees("The QR code won't scan")
	k.tabTo("Copy")
	k.press(space, false)
	k.announced("C", "[data-said][aria-live=polite]") // Copied, or Press Ctrl+C
	k.tabTo("6-digit code")
	k.write(device.code(), false) // after a refusal nothing is sent by itself
	k.press(enter, true)
	return device, k.save(nowActive)
}

// save takes the codes that have just appeared and says that they are saved.
func (k keyboard) save(words string) []string {
	k.t.Helper()
	k.announced(words, success)
	k.requireFocus(savePanel)
	codes := k.RecoveryCodes()
	k.tabTo("Copy all codes")
	k.tabTo("Download")
	k.tabTo("Print")
	k.tabTo("I have saved these codes")
	k.press(space, false)
	if !evaluate[bool](k.tab, `() => document.activeElement.checked`) {
		k.fail("Space does not tick")
	}
	return codes
}

func (k keyboard) regenerate(old []string) []string {
	k.tabTo("Regenerate recovery codes")
	k.press(enter, true)
	k.Sees(regeneratePrompt)
	k.requireFocus("Generate new codes")
	k.press(enter, true)
	codes := k.save("New recovery codes are ready.")
	if codes[0] == old[0] {
		k.fail("the codes are the old ones")
	}
	return codes
}

// challenge signs out, and in again with a recovery code.
func (k keyboard) challenge(p person, device *phone, codes []string) {
	k.tabTo("Sign out")
	k.press(enter, true)
	k.announced("You are signed out.", success)
	k.signIn(p)
	k.requireFocus("6-digit code")
	k.write(device.wrong(), false) // the same as before: it is not sent twice by itself
	k.press(enter, true)
	k.announced(wrongCode, refusal)
	k.requireFocus("6-digit code")
	k.tabTo(lostPhone)
	k.press(enter, false)
	k.tabTo("Recovery code")
	k.write("AAAA-AAAA", false)
	k.press(enter, true)
	k.announced(wrongCode, refusal)
	k.requireFocus("Recovery code")
	k.write(codes[0], false)
	k.press(enter, true)
	k.Sees("My portal")
}

func (k keyboard) disable(p person) {
	k.tabTo("Manage")
	k.press(enter, true)
	k.tabTo("Disable two-factor")
	k.press(space, false)
	k.tabTo("Current password")
	k.write("not this one", false)
	k.press(enter, true)
	k.announced(wrongPassword, refusal)
	k.requireFocus("Current password")
	k.write(p.password, false)
	k.press(enter, true)
	k.announced("Two-factor authentication is now off.", success)
	k.requireFocus("Authenticator app (TOTP)")
	k.tabTo("Enable two-factor")
}
