package e2e

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"gatehouse/e2e/loopback"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// startPasskeySite is startSite at http://localhost, where browsers have passkeys.
func startPasskeySite(t testing.TB, flags ...string) *site {
	t.Helper()
	_, port, _ := strings.Cut(loopback.Free(t), ":")
	s := &site{t: t, url: "http://localhost:" + port, data: t.TempDir()}
	s.start(append([]string{"--base-url", s.url}, flags...)...)
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("the program's output:\n%s", s.output)
		}
	})
	s.addPerson(ada, "super-administrator")
	return s
}

// authenticator is a virtual one in a person's browser.
type authenticator struct {
	b  *tab
	id webauthn.AuthenticatorID
}

// The kinds of authenticators that people have.
var (
	phoneOrLaptop = webauthn.VirtualAuthenticatorOptions{Protocol: webauthn.AuthenticatorProtocolCtap2,
		Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true, HasUserVerification: true,
		IsUserVerified: true, AutomaticPresenceSimulation: true}
	keyWithoutPIN = webauthn.VirtualAuthenticatorOptions{Protocol: webauthn.AuthenticatorProtocolCtap2,
		Transport: webauthn.AuthenticatorTransportUsb, AutomaticPresenceSimulation: true}
	oldKey = webauthn.VirtualAuthenticatorOptions{Protocol: webauthn.AuthenticatorProtocolU2f,
		Transport: webauthn.AuthenticatorTransportUsb, AutomaticPresenceSimulation: true}
)

// plugIn gives the browser an authenticator.
func (b *tab) plugIn(kind webauthn.VirtualAuthenticatorOptions) authenticator {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, webauthn.Enable, webauthn.EnableParams{})
	b.must("have authenticators", err)
	result, err := chromedp.Call(b.ctx, webauthn.AddVirtualAuthenticator,
		webauthn.AddVirtualAuthenticatorParams{Options: &kind})
	b.must("plug in an authenticator", err)
	return authenticator{b, result.AuthenticatorID}
}

// unplug takes it away.
func (a authenticator) unplug() {
	a.b.t.Helper()
	_, err := chromedp.Call(a.b.ctx, webauthn.RemoveVirtualAuthenticator,
		webauthn.RemoveVirtualAuthenticatorParams{AuthenticatorID: a.id})
	a.b.must("unplug an authenticator", err)
}

func (a authenticator) credentials() []*webauthn.Credential {
	a.b.t.Helper()
	result, err := chromedp.Call(a.b.ctx, webauthn.GetCredentials,
		webauthn.GetCredentialsParams{AuthenticatorID: a.id})
	a.b.must("read the credentials", err)
	return result.Credentials
}

func (a authenticator) put(c *webauthn.Credential) {
	a.b.t.Helper()
	_, err := chromedp.Call(a.b.ctx, webauthn.AddCredential,
		webauthn.AddCredentialParams{AuthenticatorID: a.id, Credential: c})
	a.b.must("put a credential into an authenticator", err)
}

func (a authenticator) verifies(does bool) {
	a.b.t.Helper()
	_, err := chromedp.Call(a.b.ctx, webauthn.SetUserVerified,
		webauthn.SetUserVerifiedParams{AuthenticatorID: a.id, IsUserVerified: does})
	a.b.must("let the verification pass or fail", err)
}

// press clicks the button with these words, and does not wait: the browser may ask nobody.
func (b *tab) press(words string) {
	b.t.Helper()
	spot := b.find("clickable", words, nil)
	b.must("press "+words, chromedp.Do(b.ctx, chromedp.MouseClickXY(spot.X, spot.Y)))
}

// arrives waits for a page that holds these words, until it asks for nothing more.
func (b *tab) arrives(words string) {
	b.t.Helper()
	b.WaitFor(words)
	b.settle("arriving at "+words, -1)
}

// suggestsNothing is a browser that has no suggestions of passkeys in a field: a virtual
// authenticator would take the first one up by itself.
func (b *tab) suggestsNothing() {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `if (window.PublicKeyCredential) PublicKeyCredential.isConditionalMediationAvailable = async () => false`})
	b.must("have no suggestions", err)
}

// givePassword gives the password of somebody without a factor.
func (b *tab) givePassword(p person) {
	b.t.Helper()
	b.Visit("/signin")
	b.Fill("email", p.email)
	b.Fill("password", p.password)
	b.Click("Sign in")
}

