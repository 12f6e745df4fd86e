package handlers

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"gatehouse/db"
	"gatehouse/openid"
)

// exchangeToken exchanges a code or a refresh token for tokens.
func (s *Server) exchangeToken(rc *requestContext) error {
	issuer, err := s.issuer()
	if err != nil {
		return err
	}
	by, err := openid.ReadCredentials(rc.r.Header.Values("Authorization"), rc.r.PostForm)
	if err != nil {
		return err
	}
	request, err := openid.ParseToken(rc.r.PostForm)
	if err != nil {
		return err
	}
	exchange := s.store.ExchangeCode
	if request.Refresh != "" {
		exchange = s.store.Refresh
	}
	tokens, err := exchange(rc.ctx(), by, request, rc.client, rc.now)
	if err != nil {
		return err
	}
	return writeTokens(rc, issuer, tokens)
}

// writeTokens signs the ID token and answers (OpenID Connect Core, 3.1.3.3).
func writeTokens(rc *requestContext, issuer string, tokens db.Tokens) error {
	tokens.ID.Issuer = issuer
	signed, err := tokens.Key.SignIDToken(tokens.ID, rc.now)
	if err != nil {
		return err
	}
	document, err := json.Marshal(struct {
		Access  string `json:"access_token"`
		Type    string `json:"token_type"`
		Seconds int    `json:"expires_in"`
		Refresh string `json:"refresh_token,omitempty"`
		ID      string `json:"id_token"`
		Scope   string `json:"scope"`
	}{tokens.Access, "Bearer", int(openid.AccessTokenTTL / time.Second), tokens.Refresh, signed, tokens.Scopes.String()})
	if err != nil {
		return err
	}
	rc.w.Header().Set("Pragma", "no-cache")
	return writeJSON(rc, http.StatusOK, document)
}

// showUserInfo answers with what the app that holds an access token may know of its person.
func (s *Server) showUserInfo(rc *requestContext) error {
	if _, err := s.issuer(); err != nil {
		return err
	}
	token, ok := openid.ReadBearer(rc.r.Header.Values("Authorization"))
	if !ok {
		// RFC 6750, 3.1: who sends nothing is told no more than what to send.
		rc.w.Header().Set("WWW-Authenticate", `Bearer realm="Gatehouse"`)
		return writeJSON(rc, http.StatusUnauthorized, []byte("{}"))
	}
	claims, err := s.store.UserInfo(rc.ctx(), token, rc.now)
	var refusal openid.Refusal
	if errors.As(err, &refusal) {
		rc.w.Header().Set("WWW-Authenticate",
			`Bearer realm="Gatehouse", error="`+string(refusal.Code)+`", error_description="`+refusal.Text+`"`)
		return writeJSON(rc, http.StatusUnauthorized, []byte(`{"error":"`+string(refusal.Code)+`"}`))
	}
	if err != nil {
		return err
	}
	document, err := json.Marshal(claims)
	if err != nil {
		return err
	}
	return writeJSON(rc, http.StatusOK, document)
}

// revokeToken ends an app's own token.
func (s *Server) revokeToken(rc *requestContext) error {
	if _, err := s.issuer(); err != nil {
		return err
	}
	by, err := openid.ReadCredentials(rc.r.Header.Values("Authorization"), rc.r.PostForm)
	if err != nil {
		return err
	}
	token, err := openid.ParseRevoke(rc.r.PostForm)
	if err != nil {
		return err
	}
	if err := s.store.Revoke(rc.ctx(), by, token, rc.client, rc.now); err != nil {
		return err
	}
	return writeJSON(rc, http.StatusOK, []byte("{}"))
}
