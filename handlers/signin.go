package handlers

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/twofactor"
	"gatehouse/views"
)

// redirectToPortal redirects to the portal, which redirects to the sign-in.
func (s *Server) redirectToPortal(rc *requestContext) error { return s.redirect(rc, "/my") }

// showSignIn shows the form, or redirects whoever is signed in already.
func (s *Server) showSignIn(rc *requestContext) error {
	next := localPath(rc.r.FormValue("next"))
	if err := s.findVisitor(rc); err != nil {
		return err
	}
	if rc.isSignedIn() {
		if next == "" {
			next = "/my"
		}
		return s.redirect(rc, next)
	}
	notice, err := s.findMessage(rc)
	if err != nil {
		return err
	}
	if notice.IsZero() && next != "" {
		notice = views.SignInToContinue()
	}
	if s.isCookieLost(rc) {
		notice = views.CookieLost()
	}
	return s.showSignInCard(rc, http.StatusOK, views.SignIn{Email: loginHint(next), Next: next, Notice: notice})
}

// isCookieLost reports whether the browser comes from the form of the sign-in or of the
// set-up, which lead on only whom they have let in, and yet sends none of our cookies: it
// does not keep them. A redirect keeps the Referer of the form (Fetch, section 4.4).
func (s *Server) isCookieLost(rc *requestContext) bool {
	for _, cookie := range []string{sessionCookie, challengeCookie, browserCookie, messageCookie} {
		if s.cookies.token(rc.r, cookie) != "" {
			return false
		}
	}
	from, err := url.Parse(rc.r.Referer())
	if err != nil || from.Host != rc.r.Host {
		return false
	}
	return from.Path == "/signin" || strings.HasPrefix(from.Path, "/setup/")
}

func (s *Server) showSignInCard(rc *requestContext, status int, card views.SignIn) error {
	card.Mails = s.mail != nil
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	_, unable, err := s.party(rc)
	if err != nil {
		return err
	}
	card.Passkeys = unable == ""
	return s.show(rc, status, views.SignInCard(card), views.SignInPage(f, card))
}

// signIn checks e-mail and password.
func (s *Server) signIn(rc *requestContext) error {
	card := views.SignIn{Email: rc.r.PostFormValue("email"), Next: localPath(rc.r.PostFormValue("next"))}
	result, err := s.store.SignIn(rc.ctx(), card.Email, rc.r.PostFormValue("password"), card.Next, rc.client, rc.now)
	s.logRefusal(rc, err, account.ByPassword)
	if db.IsRefusal(err) {
		card.Alert = views.SignInRefused(err, rc.now)
		card.Wait, _ = retryAfter(err, rc.now)
		return s.showSignInCard(rc, s.refusalStatus(rc, err), card)
	}
	if err != nil {
		return err
	}
	if err := s.cookies.setCookies(rc, result); err != nil {
		return err
	}
	if result.Challenge != "" {
		return s.redirect(rc, "/signin/two-factor")
	}
	return s.redirectAfterSignIn(rc, result)
}

// redirectAfterSignIn redirects to where somebody was going before the sign-in.
func (s *Server) redirectAfterSignIn(rc *requestContext, p db.SignInResult) error {
	if p.Next != "" {
		return s.goOn(rc, p.Next)
	}
	return s.redirect(rc, "/my")
}

// showChallenge shows the second step.
func (s *Server) showChallenge(rc *requestContext) error {
	return s.showChallengeCard(rc, http.StatusOK, views.Challenge{})
}