// enableApp turns the authenticator app on.
func (b *tab) enableApp() *phone {
	b.t.Helper()
	b.Visit(twoFactorPath)
	b.Click("Enable two-factor")
	phone := newPhone(b.t, b.Secret())
	b.EnterCode(phone.code(), "Confirm and enable")
	b.WaitFor("Save these recovery codes")
	return phone
}

// addPasskey adds a passkey by the card, with the authenticators that are plugged in.
func (b *tab) addPasskey(name string) {
	b.t.Helper()
	b.Visit(twoFactorPath)
	b.Click("Add a passkey")
	if name != "" {
		b.Fill("name", name, "#passkeys .prompt")
	}
	b.press("Create passkey")
}

// TestPasskeysInABrowser adds passkeys of every kind and signs in with each.
func TestPasskeysInABrowser(t *testing.T) {
	t.Parallel()
	s := startPasskeySite(t)
	b := openBrowser(t, s)
	b.suggestsNothing()
	phone := b.plugIn(phoneOrLaptop)
	b.givePassword(ada)
	b.enableApp()

	b.addPasskey("Work laptop")
	b.arrives("The passkey Work laptop is added.")
	b.Sees("this device only", "not used yet")
	b.addPasskey("Again")
	b.arrives("This device or key holds one of your passkeys already. Use another.")

	b.Visit("/my")
	b.Click("Sign out")
	b.Visit("/signin?next=/my/profile")
	b.press("Sign in with a passkey")
	b.arrives("Two-factor authentication")
	if b.Path() != "/my/profile" {
		t.Errorf("signed in, and at %s", b.Path())
	}

	// As a second step.
	b.Click("Sign out")
	b.givePassword(ada)
	b.press("Use a passkey")
	b.arrives("My portal")

	// A verification that fails proves nothing without a password, and is enough after it.
	b.Click("Sign out")
	phone.verifies(false)
	b.Visit("/signin")
	b.press("Sign in with a passkey")
	b.arrives("That was cancelled, or took too long. Try again, or use your password.")
	phone.verifies(true)

	// Keys without a PIN, and old ones, are a second step.
	b.press("Sign in with a passkey")
	b.arrives("My portal")
	phone.unplug()
	for name, kind := range map[string]webauthn.VirtualAuthenticatorOptions{"Key": keyWithoutPIN, "Old key": oldKey} {
		key := b.plugIn(kind)
		b.addPasskey(name)
		b.arrives("The passkey " + name + " is added.")
		b.Click("Sign out")
		b.givePassword(ada)
		b.press("Use a passkey")
		b.arrives("My portal")
		key.unplug()
	}
}

// TestSuggestedPasskey opens the sign-in page in a browser that suggests passkeys in the field
// for the e-mail address; the virtual authenticator takes the suggestion up.
func TestSuggestedPasskey(t *testing.T) {
	t.Parallel()
	s := startPasskeySite(t)
	b := openBrowser(t, s)
	b.plugIn(phoneOrLaptop)
	b.givePassword(ada)
	b.enableApp()
	b.addPasskey("")
	b.arrives("The passkey Passkey is added.")
	b.Click("Sign out")
	b.Visit("/my/profile") // leads to the sign-in
	b.arrives("Known browsers")
}

// TestCopiedPasskey copies a passkey into another authenticator and uses both.
func TestCopiedPasskey(t *testing.T) {
	t.Parallel()
	s := startPasskeySite(t)
	b := openBrowser(t, s)
	b.suggestsNothing()
	phone := b.plugIn(phoneOrLaptop)
	b.givePassword(ada)
	b.enableApp()
	b.addPasskey("Work laptop")
	b.arrives("The passkey Work laptop is added.")
	copied := phone.credentials()[0]
	b.Click("Sign out")
	b.Visit("/signin")
	b.press("Sign in with a passkey")
	b.arrives("My portal")
	b.Click("Sign out")

	thief := openBrowser(t, s)
	thief.suggestsNothing()
	other := phoneOrLaptop
	other.HasCmtgKey = true // what the protocol writes about every credential names it
	thief.plugIn(other).put(copied)
	thief.Visit("/signin")
	thief.press("Sign in with a passkey")
	thief.arrives("That passkey was not accepted.")
	thief.Visit("/my")
	if thief.Path() != "/signin" {
		t.Errorf("the copy leads to %s", thief.Path())
	}

	b.Visit("/signin")
	b.press("Sign in with a passkey")
	b.arrives("A passkey of yours was refused because it may have been copied")
}

