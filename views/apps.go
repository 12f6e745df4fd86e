package views

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gatehouse/apps"
	"gatehouse/twofactor"
)

// A Launcher is the part of My portal that opens apps.
type Launcher struct {
	Tiles  []Tile
	Many   bool     // so many that one searches among them
	Search string   // as typed
	Gone   []string // what the visitor could open at the visit before
	Admin  bool     // the visitor can add apps
	None   bool     // the workspace has no app at all
}

// A Tile is an app on My portal.
type Tile struct {
	AppMark
	Slug   string
	Host   string
	IsNew  bool
	Locked bool // needs a second step that the visitor has not set up
	Paused bool
}

// An AppMark is what an app is recognised by: its icon, or its letters on a colour.
type AppMark struct {
	ID   int64
	Name string
	Mark string
	Icon string // the icon's version, or ""
}

// MarkOf is the mark of an app.
func MarkOf(a apps.App) AppMark { return AppMark{ID: a.ID, Name: a.Name, Mark: a.Mark, Icon: a.Icon} }

// colour is which of the six colours the mark has: an app keeps it while it keeps its name.
func (m AppMark) colour() string {
	sum := 0
	for _, r := range m.Name {
		sum = (sum*31 + int(r)) % 6007
	}
	return strconv.Itoa(sum % 6)
}

func (m AppMark) iconAddress() string { return fmt.Sprintf("/apps/%d/icon?v=%s", m.ID, m.Icon) }

// launcherText tells what is gone since the visit before.
func launcherText(gone []string) Message {
	if len(gone) == 0 {
		return Message{}
	}
	names := strings.Join(gone[:min(len(gone), 5)], ", ")
	if more := len(gone) - 5; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return Message{
		Text:   "No longer available to you: " + names + ".",
		Advice: "If you still need it, ask an administrator.",
	}
}

// Apps is the page /admin/apps.
type Apps struct {
	Rows       []apps.App
	Pagination Pagination
	Search     string
	Alert      Message // what is missing before apps can be opened
}

// AppsNeed says what the server lacks to guard or connect apps.
func AppsNeed(base, proxy bool) Message {
	switch {
	case !base:
		return Message{
			Text:   "Apps cannot be opened yet: the server does not know its own address.",
			Advice: "Set --base-url (GATEHOUSE_BASE_URL) to the address that people use, and --trusted-proxy (GATEHOUSE_TRUSTED_PROXY) to that of your proxy.",
		}
	case !proxy:
		return Message{
			Text:   "Apps cannot be guarded yet: the server trusts no proxy.",
			Advice: "Set --trusted-proxy (GATEHOUSE_TRUSTED_PROXY) to the address of the proxy that asks it. Apps that connect by OpenID Connect need none.",
		}
	}
	return Message{}
}

// NewApp is the form of /admin/apps/new.
type NewApp struct {
	Name, Address, Mark, Template Field
	Access                        AppAccess
}

// AppAccess is the part of a form that says who may open an app.
type AppAccess struct {
	Everyone   bool
	Roles      []twofactor.Role // that are ticked
	Groups     []apps.Group     // all that there are
	Ticked     []string         // the names of those that are ticked
	People     []apps.Named     // who is named now, ticked
	Typed      string           // further addresses, as typed
	SecondStep bool
	Fresh      string // as typed

	RoleError, GroupError, PersonError, FreshError string
}

// wrong names the first field that is refused, or "".
func (a AppAccess) wrong() string {
	switch {
	case a.RoleError != "":
		return "role"
	case a.GroupError != "":
		return "group"
	case a.PersonError != "":
		return "person"
	case a.FreshError != "":
		return "fresh_minutes"
	}
	return ""
}

// AppDetail is the page of one app.
type AppDetail struct {
	App        apps.App
	Edit       AppEdit
	Access     AppAccess
	SeenAccess string
	Guard      GuardCard
	Connect    Connect
	AskRemove  bool
	Portal     string // the address by which My portal opens it
	Success    Message
	Alert      Message
}

// AppEdit is the form with an app's name, address and icon.
type AppEdit struct {
	Open                      bool
	Locked                    bool // a proof is asked for before the form is shown: it has a file
	Name, Address, Mark, Icon Field
	Seen                      string
}

// IconLost says that the panel which asks for a proof keeps no file.
func IconLost() string {
	return "Choose the icon again. It was not kept while you confirmed that it was you."
}

// editAgain is where somebody confirms that it is them before they change an app.
func editAgain(app int64) string {
	return "/signin/again?" + url.Values{"next": {appAddress(app, "?edit=yes")}}.Encode()
}

