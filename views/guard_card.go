package views

import "gatehouse/apps"

// A GuardCard is how an app is guarded.
type GuardCard struct {
	App       apps.App
	Gatehouse string  // where the proxy reaches us
	Needs     Message // what the server lacks

	On              bool
	Public, Others  Field
	RemoteUser      apps.RemoteUser
	RemoteUserError string
	Seen            string

	Asked    bool // somebody has just asked what the proxy asks
	Watching bool // it is being noted
	Found    bool
	Request  GuardRequest // the last that was noted
}

// wrong names the first field that is refused, or "".
func (g GuardCard) wrong() string {
	switch {
	case g.Public.Error != "":
		return "public"
	case g.Others.Error != "":
		return "others"
	case g.RemoteUserError != "":
		return "remote_user"
	}
	return ""
}

// remoteUserOptions are what an app can be told that somebody is called.
var remoteUserOptions = [][2]string{
	{string(apps.ByUserName), "the user name"},
	{string(apps.ByEmail), "the e-mail address"},
}

// CheckWaiting says what to do in the minute of a check.
func CheckWaiting(a apps.App) Message {
	return Message{
		Text:   "For a minute Gatehouse notes what the app's proxy asks.",
		Advice: "Open " + a.Address.String() + " in another tab, and come back to see what came.",
	}
}
