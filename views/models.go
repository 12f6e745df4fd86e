package views

import (
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// A Frame is what surrounds a page's card: the same for every page of one request.
type Frame struct {
	Workspace string
	Assets    Assets
	Visitor   Visitor // zero when nobody is signed in
	Path      string  // the address whose entry in the sidebar is the current one
	Now       time.Time
	Message   Message      // of what was done on the page before, above this one
	Policy    Announcement // of a policy that is to come
	Notices   Notices      // for admins, above the page: insecure http, break-glass
}

// Assets are the addresses of the static files, hashes included.
type Assets struct {
	CSS, HTMX, Icon string
}

// A Visitor is the signed-in person as the surround shows them.
type Visitor struct {
	Name       string
	Email      string
	Role       twofactor.Role
	MustEnroll bool // the policy stops them: the sidebar leads nowhere but to sign-out
}

// SignedIn reports whether somebody is signed in.
func (v Visitor) SignedIn() bool { return v.Email != "" }

// A Dated is a sentence with an instant in it. Without one it is Before alone. The
// names in it stand apart, since no translator may touch them; the words around them
// bring their spaces along, but for those before By and before the instant.
type Dated struct {
	Before string
	Who    string // about whom it is, or ""
	Middle string
	By     string // who did it, or ""
	Then   string
	At     time.Time
	After  string
}

// Notices are what admins see above every page.
type Notices struct {
	Shown   []Notice
	Open    int   // how many can be dismissed; more may be open than are shown
	Through int64 // the newest of them that is shown
}

// A Notice is a sentence that admins see on every page until it is dismissed.
type Notice struct {
	Text      Dated
	DismissID int64 // 0: it cannot be dismissed
}

// A Message is a refusal or success in words: what happened, and what to do next. The
// zero Message is empty.
type Message struct {
	Text   string // letter for letter as in the guide
	Advice string // what to do next; may be empty

	// While Seconds is over zero, a line beside the message counts it down:
	// "Counting 12 seconds", and Then once it is over.
	Seconds        int
	Counting, Then string

	ServerTime time.Time // what the server's clock says, where that matters; else zero
	Changes    []Dated   // what others have done meanwhile, the newest first
}

// IsZero reports whether the message is empty.
func (m Message) IsZero() bool { return m.Text == "" }

// A Field is one input as it was typed, with what is wrong with it.
type Field struct {
	Value string
	Error string
}

// SignIn is the card of /signin.
type SignIn struct {
	Email  string // as typed
	Next   string // where to go afterwards, or ""
	Alert  Message
	Notice Message       // e.g. signed out, session ended, challenge over
	Wait   time.Duration // how long to wait, rounded up to a second, or 0

	Passkeys     bool // passkeys can work at this address
	PasskeyAlert Message
	Signal       string // JSON for the browser's list of passkeys; "" for nothing

	Mails bool // a link can be mailed to whoever has forgotten the password
}

// Challenge is the card of /signin/two-factor.
type Challenge struct {
	Email         string
	Sheet         twofactor.Sheet
	CodeAlert     Message
	RecoveryAlert Message       // not empty: the recovery part is open
	ShowSheet     bool          // the recovery part is open because CodeAlert speaks of the sheet that it names
	Wait          time.Duration // of whichever alert is set

	NoApp        bool   // only passkeys and recovery codes pass
	Passkey      string // JSON of what the browser is asked for; "" without a passkey that works here
	PasskeyAlert Message
	MadeFor      []string // the domains of passkeys that do not work here, when none does
}

// Setup is the card of /setup/{token}. The password is never given back.
type Setup struct {
	Token     string
	Workspace Field
	Name      Field
	Email     Field
	Password  Field // Value is always ""
	Alert     Message
}

// Home is the page /my.
type Home struct {
	Since  time.Time // the previous sign-in; zero when this is the first
	Events []Dated   // what happened to the account since then
	Advice Message   // e.g. few recovery codes left, factor not set up
	Launcher
	State twofactor.State // of all factors
	NoApp bool            // they are passkeys alone
}

// Profile is the page /my/profile.
type Profile struct {
	State       twofactor.State // of all factors
	NoApp       bool            // they are passkeys alone
	ConfirmedAt time.Time       // of the app; zero without it
	Sheet       twofactor.Sheet

	PasswordChangedAt time.Time // zero when never changed
	Email             string    // whose password it is, for password managers; may be empty
	CurrentPassword   Field     // Values are always ""
	NewPassword       Field
	Alert             Message

	Sessions []Session
	Browsers []KnownBrowser
	Events   []Event // recent security activity of the own account, newest first
	Mails    bool    // mails are sent, so there is something to choose
}

// A Session is one row of the list of one's own sessions.
type Session struct {
	ID        string // opaque, for the form field "session"
	Browser   string // e.g. Firefox on Linux
	Address   string
	StartedAt time.Time
	SeenAt    time.Time
	Current   bool
}

// A KnownBrowser is one row of the list of the browsers that somebody is known by.
type KnownBrowser struct {
	ID      string // opaque, for the form field "browser"
	Browser string // e.g. Firefox on Linux
	Address string // of the last sign-in; may be empty
	MadeAt  time.Time
	SeenAt  time.Time
	Current bool
}

// An Event is one row of security activity, in words.
type Event struct {
	At      time.Time
	Text    string
	Address string
	By      account.Party // who did it, when it was somebody else, or nobody
}

// TwoFactor is the screen /my/profile/two-factor: the messages, the panel of
// recovery codes while there is one, and the card in one of its states. It is
// the fragment that htmx swaps, and the whole page is its frame plus this.
type TwoFactor struct {
	Workspace  string // for the printed sheet
	Email      string
	Enrollment twofactor.Enrollment
	QR         QR // built while Pending, zero otherwise

	ForApp   string // the app that asks for a second step, to which they go on; "" for none
	Required bool   // the policy stops this person: its message stands
	Next     string // where they were going, or ""

	Success Message
	Alert   Message // in the card, tied to the field it is about

	Passkeys PasskeyCard

	SwitchedOff Dated // since when parts of it pass nothing, because of "This wasn't me"

	Codes     []twofactor.RecoveryCode // just minted: shown once
	Prompt    bool                     // Enabled: ask before regenerating
	Reauth    bool                     // Enabled: ask for the password before regenerating
	Check     bool                     // Enabled: the section to check a saved code is open
	Ask       bool                     // Enabled: ask whether the codes are still there
	Replacing bool                     // Pending, for a new phone: the old one's codes go on
	Disable   bool                     // Enabled: the section to disable is open (its password was wrong)
	RemoveApp bool                     // Enabled: the section to remove the app is open (its password was wrong)
	NextCode  time.Duration            // until the next code appears in the app
	Now       time.Time
}

// Security is the card of /admin/settings/security.
type Security struct {
	Seen    string           // what the form carries of what it shows
	Policy  twofactor.Policy // as stored, or as just sent
	Success Message
	Alert   Message
	// Whom each setting would affect now, for settings that are off.
	Everyone, Admins PolicyImpact
	NoCodes          bool // no admin has a recovery code left
	Left             int  // people with passkeys of another address, and no factor that works here

	EveryoneFrom, AdminsFrom   Field     // the day from which each is on, as typed
	EveryoneReady, AdminsReady Readiness // for those that are to come
	Mail                       bool      // people can be reminded
}

// PolicyImpact tells whom a policy setting would affect.
type PolicyImpact struct {
	Count int
	More  bool             // there are more than Count
	First []AffectedPerson // the first few
	You   bool             // the acting admin is among them
}

// An AffectedPerson is one of those whom a policy setting would affect.
type AffectedPerson struct {
	Name, Email   string
	NeverSignedIn bool
}

// General is the card of /admin/settings/general.
type General struct {
	Workspace Field
	Moved     Message // what a new base URL breaks; zero for nothing
	Seen      string  // what the form carries of what it shows
	Success   Message
	Alert     Message
}

// Problem is a whole page that tells what went wrong and what to do next.
type Problem struct {
	Status  int
	Title   string
	Text    string
	Action  string // the link's words
	Address string // the link's address
	ID      string // the request id, to be quoted to an administrator, or ""
}

// Again is what a page of /signin/again, or an act that waits for a proof, shows.
type Again struct {
	Action  string       // where the form goes: the act itself
	Cancel  string       // the page that the act belongs to
	Fields  []TypedField // what was typed, secrets excepted
	Email   string
	Passkey string // what the browser is asked for; "" without a passkey that works here
	Code    bool   // the session has shown no second step
	Alert   Message
}

// A TypedField is one field of a form as it was typed.
type TypedField struct{ Name, Value string }
