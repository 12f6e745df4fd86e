package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"gatehouse/account"
	"gatehouse/views"
)

// showSessionLengths shows how long people stay signed in.
func (s *Server) showSessionLengths(rc *requestContext) error {
	chosen, err := s.store.ChosenSessionLengths(rc.ctx())
	if err != nil {
		return err
	}
	return s.showSessionLengthsCard(rc, http.StatusOK, viewSessionLengths(rc, chosen))
}

// viewSessionLengths are the lengths as the card shows them.
func viewSessionLengths(rc *requestContext, l account.SessionLengths) views.SessionLengths {
	return views.SessionLengths{
		Idle: views.Field{Value: strconv.Itoa(int(l.Idle / time.Minute))},
		Max:  views.Field{Value: strconv.Itoa(int(l.Max / time.Minute))},
		Seen: rc.formVersion(account.SessionLengthsVersion(l)),
	}
}

func (s *Server) showSessionLengthsCard(rc *requestContext, status int, card views.SessionLengths) error {
	card.Fixed = s.store.FixedSessionLengths()
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, status, views.SessionLengthsCard(card), views.SessionLengthsPage(f, card))
}

// changeSessionLengths sets how long people stay signed in; it counts from everybody's next
// request on.
func (s *Server) changeSessionLengths(rc *requestContext) error {
	seen, err := rc.seen()
	if err != nil {
		return err
	}
	idle, most := rc.r.PostFormValue("session_idle"), rc.r.PostFormValue("session_max")
	l, err := account.ParseSessionLengths(idle, most)
	if err == nil {
		err = s.store.ChangeSessionLengths(rc.ctx(), seen, l, rc.visitor.Author(rc.client), rc.now)
	}
	if problems, ok := fieldMessagesOf(err); ok {
		return s.showSessionLengthsCard(rc, http.StatusUnprocessableEntity, views.SessionLengths{
			Idle: problems.field("session_idle", idle),
			Max:  problems.field("session_max", most),
			Seen: rc.r.PostFormValue("seen"),
		})
	}
	if errors.Is(err, account.ErrOutdated) {
		return s.showSessionLengthsOutdated(rc, seen)
	}
	if err != nil {
		return err
	}
	card := viewSessionLengths(rc, l)
	card.Success = views.SessionLengthsSaved()
	return s.showSessionLengthsCard(rc, http.StatusOK, card)
}

// showSessionLengthsOutdated shows the lengths as they are now to somebody whose form showed
// others, and tells who has changed them meanwhile.
func (s *Server) showSessionLengthsOutdated(rc *requestContext, seen account.Seen) error {
	changes, err := s.store.WorkspaceChanges(rc.ctx(), account.SessionLengthsChanged, seen.At)
	if err != nil {
		return err
	}
	chosen, err := s.store.ChosenSessionLengths(rc.ctx())
	if err != nil {
		return err
	}
	card := viewSessionLengths(rc, chosen)
	card.Alert = views.Outdated(viewChanges(changes))
	return s.showSessionLengthsCard(rc, http.StatusUnprocessableEntity, card)
}
