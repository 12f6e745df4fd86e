package views

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// Every refusal of the rules has its sentences here: that of the pages, and that of the
// terminal, which follows the program's name and has no full stop.

// refusalMessages are the messages of refusals that always read the same.
var refusalMessages = map[error]Message{
	twofactor.ErrNoPending: {
		Text:   `No pending enrollment. Click "Enable" to start over`,
		Advice: "The QR code you had is no longer valid. Remove its entry from your authenticator app, select Enable two-factor and scan the new one.",
	},
	twofactor.ErrAlreadyEnabled: {
		Text:   "Two-factor authentication is enabled already.",
		Advice: "There is nothing more to do.",
	},
	twofactor.ErrNotEnabled: {
		Text:   "Two-factor authentication is not enabled.",
		Advice: "Select Enable two-factor to set it up.",
	},
	twofactor.ErrWrongRecovery: {
		Text:   wrongCode,
		Advice: "Each code works once, and only those of your newest sheet do. Check the sheet's id and try another code from it.",
	},
	twofactor.ErrChallengeOver: {
		Text:   "The verification step has expired.",
		Advice: "Sign in again to get a fresh one.",
	},
	twofactor.ErrSwitchedOff: {
		Text:   "This is switched off.",
		Advice: "It was set up just before somebody said “This wasn't me” about a mail. Use what you had before, or ask an administrator to reset your two-factor authentication.",
	},
	twofactor.ErrWrongPassword: {
		Text:   "Password did not match.",
		Advice: "Enter the password you sign in with.",
	},
	twofactor.ErrWrongPasskey: {
		Text:   "That passkey was not accepted.",
		Advice: "Try again, use another passkey, or sign in with your password.",
	},
	twofactor.ErrPasskeyOver: {
		Text:   "That took too long, or was sent twice.",
		Advice: "Try again with your passkey.",
	},
	twofactor.ErrPasskeyTaken: {
		Text:   "This passkey is registered already.",
		Advice: "Use another device or security key.",
	},
	twofactor.ErrTooManyPasskeys: {
		Text:   "You have 20 passkeys, which is the most.",
		Advice: "Remove one that you do not use, then add the new one.",
	},
	twofactor.ErrLastFactor: {
		Text:   "This is your last second factor.",
		Advice: "Removing it turns two-factor off. Use Disable two-factor, which asks for your password.",
	},
	twofactor.ErrClosed: {
		Text:   "This way of signing in is closed after too many wrong codes.",
		Advice: "Use a recovery code, or ask an administrator to unlock your account.",
	},
	account.ErrOwnRole: {
		Text:   "You cannot change your own role.",
		Advice: "Ask another Super-administrator.",
	},
	account.ErrOwnAccount: {
		Text:   "This is your own account.",
		Advice: "Change your password and two-factor on My profile, where your password is asked for.",
	},
	account.ErrLastSuperAdmin: {
		Text:   "This is the last active Super-administrator.",
		Advice: "Make somebody else a Super-administrator first.",
	},
	account.ErrInactive: {
		Text:   "This account is deactivated.",
		Advice: "Reactivate it first; then make the link.",
	},
	account.ErrOutdated: Outdated(nil),
	account.ErrGroupInUse: {
		Text:   "Apps refer to this group.",
		Advice: "Take it out of who may open them first; then remove it.",
	},
}

// notEnabledForPerson is twofactor.ErrNotEnabled on somebody else's page.
var notEnabledForPerson = Message{
	Text:   "Two-factor is not configured for this account.",
	Advice: "There is nothing to reset.",
}

// terminalTexts are the sentences of refusals that a terminal words in its own way.
var terminalTexts = map[error]string{
	account.ErrLastSuperAdmin: "this is the last active Super-administrator; give somebody else that role first",
	account.ErrInactive:       "this account is deactivated; see gatehouse user reactivate",
	twofactor.ErrNotEnabled:   "this person has not enabled two-factor, so there is nothing to reset",
}

// Refused returns the words of every refusal. An error that is not a refusal gets a
// general sentence.
func Refused(err error, now time.Time) Message {
	var wrong twofactor.WrongCode
	var wait twofactor.Wait
	switch {
	case errors.As(err, &wait):
		left := wait.Until.Sub(now)
		return Message{
			Text:     "Too many tries.",
			Advice:   waitAdvice(left),
			Seconds:  wholeSeconds(left),
			Counting: "You can try again in ",
			Then:     "You can try again now.",
		}
	case errors.As(err, &wrong) && wrong.Expired:
		return Message{
			Text:   wrongCode,
			Advice: "It has expired; enter the one your app shows now." + triesLeft(wrong.Left),
		}
	case errors.As(err, &wrong):
		next := twofactor.NextStepIn(now)
		return Message{
			Text: wrongCode,
			Advice: "Wait for the next code your app shows, in " + seconds(next) + ", and enter that one." +
				triesLeft(wrong.Left),
			Seconds:  wholeSeconds(next),
			Counting: "Next code in ",
			Then:     "Your app shows the next code now.",
		}
	}
	if m, ok := refusalMessage(err); ok {
		return m
	}
	return Message{Text: "That did not work.", Advice: "Reload the page and try again."}
}

