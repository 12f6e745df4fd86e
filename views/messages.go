package views

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// SignInRefused says why a sign-in was refused. It never tells whether the name or the
// password was wrong.
func SignInRefused(err error, now time.Time) Message {
	if errors.Is(err, twofactor.ErrWrongPassword) {
		return Message{
			Text:   "E-mail or password did not match.",
			Advice: "Check both and try again. If you have forgotten your password, ask an administrator for a new link.",
		}
	}
	return Refused(err, now)
}

// ChallengeRefused says why the second step was refused.
func ChallengeRefused(err error, now time.Time) Message {
	switch {
	case errors.Is(err, twofactor.ErrNotEnabled):
		return Message{
			Text:   "You have no authenticator app.",
			Advice: "Use your passkey, or a code from your sheet of recovery codes.",
		}
	case errors.Is(err, twofactor.ErrWrongRecovery):
		return Message{
			Text:   wrongCode,
			Advice: "Each code works once. Check that you are reading from the sheet named here, and enter a code that you have not used.",
		}
	case errors.Is(err, twofactor.ErrClosed):
		return Message{
			Text:   "Too many wrong codes.",
			Advice: "Use the other way to pass this step, or ask an administrator to unlock your account.",
		}
	}
	return Refused(err, now)
}

// ChallengeEnded says that the last wrong code has ended the challenge.
func ChallengeEnded(err error, now time.Time) Message {
	m := ChallengeRefused(err, now)
	m.Seconds = 0
	m.Advice = "Too many wrong codes. Sign in again with your password."
	return m
}

// EnrollmentRefused says why a move of the card was refused. Only here a wrong code is
// explained by the clocks, with the server's time, to somebody who sees the secret
// anyway; at the challenge that would help a guesser.
func EnrollmentRefused(err error, now time.Time) Message {
	m := Refused(err, now)
	var wrong twofactor.WrongCode
	if !errors.As(err, &wrong) {
		return m
	}
	if wrong.ClockOff != 0 {
		m = Message{Text: m.Text, Advice: clockAdvice(wrong.ClockOff) + triesLeft(wrong.Left), ServerTime: now}
	}
	if wrong.Left == 0 {
		const over = "That was the last try for this QR code. Select Enable two-factor to start over with a new one."
		if wrong.ClockOff == 0 {
			return Message{Text: m.Text, Advice: over}
		}
		m.Advice += " " + over
	}
	return m
}

// DisableRefused says why disabling was refused.
func DisableRefused(err error, now time.Time) Message {
	if errors.Is(err, twofactor.ErrWrongPassword) {
		return Message{
			Text:   "Password did not match. Two-factor remains enabled.",
			Advice: "Re-enter your current account password.",
		}
	}
	return Refused(err, now)
}

// PasswordRefused says why the password that was asked for again was refused.
func PasswordRefused(err error, now time.Time) Message {
	if errors.Is(err, twofactor.ErrWrongPassword) {
		return Message{Text: "Password did not match.", Advice: "Re-enter your current account password."}
	}
	return Refused(err, now)
}

// ProofRefused is PasswordRefused where a code may have been asked for too.
func ProofRefused(err error, now time.Time) Message {
	if _, ok := errors.AsType[twofactor.WrongCode](err); ok {
		return ChallengeRefused(err, now)
	}
	return PasswordRefused(err, now)
}

// Confirmed is shown once, above the first recovery codes.
func Confirmed() Message {
	return Message{Text: "Two-factor authentication is now active. Save your recovery codes — they're shown once."}
}

// ReplacementRefused says why a move of the card for a new phone was refused.
func ReplacementRefused(err error, now time.Time) Message {
	if errors.Is(err, twofactor.ErrNoPending) {
		return Message{
			Text:   "This QR code is no longer valid.",
			Advice: "The app that you have confirmed keeps working. To start over, select Set up a new phone and scan the new code.",
		}
	}
	m := EnrollmentRefused(err, now)
	m.Advice = strings.ReplaceAll(m.Advice, "Select Enable two-factor to start over with a new one.",
		"The app that you have confirmed keeps working. Select Set up a new phone to start over.")
	return m
}

// Replaced is shown once, when a new phone has taken the place of the old one.
func Replaced() Message {
	return Message{
		Text:   "Your new phone is set up. Codes from the old one no longer work.",
		Advice: "Your recovery codes stay as they are, and you are signed out everywhere else. Remove the entry from the old phone.",
	}
}

