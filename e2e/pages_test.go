package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// TestPages meets every page in every state and looks at each in both colour schemes, on a desktop and on a
// phone: axe-core finds nothing, the HTML is valid, nothing is wider than the narrowest screen. With
// GATEHOUSE_SCREENS set to a folder, it leaves a picture of each there.
func TestPages(t *testing.T) {
	s := startSite(t)
	g := &gallery{
		t:      t,
		site:   s,
		axe:    readTool(t, "node_modules/axe-core/axe.min.js"),
		folder: os.Getenv("GATEHOUSE_SCREENS"),
		html:   t.TempDir(),
	}
	w := &walkthrough{t: t, site: s, script: true, ledger: newLedger()}

	g.beforeAnybody(w)
	b := w.open()
	w.setUpWorkspace(b)
	g.renamed(b)
	g.enrolment(w, b)
	phone, codes := w.enrol(b)
	g.enabled(w, b)
	g.rare(b)
	g.challenge(w, phone, codes)
	g.administration(w, b)
	g.people(w, b)
	g.activity(b)
	g.obliged(w)
	g.notices(w, b)
	g.apart(w, b)
	g.validate()
}

// gallery is every state that was met.
type gallery struct {
	t      *testing.T
	site   *site
	axe    string
	folder string // for pictures; "" for none
	html   string // a folder of what the HTML checker is to read
}

// readTool reads a file that e2e/tools.sh has installed.
func readTool(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%s is missing: run sh e2e/tools.sh", path)
	}
	return string(text)
}

func (g *gallery) beforeAnybody(w *walkthrough) {
	b := w.open()
	b.Visit(g.site.setupLink())
	g.look(b, "setup")
	b.Fill("email", "ada@example")
	b.Fill("name", "Ada Lovelace")
	b.Fill("password", "12345678")
	b.Click(setUpButton, "form")
	g.look(b, "setup-refused")
	b.Visit("/nowhere")
	g.look(b, "not-found")
}

func (g *gallery) enrolment(w *walkthrough, b *tab) {
	b.Visit("/my")
	g.look(b, "home-not-configured")
	b.Visit("/my/profile")
	g.look(b, "profile-not-configured")
	b.Visit("/help/two-factor")
	g.look(b, "help")
	b.Visit(twoFactorPath)
	g.look(b, "two-factor-not-configured")
	p := newPhone(g.t, w.enable(b))
	g.look(b, "two-factor-pending")
	b.EnterCode(p.behind(8), "Confirm and enable")
	w.requireRefusal(b, wrongCode)
	g.look(b, "two-factor-pending-refused")
	b.Visit(twoFactorPath)
	w.enable(b)
	other := b.NewTab()
	other.Visit("/my")
	b.EnterCode("123456", "Confirm and enable")
	w.requireRefusal(b, noPending)
	g.look(b, "two-factor-no-pending")
}

func (g *gallery) enabled(w *walkthrough, b *tab) {
	g.look(b, "two-factor-recovery-codes")
	b.Visit(twoFactorPath)
	g.look(b, "two-factor-enabled")
	b.Click("Regenerate recovery codes", card)
	b.WaitFor(regeneratePrompt)
	g.look(b, "two-factor-regenerate")
	b.Visit(twoFactorPath)
	b.Click("Disable two-factor", card)
	g.look(b, "two-factor-disable")
	b.Fill("password", "not this one", card)
	b.Click("Disable two-factor", card+" form")
	w.requireRefusal(b, wrongPassword)
	g.look(b, "two-factor-disable-refused")
	b.Visit("/my")
	g.look(b, "home")
	b.Visit("/my/profile")
	g.look(b, "profile-enabled")
	b.Fill("current_password", "not this one")
	b.Fill("new_password", "violet kettle harbour")
	b.Click("Change password", "form")
	g.look(b, "profile-password-refused")
}

