package views

import (
	"net/url"
	"slices"
	"time"
)

// A PasskeyCard is the card Passkeys and security keys, under that of the app.
type PasskeyCard struct {
	Rows     []Passkey
	Unable   string // why passkeys cannot work here, in a sentence; "" where they can
	Alert    Message
	Options  string // JSON of the passkey that is being added; "" otherwise
	Name     Field  // of that one
	Rename   string // the handle of the one whose new name is refused
	Renaming Field
	Signal   string // JSON for the browser's list of passkeys; "" for nothing
}

// A Passkey is one row of it.
type Passkey struct {
	Handle  string
	Name    string
	AddedAt time.Time
	UsedAt  time.Time // zero until it was used
	Synced  bool
	MadeFor string // the domain that it was made for; "" where it works here
}

// Works reports whether one of them works at this address.
func (c PasskeyCard) Works() bool {
	return slices.ContainsFunc(c.Rows, func(p Passkey) bool { return p.MadeFor == "" })
}

// scripted reports whether the page needs the script that calls the browser.
func (c PasskeyCard) scripted() bool { return c.Options != "" || c.Signal != "" }

// The reasons why passkeys cannot work at an address.
const (
	NeedsHTTPS = "Passkeys work over https only, and this workspace is served over plain http. The authenticator app and recovery codes work all the same."
	NeedsName  = "Passkeys need a host name, and this workspace is reached by an IP address. The authenticator app and recovery codes work all the same."
)

// noScript says why there is no button.
const noScript = "Passkeys need JavaScript, which is off in this browser."

// PasskeyAdded is shown when a passkey was added to others.
func PasskeyAdded(name string) Message {
	return Message{Text: "The passkey " + name + " is added.", Advice: "You can sign in with it from now on."}
}

// PasskeyActive is shown once, above the recovery codes that come with a first passkey.
func PasskeyActive() Message { return Confirmed() }

// PasskeyRemoved is shown when a passkey was removed.
func PasskeyRemoved() Message {
	return Message{Text: "The passkey is removed.", Advice: "You may have to delete it in your password manager too."}
}

// AuthenticatorRemoved is shown when the app was removed and passkeys stay.
func AuthenticatorRemoved() Message {
	return Message{Text: "The authenticator app is removed.", Advice: "Remove its entry from the app on your phone too."}
}

// PasskeyRenamed is shown when a passkey has another name.
func PasskeyRenamed() Message { return Message{Text: "The name is saved."} }

// LeftWithoutFactor warns that the workspace has moved away from people's passkeys.
func LeftWithoutFactor(n int) Message {
	return Message{
		Text: plural(n, "person has", "people have") + " no second factor that works at this address.",
		Advice: "Their passkeys were made for another one. They sign in with a recovery code, or whoever runs the server " +
			"keeps the old address with --passkey-domain.",
	}
}

// passkeyAction is the address of an act on the card; it keeps where the person was going.
func passkeyAction(verb, next string) string {
	address := "/my/profile/two-factor/passkeys/" + verb
	if next != "" {
		address += "?next=" + url.QueryEscape(next)
	}
	return address
}

func passkeyKind(p Passkey) string {
	if p.Synced {
		return "synced"
	}
	return "this device only"
}

// passkeysGoToo says that they go with all factors.
func passkeysGoToo(t TwoFactor) string {
	if len(t.Passkeys.Rows) == 1 {
		return "Your passkey is removed too."
	}
	return "Your " + passkeyCount(len(t.Passkeys.Rows)) + " are removed too."
}

func passkeyCount(n int) string { return plural(n, "passkey", "passkeys") }
