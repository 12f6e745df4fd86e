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
func (s *Server) notices(v *visit) (views.Notices, error) {
	var out views.Notices
	if s.insecure {
		out.Shown = append(out.Shown, views.InsecureHTTP())
	}
	if !v.who.OpenNotices {
		return out, nil
	}
	open, err := s.store.Notices(v.ctx())
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

// showSecurity shows the two levers.
func (s *Server) showSecurity(v *visit) error {
	return s.showSecurityCard(v, http.StatusOK, views.Security{Policy: v.who.Workspace.Policy})
}

func (s *Server) showSecurityCard(v *visit, status int, card views.Security) error {
	card.Seen = v.shows(account.PolicyVersion(card.Policy))
	for policy, into := range map[twofactor.Policy]*views.PolicyImpact{{Everyone: true}: &card.Everyone,
		{Admins: true}: &card.Admins} {
		stopped, err := s.store.PolicyImpact(v.ctx(), v.who, policy)
		if err != nil {
			return err
		}
		*into = stoppedOf(stopped)
	}
	var err error
	if card.NoCodes, err = s.store.AdminsWithoutCodes(v.ctx()); err != nil {
		return err
	}
	f, err := s.frame(v)
	if err != nil {
		return err
	}
	return s.show(v, status, views.SecurityCard(card), views.SecurityPage(f, card))
}

func stoppedOf(s db.PolicyImpact) views.PolicyImpact {
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
func (s *Server) showNotEnrolled(v *visit) error {
	query := v.r.URL.Query()
	page, err := s.store.NotEnrolled(v.ctx(), query.Get("after"))
	if err != nil {
		return err
	}
	f, err := s.frame(v)
	if err != nil {
		return err
	}
	card := views.NotEnrolled{
		Rows:       peopleOf(page.People),
		Pagination: listOf("/admin/settings/not-enrolled", query, page.Next),
	}
	return s.show(v, http.StatusOK, views.NotEnrolledCard(card), views.NotEnrolledPage(f, card))
}

// exportNotEnrolled sends them all as CSV.
func (s *Server) exportNotEnrolled(v *visit) error {
	if err := s.noteExport(v, "not enrolled"); err != nil {
		return err
	}
	t, err := s.newTable(v, "not-enrolled", "name", "email", "role", "last_sign_in")
	if err != nil {
		return t.end(err)
	}
	return t.end(s.store.EachNotEnrolled(v.ctx(), func(p db.Person) error {
		return t.row(p.Name, p.Email, string(p.Role), stamp(p.LastSignInAt))
	}))
}

// dismissNotice takes a notice away for all admins, and stays on the page.
func (s *Server) dismissNotice(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	if err := s.store.DismissNotice(v.ctx(), id, v.who.Author(v.client), v.now); err != nil {
		return err
	}
	return s.goBack(v)
}

// dismissNotices takes all notices that the page showed away, and stays on the page.
func (s *Server) dismissNotices(v *visit) error {
	through, err := strconv.ParseInt(v.r.PostFormValue("through"), 10, 64)
	if err != nil {
		return errBadForm // whoever does not say what they saw dismisses nothing unseen
	}
	if err := s.store.DismissNotices(v.ctx(), through, v.who.Author(v.client), v.now); err != nil {
		return err
	}
	return s.goBack(v)
}

// goBack sends the browser back to the page of ours on which it was.
func (s *Server) goBack(v *visit) error {
	back := "/my"
	if from, err := url.Parse(v.r.Referer()); err == nil && from.Host == v.r.Host &&
		localPath(from.RequestURI()) != "" {
		back = localPath(from.RequestURI())
	}
	return s.goTo(v, back)
}

// setPolicy turns the levers; it counts from everybody's next request on.
func (s *Server) setPolicy(v *visit) error {
	seen, err := v.seen()
	if err != nil {
		return err
	}
	if seen == (account.Seen{}) {
		// Without it nobody can tell an unticked checkbox from one that was lost on the way.
		card := views.Security{Policy: v.who.Workspace.Policy, Alert: views.FormIncomplete()}
		return s.showSecurityCard(v, http.StatusUnprocessableEntity, card)
	}
	policy := twofactor.Policy{
		Everyone: v.r.PostFormValue("require_everyone") != "",
		Admins:   v.r.PostFormValue("require_admins") != "",
	}
	err = s.store.ChangePolicy(v.ctx(), seen, policy, v.who.Author(v.client), v.now)
	if errors.Is(err, account.ErrOutdated) {
		return s.showSecurityOutdated(v, seen)
	}
	if err != nil {
		return err
	}
	v.who.Workspace.Policy = policy
	return s.showSecurityCard(v, http.StatusOK, views.Security{Policy: policy, Success: views.PolicySaved(policy)})
}

// showSecurityOutdated shows the levers as they are now to somebody whose form showed
// something else, and tells who has turned them meanwhile.
func (s *Server) showSecurityOutdated(v *visit, seen account.Seen) error {
	changes, err := s.store.WorkspaceChanges(v.ctx(), account.PolicyChanged, seen.At)
	if err != nil {
		return err
	}
	if v.who.Workspace, err = s.store.Workspace(v.ctx()); err != nil {
		return err
	}
	card := views.Security{Policy: v.who.Workspace.Policy, Alert: views.Outdated(changesOf(changes))}
	return s.showSecurityCard(v, http.StatusUnprocessableEntity, card)
}

// showGeneral shows the workspace's name.
func (s *Server) showGeneral(v *visit) error {
	return s.showGeneralCard(v, http.StatusOK, views.General{Workspace: views.Field{Value: v.who.Workspace.Name}})
}

func (s *Server) showGeneralCard(v *visit, status int, card views.General) error {
	if card.Seen == "" {
		card.Seen = v.shows(account.WorkspaceVersion(v.who.Workspace.Name))
	}
	f, err := s.frame(v)
	if err != nil {
		return err
	}
	fragment := views.GeneralCard(card)
	if !card.Success.IsZero() {
		fragment = views.GeneralCardWithSidebar(f, card)
	}
	return s.show(v, status, fragment, views.GeneralPage(f, card))
}

// renameWorkspace changes the workspace's name.
func (s *Server) renameWorkspace(v *visit) error {
	seen, err := v.seen()
	if err != nil {
		return err
	}
	typed := v.r.PostFormValue("workspace")
	err = s.store.RenameWorkspace(v.ctx(), seen, typed, v.who.Author(v.client), v.now)
	if problems, ok := fieldProblems(err); ok {
		return s.showGeneralCard(v, http.StatusUnprocessableEntity, views.General{
			Workspace: problems.field("workspace", typed),
			Seen:      v.r.PostFormValue("seen"),
		})
	}
	if errors.Is(err, account.ErrOutdated) {
		return s.showGeneralOutdated(v, seen)
	}
	if err != nil {
		return err
	}
	if v.who.Workspace.Name, err = account.ParseName("workspace", typed); err != nil {
		return err
	}
	return s.showGeneralCard(v, http.StatusOK, views.General{
		Workspace: views.Field{Value: v.who.Workspace.Name},
		Success:   views.WorkspaceRenamed(),
	})
}

// showGeneralOutdated shows the name as it is now to somebody whose form showed another,
// and tells who has changed it meanwhile.
func (s *Server) showGeneralOutdated(v *visit, seen account.Seen) error {
	changes, err := s.store.WorkspaceChanges(v.ctx(), account.WorkspaceRenamed, seen.At)
	if err != nil {
		return err
	}
	if v.who.Workspace, err = s.store.Workspace(v.ctx()); err != nil {
		return err
	}
	card := views.General{
		Workspace: views.Field{Value: v.who.Workspace.Name},
		Alert:     views.Outdated(changesOf(changes)),
	}
	return s.showGeneralCard(v, http.StatusUnprocessableEntity, card)
}
