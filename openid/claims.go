package openid

import (
	"encoding/json"
	"slices"
	"time"
)

// How long what is handed out is worth something.
const (
	CodeTTL        = time.Minute
	AccessTokenTTL = 10 * time.Minute
	IDTokenTTL     = 10 * time.Minute
	LogoutTokenTTL = 2 * time.Minute

	RefreshIdle  = 30 * 24 * time.Hour // since the last use
	RefreshMax   = 90 * 24 * time.Hour // since the sign-in
	RefreshGrace = 10 * time.Second    // in which the one before is refused and nothing else
)

// A Person is what apps may learn of somebody.
type Person struct {
	Subject  string // constant, random
	Name     string
	UserName string
	Email    string
	Groups   []string
}

// UserClaims are a person's claims by the scopes that were granted: the same in an ID
// token and at userinfo.
type UserClaims struct {
	Subject       string   `json:"sub"`
	Name          string   `json:"name,omitempty"`
	UserName      string   `json:"preferred_username,omitempty"`
	Email         string   `json:"email,omitempty"`
	EmailVerified bool     `json:"email_verified,omitempty"` // only admins change addresses
	Groups        []string `json:"groups,omitempty"`
}

// Claims returns the claims that the scopes let an app see.
func (p Person) Claims(scopes Scopes) UserClaims {
	c := UserClaims{Subject: p.Subject}
	if scopes.Has(ScopeProfile) {
		c.Name, c.UserName = p.Name, p.UserName
	}
	if scopes.Has(ScopeEmail) {
		c.Email, c.EmailVerified = p.Email, true
	}
	if scopes.Has(ScopeGroups) {
		c.Groups = p.Groups
	}
	return c
}

// The levels of a sign-in, as apps ask for them and are told: two factors, or one (NIST
// SP 800-63B-4, 2.2).
const (
	AAL1 = "aal1"
	AAL2 = "aal2"
)

// A SignIn is how somebody has proved who they are.
type SignIn struct {
	Session string    // names the session, in a token's sid
	At      time.Time // when the password or a verified passkey was last given
	Methods []string  // RFC 8176's words
}

// Level returns the level of a sign-in.
func (s SignIn) Level() string {
	if slices.Contains(s.Methods, "mfa") {
		return AAL2
	}
	return AAL1
}

// An IDToken tells an app who has signed in, and how.
type IDToken struct {
	Issuer      string
	Client      string // the only audience
	Nonce       string // the request's; none after a refresh
	AccessToken string // the one that comes with it
	User        UserClaims
	SignIn      SignIn
}

type idTokenClaims struct {
	Issuer   string   `json:"iss"`
	Audience string   `json:"aud"`
	Expires  int64    `json:"exp"`
	IssuedAt int64    `json:"iat"`
	AuthTime int64    `json:"auth_time"`
	Nonce    string   `json:"nonce,omitempty"`
	AtHash   string   `json:"at_hash"`
	Methods  []string `json:"amr"`
	Level    string   `json:"acr"`
	Session  string   `json:"sid"`
	UserClaims
}

// SignIDToken signs an ID token.
func (k *Key) SignIDToken(t IDToken, now time.Time) (string, error) {
	return k.sign(idTokenType, idTokenClaims{
		Issuer:     t.Issuer,
		Audience:   t.Client,
		Expires:    now.Add(IDTokenTTL).Unix(),
		IssuedAt:   now.Unix(),
		AuthTime:   t.SignIn.At.Unix(),
		Nonce:      t.Nonce,
		AtHash:     AccessTokenHash(t.AccessToken),
		Methods:    t.SignIn.Methods,
		Level:      t.SignIn.Level(),
		Session:    t.SignIn.Session,
		UserClaims: t.User,
	})
}

// A Hint is what an ID token of ours says that an app sends back.
type Hint struct {
	Subject string
	Session string
	Client  string
}

// ReadHint reads an ID token that one of the public keys has signed. It may have expired:
// apps keep it for the sign-out.
func ReadHint(token, issuer string, public [][]byte) (Hint, error) {
	payload, err := verify(token, public)
	if err != nil {
		return Hint{}, err
	}
	var c struct {
		idTokenClaims
		Events json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(payload, &c); err != nil || c.Issuer != issuer || c.Events != nil ||
		c.Subject == "" || c.Session == "" {
		return Hint{}, errNotOurs
	}
	return Hint{Subject: c.Subject, Session: c.Session, Client: c.Audience}, nil
}

// A LogoutToken tells an app that a session has ended (Back-Channel Logout 1.0, 2.4).
type LogoutToken struct {
	ID      string // random; an app takes each once
	Issuer  string
	Client  string
	Subject string
	Session string
}

// backchannelEvent is the member of events that makes a token a logout token.
const backchannelEvent = "http://schemas.openid.net/event/backchannel-logout"

// SignLogoutToken signs a logout token.
func (k *Key) SignLogoutToken(t LogoutToken, now time.Time) (string, error) {
	return k.sign(logoutTokenType, struct {
		Issuer   string              `json:"iss"`
		Subject  string              `json:"sub"`
		Audience string              `json:"aud"`
		IssuedAt int64               `json:"iat"`
		Expires  int64               `json:"exp"`
		ID       string              `json:"jti"`
		Session  string              `json:"sid"`
		Events   map[string]struct{} `json:"events"`
	}{
		Issuer:   t.Issuer,
		Subject:  t.Subject,
		Audience: t.Client,
		IssuedAt: now.Unix(),
		Expires:  now.Add(LogoutTokenTTL).Unix(),
		ID:       t.ID,
		Session:  t.Session,
		Events:   map[string]struct{}{backchannelEvent: {}},
	})
}
