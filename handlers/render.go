package handlers

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gatehouse/db"
	"gatehouse/twofactor"
	"gatehouse/views"

	"github.com/a-h/templ"
)

// show answers with a fragment to htmx, and otherwise with the whole page that holds the
// same fragment. It renders before it writes, so that an error while rendering does not
// send half a page.
func (s *Server) show(rc *requestContext, status int, fragment, page templ.Component) error {
	component := page
	if rc.isHTMX() {
		component = fragment
	}
	b := templ.GetBuffer()
	defer templ.ReleaseBuffer(b)
	if err := component.Render(views.WithHandle(rc.ctx(), rc.handle()), b); err != nil {
		return fmt.Errorf("rendering: %w", err)
	}
	h := rc.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if mayCompress(rc.r) {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(rc.r) {
			h.Set("Content-Encoding", "gzip")
			rc.w.WriteHeader(status)
			compress(rc.w, b.Bytes())
			return nil
		}
	}
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	rc.w.WriteHeader(status)
	_, _ = rc.w.Write(b.Bytes()) // the browser may be gone
	return nil
}

// handle names the session or challenge that a page is shown to; "" for neither.
func (rc *requestContext) handle() string {
	if rc.isSignedIn() {
		return rc.visitor.Handle
	}
	return rc.challenge.Handle
}

// mayCompress reports whether an answer to the request may be compressed. BREACH
// reads a secret off the length of compressed answers when the same answer holds
// text of the attacker's choice. Our secrets (the QR code, recovery codes,
// one-time links) stand in answers to POST alone, and text that a link can carry
// comes in the query: a GET without a query has neither, and most pages are that.
func mayCompress(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.RawQuery == ""
}

// gzipWriters are reused writers: each has tables of 800 KB.
var gzipWriters = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails only for unknown levels
	return z
}}

// compress writes a body at the level where most of the gain is.
func compress(w io.Writer, body []byte) {
	z := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(z)
	z.Reset(w)
	_, _ = z.Write(body) // the browser may be gone
	_ = z.Close()
}

// redirect redirects the browser to another page. htmx would put the page into the card,
// so it is told to go there itself.
func (s *Server) redirect(rc *requestContext, address string) error {
	if rc.isHTMX() {
		rc.w.Header().Set("HX-Redirect", address)
		rc.w.WriteHeader(http.StatusOK)
		return nil
	}
	http.Redirect(rc.w, rc.r, address, http.StatusSeeOther)
	return nil
}

// leadsOut are how addresses of ours begin that redirect to another host. Browsers stop a
// form there, by the pages' policy (form-action), redirects included.
var leadsOut = []string{"/enter/", "/oauth/authorize"}

// goOn sends the browser on after a form, to one of our own addresses.
func (s *Server) goOn(rc *requestContext, address string) error {
	if slices.ContainsFunc(leadsOut, func(begin string) bool { return strings.HasPrefix(address, begin) }) {
		return s.leave(rc, address)
	}
	return s.redirect(rc, address)
}

// leave sends the browser on from a form to where no form may lead: with a page that goes
// on by itself, and has a link.
func (s *Server) leave(rc *requestContext, address string) error {
	if rc.isHTMX() {
		return s.redirect(rc, address)
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	page := views.OnwardPage(f, address)
	return s.show(rc, http.StatusOK, page, page)
}

// frame is what surrounds the page of this request.
func (s *Server) frame(rc *requestContext) (views.Frame, error) {
	f := views.Frame{Assets: s.assets, Path: rc.r.URL.Path, Now: rc.now}
	if !rc.isSignedIn() {
		var err error
		f.Workspace, err = s.store.WorkspaceName(rc.ctx(), rc.now)
		return f, err
	}
	var err error
	if f.Message, err = s.findMessage(rc); err != nil {
		return f, err
	}
	f.Workspace = rc.visitor.Workspace.Name
	f.Visitor = views.Visitor{
		Name:       rc.visitor.Person.Name,
		Email:      rc.visitor.Person.Email,
		Role:       rc.visitor.Person.Role,
		MustEnroll: rc.visitor.MustEnroll,
	}
	if f.Policy, err = s.announcement(rc); err != nil {
		return f, err
	}
	if rc.visitor.Person.Role.Admin() {
		if f.Notices, err = s.notices(rc); err != nil {
			return f, err
		}
	}
	return f, nil
}

// refusalStatus maps a refusal to its status: 429 for a wait and for what is closed,
// 422 for anything else that was typed, 200 for none.
func (s *Server) refusalStatus(rc *requestContext, refusal error) int {
	wait, waiting := retryAfter(refusal, rc.now)
	switch {
	case waiting:
		rc.w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)))
		return http.StatusTooManyRequests
	case errors.Is(refusal, twofactor.ErrClosed):
		return http.StatusTooManyRequests // until somebody unlocks it: there is no time to name
	case refusal != nil:
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

// viewSessions returns the store's sessions as the profile shows them.
func viewSessions(list []db.Session) []views.Session {
	out := make([]views.Session, 0, len(list))
	for _, session := range list {
		out = append(out, views.Session{
			ID:        session.Handle,
			Browser:   views.Browser(session.Browser),
			Address:   session.Address,
			StartedAt: session.StartedAt,
			SeenAt:    session.SeenAt,
			Current:   session.Current,
		})
	}
	return out
}
