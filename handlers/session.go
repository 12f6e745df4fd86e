package handlers

import (
	"errors"
	"net/http"
	"time"

	"gatehouse/db"

	"github.com/gorilla/sessions"
)

// The cookies. Under https their names begin with __Host-, which a browser
// takes only from this very host and over https. They end with the port unless it
// is the scheme's default: cookies are of a host whatever its port (RFC 6265,
// section 8.5), and a second workspace there must not take the first one's for its own.
const (
	sessionCookie   = "gatehouse"
	challengeCookie = "gatehouse-challenge"
	browserCookie   = "gatehouse-browser"
	messageCookie   = "gatehouse-message"
)

// browserCookieAge is how long a browser stays known, in seconds: 180 days.
const browserCookieAge = 180 * 24 * 60 * 60

// keptBeyond is how long sessions may last at most before their cookie outlives the browser:
// whoever lets people stay for days means their own devices.
const keptBeyond = 24 * time.Hour

// visitorKey is where a loaded session holds its db.Visitor.
const visitorKey = "visitor"

// cookieStore is gorilla/sessions' Store over the database: a cookie carries
// 256 random bits, and everything else is a row that can be listed and ended.
// The rows are made and ended by the store's own transactions, together with
// what opens or closes them; saving here only writes the cookie.
type cookieStore struct {
	store  *db.Store
	now    func() time.Time
	secure bool
	port   func(*http.Request) string // the port in the cookies' names, or ""
}

var _ sessions.Store = (*cookieStore)(nil)

// Get returns the request's session, read from the database once.
func (c *cookieStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(c, name)
}

// New reads the session that the cookie names. A cookie that names none gives a
// new session and no error; a fault of the database is an error, never
// "nobody".
func (c *cookieStore) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(c, name)
	session.Options = c.options(name == c.name(r, browserCookie))
	session.IsNew = true
	session.ID = valueOf(r, name)
	if session.ID == "" || name != c.name(r, sessionCookie) {
		return session, nil
	}
	visitor, err := c.store.Visitor(r.Context(), session.ID, c.now())
	if errors.Is(err, db.ErrSignedOut) {
		return session, nil
	}
	if err != nil {
		return session, err
	}
	session.IsNew = false
	session.Values[visitorKey] = visitor
	return session, nil
}

// Save writes the session's cookie, or takes it away when MaxAge is negative.
func (c *cookieStore) Save(_ *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	value := session.ID
	if session.Options.MaxAge < 0 {
		value = ""
	}
	http.SetCookie(w, sessions.NewCookie(session.Name(), value, session.Options))
	return nil
}

// options sets every attribute: gorilla's defaults do not suit a sign-in.
func (c *cookieStore) options(isBrowser bool) *sessions.Options {
	o := &sessions.Options{
		Path:     "/",
		HttpOnly: true,
		Secure:   c.secure,
		SameSite: http.SameSiteLaxMode,
	}
	if isBrowser {
		o.MaxAge = browserCookieAge
	}
	return o
}

// name returns a cookie's whole name for the host and port that the browser used.
func (c *cookieStore) name(r *http.Request, cookie string) string {
	if port := c.port(r); port != "" {
		cookie += "-" + port
	}
	if c.secure {
		return "__Host-" + cookie
	}
	return cookie
}

// token returns what a cookie carries, or "".
func (c *cookieStore) token(r *http.Request, cookie string) string {
	return valueOf(r, c.name(r, cookie))
}

// valueOf returns the value of the cookie with this very name, or "" when there is none
// or it is longer than any of ours.
func valueOf(r *http.Request, name string) string {
	if got, err := r.Cookie(name); err == nil && len(got.Value) <= 64 {
		return got.Value
	}
	return ""
}

// visitor gives who holds the request's session, or db.ErrSignedOut.
func (c *cookieStore) visitor(r *http.Request) (db.Visitor, error) {
	session, err := c.Get(r, c.name(r, sessionCookie))
	if err != nil {
		return db.Visitor{}, err
	}
	visitor, ok := session.Values[visitorKey].(db.Visitor)
	if !ok {
		return db.Visitor{}, db.ErrSignedOut
	}
	return visitor, nil
}

// setCookie writes a cookie with a new token; an empty token takes the cookie away.
func (c *cookieStore) setCookie(rc *requestContext, cookie, token string) error {
	session := sessions.NewSession(c, c.name(rc.r, cookie))
	session.ID = token
	session.Options = c.options(cookie == browserCookie)
	switch {
	case token == "":
		session.Options.MaxAge = -1
	case cookie == sessionCookie:
		l, err := c.store.SessionLengths(rc.ctx(), rc.now)
		if err != nil {
			return err
		}
		if l.Max > keptBeyond { // the server ends it all the same
			session.Options.MaxAge = int(l.Max / time.Second)
		}
	}
	return session.Save(rc.r, rc.w)
}

// setCookies writes the cookies of what a step of the sign-in opened, and takes away
// those that it closed.
func (c *cookieStore) setCookies(rc *requestContext, p db.SignInResult) error {
	if p.Challenge != "" {
		return c.setCookie(rc, challengeCookie, p.Challenge)
	}
	err := c.setCookie(rc, sessionCookie, p.Session)
	if p.Browser != "" {
		err = errors.Join(err, c.setCookie(rc, browserCookie, p.Browser))
	}
	if c.token(rc.r, challengeCookie) != "" {
		err = errors.Join(err, c.setCookie(rc, challengeCookie, ""))
	}
	return err
}
