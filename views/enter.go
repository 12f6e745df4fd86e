package views

// A Leave is the page that asks whether to sign out.
type Leave struct {
	App    string // from which they come; "" for none
	Email  string
	Back   string
	Action string
	Next   string // where to go on to as somebody else; "" for nowhere
}

// AppRequires says why somebody who wanted to open an app sets up a second step first.
func AppRequires(app string) Message {
	return Message{Text: app + " requires two-factor authentication. Set it up to continue."}
}

func (s Leave) title() string {
	if s.App != "" {
		return "Sign out of " + s.App + " and the workspace?"
	}
	return "Sign out?"
}
