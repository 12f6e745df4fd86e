package handlers

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"gatehouse/db"
	"gatehouse/views"
)

// messageTTL is how long a message waits for the page that the browser is sent to.
const messageTTL = time.Minute

// A pageMessage is what an act leaves to be said on the next page that the browser opens:
// a word that package views knows, and whom it is about, or 0.
type pageMessage struct {
	word   string
	person int64
}

// setMessage leaves a message for the next page. It travels in a cookie, sealed with a
// keyed hash and bound to the session (or to there being none), so that neither an address
// nor another person's browser can make a page tell what nobody has done.
func (s *Server) setMessage(rc *requestContext, m pageMessage) error {
	text := m.word + "." + strconv.FormatInt(m.person, 36) + "." + strconv.FormatInt(rc.now.Add(messageTTL).Unix(), 36)
	return s.cookies.setCookie(rc, messageCookie, text+"."+s.messageMAC(rc, text))
}

func (s *Server) messageMAC(rc *requestContext, text string) string {
	return s.store.MAC("message", text+" "+rc.visitor.Handle)
}

// takeMessage returns the message that was left for this page, once: the cookie goes. It
// returns the zero pageMessage when there is none, and to whatever is no page.
func (s *Server) takeMessage(rc *requestContext) (pageMessage, error) {
	value := s.cookies.token(rc.r, messageCookie)
	if value == "" || !rc.isPageLoad() {
		return pageMessage{}, nil
	}
	if err := s.cookies.setCookie(rc, messageCookie, ""); err != nil {
		return pageMessage{}, err
	}
	cut := strings.LastIndex(value, ".")
	if cut < 0 || !db.EqualMAC(value[cut+1:], s.messageMAC(rc, value[:cut])) {
		return pageMessage{}, nil
	}
	parts := strings.Split(value[:cut], ".") // as setMessage has joined them
	person, err := strconv.ParseInt(parts[1], 36, 64)
	if err != nil {
		return pageMessage{}, err
	}
	until, err := strconv.ParseInt(parts[2], 36, 64)
	if err != nil {
		return pageMessage{}, err
	}
	if left := time.Unix(until, 0).Sub(rc.now); left <= 0 || left > messageTTL {
		return pageMessage{}, nil
	}
	return pageMessage{word: parts[0], person: person}, nil
}

// redirectWithMessage sends the browser on to a page that says what was done.
func (s *Server) redirectWithMessage(rc *requestContext, address string, m pageMessage) error {
	if err := s.setMessage(rc, m); err != nil {
		return err
	}
	return s.redirect(rc, address)
}

// redirectToSignIn sends the browser to the sign-in, which says why.
func (s *Server) redirectToSignIn(rc *requestContext, word string) error {
	rc.visitor = db.Visitor{} // nobody is signed in there
	return s.redirectWithMessage(rc, "/signin", pageMessage{word: word})
}

// findMessage returns the message for this page in words.
func (s *Server) findMessage(rc *requestContext) (views.Message, error) {
	m, err := s.takeMessage(rc)
	if err != nil || m.word == "" {
		return views.Message{}, err
	}
	about := ""
	if m.person != 0 {
		p, err := s.store.Person(rc.ctx(), m.person)
		if err != nil && !errors.Is(err, db.ErrNotFound) {
			return views.Message{}, err
		}
		about = p.Email
	}
	return views.PageMessage(m.word, about, rc.visitor.Person.Name), nil
}
