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

// id reads the number in the address, or gives db.ErrNotFound.
func (v *visit) id() (int64, error) {
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, db.ErrNotFound
	}
	return id, nil
}

// author is the visitor as the rules look at them, for what a page offers. Whether a
// change is allowed is decided in its transaction.
func (v *visit) author() account.Author {
	return account.Author{Kind: account.ActorPerson, ID: v.who.Person.ID, Role: v.who.Person.Role}
}

// showPeople shows the list of people.
func (s *Server) showPeople(v *visit) error {
	return s.showPeopleCards(v, http.StatusOK,
		views.People{Invite: views.Invite{Role: views.Field{Value: string(twofactor.Member)}}})
}

func (s *Server) showPeopleCards(v *visit, status int, card views.People) error {
	query := v.r.URL.Query()
	page, err := s.store.People(v.ctx(), query.Get("q"), query.Get("after"))
	if err != nil {
		return err
	}
	card.Search, card.Invite.Roles = query.Get("q"), account.RolesToGive(v.author())
	card.Rows, card.Pagination = peopleOf(page.People), listOf("/admin/people", query, page.Next)
	f, err := s.frame(v)
	if err != nil {
		return err
	}
	return s.show(v, status, views.PeopleCards(card), views.PeoplePage(f, card))
}

// listOf leads on through a list that is paged by key; what it was narrowed by
// stays in the addresses.
func listOf(path string, query url.Values, next string) views.Pagination {
	var list views.Pagination
	if query.Get("after") != "" {
		list.First = addressOf(path, query, "")
	}
	if next != "" {
		list.Next = addressOf(path, query, next)
	}
	return list
}

// addressOf gives the address of a part of a list: after a key, or its
// beginning.
func addressOf(path string, query url.Values, after string) string {
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

func peopleOf(list []db.Person) []views.Person {
	out := make([]views.Person, 0, len(list))
	for _, p := range list {
		out = append(out, personOf(p))
	}
	return out
}

func personOf(p db.Person) views.Person {
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
	}
}

// invitePerson adds somebody and shows their one-time link, once.
func (s *Server) invitePerson(v *visit) error {
	n := db.NewPerson{
		Name:  v.r.PostFormValue("name"),
		Email: v.r.PostFormValue("email"),
		Role:  twofactor.Role(v.r.PostFormValue("role")),
	}
	_, token, err := s.store.Invite(v.ctx(), n, v.who.Author(v.client), v.now)
	if problems, ok := fieldProblems(err); ok {
		return s.showPeopleCards(v, http.StatusUnprocessableEntity, views.People{Invite: views.Invite{
			Open:  true,
			Name:  problems.field("name", n.Name),
			Email: problems.field("email", n.Email),
			Role:  problems.field("role", string(n.Role)),
		}})
	}
	if err != nil {
		return err
	}
	card := views.People{Link: s.oneTimeLink(v, token, "invitation", n.Name, account.NormalizeEmail(n.Email))}
	card.Invite.Role.Value = string(twofactor.Member)
	return s.showPeopleCards(v, http.StatusOK, card)
}

// oneTimeLink words a link's token as an address.
func (s *Server) oneTimeLink(v *visit, token, kind, name, email string) views.OneTimeLink {
	at := "http://" + v.r.Host
	if s.base != nil {
		at = s.base.Scheme + "://" + s.base.Host
	}
	return views.OneTimeLink{
		URL:    at + "/welcome/" + token,
		Kind:   kind,
		Name:   name,
		Email:  email,
		EndsAt: v.now.Add(db.LinkTTL),
	}
}

// showPerson shows one person's page.
func (s *Server) showPerson(v *visit) error {
	return s.showPersonCards(v, http.StatusOK, views.PersonDetail{})
}

// showPersonCards shows the person that the address is about, as they are now.
// An Edit that is set is what was typed.
func (s *Server) showPersonCards(v *visit, status int, card views.PersonDetail) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	p, err := s.store.Person(v.ctx(), id)
	if err != nil {
		return err
	}
	facts, err := s.store.PersonDetails(v.ctx(), id, v.now)
	if err != nil {
		return err
	}
	card.Person = personOf(p)
	card.AddedAt = facts.AddedAt
	card.LinkKind = facts.LinkKind
	card.LinkUntil = facts.LinkUntil
	card.Sessions = facts.Sessions
	card.Browsers = facts.Browsers
	card.Rights = account.RightsOver(v.author(), account.Subject{ID: p.ID, Role: p.Role})
	if card.Edit == (views.Edit{}) {
		card.Edit = views.Edit{
			Name:  views.Field{Value: p.Name},
			Email: views.Field{Value: p.Email},
			Role:  views.Field{Value: string(p.Role)},
		}
	}
	if card.Edit.Seen == "" {
		card.Edit.Seen = v.shows(account.PersonVersion(p.Name, p.Email, p.Role))
	}
	f, err := s.frame(v)
	if err != nil {
		return err
	}
	fragment := views.PersonCards(card)
	if card.Rights.Own && !card.Success.IsZero() {
		fragment = views.PersonCardsWithSidebar(f, card)
	}
	return s.show(v, status, fragment, views.PersonPage(f, card))
}

