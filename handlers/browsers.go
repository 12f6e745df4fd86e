package handlers

import (
	"errors"
	"net/http"

	"gatehouse/db"
	"gatehouse/views"
)

// knownBrowsers lists the browsers that the visitor is known by.
func (s *Server) knownBrowsers(rc *requestContext) ([]views.KnownBrowser, error) {
	list, err := s.store.KnownBrowsers(rc.ctx(), rc.visitor, rc.client, rc.now)
	if err != nil {
		return nil, err
	}
	out := make([]views.KnownBrowser, 0, len(list))
	for _, one := range list {
		out = append(out, views.KnownBrowser{
			ID:      one.Handle,
			Browser: views.Browser(one.Browser),
			Address: one.Address,
			MadeAt:  one.MadeAt,
			SeenAt:  one.SeenAt,
			Current: one.Current,
		})
	}
	return out, nil
}

// forgetBrowser forgets one of the browsers that the visitor is known by.
func (s *Server) forgetBrowser(rc *requestContext) error {
	handle := rc.r.PostFormValue("browser")
	if handle == "" {
		return errBadForm // nobody said which
	}
	err := s.store.ForgetBrowser(rc.ctx(), rc.visitor, handle, rc.client, rc.now)
	if err != nil && !errors.Is(err, db.ErrNotFound) { // one that is forgotten already is what was asked for
		return err
	}
	return s.redirectWithMessage(rc, "/my/profile", pageMessage{word: "browser"})
}

// changePasswordPage leads password managers to where a password is changed
// (W3C, A Well-Known URL for Changing Passwords).
func (s *Server) changePasswordPage(rc *requestContext) error {
	http.Redirect(rc.w, rc.r, "/my/profile", http.StatusSeeOther)
	return nil
}