// TestPasskeysWithoutScript looks at the pages with JavaScript switched off.
func TestPasskeysWithoutScript(t *testing.T) {
	t.Parallel()
	s := startPasskeySite(t)
	b := openBrowserWithoutScript(t, s)
	b.Visit("/signin")
	b.DoesNotSee("Sign in with a passkey")
	b.givePassword(ada)
	b.Visit(twoFactorPath)
	b.Click("Add a passkey")
	b.Sees("Passkeys need JavaScript, which is off in this browser.")
	b.DoesNotSee("Create passkey")
}

// recordCeremonies keeps what the browser is asked for, and what the page sends.
const recordCeremonies = `(() => {
	const text = b => btoa(String.fromCharCode(...new Uint8Array(b.buffer || b))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
	for (const k of ["create", "get"]) {
		if (!navigator.credentials) return;
		const call = navigator.credentials[k].bind(navigator.credentials);
		navigator.credentials[k] = asked => { sessionStorage["challenge-" + k] = text(asked.publicKey.challenge); return call(asked) };
	}
	addEventListener("submit", e => {
		const i = e.target.elements.credential;
		if (i && i.value) sessionStorage["answer-" + i.dataset.passkey] = i.value;
		if (i && i.dataset.options) sessionStorage["options-" + i.dataset.passkey] = i.dataset.options;
	}, true);
})()`

// TestSecondImplementation has another implementation of WebAuthn verify what crosses the
// wire: both must ask for the same, and find the same answers right.
func TestSecondImplementation(t *testing.T) {
	t.Parallel()
	s := startPasskeySite(t)
	b := openBrowser(t, s)
	b.suggestsNothing()
	_, err := chromedp.Call(b.ctx, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: recordCeremonies})
	b.must("record ceremonies", err)
	b.plugIn(phoneOrLaptop)
	b.givePassword(ada)
	b.addPasskey("Work laptop") // the first factor
	b.arrives("Save these recovery codes")
	b.Visit("/my")
	b.Click("Sign out")
	b.Visit("/signin")
	b.press("Sign in with a passkey")
	b.arrives("My portal")

	kept := func(key string) json.RawMessage {
		return json.RawMessage(evaluate[string](b, `key => sessionStorage[key]`, key))
	}
	challenge := func(kind string) string { return evaluate[string](b, `key => sessionStorage[key]`, "challenge-"+kind) }
	input, err := json.Marshal(map[string]any{
		"rpID": "localhost", "origin": s.url,
		"made": map[string]any{"challenge": challenge("create"), "answer": kept("answer-create"), "options": kept("options-create")},
		"used": map[string]any{"challenge": challenge("get"), "answer": kept("answer-get")},
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool(t, "node", "nodejs"), "testdata/simplewebauthn.mjs")
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "verified" {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestBackupFlags has a passkey begin to be synced, and then say that it cannot be.
func TestBackupFlags(t *testing.T) {
	t.Parallel()
	s := startPasskeySite(t)
	b := openBrowser(t, s)
	b.suggestsNothing()
	phone := b.plugIn(phoneOrLaptop)
	b.givePassword(ada)
	b.addPasskey("Work laptop")
	b.arrives("Save these recovery codes")
	b.Visit("/my")
	set := func(eligible, state bool) {
		t.Helper()
		_, err := chromedp.Call(b.ctx, webauthn.SetCredentialProperties, webauthn.SetCredentialPropertiesParams{
			AuthenticatorID: phone.id, CredentialID: phone.credentials()[0].CredentialID,
			BackupEligibility: &eligible, BackupState: &state})
		b.must("set the backup flags", err)
	}
	for _, c := range []struct {
		eligible, state bool
		arrives         string
	}{
		{true, true, "My portal"},
		{true, false, "My portal"},
		{false, false, "That passkey was not accepted."},
	} {
		b.Click("Sign out")
		set(c.eligible, c.state)
		b.Visit("/signin")
		b.press("Sign in with a passkey")
		b.arrives(c.arrives)
		if c.eligible {
			b.Visit(twoFactorPath)
			b.Sees("synced")
		}
	}
}