// editPerson changes name, address and role.
func (s *Server) editPerson(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	seen, err := v.seen()
	if err != nil {
		return err
	}
	n := db.NewPerson{
		Name:  v.r.PostFormValue("name"),
		Email: v.r.PostFormValue("email"),
		Role:  twofactor.Role(v.r.PostFormValue("role")),
	}
	err = s.store.ChangePerson(v.ctx(), id, seen, n, v.who.Author(v.client), v.now)
	if errors.Is(err, account.ErrOutdated) {
		return s.showPersonOutdated(v, id, seen)
	}
	problems, refused := fieldProblems(err)
	alert := views.PersonRefused(err)
	if refused || !alert.IsZero() {
		card := views.PersonDetail{Edit: views.Edit{
			Name:  problems.field("name", n.Name),
			Email: problems.field("email", n.Email),
			Role:  problems.field("role", string(n.Role)),
		}}
		card.Edit.Seen = v.r.PostFormValue("seen")
		card.Alert = alert
		return s.showPersonCards(v, http.StatusUnprocessableEntity, card)
	}
	if err != nil {
		return err
	}
	if id == v.who.Person.ID {
		if v.who, err = s.cookies.store.Visitor(v.ctx(), s.cookies.token(v.r, sessionCookie), v.now); err != nil {
			return err // the page's surround shows the new name
		}
	}
	return s.changed(v, "edit")
}

// showPersonOutdated shows somebody as they are now to an admin whose form showed them
// otherwise, and tells who has changed them meanwhile.
func (s *Server) showPersonOutdated(v *visit, id int64, seen account.Seen) error {
	changes, err := s.store.PersonChanges(v.ctx(), id, seen.At)
	if err != nil {
		return err
	}
	card := views.PersonDetail{Alert: views.Outdated(changesOf(changes))}
	return s.showPersonCards(v, http.StatusUnprocessableEntity, card)
}

// changed shows somebody after a change. Without htmx the browser is sent on to
// their page, so that loading it again does not make the change again.
func (s *Server) changed(v *visit, verb string) error {
	if v.htmx() {
		return s.showPersonCards(v, http.StatusOK, views.PersonDetail{Success: views.PersonDone(verb)})
	}
	return s.goToWith(v, "/admin/people/"+v.r.PathValue("id"), pageMessage{word: verb})
}

// change runs one change to the person that the address is about and shows
// what became of them.
func (s *Server) change(v *visit, verb string, do func(id int64, by db.Author) error) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	err = do(id, v.who.Author(v.client))
	if alert := views.PersonRefused(err); !alert.IsZero() {
		return s.showPersonCards(v, http.StatusUnprocessableEntity, views.PersonDetail{Alert: alert})
	}
	if err != nil {
		return err
	}
	return s.changed(v, verb)
}

// deactivatePerson ends somebody's access.
func (s *Server) deactivatePerson(v *visit) error {
	return s.change(v, "deactivate",
		func(id int64, by db.Author) error { return s.store.SetActive(v.ctx(), id, false, by, v.now) })
}

// reactivatePerson gives somebody access again.
func (s *Server) reactivatePerson(v *visit) error {
	return s.change(v, "reactivate",
		func(id int64, by db.Author) error { return s.store.SetActive(v.ctx(), id, true, by, v.now) })
}

// endSessionsOf signs somebody out everywhere.
func (s *Server) endSessionsOf(v *visit) error {
	return s.change(v, "sessions/end",
		func(id int64, by db.Author) error { return s.store.EndSessionsOf(v.ctx(), id, by, v.now) })
}

// resetTwoFactor takes somebody's factor away.
func (s *Server) resetTwoFactor(v *visit) error {
	return s.change(v, "two-factor/reset",
		func(id int64, by db.Author) error { return s.store.ResetTwoFactor(v.ctx(), id, by, v.now) })
}

// unlockPerson forgets somebody's wrong answers.
func (s *Server) unlockPerson(v *visit) error {
	return s.change(v, "unlock", func(id int64, by db.Author) error { return s.store.Unlock(v.ctx(), id, by, v.now) })
}

// removePerson asks whether it is meant, and then removes an account for good. The
// person's page is gone: the list says what was done.
func (s *Server) removePerson(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	if v.r.PostFormValue("confirmed") != "yes" {
		return s.showPersonCards(v, http.StatusOK, views.PersonDetail{AskRemove: true})
	}
	err = s.store.RemovePerson(v.ctx(), id, v.who.Author(v.client), v.now)
	if alert := views.PersonRefused(err); !alert.IsZero() {
		return s.showPersonCards(v, http.StatusUnprocessableEntity, views.PersonDetail{Alert: alert})
	}
	if err != nil {
		return err
	}
	return s.goToWith(v, "/admin/people", pageMessage{word: "remove"})
}

// makeLink makes a one-time link for somebody and shows it, once.
func (s *Server) makeLink(v *visit) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	token, err := s.store.NewLink(v.ctx(), id, v.who.Author(v.client), v.now)
	if alert := views.PersonRefused(err); !alert.IsZero() {
		return s.showPersonCards(v, http.StatusUnprocessableEntity, views.PersonDetail{Alert: alert})
	}
	if err != nil {
		return err
	}
	p, err := s.store.Person(v.ctx(), id)
	if err != nil {
		return err
	}
	kind := "password"
	if p.Invited {
		kind = "invitation"
	}
	return s.showPersonCards(v, http.StatusOK, views.PersonDetail{Link: s.oneTimeLink(v, token, kind, p.Name, p.Email)})
}
