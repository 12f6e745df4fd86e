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
func (s *Server) showHome(v *visit) error {
	e, err := s.store.TwoFactor(v.ctx(), v.who)
	if err != nil {
		return err
	}
	events, err := s.store.EventsSince(v.ctx(), v.who)
	if err != nil {
		return err
	}
	f, err := s.frame(v)
	if err != nil {
		return err
	}
	card := views.Home{Since: v.who.PreviousSignInAt, State: e.State, Advice: views.HomeAdvice(e)}
	for _, event := range events {
		card.Events = append(card.Events, views.AccountEventText(event.Event, event.Count, event.LastAt, event.By))
	}
	return s.show(v, http.StatusOK, views.HomeCards(card), views.HomePage(f, card))
}

// showHelp shows our own guide to two-factor authentication, to everybody: those who
// cannot sign in need it most.
func (s *Server) showHelp(v *visit) error {
	help, err := s.helpFor(v)
	if err != nil {
		return err
	}
	f, err := s.frame(v)
	if err != nil {
		return err
	}
	return s.show(v, http.StatusOK, views.HelpCards(help), views.HelpPage(f, help))
}

// helpFor finds where the reader goes on from the guide. For somebody signed in it is a
// page like any other.
func (s *Server) helpFor(v *visit) (views.Help, error) {
	err := s.visitor(v)
	if err != nil {
		return views.Help{}, err
	}
	if v.signedIn() {
		return views.HelpFromPortal(), s.attend(v)
	}
	err = s.findChallenge(v)
	if errors.Is(err, twofactor.ErrChallengeOver) {
		return views.HelpFromSignIn(), nil
	}
	return views.HelpFromChallenge(), err
}

// showProfile shows My profile.
func (s *Server) showProfile(v *visit) error {
	return s.showProfileCards(v, http.StatusOK, views.Profile{})
}

func (s *Server) showProfileCards(v *visit, status int, card views.Profile) error {
	e, err := s.store.TwoFactor(v.ctx(), v.who)
	if err != nil {
		return err
	}
	list, err := s.store.Sessions(v.ctx(), v.who, v.now)
	if err != nil {
		return err
	}
	if card.PasswordChangedAt, err = s.store.PasswordChangedAt(v.ctx(), v.who); err != nil {
		return err
	}
	events, err := s.store.OwnActivity(v.ctx(), v.who, ownActivityShown)
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
	f, err := s.frame(v)
	if err != nil {
		return err
	}
	card.Email = v.who.Person.Email
	card.State, card.ConfirmedAt, card.Sheet = e.State, e.ConfirmedAt, e.Sheet
	card.Sessions = sessionsOf(list)
	if card.Browsers, err = s.knownBrowsers(v); err != nil {
		return err
	}
	return s.show(v, status, views.ProfileCards(card), views.ProfilePage(f, card))
}

// ownActivityShown is how many rows of the own activity My profile shows.
const ownActivityShown = 10

// changePassword sets a new password and ends all other sessions.
func (s *Server) changePassword(v *visit) error {
	rotated, err := s.store.ChangePassword(v.ctx(), v.who, v.r.PostFormValue("current_password"),
		v.r.PostFormValue("new_password"), v.client, v.now)
	if db.IsRefusal(err) {
		var card views.Profile
		if problems, ok := fieldProblems(err); ok {
			card.CurrentPassword, card.NewPassword = problems.field("current_password",
				""), problems.field("new_password", "")
		} else {
			card.Alert = views.Refused(err, v.now)
		}
		return s.showProfileCards(v, s.statusOf(v, err), card)
	}
	if err != nil {
		return err
	}
	if err := s.cookies.set(v, sessionCookie, rotated.Session); err != nil {
		return err
	}
	return s.goToWith(v, "/my/profile", pageMessage{word: "password"})
}

// endSessions ends one of the own sessions, or all others.
func (s *Server) endSessions(v *visit) error {
	handle := v.r.PostFormValue("session")
	if v.r.PostFormValue("others") == "all" {
		if err := s.store.EndOtherSessions(v.ctx(), v.who, v.client, v.now); err != nil {
			return err
		}
		return s.goToWith(v, "/my/profile", pageMessage{word: "sessions"})
	}
	if handle == "" {
		return errBadForm // nobody said which
	}
	err := s.store.EndOwnSession(v.ctx(), v.who, handle, v.client, v.now)
	if err != nil && !errors.Is(err, db.ErrNotFound) { // one that has ended meanwhile is what was asked for
		return err
	}
	if handle == v.who.Handle {
		if err := s.cookies.set(v, sessionCookie, ""); err != nil {
			return err
		}
		return s.goToSignIn(v, "signed-out")
	}
	return s.goToWith(v, "/my/profile", pageMessage{word: "session"})
}

// showTwoFactor shows the management screen.
func (s *Server) showTwoFactor(v *visit) error {
	e, err := s.store.TwoFactor(v.ctx(), v.who)
	if err != nil {
		return err
	}
	return s.showTwoFactorScreen(v, http.StatusOK, views.TwoFactor{Enrollment: e})
}

