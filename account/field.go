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
)

// A FieldError refuses what was typed into one field of a form.
type FieldError struct {
	Field  string // the name of the field in the form
	Reason Reason
	Limit  int // of TooShort and TooLong, in characters
}

func (e FieldError) Error() string { return e.Field + ": " + string(e.Reason) }
