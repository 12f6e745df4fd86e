package views

import (
	"net/http"
	"strings"

	"gatehouse/account"
	"gatehouse/apps"
)

// A GuardPage is what stands between somebody and a guarded app, on the app's own host.
// Nothing of ours can be loaded there, so that it is one page with its style in it.
type GuardPage struct {
	Status        int
	Title         string
	Text          string
	Links         []GuardLink // the first is what to do next
	SignedInAs    string
	RequestNumber string
}

// A GuardLink leads on from a GuardPage.
type GuardLink struct{ Text, Address string }

// PlainText is the page for what reads no pages: a command, a script, a log.
func (p GuardPage) PlainText() string {
	text := p.Title + "\n" + p.Text
	for _, link := range p.Links {
		text += "\n" + link.Text + ": " + link.Address
	}
	if p.RequestNumber != "" {
		text += "\nRequest number: " + p.RequestNumber
	}
	return strings.TrimSpace(text) + "\n"
}

// GuardUntrusted is for whoever asks and is no trusted proxy.
func GuardUntrusted() GuardPage {
	return GuardPage{
		Title: "This address is for proxies",
		Text:  "Gatehouse answers here only to its trusted proxies. If you run one, see the log for what to set.",
	}
}

// GuardUnclear is for a proxy that does not say where a request was going.
func GuardUnclear() GuardPage {
	return GuardPage{
		Title: "The proxy is not set up for this",
		Text:  "It does not say, or not clearly, where the request was going. An administrator finds the right configuration on the app's page, and can check it there.",
	}
}

// GuardNotFound is for an address of ours that is none.
func GuardNotFound() GuardPage {
	return GuardPage{Title: "This page does not exist", Text: "Open the app again from its own address, or from My portal."}
}

// GuardUnavailable is for when nobody can say whether a request may go through.
func GuardUnavailable(request string) GuardPage {
	return GuardPage{
		Title:         "Gatehouse is temporarily unavailable",
		Text:          "Try again in a minute. If this continues, give an administrator the request number below.",
		RequestNumber: request,
	}
}

// GuardSignIn is for what cannot be led to the sign-in: a form that was sent after the
// session had ended, a script, a program.
func GuardSignIn(address string) GuardPage {
	return GuardPage{
		Title: "You are signed out",
		Text:  "Sign in and try again. If you have sent a form, go back: the page may still hold what you typed.",
		Links: []GuardLink{{"Sign in", address}},
	}
}

// GuardTicketOver is for a way in from the portal that does not work (any more).
func GuardTicketOver(app, address string) GuardPage {
	return GuardPage{
		Title: "Signing in to " + app + " did not work",
		Text:  "The link was used already, took too long, or belongs to another browser. If it happens again, check that this browser accepts cookies.",
		Links: []GuardLink{{"Try again", address}},
	}
}

// GuardRefused says why nobody, or nobody in this way, opens an app.
func GuardRefused(a apps.App, fault apps.GuardFault) GuardPage {
	switch fault {
	case apps.PausedApp:
		return GuardPage{
			Title: a.Name + " is paused",
			Text:  "Nobody can open it at the moment. Ask your administrator when it will be back.",
		}
	case apps.OtherOrigin:
		return GuardPage{
			Title: "This request came from another site",
			Text:  "A page of another site tried to change something in " + a.Name + ", so nothing was changed. If you trust that page, ask your administrator to list it for the app.",
			Links: []GuardLink{{"Open " + a.Name, a.Address.String()}},
		}
	case apps.NotAllowed:
		return GuardPage{
			Title: "You cannot open " + a.Name,
			Text:  "It is not open to your account. Ask your administrator for access.",
		}
	case apps.OtherScheme, apps.OtherPort:
		return GuardPage{
			Title: "This is not the app's address",
			Text:  "The app is at another scheme or port.",
			Links: []GuardLink{{"Open " + a.Name, a.Address.String()}},
		}
	}
	return GuardPage{
		Title: "There is no app here",
		Text:  "This address belongs to no app of the workspace. If it should, ask your administrator.",
	}
}

// GuardNotAllowed says to somebody which rule keeps them out, and whom to ask.
func GuardNotAllowed(a apps.App, email, otherUser, portal string) GuardPage {
	var who []string
	for _, role := range a.Access.Roles {
		who = append(who, "people with the role "+roleName(role))
	}
	for _, group := range a.Access.Groups {
		who = append(who, "the group "+group.Name)
	}
	if len(a.Access.People) > 0 {
		who = append(who, "people whom an administrator has named")
	}
	text := "It is open to nobody at the moment."
	if len(who) > 0 {
		text = "It is open to " + joinOr(who) + ", and your account is not among them."
	}
	return GuardPage{
		Title:      "You cannot open " + a.Name,
		Text:       text + " Ask your administrator for access.",
		Links:      []GuardLink{{"Go to My portal", portal}, {"Sign in as a different user", otherUser}},
		SignedInAs: account.ShownEmail(email),
	}
}

// joinOr joins words as a sentence does.
func joinOr(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

func guardTitle(p GuardPage) string { return p.Title + " – " + http.StatusText(p.Status) }

// GuardStyle is the style of a GuardPage. The page's Content-Security-Policy names its hash.
const GuardStyle = `:root{color-scheme:light dark}` +
	`body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;box-sizing:border-box;` +
	`font:1rem/1.5 system-ui,sans-serif;color:light-dark(#0f172a,#e2e8f0);background:light-dark(#f8fafc,#0f172a)}` +
	`main{max-inline-size:28rem;inline-size:100%;box-sizing:border-box;padding:1.5rem;border-radius:.75rem;` +
	`border:1px solid light-dark(#e2e8f0,#334155);background:light-dark(#fff,#1e293b);overflow-wrap:anywhere}` +
	`h1{font-size:1.25rem;line-height:1.3;margin:0 0 .75rem}p{margin:0 0 1rem}` +
	`.small{font-size:.875rem;color:light-dark(#475569,#94a3b8)}` +
	`.links{display:flex;flex-wrap:wrap;gap:.75rem 1.25rem;align-items:center;margin-block-start:1.25rem}` +
	`a{color:light-dark(#334155,#cbd5e1)}` +
	`.first{padding:.5rem 1rem;border-radius:.5rem;text-decoration:none;background:light-dark(#1e293b,#e2e8f0);color:light-dark(#fff,#0f172a)}` +
	`a:focus-visible{outline:2px solid light-dark(#0f172a,#e2e8f0);outline-offset:2px}`
