package openid

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// Credentials are how a client says who it is.
type Credentials struct {
	ID     string
	Secret string // "" for one that has none
	Basic  bool   // came in the Authorization header: a refusal then names the scheme
}

// ReadCredentials reads the client's id and secret from the header, or from the form. Both
// at once are refused (RFC 6749, 2.3).
func ReadCredentials(authorization []string, form url.Values) (Credentials, error) {
	sent, err := fields(form)
	if err != nil {
		return Credentials{}, err
	}
	if sent["client_assertion"] != "" || sent["client_assertion_type"] != "" {
		return Credentials{}, refuse(InvalidClient, "assertions are not supported")
	}
	switch len(authorization) {
	case 0:
		if sent["client_id"] == "" {
			return Credentials{}, refuse(InvalidClient, "client_id is missing")
		}
		return Credentials{ID: sent["client_id"], Secret: sent["client_secret"]}, nil
	case 1:
		c, err := readBasic(authorization[0])
		if err != nil {
			return c, err
		}
		if sent["client_secret"] != "" {
			return c, refuse(InvalidRequest, "the client authenticates in two ways at once")
		}
		if id := sent["client_id"]; id != "" && id != c.ID {
			return c, refuse(InvalidRequest, "two different clients are named")
		}
		return c, nil
	}
	return Credentials{}, refuse(InvalidRequest, "Authorization was sent more than once")
}

// readBasic reads the header of RFC 7617, with id and secret encoded as in a form
// (RFC 6749, 2.3.1).
func readBasic(header string) (Credentials, error) {
	refusal := Credentials{Basic: true}
	scheme, encoded, _ := strings.Cut(header, " ")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if !strings.EqualFold(scheme, "Basic") || err != nil {
		return refusal, refuse(InvalidClient, "the Authorization header is not Basic")
	}
	id, secret, found := strings.Cut(string(raw), ":")
	plainID, err := url.QueryUnescape(id)
	plainSecret, err2 := url.QueryUnescape(secret)
	if !found || err != nil || err2 != nil || plainID == "" || !isPrintable(plainID) {
		return refusal, refuse(InvalidClient, "the Authorization header holds no client")
	}
	return Credentials{ID: plainID, Secret: plainSecret, Basic: true}, nil
}

// A TokenRequest is what comes to the token address: a code or a refresh token.
type TokenRequest struct {
	Code     string // "" for a refresh
	Redirect string
	Verifier string

	Refresh   string // "" for a code
	Scopes    Scopes // fewer than were granted, if HasScopes
	HasScopes bool
}

// ParseToken reads a request for tokens.
func ParseToken(form url.Values) (TokenRequest, error) {
	sent, err := fields(form)
	if err != nil {
		return TokenRequest{}, err
	}
	switch sent["grant_type"] {
	case "":
		return TokenRequest{}, refuse(InvalidRequest, "grant_type is missing")
	case "authorization_code":
		r := TokenRequest{Code: sent["code"], Redirect: sent["redirect_uri"], Verifier: sent["code_verifier"]}
		if r.Code == "" {
			return r, refuse(InvalidRequest, "code is missing")
		}
		return r, nil
	case "refresh_token":
		r := TokenRequest{Refresh: sent["refresh_token"]}
		r.Scopes, r.HasScopes = ParseScopes(sent["scope"]), sent["scope"] != ""
		if r.Refresh == "" {
			return r, refuse(InvalidRequest, "refresh_token is missing")
		}
		return r, nil
	}
	return TokenRequest{}, refuse(UnsupportedGrantType, "only authorization_code and refresh_token are supported")
}

// ParseRevoke reads which token is to end. What kind it is need not be said (RFC 7009, 2.1).
func ParseRevoke(form url.Values) (token string, err error) {
	sent, err := fields(form)
	if err != nil {
		return "", err
	}
	if sent["token"] == "" {
		return "", refuse(InvalidRequest, "token is missing")
	}
	return sent["token"], nil
}

// ReadBearer reads an access token from the header; a token in the form or in the query
// is not taken (RFC 9700, 4.3.2).
func ReadBearer(authorization []string) (token string, ok bool) {
	if len(authorization) != 1 {
		return "", false
	}
	scheme, token, found := strings.Cut(authorization[0], " ")
	token = strings.TrimSpace(token)
	return token, found && strings.EqualFold(scheme, "Bearer") && token != ""
}
