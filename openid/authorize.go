package openid

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The longest fields that are kept or sent back, in bytes.
const (
	maxState = 4096
	maxNonce = 1024
)

// An AuthorizeRequest is an app's request to sign somebody in.
type AuthorizeRequest struct {
	Redirect  string // where the answer goes
	State     string
	Scopes    Scopes
	Nonce     string
	Challenge string // PKCE's; "" for an app that is excused from it
	LoginHint string // the address of whom the app expects
	Hint      string // an ID token of whom the app expects
	AAL2      bool   // the app asks for the second step

	None    bool // never a page
	Login   bool // a password after the request
	Consent bool // ask, whatever was agreed before
	Select  bool // let people choose who they are

	MaxAge    time.Duration // how old the password may be, if HasMaxAge
	HasMaxAge bool
}

// Addressee returns the app and the address that a request names. Until both have proved
// right nothing is sent to that address: whoever made the link may have chosen it.
func Addressee(values url.Values) (client, redirect string, err error) {
	for _, name := range []string{"client_id", "redirect_uri"} {
		switch given := values[name]; {
		case len(given) > 1:
			return "", "", refuse(InvalidRequest, name+" was sent more than once")
		case len(given) == 0 || given[0] == "":
			return "", "", refuse(InvalidRequest, name+" is missing")
		}
	}
	return values.Get("client_id"), values.Get("redirect_uri"), nil
}

// ParseAuthorize reads a request of a client whose redirect address is right. Whatever it
// refuses is told to the app; State is then still what the app sent.
func ParseAuthorize(values url.Values, client Client) (AuthorizeRequest, error) {
	r := AuthorizeRequest{Redirect: values.Get("redirect_uri")}
	if given := values["state"]; len(given) == 1 && len(given[0]) <= maxState {
		r.State = given[0]
	}
	sent, err := fields(values)
	if err != nil {
		return r, err
	}
	if err := refuseUnsupported(sent); err != nil {
		return r, err
	}
	if len(sent["state"]) > maxState {
		return r, refuse(InvalidRequest, "state is too long")
	}
	r.Scopes = ParseScopes(sent["scope"])
	if !r.Scopes.Has(ScopeOpenID) {
		return r, refuse(InvalidScope, "the scope openid is missing")
	}
	r.Nonce, r.LoginHint, r.Hint = sent["nonce"], sent["login_hint"], sent["id_token_hint"]
	if len(r.Nonce) > maxNonce {
		return r, refuse(InvalidRequest, "nonce is too long")
	}
	if r.Challenge, err = readChallenge(sent, client); err != nil {
		return r, err
	}
	r.AAL2 = slices.Contains(strings.Fields(sent["acr_values"]), AAL2)
	if err := r.readPrompt(sent["prompt"]); err != nil {
		return r, err
	}
	return r, r.readMaxAge(sent["max_age"])
}

// refuseUnsupported refuses what is not offered, by the code that the protocol has for it.
func refuseUnsupported(sent map[string]string) error {
	for name, code := range map[string]Code{
		"request":      RequestNotSupported,
		"request_uri":  RequestURINotSupported,
		"registration": RegistrationNotSupported,
	} {
		if sent[name] != "" {
			return refuse(code, name+" is not supported")
		}
	}
	switch {
	case sent["response_type"] == "":
		return refuse(InvalidRequest, "response_type is missing")
	case sent["response_type"] != "code":
		return refuse(UnsupportedResponseType, "only response_type=code is supported")
	case sent["response_mode"] != "" && sent["response_mode"] != "query":
		return refuse(InvalidRequest, "only response_mode=query is supported")
	}
	return nil
}

// readChallenge reads PKCE's challenge. Only S256 is taken: a challenge without a method
// would be plain (RFC 7636, 4.3).
func readChallenge(sent map[string]string, client Client) (string, error) {
	challenge, method := sent["code_challenge"], sent["code_challenge_method"]
	switch {
	case challenge == "" && method == "" && !client.RequiresPKCE():
		return "", nil
	case challenge == "":
		return "", refuse(InvalidRequest, "code_challenge is missing: PKCE is required")
	case method != "S256":
		return "", refuse(InvalidRequest, "only code_challenge_method=S256 is supported")
	case !challengePattern.MatchString(challenge):
		return "", refuse(InvalidRequest, "code_challenge is not a SHA-256 in base64url")
	}
	return challenge, nil
}

// WantsNoPage reports whether a request, which may be wrong in other ways, is one for which
// no page is to be shown.
func WantsNoPage(values url.Values) bool {
	return slices.Contains(strings.Fields(values.Get("prompt")), "none")
}

func (r *AuthorizeRequest) readPrompt(text string) error {
	words := strings.Fields(text)
	r.None = slices.Contains(words, "none")
	if r.None && len(words) > 1 {
		return refuse(InvalidRequest, "prompt=none stands alone")
	}
	r.Login = slices.Contains(words, "login")
	r.Consent = slices.Contains(words, "consent")
	r.Select = slices.Contains(words, "select_account")
	return nil
}

func (r *AuthorizeRequest) readMaxAge(text string) error {
	if text == "" {
		return nil
	}
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return refuse(InvalidRequest, "max_age is not a number of seconds")
	}
	r.MaxAge, r.HasMaxAge = time.Duration(seconds)*time.Second, true
	return nil
}

// IsProofOld reports whether the password, given at proved, must be given again before the
// request is answered: it is not newer than the request where that says prompt=login, or
// older than its max_age. Instants are compared to the millisecond.
func (r AuthorizeRequest) IsProofOld(proved, asked, now time.Time) bool {
	if proved.After(asked) {
		return false
	}
	if r.Login {
		return true
	}
	return r.HasMaxAge && now.Sub(proved) > r.MaxAge
}

// Answer returns the address that brings a code to the app.
func (r AuthorizeRequest) Answer(issuer, code string) string {
	return r.answer(issuer, url.Values{"code": {code}})
}

// Refuse returns the address that brings a refusal to the app.
func (r AuthorizeRequest) Refuse(issuer string, refusal Refusal) string {
	return r.answer(issuer, url.Values{"error": {string(refusal.Code)}, "error_description": {refusal.Text}})
}

// answer adds what every answer has: the state, and who answers (RFC 9207), so that an app
// of two providers takes no answer for the other's.
func (r AuthorizeRequest) answer(issuer string, values url.Values) string {
	if r.State != "" {
		values.Set("state", r.State)
	}
	values.Set("iss", issuer)
	return withQuery(r.Redirect, values)
}
