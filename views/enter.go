package views

// A Leave is the page that asks whether to sign out.
type Leave struct {
	App    string // from which they come; "" for none
	Email  string
	Back   string
	Action string
	Next   string // where to go on to as somebody else; "" for nowhere
}

func (s Leave) title() string {
	if s.App != "" {
		return "Sign out of " + s.App + " and the workspace?"
	}
	return "Sign out?"
}