// PersonRefused describes the rule that stands against a change to an account. It gives
// no message for an error that is none of these rules.
func PersonRefused(err error) Message {
	if errors.Is(err, twofactor.ErrNotEnabled) {
		return notEnabledForPerson
	}
	var refusal account.Refusal
	if !errors.As(err, &refusal) {
		return Message{}
	}
	m, _ := refusalMessage(refusal)
	return m
}

// refusalMessage finds the message of a refusal that always reads the same.
func refusalMessage(err error) (Message, bool) {
	var second twofactor.Refusal
	var change account.Refusal
	switch {
	case errors.As(err, &second):
		m, ok := refusalMessages[second]
		return m, ok
	case errors.As(err, &change):
		m, ok := refusalMessages[change]
		return m, ok
	}
	return Message{}, false
}

// TerminalText describes a refusal for a terminal. Another error is described by itself.
func TerminalText(err error) string {
	var field account.FieldError
	if errors.As(err, &field) {
		return fieldTerminalText(field)
	}
	for refusal, text := range terminalTexts {
		if errors.Is(err, refusal) {
			return text
		}
	}
	if m, ok := refusalMessage(err); ok {
		return terminalMessage(m)
	}
	return err.Error()
}

// terminalMessage joins what happened and what to do as a terminal shows them.
func terminalMessage(m Message) string {
	return lowerFirst(strings.TrimSuffix(m.Text, ".")) + "; " + lowerFirst(strings.TrimSuffix(m.Advice, "."))
}

func lowerFirst(text string) string {
	for i, r := range text {
		return string(unicode.ToLower(r)) + text[i+len(string(r)):]
	}
	return text
}

// FieldErrorText says what is wrong with a field, and what to do.
func FieldErrorText(e account.FieldError) string {
	switch e.Reason {
	case account.Missing:
		return missing[e.Field]
	case account.TooShort:
		return fmt.Sprintf("Use at least %d characters. A few words in a row are easy to remember and hard to guess.",
			e.Limit)
	case account.TooLong:
		return fmt.Sprintf("Use at most %d characters.", e.Limit)
	case account.Common:
		return "This password is too common and easy to guess. Choose another, for example a few unrelated words."
	case account.Context:
		return "This password is too similar to your name, e-mail address or the workspace's name. Choose another."
	case account.NotEmail:
		return "Enter an e-mail address, like name@example.org."
	case account.NoBrowser:
		return "Browsers cannot send this address. Before the @ they take only letters from a to z, digits and signs such as . _ + -, and after it the name of a domain. Use another address."
	case account.Taken:
		return taken[e.Field].page
	case account.Unknown:
		return "Choose one of the values offered."
	case account.Wrong:
		return "Password did not match. Re-enter your current account password."
	}
	if text, ok := reasonTexts[e.Reason]; ok {
		return fill(text.page, e)
	}
	return ""
}

// A wording is what a refusal reads on a page and at a terminal.
type wording struct{ page, terminal string }

