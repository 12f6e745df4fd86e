package handlers

import (
	"net/http"

	"gatehouse/db"
	"gatehouse/twofactor"
	"gatehouse/views"
)

// replaceTwoFactor mints a secret for a new phone and shows it. The old phone's codes go on
// signing in until the new one's is confirmed.
func (s *Server) replaceTwoFactor(rc *requestContext) error {
	e, err := s.store.ReplaceTwoFactor(rc.ctx(), rc.visitor, rc.now)
	if db.IsRefusal(err) {
		return s.showPasskeys(rc, s.refusalStatus(rc, err), views.TwoFactor{Alert: views.EnrollmentRefused(err, rc.now)})
	}
	if err != nil {
		return err
	}
	return s.showTwoFactorScreen(rc, http.StatusOK, views.TwoFactor{Enrollment: e, Replacing: true})
}

// cancelReplacement drops the new phone's secret, and nothing else.
func (s *Server) cancelReplacement(rc *requestContext) error {
	return s.showPasskeys(rc, http.StatusOK, views.TwoFactor{})
}

// exchangeTwoFactor puts the new phone in the old one's place.
func (s *Server) exchangeTwoFactor(rc *requestContext) error {
	e, rotated, err := s.store.ExchangeTwoFactor(rc.ctx(), rc.visitor, rc.r.PostFormValue("code"), rc.client, rc.now)
	if db.IsRefusal(err) {
		card := views.TwoFactor{
			Enrollment: e,
			Replacing:  e.State == twofactor.Pending,
			Alert:      views.ReplacementRefused(err, rc.now),
		}
		if !card.Replacing { // the card is the old phone's again
			var fault error
			if card.Enrollment, fault = s.store.TwoFactor(rc.ctx(), rc.visitor); fault != nil {
				return fault
			}
		}
		return s.showTwoFactorScreen(rc, s.refusalStatus(rc, err), card)
	}
	if err != nil {
		return err
	}
	if err := s.cookies.setCookie(rc, sessionCookie, rotated.Session); err != nil {
		return err
	}
	if e, err = s.store.TwoFactor(rc.ctx(), rc.visitor); err != nil {
		return err
	}
	return s.showTwoFactorScreen(rc, http.StatusOK, views.TwoFactor{Enrollment: e, Success: views.Replaced()})
}

// checkRecoveryCode says whether a recovery code is still good, and does not use it.
func (s *Server) checkRecoveryCode(rc *requestContext) error {
	refusal := s.store.CheckRecoveryCode(rc.ctx(), rc.visitor, rc.r.PostFormValue("recovery_code"), rc.client, rc.now)
	if refusal != nil && !db.IsRefusal(refusal) {
		return refusal
	}
	e, err := s.store.TwoFactor(rc.ctx(), rc.visitor)
	if err != nil {
		return err
	}
	card := views.TwoFactor{Enrollment: e, Check: true}
	if refusal != nil {
		card.Alert = views.CheckRefused(refusal, rc.now, e)
		return s.showTwoFactorScreen(rc, s.refusalStatus(rc, refusal), card)
	}
	card.Success = views.CodeIsGood(e)
	return s.showTwoFactorScreen(rc, http.StatusOK, card)
}
