package views

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatehouse/account"
)

// mailWidth is how many columns a line of a mail has at most, but for a link's.
const mailWidth = 78

// A Mail is what the text of a mail is made of.
type Mail struct {
	Kind      account.MailKind
	Workspace string
	Base      string // the workspace's own address, without a slash at its end
	Zone      *time.Location
	Name      string // whose the mail is
	Account   string // their sign-in name
	CodesLeft int
	Token     string // of its link; "" for none
	Detail    string // what the kind says: a browser, an address from before, an instant
	EndsAt    time.Time
	MadeAt    time.Time
	Event     account.Event // what happened, of MailEvent and MailAdmins
	At        time.Time
	Method    account.Method
	About     string // the detail of what happened
	Address   string // from where
	By        account.Party
	Subject   account.Party // about whom
}

// MailText returns a mail's subject and body: plain text, at most one link, on a line of
// its own that is never wrapped.
func MailText(m Mail) (subject, body string) {
	m.Workspace, m.Name = plainLine(m.Workspace), plainLine(m.Name)
	subject, parts := mailParts(m)
	var b strings.Builder
	for _, part := range append([]string{"Hello " + m.Name + ","}, parts...) {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(wrapMail(part))
	}
	return plainLine(subject), b.String()
}

// mailParts returns the subject, and the paragraphs after the greeting.
func mailParts(m Mail) (subject string, parts []string) {
	until := "It works once, until " + m.time(m.EndsAt) + "."
	switch m.Kind {
	case account.MailInvitation:
		return "Your invitation to " + m.Workspace, []string{
			"You are invited to " + m.Workspace + ". Choose your name and password with this link:",
			m.link("/welcome/"),
			until + " Then sign in with " + account.ShownEmail(m.Account) + ".",
			"If you did not expect this, you need not do anything.",
		}
	case account.MailPassword:
		return "Choose a new password for " + m.Workspace, []string{
			"An administrator has made a link with which you choose a new password for " + m.Workspace + ":",
			m.link("/welcome/"),
			until + " Your second step does not change.",
			"If you did not ask for this, tell an administrator.",
		}
	case account.MailForgot:
		return "Choose a new password for " + m.Workspace, []string{
			"Somebody, probably you, said at the sign-in of " + m.Workspace + " that the password of " +
				account.ShownEmail(m.Account) + " is forgotten. Choose a new one with this link:",
			m.link("/welcome/"),
			until + " Your second step does not change.",
			"If it was not you, you need not do anything: your password stays as it is.",
		}
	case account.MailClosed:
		return "Your account at " + m.Workspace + " is closed", []string{
			`The page "This wasn't me" was used, so nobody can sign in to ` + m.Workspace + " as " + account.ShownEmail(m.Account) +
				" now. Open the account again by choosing a new password with this link:",
			m.link("/welcome/"),
			until + " Your second step does not change.",
			"If you have questions, ask an administrator. They have been told.",
		}
	case account.MailPolicy:
		return m.policyParts()
	case account.MailAdmins:
		return m.adminParts()
	case account.MailTest:
		return "Test mail from " + m.Workspace, []string{
			"This is a test. " + m.Workspace + " can send mails to you.",
			facts([2]string{"When", m.time(m.MadeAt)}),
		}
	}
	return m.eventParts()
}

// policyParts announce a policy that is to come.
func (m Mail) policyParts() (subject string, parts []string) {
	seconds, _ := strconv.ParseInt(m.Detail, 10, 64)
	from := time.Unix(seconds, 0).In(m.zone())
	day := from.Format("2 January 2006")
	return m.Workspace + " requires two-factor authentication from " + from.Format("2 January"), []string{
		"From " + day + " on, " + m.Workspace + " requires two-factor authentication. You have not set it up yet. " +
			"It takes a minute, and an authenticator app on your phone:",
		m.Base + "/my/profile/two-factor",
		"Until then you sign in as you always do. From that day on you are asked to set it up before you can go on.",
	}
}

// adminParts tell admins what happened in the workspace.
func (m Mail) adminParts() (subject string, parts []string) {
	text := plainLine(EventText(m.Event, true, "", m.About))
	rows := [][2]string{{"What", text}}
	if !m.Subject.None() {
		rows = append(rows, [2]string{"About", plainLine(partyText(m.Subject))})
	}
	return m.Workspace + ": " + lowerFirst(text), []string{
		"This happened in " + m.Workspace + ":",
		facts(append(rows, m.circumstances()...)...),
		"Activity has everything:",
		m.Base + "/admin/activity",
	}
}

