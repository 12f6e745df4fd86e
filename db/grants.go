package db

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/openid"
)

// A grant is what somebody's sign-in at an app has led to: a code, then tokens.
type grant struct {
	standing
	connectionRow

	hash            []byte
	signIn          openid.SignIn
	session         sql.NullString // the handle; NULL for offline use
	sessionLive     bool
	redirect        string
	challenge       string
	nonce           string
	scopes          openid.Scopes
	madeAt, usedAt  time.Time
	refresh, former []byte
	refreshedAt     time.Time
}

// grantColumns are what a grant is made of beside its standing and connection; session s is
// the one that must live, if there must be one.
const grantColumns = `gr.id_hash, gr.session_handle, gr.sid, gr.redirect, gr.challenge, gr.nonce, gr.scopes, gr.methods,
	gr.authenticated_at, gr.made_at, gr.used_at, gr.refresh_hash, gr.former_refresh_hash, gr.refreshed_at, s.seen_at, s.started_at`

const grantTables = ` JOIN app a ON a.id = gr.app_id JOIN app_client c ON c.app_id = a.id
	JOIN person p ON p.id = gr.person_id JOIN workspace w ON w.id = 1 `

const grantSelect = `SELECT ` + grantColumns + `, ` + standingColumns + `, ` + connectionColumns

// scanGrant reads the grant that a query finds by a hash, with more columns at its end, or
// returns ErrNotFound.
func (s *Store) scanGrant(q querier, now time.Time, query string, hash []byte, more ...any) (g grant, err error) {
	usedSince, begunSince, err := s.openSince(q, now)
	if err != nil {
		return g, err
	}
	var scopes, methods string
	var authenticated, made, used, refreshed, seen, started sql.NullInt64
	to := []any{&g.hash, &g.session, &g.signIn.Session, &g.redirect, &g.challenge, &g.nonce, &scopes, &methods,
		&authenticated, &made, &used, &g.refresh, &g.former, &refreshed, &seen, &started}
	standing, finishStanding := g.standing.into()
	connection, finishConnection := g.connectionRow.into()
	err = q.row(query, hash).Scan(append(append(append(to, standing...), connection...), more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return g, ErrNotFound
	}
	if err != nil {
		return g, fmt.Errorf("reading a grant: %w", err)
	}
	finishStanding()
	finishConnection()
	g.scopes, g.signIn.Methods, g.signIn.At = openid.ParseScopes(scopes), strings.Fields(methods), instant(authenticated)
	g.madeAt, g.usedAt, g.refreshedAt = instant(made), instant(used), instant(refreshed)
	g.sessionLive = seen.Valid && seen.Int64 > usedSince && started.Int64 > begunSince
	return g, nil
}

// Tokens are what a code or a refresh token was exchanged for.
type Tokens struct {
	Access  string
	Refresh string // "" without offline_access
	Scopes  openid.Scopes
	ID      openid.IDToken // without the issuer
	Key     *openid.Key    // that signs it
}

// The refusals at the token address.
var (
	errCode    = openid.Refusal{Code: openid.InvalidGrant, Text: "the code is unknown, used, expired, or of another request"}
	errRefresh = openid.Refusal{Code: openid.InvalidGrant, Text: "the refresh token is unknown, used, expired, or of another client"}
	errMayNot  = openid.Refusal{Code: openid.InvalidGrant, Text: "this person may not use the app now"}
	errToken   = openid.Refusal{Code: openid.InvalidToken, Text: "the access token is unknown or expired"}
	errScope   = openid.Refusal{Code: openid.InvalidScope, Text: "more was asked for than was granted"}
)

// A tokenStep is one exchange: refused is an answer, and what it changed is kept.
type tokenStep struct {
	tokens  Tokens
	refused error
}

// ExchangeCode exchanges a code for tokens, once. Whoever brings it is the app that it was
// made for, with the redirect address and the verifier of the request; and whom it is about
// may use the app now. A code that is brought a second time ends what came of it. It
// refuses with openid.Refusal, and with Wait for wrong secrets.
func (s *Store) ExchangeCode(ctx context.Context, by openid.Credentials, r openid.TokenRequest, c Client,
	now time.Time) (Tokens, error) {
	var step tokenStep
	err := s.write(ctx, lockGrant(r.Code), func(t *tx) (err error) {
		step = tokenStep{}
		client, err := t.authenticate(by)
		if err != nil {
			return err
		}
		step, err = s.exchangeCode(t, client, r, c, now)
		return err
	})
	return s.finishStep(ctx, step, err, c, now)
}

// finishStep gives the answer of a step at the token address.
func (s *Store) finishStep(ctx context.Context, step tokenStep, err error, c Client, now time.Time) (Tokens, error) {
	if errors.Is(err, errWrongClient) {
		return Tokens{}, s.countWrongClient(ctx, c, now)
	}
	return step.tokens, errors.Join(err, step.refused)
}

func (s *Store) exchangeCode(t *tx, by Connection, r openid.TokenRequest, c Client, now time.Time) (tokenStep, error) {
	g, err := s.scanGrant(t, now, grantSelect+` FROM app_grant gr`+grantTables+`LEFT JOIN session s ON s.handle = gr.session_handle
		WHERE gr.id_hash = $1`, hashToken(r.Code))
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && g.App.ID != by.App.ID:
		return tokenStep{refused: errCode}, nil
	case err != nil:
		return tokenStep{}, err
	case !g.usedAt.IsZero():
		return tokenStep{refused: errCode}, t.endReused(g, "code", c, now)
	case g.madeAt.After(now.Add(time.Minute)) || now.Sub(g.madeAt) >= openid.CodeTTL || !g.sessionLive ||
		r.Redirect != g.redirect || !openid.VerifyPKCE(g.challenge, r.Verifier):
		return tokenStep{refused: errCode}, nil
	case !g.may(g.signIn, now):
		return tokenStep{refused: errMayNot}, t.endGrant(g.hash)
	}
	n, err := t.exec(`UPDATE app_grant SET used_at = $1 WHERE id_hash = $2 AND used_at IS NULL`, unix(now), g.hash)
	if err != nil || n == 0 {
		return tokenStep{refused: errCode}, err
	}
	if err := t.noteConnected(g, now); err != nil {
		return tokenStep{}, err
	}
	tokens, err := s.issueTokens(t, g, g.scopes, g.session, now)
	if err != nil || !g.scopes.Has(openid.ScopeOffline) {
		return tokenStep{tokens: tokens}, err
	}
	family, secret := newRefresh()
	tokens.Refresh = joinRefresh(family, secret)
	return tokenStep{tokens: tokens}, t.execOne(`UPDATE app_grant
		SET session_handle = NULL, family_hash = $1, refresh_hash = $2, refreshed_at = $3 WHERE id_hash = $4`,
		hashToken(family), hashToken(secret), unix(now), g.hash)
}

