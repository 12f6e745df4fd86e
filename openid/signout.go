package openid

import "net/url"

// A SignOutRequest is an app's wish to sign somebody out (RP-Initiated Logout 1.0).
type SignOutRequest struct {
	Hint     string // an ID token of the session that is to end
	Client   string
	Redirect string // where to go afterwards; "" for nowhere
	State    string
}

// ParseSignOut reads one. Its fields are all optional.
func ParseSignOut(values url.Values) (SignOutRequest, error) {
	sent, err := fields(values)
	if err != nil {
		return SignOutRequest{}, err
	}
	r := SignOutRequest{
		Hint:     sent["id_token_hint"],
		Client:   sent["client_id"],
		Redirect: sent["post_logout_redirect_uri"],
		State:    sent["state"],
	}
	if len(r.State) > maxState {
		return r, refuse(InvalidRequest, "state is too long")
	}
	return r, nil
}

// Answer returns the registered address that people go on to.
func (r SignOutRequest) Answer() string {
	if r.State == "" {
		return r.Redirect
	}
	return withQuery(r.Redirect, url.Values{"state": {r.State}})
}
