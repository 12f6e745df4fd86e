package views

import (
	"errors"
	"net/http"

	"gatehouse/openid"
)

// An Agreement asks somebody whether an app may learn who they are.
type Agreement struct {
	App, Mark string
	Host      string // where the answer goes, as people read it
	Name      string // of whom is signed in
	Email     string
	Request   string // the app's, as the form sends it back
	Ours      bool   // the workspace's own app: what it learns is not listed

	Profile, Address, Groups, Offline bool // what it learns

	OtherUser string // where somebody else signs in
}

// An AppRefusal says that an app is not open to somebody.
type AppRefusal struct {
	App       string
	Name      string
	Email     string
	Paused    bool
	Back      string // brings the app the answer
	OtherUser string
}

// A WrongAddress is an app's request whose answer would go to an address that is not
// registered.
type WrongAddress struct {
	App     string
	AppID   int64
	Address string // what came
	CanAdd  bool   // it can be registered, and who reads this may do so
	Why     string // why it cannot
}

// UnknownApp says that a request names no connected app.
func UnknownApp() Problem {
	return Problem{
		Status:  http.StatusBadRequest,
		Title:   "This app is not connected",
		Text:    "The link that brought you here names no app of this workspace, or lacks a part. Open the app again from My portal; if that fails, tell your administrator.",
		Action:  "Go to My portal",
		Address: "/my",
	}
}

// SignOutUnreadable says that a sign-out asked for by an app cannot be done as it was asked.
func SignOutUnreadable() Problem {
	return Problem{
		Status:  http.StatusBadRequest,
		Title:   "The app's sign-out cannot be followed",
		Text:    "The app wants to take you to an address that is not registered for it. You are signed in as before. To sign out, use the button in My portal.",
		Action:  "Go to My portal",
		Address: "/my",
	}
}

// A SignOut asks somebody whether they want to sign out, because an app has sent them.
type SignOut struct {
	App     string // "" where it is not known
	Name    string
	Email   string
	Request string
}

// RedirectRefused says why an address cannot be registered; "" where it can.
func RedirectRefused(err error) string {
	switch {
	case errors.Is(err, openid.ErrAddressHTTP):
		return "It cannot be added: it begins with http. Serve the app over https; http is accepted on 127.0.0.1 and [::1] for apps on people's devices only."
	case errors.Is(err, openid.ErrHost):
		return "It cannot be added: it is not on the app's own host."
	case err != nil:
		return "It cannot be added: it is not an address that a browser could be sent to safely."
	}
	return ""
}
