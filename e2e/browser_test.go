package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// chromium is the one browser process of the package; every visitor gets a fresh profile in it.
var chromium sharedChromium

type sharedChromium struct {
	once   sync.Once
	ctx    context.Context
	cancel func()
	err    error

	clipboard sync.Mutex // all profiles share one clipboard
}

// open starts the browser at the first call.
func (c *sharedChromium) open(t testing.TB) context.Context {
	t.Helper()
	path := tool(t, "chromium", "chromium")
	c.once.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 1000),
			chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
			// No name is looked up: what a page asks of another host fails, and is reported.
			chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost"))
		allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, cancel := chromedp.NewContext(allocator)
		c.ctx, c.cancel = ctx, func() { cancel(); cancelAllocator() }
		c.err = chromedp.Do(ctx)
	})
	if c.err != nil {
		t.Fatalf("start chromium: %v", c.err)
	}
	return c.ctx
}

// close ends the browser, when it was started.
func (c *sharedChromium) close() {
	if c.cancel != nil {
		c.cancel()
	}
}

// tab is what a person has in front of them: one tab of a browser. Its methods are what a person does and
// sees; each waits until it can be done, and fails the test when it cannot.
type tab struct {
	t        testing.TB
	site     *site
	ctx      context.Context
	traffic  *traffic
	noScript bool
	stays    atomic.Bool // the browser's dialogs are answered with no
}

// openBrowser gives a person a browser of their own: its cookies are shared with nobody.
func openBrowser(t testing.TB, s *site) *tab {
	t.Helper()
	return openTab(t, s, false, chromedp.WithNewBrowserContext())
}

// openBrowserWithoutScript is openBrowser with JavaScript switched off.
func openBrowserWithoutScript(t testing.TB, s *site) *tab {
	t.Helper()
	return openTab(t, s, true, chromedp.WithNewBrowserContext())
}

// NewTab opens another tab in the same browser.
func (b *tab) NewTab() *tab {
	b.t.Helper()
	profile := chromedp.FromContext(b.ctx).BrowserContextID
	return openTab(b.t, b.site, b.noScript, chromedp.WithExistingBrowserContext(profile))
}

func openTab(t testing.TB, s *site, noScript bool, option chromedp.ContextOption) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium.open(t), option)
	b := &tab{t: t, site: s, ctx: ctx, noScript: noScript, traffic: newTraffic(s.url)}
	t.Cleanup(func() {
		for _, fault := range b.traffic.found() {
			t.Error(fault)
		}
		cancel()
	})
	b.must("open a tab", chromedp.Listen(ctx, b.see))
	_, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled,
		emulation.SetFocusEmulationEnabledParams{Enabled: true})
	b.must("give the tab the focus", err)
	_, err = chromedp.Call(ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: noScript})
	b.must("switch JavaScript", err)
	_, err = chromedp.Call(ctx, audits.Enable, cdp.Empty{})
	b.must("watch the Content-Security-Policy", err)
	return b
}

// see takes an event of the tab, and answers dialogs: with yes, unless the person stays.
func (b *tab) see(event any) {
	b.traffic.see(event)
	if _, dialog := event.(*page.EventJavascriptDialogOpening); !dialog {
		return
	}
	go func() {
		_, err := chromedp.Call(b.ctx, page.HandleJavaScriptDialog,
			page.HandleJavaScriptDialogParams{Accept: !b.stays.Load()})
		if err != nil && b.ctx.Err() == nil {
			b.t.Errorf("answer a dialog: %v", err)
		}
	}()
}

// --- what a person does

// Visit types an address of the site (a path, or a link to it) and waits for the page.
func (b *tab) Visit(address string) {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.site.url + address
	}
	before := b.traffic.count()
	b.traffic.expectPage()
	result, err := chromedp.Call(b.ctx, page.Navigate, page.NavigateParams{URL: address})
	b.must("visit "+address, err)
	if result.ErrorText != "" {
		b.fail("visit %s: %s", address, result.ErrorText)
	}
	b.settle("visiting "+address, before)
}

// Reload presses the browser's Reload button.
func (b *tab) Reload() {
	b.t.Helper()
	before := b.traffic.count()
	b.traffic.expectPage()
	_, err := chromedp.Call(b.ctx, page.Reload, page.ReloadParams{})
	b.must("reload", err)
	b.settle("reloading", before)
}