// Refresh exchanges a refresh token for new tokens and a new refresh token. The one before
// is refused, and when more than a few seconds have passed it ends all that came of the
// sign-in: somebody else has it.
func (s *Store) Refresh(ctx context.Context, by openid.Credentials, r openid.TokenRequest, c Client,
	now time.Time) (Tokens, error) {
	family, secret := splitRefresh(r.Refresh)
	var step tokenStep
	err := s.write(ctx, lockFamily(family), func(t *tx) (err error) {
		step = tokenStep{}
		client, err := t.authenticate(by)
		if err != nil {
			return err
		}
		step, err = s.refresh(t, client, family, secret, r, c, now)
		return err
	})
	return s.finishStep(ctx, step, err, c, now)
}

func (s *Store) refresh(t *tx, by Connection, family, secret string, r openid.TokenRequest, c Client,
	now time.Time) (tokenStep, error) {
	g, err := s.scanGrant(t, now, grantSelect+` FROM app_grant gr`+grantTables+`LEFT JOIN session s ON s.handle = gr.session_handle
		WHERE gr.family_hash = $1`, hashToken(family))
	scopes := g.scopes
	if r.HasScopes {
		scopes = r.Scopes
	}
	given := string(hashToken(secret))
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && g.App.ID != by.App.ID:
		return tokenStep{refused: errRefresh}, nil
	case err != nil:
		return tokenStep{}, err
	case given == string(g.former) && within(now.Sub(g.refreshedAt), openid.RefreshGrace):
		return tokenStep{refused: errRefresh}, nil
	case given != string(g.refresh):
		return tokenStep{refused: errRefresh}, t.endReused(g, "refresh token", c, now)
	case now.Sub(g.refreshedAt) >= openid.RefreshIdle || now.Sub(g.madeAt) >= openid.RefreshMax:
		return tokenStep{refused: errRefresh}, t.endGrant(g.hash)
	case g.App.Paused:
		return tokenStep{refused: errMayNot}, nil
	case !g.may(g.signIn, now):
		return tokenStep{refused: errMayNot}, t.endAt(g.person.ID, g.App.ID)
	case !scopes.Within(g.scopes) || !scopes.Has(openid.ScopeOpenID):
		return tokenStep{refused: errScope}, nil
	}
	_, next := newRefresh()
	n, err := t.exec(`UPDATE app_grant SET refresh_hash = $1, former_refresh_hash = $2, refreshed_at = $3
		WHERE id_hash = $4 AND refresh_hash = $2`, hashToken(next), g.refresh, unix(now), g.hash)
	if err != nil || n == 0 {
		return tokenStep{refused: errRefresh}, err
	}
	g.nonce = "" // it was of the request (OpenID Connect Core, 12.2)
	tokens, err := s.issueTokens(t, g, scopes, sql.NullString{}, now)
	tokens.Refresh = joinRefresh(family, next)
	return tokenStep{tokens: tokens}, err
}

// within reports whether so much has passed, and not more. A clock that was set back a
// little counts as nothing.
func within(passed, limit time.Duration) bool { return passed > -time.Minute && passed <= limit }

