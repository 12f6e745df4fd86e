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

// leaveMessage leaves a message for the next page. It travels in a cookie, sealed with a
// keyed hash and bound to the session (or to there being none), so that neither an address
// nor another person's browser can make a page tell what nobody has done.
func (s *Server) leaveMessage(v *visit, m pageMessage) error {
	text := m.word + "." + strconv.FormatInt(m.person, 36) + "." + strconv.FormatInt(v.now.Add(messageTTL).Unix(), 36)
	return s.cookies.set(v, messageCookie, text+"."+s.messageMAC(v, text))
}

func (s *Server) messageMAC(v *visit, text string) string {
	return s.store.MAC("message", text+" "+v.who.Handle)
}

// takeMessage gives the message that was left for this page, once: the cookie goes. It
// gives the zero pageMessage when there is none, and to whatever is no page.
func (s *Server) takeMessage(v *visit) (pageMessage, error) {
	value := s.cookies.token(v.r, messageCookie)
	if value == "" || !v.loadsPage() {
		return pageMessage{}, nil
	}
	if err := s.cookies.set(v, messageCookie, ""); err != nil {
		return pageMessage{}, err
	}
	cut := strings.LastIndex(value, ".")
	if cut < 0 || !db.EqualMAC(value[cut+1:], s.messageMAC(v, value[:cut])) {
		return pageMessage{}, nil
	}
	parts := strings.Split(value[:cut], ".") // as leaveMessage has joined them
	person, err := strconv.ParseInt(parts[1], 36, 64)
	if err != nil {
		return pageMessage{}, err
	}
	until, err := strconv.ParseInt(parts[2], 36, 64)
	if err != nil {
		return pageMessage{}, err
	}
	if left := time.Unix(until, 0).Sub(v.now); left <= 0 || left > messageTTL {
		return pageMessage{}, nil
	}
	return pageMessage{word: parts[0], person: person}, nil
}

// goToWith sends the browser on to a page that says what was done.
func (s *Server) goToWith(v *visit, address string, m pageMessage) error {
	if err := s.leaveMessage(v, m); err != nil {
		return err
	}
	return s.goTo(v, address)
}

// goToSignIn sends the browser to the sign-in, which says why.
func (s *Server) goToSignIn(v *visit, word string) error {
	v.who = db.Visitor{} // nobody is signed in there
	return s.goToWith(v, "/signin", pageMessage{word: word})
}

// messageFor gives the message for this page in words.
func (s *Server) messageFor(v *visit) (views.Message, error) {
	m, err := s.takeMessage(v)
	if err != nil || m.word == "" {
		return views.Message{}, err
	}
	about := ""
	if m.person != 0 {
		p, err := s.store.Person(v.ctx(), m.person)
		if err != nil && !errors.Is(err, db.ErrNotFound) {
			return views.Message{}, err
		}
		about = p.Email
	}
	return views.PageMessage(m.word, about, v.who.Person.Name), nil
}
