package handlers

import (
	"errors"
	"net"
	"net/http"
	"strings"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/views"
)

// guardCard is how an app is guarded now, as its page shows it.
func (s *Server) guardCard(rc *requestContext, a apps.App) views.GuardCard {
	return views.GuardCard{
		App:        a,
		Gatehouse:  listeningAt(rc.r),
		Needs:      views.AppsNeed(s.base != nil, len(s.proxies) > 0 || s.peer(rc.r).isTrusted),
		On:         a.Guarded,
		Public:     views.Field{Value: strings.Join(a.Guard.Public, "\n")},
		Others:     views.Field{Value: strings.Join(a.Guard.Others, "\n")},
		RemoteUser: a.Guard.RemoteUser,
		Seen:       rc.formVersion(a.GuardVersion()),
		Watching:   a.WatchUntil.After(rc.now),
	}
}

// listeningAt is the address at which this request has reached us: a proxy reaches us there.
// It is "" for a socket that has no address.
func listeningAt(r *http.Request) string {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	switch {
	case ok && local.Network() == "tcp":
		return local.String()
	case ok && local.Network() == "unix":
		return "unix:" + local.String()
	}
	return ""
}

// changeAppGuard changes whether and how an app is guarded.
func (s *Server) changeAppGuard(rc *requestContext) error {
	id, seen, err := rc.seenApp()
	if errors.Is(err, errSeenMissing) {
		return s.showAppCards(rc, http.StatusUnprocessableEntity, views.AppDetail{Alert: views.FormIncomplete()})
	}
	if err != nil {
		return err
	}
	g := db.AppGuard{
		Public:     rc.r.PostFormValue("public"),
		Others:     rc.r.PostFormValue("others"),
		RemoteUser: apps.RemoteUser(rc.r.PostFormValue("remote_user")),
	}
	if g.Guarded, err = rc.checkbox("guarded"); err != nil {
		return err
	}
	err = s.store.ChangeAppGuard(rc.ctx(), id, seen, g, rc.visitor.Author(rc.client), rc.now)
	if errors.Is(err, account.ErrOutdated) {
		return s.showAppOutdated(rc, seen)
	}
	if problems, ok := fieldMessagesOf(err); ok {
		a, err := s.store.App(rc.ctx(), id)
		if err != nil {
			return err
		}
		card := s.guardCard(rc, a)
		card.On, card.RemoteUser = g.Guarded, g.RemoteUser
		card.Public, card.Others = problems.field("public", g.Public), problems.field("others", g.Others)
		card.RemoteUserError = problems["remote_user"]
		card.Seen = rc.r.PostFormValue("seen")
		return s.showAppCards(rc, http.StatusUnprocessableEntity, views.AppDetail{Guard: card})
	}
	if err != nil {
		return err
	}
	return s.showChangedApp(rc, "app-guard")
}

// checkApp begins to note what an app's proxy asks, or shows what came.
func (s *Server) checkApp(rc *requestContext) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	look := rc.r.PostFormValue("look") == "yes"
	if !look {
		if err := s.store.WatchApp(rc.ctx(), id, rc.visitor.Author(rc.client), rc.now); err != nil {
			return err
		}
	}
	a, err := s.store.App(rc.ctx(), id)
	if err != nil {
		return err
	}
	card := s.guardCard(rc, a)
	card.Asked = look
	r, err := s.store.LastAppRequest(rc.ctx(), id)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return err
	}
	if card.Found = err == nil; card.Found {
		card.Request = views.GuardRequest{
			At:      r.At,
			Peer:    r.Peer,
			Family:  r.Family,
			Method:  r.Method,
			Address: r.Address,
			Status:  r.Status,
			Fault:   r.Fault,
		}
	}
	return s.showAppCards(rc, http.StatusOK, views.AppDetail{Guard: card})
}