// Back presses the browser's Back button. The page may come out of the browser's own memory.
func (b *tab) Back() {
	b.t.Helper()
	history, err := chromedp.Call(b.ctx, page.GetNavigationHistory, cdp.Empty{})
	b.must("look at the history", err)
	if history.CurrentIndex == 0 {
		b.fail("there is no page to go back to")
	}
	b.traffic.expectPage()
	entry := history.Entries[history.CurrentIndex-1]
	_, err = chromedp.Call(b.ctx, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: entry.ID})
	b.must("go back", err)
	b.settle("going back", -1)
}

// Click clicks the button, link or summary with these words, in a part of the page when within (a CSS
// selector) is given, and waits for the answer when it asks the server for one.
func (b *tab) Click(words string, within ...string) {
	b.t.Helper()
	spot := b.find("clickable", words, within)
	before := b.traffic.count()
	b.must("click", chromedp.Do(b.ctx, chromedp.MouseClickXY(spot.X, spot.Y)))
	if spot.Asks {
		b.settle("clicking "+words, before)
	}
}

// Fill types value over what stands in the field with this name or label.
func (b *tab) Fill(field, value string, within ...string) {
	b.t.Helper()
	b.aim(field, within)
	b.must("type into "+field, chromedp.Do(b.ctx, chromedp.KeyEvent(value)))
	if typed := evaluate[string](b, `() => document.activeElement.value`); typed != value {
		b.fail("the field %s holds %q after typing %q", field, typed, value)
	}
}

// EnterCode types a 6-digit code into the field for it and sends it: by the button with these words, or, where
// JavaScript is on and the field says so, by the sixth digit, which presses that button for the
// person, but never twice for one code.
func (b *tab) EnterCode(code, button string) {
	b.t.Helper()
	if b.Count("#code-sends") == 0 || evaluate[bool](b, `(code) => sessionStorage.code === code`, code) {
		b.Fill("code", code)
		b.Click(button)
		return
	}
	b.find("clickable", button, nil)
	b.aim("code", nil)
	before := b.traffic.count()
	b.must("type the code", chromedp.Do(b.ctx, chromedp.KeyEvent(code)))
	b.settle("entering the code "+code, before)
}

// Tick puts the checkbox with this name or label on or off.
func (b *tab) Tick(field string, on bool) {
	b.t.Helper()
	spot := b.find("field", field, nil)
	if spot.Checked == on {
		return
	}
	b.must("tick "+field, chromedp.Do(b.ctx, chromedp.MouseClickXY(spot.X, spot.Y)))
	if after := b.find("field", field, nil); after.Checked != on {
		b.fail("the checkbox %s does not change", field)
	}
}

// CopyFromClipboard clicks the button with these words and returns what it put on the clipboard.
func (b *tab) CopyFromClipboard(words string, within ...string) string {
	b.t.Helper()
	chromium.clipboard.Lock()
	defer chromium.clipboard.Unlock()
	profile := chromedp.FromContext(b.ctx).BrowserContextID
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		_, err := chromedp.CallBrowser(b.ctx, browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingGranted,
			BrowserContextID: profile})
		b.must("allow the clipboard", err)
	}
	b.await(`() => navigator.clipboard.writeText("").then(() => "")`)
	b.Click(words, within...)
	var copied string
	err := poll(timeout, func() error {
		if copied = b.await(`() => navigator.clipboard.readText()`); copied == "" {
			return errors.New("the clipboard is empty")
		}
		return nil
	})
	b.must("copy by "+words, err)
	return copied
}

// Screenshot is a picture (PNG) of the window with the element with this CSS selector in the middle.
func (b *tab) Screenshot(selector string) []byte {
	b.t.Helper()
	b.WaitFor("", selector)
	evaluate[any](b, `(selector) => document.querySelector(selector).scrollIntoView({block: "center", behavior: "instant"})`, selector)
	ctx, cancel := context.WithTimeout(b.ctx, timeout)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	b.must("take a picture of "+selector, err)
	return picture
}

// --- what a person sees

// Text is the text that can be seen on the page, with single spaces.
func (b *tab) Text() string {
	b.t.Helper()
	return evaluate[string](b, `() => document.body.innerText.replace(/\s+/g, " ").trim()`)
}

// Texts are the visible texts of the elements with this CSS selector, in their order.
func (b *tab) Texts(selector string) []string {
	b.t.Helper()
	return evaluate[[]string](b, `(selector) => [...document.querySelectorAll(selector)]
		.filter(e => e.checkVisibility({visibilityProperty: true}))
		.map(e => (e.innerText ?? e.textContent).replace(/\s+/g, " ").trim())`, selector)
}