// CodeIsGood says that a recovery code would sign its owner in.
func CodeIsGood(e twofactor.Enrollment) Message {
	return Message{
		Text:   "That code works, and stays unused.",
		Advice: "It is on sheet " + e.Sheet.ID + ", which has " + counted(e.Sheet.Left(), "unused code") + ".",
	}
}

// CheckRefused describes a recovery code that is none of the unused ones.
func CheckRefused(err error, now time.Time, e twofactor.Enrollment) Message {
	if errors.Is(err, twofactor.ErrWrongRecovery) {
		return Message{
			Text:   wrongCode,
			Advice: "It is not an unused code of sheet " + e.Sheet.ID + ". Try another from that sheet. If you no longer have it, regenerate your recovery codes.",
		}
	}
	return Refused(err, now)
}

// Regenerated is shown once, above new recovery codes.
func Regenerated() Message {
	return Message{
		Text:   "New recovery codes are ready. Save them — they're shown once.",
		Advice: "The old codes have stopped working.",
	}
}

// Disabled is shown when two-factor was turned off.
func Disabled() Message {
	return Message{Text: "Two-factor authentication is now off.", Advice: "Your password alone signs you in."}
}

// PolicySaved is shown when the policy was changed.
func PolicySaved(p twofactor.Policy, zone *time.Location) Message {
	m := Message{Text: "The policy is saved."}
	switch {
	case p.Everyone:
		m.Advice = "Everyone without two-factor will be asked to set it up on their next click."
	case p.Admins:
		m.Advice = "Every admin without two-factor will be asked to set it up on their next click."
	case !p.EveryoneFrom.IsZero():
		m.Advice = "Two-factor will be required from everyone from " + p.EveryoneFrom.In(zone).Format("2 January 2006") + " on. Until then everybody without it is told on every page."
	case !p.AdminsFrom.IsZero():
		m.Advice = "Two-factor will be required from every admin from " + p.AdminsFrom.In(zone).Format("2 January 2006") + " on. Until then those without it are told on every page."
	default:
		m.Advice = "Two-factor is now optional for everyone."
	}
	return m
}

// WorkspaceRenamed is shown when the workspace has a new name.
func WorkspaceRenamed() Message {
	return Message{
		Text:   "The name is saved.",
		Advice: "Authenticator apps that were set up before keep showing the old name.",
	}
}

// HomeAdvice is what My portal advises people to do about their second step.
func HomeAdvice(e twofactor.Enrollment) Message {
	left := e.Sheet.Left()
	switch {
	case e.Factors() != twofactor.Enabled:
		return Message{
			Text:   "Your account is protected by a password alone.",
			Advice: "Set up two-factor authentication: it takes a minute.",
		}
	case left <= 2:
		return Message{
			Text:   "You have " + counted(left, "recovery code") + " left.",
			Advice: "Make a new set now, so that a lost phone does not lock you out.",
		}
	case left < twofactor.RecoveryCodes:
		return Message{Text: "You have " + counted(left, "recovery code") + " left."}
	}
	return Message{}
}

