package db

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/openid"
)

// NewConnection is how an app is to speak OpenID Connect, as typed.
type NewConnection struct {
	Connected       bool
	Redirects       string // one a line
	LogoutRedirects string // one a line
	Backchannel     string
	Kind            openid.Kind      // "" for openid.Web
	Algorithm       openid.Algorithm // "" for openid.RS256
	PKCE, Ours      bool
	Plain           bool // the portal is served over http, and so may the app be
}

// maxRedirects is how many addresses an app may register.
const maxRedirects = 20

// parse checks what was typed, for an app on a host. It refuses with FieldErrors of
// redirect, logout_redirect, backchannel, kind and algorithm.
func (n NewConnection) parse(host string) (openid.Client, error) {
	c := openid.Client{Kind: n.Kind, Algorithm: n.Algorithm, NoPKCE: !n.PKCE, Ours: n.Ours}
	if c.Kind == "" {
		c.Kind = openid.Web
	}
	if c.Algorithm == "" {
		c.Algorithm = openid.RS256
	}
	var kindErr, algorithmErr, redirectErr, logoutErr, backErr error
	if !c.Kind.Known() {
		kindErr = account.FieldError{Field: "kind", Reason: account.Unknown}
	}
	if !c.Algorithm.Known() {
		algorithmErr = account.FieldError{Field: "algorithm", Reason: account.Unknown}
	}
	c.Redirects, redirectErr = n.parseRedirects("redirect", n.Redirects, c.Kind)
	if redirectErr == nil && n.Connected && len(c.Redirects) == 0 {
		redirectErr = account.FieldError{Field: "redirect", Reason: account.Missing}
	}
	c.LogoutRedirects, logoutErr = n.parseRedirects("logout_redirect", n.LogoutRedirects, c.Kind)
	c.Backchannel, backErr = openid.ParseBackchannel(n.Backchannel, host, n.Plain)
	return c, errors.Join(kindErr, algorithmErr, redirectErr, logoutErr, addressError("backchannel", backErr))
}

func (n NewConnection) parseRedirects(field, typed string, kind openid.Kind) (out []string, err error) {
	for _, one := range strings.Fields(typed) {
		address, err := openid.ParseRedirect(one, kind, n.Plain)
		if err != nil {
			return nil, addressError(field, err)
		}
		out = append(out, address)
	}
	if len(out) > maxRedirects {
		return nil, account.FieldError{Field: field, Reason: account.TooMany, Limit: maxRedirects}
	}
	return out, nil
}

// addressError says of which field the address is, and what is wrong with it.
func addressError(field string, err error) error {
	for reason, is := range map[account.Reason]error{
		account.NotRedirect: openid.ErrAddress,
		account.OverHTTP:    openid.ErrAddressHTTP,
		account.OtherHost:   openid.ErrHost,
	} {
		if errors.Is(err, is) {
			return account.FieldError{Field: field, Reason: reason}
		}
	}
	return err
}

// Version is the version of what the form with the connection shows.
func (c Connection) Version() account.Version {
	return account.HashVersion("app connection", strconv.FormatBool(c.App.Connected), string(c.Client.Kind),
		string(c.Client.Algorithm), lines(c.Client.Redirects), lines(c.Client.LogoutRedirects), c.Client.Backchannel,
		strconv.FormatBool(c.Client.NoPKCE), strconv.FormatBool(c.App.Ours))
}

// ChangeConnection changes whether and how an app speaks OpenID Connect. The first time it
// gives the app an id, and one that keeps a secret its secret, which is shown once. It
// refuses with FieldErrors of redirect, logout_redirect, backchannel, kind and algorithm,
// and with account.ErrOutdated as ChangeApp does. An app that is connected no more loses
// everybody's tokens.
func (s *Store) ChangeConnection(ctx context.Context, id int64, seen account.Seen, n NewConnection, by Author,
	now time.Time) (secret string, err error) {
	err = s.changeApp(ctx, id, by, now, func(t *tx, app apps.App) (string, error) {
		secret = ""
		client, err := n.parse(app.Address.Host)
		if err != nil {
			return "", err
		}
		row, err := scanConnection(t.row(`SELECT `+connectionColumns+` FROM app_client c JOIN app a ON a.id = c.app_id
			WHERE c.app_id = $1`, id))
		isNew := errors.Is(err, ErrNotFound)
		if err != nil && !isNew {
			return "", err
		}
		before := row.Connection
		if isNew {
			before = Connection{App: app, Client: openid.Client{Kind: openid.Web, Algorithm: openid.RS256, Ours: app.Ours}}
		}
		if seen.Outdated(before.Version()) {
			return "", account.ErrOutdated
		}
		after := Connection{App: app, Client: client}
		after.App.Connected, after.App.Ours = n.Connected, n.Ours
		if after.Version() == before.Version() && !isNew || isNew && !n.Connected {
			return "", nil
		}
		if secret, err = t.saveClient(id, row, client, isNew, now); err != nil {
			return "", err
		}
		if !n.Connected {
			if err := t.endApp(id); err != nil {
				return "", err
			}
		}
		what := "connection"
		if n.Connected != app.Connected {
			what = "connected " + onOff(n.Connected)
		}
		return what, t.execOne(`UPDATE app SET connected = $1, ours = $2 WHERE id = $3`, n.Connected, n.Ours, id)
	})
	return secret, err
}