// WaitFor waits until these words can be seen, in the element with the CSS selector when one is given.
func (b *tab) WaitFor(words string, within ...string) {
	b.t.Helper()
	err := poll(timeout, func() error {
		for _, text := range b.Texts(scope(within)) {
			if strings.Contains(text, words) {
				return nil
			}
		}
		return fmt.Errorf("%q does not appear in %s", words, scope(within))
	})
	if err != nil {
		b.fail("%v", err)
	}
}

// Sees fails the test when one of these texts cannot be seen.
func (b *tab) Sees(texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		b.WaitFor(text)
	}
}

// DoesNotSee fails the test when one of these texts can be seen.
func (b *tab) DoesNotSee(texts ...string) {
	b.t.Helper()
	shown := b.Text()
	for _, text := range texts {
		if strings.Contains(shown, text) {
			b.fail("%q must not be seen", text)
		}
	}
}

// Count is how many elements with this CSS selector can be seen.
func (b *tab) Count(selector string) int {
	b.t.Helper()
	return len(b.Texts(selector))
}

// Path is the path of the page's address.
func (b *tab) Path() string {
	b.t.Helper()
	return evaluate[string](b, `() => location.pathname`)
}

// Source is the whole page as markup, seen or not.
func (b *tab) Source() string {
	b.t.Helper()
	return evaluate[string](b, `() => document.documentElement.outerHTML`)
}

// Status is the status of the last page or fragment that the server answered.
func (b *tab) Status() int64 {
	b.traffic.mu.Lock()
	defer b.traffic.mu.Unlock()
	return b.traffic.status
}

// Dialogs is what the browser's own dialogs have asked so far, each with its kind.
func (b *tab) Dialogs() string {
	b.traffic.mu.Lock()
	defer b.traffic.mu.Unlock()
	return strings.Join(b.traffic.dialogs, "\n")
}

// Colour is the name of the guide's colour that an element wears: that of its background or, where this is
// plain, of its border or else of its text.
func (b *tab) Colour(selector string) string {
	b.t.Helper()
	b.WaitFor("", selector)
	hue := evaluate[float64](b, hueScript, selector)
	switch {
	case hue >= 195 && hue < 245:
		return "slate"
	case hue >= 20 && hue < 70:
		return "amber"
	case hue >= 130 && hue < 195:
		return "emerald"
	case hue >= 320 || hue >= 0 && hue < 20:
		return "rose"
	}
	return fmt.Sprintf("of the hue %.0f", hue)
}

// hueScript paints the element's colours on a canvas, whatever notation they are written in, and returns
// the hue in degrees of the first that has one; -1 when all are grey.
const hueScript = `(selector) => {
	const style = getComputedStyle(document.querySelector(selector));
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	for (const colour of [style.backgroundColor, style.borderTopColor, style.color]) {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = colour;
		canvas.fillRect(0, 0, 1, 1);
		const [r, g, b, opaque] = canvas.getImageData(0, 0, 1, 1).data;
		const most = Math.max(r, g, b), chroma = most - Math.min(r, g, b);
		if (opaque < 255 || chroma < 10) continue;
		const sixth = most === r ? ((g - b) / chroma) % 6 : most === g ? (b - r) / chroma + 2 : (r - g) / chroma + 4;
		return (sixth * 60 + 360) % 360;
	}
	return -1;
}`

// --- how it is done

// scope is the CSS selector of the part of the page that is meant.
func scope(within []string) string {
	if len(within) == 0 {
		return "body"
	}
	return within[0]
}

// spot is something on the page that a person can aim at.
type spot struct {
	X, Y    float64
	Asks    bool   // a click on it asks the server for something
	Checked bool   // of a checkbox
	Problem string // why it cannot be used; else ""
}

