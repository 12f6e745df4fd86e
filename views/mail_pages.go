package views

import (
	"time"

	"gatehouse/account"
)

// MailSettings is /admin/settings/mail.
type MailSettings struct {
	Server  string // the mail server's address, never its password; "" while none is set
	From    string
	To      string // where a test mail goes: the visitor's address
	Mails   []SentMail
	Success Message
	Alert   Message
}

// A SentMail is a row of the newest mails.
type SentMail struct {
	MadeAt time.Time
	Kind   account.MailKind
	Event  account.Event
	Name   string
	Email  string
	State  string // waiting, sent, given-up
	Tries  int
	NextAt time.Time
	DoneAt time.Time
	Answer string
}

// mailNames say which mail it is, in a list.
var mailNames = map[account.MailKind]string{
	account.MailInvitation: "Invitation",
	account.MailPassword:   "Password link",
	account.MailForgot:     "Forgotten password",
	account.MailClosed:     "Account closed",
	account.MailPolicy:     "Policy to come",
	account.MailTest:       "Test mail",
}

func mailName(m SentMail) string {
	switch m.Kind {
	case account.MailEvent:
		return EventText(m.Event, true, "", "")
	case account.MailAdmins:
		return "To admins: " + EventText(m.Event, true, "", "")
	}
	return mailNames[m.Kind]
}

// mailBadge is the colour and the word of a mail's state.
func mailBadge(state string) (colour, text string) {
	switch state {
	case "sent":
		return "emerald", "Sent"
	case "given-up":
		return "rose", "Given up"
	}
	return "amber", "Waiting"
}

// TestMailSent is shown when the server has taken a test mail.
func TestMailSent(to, answer string) Message {
	return Message{Text: "The server has taken the test mail to " + account.ShownEmail(to) + ".", Advice: "It answered: " + answer}
}

// TestMailRefused is shown when it has not.
func TestMailRefused(answer string) Message {
	return Message{Text: "The test mail was not taken.", Advice: "The answer: " + answer}
}

// Forgot is /signin/forgot.
type Forgot struct {
	Email string // as typed
	Mails bool   // mails are sent; otherwise the page says whom to ask
	Sent  bool   // it was posted
	Alert Message
}

// NotMe is /not-me/{token}.
type NotMe struct {
	Token   string
	Event   account.Event // what the mail told of
	At      time.Time
	Account string // the sign-in name
	Email   string // where the link to choose a new password goes
	Closed  bool   // it is done
	Mailed  bool   // that link is on its way
}

// notMeText says what the mail was about.
func notMeText(n NotMe) Dated {
	return Dated{
		Before: "The mail was about your account: " + lowerFirst(EventText(n.Event, true, "", "")) + ",",
		At:     n.At,
		After:  ". If you did not do it, close your account now:",
	}
}

// NotMeExpired is the page of a link "This wasn't me" that does not work.
func NotMeExpired() Problem {
	return Problem{
		Status:  404,
		Title:   "This link does not work",
		Text:    "“This wasn't me” works once, for 7 days. If you have used it already, your account is closed until you choose a new password with the link that was mailed to you. Otherwise change your password, or ask an administrator for help.",
		Action:  "Go to the sign-in",
		Address: "/signin",
	}
}

// Notifications is /my/profile/notifications.
type Notifications struct {
	Email   string
	SignIn  bool // hears of sign-ins from new browsers
	Mails   bool // mails are sent at all
	Seen    string
	Success Message
	Alert   Message
}

// NotificationsSaved is shown when they were changed.
func NotificationsSaved() Message { return Message{Text: "Your choice is saved."} }

// An Announcement tells of a policy that is to come. The zero Announcement is none.
type Announcement struct {
	Text string
	Next string // where Later leads back to
}

// A Readiness says how many people are ready for a setting that is to come.
type Readiness struct {
	Ready, People int
	Begins        string // when it turns on; "" for a setting without a day
}

// PolicyAnnounced tells somebody who is not ready of a policy that is to come.
func PolicyAnnounced(from, now time.Time, zone *time.Location) string {
	return "Two-factor authentication will be required from " + PolicyBegins(from, now, zone) + "."
}

// PolicyBegins names the day of a policy as people say it: "3 December (in 7 days)".
func PolicyBegins(from, now time.Time, zone *time.Location) string {
	format := "2 January"
	if from.In(zone).Year() != now.In(zone).Year() {
		format = "2 January 2006"
	}
	return from.In(zone).Format(format) + " (in " + plural(account.DaysUntil(from, now, zone), "day", "days") + ")"
}

// readyText says how many are ready.
func readyText(r Readiness) string {
	if r.Ready == r.People {
		return "Required from " + r.Begins + ". Everybody to whom it applies is ready."
	}
	verb := " are"
	if r.Ready == 1 {
		verb = " is"
	}
	return "Required from " + r.Begins + ". " + plural(r.Ready, "person", "people") + verb + " ready, " +
		plural(r.People-r.Ready, "is not", "are not") + "."
}

// MailedLink is shown in place of a link that was mailed.
func MailedLink(kind account.LinkKind, email string) Message {
	what := "A link to choose a new password"
	if kind == account.Invitation {
		what = "The invitation"
	}
	return Message{Text: what + " is on its way to " + account.ShownEmail(email) + ".", Advice: "It works once and expires after 24 hours. You can show a link instead; that ends the mailed one."}
}

// SwitchedOff says what "This wasn't me" has switched off of a second step.
func SwitchedOff(from, until time.Time) Dated {
	if from.IsZero() {
		return Dated{}
	}
	return Dated{
		Before: "Somebody said “This wasn't me” about a mail, on",
		At:     until,
		After:  ". What was added to your second step between the mail's occasion and then passes nothing until you turn it on again. Look through it first, and remove what is not yours.",
	}
}
