package handlers

import (
	"errors"
	"net/http"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
	"gatehouse/views"
)

// readPolicy reads the two settings of a form, whose boxes stand in ticked: on, off, or on
// from a day. It refuses with FieldErrors of everyone_from and admins_from, and returns what
// was ticked all the same.
func (s *Server) readPolicy(rc *requestContext, ticked twofactor.Policy, days [2]string) (twofactor.Policy, error) {
	before := rc.visitor.Workspace.Policy
	var p twofactor.Policy
	var everyoneErr, adminsErr error
	p.Everyone, p.EveryoneFrom, everyoneErr = account.ParseSetting("everyone_from", ticked.Everyone, days[0],
		before.EveryoneFrom, s.zone, rc.now)
	p.Admins, p.AdminsFrom, adminsErr = account.ParseSetting("admins_from", ticked.Admins, days[1], before.AdminsFrom, s.zone, rc.now)
	if err := errors.Join(everyoneErr, adminsErr); err != nil {
		return ticked, err
	}
	return p, nil
}

// fillPolicyDays adds to the card the days of its settings, and who is ready for them.
func (s *Server) fillPolicyDays(rc *requestContext, card *views.Security) error {
	day := func(from time.Time) string {
		if from.IsZero() {
			return ""
		}
		return from.In(s.zone).Format(time.DateOnly)
	}
	if card.EveryoneFrom == (views.Field{}) {
		card.EveryoneFrom.Value = day(card.Policy.EveryoneFrom)
	}
	if card.AdminsFrom == (views.Field{}) {
		card.AdminsFrom.Value = day(card.Policy.AdminsFrom)
	}
	card.Mail = s.mail != nil
	for _, setting := range []struct {
		from time.Time
		of   twofactor.Policy
		into *views.Readiness
	}{
		{card.Policy.EveryoneFrom, twofactor.Policy{Everyone: true}, &card.EveryoneReady},
		{card.Policy.AdminsFrom, twofactor.Policy{Admins: true}, &card.AdminsReady},
	} {
		if setting.from.IsZero() {
			continue
		}
		ready, people, err := s.store.Readiness(rc.ctx(), setting.of)
		if err != nil {
			return err
		}
		*setting.into = views.Readiness{Ready: ready, People: people, Begins: views.PolicyBegins(setting.from, rc.now, s.zone)}
	}
	return nil
}

// announcement tells somebody who is not ready of a policy that is to come, unless they have
// put it off today.
func (s *Server) announcement(rc *requestContext) (views.Announcement, error) {
	v := rc.visitor
	from := v.Workspace.Policy.RequiresFrom(v.Person.Role)
	if from.IsZero() || v.Factors() == twofactor.Enabled {
		return views.Announcement{}, nil
	}
	until, err := s.store.PolicyHiddenUntil(rc.ctx(), v)
	if err != nil || until.After(rc.now) {
		return views.Announcement{}, err
	}
	a := views.Announcement{Text: views.PolicyAnnounced(from, rc.now, s.zone)}
	if rc.r.Method == http.MethodGet {
		a.Next = localPath(rc.r.URL.RequestURI())
	}
	return a, nil
}

// hidePolicy puts the announcement off until tomorrow, and goes on where the visitor was.
func (s *Server) hidePolicy(rc *requestContext) error {
	if err := s.store.HidePolicy(rc.ctx(), rc.visitor, account.NextDay(rc.now, s.zone)); err != nil {
		return err
	}
	next := localPath(rc.r.PostFormValue("next"))
	if next == "" {
		next = "/my"
	}
	return s.redirect(rc, next)
}

// remindOfPolicy has those reminded again who are not ready for a policy that is to come. The
// mails are written beside the server, so that many of them hold nobody up.
func (s *Server) remindOfPolicy(rc *requestContext) error {
	policy := rc.visitor.Workspace.Policy
	if s.mail == nil || policy.EveryoneFrom.IsZero() && policy.AdminsFrom.IsZero() {
		return errPageNotFound
	}
	if err := s.store.RemindOfPolicy(rc.ctx(), rc.visitor.Author(rc.client), rc.now); err != nil {
		return err
	}
	if !rc.isHTMX() {
		return s.redirectWithMessage(rc, "/admin/settings/security", pageMessage{word: "reminded"})
	}
	return s.showSecurityCard(rc, http.StatusOK, views.Security{Policy: policy, Success: views.PageMessage("reminded", "", "")})
}

// turnFactorsOn turns on what "This wasn't me" has switched off of the visitor's second step.
func (s *Server) turnFactorsOn(rc *requestContext) error {
	if err := s.store.TurnFactorsOn(rc.ctx(), rc.visitor, rc.client, rc.now); err != nil {
		return err
	}
	return s.redirectWithMessage(rc, "/my/profile/two-factor", pageMessage{word: "turned-on"})
}
