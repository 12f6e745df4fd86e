package handlers

import (
	"errors"
	"net/http"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/twofactor"
	"gatehouse/views"
)

// showHome shows My portal.
func (s *Server) showHome(rc *requestContext) error {
	e, err := s.store.TwoFactor(rc.ctx(), rc.visitor)
	if err != nil {
		return err
	}
	events, err := s.store.EventsSince(rc.ctx(), rc.visitor)
	if err != nil {
		return err
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	card := views.Home{Since: rc.visitor.PreviousSignInAt, State: e.Factors(), Advice: views.HomeAdvice(e), NoApp: e.NoApp()}
	if card.Launcher, err = s.launcher(rc, rc.visitor.Enrolled); err != nil {
		return err
	}
	for _, event := range events {
		card.Events = append(card.Events, views.AccountEventText(event.Event, event.Count, event.LastAt, event.By))
	}
	return s.show(rc, http.StatusOK, views.HomeCards(card), views.HomePage(f, card))
}

// showHelp shows our own guide to two-factor authentication, to everybody: those who
// cannot sign in need it most.
func (s *Server) showHelp(rc *requestContext) error {
	help, err := s.findHelp(rc)
	if err != nil {
		return err
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, http.StatusOK, views.HelpCards(help), views.HelpPage(f, help))
}

// findHelp finds where the reader goes on from the guide. For somebody signed in it is a
// page like any other.
func (s *Server) findHelp(rc *requestContext) (views.Help, error) {
	err := s.findVisitor(rc)
	if err != nil {
		return views.Help{}, err
	}
	if rc.isSignedIn() {
		return views.HelpFromPortal(), s.touchSession(rc)
	}
	err = s.findChallenge(rc)
	if errors.Is(err, twofactor.ErrChallengeOver) {
		return views.HelpFromSignIn(), nil
	}
	return views.HelpFromChallenge(), err
}

// showProfile shows My profile.
func (s *Server) showProfile(rc *requestContext) error {
	return s.showProfileCards(rc, http.StatusOK, views.Profile{})
}

func (s *Server) showProfileCards(rc *requestContext, status int, card views.Profile) error {
	e, err := s.store.TwoFactor(rc.ctx(), rc.visitor)
	if err != nil {
		return err
	}
	list, err := s.store.Sessions(rc.ctx(), rc.visitor, rc.now)
	if err != nil {
		return err
	}
	if card.PasswordChangedAt, err = s.store.PasswordChangedAt(rc.ctx(), rc.visitor); err != nil {
		return err
	}
	events, err := s.store.OwnActivity(rc.ctx(), rc.visitor, ownActivityShown)
	if err != nil {
		return err
	}
	for _, event := range events {
		card.Events = append(card.Events, views.Event{
			At:      event.At,
			Text:    views.EventText(event.Event, event.OK, event.Method, event.Detail),
			Address: event.Address,
			By:      event.By(),
		})
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	card.Email, card.Mails = rc.visitor.Person.Email, s.mail != nil
	card.State, card.ConfirmedAt, card.Sheet, card.NoApp = e.Factors(), e.ConfirmedAt, e.Sheet, e.NoApp()
	card.Sessions = viewSessions(list)
	if card.Browsers, err = s.knownBrowsers(rc); err != nil {
		return err
	}
	return s.show(rc, status, views.ProfileCards(card), views.ProfilePage(f, card))
}

// ownActivityShown is how many rows of the own activity My profile shows.
const ownActivityShown = 10

// changePassword sets a new password and ends all other sessions.
func (s *Server) changePassword(rc *requestContext) error {
	rotated, err := s.store.ChangePassword(rc.ctx(), rc.visitor, rc.r.PostFormValue("current_password"),
		rc.r.PostFormValue("new_password"), rc.client, rc.now)
	if db.IsRefusal(err) {
		var card views.Profile
		if problems, ok := fieldMessagesOf(err); ok {
			card.CurrentPassword, card.NewPassword = problems.field("current_password",
				""), problems.field("new_password", "")
		} else {
			card.Alert = views.Refused(err, rc.now)
		}
		return s.showProfileCards(rc, s.refusalStatus(rc, err), card)
	}
	if err != nil {
		return err
	}
	if err := s.cookies.setCookie(rc, sessionCookie, rotated.Session); err != nil {
		return err
	}
	return s.redirectWithMessage(rc, "/my/profile", pageMessage{word: "password"})
}

// endSessions ends one of the own sessions, or all others.
func (s *Server) endSessions(rc *requestContext) error {
	handle := rc.r.PostFormValue("session")
	if rc.r.PostFormValue("others") == "all" {
		if ok, err := s.prove(rc); !ok {
			return err
		}
		if err := s.store.EndOtherSessions(rc.ctx(), rc.visitor, rc.client, rc.now); err != nil {
			return err
		}
		return s.redirectWithMessage(rc, "/my/profile", pageMessage{word: "sessions"})
	}
	if handle == "" {
		return errBadForm // nobody said which
	}
	err := s.store.EndOwnSession(rc.ctx(), rc.visitor, handle, rc.client, rc.now)
	if err != nil && !errors.Is(err, db.ErrNotFound) { // one that has ended meanwhile is what was asked for
		return err
	}
	if handle == rc.visitor.Handle {
		if err := s.cookies.setCookie(rc, sessionCookie, ""); err != nil {
			return err
		}
		return s.redirectToSignIn(rc, "signed-out")
	}
	return s.redirectWithMessage(rc, "/my/profile", pageMessage{word: "session"})
}

// showTwoFactor shows the management screen.
func (s *Server) showTwoFactor(rc *requestContext) error {
	e, err := s.store.TwoFactor(rc.ctx(), rc.visitor)
	if err != nil {
		return err
	}
	card := views.TwoFactor{Enrollment: e}
	if e.Sheet.Exists() && rc.isPageLoad() {
		if card.Ask, err = s.store.AskForCodes(rc.ctx(), rc.visitor, rc.now); err != nil {
			return err
		}
	}
	return s.showTwoFactorScreen(rc, http.StatusOK, card)
}

// showTwoFactorScreen shows the card in the state that the enrolment is in now.
func (s *Server) showTwoFactorScreen(rc *requestContext, status int, card views.TwoFactor) error {
	var err error
	visitor := rc.visitor
	if err := s.passkeyCard(rc, &card.Passkeys); err != nil {
		return err
	}
	visitor.State = card.Enrollment.State
	visitor.Enrolled = visitor.State == twofactor.Enabled || card.Replacing || card.Passkeys.Works()
	visitor.MustEnroll = visitor.Workspace.Policy.MustEnroll(visitor.Person.Role, visitor.Factors())
	wasStopped := rc.visitor.MustEnroll
	rc.visitor = visitor
	suspicion, err := s.store.Suspicion(rc.ctx(), visitor.Person.ID)
	if err != nil {
		return err
	}
	card.SwitchedOff = views.SwitchedOff(suspicion.From, suspicion.Until)
	card.Workspace = visitor.Workspace.Name
	card.Email = visitor.Person.Email
	card.Now = rc.now
	card.NextCode = twofactor.NextStepIn(rc.now)
	card.Required, card.Next = visitor.MustEnroll, localPath(rc.r.FormValue("next"))
	if card.ForApp, err = s.askingApp(rc, card.Next); err != nil {
		return err
	}
	if card.Enrollment.State == twofactor.Pending {
		uri := twofactor.KeyURI(card.Workspace, card.Email, card.Enrollment.Secret)
		if card.QR, err = views.NewQR(uri); err != nil {
			return err
		}
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	f.Path = "/my/profile"
	fragment := views.TwoFactorScreen(card)
	if wasStopped != visitor.MustEnroll {
		fragment = views.TwoFactorScreenWithSidebar(f, card) // the sidebar opens or closes with the card
	}
	return s.show(rc, status, fragment, views.TwoFactorPage(f, card))
}

// enableTwoFactor mints a secret and shows it.
func (s *Server) enableTwoFactor(rc *requestContext) error {
	e, err := s.store.EnableTwoFactor(rc.ctx(), rc.visitor, rc.now)
	if errors.Is(err, twofactor.ErrAlreadyEnabled) {
		return s.showTwoFactorScreen(rc, http.StatusOK, views.TwoFactor{Enrollment: e})
	}
	if err != nil {
		return err
	}
	return s.showTwoFactorScreen(rc, http.StatusOK, views.TwoFactor{Enrollment: e})
}

// confirmTwoFactor turns two-factor on and shows the recovery codes, once.
func (s *Server) confirmTwoFactor(rc *requestContext) error {
	if rc.visitor.Replacing || rc.visitor.State == twofactor.Enabled && rc.r.PostFormValue("new_phone") != "" {
		return s.exchangeTwoFactor(rc)
	}
	e, rotated, err := s.store.ConfirmTwoFactor(rc.ctx(), rc.visitor, rc.r.PostFormValue("code"), rc.client, rc.now)
	if errors.Is(err, twofactor.ErrAlreadyEnabled) {
		return s.showTwoFactorScreen(rc, http.StatusOK, views.TwoFactor{Enrollment: e})
	}
	if db.IsRefusal(err) {
		return s.showTwoFactorScreen(rc, s.refusalStatus(rc, err), views.TwoFactor{
			Enrollment: e,
			Alert:      views.EnrollmentRefused(err, rc.now),
		})
	}
	if err != nil {
		return err
	}
	if err := s.cookies.setCookie(rc, sessionCookie, rotated.Session); err != nil {
		return err
	}
	return s.showTwoFactorScreen(rc, http.StatusOK, views.TwoFactor{
		Enrollment: e,
		Codes:      rotated.Codes,
		Success:    views.Confirmed(),
	})
}

// regenerateRecoveryCodes asks for the password when the sign-in is old, then for
// confirmation, and then shows a new set, once.
func (s *Server) regenerateRecoveryCodes(rc *requestContext) error {
	e, err := s.store.TwoFactor(rc.ctx(), rc.visitor)
	if err != nil {
		return err
	}
	card := views.TwoFactor{Enrollment: e}
	if !e.Sheet.Exists() {
		card.Alert = views.EnrollmentRefused(twofactor.ErrNotEnabled, rc.now)
		return s.showTwoFactorScreen(rc, http.StatusUnprocessableEntity, card)
	}
	fresh := account.IsFresh(rc.visitor.AuthenticatedAt, rc.now)
	if password, given := rc.r.PostForm["password"]; given && !fresh {
		err := s.store.Reauthenticate(rc.ctx(), rc.visitor, password[0], rc.client, rc.now)
		if db.IsRefusal(err) {
			card.Reauth, card.Alert = true, views.PasswordRefused(err, rc.now)
			return s.showTwoFactorScreen(rc, s.refusalStatus(rc, err), card)
		}
		if err != nil {
			return err
		}
		fresh = true
	}
	if !fresh {
		card.Reauth = true
		return s.showTwoFactorScreen(rc, http.StatusOK, card)
	}
	if rc.r.PostFormValue("confirmed") != "yes" {
		card.Prompt = true
		return s.showTwoFactorScreen(rc, http.StatusOK, card)
	}
	e, rotated, err := s.store.RegenerateRecoveryCodes(rc.ctx(), rc.visitor, rc.client, rc.now)
	if db.IsRefusal(err) {
		return s.showTwoFactorScreen(rc, s.refusalStatus(rc, err), views.TwoFactor{
			Enrollment: e,
			Alert:      views.EnrollmentRefused(err, rc.now),
		})
	}
	if err != nil {
		return err
	}
	if err := s.cookies.setCookie(rc, sessionCookie, rotated.Session); err != nil {
		return err
	}
	return s.showTwoFactorScreen(rc, http.StatusOK, views.TwoFactor{
		Enrollment: e,
		Codes:      rotated.Codes,
		Success:    views.Regenerated(),
	})
}

// disableTwoFactor turns two-factor off when the password is right.
func (s *Server) disableTwoFactor(rc *requestContext) error {
	e, rotated, err := s.store.DisableTwoFactor(rc.ctx(), rc.visitor, rc.r.PostFormValue("password"), rc.client, rc.now)
	if errors.Is(err, twofactor.ErrNotEnabled) {
		// A secret that is pending goes: it exists in the answer to Enable only.
		if err := s.store.DiscardPending(rc.ctx(), rc.visitor); err != nil {
			return err
		}
		return s.showTwoFactorScreen(rc, http.StatusOK, views.TwoFactor{})
	}
	if db.IsRefusal(err) {
		e, readErr := s.store.TwoFactor(rc.ctx(), rc.visitor)
		if readErr != nil {
			return readErr
		}
		return s.showTwoFactorScreen(rc, s.refusalStatus(rc, err), views.TwoFactor{
			Enrollment: e,
			Disable:    true,
			Alert:      views.DisableRefused(err, rc.now),
		})
	}
	if err != nil {
		return err
	}
	if err := s.cookies.setCookie(rc, sessionCookie, rotated.Session); err != nil {
		return err
	}
	return s.showTwoFactorScreen(rc, http.StatusOK, views.TwoFactor{Enrollment: e, Success: views.Disabled()})
}