// issueTokens makes an access token, and what its ID token says.
func (s *Store) issueTokens(t *tx, g grant, scopes openid.Scopes, session sql.NullString, now time.Time) (Tokens, error) {
	if scopes.Has(openid.ScopeGroups) {
		rows, err := t.rows(groupNames, g.person.ID)
		if err := readGroups(rows, err, &g.standing); err != nil {
			return Tokens{}, err
		}
	}
	key, err := s.signingKey(t, g.Client.Algorithm, now)
	if err != nil {
		return Tokens{}, err
	}
	token := newToken()
	if err := t.execOne(`INSERT INTO access_token (token_hash, grant_hash, session_handle, scopes, expires_at)
		VALUES ($1, $2, $3, $4, $5)`,
		hashToken(token), g.hash, session, scopes.String(), unix(now.Add(openid.AccessTokenTTL))); err != nil {
		return Tokens{}, fmt.Errorf("making an access token: %w", err)
	}
	return Tokens{
		Access: token,
		Scopes: scopes,
		Key:    key,
		ID: openid.IDToken{
			Client:      g.Client.ID,
			Nonce:       g.nonce,
			AccessToken: token,
			User:        g.told.Claims(scopes),
			SignIn:      g.signIn,
		},
	}, nil
}

// endReused ends all that came of a code or refresh token that was brought again.
func (t *tx) endReused(g grant, what string, c Client, now time.Time) error {
	if err := t.endGrant(g.hash); err != nil {
		return err
	}
	_, err := t.appendActivity(now, activityEntry{
		event:   account.TokenReused,
		failed:  true,
		actor:   strangerAt(c.Address),
		subject: g.person.ID,
		detail:  what + " of " + g.App.Name,
	})
	return err
}

// endGrant ends a grant; its tokens go with it.
func (t *tx) endGrant(hash []byte) error {
	_, err := t.exec(`DELETE FROM app_grant WHERE id_hash = $1`, hash)
	return err
}

// UserInfo returns what the app that holds an access token may know of its person now. It
// refuses with openid.Refusal.
func (s *Store) UserInfo(ctx context.Context, token string, now time.Time) (openid.UserClaims, error) {
	var scopes string
	var expires int64
	var bound bool
	g, err := s.scanGrant(reading{s, ctx}, now, grantSelect+`, tok.scopes, tok.expires_at, tok.session_handle IS NOT NULL
		FROM access_token tok JOIN app_grant gr ON gr.id_hash = tok.grant_hash`+grantTables+`
		LEFT JOIN session s ON s.handle = tok.session_handle
		WHERE tok.token_hash = $1`, hashToken(token), &scopes, &expires, &bound)
	if errors.Is(err, ErrNotFound) {
		return openid.UserClaims{}, errToken
	}
	if err != nil {
		return openid.UserClaims{}, err
	}
	left := time.Unix(expires, 0).Sub(now)
	if left <= 0 || left > openid.AccessTokenTTL+time.Minute || bound && !g.sessionLive || !g.App.Connected || !g.may(g.signIn, now) {
		return openid.UserClaims{}, errToken
	}
	granted := openid.ParseScopes(scopes)
	if granted.Has(openid.ScopeGroups) {
		rows, err := s.rows(ctx, groupNames, g.person.ID)
		if err := readGroups(rows, err, &g.standing); err != nil {
			return openid.UserClaims{}, err
		}
	}
	return g.told.Claims(granted), nil
}

// Revoke ends an access token, or a refresh token with all that came of its sign-in, that
// is the app's own. Another's is left alone, and nobody is told the difference (RFC 7009,
// 2.2).
func (s *Store) Revoke(ctx context.Context, by openid.Credentials, token string, c Client, now time.Time) error {
	family, secret := splitRefresh(token)
	err := s.write(ctx, lockFamily(family), func(t *tx) error {
		client, err := t.authenticate(by)
		if err != nil {
			return err
		}
		if family == "" {
			_, err = t.exec(`DELETE FROM access_token WHERE token_hash = $1
				AND grant_hash IN (SELECT id_hash FROM app_grant WHERE app_id = $2)`, hashToken(token), client.App.ID)
			return err
		}
		_, err = t.exec(`DELETE FROM app_grant WHERE family_hash = $1 AND app_id = $2
			AND (refresh_hash = $3 OR former_refresh_hash = $3)`,
			hashToken(family), client.App.ID, hashToken(secret))
		return err
	})
	if errors.Is(err, errWrongClient) {
		return s.countWrongClient(ctx, c, now)
	}
	return err
}

// A refresh token is what all of its family begin with, and what is its own.
const (
	familySize  = 22 // of 128 bits
	refreshSize = familySize + 43
)

func newRefresh() (family, secret string) { return newToken()[:familySize], newToken() }

func joinRefresh(family, secret string) string { return family + secret }

// splitRefresh takes a refresh token apart; both are "" for what can be none.
func splitRefresh(token string) (family, secret string) {
	if len(token) != refreshSize {
		return "", ""
	}
	if _, err := base64.RawURLEncoding.DecodeString(token[familySize:]); err != nil {
		return "", ""
	}
	return token[:familySize], token[familySize:]
}
