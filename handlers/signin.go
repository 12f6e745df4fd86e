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

// showStart leads to the portal, which leads to the sign-in.
func (s *Server) showStart(v *visit) error { return s.goTo(v, "/my") }

// showSignIn shows the form, or leads on whoever is signed in already.
func (s *Server) showSignIn(v *visit) error {
	next := localPath(v.r.FormValue("next"))
	if err := s.visitor(v); err != nil {
		return err
	}
	if v.signedIn() {
		if next == "" {
			next = "/my"
		}
		return s.goTo(v, next)
	}
	notice, err := s.messageFor(v)
	if err != nil {
		return err
	}
	if notice.IsZero() && next != "" {
		notice = views.SignInToContinue()
	}
	if s.cookieLost(v) {
		notice = views.CookieLost()
	}
	return s.showSignInCard(v, http.StatusOK, views.SignIn{Next: next, Notice: notice})
}

// cookieLost reports whether the browser comes from the form of the sign-in or of the
// set-up, which lead on only whom they have let in, and yet sends none of our cookies: it
// does not keep them. A redirect keeps the Referer of the form (Fetch, section 4.4).
func (s *Server) cookieLost(v *visit) bool {
	for _, cookie := range []string{sessionCookie, challengeCookie, browserCookie, messageCookie} {
		if s.cookies.token(v.r, cookie) != "" {
			return false
		}
	}
	from, err := url.Parse(v.r.Referer())
	if err != nil || from.Host != v.r.Host {
		return false
	}
	return from.Path == "/signin" || strings.HasPrefix(from.Path, "/setup/")
}

func (s *Server) showSignInCard(v *visit, status int, card views.SignIn) error {
	f, err := s.frame(v)
	if err != nil {
		return err
	}
	return s.show(v, status, views.SignInCard(card), views.SignInPage(f, card))
}

// signIn checks e-mail and password.
func (s *Server) signIn(v *visit) error {
	card := views.SignIn{Email: v.r.PostFormValue("email"), Next: localPath(v.r.PostFormValue("next"))}
	result, err := s.store.SignIn(v.ctx(), card.Email, v.r.PostFormValue("password"), card.Next, v.client, v.now)
	s.logRefusal(v, err, account.ByPassword)
	if db.IsRefusal(err) {
		card.Alert = views.SignInRefused(err, v.now)
		card.Wait, _ = waitOf(err, v.now)
		return s.showSignInCard(v, s.statusOf(v, err), card)
	}
	if err != nil {
		return err
	}
	if err := s.cookies.pass(v, result); err != nil {
		return err
	}
	if result.Challenge != "" {
		return s.goTo(v, "/signin/two-factor")
	}
	return s.goOn(v, result)
}

// goOn leads to where somebody was going before the sign-in.
func (s *Server) goOn(v *visit, p db.SignInResult) error {
	if p.Next != "" {
		return s.goTo(v, p.Next)
	}
	return s.goTo(v, "/my")
}

// showChallenge shows the second step.
func (s *Server) showChallenge(v *visit) error {
	return s.showChallengeCard(v, http.StatusOK, views.Challenge{})
}

func (s *Server) showChallengeCard(v *visit, status int, card views.Challenge) error {
	var err error
	if card.Sheet, err = s.store.RecoverySheet(v.ctx(), v.challenge); err != nil {
		return err
	}
	f, err := s.frame(v)
	if err != nil {
		return err
	}
	card.Email = v.challenge.Email
	return s.show(v, status, views.ChallengeCard(card), views.ChallengePage(f, card))
}

// verifyCode passes the second step with what was typed into the field for a code from the app.
func (s *Server) verifyCode(v *visit) error {
	typed := v.r.PostFormValue("code")
	if twofactor.KindOf(typed) == twofactor.CodeOfRecovery {
		return s.passWithRecoveryCode(v, typed, s.refuseCode)
	}
	return s.passWithCode(v, typed, s.refuseCode)
}