// findScript looks for one visible thing: a field by its name or label, or something to click by its words.
// Several links to one address count as one.
const findScript = `(kind, words, scope) => {
	const plain = text => (text || "").replace(/\s+/g, " ").trim();
	const visible = e => e.checkVisibility({visibilityProperty: true}) && e.getClientRects().length > 0;
	const says = e => [e.innerText, e.textContent, e.value, e.getAttribute("aria-label")].some(text => plain(text) === words);
	const isField = e => e.name === words || [...(e.labels || [])].some(label => plain(label.textContent) === words);
	const selector = kind === "field" ? "input:not([type=hidden]), select, textarea" : "a[href], button, summary, input[type=submit]";
	const near = [...document.querySelectorAll(scope)].flatMap(part => [...part.querySelectorAll(selector)]);
	let found = [...new Set(near)].filter(e => visible(e) && (kind === "field" ? isField(e) : says(e)));
	if (found.length > 1 && found.every(e => e.href && e.href === found[0].href)) found = [found[0]];
	if (found.length !== 1) return {Problem: "there are " + found.length + " of them"};
	const e = found[0];
	if (e.disabled) return {Problem: "it is disabled"};
	e.scrollIntoView({block: "center", behavior: "instant"});
	const box = e.getClientRects()[0];
	const x = box.left + box.width / 2, y = box.top + box.height / 2;
	const top = document.elementFromPoint(x, y);
	const labelled = top && [...(e.labels || [])].some(label => label.contains(top));
	if (!top || !(e.contains(top) || labelled)) return {Problem: "it is covered by " + (top ? top.outerHTML.slice(0, 200) : "nothing")};
	const submits = (e.form && (e.type === "submit" || e.type === "image"));
	const leads = e.href && !e.getAttribute("href").startsWith("#") && !e.hasAttribute("download");
	return {X: x, Y: y, Asks: Boolean(submits || leads), Checked: Boolean(e.checked)};
}`

// aim clicks into a field and marks what stands in it, so that typing replaces it.
func (b *tab) aim(field string, within []string) {
	b.t.Helper()
	spot := b.find("field", field, within)
	b.must("click into "+field, chromedp.Do(b.ctx, chromedp.MouseClickXY(spot.X, spot.Y)))
	evaluate[any](b, `() => document.activeElement.select()`)
}

// find waits until there is exactly one such thing and it can be used.
func (b *tab) find(kind, words string, within []string) spot {
	b.t.Helper()
	var found spot
	err := poll(timeout, func() error {
		found = evaluate[spot](b, findScript, kind, words, scope(within))
		if found.Problem != "" {
			return errors.New(found.Problem)
		}
		return nil
	})
	if err != nil {
		b.fail("no use of the %s %q in %s: %v", kind, words, scope(within), err)
	}
	return found
}

// settledScript reports whether the page stands still: it is loaded and htmx has swapped what it asked for.
const settledScript = `() => document.readyState === "complete" &&
	!document.querySelector(".htmx-request, .htmx-swapping, .htmx-settling")`

// settle waits until more than after requests were made, all are answered, and the page stands still.
func (b *tab) settle(doing string, after int) {
	b.t.Helper()
	err := poll(timeout, func() error {
		if !b.traffic.quiet(after) {
			return errors.New("no complete answer")
		}
		still, err := call[bool](b, settledScript)
		if err != nil || !still {
			return errors.Join(err, errors.New("the page does not stand still"))
		}
		return nil
	})
	if err != nil {
		b.fail("%s: %v", doing, err)
	}
}

// call calls a JavaScript function in the page, JavaScript switched off or not.
func call[T any](b *tab, function string, args ...any) (T, error) {
	list, err := json.Marshal(append([]any{}, args...))
	if err != nil {
		return *new(T), err
	}
	ctx, cancel := context.WithTimeout(b.ctx, timeout)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](fmt.Sprintf("(%s)(...%s)", function, list)))
}

// evaluate is try that fails the test.
func evaluate[T any](b *tab, function string, args ...any) T {
	b.t.Helper()
	result, err := call[T](b, function, args...)
	b.must("look at the page", err)
	return result
}

// await calls a JavaScript function whose promise gives a text.
func (b *tab) await(function string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, timeout)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("("+function+")()", chromedp.EvalAwaitPromise))
	b.must("wait for the page", err)
	return text
}

// must fails the test when err is not nil.
func (b *tab) must(doing string, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatalf("%s: %v", doing, err)
	}
}

// fail ends the test and tells what the person has in front of them.
func (b *tab) fail(format string, args ...any) {
	b.t.Helper()
	address, _ := call[string](b, `() => location.href`)
	shown, err := call[string](b, `() => document.title + "\n" + document.body.innerText`)
	if err != nil {
		shown = err.Error()
	}
	b.t.Fatalf("%s\n--- %s shows (status %d):\n%s\n---", fmt.Sprintf(format, args...), address, b.Status(), shown)
}