// showTwoFactorScreen shows the card in the state that the enrolment is in now.
func (s *Server) showTwoFactorScreen(v *visit, status int, card views.TwoFactor) error {
	var err error
	who := v.who
	who.State = card.Enrollment.State
	who.MustEnroll = who.Workspace.Policy.MustEnroll(who.Person.Role, who.State)
	wasStopped := v.who.MustEnroll
	v.who = who
	card.Workspace = who.Workspace.Name
	card.Email = who.Person.Email
	card.Now = v.now
	card.NextCode = twofactor.NextStepIn(v.now)
	card.Required, card.Next = who.MustEnroll, localPath(v.r.FormValue("next"))
	if card.Enrollment.State == twofactor.Pending {
		uri := twofactor.KeyURI(card.Workspace, card.Email, card.Enrollment.Secret)
		if card.QR, err = views.NewQR(uri); err != nil {
			return err
		}
	}
	f, err := s.frame(v)
	if err != nil {
		return err
	}
	f.Path = "/my/profile"
	fragment := views.TwoFactorScreen(card)
	if wasStopped != who.MustEnroll {
		fragment = views.TwoFactorScreenWithSidebar(f, card) // the sidebar opens or closes with the card
	}
	return s.show(v, status, fragment, views.TwoFactorPage(f, card))
}

// enableTwoFactor mints a secret and shows it.
func (s *Server) enableTwoFactor(v *visit) error {
	e, err := s.store.EnableTwoFactor(v.ctx(), v.who, v.now)
	if errors.Is(err, twofactor.ErrAlreadyEnabled) {
		return s.showTwoFactorScreen(v, http.StatusOK, views.TwoFactor{Enrollment: e})
	}
	if err != nil {
		return err
	}
	return s.showTwoFactorScreen(v, http.StatusOK, views.TwoFactor{Enrollment: e})
}

// confirmTwoFactor turns two-factor on and shows the recovery codes, once.
func (s *Server) confirmTwoFactor(v *visit) error {
	e, rotated, err := s.store.ConfirmTwoFactor(v.ctx(), v.who, v.r.PostFormValue("code"), v.client, v.now)
	if errors.Is(err, twofactor.ErrAlreadyEnabled) {
		return s.showTwoFactorScreen(v, http.StatusOK, views.TwoFactor{Enrollment: e})
	}
	if db.IsRefusal(err) {
		return s.showTwoFactorScreen(v, s.statusOf(v, err), views.TwoFactor{
			Enrollment: e,
			Alert:      views.EnrollmentRefused(err, v.now),
		})
	}
	if err != nil {
		return err
	}
	if err := s.cookies.set(v, sessionCookie, rotated.Session); err != nil {
		return err
	}
	return s.showTwoFactorScreen(v, http.StatusOK, views.TwoFactor{
		Enrollment: e,
		Codes:      rotated.Codes,
		Success:    views.Confirmed(),
	})
}

// regenerateRecoveryCodes asks for the password when the sign-in is old, then
// asks whether it is meant, and then shows a new set, once.
func (s *Server) regenerateRecoveryCodes(v *visit) error {
	e, err := s.store.TwoFactor(v.ctx(), v.who)
	if err != nil {
		return err
	}
	card := views.TwoFactor{Enrollment: e}
	if e.State != twofactor.Enabled {
		card.Alert = views.EnrollmentRefused(twofactor.ErrNotEnabled, v.now)
		return s.showTwoFactorScreen(v, http.StatusUnprocessableEntity, card)
	}
	fresh := account.IsFresh(v.who.AuthenticatedAt, v.now)
	if password, given := v.r.PostForm["password"]; given && !fresh {
		err := s.store.Reauthenticate(v.ctx(), v.who, password[0], v.client, v.now)
		if db.IsRefusal(err) {
			card.Reauth, card.Alert = true, views.PasswordRefused(err, v.now)
			return s.showTwoFactorScreen(v, s.statusOf(v, err), card)
		}
		if err != nil {
			return err
		}
		fresh = true
	}
	if !fresh {
		card.Reauth = true
		return s.showTwoFactorScreen(v, http.StatusOK, card)
	}
	if v.r.PostFormValue("confirmed") != "yes" {
		card.Prompt = true
		return s.showTwoFactorScreen(v, http.StatusOK, card)
	}
	e, rotated, err := s.store.RegenerateRecoveryCodes(v.ctx(), v.who, v.client, v.now)
	if db.IsRefusal(err) {
		return s.showTwoFactorScreen(v, s.statusOf(v, err), views.TwoFactor{
			Enrollment: e,
			Alert:      views.EnrollmentRefused(err, v.now),
		})
	}
	if err != nil {
		return err
	}
	if err := s.cookies.set(v, sessionCookie, rotated.Session); err != nil {
		return err
	}
	return s.showTwoFactorScreen(v, http.StatusOK, views.TwoFactor{
		Enrollment: e,
		Codes:      rotated.Codes,
		Success:    views.Regenerated(),
	})
}

// disableTwoFactor turns two-factor off when the password is right.
func (s *Server) disableTwoFactor(v *visit) error {
	e, rotated, err := s.store.DisableTwoFactor(v.ctx(), v.who, v.r.PostFormValue("password"), v.client, v.now)
	if errors.Is(err, twofactor.ErrNotEnabled) {
		// A secret that is pending goes: it exists in the answer to Enable only.
		if err := s.store.DiscardPending(v.ctx(), v.who); err != nil {
			return err
		}
		return s.showTwoFactorScreen(v, http.StatusOK, views.TwoFactor{})
	}
	if db.IsRefusal(err) {
		e, readErr := s.store.TwoFactor(v.ctx(), v.who)
		if readErr != nil {
			return readErr
		}
		return s.showTwoFactorScreen(v, s.statusOf(v, err), views.TwoFactor{
			Enrollment: e,
			Disable:    true,
			Alert:      views.DisableRefused(err, v.now),
		})
	}
	if err != nil {
		return err
	}
	if err := s.cookies.set(v, sessionCookie, rotated.Session); err != nil {
		return err
	}
	return s.showTwoFactorScreen(v, http.StatusOK, views.TwoFactor{Enrollment: e, Success: views.Disabled()})
}
