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
func (s *Server) showSetup(v *visit) error {
	token := v.r.PathValue("token")
	if err := s.store.CheckSetup(v.ctx(), token); err != nil {
		return err
	}
	w, err := s.store.Workspace(v.ctx())
	if err != nil {
		return err
	}
	return s.showSetupCard(v, http.StatusOK, views.Setup{Token: token, Workspace: views.Field{Value: w.Name}})
}

func (s *Server) showSetupCard(v *visit, status int, card views.Setup) error {
	f, err := s.frame(v)
	if err != nil {
		return err
	}
	return s.show(v, status, views.SetupCard(card), views.SetupPage(f, card))
}

// setUp makes the workspace's first Super-administrator.
func (s *Server) setUp(v *visit) error {
	token, workspace := v.r.PathValue("token"), v.r.PostFormValue("workspace")
	n := db.NewPerson{
		Name:     v.r.PostFormValue("name"),
		Email:    v.r.PostFormValue("email"),
		Password: v.r.PostFormValue("password"),
	}
	result, err := s.store.SetUp(v.ctx(), token, workspace, n, v.client, v.now)
	s.logRefusal(v, err, account.ByLink)
	if problems, ok := fieldProblems(err); ok {
		card := views.Setup{
			Token:     token,
			Workspace: problems.field("workspace", workspace),
			Name:      problems.field("name", n.Name),
			Email:     problems.field("email", n.Email),
			Password:  problems.field("password", ""),
		}
		return s.showSetupCard(v, http.StatusUnprocessableEntity, card)
	}
	if errors.As(err, new(twofactor.Wait)) {
		return s.linkRefused(v, err)
	}
	if err != nil {
		return err
	}
	if err := s.cookies.pass(v, result); err != nil {
		return err
	}
	return s.goTo(v, "/my")
}

// problems are the FieldErrors of one form by field, in words.
type problems map[string]string

// fieldProblems reports whether an error is FieldErrors and nothing else.
func fieldProblems(err error) (problems, bool) {
	out := problems{}
	collect(err, out)
	return out, len(out) > 0
}

func collect(err error, into problems) {
	switch e := err.(type) {
	case account.FieldError:
		into[e.Field] = views.FieldErrorText(e)
	case interface{ Unwrap() []error }:
		for _, wrapped := range e.Unwrap() {
			collect(wrapped, into)
		}
	case interface{ Unwrap() error }:
		collect(e.Unwrap(), into)
	}
}

// field gives an input as it was typed, with what is wrong with it.
func (p problems) field(name, typed string) views.Field {
	return views.Field{Value: typed, Error: p[name]}
}
