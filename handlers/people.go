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

// id reads the number in the address, or returns db.ErrNotFound.
func (rc *requestContext) id() (int64, error) {
	id, err := strconv.ParseInt(rc.r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, db.ErrNotFound
	}
	return id, nil
}

// author is the visitor as the rules look at them, for what a page offers. Whether a
// change is allowed is decided in its transaction.
func (rc *requestContext) author() account.Author {
	return account.Author{Kind: account.ActorPerson, ID: rc.visitor.Person.ID, Role: rc.visitor.Person.Role}
}

// showPeople shows the list of people, with the form that invites where that is asked for.
func (s *Server) showPeople(rc *requestContext) error {
	return s.showPeopleCards(rc, http.StatusOK, views.People{Invite: views.Invite{
		Open: rc.r.URL.Query().Has("invite"),
		Role: views.Field{Value: string(twofactor.Member)},
	}})
}

func (s *Server) showPeopleCards(rc *requestContext, status int, card views.People) error {
	query := rc.r.URL.Query()
	card.Filter = peopleFilter(query)
	page, err := s.store.People(rc.ctx(), card.Filter, query.Get("after"))
	if err != nil {
		return err
	}
	card.Invite.Roles = account.RolesToGive(rc.author())
	card.Rows, card.Pagination = viewPeople(page.People), pagination("/admin/people", query, page.Next)
	card.Unordered = page.Unordered
	card.Export = views.PeopleAddress("/admin/people.csv", card.Filter)
	card.Alone = len(card.Rows) == 1 && card.Rows[0].ID == rc.visitor.Person.ID && card.Pagination == (views.Pagination{}) &&
		card.Filter.Search == "" && !card.Filter.Narrows()
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, status, views.PeopleCards(card), views.PeoplePage(f, card))
}

// peopleFilter reads the filter of a list of people from an address.
func peopleFilter(query url.Values) account.PeopleFilter {
	return account.PeopleFilter{
		Search:   query.Get("q"),
		Role:     twofactor.Role(query.Get("role")),
		Factors:  account.Factors(query.Get("two_factor")),
		Standing: account.Standing(query.Get("account")),
		Order:    account.Order(query.Get("sort")),
	}.Known()
}

// exportPeople sends everybody whom a filter leaves as CSV, which the import of people reads.
func (s *Server) exportPeople(rc *requestContext) error {
	filter := peopleFilter(rc.r.URL.Query())
	if err := s.noteExport(rc, exportedPeople(filter)); err != nil {
		return err
	}
	t, err := s.startCSV(rc, "people", "email", "name", "role", "user_name", "active", "invited", "two_factor", "enrolled_at",
		"passkeys", "recovery_codes_left", "last_sign_in_at")
	if err != nil {
		return t.finish(err)
	}
	return t.finish(s.store.EachListedPerson(rc.ctx(), filter, func(p db.Person) error {
		factors := account.WithoutTwoFactor
		if p.State() == twofactor.Enabled {
			factors = account.WithTwoFactor
		}
		return t.writeRow(p.Email, p.Name, string(p.Role), p.UserName, yesNo(p.Active), yesNo(p.Invited), string(factors),
			formatInstant(p.ConfirmedAt), strconv.Itoa(p.Passkeys), strconv.Itoa(p.CodesLeft), formatInstant(p.LastSignInAt))
	}))
}

func yesNo(value bool) string {
	if value {
		return "yes"
	}
	return "no"
}

// exportedPeople tells what an export of people was narrowed by. A search is said to be one, and
// not repeated: it may hold a name.
func exportedPeople(f account.PeopleFilter) string {
	what := "people"
	if f.Role != "" {
		what += ", role " + string(f.Role)
	}
	if f.Factors != "" {
		what += ", two-factor " + string(f.Factors)
	}
	if f.Standing != "" {
		what += ", account " + string(f.Standing)
	}
	if f.Search != "" {
		what += ", those of a search"
	}
	return what
}

// pagination returns the links of a list that is paged by key; they keep its filter.
func pagination(path string, query url.Values, next string) views.Pagination {
	var list views.Pagination
	if query.Get("after") != "" {
		list.First = listAddress(path, query, "")
	}
	if next != "" {
		list.Next = listAddress(path, query, next)
	}
	return list
}

