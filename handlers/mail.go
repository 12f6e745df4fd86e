package handlers

import (
	"errors"
	"net/http"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/views"
)

// showMail shows the mail settings and the newest mails.
func (s *Server) showMail(rc *requestContext) error {
	return s.showMailCard(rc, http.StatusOK, views.MailSettings{})
}

func (s *Server) showMailCard(rc *requestContext, status int, card views.MailSettings) error {
	if s.mail != nil {
		card.Server, card.From = s.mail.Server, s.mail.From
	}
	card.To = rc.visitor.Person.Email
	list, err := s.store.Outbox(rc.ctx())
	if err != nil {
		return err
	}
	for _, r := range list {
		card.Mails = append(card.Mails, viewMail(r))
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, status, views.MailCards(card), views.MailPage(f, card))
}

func viewMail(r db.OutboxRow) views.SentMail {
	return views.SentMail{
		MadeAt: r.MadeAt,
		Kind:   r.Kind,
		Event:  r.Event,
		Name:   r.Name,
		Email:  r.Email,
		State:  r.State,
		Tries:  r.Tries,
		NextAt: r.NextAt,
		DoneAt: r.DoneAt,
		Answer: r.Answer,
	}
}

// sendTestMail sends a mail to the visitor while they wait, and shows the server's answer word
// for word. It is the one mail that does not go through the outbox.
func (s *Server) sendTestMail(rc *requestContext) error {
	if s.mail == nil {
		return errPageNotFound
	}
	if !s.testing.TryLock() {
		return db.ErrBusy
	}
	defer s.testing.Unlock()
	answer, ok := s.mail.Test(rc.ctx(), rc.visitor.Person.Name, rc.visitor.Person.Email)
	if err := s.store.AddTestMail(rc.ctx(), rc.visitor, answer, !ok, rc.now); err != nil {
		return err
	}
	if !ok {
		return s.showMailCard(rc, http.StatusUnprocessableEntity, views.MailSettings{Alert: views.TestMailRefused(answer)})
	}
	return s.showMailCard(rc, http.StatusOK, views.MailSettings{Success: views.TestMailSent(rc.visitor.Person.Email, answer)})
}

// showForgot shows the form for a forgotten password.
func (s *Server) showForgot(rc *requestContext) error {
	return s.showForgotCard(rc, http.StatusOK, views.Forgot{})
}

func (s *Server) showForgotCard(rc *requestContext, status int, card views.Forgot) error {
	card.Mails = s.mail != nil
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, status, views.ForgotCard(card), views.ForgotPage(f, card))
}

// forgotPassword mails a link to whoever has the address, and answers the same whether
// anybody has it.
func (s *Server) forgotPassword(rc *requestContext) error {
	if s.mail == nil {
		return s.showForgotCard(rc, http.StatusOK, views.Forgot{}) // which says whom to ask
	}
	err := s.store.ForgotPassword(rc.ctx(), rc.r.PostFormValue("email"), rc.client, rc.now)
	if db.IsRefusal(err) {
		return s.showForgotCard(rc, s.refusalStatus(rc, err), views.Forgot{
			Email: rc.r.PostFormValue("email"),
			Alert: views.Refused(err, rc.now),
		})
	}
	if err != nil {
		return err
	}
	return s.showForgotCard(rc, http.StatusOK, views.Forgot{Sent: true})
}

// showNotMe shows what "This wasn't me" will do. It changes nothing: mail scanners follow
// every link.
func (s *Server) showNotMe(rc *requestContext) error {
	token := rc.r.PathValue("token")
	link, err := s.store.NotMe(rc.ctx(), token, rc.now)
	if err != nil {
		return s.showNotMeRefusal(rc, err)
	}
	return s.showNotMeCard(rc, views.NotMe{Token: token, Event: link.Event, At: link.At, Account: link.Account, Email: link.Email})
}

func (s *Server) showNotMeCard(rc *requestContext, card views.NotMe) error {
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, http.StatusOK, views.NotMeCard(card), views.NotMePage(f, card))
}

// closeAccount does what "This wasn't me" says.
func (s *Server) closeAccount(rc *requestContext) error {
	link, err := s.store.CloseAccount(rc.ctx(), rc.r.PathValue("token"), rc.client, rc.now)
	s.logRefusal(rc, err, account.ByLink)
	if err != nil {
		return s.showNotMeRefusal(rc, err)
	}
	return s.showNotMeCard(rc, views.NotMe{Closed: true, Mailed: link.Mailed, Account: link.Account, Email: link.Email})
}

func (s *Server) showNotMeRefusal(rc *requestContext, err error) error {
	if db.IsRefusal(err) {
		return s.showLinkRefusal(rc, err)
	}
	if errors.Is(err, db.ErrNotFound) {
		s.showProblem(rc, views.NotMeExpired())
		return nil
	}
	return err
}

// showNotifications shows which mails the visitor gets.
func (s *Server) showNotifications(rc *requestContext) error {
	wanted, err := s.store.SignInMails(rc.ctx(), rc.visitor)
	if err != nil {
		return err
	}
	return s.showNotificationsCard(rc, http.StatusOK, views.Notifications{SignIn: wanted})
}

func (s *Server) showNotificationsCard(rc *requestContext, status int, card views.Notifications) error {
	card.Email, card.Mails = rc.visitor.Person.Email, s.mail != nil
	card.Seen = rc.formVersion(account.NotificationsVersion(card.SignIn))
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, status, views.NotificationsCard(card), views.NotificationsPage(f, card))
}

// setNotifications stores which mails the visitor wants.
func (s *Server) setNotifications(rc *requestContext) error {
	seen, err := rc.seen()
	if err != nil {
		return err
	}
	if seen == (account.Seen{}) {
		wanted, err := s.store.SignInMails(rc.ctx(), rc.visitor)
		if err != nil {
			return err
		}
		return s.showNotificationsCard(rc, http.StatusUnprocessableEntity,
			views.Notifications{SignIn: wanted, Alert: views.FormIncomplete()})
	}
	wanted, err := rc.checkbox("sign_in")
	if err != nil {
		return err
	}
	if err := s.store.SetSignInMails(rc.ctx(), rc.visitor, wanted); err != nil {
		return err
	}
	return s.showNotificationsCard(rc, http.StatusOK, views.Notifications{SignIn: wanted, Success: views.NotificationsSaved()})
}
