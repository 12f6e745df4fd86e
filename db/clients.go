package db

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/apps"
	"gatehouse/openid"
	"gatehouse/twofactor"
)

// A Connection is an app as it speaks OpenID Connect.
type Connection struct {
	App    apps.App // without its access
	Client openid.Client

	SecretMadeAt time.Time // zero for an app without a secret
	TwoSecrets   bool      // the one before works, too
}

// connectionColumns are what scanConnection reads: of app a and app_client c.
const connectionColumns = `a.id, a.slug, a.name, a.scheme, a.host, a.port, a.mark, a.icon, a.connected, a.ours, a.paused,
	c.client_id, c.kind, c.redirects, c.logout_redirects, c.backchannel, c.no_pkce, c.algorithm,
	c.secret_hash, c.secret_made_at, c.former_secret_hash`

// connectionRow reads those columns, and the hashes of the secrets beside them.
type connectionRow struct {
	Connection
	secret, former []byte
}

// into returns where the columns are read to, and what puts the rest in its place then.
func (r *connectionRow) into() (to []any, finish func()) {
	var redirects, logout string
	var made sql.NullInt64
	a, c := &r.App, &r.Client
	to = []any{&a.ID, &a.Slug, &a.Name, &a.Address.Scheme, &a.Address.Host, &a.Address.Port, &a.Mark, &a.Icon, &a.Connected,
		&a.Ours, &a.Paused, &c.ID, &c.Kind, &redirects, &logout, &c.Backchannel, &c.NoPKCE, &c.Algorithm,
		&r.secret, &made, &r.former}
	return to, func() {
		c.Redirects, c.LogoutRedirects, c.Ours = strings.Fields(redirects), strings.Fields(logout), a.Ours
		r.SecretMadeAt, r.TwoSecrets = instant(made), r.former != nil
	}
}

// ConnectionByClient finds the connected app that a client id names, or returns ErrNotFound.
func (s *Store) ConnectionByClient(ctx context.Context, client string) (Connection, error) {
	r, err := scanConnection(s.row(ctx, `SELECT `+connectionColumns+` FROM app_client c JOIN app a ON a.id = c.app_id
		WHERE c.client_id = $1 AND a.connected = TRUE`, client))
	return r.Connection, err
}

// ConnectionOf finds how an app speaks OpenID Connect, connected now or not, or returns
// ErrNotFound for one that never did.
func (s *Store) ConnectionOf(ctx context.Context, app int64) (Connection, error) {
	r, err := scanConnection(s.row(ctx, `SELECT `+connectionColumns+` FROM app_client c JOIN app a ON a.id = c.app_id
		WHERE c.app_id = $1`, app))
	return r.Connection, err
}

func scanConnection(from row) (r connectionRow, err error) {
	to, finish := r.into()
	err = from.Scan(to...)
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNotFound
	}
	if err != nil {
		return r, fmt.Errorf("reading a connected app: %w", err)
	}
	finish()
	return r, nil
}

// errWrongClient refuses an app that does not show that it is the one that it names.
var errWrongClient = openid.Refusal{Code: openid.InvalidClient, Text: "the client is unknown, or its secret is wrong"}

// authenticate finds the connected app that the credentials are of, or refuses with
// errWrongClient, alike for one that does not exist.
func (t *tx) authenticate(c openid.Credentials) (Connection, error) {
	given := hashToken(c.Secret)
	r, err := scanConnection(t.row(`SELECT `+connectionColumns+` FROM app_client c JOIN app a ON a.id = c.app_id
		WHERE c.client_id = $1 AND a.connected = TRUE`, c.ID))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return r.Connection, err
	}
	right := subtle.ConstantTimeCompare(given, r.secret)|subtle.ConstantTimeCompare(given, r.former) == 1
	if r.Client.Kind == openid.Native {
		right = c.Secret == ""
	}
	if err != nil || !right {
		return r.Connection, errWrongClient
	}
	return r.Connection, nil
}

// countWrongClient counts a wrong secret against the address that it came from. It returns
// errWrongClient, or Wait.
func (s *Store) countWrongClient(ctx context.Context, c Client, now time.Time) error {
	err := s.write(ctx, lockAttempts(c.Address), func(t *tx) error { return t.countAddressAttempt(c.Address, now) })
	if err != nil {
		return err
	}
	return errWrongClient
}

// A standing is somebody at an app: what decides whether they may open it, and what the app
// may learn of them.
type standing struct {
	app        apps.App
	person     apps.Person
	mustEnroll bool // the policy asks for a factor that they do not have

	told openid.Person // without the groups
}

// standingColumns are what a standing is made of: of person p, app a and workspace w. The
// ways in are looked at here, so that nobody's groups are read for a yes or no.
const standingColumns = `a.id, a.name, a.paused, a.second_step, a.fresh_minutes, ` + mayOpen + `,
	p.id, p.role, p.active, p.enrolled, p.password_hash = '', p.sub, p.name, p.user_name, p.email,
	w.require_everyone, w.require_admins`

// mayOpen is whether person p is among those who may open app a.
const mayOpen = `(a.everyone = TRUE
	OR EXISTS (SELECT 1 FROM app_role ar WHERE ar.app_id = a.id AND ar.role = p.role)
	OR EXISTS (SELECT 1 FROM app_person ap WHERE ap.app_id = a.id AND ap.person_id = p.id)
	OR EXISTS (SELECT 1 FROM group_member gm JOIN app_group ag ON ag.group_id = gm.group_id
		WHERE gm.person_id = p.id AND ag.app_id = a.id))`

func (s *standing) into() (to []any, finish func()) {
	var policy twofactor.Policy
	a, p := &s.app, &s.person
	to = []any{&a.ID, &a.Name, &a.Paused, &a.Access.SecondStep, &a.Access.FreshMinutes, &a.Access.Everyone,
		&p.ID, &p.Role, &p.Active, &p.Factor, &p.Invited, &s.told.Subject, &s.told.Name, &s.told.UserName, &s.told.Email,
		&policy.Everyone, &policy.Admins}
	return to, func() {
		s.mustEnroll = policy.Requires(p.Role) && !p.Factor
	}
}

// may reports whether an app may learn of somebody who has signed in like that.
func (s standing) may(signIn openid.SignIn, now time.Time) bool {
	proof := apps.Proof{SecondStep: signIn.Level() == openid.AAL2, AuthenticatedAt: signIn.At}
	return !s.mustEnroll && s.app.Answer(s.person, proof, now) == apps.May
}

// groupNames are the names of somebody's groups.
const groupNames = `SELECT g.name FROM group_member m JOIN people_group g ON g.id = m.group_id WHERE m.person_id = $1`

// readGroups completes what an app may learn, where the scopes let it see groups.
func readGroups(rows *sql.Rows, err error, st *standing) error {
	if err != nil {
		return fmt.Errorf("reading groups: %w", err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return fmt.Errorf("reading groups: %w", err)
		}
		names = append(names, name)
	}
	st.told.Groups = apps.HeaderGroups(st.person.Role, names)
	return rows.Err()
}
