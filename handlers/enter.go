package handlers

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/views"
)

// enterApp opens an app: for the app's own host, which has asked for it, with a ticket, and
// from My portal or a bookmark at the app's address. What is missing is asked for first.
func (s *Server) enterApp(rc *requestContext) error {
	a, err := s.store.AppBySlug(rc.ctx(), rc.r.PathValue("app"))
	if err != nil {
		return err
	}
	if rc.r.Method == http.MethodHead {
		return nil // looks, and opens nothing
	}
	answer, err := s.store.AppAnswer(rc.ctx(), rc.visitor, a, rc.now)
	if err != nil {
		return err
	}
	here := localPath(rc.r.URL.RequestURI())
	switch {
	case answer == apps.MayNot:
		return s.refuseEnter(rc, a)
	case answer == apps.SecondStepDue && !rc.visitor.Enrolled:
		return s.redirect(rc, withNext("/my/profile/two-factor", here))
	case answer != apps.May:
		return s.redirect(rc, withNext(againPath, here))
	}
	query := rc.r.URL.Query()
	way, state := apps.Way(query.Get("to")), query.Get("state")
	if !a.Guarded || !db.IsToken(state) { // the app's host asks for what it needs
		if err := s.store.NoteAppOpened(rc.ctx(), rc.visitor, a, rc.client, rc.now); err != nil {
			return err
		}
		return s.redirect(rc, a.Address.String()+way)
	}
	ticket, err := s.store.NewTicket(rc.ctx(), rc.visitor, a.ID, state, way, rc.client, rc.now)
	if errors.Is(err, db.ErrMayNot) {
		return s.refuseEnter(rc, a)
	}
	if err != nil {
		return err
	}
	return s.redirect(rc, a.Address.String()+enterPath+"?"+url.Values{"ticket": {ticket}}.Encode())
}

// refuseEnter says to somebody which rule keeps them out of an app.
func (s *Server) refuseEnter(rc *requestContext, a apps.App) error {
	if err := s.store.NoteAppRefused(rc.ctx(), rc.visitor, a, rc.client, rc.now); err != nil {
		return err
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	page := views.NotAllowedPage(f, a, rc.visitor.Person.Email, withNext("/signout", "/enter/"+a.Slug))
	return s.show(rc, http.StatusForbidden, page, page)
}

// askingApp is the name of the app to which an address leads on, if it opens to nobody without a
// second step; else "".
func (s *Server) askingApp(rc *requestContext, next string) (string, error) {
	path, query, _ := strings.Cut(next, "?")
	var a apps.App
	var err error
	if slug, ok := strings.CutPrefix(path, "/enter/"); ok {
		a, err = s.store.AppBySlug(rc.ctx(), slug)
	} else if path == authorizePath {
		values, _ := url.ParseQuery(query) // what can be read of it
		var c db.Connection
		c, err = s.store.ConnectionByClient(rc.ctx(), values.Get("client_id"))
		a = c.App
	}
	if errors.Is(err, db.ErrNotFound) {
		return "", nil
	}
	if err != nil || !a.Access.SecondStep {
		return "", err
	}
	return a.Name, nil
}

// showLeaveApp asks somebody who wants to leave an app whether to sign out: one sign-in opens
// all apps, so one sign-out closes them.
func (s *Server) showLeaveApp(rc *requestContext) error {
	if err := s.findVisitor(rc); err != nil {
		return err
	}
	if !rc.isSignedIn() {
		return s.redirect(rc, "/signin")
	}
	a, err := s.store.AppBySlug(rc.ctx(), rc.r.PathValue("app"))
	if err != nil {
		return err
	}
	return s.showLeaveCard(rc, views.Leave{
		App:    a.Name,
		Back:   a.Address.String(),
		Action: "/enter/" + a.Slug + "/signout",
	})
}

// showLeavePortal asks somebody whether to sign out, and to go on as somebody else.
func (s *Server) showLeavePortal(rc *requestContext) error {
	next := localPath(rc.r.URL.Query().Get("next"))
	if err := s.findVisitor(rc); err != nil {
		return err
	}
	if !rc.isSignedIn() {
		return s.redirect(rc, withNext("/signin", next))
	}
	return s.showLeaveCard(rc, views.Leave{Back: "/my", Action: "/signout", Next: next})
}

func (s *Server) showLeaveCard(rc *requestContext, card views.Leave) error {
	card.Email = rc.visitor.Person.Email
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	page := views.LeavePage(f, card)
	return s.show(rc, http.StatusOK, page, page)
}
