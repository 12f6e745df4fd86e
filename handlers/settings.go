package handlers

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/twofactor"
	"gatehouse/views"
)

// notices are what admins see above every page.
func (s *Server) notices(rc *requestContext) (views.Notices, error) {
	var out views.Notices
	if s.insecure {
		out.Shown = append(out.Shown, views.InsecureHTTP())
	}
	if !rc.visitor.OpenNotices {
		return out, nil
	}
	open, err := s.store.Notices(rc.ctx())
	if err != nil {
		return out, err
	}
	out.Open = open.Count
	if len(open.Newest) > 0 {
		out.Through = open.Newest[0].ID
	}
	for _, notice := range open.Newest {
		out.Shown = append(out.Shown, views.Notice{
			Text:      views.BreakGlass(notice.Event, notice.Actor, notice.Subject, notice.Detail, notice.At),
			DismissID: notice.ID,
		})
	}
	return out, nil
}

// showSecurity shows the two policy settings.
func (s *Server) showSecurity(rc *requestContext) error {
	return s.showSecurityCard(rc, http.StatusOK, views.Security{Policy: rc.visitor.Workspace.Policy})
}

func (s *Server) showSecurityCard(rc *requestContext, status int, card views.Security) error {
	if card.Seen == "" {
		card.Seen = rc.formVersion(account.PolicyVersion(card.Policy))
	}
	if err := s.fillPolicyDays(rc, &card); err != nil {
		return err
	}
	for policy, into := range map[twofactor.Policy]*views.PolicyImpact{{Everyone: true}: &card.Everyone,
		{Admins: true}: &card.Admins} {
		stopped, err := s.store.PolicyImpact(rc.ctx(), rc.visitor, policy)
		if err != nil {
			return err
		}
		*into = viewPolicyImpact(stopped)
	}
	var err error
	if card.Left, err = s.store.LeftWithoutFactor(rc.ctx()); err != nil {
		return err
	}
	if card.NoCodes, err = s.store.AdminsWithoutCodes(rc.ctx()); err != nil {
		return err
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, status, views.SecurityCard(card), views.SecurityPage(f, card))
}

func viewPolicyImpact(s db.PolicyImpact) views.PolicyImpact {
	out := views.PolicyImpact{Count: s.Count, More: s.More, You: s.You}
	for _, person := range s.First {
		out.First = append(out.First, views.AffectedPerson{
			Name:          person.Name,
			Email:         person.Email,
			NeverSignedIn: person.NeverSignedIn,
		})
	}
	return out
}

// showNotEnrolled lists the active people without two-factor.
func (s *Server) showNotEnrolled(rc *requestContext) error {
	query := rc.r.URL.Query()
	page, err := s.store.NotEnrolled(rc.ctx(), query.Get("after"))
	if err != nil {
		return err
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	card := views.NotEnrolled{
		Rows:       viewPeople(page.People),
		Pagination: pagination("/admin/settings/not-enrolled", query, page.Next),
	}
	return s.show(rc, http.StatusOK, views.NotEnrolledCard(card), views.NotEnrolledPage(f, card))
}

// exportNotEnrolled sends them all as CSV.
func (s *Server) exportNotEnrolled(rc *requestContext) error {
	if err := s.noteExport(rc, "not enrolled"); err != nil {
		return err
	}
	t, err := s.startCSV(rc, "not-enrolled", "name", "email", "role", "last_sign_in")
	if err != nil {
		return t.finish(err)
	}
	return t.finish(s.store.EachNotEnrolled(rc.ctx(), func(p db.Person) error {
		return t.writeRow(p.Name, p.Email, string(p.Role), formatInstant(p.LastSignInAt))
	}))
}

// dismissNotice takes a notice away for all admins, and stays on the page.
func (s *Server) dismissNotice(rc *requestContext) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	if err := s.store.DismissNotice(rc.ctx(), id, rc.visitor.Author(rc.client), rc.now); err != nil {
		return err
	}
	return s.redirectBack(rc)
}

// dismissNotices takes all notices that the page showed away, and stays on the page.
func (s *Server) dismissNotices(rc *requestContext) error {
	through, err := strconv.ParseInt(rc.r.PostFormValue("through"), 10, 64)
	if err != nil {
		return errBadForm // whoever does not say what they saw dismisses nothing unseen
	}
	if err := s.store.DismissNotices(rc.ctx(), through, rc.visitor.Author(rc.client), rc.now); err != nil {
		return err
	}
	return s.redirectBack(rc)
}

// redirectBack sends the browser back to the page of ours on which it was.
func (s *Server) redirectBack(rc *requestContext) error {
	back := "/my"
	if from, err := url.Parse(rc.r.Referer()); err == nil && from.Host == rc.r.Host &&
		localPath(from.RequestURI()) != "" {
		back = localPath(from.RequestURI())
	}
	return s.redirect(rc, back)
}

