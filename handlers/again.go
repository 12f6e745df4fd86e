package handlers

import (
	"maps"
	"net/http"
	"slices"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/twofactor"
	"gatehouse/views"
)

// withProof is an act, or a page with a form that cannot be kept, that asks first for a
// proof younger than account.ProofTTL: the password, or a passkey that verifies its owner.
// The act then goes on with what was typed.
func withProof(act func(*Server, *requestContext) error) func(*Server, *requestContext) error {
	return func(s *Server, rc *requestContext) error {
		if ok, err := s.prove(rc); !ok {
			return err
		}
		return act(s, rc)
	}
}

// withProofForAdmins asks for the proof where somebody is an admin, or becomes one.
func withProofForAdmins(act func(*Server, *requestContext) error) func(*Server, *requestContext) error {
	return func(s *Server, rc *requestContext) error {
		id, err := rc.id()
		if err != nil {
			return err
		}
		p, err := s.store.Person(rc.ctx(), id)
		if err != nil {
			return err
		}
		if p.Role.Admin() || twofactor.Role(rc.r.PostFormValue("role")).Admin() {
			return withProof(act)(s, rc)
		}
		return act(s, rc)
	}
}

// notKept are the fields that a panel does not hand on: secrets, and what it has itself.
var notKept = []string{"as", "again", "password", "code", "credential", "current_password", "new_password", "recovery_code"}

// prove reports whether the visitor's proof is fresh, or becomes so with this form.
// Otherwise it has answered with the panel that asks for it, and nothing has changed.
func (s *Server) prove(rc *requestContext) (bool, error) {
	if account.IsFresh(rc.visitor.AuthenticatedAt, rc.now) {
		return true, nil
	}
	if rc.r.Method != http.MethodPost {
		return false, s.redirect(rc, withNext("/signin/again", localPath(rc.r.URL.RequestURI())))
	}
	card := views.Again{Action: rc.r.URL.RequestURI(), Cancel: rc.page}
	if card.Cancel == "" {
		card.Cancel = rc.r.URL.Path
	}
	for _, name := range slices.Sorted(maps.Keys(rc.r.PostForm)) {
		if slices.Contains(notKept, name) {
			continue
		}
		for _, value := range rc.r.PostForm[name] {
			card.Fields = append(card.Fields, views.TypedField{Name: name, Value: value})
		}
	}
	return s.proveBy(rc, card)
}

// proveBy takes the password or the passkey of a panel's form; with neither it shows the
// panel.
func (s *Server) proveBy(rc *requestContext, card views.Again) (bool, error) {
	var err error
	password, given := rc.r.PostForm["password"]
	switch {
	case rc.r.PostFormValue("again") == "passkey":
		err = s.proveByPasskey(rc)
		card.Alert = views.Refused(err, rc.now)
	case given:
		err = s.proveByPassword(rc, password[0])
		card.Alert = views.ProofRefused(err, rc.now)
	default:
		return false, s.showAgain(rc, http.StatusOK, card)
	}
	if db.IsRefusal(err) {
		return false, s.showAgain(rc, s.refusalStatus(rc, err), card)
	}
	if err == nil {
		rc.visitor.AuthenticatedAt = rc.now
	}
	return err == nil, err
}

func (s *Server) proveByPassword(rc *requestContext, password string) error {
	if s.needsCode(rc) {
		return s.store.ReauthenticateWithCode(rc.ctx(), rc.visitor, password, rc.r.PostFormValue("code"), rc.client, rc.now)
	}
	return s.store.Reauthenticate(rc.ctx(), rc.visitor, password, rc.client, rc.now)
}

// needsCode reports whether the visitor has the app, and this session has not shown it.
func (s *Server) needsCode(rc *requestContext) bool {
	return rc.visitor.State == twofactor.Enabled && rc.visitor.SecondStepAt.IsZero()
}

func (s *Server) proveByPasskey(rc *requestContext) error {
	party, unable, err := s.party(rc)
	if err != nil {
		return err
	}
	if unable != "" {
		return twofactor.ErrWrongPasskey
	}
	return s.store.StepUpWithPasskey(rc.ctx(), rc.visitor, party, rc.r.PostFormValue("credential"), rc.client, rc.now)
}

// showAgain shows the panel, in place of the whole page's content for htmx too.
func (s *Server) showAgain(rc *requestContext, status int, card views.Again) error {
	party, unable, err := s.party(rc)
	if err == nil && unable == "" {
		card.Passkey, err = s.store.BeginStepUp(rc.ctx(), rc.visitor, party, rc.now)
	}
	if err != nil {
		return err
	}
	card.Email, card.Code = rc.visitor.Person.Email, s.needsCode(rc)
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	f.Path = card.Cancel
	if rc.isHTMX() {
		rc.w.Header().Set("HX-Retarget", "#content")
		rc.w.Header().Set("HX-Reswap", "innerHTML")
	}
	return s.show(rc, status, views.AgainCard(card), views.AgainPage(f, card))
}

// showAgainPage asks for a proof by itself, and goes on to a page afterwards.
func (s *Server) showAgainPage(rc *requestContext) error {
	return s.showAgain(rc, http.StatusOK, againCard(rc))
}

func againCard(rc *requestContext) views.Again {
	card := views.Again{Action: "/signin/again", Cancel: "/my"}
	if next := localPath(rc.r.FormValue("next")); next != "" {
		card.Fields = []views.TypedField{{Name: "next", Value: next}}
	}
	return card
}

// proveAgain takes the proof that showAgainPage asks for.
func (s *Server) proveAgain(rc *requestContext) error {
	if ok, err := s.proveBy(rc, againCard(rc)); !ok {
		return err
	}
	next := localPath(rc.r.PostFormValue("next"))
	if next == "" {
		next = "/my"
	}
	return s.goOn(rc, next)
}
