package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/twofactor"
)

// A requestContext is one request with what is known of its sender.
type requestContext struct {
	w      http.ResponseWriter
	r      *http.Request
	now    time.Time
	client db.Client
	page   string // the page that an action belongs to; "" for its own address

	visitor   db.Visitor   // zero for anybody who is not signed in
	challenge db.Challenge // on challenge routes
	token     string       // the challenge's, on challenge routes
}

func (rc *requestContext) ctx() context.Context { return rc.r.Context() }

// isHTMX reports whether a fragment is wanted. It decides rendering only.
func (rc *requestContext) isHTMX() bool { return rc.r.Header.Get("HX-Request") == "true" }

// isSignedIn reports whether a session was found.
func (rc *requestContext) isSignedIn() bool { return rc.visitor.Person.ID != 0 }

// isPageLoad reports whether a person opens a page, as opposed to a fragment, a HEAD, a
// script's fetch, and a browser that previews, prefetches or prerenders. A browser that
// sends no Fetch Metadata (W3C) is taken at its GET.
func (rc *requestContext) isPageLoad() bool {
	if rc.r.Method != http.MethodGet || rc.isHTMX() {
		return false
	}
	h := rc.r.Header
	for _, name := range purposeHeaders {
		if h.Get(name) != "" {
			return false
		}
	}
	dest, mode := h.Get("Sec-Fetch-Dest"), h.Get("Sec-Fetch-Mode")
	return (dest == "" || dest == "document") && (mode == "" || mode == "navigate")
}

// purposeHeaders are sent with requests that no person has asked for yet: the standard's
// and Chromium's, Safari's, and old Firefox's.
var purposeHeaders = []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"}

// authorize runs the handler for everybody whom the route's access column admits, and
// answers its errors.
func (s *Server) authorize(row route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		rc := &requestContext{
			w:      w,
			r:      r,
			page:   row.pageAddress(r),
			client: db.Client{Address: s.clientAddress(r), Browser: r.UserAgent()},
		}
		rc.client.Known, rc.client.Session = s.cookies.token(r, browserCookie), s.cookies.token(r, sessionCookie)
		var err error
		cleanQuery(r)
		if row.method == http.MethodPost {
			err = readForm(r)
		}
		rc.now = s.now() // after the form: who sends it slowly must not bring an old instant to the counters
		if err == nil {
			err = s.requireAccess(rc, row.access)
		}
		if err == nil {
			err = row.handler(s, rc)
		}
		if err != nil {
			s.fail(rc, err)
		}
	}
}

// requireAccess decides on the access column alone.
func (s *Server) requireAccess(rc *requestContext, needed access) error {
	switch needed {
	case public:
		return nil
	case challenge:
		return s.requireChallenge(rc)
	}
	visitor, err := s.cookies.visitor(rc.r)
	if err != nil {
		return err
	}
	rc.visitor = visitor
	if err := s.shownToVisitor(rc); err != nil {
		return err
	}
	if err := s.touchSession(rc); err != nil {
		return err
	}
	if rc.visitor.MustEnroll && needed > enrolling {
		return errMustEnroll
	}
	if needed == admin {
		return account.MayAdminister(rc.author())
	}
	return nil
}

// touchSession notes that somebody signed in was here, and discards the secret that is pending
// when they open a page.
func (s *Server) touchSession(rc *requestContext) error {
	if err := s.store.Touch(rc.ctx(), rc.visitor, rc.now); err != nil {
		return err
	}
	if (rc.visitor.State == twofactor.Pending || rc.visitor.Replacing) && rc.isPageLoad() {
		if err := s.store.DiscardPending(rc.ctx(), rc.visitor); err != nil {
			return err
		}
		rc.visitor.Replacing = false
		if rc.visitor.State == twofactor.Pending {
			rc.visitor.State = twofactor.NotConfigured
		}
	}
	return nil
}

// requireChallenge finds the browser's challenge. Where it has led to a session already,
// the form may be the same person's, sent twice: the session keeps the challenge's handle.
func (s *Server) requireChallenge(rc *requestContext) error {
	err := s.findChallenge(rc)
	if !errors.Is(err, twofactor.ErrChallengeOver) {
		return err
	}
	if err := s.findVisitor(rc); err != nil {
		return err
	}
	if rc.isSignedIn() {
		if err := rc.requireShownTo(rc.visitor.Handle, errOtherSession); err != nil {
			return err
		}
	}
	return err
}

func (s *Server) findChallenge(rc *requestContext) (err error) {
	rc.token = s.cookies.token(rc.r, challengeCookie)
	if rc.token == "" {
		return twofactor.ErrChallengeOver
	}
	rc.challenge, err = s.store.Challenge(rc.ctx(), rc.token, rc.now)
	if err != nil {
		return err
	}
	return rc.requireShownTo(rc.challenge.Handle, errOtherChallenge)
}

// shownToVisitor refuses a form that was shown to somebody else's session, or to one that
// has ended, whose person nobody knows any more. One of the visitor's own others counts.
func (s *Server) shownToVisitor(rc *requestContext) error {
	refusal := rc.requireShownTo(rc.visitor.Handle, errOtherSession)
	if refusal == nil {
		return nil
	}
	for _, as := range rc.r.PostForm["as"] {
		own, err := s.store.HasSession(rc.ctx(), rc.visitor, as)
		if err != nil {
			return err
		}
		if !own {
			return refusal
		}
	}
	return nil
}

// requireShownTo refuses a form that was shown to another session or challenge than the
// browser's, so that an old tab does not act on whoever has signed in since. A form
// without the field "as" counts: scripts send none.
func (rc *requestContext) requireShownTo(handle string, refusal error) error {
	for _, as := range rc.r.PostForm["as"] {
		if as != handle {
			return refusal
		}
	}
	return nil
}

// findVisitor finds who is signed in on a public route; nobody is no error.
func (s *Server) findVisitor(rc *requestContext) error {
	visitor, err := s.cookies.visitor(rc.r)
	if errors.Is(err, db.ErrSignedOut) {
		return nil
	}
	rc.visitor = visitor
	return err
}

// maxNext is the longest address to continue at, in bytes: an app's request with its
// redirect address, state and challenge.
const maxNext = 8192

// localPath returns an address to go on to if it is a page of this server, and ""
// otherwise: a link to the sign-in must not redirect to somebody else's copy of it.
func localPath(next string) string {
	if len(next) > maxNext || !utf8.ValidString(next) || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\x00\r\n\t") {
		return ""
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") ||
		strings.Contains(u.Path, "\\") {
		return ""
	}
	for _, r := range u.Path {
		if r < 0x20 || r == 0x7f {
			return ""
		}
	}
	if strings.HasPrefix(u.Path, "/sign") || u.Path == "/" {
		return "" // leads nowhere that the portal does not
	}
	return u.RequestURI()
}

// requestedPage is the page that a request was for: its own address, or for an action
// the page that the action belongs to.
func requestedPage(r *http.Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return localPath(r.URL.RequestURI())
	}
	for _, row := range routes {
		if row.method == r.Method && row.String() == r.Pattern && row.page != "" {
			return localPath(row.pageAddress(r))
		}
	}
	return localPath(r.URL.Path)
}

// withNext adds the address to continue at.
func withNext(address, next string) string {
	if next == "" || next == "/my" || next == address {
		return address
	}
	return address + "?" + url.Values{"next": {next}}.Encode()
}