func (g *gallery) challenge(w *walkthrough, p *phone, codes []string) {
	b := w.open()
	b.Visit("/signin")
	g.look(b, "sign-in")
	b.Fill("email", ada.email)
	b.Fill("password", "not this one")
	b.Click("Sign in", "form")
	g.look(b, "sign-in-refused")
	w.signIn(b, ada)
	w.requireChallenge(b)
	g.look(b, "challenge")
	b.Click(lostPhone)
	g.look(b, "challenge-recovery")
	w.enterCode(b, p.wrong())
	w.requireRefusal(b, wrongCode)
	g.look(b, "challenge-refused")
	w.enterRecoveryCode(b, "AAAA-AAAA")
	w.requireRefusal(b, "Each code works once")
	g.look(b, "challenge-recovery-refused")
	for range 3 {
		w.enterCode(b, p.wrong())
	}
	g.look(b, "challenge-over")
	w.signIn(b, ada)
	w.requireChallenge(b)
	w.enterCode(b, p.wrong())
	w.enterCode(b, p.wrong())
	g.look(b, "challenge-waiting")
	w.enterRecoveryCode(b, codes[0])
	w.requireSignedIn(b)
	g.look(b, "home-what-happened")
	w.signOut(b)
	g.look(b, "signed-out")
}

// renamed gives the workspace another name: the sidebar and the title show it at once.
func (g *gallery) renamed(b *tab) {
	b.Visit("/admin/settings/general")
	g.look(b, "settings-general")
	b.Fill("workspace", "Harbour Studio")
	b.Click(savePolicy, "form")
	b.WaitFor("The name is saved.", success)
	b.WaitFor("Harbour Studio", ".sidebar .brand")
	if title := evaluate[string](b, `() => document.title`); title != "General settings · Harbour Studio" {
		g.t.Errorf("the title is %q", title)
	}
	g.look(b, "settings-general-saved")
	b.traffic.expectFault("the server responded with a status of 413")
	evaluate[any](b, `() => document.querySelector("[name=workspace]").value = "x".repeat(70000)`)
	b.Click(savePolicy, "form")
	b.WaitFor("The form was too large", "#fault")
	g.look(b, "settings-general-problem")
	b.Fill("workspace", "Harbour Studio") // the card is still there
	b.Click(savePolicy, "form")
	b.WaitFor("The name is saved.", success)
	if b.Count("#fault") != 0 {
		g.t.Error("the problem stays when the next try has succeeded")
	}
}

// rare shows, inside a page, states that take a quarter of an hour or a fault to meet.
func (g *gallery) rare(b *tab) {
	for _, name := range []string{"enabled-few", "enabled-reauth", "enabled-reauth-no", "enabled-wait",
		"problem-inside"} {
		b.Visit(twoFactorPath)
		g.stage(b, name)
	}
	b.Visit("/my")
	g.stage(b, "home-events")
}

// stage puts a golden file of the views into the page and looks at it.
func (g *gallery) stage(b *tab, golden string) {
	text, err := os.ReadFile(filepath.Join("..", "views", "testdata", golden+".golden.html"))
	b.must("read a golden file", err)
	evaluate[any](b, `(html) => {
		const shown = new DOMParser().parseFromString(html, "text/html");
		const part = shown.querySelector("main") || shown.body;
		const card = document.getElementById(part.firstElementChild.id || "-");
		if (card) card.outerHTML = part.innerHTML;
		else if (part === shown.body) document.querySelector("#content > .stack").outerHTML = part.innerHTML;
		else document.querySelector("#content").innerHTML = part.innerHTML;
	}`, string(text))
	g.look(b, golden)
}

