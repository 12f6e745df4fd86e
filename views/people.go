package views

import (
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// A Person is a row of the list of people, and the head of a person's page.
type Person struct {
	ID           int64
	Name         string
	Email        string
	Role         twofactor.Role
	Active       bool
	Invited      bool      // has not chosen a password yet
	LastSignInAt time.Time // zero for never
	ConfirmedAt  time.Time // of the factor; zero while it is not Enabled
	CodesLeft    int
	Passkeys     int
	UserName     string // by which apps know them
}

func (p Person) state() twofactor.State {
	if p.ConfirmedAt.IsZero() {
		return twofactor.NotConfigured
	}
	return twofactor.Enabled
}

// A Pagination is the links of a list that is shown page by page.
type Pagination struct {
	First string // the address of the first page; "" when this is it
	Next  string // the address of the next page; "" when this is the last
}

// Invite is the form that invites somebody.
type Invite struct {
	Open              bool // it is asked for, or something was wrong with what was typed
	Name, Email, Role Field
	Roles             []twofactor.Role // that the visitor may give
}

// A OneTimeLink is shown once. The zero OneTimeLink is none.
type OneTimeLink struct {
	URL    string
	Kind   account.LinkKind
	Name   string // for whom
	Email  string
	EndsAt time.Time
}

// PersonPage's card: one person, and what an admin may do.
type PersonDetail struct {
	Person
	AddedAt   time.Time
	LinkKind  account.LinkKind // of the link that is open; ""
	LinkUntil time.Time
	Sessions  int
	Browsers  int // that are known

	Rights account.Rights // of the visitor over this account

	ClosedAt    time.Time // since when "This wasn't me" keeps everybody out; zero while open
	SwitchedOff bool      // parts of the second step are, because of it
	Mails       bool      // links are mailed

	AskRemove bool // whether removing the account is meant

	Apps PersonApps

	Edit    Edit
	Link    OneTimeLink
	Success Message
	Alert   Message
}

// Edit is the form with a person's name, address and role, as typed.
type Edit struct {
	Name, Email, Role, UserName Field
	Seen                        string // what the form carries of what it shows
}

// wrong names the first field that is refused, or "".
func (e Edit) wrong() string {
	switch {
	case e.Name.Error != "":
		return "name"
	case e.Email.Error != "":
		return "email"
	case e.Role.Error != "":
		return "role"
	case e.UserName.Error != "":
		return "user_name"
	}
	return ""
}

// NotEnrolled is the page /admin/settings/not-enrolled.
type NotEnrolled struct {
	Rows       []Person
	Pagination Pagination
}

// Welcome is the card of a one-time link. The password is never given back.
type Welcome struct {
	Token    string
	Kind     account.LinkKind
	Email    string
	Name     Field // invitations only
	Password Field
	Alert    Message
}

func personAddress(id int64, verb string) string {
	return fmt.Sprintf("/admin/people/%d", id) + verb
}

// standingExceptions are the words of what is not as it should be, and standingColours theirs.
var (
	standingExceptions = map[account.Standing]string{account.InvitedPerson: "Invited", account.DeactivatedPerson: "Deactivated"}
	standingColours    = map[account.Standing]string{account.InvitedPerson: "amber", account.DeactivatedPerson: "rose"}
)

func (p Person) standing() account.Standing { return account.StandingOf(p.Active, p.Invited) }

// roleOptions are the roles to choose from; the value stays among them.
func roleOptions(roles []twofactor.Role, value string) [][2]string {
	var out [][2]string
	known := false
	for _, r := range roles {
		out = append(out, [2]string{string(r), roleName(r)})
		known = known || string(r) == value
	}
	if !known && twofactor.Role(value).Known() {
		out = append(out, [2]string{value, roleName(twofactor.Role(value))})
	}
	return out
}

// linkTitle and linkText tell what to do with a one-time link.
func linkTitle(l OneTimeLink) string {
	if l.Kind == account.Invitation {
		return "Invitation link — shown ONCE"
	}
	return "Password link — shown ONCE"
}

func linkText(l OneTimeLink) Dated {
	text := Dated{
		Before: "Give this link to ",
		Who:    l.Name + " (" + l.Email + ")",
		Middle: ". It works once, until",
		At:     l.EndsAt,
	}
	text.After = ". They use it to choose a new password, then sign in; their second step does not change."
	if l.Kind == account.Invitation {
		text.After = ". They use it to choose their name and password, then sign in."
	}
	return text
}

// PersonDone says what was done to an account, by the verb of the action.
func PersonDone(verb string) Message {
	switch verb {
	case "edit":
		return Message{Text: "The changes are saved."}
	case "deactivate":
		return Message{
			Text:   "The account is deactivated.",
			Advice: "Its sessions and one-time links have ended. Nothing is deleted.",
		}
	case "remove":
		return Message{
			Text:   "The account is removed.",
			Advice: "Its e-mail address can be used again. Activity keeps what was done, without the name.",
		}
	case "reactivate":
		return Message{
			Text:   "The account is active again.",
			Advice: "The password and the second step are as they were.",
		}
	case "sessions/end":
		return Message{Text: "All sessions have ended.", Advice: "Known browsers have been forgotten."}
	case "two-factor/reset":
		return Message{
			Text:   "Two-factor is reset.",
			Advice: "All sessions have ended. They sign in with the password alone, are told about the reset, and can set up two-factor again.",
		}
	case "unlock":
		return Message{Text: "The account is unlocked.", Advice: "Failed attempts have been cleared."}
	}
	return Message{}
}

// NoCodesLeft warns before a setting is turned on.
func NoCodesLeft() Message {
	return Message{
		Text:   "No admin has a recovery code left.",
		Advice: "If the last admin's phone is lost, only the command line on the server lets anybody back in. Make a new set of codes on My profile first.",
	}
}

// LinkExpired is the page of a one-time link that does not work any more.
func LinkExpired() Problem {
	return Problem{
		Status:  404,
		Title:   "This link does not work",
		Text:    "A link works once, expires after 24 hours, and stops working when a newer one is made. If you have already used it, sign in. Otherwise ask an administrator for a new link.",
		Action:  "Go to the sign-in",
		Address: "/signin",
	}
}

// LinkRefused is the page of a one-time link that was not looked at, because too many
// were tried from one address. It leads back to the link.
func LinkRefused(status int, err error, address string, now time.Time) Problem {
	m := Refused(err, now)
	return Problem{
		Status:  status,
		Title:   m.Text,
		Text:    m.Advice,
		Action:  "Back to the link",
		Address: address,
	}
}

// factorsOf tells of somebody's passkeys and recovery codes.
func factorsOf(p Person) string {
	if p.Passkeys == 0 {
		return codesLeft(p.CodesLeft)
	}
	return passkeyCount(p.Passkeys) + ", " + codesLeft(p.CodesLeft)
}

// whatAResetRemoves names it.
func whatAResetRemoves(p Person) string {
	if p.Passkeys == 0 {
		return "Their authenticator app and recovery codes"
	}
	return "Their authenticator app, if they have one, their " + passkeyCount(p.Passkeys) + " and their recovery codes"
}