// setPolicy changes the policy settings; it counts from everybody's next request on.
func (s *Server) setPolicy(rc *requestContext) error {
	seen, err := rc.seen()
	if err != nil {
		return err
	}
	if seen == (account.Seen{}) {
		// Without it nobody can tell an unticked checkbox from one that was lost on the way.
		card := views.Security{Policy: rc.visitor.Workspace.Policy, Alert: views.FormIncomplete()}
		return s.showSecurityCard(rc, http.StatusUnprocessableEntity, card)
	}
	var policy twofactor.Policy
	if policy.Everyone, err = rc.checkbox("require_everyone"); err != nil {
		return err
	}
	if policy.Admins, err = rc.checkbox("require_admins"); err != nil {
		return err
	}
	days := [2]string{rc.r.PostFormValue("everyone_from"), rc.r.PostFormValue("admins_from")}
	policy, err = s.readPolicy(rc, policy, days)
	if problems, ok := fieldMessagesOf(err); ok {
		return s.showSecurityCard(rc, http.StatusUnprocessableEntity, views.Security{
			Policy:       policy,
			EveryoneFrom: problems.field("everyone_from", days[0]),
			AdminsFrom:   problems.field("admins_from", days[1]),
			Seen:         rc.r.PostFormValue("seen"),
		})
	}
	err = s.store.ChangePolicy(rc.ctx(), seen, policy, rc.visitor.Author(rc.client), rc.now)
	if errors.Is(err, account.ErrOutdated) {
		return s.showSecurityOutdated(rc, seen)
	}
	if err != nil {
		return err
	}
	rc.visitor.Workspace.Policy = policy
	return s.showSecurityCard(rc, http.StatusOK, views.Security{Policy: policy, Success: views.PolicySaved(policy, s.zone)})
}

// showSecurityOutdated shows the settings as they are now to somebody whose form showed
// something else, and tells who has turned them meanwhile.
func (s *Server) showSecurityOutdated(rc *requestContext, seen account.Seen) error {
	changes, err := s.store.WorkspaceChanges(rc.ctx(), account.PolicyChanged, seen.At)
	if err != nil {
		return err
	}
	if rc.visitor.Workspace, err = s.store.Workspace(rc.ctx()); err != nil {
		return err
	}
	card := views.Security{Policy: rc.visitor.Workspace.Policy.At(rc.now), Alert: views.Outdated(viewChanges(changes))}
	return s.showSecurityCard(rc, http.StatusUnprocessableEntity, card)
}

// showGeneral shows the workspace's name, and what a new base URL breaks.
func (s *Server) showGeneral(rc *requestContext) error {
	found, err := s.findings(rc.ctx(), rc.now)
	if err != nil {
		return err
	}
	return s.showGeneralCard(rc, http.StatusOK, views.General{
		Workspace: views.Field{Value: rc.visitor.Workspace.Name},
		Moved:     views.MovedText(found),
	})
}

func (s *Server) showGeneralCard(rc *requestContext, status int, card views.General) error {
	if card.Seen == "" {
		card.Seen = rc.formVersion(account.WorkspaceVersion(rc.visitor.Workspace.Name))
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	fragment := views.GeneralCard(card)
	if !card.Success.IsZero() {
		fragment = views.GeneralCardWithSidebar(f, card)
	}
	return s.show(rc, status, fragment, views.GeneralPage(f, card))
}

// renameWorkspace changes the workspace's name.
func (s *Server) renameWorkspace(rc *requestContext) error {
	seen, err := rc.seen()
	if err != nil {
		return err
	}
	typed := rc.r.PostFormValue("workspace")
	err = s.store.RenameWorkspace(rc.ctx(), seen, typed, rc.visitor.Author(rc.client), rc.now)
	if problems, ok := fieldMessagesOf(err); ok {
		return s.showGeneralCard(rc, http.StatusUnprocessableEntity, views.General{
			Workspace: problems.field("workspace", typed),
			Seen:      rc.r.PostFormValue("seen"),
		})
	}
	if errors.Is(err, account.ErrOutdated) {
		return s.showGeneralOutdated(rc, seen)
	}
	if err != nil {
		return err
	}
	if rc.visitor.Workspace.Name, err = account.ParseName("workspace", typed); err != nil {
		return err
	}
	return s.showGeneralCard(rc, http.StatusOK, views.General{
		Workspace: views.Field{Value: rc.visitor.Workspace.Name},
		Success:   views.WorkspaceRenamed(),
	})
}

// showGeneralOutdated shows the name as it is now to somebody whose form showed another,
// and tells who has changed it meanwhile.
func (s *Server) showGeneralOutdated(rc *requestContext, seen account.Seen) error {
	changes, err := s.store.WorkspaceChanges(rc.ctx(), account.WorkspaceRenamed, seen.At)
	if err != nil {
		return err
	}
	if rc.visitor.Workspace, err = s.store.Workspace(rc.ctx()); err != nil {
		return err
	}
	card := views.General{
		Workspace: views.Field{Value: rc.visitor.Workspace.Name},
		Alert:     views.Outdated(viewChanges(changes)),
	}
	return s.showGeneralCard(rc, http.StatusUnprocessableEntity, card)
}