func (g *gallery) people(w *walkthrough, b *tab) {
	b.Visit("/admin/people")
	g.look(b, "people")
	b.Fill("q", "zz")
	b.Click("Search", "form")
	g.look(b, "people-nobody")
	b.Visit("/admin/people")
	b.Click("Invite somebody")
	b.Fill("name", "Grace Hopper", "main")
	b.Fill("email", mia.email, "main")
	b.Click("Make invitation link", "form")
	b.WaitFor("Another account already uses this e-mail address.", refusal)
	g.look(b, "people-invite-refused")
	b.Fill("email", "grace@example.org", "main")
	b.Click("Make invitation link", "form")
	b.WaitFor("Invitation link", success)
	g.look(b, "people-invite-link")
	visitor := w.open()
	link := b.Texts("#link")[0]
	visitor.Visit(link)
	g.look(visitor, "welcome")
	visitor.Fill("password", "12345678")
	visitor.Click("Accept invitation", "form")
	g.look(visitor, "welcome-refused")
	visitor.Fill("password", "violet kettle harbour")
	visitor.Click("Accept invitation", "form")
	visitor.Sees("Your password is set.")
	g.look(visitor, "welcome-done")
	visitor.Visit(link)
	g.look(visitor, "welcome-over")

	b.Visit("/admin/people")
	b.Click(mia.name)
	g.look(b, "person")
	b.Click("Make a password link", "form")
	b.WaitFor("Password link", success)
	g.look(b, "person-link")
	visitor.Visit(b.Texts("#link")[0])
	g.look(visitor, "welcome-password")
	b.Fill("email", ada.email, "#person")
	b.Click(savePolicy, "#person")
	b.WaitFor("Another account already uses this e-mail address.", refusal)
	g.look(b, "person-refused")
	b.Click("Unlock", "form")
	b.WaitFor("The account is unlocked.", success)
	b.Click("Deactivate the account")
	g.look(b, "person-done")
	b.Click("Remove the account")
	b.Click("Remove", "#person form")
	b.WaitFor("This cannot be undone.", refusal)
	g.look(b, "person-remove")
	b.Click("Cancel", "#person form")
	b.Sees(mia.email)
	b.Visit("/admin/people")
	b.Click(ada.name, "main")
	g.look(b, "person-own")
	b.Visit("/admin/settings/not-enrolled")
	g.look(b, "not-enrolled")
}

func (g *gallery) activity(b *tab) {
	b.Visit("/admin/activity")
	g.look(b, "activity")
	b.Visit("/admin/activity?person=nobody@example.org&from=yesterday")
	g.look(b, "activity-refused")
	b.Visit("/admin/activity?event=crypt_key_rotated&person=" + ada.email)
	g.look(b, "activity-nothing")
}

// notices are dismissed with script and without.
func (g *gallery) notices(w *walkthrough, b *tab) {
	b.Visit("/admin/people")
	g.look(b, "notice")
	first := ".admin-notice:first-child"
	for left := b.Count(".admin-notice"); left > 0; left-- {
		b.Click("Dismiss", first)
		if path, now := b.Path(), b.Count(".admin-notice"); path != "/admin/people" || now != left-1 {
			b.fail("dismissing one of %d notices leads to %s and leaves %d", left, path, now)
		}
	}
	g.site.run("", "user", "unlock", mia.email)
	g.site.run("", "user", "unlock", ada.email)
	b.Visit("/admin/people")
	g.look(b, "notices")
	b.Click("Dismiss all", "main")
	if path, now := b.Path(), b.Count(".admin-notice"); path != "/admin/people" || now != 0 {
		b.fail("dismissing all notices leads to %s and leaves %d", path, now)
	}
	plain := openBrowserWithoutScript(g.t, g.site)
	g.site.run("", "policy", "set", "--admins", "off")
	g.site.run("", "policy", "set", "--admins", "on")
	w.signIn(plain, adam)
	plain.Sees(required)
	if plain.Count(".admin-notice") != 2 || plain.Count(".admin-notice button") != 0 {
		plain.fail("whom the policy stops reads notices, and does not dismiss them")
	}
	g.site.run("", "policy", "set", "--admins", "off")
	plain.Visit("/my")
	for range 3 {
		plain.Click("Dismiss", first)
	}
	if plain.Path() != "/my" || plain.Count(".admin-notice") != 0 {
		plain.fail("dismissing without script leads to %s and leaves %d", plain.Path(), plain.Count(".admin-notice"))
	}
}

