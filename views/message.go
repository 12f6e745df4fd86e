package views

import "gatehouse/account"

// PageMessage says what was done before a page was opened, by the word that the act has
// left. About is the e-mail address of whom it was done to, or "", and name is who is
// signed in. Another word says nothing.
func PageMessage(word, about, name string) Message {
	switch word {
	case "password":
		return Message{Text: "Your password is changed.", Advice: "All your other sessions have ended."}
	case "session":
		return Message{Text: "The session has ended."}
	case "sessions":
		return Message{Text: "All your other sessions have ended.", Advice: "All browsers but this one have been forgotten."}
	case "browser":
		return Message{Text: "The browser has been forgotten.", Advice: "Its next sign-in counts as one from a new browser. Its sessions have not ended."}
	case "signed-out":
		return Message{Text: "You are signed out."}
	case "link":
		return Message{Text: "Your password is set.", Advice: "Sign in with it now."}
	case "link-of":
		return Message{
			Text:   "The password of " + about + " is set.",
			Advice: "You are still signed in as " + name + ". To sign in as " + about + ", sign out first.",
		}
	case "invited":
		return MailedLink(account.Invitation, about)
	case "reminded":
		return Message{Text: "Mails are on their way to everybody who is not ready."}
	case "turned-on":
		return Message{Text: "Your second step is as it was.", Advice: "What was switched off counts again."}
	case "challenge":
		return Message{
			Text:   "Sign in again.",
			Advice: "The verification step expired, or you started signing in again in another tab.",
		}
	}
	if m := AppDone(word); !m.IsZero() {
		return m
	}
	return PersonDone(word)
}

// SignInToContinue is said to whoever meets the sign-in on the way to a page.
func SignInToContinue() Message { return Message{Text: "Sign in to continue."} }