// reasonTexts are the sentences of the reasons that read the same for every field. %d is
// the limit.
var reasonTexts = map[account.Reason]wording{
	account.NotDay: {"Enter a day, like 2026-12-03.", "not a day (expected one like 2026-12-03)"},
	account.PastDay: {"This day has passed. Enter a later one, or leave the day empty to require it now.",
		"this day has passed; name a later one, or on"},
	account.DayOff:    {"Tick the box as well, or leave the day empty.", "a day needs its setting"},
	account.NotLength: {"Choose a time from 5 minutes to 90 days.", "use a time from 5m to 2160h, which is 90 days"},
	account.LongerThanMax: {"This is longer than the whole session. Choose a shorter time, or let sessions last longer.",
		"this is longer than --session-max; use a shorter time, or name both"},
	account.NotAddress: {"Enter an address, like https://app.example.org.",
		"not the address of an app (expected https://app.example.org)"},
	account.HasPath: {"Enter the address without a path, like https://app.example.org. Each app needs a host name of its own.",
		"an app's address has no path (expected https://app.example.org); each app needs a host name of its own"},
	account.OwnHost: {"This is the portal's own host name. Give the app a host name of its own.",
		"this is the portal's own host name; give the app a host name of its own"},
	account.NotPlain: {"Enter paths that begin with / and have no spaces, accents, .. or any of % \\ ; # ? in them, one a line.",
		"a public path begins with / and has no spaces, accents, .. or any of % \\ ; # ? in it"},
	account.Everything: {"This would open the whole app to everybody. Name the paths that need no sign-in.",
		"/ would open the whole app to everybody; name the paths that need no sign-in"},
	account.TooMany: {"Enter at most %d.", "too many; give at most %d"},
	account.NotPlainName: {"Use letters from a to z, digits and . _ - only, beginning with a letter or a digit.",
		"use letters from a to z, digits and . _ - only, beginning with a letter or a digit"},
	account.Reserved: {"This name is reserved for a role. Choose another.",
		"this name is reserved for a role; choose another"},
	account.NotLetters: {"Use one or two letters or digits.", "use one or two letters or digits"},
	account.NotMinutes: {"Enter a number of minutes from 1 to 1440, or leave it empty.",
		"enter a time from 1m to 24h"},
	account.NotIcon:  {"Choose a PNG or SVG picture.", "the icon is not a PNG or SVG picture"},
	account.TooLarge: {"Choose a smaller picture: at most %d KiB and 1024 pixels a side.", "the icon is too large; use at most %d KiB"},
	account.Active: {"This drawing holds script, links or something from another site. Save it as a plain SVG, or choose a PNG.",
		"this drawing holds script, links or something from another site; save it as a plain SVG, or use a PNG"},
	account.NoPerson: {"Nobody here has one of these e-mail addresses. Look them up on People.",
		"nobody has this e-mail address; see gatehouse user list"},
	account.NotRedirect: {"Enter whole addresses, one a line: https://app.example.org/callback, or com.example.app:/callback for an app on a device. No wildcards, no #.",
		"not an address to send people to (expected https://app.example.org/callback or com.example.app:/callback)"},
	account.OverHTTP: {"Use https. http is accepted on 127.0.0.1 and [::1] for apps on people's devices only.",
		"use https; http is accepted on 127.0.0.1 and [::1] for native apps only"},
	account.OtherHost: {"Enter an address on the app's own host name.", "use an address on the app's own host name"},
	account.NoGroup:   {"Choose one of the groups offered.", "there is no such group; see gatehouse group list"},
}

// taken are the sentences for what somebody or something else has already, by field.
var taken = map[string]wording{
	"email": {"Another account already uses this e-mail address.",
		"another account already uses this e-mail address; see gatehouse user list"},
	"user_name": {"This user name belongs to somebody else, or did once. Choose another.",
		"this user name belongs to somebody else, or did once; choose another"},
	"name": {"This name is taken. Choose another.", "this name is taken; choose another"},
	"address": {"Another app already has this host name, and a host name belongs to one app.",
		"another app already has this host name; see gatehouse app list"},
}

// fill puts a refusal's limit into its sentence.
func fill(text string, e account.FieldError) string {
	if strings.Contains(text, "%d") {
		return fmt.Sprintf(text, e.Limit)
	}
	return text
}

// missing are the sentences of fields that were left empty.
var missing = map[string]string{
	"workspace":        "Enter a name for the workspace.",
	"name":             "Enter a name.",
	"email":            "Enter an e-mail address.",
	"password":         "Choose a password.",
	"new_password":     "Choose a new password.",
	"current_password": "Enter your current password.",
	"role":             "Choose a role.",
	"address":          "Enter the address of the app.",
	"user_name":        "Enter a user name.",
	"redirect":         "Enter at least one address. The app's settings or documentation name it.",
}

// fieldTerminalText is FieldErrorText for a terminal, which names the field and where to
// look.
func fieldTerminalText(e account.FieldError) string {
	switch e.Reason {
	case account.Missing:
		return "the " + e.Field + " is missing"
	case account.TooShort:
		return fmt.Sprintf("the %s is too short; use at least %d characters", e.Field, e.Limit)
	case account.TooLong:
		return fmt.Sprintf("the %s is too long; use at most %d characters", e.Field, e.Limit)
	case account.Common:
		return "this password is too common and easy to guess; choose another"
	case account.Context:
		return "the password is too similar to the person's name, e-mail address or the workspace's name; choose another"
	case account.NotEmail:
		return "not a valid e-mail address (expected name@example.org)"
	case account.NoBrowser:
		return "browsers cannot send this e-mail address (before the @ only a to z, digits and signs such as . _ + -); use another one"
	case account.Taken:
		return taken[e.Field].terminal
	case account.Unknown:
		return "this " + e.Field + " does not exist; see gatehouse --help"
	case account.Wrong:
		return "the password did not match; try again"
	}
	if text, ok := reasonTexts[e.Reason]; ok {
		return fill(text.terminal, e)
	}
	return ""
}
