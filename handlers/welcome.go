package handlers

import (
	"errors"
	"net/http"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/views"
)

// showWelcome shows the page of a one-time link: an invitation or a new password.
func (s *Server) showWelcome(rc *requestContext) error {
	token := rc.r.PathValue("token")
	link, err := s.store.Link(rc.ctx(), token, rc.now)
	if err != nil {
		return s.showLinkRefusal(rc, err)
	}
	return s.showWelcomeCard(rc, http.StatusOK, views.Welcome{
		Token: token,
		Kind:  link.Kind,
		Email: link.Email,
		Name:  views.Field{Value: link.Name},
	})
}

func (s *Server) showWelcomeCard(rc *requestContext, status int, card views.Welcome) error {
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, status, views.WelcomeCard(card), views.WelcomePage(f, card))
}

// useLink sets the password, and for an invitation the name. The sign-in
// follows, second step included: a link signs nobody in.
func (s *Server) useLink(rc *requestContext) error {
	token, name := rc.r.PathValue("token"), rc.r.PostFormValue("name")
	link, err := s.store.UseLink(rc.ctx(), token, name, rc.r.PostFormValue("password"), rc.client, rc.now)
	s.logRefusal(rc, err, account.ByLink)
	if problems, ok := fieldMessagesOf(err); ok {
		return s.showWelcomeCard(rc, http.StatusUnprocessableEntity, views.Welcome{
			Token:    token,
			Kind:     link.Kind,
			Email:    link.Email,
			Name:     problems.field("name", name),
			Password: problems.field("password", ""),
		})
	}
	if err != nil {
		return s.showLinkRefusal(rc, err)
	}
	if err := s.findVisitor(rc); err != nil {
		return err
	}
	if rc.isSignedIn() { // as somebody else: the person's own sessions have ended
		return s.redirectWithMessage(rc, "/my", pageMessage{word: "link-of", person: link.Person})
	}
	return s.redirectToSignIn(rc, "link")
}

// showLinkRefusal answers for a link that does not work, and for an address from
// which too many were tried: that page leads back to the link, which may be right.
func (s *Server) showLinkRefusal(rc *requestContext, err error) error {
	switch {
	case errors.Is(err, db.ErrNotFound):
		s.showProblem(rc, views.LinkExpired())
		return nil
	case db.IsRefusal(err):
		s.showProblem(rc, views.LinkRefused(s.refusalStatus(rc, err), err, rc.r.URL.Path, rc.now))
		return nil
	}
	return err
}
