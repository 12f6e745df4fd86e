package handlers

import (
	"errors"
	"net/http"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/twofactor"
	"gatehouse/views"
)

// showSetup shows the form of the first run.
func (s *Server) showSetup(rc *requestContext) error {
	token := rc.r.PathValue("token")
	if err := s.store.CheckSetup(rc.ctx(), token); err != nil {
		return err
	}
	w, err := s.store.Workspace(rc.ctx())
	if err != nil {
		return err
	}
	return s.showSetupCard(rc, http.StatusOK, views.Setup{Token: token, Workspace: views.Field{Value: w.Name}})
}

func (s *Server) showSetupCard(rc *requestContext, status int, card views.Setup) error {
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, status, views.SetupCard(card), views.SetupPage(f, card))
}

// setUp makes the workspace's first Super-administrator.
func (s *Server) setUp(rc *requestContext) error {
	token, workspace := rc.r.PathValue("token"), rc.r.PostFormValue("workspace")
	n := db.NewPerson{
		Name:     rc.r.PostFormValue("name"),
		Email:    rc.r.PostFormValue("email"),
		Password: rc.r.PostFormValue("password"),
	}
	result, err := s.store.SetUp(rc.ctx(), token, workspace, n, rc.client, rc.now)
	s.logRefusal(rc, err, account.ByLink)
	if problems, ok := fieldMessagesOf(err); ok {
		card := views.Setup{
			Token:     token,
			Workspace: problems.field("workspace", workspace),
			Name:      problems.field("name", n.Name),
			Email:     problems.field("email", n.Email),
			Password:  problems.field("password", ""),
		}
		return s.showSetupCard(rc, http.StatusUnprocessableEntity, card)
	}
	if errors.As(err, new(twofactor.Wait)) {
		return s.showLinkRefusal(rc, err)
	}
	if err != nil {
		return err
	}
	if err := s.cookies.setCookies(rc, result); err != nil {
		return err
	}
	return s.redirect(rc, "/my")
}

// fieldMessages are the FieldErrors of one form by field, in words.
type fieldMessages map[string]string

// fieldMessagesOf reports whether an error is FieldErrors and nothing else.
func fieldMessagesOf(err error) (fieldMessages, bool) {
	out := fieldMessages{}
	collectFieldErrors(err, out)
	return out, len(out) > 0
}

func collectFieldErrors(err error, into fieldMessages) {
	switch e := err.(type) {
	case account.FieldError:
		into[e.Field] = views.FieldErrorText(e)
	case interface{ Unwrap() []error }:
		for _, wrapped := range e.Unwrap() {
			collectFieldErrors(wrapped, into)
		}
	case interface{ Unwrap() error }:
		collectFieldErrors(e.Unwrap(), into)
	}
}

// field returns an input as it was typed, with what is wrong with it.
func (p fieldMessages) field(name, typed string) views.Field {
	return views.Field{Value: typed, Error: p[name]}
}