// apart is what a page tells that has lost its session, or its server.
func (g *gallery) apart(w *walkthrough, b *tab) {
	b.Visit("/admin/settings/security")
	b.traffic.expectFault("net::ERR_CONNECTION_REFUSED")
	b.traffic.expectFault("Failed to fetch")
	g.site.stop()
	b.Click(savePolicy, "form")
	b.WaitFor("The server does not answer.", "#fault")
	g.look(b, "server-gone")
	g.site.start()
	b.Click(savePolicy, "form") // the card is still there
	b.WaitFor("The policy is saved.", success)
	other := b.NewTab()
	other.Visit("/my")
	w.signOut(other)
	b.Click(savePolicy, "form")
	if b.Path() != "/signin" {
		b.fail("a session that has ended elsewhere does not lead to the sign-in")
	}
	g.look(b, "session-ended")
}

func (g *gallery) administration(w *walkthrough, b *tab) {
	for _, admin := range admins[:2] {
		g.site.addPerson(admin.person, admin.role)
	}
	g.site.addPerson(mia, "member")
	b.Visit("/admin/settings/security")
	g.look(b, "settings-security")
	b.Tick("require_admins", true)
	b.Click(savePolicy, "form")
	g.look(b, "settings-security-saved")
	b.Visit("/admin/settings/sessions")
	g.look(b, "settings-sessions")
}

func (g *gallery) obliged(w *walkthrough) {
	g.site.run("", "policy", "set", "--everyone", "on")
	b := w.open()
	w.signIn(b, mia)
	b.WaitFor(required)
	g.look(b, "two-factor-required")
	w.enable(b)
	g.look(b, "two-factor-required-pending")
	g.site.run("", "policy", "set", "--everyone", "off")
	b.Visit("/admin/settings/security")
	g.look(b, "not-allowed")
}

// views are the ways in which a state is looked at.
var views = []struct {
	name          string
	width, height int64
	scale         float64
	dark          bool
}{
	{"desktop-light", 1280, 900, 1, false},
	{"desktop-dark", 1280, 900, 1, true},
	{"phone-light", 390, 844, 2, false},
	{"phone-dark", 390, 844, 2, true},
	{"narrow", 320, 640, 1, false},
}

// look examines the state that the tab shows.
func (g *gallery) look(b *tab, name string) {
	g.t.Helper()
	for _, v := range views {
		b.emulate(v.width, v.height, v.scale, v.dark)
		if wider := evaluate[int](b, `() => document.documentElement.scrollWidth - innerWidth`); wider > 0 {
			g.t.Errorf("%s, %s: the page is %d pixels wider than the screen", name, v.name, wider)
		}
		if v.width == 320 {
			continue
		}
		rules := axeRules
		if v.dark { // what is not about colours was asked in the light
			rules = axeColourRules
		}
		g.accessible(b, name+", "+v.name, rules)
		if g.folder != "" {
			g.picture(b, filepath.Join(g.folder, name+"-"+v.name+".png"))
		}
	}
	g.spaced(b, name)
	b.emulate(1280, 1000, 1, false)
	source := "<!doctype html>\n" + evaluate[string](b, `() => document.documentElement.outerHTML`)
	b.must("keep the page", os.WriteFile(filepath.Join(g.html, name+".html"), []byte(source), 0o600))
}

