package account

// A MailKind says which mail it is. Package views has its text.
type MailKind string

// The kinds of mails.
const (
	MailInvitation MailKind = "invitation" // a link to choose name and password
	MailPassword   MailKind = "password"   // a link to choose a password, made by an admin
	MailForgot     MailKind = "forgot"     // a link to choose a password, asked for at the sign-in
	MailClosed     MailKind = "closed"     // a link to choose a password, after "This wasn't me"
	MailEvent      MailKind = "event"      // what happened to the person's account
	MailAdmins     MailKind = "admins"     // what happened in the workspace
	MailPolicy     MailKind = "policy"     // a policy will apply to the person
	MailTest       MailKind = "test"       // an admin tries the settings out
)

// MailKinds lists every kind, so that a test can ask for the text of each.
var MailKinds = []MailKind{MailInvitation, MailPassword, MailForgot, MailClosed, MailEvent, MailAdmins, MailPolicy, MailTest}