// wrong names the first field that is refused, or "".
func (e AppEdit) wrong() string {
	switch {
	case e.Name.Error != "":
		return "name"
	case e.Address.Error != "":
		return "address"
	case e.Mark.Error != "":
		return "mark"
	case e.Icon.Error != "":
		return "icon"
	}
	return ""
}

// AppWhy is the page that says why somebody may open an app, or not.
type AppWhy struct {
	App         AppMark
	Person      Field // the address, as typed
	Named       apps.Named
	Known       bool // there is somebody to explain
	Explanation apps.Explanation
}

// PersonApps is the part of a person's page that is about apps.
type PersonApps struct {
	Groups []apps.Group
	Any    bool     // the workspace has apps
	Names  []string // of all apps, where they are few enough to choose from
	Asked  Field    // the app that was asked about, as typed
	Known  bool
	App    AppMark
	Why    apps.Explanation
}

// OwnApps is the page /my/profile/apps.
type OwnApps struct {
	Rows []OwnApp
}

// An OwnApp is an app in which somebody is signed in, or that has something of them.
type OwnApp struct {
	AppMark
	Slug       string
	Sessions   []OwnAppSession // in a guarded app
	SignedInAt time.Time       // by OpenID Connect; zero where they are not
	Offline    bool            // it learns of changes while they are away
	Agreed     []string        // what they have agreed to, by scope; none where they were not asked
}

// An OwnAppSession is a browser in which somebody is signed in to a guarded app.
type OwnAppSession struct {
	Browser string // e.g. Firefox on Linux
	MadeAt  time.Time
	Current bool // it is this one
}

// agreedText says what somebody has agreed that an app learns, or "".
func agreedText(scopes []string) string {
	var told []string
	for _, scope := range scopes {
		if text := scopeWords[scope]; text != "" {
			told = append(told, text)
		}
	}
	if len(told) == 0 {
		return ""
	}
	return "You agreed that it learns your " + joinAnd(told) + "."
}

// scopeWords are what apps learn of somebody, by scope.
var scopeWords = map[string]string{
	"profile": "name",
	"email":   "e-mail address",
	"groups":  "groups",
}

