package handlers

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"gatehouse/db"
	"gatehouse/twofactor"
	"gatehouse/views"

	"github.com/a-h/templ"
)

// show answers with a fragment to htmx, and otherwise with the whole page that
// holds the same fragment. It renders before it writes, so that a fault while
// rendering is not half a page.
func (s *Server) show(v *visit, status int, fragment, page templ.Component) error {
	component := page
	if v.htmx() {
		component = fragment
	}
	b := templ.GetBuffer()
	defer templ.ReleaseBuffer(b)
	if err := component.Render(views.WithHandle(v.ctx(), v.handle()), b); err != nil {
		return fmt.Errorf("rendering: %w", err)
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if mayCompress(v.r) {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(v.r) {
			h.Set("Content-Encoding", "gzip")
			v.w.WriteHeader(status)
			compress(v.w, b.Bytes())
			return nil
		}
	}
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	v.w.WriteHeader(status)
	_, _ = v.w.Write(b.Bytes()) // the browser may be gone
	return nil
}

// handle names the session or challenge that a page is shown to; "" for neither.
func (v *visit) handle() string {
	if v.signedIn() {
		return v.who.Handle
	}
	return v.challenge.Handle
}

// mayCompress reports whether an answer to the request may be compressed. BREACH
// reads a secret off the length of compressed answers when the same answer holds
// text of the attacker's choice. Our secrets (the QR code, recovery codes,
// one-time links) stand in answers to POST alone, and text that a link can carry
// comes in the query: a GET without a query has neither, and most pages are that.
func mayCompress(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.RawQuery == ""
}

// zips are writers to be used again: one has tables of 800 KB.
var zips = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails for unknown levels alone
	return z
}}

// compress writes a body at the level where most of the gain is.
func compress(w io.Writer, body []byte) {
	z := zips.Get().(*gzip.Writer)
	defer zips.Put(z)
	z.Reset(w)
	_, _ = z.Write(body) // the browser may be gone
	_ = z.Close()
}

// goTo sends the browser on to another page. htmx would put the page into the
// card, so it is told to go there itself.
func (s *Server) goTo(v *visit, address string) error {
	if v.htmx() {
		v.w.Header().Set("HX-Redirect", address)
		v.w.WriteHeader(http.StatusOK)
		return nil
	}
	http.Redirect(v.w, v.r, address, http.StatusSeeOther)
	return nil
}

// frame is what surrounds the page of this visit.
func (s *Server) frame(v *visit) (views.Frame, error) {
	f := views.Frame{Assets: s.assets, Path: v.r.URL.Path, Now: v.now}
	if !v.signedIn() {
		var err error
		f.Workspace, err = s.store.WorkspaceName(v.ctx())
		return f, err
	}
	var err error
	if f.Message, err = s.messageFor(v); err != nil {
		return f, err
	}
	f.Workspace = v.who.Workspace.Name
	f.Visitor = views.Visitor{
		Name:       v.who.Person.Name,
		Email:      v.who.Person.Email,
		Role:       v.who.Person.Role,
		MustEnroll: v.who.MustEnroll,
	}
	if v.who.Person.Role.Admin() {
		if f.Notices, err = s.notices(v); err != nil {
			return f, err
		}
	}
	return f, nil
}

// statusOf maps a refusal to its status: 429 for a wait and for what is closed,
// 422 for anything else that was typed, 200 for none.
func (s *Server) statusOf(v *visit, refusal error) int {
	wait, waiting := waitOf(refusal, v.now)
	switch {
	case waiting:
		v.w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)))
		return http.StatusTooManyRequests
	case errors.Is(refusal, twofactor.ErrClosed):
		return http.StatusTooManyRequests // until somebody unlocks it: there is no time to name
	case refusal != nil:
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

// sessionsOf gives the store's sessions as the profile shows them.
func sessionsOf(list []db.Session) []views.Session {
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
