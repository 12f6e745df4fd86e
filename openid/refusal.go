package openid

// A Code is one of the protocol's own words for a refusal.
type Code string

// The codes of RFC 6749 (4.1.2.1, 5.2), RFC 6750 (3.1) and OpenID Connect Core (3.1.2.6).
const (
	InvalidRequest           Code = "invalid_request"
	UnsupportedResponseType  Code = "unsupported_response_type"
	InvalidScope             Code = "invalid_scope"
	AccessDenied             Code = "access_denied"
	TemporarilyUnavailable   Code = "temporarily_unavailable"
	LoginRequired            Code = "login_required"
	InteractionRequired      Code = "interaction_required"
	ConsentRequired          Code = "consent_required"
	RequestNotSupported      Code = "request_not_supported"
	RequestURINotSupported   Code = "request_uri_not_supported"
	RegistrationNotSupported Code = "registration_not_supported"
	InvalidClient            Code = "invalid_client"
	InvalidGrant             Code = "invalid_grant"
	UnsupportedGrantType     Code = "unsupported_grant_type"
	InvalidToken             Code = "invalid_token"
)

// A Refusal is what an app is told. Its text is for whoever looks after the app, in ASCII
// without quotes, as RFC 6749 wants it.
type Refusal struct {
	Code Code
	Text string
}

func (r Refusal) Error() string { return string(r.Code) + ": " + r.Text }

// refuse makes a refusal.
func refuse(code Code, text string) error { return Refusal{Code: code, Text: text} }
