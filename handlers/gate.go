package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/twofactor"
)

// A visit is one request with what the gate has learnt of its sender.
type visit struct {
	w      http.ResponseWriter
	r      *http.Request
	now    time.Time
	client db.Client

	who       db.Visitor   // zero for anybody who is not signed in
	challenge db.Challenge // on challenge routes
	token     string       // the challenge's, on challenge routes
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// htmx reports whether a fragment is wanted. It decides rendering only.
func (v *visit) htmx() bool { return v.r.Header.Get("HX-Request") == "true" }

// signedIn reports whether the gate has found a session.
func (v *visit) signedIn() bool { return v.who.Person.ID != 0 }

// loadsPage reports whether a person opens a page, as opposed to a fragment, a HEAD, a
// script's fetch, and a browser that previews, prefetches or prerenders. A browser that
// sends no Fetch Metadata (W3C) is taken at its GET.
func (v *visit) loadsPage() bool {
	if v.r.Method != http.MethodGet || v.htmx() {
		return false
	}
	h := v.r.Header
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

// gate lets through whom the route's access column admits, and answers for the
// handler when it fails.
func (s *Server) gate(row route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{w: w, r: r, client: db.Client{Address: s.clientAddress(r), Browser: r.UserAgent()}}
		v.client.Known, v.client.Session = s.cookies.token(r, browserCookie), s.cookies.token(r, sessionCookie)
		var err error
		if row.method == http.MethodPost {
			err = readForm(r)
		}
		v.now = s.now() // after the form: who sends it slowly must not bring an old instant to the counters
		if err == nil {
			err = s.admit(v, row.access)
		}
		if err == nil {
			err = row.handler(s, v)
		}
		if err != nil {
			s.fail(v, err)
		}
	}
}

// admit decides on the access column alone.
func (s *Server) admit(v *visit, needed access) error {
	switch needed {
	case public:
		return nil
	case challenge:
		return s.admitChallenge(v)
	}
	who, err := s.cookies.visitor(v.r)
	if err != nil {
		return err
	}
	v.who = who
	if err := s.shownToVisitor(v); err != nil {
		return err
	}
	if err := s.attend(v); err != nil {
		return err
	}
	if v.who.MustEnroll && needed > enrolling {
		return errStopped
	}
	if needed == admin {
		return account.MayAdminister(v.author())
	}
	return nil
}

// attend notes that somebody signed in was here, and discards the secret that is pending
// when they open a page.
func (s *Server) attend(v *visit) error {
	if err := s.store.Touch(v.ctx(), v.who, v.now); err != nil {
		return err
	}
	if v.who.State == twofactor.Pending && v.loadsPage() {
		if err := s.store.DiscardPending(v.ctx(), v.who); err != nil {
			return err
		}
		v.who.State = twofactor.NotConfigured
	}
	return nil
}

// admitChallenge finds the browser's challenge. Where it has led to a session already,
// the form may be the same person's, sent twice: the session keeps the challenge's handle.
func (s *Server) admitChallenge(v *visit) error {
	err := s.findChallenge(v)
	if !errors.Is(err, twofactor.ErrChallengeOver) {
		return err
	}
	if err := s.visitor(v); err != nil {
		return err
	}
	if v.signedIn() {
		if err := v.shownTo(v.who.Handle, errOtherSession); err != nil {
			return err
		}
	}
	return err
}

func (s *Server) findChallenge(v *visit) (err error) {
	v.token = s.cookies.token(v.r, challengeCookie)
	if v.token == "" {
		return twofactor.ErrChallengeOver
	}
	v.challenge, err = s.store.Challenge(v.ctx(), v.token, v.now)
	if err != nil {
		return err
	}
	return v.shownTo(v.challenge.Handle, errOtherChallenge)
}

// shownToVisitor refuses a form that was shown to somebody else's session, or to one that
// has ended, whose person nobody knows any more. One of the visitor's own others counts.
func (s *Server) shownToVisitor(v *visit) error {
	refusal := v.shownTo(v.who.Handle, errOtherSession)
	if refusal == nil {
		return nil
	}
	for _, as := range v.r.PostForm["as"] {
		own, err := s.store.HasSession(v.ctx(), v.who, as)
		if err != nil {
			return err
		}
		if !own {
			return refusal
		}
	}
	return nil
}

// shownTo refuses a form that was shown to another session or challenge than the
// browser's, so that an old tab does not act on whoever has signed in since. A form
// without the field "as" counts: scripts send none.
func (v *visit) shownTo(handle string, refusal error) error {
	for _, as := range v.r.PostForm["as"] {
		if as != handle {
			return refusal
		}
	}
	return nil
}

// visitor finds who is signed in on a public route; nobody is no error.
func (s *Server) visitor(v *visit) error {
	who, err := s.cookies.visitor(v.r)
	if errors.Is(err, db.ErrSignedOut) {
		return nil
	}
	v.who = who
	return err
}

// localPath gives an address to go on to if it is a page of this server, and ""
// otherwise: a link to the sign-in must not lead to somebody else's copy of it.
func localPath(next string) string {
	if len(next) > 1024 || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
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

// wanted is the page that a request was for: its own address, or for an action
// the page that the action belongs to.
func wanted(r *http.Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return localPath(r.URL.RequestURI())
	}
	for _, row := range routes {
		if row.method == r.Method && row.String() == r.Pattern && row.page != "" {
			return localPath(row.pageOf(r))
		}
	}
	return localPath(r.URL.Path)
}

// withNext adds where to go afterwards to an address.
func withNext(address, next string) string {
	if next == "" || next == "/my" || next == address {
		return address
	}
	return address + "?" + url.Values{"next": {next}}.Encode()
}
