package e2e

import (
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// filler is what a password manager does that holds an old code: it fills the code in on each page, at once and again
// after each answer, and touches nothing else.
const filler = `(() => {
	const fill = () => {
		const field = document.querySelector("[name=code]");
		if (!field || field.value) return;
		field.value = "000000";
		field.dispatchEvent(new InputEvent("input", {bubbles: true}));
	};
	addEventListener("load", fill);
	addEventListener("htmx:after:swap", fill);
})()`

// TestAutofillDoesNotUseUpTheTries leaves the challenge and the set-up to a filler with an old code:
// it costs one try, however
// often the page is loaded.
func TestAutofillDoesNotUseUpTheTries(t *testing.T) {
	w := &walkthrough{t: t, site: startSite(t), script: true, ledger: newLedger()}
	w.site.addPerson(mia, "member")
	b := w.open()
	w.signIn(b, mia)
	phone, _ := w.enrol(b)
	w.signOut(b)
	w.signIn(b, mia)
	w.requireChallenge(b)

	_, err := chromedp.Call(b.ctx, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: filler})
	b.must("install a filler", err)
	for range 8 {
		b.Visit("/signin/two-factor")
	}
	b.WaitFor("Two-factor verification")
	w.signIn(b, mia) // the next challenge, with the same code
	for range 4 {
		b.Visit("/signin/two-factor")
	}
	w.enterCode(b, phone.code())
	w.requireSignedIn(b)
	b.Sees("A wrong code was entered after your password on")
}

// TestCodesAreSentByThemselves: the field says so, where there is script; after a refusal it
// neither says so nor does so; and
// after a code that the server did not answer the next one is sent by itself again.
func TestCodesAreSentByThemselves(t *testing.T) {
	w := &walkthrough{t: t, site: startSite(t), script: true, ledger: newLedger()}
	w.site.addPerson(mia, "member")
	b := w.open()
	w.signIn(b, mia)
	b.Visit(twoFactorPath)
	phone := newPhone(t, w.enable(b))
	k := keyboard{b}
	k.requireFocus("6-digit code")
	k.described("The code is sent when you enter the sixth digit.")
	b.traffic.expectFault("net::ERR_CONNECTION_REFUSED")
	b.traffic.expectFault("Failed to fetch")
	w.site.stop()
	b.EnterCode(phone.wrong(), "Confirm and enable")
	b.WaitFor("The server does not answer.", "#fault")
	w.site.start()
	k.described("The code is sent when you enter the sixth digit.")
	w.confirm(b, phone.code())
	b.Visit("/my")
	w.signOut(b)

	w.signIn(b, mia)
	k.requireFocus("6-digit code")
	k.described("The code is sent when you enter the sixth digit.")
	b.Fill("code", "1234-56AB") // a recovery code: the sixth digit sends nothing
	b.Fill("code", "12AB-3456")
	w.enterCode(b, phone.wrong()[:3]+" "+phone.wrong()[3:])
	w.requireRefusal(b, wrongCode)
	if b.Count("#code-sends") != 0 || b.Count("[data-code]") != 0 {
		b.fail("the field still says that it sends, or does")
	}
	b.Click(lostPhone)
	w.enterRecoveryCode(b, "AAAA-AAAA")
	w.requireRefusal(b, "Each code works once")
	if b.Count("#code-sends") != 0 {
		b.fail("the field says that it sends on a card with a refusal")
	}

	plain := openBrowserWithoutScript(t, w.site)
	w.signIn(plain, mia)
	w.requireChallenge(plain)
	plain.DoesNotSee("sixth digit")
	if evaluate[bool](plain, `() => document.querySelector("[name=code]").hasAttribute("aria-describedby")`) {
		plain.fail("without script the field is described by what it does not do")
	}
}
