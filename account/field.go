package account

// A Reason says why a field of a form is refused. Package views has the sentences.
type Reason string

// The reasons that a field can be refused for.
const (
	Missing   Reason = "missing"
	TooShort  Reason = "too short"
	TooLong   Reason = "too long"
	Common    Reason = "too common"
	Context   Reason = "too close to the name"
	NotEmail  Reason = "no e-mail address"
	NoBrowser Reason = "no e-mail address that a browser sends"
	Taken     Reason = "taken"
	Unknown   Reason = "unknown"
	Wrong     Reason = "wrong"

	NotAddress   Reason = "no address of an app"
	HasPath      Reason = "an address with a path"
	OwnHost      Reason = "the portal's own host"
	NotPlain     Reason = "no plain path"
	Everything   Reason = "a path that is everything"
	TooMany      Reason = "too many"
	NotPlainName Reason = "no plain name"
	Reserved     Reason = "reserved"
	NotLetters   Reason = "no letters"
	NotMinutes   Reason = "no number of minutes"
	NotIcon      Reason = "no picture"
	TooLarge     Reason = "too large a picture"
	Active       Reason = "a picture with script"
	NoPerson     Reason = "nobody's e-mail address"
	NoGroup      Reason = "no group"

	NotRedirect Reason = "no address to send people to"
	OverHTTP    Reason = "an address over http"
	OtherHost   Reason = "an address on another host"

	NotLength     Reason = "no length of a session"
	LongerThanMax Reason = "longer than the whole session"

	NotDay  Reason = "no day"
	PastDay Reason = "a day that has passed"
	DayOff  Reason = "a day for a setting that is off"
)

// A FieldError refuses what was typed into one field of a form.
type FieldError struct {
	Field  string // the name of the field in the form
	Reason Reason
	Limit  int // of TooShort and TooLong, in characters; of TooMany, and in KiB of TooLarge
}

func (e FieldError) Error() string { return e.Field + ": " + string(e.Reason) }
