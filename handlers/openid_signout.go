package handlers

import (
	"errors"
	"net/http"
	"net/url"

	"gatehouse/db"
	"gatehouse/openid"
	"gatehouse/views"
)

const signOutPath = "/oauth/signout"

// A signOutOrder is an app's wish to sign somebody out, with what is known of it.
type signOutOrder struct {
	request openid.SignOutRequest
	app     db.Connection // zero where the app does not say who it is
	hint    openid.Hint   // zero without one that we have signed
}

// errForeignAddress refuses to go on to an address that is not registered for the app.
var errForeignAddress = errors.New("an address to go on to that is not registered")

// postSignOut lets an app that posts its request come by the same way as all others.
func (s *Server) postSignOut(rc *requestContext) error {
	return s.redirect(rc, signOutPath+"?"+rc.r.PostForm.Encode())
}

// showSignOut signs somebody out whom an app has sent: at once where it shows a token of
// this very session, and otherwise after a question. Nobody is sent on but to an address
// that is registered.
func (s *Server) showSignOut(rc *requestContext) error {
	order, err := s.readSignOut(rc, rc.r.URL.Query())
	if err != nil {
		return s.refuseSignOut(rc, err)
	}
	if rc.r.Method == http.MethodHead {
		return nil
	}
	if err := s.findVisitor(rc); err != nil {
		return err
	}
	if !rc.isSignedIn() {
		return s.afterSignOut(rc, order, s.redirect)
	}
	if order.hint.Session == rc.visitor.Handle {
		if err := s.endVisit(rc); err != nil {
			return err
		}
		return s.afterSignOut(rc, order, s.redirect)
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	page := views.SignOutPage(f, views.SignOut{
		App:     order.app.App.Name,
		Name:    rc.visitor.Person.Name,
		Email:   rc.visitor.Person.Email,
		Request: rc.r.URL.RawQuery,
	})
	return s.show(rc, http.StatusOK, page, page)
}

// confirmSignOut signs somebody out who has been asked.
func (s *Server) confirmSignOut(rc *requestContext) error {
	values, err := url.ParseQuery(rc.r.PostFormValue("request"))
	if err != nil {
		return errBadForm
	}
	order, err := s.readSignOut(rc, values)
	if err != nil {
		return s.refuseSignOut(rc, err)
	}
	if err := s.endVisit(rc); err != nil {
		return err
	}
	return s.afterSignOut(rc, order, s.leave)
}

// endVisit ends the visitor's session, with its cookie.
func (s *Server) endVisit(rc *requestContext) error {
	if err := s.store.EndSession(rc.ctx(), rc.visitor, rc.client, rc.now); err != nil {
		return err
	}
	return s.cookies.setCookie(rc, sessionCookie, "")
}

// afterSignOut goes on to the app's address, or says that the sign-out is done.
func (s *Server) afterSignOut(rc *requestContext, order signOutOrder, goOn func(*requestContext, string) error) error {
	rc.visitor = db.Visitor{}
	if order.request.Redirect == "" {
		return s.redirectToSignIn(rc, "signed-out")
	}
	return goOn(rc, order.request.Answer())
}

// readSignOut reads what an app wants: who it is by its token or its name, which must not
// contradict each other, and where it wants people to go, which must be registered for it.
func (s *Server) readSignOut(rc *requestContext, values url.Values) (order signOutOrder, err error) {
	issuer, err := s.issuer()
	if err != nil {
		return order, err
	}
	if order.request, err = openid.ParseSignOut(values); err != nil {
		return order, err
	}
	client := order.request.Client
	if order.request.Hint != "" {
		public, err := s.store.PublishedKeys(rc.ctx(), rc.now)
		if err != nil {
			return order, err
		}
		if hint, err := openid.ReadHint(order.request.Hint, issuer, public); err == nil { // else it counts as none
			if client != "" && client != hint.Client {
				return order, errForeignAddress
			}
			order.hint, client = hint, hint.Client
		}
	}
	if client != "" {
		order.app, err = s.store.ConnectionByClient(rc.ctx(), client)
		if err != nil && !errors.Is(err, db.ErrNotFound) {
			return order, err
		}
	}
	if order.request.Redirect != "" && !order.app.Client.AllowsLogoutRedirect(order.request.Redirect) {
		return order, errForeignAddress
	}
	return order, nil
}

// refuseSignOut answers what cannot be done as the app wants it.
func (s *Server) refuseSignOut(rc *requestContext, err error) error {
	var refusal openid.Refusal
	if !errors.Is(err, errForeignAddress) && !errors.As(err, &refusal) {
		return err
	}
	if err := s.findVisitor(rc); err != nil {
		return err
	}
	s.showProblem(rc, views.SignOutUnreadable())
	return nil
}