// eventMails are what mails say about an event: the subject before the workspace's name, and
// the sentence. An event without a row is told in the words of the activity.
var eventMails = map[account.Event]func(m Mail) (subject, text string){
	account.SignedIn: func(m Mail) (subject, text string) {
		if m.Method == account.ByRecovery {
			return "Sign-in with a recovery code at", "A recovery code was used to sign in to your account. " + codesLeftText(m.CodesLeft)
		}
		return "Sign-in from a new browser at", "Somebody has signed in to your account from a browser that was not known."
	},
	account.PasswordChanged: func(m Mail) (subject, text string) {
		return "New password at", "The password of your account was changed."
	},
	account.FactorEnabled: func(m Mail) (subject, text string) {
		return "Two-factor authentication enabled at", "Two-factor authentication was enabled for your account."
	},
	account.FactorDisabled: func(m Mail) (subject, text string) {
		return "Two-factor authentication disabled at", "Two-factor authentication was disabled for your account."
	},
	account.FactorReset: func(m Mail) (subject, text string) {
		return "Two-factor authentication reset at", "Two-factor authentication was reset for your account: your password alone signs you in now."
	},
	account.FactorExchanged: func(m Mail) (subject, text string) {
		return "Authenticator app moved at", "The authenticator app of your account was moved to a new phone. Codes of the old one have stopped working."
	},
	account.CodesRegenerated: func(m Mail) (subject, text string) {
		return "New recovery codes at", "New recovery codes were made for your account. The old ones have stopped working."
	},
	account.FactorsTurnedOn: func(m Mail) (subject, text string) {
		return "Second step turned on again at", "What was switched off of your second step is turned on again."
	},
	account.PersonChanged: func(m Mail) (subject, text string) {
		return "New e-mail address at", "The e-mail address of your account was changed from " + account.ShownEmail(m.Detail) + " to " +
			account.ShownEmail(m.Account) + ". You sign in with the new one."
	},
}

// codesLeftText says how many recovery codes are left, and urges a new set when they are few.
func codesLeftText(left int) string {
	text := "You have " + counted(left, "code") + " left."
	if left <= 2 {
		text += " Make a new set on My profile now, so that a lost phone does not lock you out."
	}
	return text
}

// eventParts tell a person what happened to their account, and how to say that it was
// somebody else.
func (m Mail) eventParts() (subject string, parts []string) {
	text := plainLine(EventText(m.Event, true, m.Method, ""))
	subject, text = text+" at", text+"."
	if words, ok := eventMails[m.Event]; ok {
		subject, text = words(m)
	}
	parts = []string{text, facts(m.circumstances()...)}
	if m.Token != "" {
		parts = append(parts,
			"If this was you, or you know about it, you need not do anything. If it was not, say so here. Nobody can sign in to your "+
				"account then until you choose a new password with a link that is mailed to you:",
			m.link("/not-me/"),
			"The link works once, until "+m.time(m.EndsAt)+".")
	}
	return subject + " " + m.Workspace, parts
}

// circumstances are when, by whom and from where something happened.
func (m Mail) circumstances() [][2]string {
	rows := [][2]string{{"When", m.time(m.At)}}
	switch m.By.Kind {
	case account.ActorMachine:
		rows = append(rows, [2]string{"By", plainLine(partyText(m.By)) + " on the machine"})
	case account.ActorPerson:
		rows = append(rows, [2]string{"By", plainLine(partyText(m.By))})
	}
	if m.Address != "" {
		rows = append(rows, [2]string{"Address", plainLine(m.Address)})
	}
	if m.Event == account.SignedIn && m.Detail != "" {
		rows = append(rows, [2]string{"Browser", Browser(m.Detail)})
	}
	return rows
}

func (m Mail) link(path string) string { return m.Base + path + m.Token }

func (m Mail) zone() *time.Location {
	if m.Zone == nil {
		return time.UTC
	}
	return m.Zone
}

// time returns an instant as mails have it: RFC 3339, with the offset of the zone.
func (m Mail) time(at time.Time) string { return at.In(m.zone()).Format(time.RFC3339) }

// facts are lines with a word before each.
func facts(rows ...[2]string) string {
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, "  %-9s%s\n", row[0]+":", row[1])
	}
	return b.String()
}

// wrapMail breaks a paragraph into lines of mailWidth columns at most. Lines that begin with
// two blanks, and links, stand on lines of their own; a link is never broken.
func wrapMail(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "http://"), strings.HasPrefix(line, "https://"):
			b.WriteString(line + "\n")
		case strings.HasPrefix(line, "  "):
			b.WriteString(wrapLine(line, strings.Repeat(" ", 11)))
		default:
			b.WriteString(wrapLine(line, ""))
		}
	}
	return b.String()
}

// wrapLine breaks one line at its blanks; a word that is wider than a line is broken too. Lines
// after the first begin with the indent, as wide as what the first begins with.
func wrapLine(text, indent string) string {
	var b strings.Builder
	line, room := text[:len(indent)], mailWidth-len(indent)
	isEmpty := true
	for _, word := range strings.Fields(text[len(indent):]) {
		for _, piece := range pieces(word, room) {
			if !isEmpty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(piece) > mailWidth {
				b.WriteString(line + "\n")
				line, isEmpty = indent, true
			}
			if !isEmpty {
				line += " "
			}
			line, isEmpty = line+piece, false
		}
	}
	return b.String() + strings.TrimRight(line, " ") + "\n"
}

// pieces cuts a word into parts of a length at most.
func pieces(word string, room int) []string {
	var out []string
	runes := []rune(word)
	for len(runes) > room {
		out, runes = append(out, string(runes[:room])), runes[room:]
	}
	return append(out, string(runes))
}

// plainLine returns a text without line breaks, control characters and invisible ones, among
// which are those that turn the direction of writing.
func plainLine(text string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			return ' '
		}
		return r
	}, text)), " ")
}