// listAddress returns the address of a part of a list: after a key, or its beginning.
func listAddress(path string, query url.Values, after string) string {
	q := url.Values{}
	for name, values := range query {
		if name != "after" && len(values) > 0 && values[0] != "" {
			q.Set(name, values[0])
		}
	}
	if after != "" {
		q.Set("after", after)
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func viewPeople(list []db.Person) []views.Person {
	out := make([]views.Person, 0, len(list))
	for _, p := range list {
		out = append(out, viewPerson(p))
	}
	return out
}

func viewPerson(p db.Person) views.Person {
	return views.Person{
		ID:           p.ID,
		Name:         p.Name,
		Email:        p.Email,
		Role:         p.Role,
		Active:       p.Active,
		Invited:      p.Invited,
		LastSignInAt: p.LastSignInAt,
		ConfirmedAt:  p.ConfirmedAt,
		CodesLeft:    p.CodesLeft,
		Passkeys:     p.Passkeys,
		UserName:     p.UserName,
	}
}

// invitePerson adds somebody and shows their one-time link, once.
func (s *Server) invitePerson(rc *requestContext) error {
	n := db.NewPerson{
		Name:  rc.r.PostFormValue("name"),
		Email: rc.r.PostFormValue("email"),
		Role:  twofactor.Role(rc.r.PostFormValue("role")),
	}
	invite := s.store.Invite
	if s.mail != nil {
		invite = s.store.InviteByMail
	}
	id, token, err := invite(rc.ctx(), n, rc.visitor.Author(rc.client), rc.now)
	if problems, ok := fieldMessagesOf(err); ok {
		return s.showPeopleCards(rc, http.StatusUnprocessableEntity, views.People{Invite: views.Invite{
			Open:  true,
			Name:  problems.field("name", n.Name),
			Email: problems.field("email", n.Email),
			Role:  problems.field("role", string(n.Role)),
		}})
	}
	if err != nil {
		return err
	}
	if token == "" {
		return s.redirectWithMessage(rc, "/admin/people/"+strconv.FormatInt(id, 10), pageMessage{word: "invited", person: id})
	}
	card := views.People{Link: s.oneTimeLink(rc, token, account.Invitation, n.Name, account.NormalizeEmail(n.Email))}
	card.Invite.Role.Value = string(twofactor.Member)
	return s.showPeopleCards(rc, http.StatusOK, card)
}

// oneTimeLink returns a link's token as an address.
func (s *Server) oneTimeLink(rc *requestContext, token string, kind account.LinkKind, name, email string) views.OneTimeLink {
	at := "http://" + rc.r.Host
	if s.base != nil {
		at = s.base.Scheme + "://" + s.base.Host
	}
	return views.OneTimeLink{
		URL:    at + "/welcome/" + token,
		Kind:   kind,
		Name:   name,
		Email:  email,
		EndsAt: rc.now.Add(db.LinkTTL),
	}
}

// showPerson shows one person's page.
func (s *Server) showPerson(rc *requestContext) error {
	return s.showPersonCards(rc, http.StatusOK, views.PersonDetail{})
}

// showPersonCards shows the person that the address is about, as they are now.
// An Edit that is set is what was typed.
func (s *Server) showPersonCards(rc *requestContext, status int, card views.PersonDetail) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	p, err := s.store.Person(rc.ctx(), id)
	if err != nil {
		return err
	}
	facts, err := s.store.PersonDetails(rc.ctx(), id, rc.now)
	if err != nil {
		return err
	}
	card.Person = viewPerson(p)
	card.AddedAt = facts.AddedAt
	card.LinkKind = facts.LinkKind
	card.LinkUntil = facts.LinkUntil
	card.Sessions = facts.Sessions
	card.Browsers = facts.Browsers
	card.ClosedAt, card.SwitchedOff, card.Mails = facts.ClosedAt, facts.SwitchedOff, s.mail != nil
	card.Rights = account.RightsOver(rc.author(), account.Subject{ID: p.ID, Role: p.Role})
	if card.Edit == (views.Edit{}) {
		card.Edit = views.Edit{
			Name:  views.Field{Value: p.Name},
			Email: views.Field{Value: p.Email},
			Role:  views.Field{Value: string(p.Role)},

			UserName: views.Field{Value: p.UserName},
		}
	}
	if card.Apps, err = s.personApps(rc, p); err != nil {
		return err
	}
	if card.Edit.Seen == "" {
		card.Edit.Seen = rc.formVersion(account.PersonVersion(p.Name, p.Email, p.UserName, p.Role))
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	fragment := views.PersonCards(card)
	if card.Rights.Own && !card.Success.IsZero() {
		fragment = views.PersonCardsWithSidebar(f, card)
	}
	return s.show(rc, status, fragment, views.PersonPage(f, card))
}

// editPerson changes name, address and role.
func (s *Server) editPerson(rc *requestContext) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	seen, err := rc.seen()
	if err != nil {
		return err
	}
	n := db.NewPerson{
		Name:  rc.r.PostFormValue("name"),
		Email: rc.r.PostFormValue("email"),
		Role:  twofactor.Role(rc.r.PostFormValue("role")),

		UserName: rc.r.PostFormValue("user_name"),
	}
	err = s.store.ChangePerson(rc.ctx(), id, seen, n, rc.visitor.Author(rc.client), rc.now)
	if errors.Is(err, account.ErrOutdated) {
		return s.showPersonOutdated(rc, id, seen)
	}
	problems, refused := fieldMessagesOf(err)
	alert := views.PersonRefused(err)
	if refused || !alert.IsZero() {
		card := views.PersonDetail{Edit: views.Edit{
			Name:  problems.field("name", n.Name),
			Email: problems.field("email", n.Email),
			Role:  problems.field("role", string(n.Role)),

			UserName: problems.field("user_name", n.UserName),
		}}
		card.Edit.Seen = rc.r.PostFormValue("seen")
		card.Alert = alert
		return s.showPersonCards(rc, http.StatusUnprocessableEntity, card)
	}
	if err != nil {
		return err
	}
	if id == rc.visitor.Person.ID {
		if rc.visitor, err = s.cookies.store.Visitor(rc.ctx(), s.cookies.token(rc.r, sessionCookie), rc.now); err != nil {
			return err // the sidebar shows the new name
		}
	}
	return s.showChangedPerson(rc, "edit")
}

// showPersonOutdated shows somebody as they are now to an admin whose form showed them
// otherwise, and tells who has changed them meanwhile.
func (s *Server) showPersonOutdated(rc *requestContext, id int64, seen account.Seen) error {
	changes, err := s.store.PersonChanges(rc.ctx(), id, seen.At)
	if err != nil {
		return err
	}
	card := views.PersonDetail{Alert: views.Outdated(viewChanges(changes))}
	return s.showPersonCards(rc, http.StatusUnprocessableEntity, card)
}

// showChangedPerson shows somebody after a change. Without htmx the browser is sent on to
// their page, so that loading it again does not make the change again.
func (s *Server) showChangedPerson(rc *requestContext, verb string) error {
	if rc.isHTMX() {
		return s.showPersonCards(rc, http.StatusOK, views.PersonDetail{Success: views.PersonDone(verb)})
	}
	return s.redirectWithMessage(rc, "/admin/people/"+rc.r.PathValue("id"), pageMessage{word: verb})
}

// changePerson runs one change to the person that the address is about and shows them
// afterwards.
func (s *Server) changePerson(rc *requestContext, verb string, do func(id int64, by db.Author) error) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	err = do(id, rc.visitor.Author(rc.client))
	if alert := views.PersonRefused(err); !alert.IsZero() {
		return s.showPersonCards(rc, http.StatusUnprocessableEntity, views.PersonDetail{Alert: alert})
	}
	if err != nil {
		return err
	}
	return s.showChangedPerson(rc, verb)
}

