package views

// Help is the page /help/two-factor: everybody reads the same, and goes on from there to
// where they were.
type Help struct {
	Address string
	Action  string // the link's words
}

// HelpFromPortal is the help for somebody who is signed in.
func HelpFromPortal() Help {
	return Help{Address: "/my/profile/two-factor", Action: "Go to Two-factor authentication"}
}

// HelpFromChallenge is the help for somebody who owes the second step.
func HelpFromChallenge() Help {
	return Help{Address: "/signin/two-factor", Action: "Go back to the verification"}
}

// HelpFromSignIn is the help for everybody else.
func HelpFromSignIn() Help {
	return Help{Address: "/signin", Action: "Go to the sign-in"}
}