// joinAnd joins words as a sentence does.
func joinAnd(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

// nameOptions are names to choose from.
func nameOptions(names []string) [][2]string {
	out := make([][2]string, 0, len(names))
	for _, name := range names {
		out = append(out, [2]string{name, name})
	}
	return out
}

// NoSuchApp says that no app has the name that was asked for.
func NoSuchApp() string { return "No app is called this. Look it up on Apps." }

func appAddress(id int64, verb string) string { return fmt.Sprintf("/admin/apps/%d", id) + verb }

func groupAddress(id int64, verb string) string { return fmt.Sprintf("/admin/groups/%d", id) + verb }

// accessText says in a sentence who may open an app.
func accessText(a apps.Access) string {
	if a.Everyone {
		return "Everyone"
	}
	var who []string
	for _, role := range a.Roles {
		who = append(who, rolePlural(role))
	}
	for _, group := range a.Groups {
		who = append(who, group.Name)
	}
	if n := len(a.People); n > 3 {
		who = append(who, plural(n, "person", "people"))
	} else {
		for _, p := range a.People {
			who = append(who, p.Name)
		}
	}
	if len(who) == 0 {
		return "Nobody"
	}
	return strings.Join(who, ", ")
}

// rolePlural names those who have a role.
func rolePlural(r twofactor.Role) string { return roleName(r) + "s" }

// askedText says what is asked for at the door, or "".
func askedText(a apps.Access) string {
	var asked []string
	if a.SecondStep {
		asked = append(asked, "two-factor")
	}
	if a.FreshMinutes > 0 {
		asked = append(asked, "a password from the last "+minutes(a.FreshMinutes))
	}
	return strings.Join(asked, ", ")
}

// upperFirst begins a text with a capital.
func upperFirst(text string) string {
	for i, r := range text {
		return string(unicode.ToUpper(r)) + text[i+len(string(r)):]
	}
	return text
}

// minutes words a number of minutes after "the last": whole hours as such.
func minutes(n int) string {
	if n == 60 {
		return "hour"
	}
	if n%60 == 0 {
		return plural(n/60, "hour", "hours")
	}
	return plural(n, "minute", "minutes")
}

// appStatus says whether an app is open, and how it asks who somebody is.
func appStatus(a apps.App) (colour, text string) {
	switch {
	case a.Paused:
		return "amber", "Paused"
	case a.Guarded && a.Connected:
		return "emerald", "Guarded, connected"
	case a.Guarded:
		return "emerald", "Guarded"
	case a.Connected:
		return "emerald", "Connected"
	}
	return "slate", "Link only"
}

// AppDone says what was done to an app, by the verb of the action.
func AppDone(verb string) Message {
	switch verb {
	case "app-add":
		return Message{Text: "The app is added.", Advice: "It is on My portal of everyone who may open it."}
	case "app-edit", "app-guard", "app-connect":
		return Message{Text: "The changes are saved."}
	case "app-access":
		return Message{Text: "The changes are saved.", Advice: "They count from everybody's next request on."}
	case "app-pause":
		return Message{Text: "The app is paused.", Advice: "Nobody can open it, and open pages stop at their next request."}
	case "app-resume":
		return Message{Text: "The app is open again."}
	case "app-remove":
		return Message{Text: "The app is removed.", Advice: "Everybody's sessions in it have ended. Remove it from your proxy too."}
	case "app-end":
		return Message{Text: "The app's access has ended.", Advice: "It asks you again the next time that you open it."}
	case "group-add":
		return Message{Text: "The group is added.", Advice: "Now choose who is in it."}
	case "group-rename":
		return Message{Text: "The group has a new name.", Advice: "Apps are told the new name from the next request on."}
	case "group-members":
		return Message{Text: "The members are saved.", Advice: "They count from everybody's next request on."}
	case "group-remove":
		return Message{Text: "The group is removed."}
	}
	return Message{}
}

// RuleText words a rule, and what would change it where it is not met.
func RuleText(r apps.Rule, name string) (text, change string) {
	switch r.Kind {
	case apps.RuleActive:
		if r.Met {
			return "The account is active.", ""
		}
		return "The account is deactivated.", "Reactivate it on " + name + "'s page."
	case apps.RuleAccepted:
		return "The invitation has not been accepted.", "They choose a password with their link. Make a new one if it was lost."
	case apps.RuleNotPaused:
		if r.Met {
			return "The app is not paused.", ""
		}
		return "The app is paused.", "Resume it on the app's page."
	case apps.RuleEveryone:
		return "The app is open to everyone.", ""
	case apps.RuleRole:
		if r.Met {
			return name + " has the role " + roleName(r.Role) + ".", ""
		}
		return name + " does not have the role " + roleName(r.Role) + ".", "Give them this role."
	case apps.RuleGroup:
		if r.Met {
			return name + " is in the group " + r.Group.Name + ".", ""
		}
		return name + " is not in the group " + r.Group.Name + ".", "Add them to this group."
	case apps.RulePerson:
		if r.Met {
			return "The app names " + name + ".", ""
		}
		return "The app does not name " + name + ".", "Name them under who may open it."
	case apps.RuleNobody:
		return "The app names nobody who may open it.", "Choose who may open it on the app's page."
	case apps.RulePolicy:
		if r.Met {
			return "The workspace requires two-factor, and " + name + " has set it up.", ""
		}
		return "The workspace requires two-factor, and " + name + " has not set it up.", "They are led to set-up when they sign in."
	case apps.RuleSecondStep:
		if r.Met {
			return "The app requires two-factor, and " + name + " has set it up.", ""
		}
		return "The app requires two-factor, and " + name + " has not set it up.", "They are led to set-up when they open it."
	case apps.RuleFresh:
		return "The password must have been given within the last " + minutes(r.Minutes) + ".", "They are asked for it at the door when it is older."
	}
	return string(r.Kind), ""
}

// WhyTitle answers the question in a sentence.
func WhyTitle(e apps.Explanation, name, app string) string {
	switch {
	case !e.May:
		return name + " cannot open " + app
	case len(e.Missing()) > 0:
		return name + " can open " + app + " after setting up two-factor"
	}
	return name + " can open " + app
}

// whyMark says which sign stands before a rule.
func whyMark(e apps.Explanation, r apps.Rule) string {
	switch {
	case r.Met:
		return "done"
	case r.Kind.IsWay() && e.May:
		return "none" // another way is open
	}
	return "refused"
}

// templateOptions are the apps that a form offers.
func templateOptions() [][2]string {
	out := [][2]string{{"", "Another app, behind a proxy"}}
	for _, t := range apps.Templates {
		out = append(out, [2]string{t.Key, t.Name + ", by OpenID Connect"})
	}
	return append(out, [2]string{"other", "Another app, by OpenID Connect"})
}