func counted(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// AccountEventText says what happened to an account since the sign-in before.
func AccountEventText(event account.Event, count int, at time.Time, by account.Party) Dated {
	text := accountEventTexts[event]
	if text == "" {
		return Dated{}
	}
	if event == account.SignInFailed {
		text = "A wrong code was entered after your password"
		if count > 1 {
			text = fmt.Sprintf("%d wrong codes were entered after your password", count)
		}
	}
	on := " on"
	if count > 1 {
		on = ", last on"
	}
	if by.None() || event == account.SignInFailed {
		return Dated{Before: text + on, At: at, After: "."}
	}
	return Dated{
		Before: text + " by",
		By:     partyText(by),
		Then:   on,
		At:     at,
		After:  ".",
	}
}

var accountEventTexts = map[account.Event]string{
	account.SignInFailed:     "A wrong code was entered",
	account.SignedIn:         "A recovery code was used to sign in",
	account.FactorEnabled:    "Two-factor authentication was enabled",
	account.FactorDisabled:   "Two-factor authentication was disabled",
	account.FactorExchanged:  "Your authenticator app was moved to a new phone",
	account.FactorReset:      "Your two-factor authentication was reset",
	account.TokenReused:      "An app's access to your account was ended, because a code or token was used twice",
	account.CodesRegenerated: "New recovery codes were made",
	account.FactorRemoved:    "Your authenticator app was removed; your passkeys stayed",
	account.PasskeyAdded:     "A passkey was added to your account",
	account.PasskeyRenamed:   "One of your passkeys was renamed",
	account.PasskeyRemoved:   "One of your passkeys was removed",
	account.PasskeyCopied:    "A passkey of yours was refused because it may have been copied; remove it if you do not know why",
	account.RoleChanged:      "Your role was changed",
	account.PasswordChanged:  "Your password was changed",
	account.AccountClosed:    "Your account was closed with “This wasn't me”",
	account.FactorsTurnedOn:  "What was switched off of your second step was turned on again",
}

// EventText describes a row of security activity.
func EventText(event account.Event, ok bool, method account.Method, detail string) string {
	text := events[event]
	switch {
	case text == "":
		text = string(event)
	case event == account.SignedIn && method != "":
		text += " with " + methods[method]
	case event == account.SignInFailed && method == account.ByPassword:
		text = "Wrong password at sign-in"
	case event == account.SignInFailed:
		text = "Wrong " + methods[method] + " at sign-in"
	case event == account.CodeChecked && !ok:
		text = "Wrong recovery code at a check"
	case event == account.UnknownNames && detail != "":
		text = detail + " more sign-ins with unknown e-mail addresses"
	case event == account.RoleChanged && strings.Contains(detail, " to "):
		text += " (" + rolesChanged(detail) + ")"
	case event == account.NoticeDismissed && account.Event(detail).Known():
		text += " (" + events[account.Event(detail)] + ")"
	case detail != "":
		text += " (" + roleName(twofactor.Role(detail)) + ")"
	}
	return text
}

var methods = map[account.Method]string{
	account.ByPassword: "password",
	account.ByCode:     "code from the app",
	account.ByPasskey:  "passkey",
	account.ByRecovery: "recovery code",
	account.ByLink:     "one-time link",
	account.ByCommand:  "the command line",
}

var events = map[account.Event]string{
	account.SignedIn:          "Signed in",
	account.SignInFailed:      "Sign-in failed",
	account.SignInFailedMax:   "Too many wrong codes",
	account.PersonUnlocked:    "Unlocked",
	account.PersonRemoved:     "Account removed",
	account.SignedOut:         "Signed out",
	account.UnknownNames:      "Sign-ins with unknown e-mail addresses",
	account.SessionsEnded:     "Sessions ended",
	account.BrowserForgotten:  "Browser forgotten",
	account.PasswordChanged:   "Password changed",
	account.PasswordFailed:    "Wrong password given",
	account.FactorEnabled:     "Two-factor enabled",
	account.FactorDisabled:    "Two-factor disabled",
	account.FactorExchanged:   "Authenticator app moved to a new phone",
	account.CodeChecked:       "Recovery code checked",
	account.FactorReset:       "Two-factor reset",
	account.FactorFailed:      "Wrong code at set-up",
	account.CodesRegenerated:  "Recovery codes regenerated",
	account.FactorRemoved:     "Authenticator app removed",
	account.PasskeyAdded:      "Passkey added",
	account.PasskeyRenamed:    "Passkey renamed",
	account.PasskeyRemoved:    "Passkey removed",
	account.PasskeyCopied:     "Passkey refused: it may have been copied",
	account.PasskeyFailed:     "Wrong passkey given",
	account.PersonAdded:       "Account added",
	account.PersonChanged:     "Account changed",
	account.PersonDeactivated: "Account deactivated",
	account.PersonReactivated: "Account reactivated",
	account.RoleChanged:       "Role changed",
	account.LinkMade:          "One-time link made",
	account.LinkUsed:          "One-time link used",
	account.PolicyChanged:     "Policy changed",
	account.WorkspaceSetUp:    "Workspace set up",

	account.SessionLengthsChanged: "Length of sessions changed",

	account.WorkspaceRenamed:  "Workspace renamed",
	account.Exported:          "Exported as CSV",
	account.ActivityPruned:    "Activity deleted",
	account.NoticeDismissed:   "Notice dismissed",
	account.KeyRotated:        "Key rotated",
	account.WorkspaceRestored: "Workspace restored from a backup",
	account.AppOpened:         "App opened",
	account.AppRefused:        "App refused",
	account.AppAgreed:         "App allowed to know the person",
	account.AppEnded:          "App's access to the person ended",
	account.TokenReused:       "Code or token used again",
	account.BackchannelFailed: "App not told of a sign-out",
	account.AppKeysRotated:    "Signing keys replaced",
	account.AppAdded:          "App added",
	account.AppChanged:        "App changed",
	account.AppRemoved:        "App removed",
	account.AppSecretMade:     "App given a secret",
	account.GroupAdded:        "Group added",
	account.GroupChanged:      "Group changed",
	account.GroupRemoved:      "Group removed",
	account.AccountClosed:     "Account closed by “This wasn't me”",
	account.FactorsTurnedOn:   "Second step turned on again",
	account.MailGivenUp:       "Mail given up",
}

// BreakGlass says what was done on the machine, or what else admins have to know, for the
// notice that every admin sees.
func BreakGlass(event account.Event, actor, subject account.Party, detail string, at time.Time) Dated {
	d := Dated{
		Before: EventText(event, true, "", detail) + onTheMachine,
		By:     machineUser(actor),
		Then:   ",",
		At:     at,
		After:  ".",
	}
	if act, ok := anybodysActs[event]; ok {
		d = Dated{Who: partyText(subject), At: at}
		d.Before, d.Middle, d.After = act(detail)
		return d
	}
	if act, ok := workspaceActs[event]; ok {
		d.Before = act(subject, detail) + onTheMachine
	}
	if act, ok := personActs[event]; ok {
		d.Who = partyText(subject)
		d.Before, d.Middle = act(detail)
		d.Middle += onTheMachine
	}
	return d
}

// onTheMachine goes before the name of whoever ran the command.
const onTheMachine = " on the machine by"

// workspaceActs are the sentences of notices in which no name stands.
var workspaceActs = map[account.Event]func(about account.Party, detail string) string{
	account.PolicyChanged: func(_ account.Party,
		policy string) string {
		return "The two-factor policy was set to " + policy
	},
	account.SessionLengthsChanged: func(_ account.Party, lengths string) string {
		return "The length of sessions was set to " + lengths
	},
	account.WorkspaceRestored: func(account.Party, string) string { return "The workspace was restored from a backup" },
	account.ActivityPruned: func(_ account.Party, what string) string {
		return "Activity was deleted (" + what +
			")"
	},
	account.KeyRotated: func(account.Party, string) string { return "The encryption key was replaced" },
	account.AppKeysRotated: func(account.Party, string) string {
		return "The keys that sign what apps are told were replaced"
	},
	account.AppRemoved: func(_ account.Party, app string) string { return "The app " + app + " was removed" },
	account.AppSecretMade: func(_ account.Party, app string) string {
		return "The app " + app + " was given a secret"
	},
	account.PersonRemoved: func(about account.Party, role string) string {
		return fmt.Sprintf("Account #%d (%s) was removed", about.ID, roleName(twofactor.Role(role)))
	},
}

// personActs are the sentences of notices, before and after the name that they are
// about.
var personActs = map[account.Event]func(detail string) (before, after string){
	account.PasswordChanged:   func(string) (before, after string) { return "The password of ", " was set" },
	account.FactorReset:       func(string) (before, after string) { return "Two-factor authentication of ", " was reset" },
	account.PersonDeactivated: func(string) (before, after string) { return "The account of ", " was deactivated" },
	account.PersonReactivated: func(string) (before, after string) { return "The account of ", " was reactivated" },
	account.PersonUnlocked:    func(string) (before, after string) { return "Failed attempts of ", " were cleared" },
	account.PersonAdded: func(role string) (before, after string) {
		return "", " was added as " + roleName(twofactor.Role(role))
	},
	account.RoleChanged: func(roles string) (before, after string) {
		return "The role of ", " was changed from " + rolesChanged(roles)
	},
}

// anybodysActs are the sentences of notices that are not about the machine: before the name
// that they are about, after it, and after the instant.
var anybodysActs = map[account.Event]func(detail string) (before, middle, after string){
	account.AccountClosed: func(string) (before, middle, after string) {
		return "The account of ", " was closed with “This wasn't me” from a mail on", ". It opens when they choose a new password with a link."
	},
	account.MailGivenUp: func(reason string) (before, middle, after string) {
		return "A mail to ", " was given up on", " (" + plainLine(reason) + "). Settings, Mail has the newest mails."
	},
}

// rolesChanged words "member to administrator" with the roles' names.
func rolesChanged(roles string) string {
	before, after, _ := strings.Cut(roles, " to ")
	return roleName(twofactor.Role(before)) + " to " + roleName(twofactor.Role(after))
}

// InsecureHTTP tells admins that passwords travel in the clear.
func InsecureHTTP() Notice {
	const text = "This workspace is served over plain http: anybody on the network can read passwords. Put https in front of it."
	return Notice{Text: Dated{Before: text}}
}

// Browser describes a User-Agent header: "Firefox on Linux".
func Browser(agent string) string {
	name := "A browser"
	for _, known := range [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}} {
		if strings.Contains(agent, known[0]) {
			name = known[1]
			break
		}
	}
	for _, known := range [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"},
		{"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}} {
		if strings.Contains(agent, known[0]) {
			return name + " on " + known[1]
		}
	}
	return name
}

// NotFound is the page for an unknown address.
func NotFound() Problem {
	return Problem{
		Status:  http.StatusNotFound,
		Title:   "Page not found",
		Text:    "This page does not exist, or its one-time link has already been used.",
		Action:  "Go to My portal",
		Address: "/my",
	}
}

// NotAllowed is the page for an address that the role may not open.
func NotAllowed() Problem {
	return Problem{
		Status:  http.StatusForbidden,
		Title:   "You don't have permission",
		Text:    "Only administrators can open these pages, and only a Super-administrator can change admins. Ask one of them for help.",
		Action:  "Go to My portal",
		Address: "/my",
	}
}

// CrossSite is the page of a form that came from another site.
func CrossSite() Problem {
	return Problem{
		Status:  http.StatusForbidden,
		Title:   "This came from another site",
		Text:    "For your safety, changes are accepted from this workspace's own pages only. Open the page here and try again.",
		Action:  "Go to My portal",
		Address: "/my",
	}
}

// WrongHost is the page of a request under another host than the workspace's. It
// is most often the operator who sees it, while setting up a proxy.
func WrongHost(address, asked string) Problem {
	request := "You asked for " + asked
	if asked == "" {
		request = "Your request names no host"
	}
	return Problem{
		Status: http.StatusMisdirectedRequest,
		Title:  "This workspace has another address",
		Text: request + ", but this workspace is served at " + address + ". " +
			"If you run it: set --base-url to the address that people use, or let your proxy pass on the Host header.",
		Action:  "Go to the workspace",
		Address: address,
	}
}

// TooLarge is the page of a form that is larger than any of ours.
func TooLarge() Problem {
	return Problem{
		Status:  http.StatusRequestEntityTooLarge,
		Title:   "The form was too large",
		Text:    "Nothing was changed. Go back, shorten what you entered and send it again.",
		Action:  "Go to My portal",
		Address: "/my",
	}
}

// BadForm is the page for a form that arrived incomplete or in another format.
func BadForm() Problem {
	return Problem{
		Status:  http.StatusUnprocessableEntity,
		Title:   "The form was incomplete",
		Text:    "Nothing was changed. Go back and send it again.",
		Action:  "Go to My portal",
		Address: "/my",
	}
}

// Busy is the page for a moment in which too many people sign in at once. It leads back
// to the page that was sent.
func Busy(address string) Problem {
	return Problem{
		Status:  http.StatusServiceUnavailable,
		Title:   "Many people are signing in",
		Text:    "Nothing was changed. Wait a few seconds and try again.",
		Action:  "Try again",
		Address: address,
	}
}

// OutcomeUnknown is the page for a step that was being stored when the database was lost:
// nobody knows whether it was.
func OutcomeUnknown(address string) Problem {
	return Problem{
		Status:  http.StatusServiceUnavailable,
		Title:   "It may have been done",
		Text:    "The database was lost while this was being stored. Look before you repeat it. If it was a code, it may be used up: use the next one.",
		Action:  "Look",
		Address: address,
	}
}

// Unavailable is the page for an internal error: nothing was changed, and nobody was let
// in.
func Unavailable(id string) Problem {
	return Problem{
		Status:  http.StatusServiceUnavailable,
		Title:   "Gatehouse is temporarily unavailable",
		Text:    "Nothing was changed. Try again in a moment. If this continues, give an administrator the request number below.",
		Action:  "Try My portal",
		Address: "/my",
		ID:      id,
	}
}
