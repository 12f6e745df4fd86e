package handlers

import (
	"errors"
	"net/http"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/views"
)

// showWelcome shows the page of a one-time link: an invitation or a new password.
func (s *Server) showWelcome(v *visit) error {
	token := v.r.PathValue("token")
	link, err := s.store.Link(v.ctx(), token, v.now)
	if err != nil {
		return s.linkRefused(v, err)
	}
	return s.showWelcomeCard(v, http.StatusOK, views.Welcome{
		Token: token,
		Kind:  link.Kind,
		Email: link.Email,
		Name:  views.Field{Value: link.Name},
	})
}

func (s *Server) showWelcomeCard(v *visit, status int, card views.Welcome) error {
	f, err := s.frame(v)
	if err != nil {
		return err
	}
	return s.show(v, status, views.WelcomeCard(card), views.WelcomePage(f, card))
}

// takeUpLink sets the password, and for an invitation the name. The sign-in
// follows, second step included: a link signs nobody in.
func (s *Server) takeUpLink(v *visit) error {
	token, name := v.r.PathValue("token"), v.r.PostFormValue("name")
	link, err := s.store.UseLink(v.ctx(), token, name, v.r.PostFormValue("password"), v.client, v.now)
	s.logRefusal(v, err, account.ByLink)
	if problems, ok := fieldProblems(err); ok {
		return s.showWelcomeCard(v, http.StatusUnprocessableEntity, views.Welcome{
			Token:    token,
			Kind:     link.Kind,
			Email:    link.Email,
			Name:     problems.field("name", name),
			Password: problems.field("password", ""),
		})
	}
	if err != nil {
		return s.linkRefused(v, err)
	}
	if err := s.visitor(v); err != nil {
		return err
	}
	if v.signedIn() { // as somebody else: the person's own sessions have ended
		return s.goToWith(v, "/my", pageMessage{word: "link-of", person: link.Person})
	}
	return s.goToSignIn(v, "link")
}

// linkRefused answers for a link that does not work, and for an address from
// which too many were tried: that page leads back to the link, which may be right.
func (s *Server) linkRefused(v *visit, err error) error {
	switch {
	case errors.Is(err, db.ErrNotFound):
		s.showProblem(v, views.LinkExpired())
		return nil
	case db.IsRefusal(err):
		s.showProblem(v, views.LinkRefused(s.statusOf(v, err), err, v.r.URL.Path, v.now))
		return nil
	}
	return err
}