func (s *Server) showChallengeCard(rc *requestContext, status int, card views.Challenge) error {
	var err error
	if card.Sheet, err = s.store.RecoverySheet(rc.ctx(), rc.challenge); err != nil {
		return err
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	if err := s.passkeyStep(rc, &card); err != nil {
		return err
	}
	card.Email = rc.challenge.Email
	return s.show(rc, status, views.ChallengeCard(card), views.ChallengePage(f, card))
}

// verifyCode passes the second step with what was typed into the field for a code from the app.
func (s *Server) verifyCode(rc *requestContext) error {
	typed := rc.r.PostFormValue("code")
	if twofactor.KindOf(typed) == twofactor.CodeOfRecovery {
		return s.verifyRecoveryCode(rc, typed, s.refuseCode)
	}
	return s.verifyAppCode(rc, typed, s.refuseCode)
}

// redeemRecoveryCode passes the second step with what was typed into the field for a recovery code.
func (s *Server) redeemRecoveryCode(rc *requestContext) error {
	typed := rc.r.PostFormValue("recovery_code")
	if twofactor.KindOf(typed) == twofactor.CodeOfApp {
		return s.verifyAppCode(rc, typed, s.refuseRecoveryCode)
	}
	return s.verifyRecoveryCode(rc, typed, s.refuseRecoveryCode)
}

// verifyAppCode passes the second step with a code from the app, or has the refusal shown at the field that was used.
func (s *Server) verifyAppCode(rc *requestContext, typed string, refuse func(*requestContext, error) error) error {
	result, err := s.store.VerifyCode(rc.ctx(), rc.token, typed, rc.client, rc.now)
	var wrong twofactor.WrongCode
	if errors.As(err, &wrong) && wrong.Left == 0 {
		s.logFailure(rc, account.SignInFailedMax, account.ByCode)
		return s.showChallengeEnded(rc, err)
	}
	s.logRefusal(rc, err, account.ByCode)
	return s.finishChallenge(rc, result, err, refuse)
}

// verifyRecoveryCode passes the second step with a recovery code, or has the refusal shown at the
// field that was used.
func (s *Server) verifyRecoveryCode(rc *requestContext, typed string, refuse func(*requestContext, error) error) error {
	result, left, err := s.store.RedeemRecoveryCode(rc.ctx(), rc.token, typed, rc.client, rc.now)
	if errors.Is(err, twofactor.ErrWrongRecovery) && left == 0 {
		s.logFailure(rc, account.SignInFailedMax, account.ByRecovery)
		return s.showChallengeEnded(rc, err)
	}
	s.logRefusal(rc, err, account.ByRecovery)
	return s.finishChallenge(rc, result, err, refuse)
}

// finishChallenge goes on after the right code, and shows the challenge again after a refusal that leaves it open.
func (s *Server) finishChallenge(rc *requestContext, result db.SignInResult, err error, refuse func(*requestContext, error) error) error {
	if db.IsRefusal(err) && !errors.Is(err, twofactor.ErrChallengeOver) {
		return refuse(rc, err)
	}
	if err != nil {
		return err
	}
	if err := s.cookies.setCookies(rc, result); err != nil {
		return err
	}
	return s.redirectAfterSignIn(rc, result)
}

func (s *Server) refuseCode(rc *requestContext, refusal error) error {
	card := views.Challenge{
		CodeAlert: views.ChallengeRefused(refusal, rc.now),
		ShowSheet: errors.Is(refusal, twofactor.ErrWrongRecovery),
	}
	card.Wait, _ = retryAfter(refusal, rc.now)
	return s.showChallengeCard(rc, s.refusalStatus(rc, refusal), card)
}

func (s *Server) refuseRecoveryCode(rc *requestContext, refusal error) error {
	card := views.Challenge{RecoveryAlert: views.ChallengeRefused(refusal, rc.now)}
	card.Wait, _ = retryAfter(refusal, rc.now)
	return s.showChallengeCard(rc, s.refusalStatus(rc, refusal), card)
}

// showChallengeEnded shows the sign-in again after the last wrong code.
func (s *Server) showChallengeEnded(rc *requestContext, refusal error) error {
	if err := s.cookies.setCookie(rc, challengeCookie, ""); err != nil {
		return err
	}
	return s.showSignInCard(rc, http.StatusUnprocessableEntity, views.SignIn{
		Email: rc.challenge.Email,
		Alert: views.ChallengeEnded(refusal, rc.now),
	})
}

// cancelChallenge goes back to the sign-in, for somebody else.
func (s *Server) cancelChallenge(rc *requestContext) error {
	if err := s.store.CancelChallenge(rc.ctx(), rc.token); err != nil {
		return err
	}
	if err := s.cookies.setCookie(rc, challengeCookie, ""); err != nil {
		return err
	}
	return s.redirect(rc, "/signin")
}

// signOut ends the session; its pending enrolment goes with it.
func (s *Server) signOut(rc *requestContext) error {
	if err := s.store.EndSession(rc.ctx(), rc.visitor, rc.client, rc.now); err != nil {
		return err
	}
	if err := s.cookies.setCookie(rc, sessionCookie, ""); err != nil {
		return err
	}
	rc.visitor = db.Visitor{} // nobody is signed in there
	return s.redirectWithMessage(rc, withNext("/signin", localPath(rc.r.PostFormValue("next"))), pageMessage{word: "signed-out"})
}