// redeemRecoveryCode passes the second step with what was typed into the field for a recovery code.
func (s *Server) redeemRecoveryCode(v *visit) error {
	typed := v.r.PostFormValue("recovery_code")
	if twofactor.KindOf(typed) == twofactor.CodeOfApp {
		return s.passWithCode(v, typed, s.refuseRecoveryCode)
	}
	return s.passWithRecoveryCode(v, typed, s.refuseRecoveryCode)
}

// passWithCode passes the second step with a code from the app, or has the refusal shown at the field that was used.
func (s *Server) passWithCode(v *visit, typed string, refuse func(*visit, error) error) error {
	result, err := s.store.VerifyCode(v.ctx(), v.token, typed, v.client, v.now)
	var wrong twofactor.WrongCode
	if errors.As(err, &wrong) && wrong.Left == 0 {
		s.logFailure(v, account.SignInFailedMax, account.ByCode)
		return s.endChallenge(v, err)
	}
	s.logRefusal(v, err, account.ByCode)
	return s.challengeAnswered(v, result, err, refuse)
}

// passWithRecoveryCode passes the second step with a recovery code, or has the refusal shown at the
// field that was used.
func (s *Server) passWithRecoveryCode(v *visit, typed string, refuse func(*visit, error) error) error {
	result, left, err := s.store.RedeemRecoveryCode(v.ctx(), v.token, typed, v.client, v.now)
	if errors.Is(err, twofactor.ErrWrongRecovery) && left == 0 {
		s.logFailure(v, account.SignInFailedMax, account.ByRecovery)
		return s.endChallenge(v, err)
	}
	s.logRefusal(v, err, account.ByRecovery)
	return s.challengeAnswered(v, result, err, refuse)
}

// challengeAnswered goes on after the right code, and shows the challenge again after a refusal that leaves it open.
func (s *Server) challengeAnswered(v *visit, result db.SignInResult, err error, refuse func(*visit, error) error) error {
	if db.IsRefusal(err) && !errors.Is(err, twofactor.ErrChallengeOver) {
		return refuse(v, err)
	}
	if err != nil {
		return err
	}
	if err := s.cookies.pass(v, result); err != nil {
		return err
	}
	return s.goOn(v, result)
}

func (s *Server) refuseCode(v *visit, refusal error) error {
	card := views.Challenge{
		CodeAlert: views.ChallengeRefused(refusal, v.now),
		ShowSheet: errors.Is(refusal, twofactor.ErrWrongRecovery),
	}
	card.Wait, _ = waitOf(refusal, v.now)
	return s.showChallengeCard(v, s.statusOf(v, refusal), card)
}

func (s *Server) refuseRecoveryCode(v *visit, refusal error) error {
	card := views.Challenge{RecoveryAlert: views.ChallengeRefused(refusal, v.now)}
	card.Wait, _ = waitOf(refusal, v.now)
	return s.showChallengeCard(v, s.statusOf(v, refusal), card)
}

// endChallenge shows the sign-in again after the last wrong code.
func (s *Server) endChallenge(v *visit, refusal error) error {
	if err := s.cookies.set(v, challengeCookie, ""); err != nil {
		return err
	}
	return s.showSignInCard(v, http.StatusUnprocessableEntity, views.SignIn{
		Email: v.challenge.Email,
		Alert: views.ChallengeEnded(refusal, v.now),
	})
}

// cancelChallenge goes back to the sign-in, for somebody else.
func (s *Server) cancelChallenge(v *visit) error {
	if err := s.store.CancelChallenge(v.ctx(), v.token); err != nil {
		return err
	}
	if err := s.cookies.set(v, challengeCookie, ""); err != nil {
		return err
	}
	return s.goTo(v, "/signin")
}

// signOut ends the session; its pending enrolment goes with it.
func (s *Server) signOut(v *visit) error {
	if err := s.store.EndSession(v.ctx(), v.who, v.client, v.now); err != nil {
		return err
	}
	if err := s.cookies.set(v, sessionCookie, ""); err != nil {
		return err
	}
	return s.goToSignIn(v, "signed-out")
}
