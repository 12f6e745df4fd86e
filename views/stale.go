package views

import (
	"net/http"
	"time"

	"gatehouse/account"
)

// OtherSession is the answer to a form of a page that was shown to another session than
// the browser's: nobody acts as somebody else by an old tab.
func OtherSession(name, email string) Problem {
	return Problem{
		Status: http.StatusConflict,
		Title:  "Signed in as somebody else",
		Text: "You are signed in as " + name +
			" now. Nothing was changed. This page is from another session. Open it again to go on as " + email +
			", or sign out first.",
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

// FormIncomplete is the refusal of a form in which an absent field means "off", when it
// does not say what it showed: part of it may have been lost on the way.
func FormIncomplete() Message {
	return Message{
		Text:   "The form was incomplete.",
		Advice: "Nothing was changed. Check what the page shows now and send it again.",
	}
}

// A Change is what somebody did while another person's form was open.
type Change struct {
	At   time.Time
	By   account.Party
	Text string
}

// Outdated is the refusal of a form that showed something else than what is so now. The
// changes are the newest first; none are known of a change that left no activity.
func Outdated(changes []Change) Message {
	m := Message{
		Text:   "This has changed since you opened the page.",
		Advice: "Your changes were not saved. Check what the page shows now and send it again.",
	}
	for _, one := range changes {
		m.Changes = append(m.Changes, Dated{
			By:    partyText(one.By),
			Then:  ",",
			At:    one.At,
			After: ": " + one.Text + ".",
		})
	}
	return m
}