// deactivatePerson ends somebody's access.
func (s *Server) deactivatePerson(rc *requestContext) error {
	return s.changePerson(rc, "deactivate",
		func(id int64, by db.Author) error { return s.store.SetActive(rc.ctx(), id, false, by, rc.now) })
}

// reactivatePerson gives somebody access again.
func (s *Server) reactivatePerson(rc *requestContext) error {
	return s.changePerson(rc, "reactivate",
		func(id int64, by db.Author) error { return s.store.SetActive(rc.ctx(), id, true, by, rc.now) })
}

// endSessionsOf signs somebody out everywhere.
func (s *Server) endSessionsOf(rc *requestContext) error {
	return s.changePerson(rc, "sessions/end",
		func(id int64, by db.Author) error { return s.store.EndSessionsOf(rc.ctx(), id, by, rc.now) })
}

// resetTwoFactor takes somebody's factor away.
func (s *Server) resetTwoFactor(rc *requestContext) error {
	return s.changePerson(rc, "two-factor/reset",
		func(id int64, by db.Author) error { return s.store.ResetTwoFactor(rc.ctx(), id, by, rc.now) })
}

// unlockPerson clears somebody's failed attempts.
func (s *Server) unlockPerson(rc *requestContext) error {
	return s.changePerson(rc, "unlock", func(id int64, by db.Author) error { return s.store.Unlock(rc.ctx(), id, by, rc.now) })
}

// removePerson asks for confirmation, and then removes an account for good. The person's
// page is gone: the list says what was done.
func (s *Server) removePerson(rc *requestContext) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	if rc.r.PostFormValue("confirmed") != "yes" {
		return s.showPersonCards(rc, http.StatusOK, views.PersonDetail{AskRemove: true})
	}
	err = s.store.RemovePerson(rc.ctx(), id, rc.visitor.Author(rc.client), rc.now)
	if alert := views.PersonRefused(err); !alert.IsZero() {
		return s.showPersonCards(rc, http.StatusUnprocessableEntity, views.PersonDetail{Alert: alert})
	}
	if err != nil {
		return err
	}
	return s.redirectWithMessage(rc, "/admin/people", pageMessage{word: "remove"})
}

// makeLink makes a one-time link for somebody and mails it, or shows it, once.
func (s *Server) makeLink(rc *requestContext) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	make := s.store.NewLink
	if s.mail != nil && rc.r.PostFormValue("show") == "" {
		make = s.store.MailLink
	}
	token, err := make(rc.ctx(), id, rc.visitor.Author(rc.client), rc.now)
	if alert := views.PersonRefused(err); !alert.IsZero() {
		return s.showPersonCards(rc, http.StatusUnprocessableEntity, views.PersonDetail{Alert: alert})
	}
	if err != nil {
		return err
	}
	p, err := s.store.Person(rc.ctx(), id)
	if err != nil {
		return err
	}
	kind := account.PasswordLink
	if p.Invited {
		kind = account.Invitation
	}
	if token == "" {
		return s.showPersonCards(rc, http.StatusOK, views.PersonDetail{Success: views.MailedLink(kind, p.Email)})
	}
	return s.showPersonCards(rc, http.StatusOK, views.PersonDetail{Link: s.oneTimeLink(rc, token, kind, p.Name, p.Email)})
}