// spaced looks at the narrowest screen with the text spacing of WCAG 2.2, 1.4.12: nothing is wider
// than the screen, nothing is cut
// off, and no word is broken into lines of a letter or two.
func (g *gallery) spaced(b *tab, name string) {
	g.t.Helper()
	evaluate[any](b, `() => {
		const sheet = new CSSStyleSheet();
		sheet.replaceSync("* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-block-end: 2em !important }");
		window.unspaced = [...document.adoptedStyleSheets];
		document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
	}`)
	faults := evaluate[[]string](b, `() => {
		const faults = [], wide = document.documentElement.scrollWidth - innerWidth;
		if (wide > 0) faults.push("the page is " + wide + " pixels wider than the screen");
		for (const e of document.querySelectorAll("body *")) {
			const style = getComputedStyle(e);
			if (e.checkVisibility() && style.overflowX !== "visible" && style.clipPath === "none" && e.scrollWidth > e.clientWidth + 1 && !e.matches("input, select"))
				faults.push("cut off: " + e.outerHTML.slice(0, 120));
		}
		const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = document.createRange();
		for (let node; node = texts.nextNode();) {
			const text = node.data.trim();
			if (text.length < 8 || !node.parentElement.checkVisibility() || node.parentElement.closest("svg, script, option, thead")) continue;
			range.selectNodeContents(node);
			const lines = new Set([...range.getClientRects()].filter(r => r.width > 0).map(r => Math.round(r.top))).size;
			if (lines > 2 && text.length / lines < 5) faults.push("in " + lines + " lines: " + text);
		}
		document.adoptedStyleSheets = window.unspaced;
		return faults;
	}`)
	for _, fault := range faults {
		g.t.Errorf("%s, with more space in its text: %s", name, fault)
	}
}

// emulate gives the tab another screen and colour scheme.
func (b *tab) emulate(width, height int64, scale float64, dark bool) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width:             width,
		Height:            height,
		DeviceScaleFactor: scale,
	})
	b.must("change the screen", err)
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	_, err = chromedp.Call(b.ctx, emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	b.must("change the colour scheme", err)
}

// What axe-core looks for, as its runOnly takes it.
const (
	axeRules       = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`
	axeColourRules = `{type: "rule", values: ["color-contrast", "link-in-text-block"]}`
)

// accessible demands that axe-core finds nothing.
func (g *gallery) accessible(b *tab, where, rules string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, timeout)
	defer cancel()
	if !evaluate[bool](b, `() => "axe" in window`) {
		b.must("load axe-core", chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](g.axe)))
	}
	found := b.await(`async () => JSON.stringify((await axe.run(document, {runOnly: ` + rules + `}))
		.violations.map(v => ({id: v.id, help: v.help, at: v.nodes.map(n => n.html.slice(0, 160))})))`)
	var violations []struct {
		ID, Help string
		At       []string
	}
	b.must("read what axe-core found", json.Unmarshal([]byte(found), &violations))
	for _, v := range violations {
		g.t.Errorf("%s: axe-core: %s (%s)\n%s", where, v.Help, v.ID, strings.Join(v.At, "\n"))
	}
}

// picture keeps a picture of the whole page.
func (g *gallery) picture(b *tab, path string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, timeout)
	defer cancel()
	evaluate[any](b, `() => scrollTo(0, 0)`) // else the sidebar stands in the middle
	size := evaluate[[]float64](b, `() => [innerWidth, document.documentElement.scrollHeight]`)
	png, err := chromedp.Call(ctx, page.CaptureScreenshot,
		page.CaptureScreenshotParams{Format: "png", CaptureBeyondViewport: new(true),
			Clip: &page.Viewport{Width: size[0], Height: size[1], Scale: 1}})
	b.must("take a picture", err)
	b.must("keep a picture", os.WriteFile(path, png.Data, 0o644))
}

// validate gives every page to the Nu HTML checker at once.
func (g *gallery) validate() {
	g.t.Helper()
	java := tool(g.t, "java", "default-jre-headless")
	readTool(g.t, "node_modules/vnu-jar/package.json")
	out, err := exec.Command(java, "-jar", "node_modules/vnu-jar/build/dist/vnu.jar", "--errors-only", g.html).
		CombinedOutput()
	if err != nil {
		g.t.Errorf("the HTML checker: %v\n%s", err, out)
	}
}
