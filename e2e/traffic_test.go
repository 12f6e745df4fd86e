package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// traffic watches one tab: which requests are on their way, what its dialogs asked, and every fault that a
// person would not see: errors on the console, breaches of the Content-Security-Policy, other hosts.
type traffic struct {
	host    string   // the only host that pages may ask
	allowed []string // but for these, which a test visits

	mu      sync.Mutex
	started int                        // pages and fragments asked for so far
	open    map[network.RequestID]bool // those without an answer yet
	loading bool                       // a page is on its way, or not loaded to its end
	page    string                     // the address of the last page
	status  int64                      // the status of the last page or fragment
	dialogs []string                   // what the dialogs said
	expects []string                   // lines of the browser's log that a test brings about
	faults  []string
}

// newTraffic watches a tab that may ask only the site at this address.
func newTraffic(site string) *traffic {
	host := strings.TrimPrefix(site, "http://")
	return &traffic{host: host, open: map[network.RequestID]bool{}}
}

// see takes one event of the tab. It is called in the order of the events.
func (w *traffic) see(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		w.request(e)
	case *network.EventResponseReceived:
		w.response(e)
	case *network.EventLoadingFinished:
		delete(w.open, e.RequestID)
	case *network.EventLoadingFailed:
		delete(w.open, e.RequestID)
	case *page.EventLoadEventFired:
		w.loading = false
	case *page.EventFrameNavigated:
		// A page that comes back out of memory has been loaded before.
		if e.Type == page.NavigationTypeBackForwardCacheRestore {
			w.loading = false
		}
	case *page.EventJavascriptDialogOpening:
		w.dialogs = append(w.dialogs, string(e.Type)+": "+e.Message)
	case *log.EventEntryAdded:
		w.entry(e.Entry)
	case *runtime.EventConsoleAPICalled:
		known := slices.ContainsFunc(w.expects, func(text string) bool { return strings.Contains(words(e.Args), text) })
		if !known && (e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert) {
			w.fault("console.%s: %s", e.Type, words(e.Args))
		}
	case *runtime.EventExceptionThrown:
		w.fault("exception: %s %s", e.ExceptionDetails.Text,
			words([]*runtime.RemoteObject{e.ExceptionDetails.Exception}))
	case *audits.EventIssueAdded:
		if details := e.Issue.Details.ContentSecurityPolicyIssueDetails; details != nil {
			w.fault("Content-Security-Policy: %s of %s %s", details.ContentSecurityPolicyViolationType,
				details.ViolatedDirective, details.BlockedURL)
		}
	}
}

// isExchange reports whether a request is for a page or for a fragment of one, not for its furniture.
func isExchange(kind network.ResourceType) bool {
	return kind == network.ResourceTypeDocument || kind == network.ResourceTypeFetch || kind == network.ResourceTypeXHR
}

func (w *traffic) request(e *network.EventRequestWillBeSent) {
	address, err := url.Parse(e.Request.URL)
	switch {
	case err != nil:
		w.fault("request to %s: %v", e.Request.URL, err)
	case address.Scheme == "data" || address.Scheme == "blob":
		return
	case address.Host != w.host && !slices.Contains(w.allowed, address.Host):
		w.fault("request to another host: %s", e.Request.URL)
	}
	if !isExchange(e.Type) || e.RedirectResponse != nil {
		return // a redirect goes on with the request that is open already
	}
	w.started++
	w.open[e.RequestID] = true
	if e.Type == network.ResourceTypeDocument {
		w.loading, w.page = true, e.Request.URL
	}
}

func (w *traffic) response(e *network.EventResponseReceived) {
	if !isExchange(e.Type) {
		return
	}
	w.status = e.Response.Status
	for name := range e.Response.Headers {
		// The fragment's answer sends the browser to a page: that page is on its way.
		if slices.Contains([]string{"hx-redirect", "hx-refresh"}, strings.ToLower(name)) {
			w.loading = true
		}
	}
}

// noFault are lines of the browser's log that are errors by their level and yet no fault of a page: an
// answer that refuses something, and the browser that does not ask before leaving a page which nobody touched.
var noFault = []string{
	"the server responded with a status of 403",
	"the server responded with a status of 409",
	"the server responded with a status of 422",
	"the server responded with a status of 429",
	"Blocked attempt to show a 'beforeunload' confirmation panel",
}

// entry takes one line of the browser's log. A page that is not there is an answer too, a picture is not.
func (w *traffic) entry(e *log.Entry) {
	notFound := e.URL == w.page && strings.Contains(e.Text, "the server responded with a status of 404")
	if e.Level != log.EntryLevelError || notFound {
		return
	}
	if !slices.ContainsFunc(append(w.expects, noFault...),
		func(text string) bool { return strings.Contains(e.Text, text) }) {
		w.fault("console: %s %s", e.Text, e.URL)
	}
}

func (w *traffic) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// found is every fault so far.
func (w *traffic) found() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.faults)
}

// allow lets the tab visit another host.
func (w *traffic) allow(host string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.allowed = append(w.allowed, host)
}

// expectFault says that the browser's log is about to hold this: it is no fault.
func (w *traffic) expectFault(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expects = append(w.expects, text)
}

// expectPage says that a page is about to be loaded.
func (w *traffic) expectPage() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loading = true
}

// count is how many pages and fragments were asked for.
func (w *traffic) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.started
}

// quiet reports whether more than after requests were made and all are answered, and pages loaded.
func (w *traffic) quiet(after int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.started > after && len(w.open) == 0 && !w.loading
}

// words puts the arguments of a console call into one line.
func words(args []*runtime.RemoteObject) string {
	var line []string
	for _, arg := range args {
		if arg == nil {
			continue
		}
		line = append(line, strings.TrimSpace(arg.Description+" "+string(arg.Value)))
	}
	return strings.Join(line, " ")
}