// saveClient stores the connection, with the first secret of an app that keeps one.
func (t *tx) saveClient(id int64, before connectionRow, c openid.Client, isNew bool, now time.Time) (secret string, err error) {
	if isNew {
		if err := t.execOne(`INSERT INTO app_client (app_id, client_id, kind, redirects, logout_redirects, backchannel, algorithm)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			id, strings.ToLower(rand.Text()[:16]), string(c.Kind), "", "", "", string(c.Algorithm)); err != nil {
			return "", fmt.Errorf("connecting an app: %w", err)
		}
	}
	if err := t.execOne(`UPDATE app_client
		SET kind = $1, redirects = $2, logout_redirects = $3, backchannel = $4, no_pkce = $5, algorithm = $6 WHERE app_id = $7`,
		string(c.Kind), lines(c.Redirects), lines(c.LogoutRedirects), c.Backchannel, c.NoPKCE, string(c.Algorithm), id); err != nil {
		return "", err
	}
	switch {
	case c.Kind == openid.Native: // what is on people's devices is no secret
		return "", t.execOne(`UPDATE app_client SET secret_hash = NULL, secret_made_at = NULL, former_secret_hash = NULL
			WHERE app_id = $1`, id)
	case before.secret == nil:
		return t.newSecret(id, now)
	}
	return "", nil
}

// newSecret makes a secret. The one before works until the next is made.
func (t *tx) newSecret(id int64, now time.Time) (secret string, err error) {
	secret = newToken()
	return secret, t.execOne(`UPDATE app_client
		SET former_secret_hash = secret_hash, secret_hash = $1, secret_made_at = $2 WHERE app_id = $3`,
		hashToken(secret), unix(now), id)
}

// NewAppSecret makes another secret for a connected app, to be shown once. It returns
// ErrNotFound for an app that has none.
func (s *Store) NewAppSecret(ctx context.Context, id int64, by Author, now time.Time) (secret string, err error) {
	err = s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		r, err := scanConnection(t.row(`SELECT `+connectionColumns+` FROM app_client c JOIN app a ON a.id = c.app_id
			WHERE c.app_id = $1`, id))
		if err != nil {
			return err
		}
		if r.Client.Kind == openid.Native {
			return ErrNotFound
		}
		if secret, err = t.newSecret(id, now); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{event: account.AppSecretMade, actor: by.Actor, detail: r.App.Name})
		return err
	})
	return secret, err
}

// AddRedirect registers one more address of an app, which had come and was refused. It
// refuses with FieldErrors of redirect.
func (s *Store) AddRedirect(ctx context.Context, id int64, typed string, plain bool, by Author, now time.Time) error {
	return s.changeApp(ctx, id, by, now, func(t *tx, app apps.App) (string, error) {
		r, err := scanConnection(t.row(`SELECT `+connectionColumns+` FROM app_client c JOIN app a ON a.id = c.app_id
			WHERE c.app_id = $1`, id))
		if err != nil {
			return "", err
		}
		address, err := openid.ParseRedirect(typed, r.Client.Kind, plain)
		switch {
		case err != nil:
			return "", addressError("redirect", err)
		case r.Client.AllowsRedirect(address):
			return "", nil
		case len(r.Client.Redirects) >= maxRedirects:
			return "", account.FieldError{Field: "redirect", Reason: account.TooMany, Limit: maxRedirects}
		}
		return "redirect address " + address, t.execOne(`UPDATE app_client SET redirects = $1 WHERE app_id = $2`,
			lines(append(r.Client.Redirects, address)), id)
	})
}
