package handlers

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/views"
)

// showGroups lists the groups.
func (s *Server) showGroups(rc *requestContext) error {
	return s.showGroupsCards(rc, http.StatusOK, views.Groups{})
}

func (s *Server) showGroupsCards(rc *requestContext, status int, card views.Groups) error {
	list, err := s.store.Groups(rc.ctx())
	if err != nil {
		return err
	}
	for _, g := range list {
		card.Rows = append(card.Rows, views.Group{Group: g.Group, Members: g.Members, Apps: g.Apps})
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, status, views.GroupsCards(card), views.GroupsPage(f, card))
}

// addGroup adds a group and shows its page.
func (s *Server) addGroup(rc *requestContext) error {
	name := rc.r.PostFormValue("name")
	id, err := s.store.AddGroup(rc.ctx(), name, rc.visitor.Author(rc.client), rc.now)
	if problems, ok := fieldMessagesOf(err); ok {
		return s.showGroupsCards(rc, http.StatusUnprocessableEntity, views.Groups{Name: problems.field("name", name)})
	}
	if err != nil {
		return err
	}
	return s.redirectWithMessage(rc, "/admin/groups/"+strconv.FormatInt(id, 10), pageMessage{word: "group-add"})
}

// showGroup shows one group's page.
func (s *Server) showGroup(rc *requestContext) error {
	return s.showGroupCards(rc, http.StatusOK, views.GroupDetail{})
}

// showGroupCards shows the group that the address is about, as it is now. A Seen that is set
// belongs to what was typed.
func (s *Server) showGroupCards(rc *requestContext, status int, card views.GroupDetail) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	g, err := s.store.Group(rc.ctx(), id)
	if err != nil {
		return err
	}
	card.Group = g.Group
	for _, a := range g.Apps {
		card.Apps = append(card.Apps, views.AppMark{ID: a.ID, Name: a.Name})
	}
	if card.Seen == "" {
		card.Members, card.Seen = g.Members, rc.formVersion(g.Version())
	}
	if card.Name == (views.Field{}) {
		card.Name.Value = g.Name
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, status, views.GroupCards(card), views.GroupPage(f, card))
}

// showChangedGroup shows a group after a change, as showChangedApp does.
func (s *Server) showChangedGroup(rc *requestContext, word string) error {
	if rc.isHTMX() {
		return s.showGroupCards(rc, http.StatusOK, views.GroupDetail{Success: views.AppDone(word)})
	}
	return s.redirectWithMessage(rc, "/admin/groups/"+rc.r.PathValue("id"), pageMessage{word: word})
}

// renameGroup gives a group another name.
func (s *Server) renameGroup(rc *requestContext) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	name := rc.r.PostFormValue("name")
	err = s.store.RenameGroup(rc.ctx(), id, name, rc.visitor.Author(rc.client), rc.now)
	if problems, ok := fieldMessagesOf(err); ok {
		return s.showGroupCards(rc, http.StatusUnprocessableEntity, views.GroupDetail{Name: problems.field("name", name)})
	}
	if err != nil {
		return err
	}
	return s.showChangedGroup(rc, "group-rename")
}

// setGroupMembers makes those whom the form names the members of a group. An absent name
// leaves it.
func (s *Server) setGroupMembers(rc *requestContext) error {
	id, seen, err := rc.seenApp()
	if errors.Is(err, errSeenMissing) {
		return s.showGroupCards(rc, http.StatusUnprocessableEntity, views.GroupDetail{Alert: views.FormIncomplete()})
	}
	if err != nil {
		return err
	}
	given := rc.r.PostForm["person"]
	err = s.store.SetGroupMembers(rc.ctx(), id, seen, given, rc.visitor.Author(rc.client), rc.now)
	if errors.Is(err, account.ErrOutdated) {
		return s.showGroupOutdated(rc, id, seen)
	}
	if problems, ok := fieldMessagesOf(err); ok {
		return s.showGroupRefused(rc, id, given, problems)
	}
	if err != nil {
		return err
	}
	return s.showChangedGroup(rc, "group-members")
}

// showGroupRefused gives back what was typed: members that stay ticked, and the others in the
// field.
func (s *Server) showGroupRefused(rc *requestContext, id int64, given []string, problems fieldMessages) error {
	g, err := s.store.Group(rc.ctx(), id)
	if err != nil {
		return err
	}
	card := views.GroupDetail{Seen: rc.r.PostFormValue("seen")}
	var typed []string
	for _, text := range given {
		at := slices.IndexFunc(g.Members, func(n apps.Named) bool { return n.Email == text })
		if at >= 0 {
			card.Members = append(card.Members, g.Members[at])
		} else if strings.TrimSpace(text) != "" {
			typed = append(typed, strings.TrimSpace(text))
		}
	}
	card.Typed = problems.field("person", strings.Join(typed, ", "))
	return s.showGroupCards(rc, http.StatusUnprocessableEntity, card)
}

// showGroupOutdated shows a group as it is now to an admin whose form showed it otherwise.
func (s *Server) showGroupOutdated(rc *requestContext, id int64, seen account.Seen) error {
	g, err := s.store.Group(rc.ctx(), id)
	if err != nil {
		return err
	}
	changes, err := s.store.WorkspaceChanges(rc.ctx(), account.GroupChanged, seen.At)
	if err != nil {
		return err
	}
	changes = slices.DeleteFunc(changes, func(r db.ActivityRow) bool { return !strings.HasPrefix(r.Detail, g.Name+": ") })
	return s.showGroupCards(rc, http.StatusUnprocessableEntity,
		views.GroupDetail{Alert: views.Outdated(viewChanges(changes))})
}

// removeGroup asks for confirmation, and then removes a group that no app refers to.
func (s *Server) removeGroup(rc *requestContext) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	if rc.r.PostFormValue("confirmed") != "yes" {
		return s.showGroupCards(rc, http.StatusOK, views.GroupDetail{AskRemove: true})
	}
	err = s.store.RemoveGroup(rc.ctx(), id, rc.visitor.Author(rc.client), rc.now)
	if alert := views.PersonRefused(err); !alert.IsZero() {
		return s.showGroupCards(rc, http.StatusUnprocessableEntity, views.GroupDetail{Alert: alert})
	}
	if err != nil {
		return err
	}
	return s.redirectWithMessage(rc, "/admin/groups", pageMessage{word: "group-remove"})
}
