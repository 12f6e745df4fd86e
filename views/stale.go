package views

import "net/http"

// OtherSession is the answer to a form of a page that was shown to another session than
// the browser's: nobody acts as somebody else by an old tab.
func OtherSession(name, email string) Problem {
	return Problem{
		Status:  http.StatusConflict,
		Title:   "Signed in as somebody else",
		Text:    "You are signed in as " + name + " now. Nothing was changed. This page is from another session. Open it again to go on as " + email + ", or sign out first.",
		Action:  "Go to My portal",
		Address: "/my",
	}
}

// OtherChallenge is the answer to a form of a challenge that another sign-in in the same
// browser has replaced.
func OtherChallenge(email string) Problem {
	return Problem{
		Status:  http.StatusConflict,
		Title:   "Another sign-in has begun",
		Text:    "You are signing in as " + email + " now. Nothing was changed. This page is from an earlier sign-in.",
		Action:  "Continue as " + email,
		Address: "/signin/two-factor",
	}
}
