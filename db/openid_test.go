package db_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/openid"
	"gatehouse/twofactor"
)

// The challenge and verifier of RFC 7636, appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// A connectedApp is an app that speaks OpenID Connect, in a workspace with people.
type connectedApp struct {
	t      *testing.T
	store  *db.Store
	id     int64
	secret string
	db.Connection
}

// aConnection is how an app is connected that everybody may open.
func aConnection(name string) db.NewConnection {
	host := "https://" + strings.ToLower(name) + ".example.org"
	return db.NewConnection{
		Connected:       true,
		Redirects:       host + "/cb",
		LogoutRedirects: host + "/bye",
		Backchannel:     host + "/backchannel",
		Algorithm:       openid.ES256, // its keys are made faster
		PKCE:            true,
		Ours:            true,
	}
}

func connect(t *testing.T, store *db.Store, name string, change ...func(*db.NewApp, *db.NewConnection)) *connectedApp {
	t.Helper()
	n, c := anApp(name), aConnection(name)
	for _, f := range change {
		f(&n, &c)
	}
	a := &connectedApp{t: t, store: store, id: addApp(t, store, n)}
	var err error
	if a.secret, err = store.ChangeConnection(ctx, a.id, account.Seen{}, c, byMachine, start); err != nil {
		t.Fatal(err)
	}
	if _, err = store.MakeSigningKeys(ctx, start); err != nil {
		t.Fatal(err)
	}
	if a.Connection, err = store.ConnectionOf(ctx, a.id); err != nil {
		t.Fatal(err)
	}
	return a
}

var byMachine = db.Machine("root").Author()

func (a *connectedApp) credentials() openid.Credentials {
	return openid.Credentials{ID: a.Client.ID, Secret: a.secret}
}

func (a *connectedApp) request(scope string) openid.AuthorizeRequest {
	return openid.AuthorizeRequest{
		Redirect:  a.Client.Redirects[0],
		Scopes:    openid.ParseScopes(scope),
		Nonce:     "n1",
		Challenge: challenge,
	}
}

// code signs a visitor in at the app.
func (a *connectedApp) code(v db.Visitor, scope string, now time.Time) string {
	a.t.Helper()
	code, err := a.store.Authorize(ctx, v, a.id, a.request(scope), db.Client{}, now)
	if err != nil {
		a.t.Fatal(err)
	}
	return code
}

func (a *connectedApp) exchange(code string, now time.Time) (db.Tokens, error) {
	return a.store.ExchangeCode(ctx, a.credentials(), openid.TokenRequest{
		Code: code, Redirect: a.Client.Redirects[0], Verifier: verifier,
	}, db.Client{Address: "192.0.2.1"}, now)
}

func (a *connectedApp) tokens(v db.Visitor, scope string, now time.Time) db.Tokens {
	a.t.Helper()
	tokens, err := a.exchange(a.code(v, scope, now), now)
	if err != nil {
		a.t.Fatal(err)
	}
	return tokens
}

func (a *connectedApp) refresh(token string, now time.Time) (db.Tokens, error) {
	return a.store.Refresh(ctx, a.credentials(), openid.TokenRequest{Refresh: token}, db.Client{Address: "192.0.2.1"}, now)
}

// isRefused reports whether an error is the protocol's refusal by a code.
func isRefused(err error, code openid.Code) bool {
	var refusal openid.Refusal
	return errors.As(err, &refusal) && refusal.Code == code
}

func (a *connectedApp) wantUserInfo(token string, now time.Time, want bool) {
	a.t.Helper()
	_, err := a.store.UserInfo(ctx, token, now)
	if want && err != nil || !want && !isRefused(err, openid.InvalidToken) {
		a.t.Errorf("userinfo: %v; want it answered: %v", err, want)
	}
}

func (a *connectedApp) wantRefresh(token string, now time.Time, want bool) (next string) {
	a.t.Helper()
	tokens, err := a.refresh(token, now)
	if want && err != nil || !want && !isRefused(err, openid.InvalidGrant) {
		a.t.Errorf("refresh: %v; want it answered: %v", err, want)
	}
	return tokens.Refresh
}

// due are the apps to be told of a sign-out, as "host sid".
func dueLogouts(t *testing.T, store *db.Store, now time.Time) (out []string) {
	t.Helper()
	due, err := store.DueLogouts(ctx, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range due {
		out = append(out, l.Host+" "+l.Session)
	}
	slices.Sort(out)
	return out
}

// TestCodeIsBound: tinyauth GHSA-xg2q-62g2-cvcm, ZITADEL GHSA-xqxv-4jc2-x56x. A code is the
// client's, the redirect address's and the verifier's.
func TestCodeIsBound(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	a, other := connect(t, store, "Grafana"), connect(t, store, "Gitea")
	noPKCE := connect(t, store, "Miniflux", func(_ *db.NewApp, c *db.NewConnection) { c.PKCE = false })
	v := signIn(t, store, "ada@example.org", start)
	right := openid.TokenRequest{Redirect: a.Client.Redirects[0], Verifier: verifier}
	for _, c := range []struct {
		name   string
		by     openid.Credentials
		change func(*openid.TokenRequest)
		now    time.Time
		code   openid.Code
	}{
		{"another client", other.credentials(), func(*openid.TokenRequest) {}, start, openid.InvalidGrant},
		{"another redirect address", a.credentials(), func(r *openid.TokenRequest) { r.Redirect += "/" }, start, openid.InvalidGrant},
		{"no redirect address", a.credentials(), func(r *openid.TokenRequest) { r.Redirect = "" }, start, openid.InvalidGrant},
		{"verifier left out", a.credentials(), func(r *openid.TokenRequest) { r.Verifier = "" }, start, openid.InvalidGrant},
		{"another verifier", a.credentials(), func(r *openid.TokenRequest) { r.Verifier = strings.Repeat("a", 43) }, start, openid.InvalidGrant},
		{"the challenge as plain verifier", a.credentials(), func(r *openid.TokenRequest) { r.Verifier = challenge }, start, openid.InvalidGrant},
		{"another code", a.credentials(), func(r *openid.TokenRequest) { r.Code = "x" + r.Code[1:] }, start, openid.InvalidGrant},
		{"after a minute", a.credentials(), func(*openid.TokenRequest) {}, start.Add(openid.CodeTTL), openid.InvalidGrant},
		{"a wrong secret", openid.Credentials{ID: a.Client.ID, Secret: "x"}, func(*openid.TokenRequest) {}, start, openid.InvalidClient},
		{"no secret", openid.Credentials{ID: a.Client.ID}, func(*openid.TokenRequest) {}, start, openid.InvalidClient},
		{"an unknown client", openid.Credentials{ID: "x", Secret: a.secret}, func(*openid.TokenRequest) {}, start, openid.InvalidClient},
		{"right", a.credentials(), func(*openid.TokenRequest) {}, start.Add(openid.CodeTTL - time.Second), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := right
			r.Code = a.code(v, "openid", start)
			c.change(&r)
			_, err := store.ExchangeCode(ctx, c.by, r, db.Client{Address: "192.0.2.8"}, c.now)
			if c.code == "" && err != nil || c.code != "" && !isRefused(err, c.code) {
				t.Errorf("got %v; want %q", err, c.code)
			}
		})
	}
	t.Run("a verifier added where no challenge was sent", func(t *testing.T) {
		request := noPKCE.request("openid")
		request.Challenge = ""
		code, err := store.Authorize(ctx, v, noPKCE.id, request, db.Client{}, start)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := noPKCE.exchange(code, start); !isRefused(err, openid.InvalidGrant) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the session has ended", func(t *testing.T) {
		code := a.code(v, "openid offline_access", start)
		if err := store.EndSession(ctx, v, db.Client{}, start); err != nil {
			t.Fatal(err)
		}
		if _, err := a.exchange(code, start); !isRefused(err, openid.InvalidGrant) {
			t.Errorf("got %v", err)
		}
	})
}

// TestWrongSecretsAreCounted: per address, alike for a client that does not exist, and a
// right secret is never kept waiting.
func TestWrongSecretsAreCounted(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	a := connect(t, store, "Grafana")
	var wait twofactor.Wait
	for _, id := range []string{a.Client.ID, "nobody"} {
		c := db.Client{Address: "192.0.2." + map[string]string{"nobody": "1"}[id] + "7"}
		for i := range 21 {
			err := store.Revoke(ctx, openid.Credentials{ID: id, Secret: "wrong"}, "x", c, start)
			if i < 20 && !isRefused(err, openid.InvalidClient) || i == 20 && !errors.As(err, &wait) {
				t.Fatalf("%s, try %d: %v", id, i+1, err)
			}
		}
		if err := store.Revoke(ctx, a.credentials(), "x", c, start); err != nil {
			t.Errorf("a right secret: %v", err)
		}
	}
}

// TestCodeTwice: the second use is refused, ends the tokens of the first, and stands in the
// activity.
func TestCodeTwice(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	a := connect(t, store, "Grafana")
	v := signIn(t, store, "ada@example.org", start)
	code := a.code(v, "openid offline_access", start)
	tokens, err := a.exchange(code, start)
	if err != nil {
		t.Fatal(err)
	}
	a.wantUserInfo(tokens.Access, start, true)
	if _, err := a.exchange(code, start.Add(time.Second)); !isRefused(err, openid.InvalidGrant) {
		t.Errorf("the second use: %v", err)
	}
	a.wantUserInfo(tokens.Access, start, false)
	a.wantRefresh(tokens.Refresh, start, false)
	if got := eventsOf(t, store, "authn_token_reuse"); len(got) != 1 {
		t.Errorf("the activity tells %q", got)
	}
}

// TestOneWinner: of 32 at once with one code, and with one refresh token, exactly one gets
// tokens. Those of the code have ended when all are answered.
func TestOneWinner(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	a := connect(t, store, "Grafana")
	v := signIn(t, store, "ada@example.org", start)
	race := func(what string, do func() (db.Tokens, error)) (of db.Tokens) {
		t.Helper()
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 32 {
			wg.Go(func() {
				tokens, err := do()
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won, of = won+1, tokens
				} else if !isRefused(err, openid.InvalidGrant) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d of 32 exchanged one %s", won, what)
		}
		return of
	}
	code := a.code(v, "openid", start)
	won := race("code", func() (db.Tokens, error) { return a.exchange(code, start) })
	a.wantUserInfo(won.Access, start, false) // a code that came twice ends what came of it
	if got := eventsOf(t, store, "authn_token_reuse"); len(got) != 1 {
		t.Errorf("the activity tells %q", got)
	}
	tokens := a.tokens(v, "openid offline_access", start)
	won = race("refresh token", func() (db.Tokens, error) { return a.refresh(tokens.Refresh, start) })
	a.wantUserInfo(won.Access, start, true) // a request that was sent twice ends nothing
	a.wantRefresh(won.Refresh, start, true)
}

// TestRefreshRotates: each token once; the one before is refused, and later ends the family.
func TestRefreshRotates(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	a, other := connect(t, store, "Grafana"), connect(t, store, "Gitea")
	v := signIn(t, store, "ada@example.org", start)
	if plain := a.tokens(v, "openid", start); plain.Refresh != "" {
		t.Error("a refresh token without offline_access")
	}
	first := a.tokens(v, "openid email offline_access", start)
	if first.ID.Nonce != "n1" || first.ID.SignIn.Session != v.Handle {
		t.Errorf("the first ID token: %+v", first.ID)
	}
	at := start.Add(time.Hour)
	second, err := a.refresh(first.Refresh, at)
	if err != nil {
		t.Fatal(err)
	}
	if second.ID.Nonce != "" || second.ID.SignIn.Session != v.Handle || !second.ID.SignIn.At.Equal(first.ID.SignIn.At) ||
		second.ID.User.Email != first.ID.User.Email || second.ID.User.Subject != first.ID.User.Subject {
		t.Errorf("the ID token after a refresh: %+v", second.ID)
	}
	a.wantUserInfo(second.Access, at, true)
	a.wantRefresh(first.Refresh, at.Add(9*time.Second), false) // a request that was sent twice
	if _, err := store.Refresh(ctx, other.credentials(), openid.TokenRequest{Refresh: second.Refresh}, db.Client{}, at); !isRefused(err, openid.InvalidGrant) {
		t.Errorf("another client: %v", err)
	}
	third := a.wantRefresh(second.Refresh, at.Add(20*time.Second), true)
	a.wantRefresh(first.Refresh, at.Add(21*time.Second), false) // older than the one before
	a.wantRefresh(third, at.Add(22*time.Second), false)
	a.wantUserInfo(second.Access, at.Add(22*time.Second), false)
	fourth := a.tokens(v, "openid offline_access", start)
	fifth := a.wantRefresh(fourth.Refresh, at, true)
	a.wantRefresh(fourth.Refresh, at.Add(11*time.Second), false) // after the grace
	a.wantRefresh(fifth, at.Add(12*time.Second), false)
	if got := eventsOf(t, store, "authn_token_reuse"); len(got) != 2 {
		t.Errorf("the activity tells %q", got)
	}
	for _, token := range []string{"", "x", strings.Repeat("a", 65), strings.Repeat("!", 65), fifth[:64] + "A"} {
		a.wantRefresh(token, at, false)
	}
}

// TestRefreshTellsWhatCountsNow: a new name, address, role and group stand in the next ID token and at userinfo, and
// nothing that was not granted.
func TestRefreshTellsWhatCountsNow(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	id := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	a := connect(t, store, "Grafana")
	tokens := a.tokens(signIn(t, store, "ada@example.org", start), "openid groups offline_access", start)
	group, err := store.AddGroup(ctx, "staff", byMachine, start)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.ChangeGroupMembers(ctx, group, db.GroupChange{Add: []string{"ada@example.org"}}, byMachine, start); err != nil {
		t.Fatal(err)
	}
	info, err := store.UserInfo(ctx, tokens.Access, start)
	if err != nil || !slices.Contains(info.Groups, "staff") || info.Email != "" || info.Name != "" {
		t.Errorf("%+v, %v", info, err)
	}
	next, err := a.refresh(tokens.Refresh, start)
	if err != nil || !slices.Contains(next.ID.User.Groups, "staff") || next.ID.User.Email != "" || next.ID.User.Subject != info.Subject {
		t.Errorf("%+v, %v", next.ID.User, err)
	}
	// Another role is another person to apps: whatever they held ends.
	if err := store.SetRole(ctx, id, twofactor.Administrator, byMachine, start); err != nil {
		t.Fatal(err)
	}
	a.wantRefresh(next.Refresh, start, false)
}

func TestRefreshScopes(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	a := connect(t, store, "Grafana")
	v := signIn(t, store, "ada@example.org", start)
	tokens := a.tokens(v, "openid email offline_access", start)
	ask := func(scope string) (db.Tokens, error) {
		got, err := store.Refresh(ctx, a.credentials(), openid.TokenRequest{
			Refresh: tokens.Refresh, Scopes: openid.ParseScopes(scope), HasScopes: true,
		}, db.Client{}, start)
		if err == nil {
			tokens = got
		}
		return got, err
	}
	if _, err := ask("openid groups"); !isRefused(err, openid.InvalidScope) {
		t.Errorf("more than was granted: %v", err)
	}
	narrow, err := ask("openid")
	if err != nil {
		t.Fatal(err)
	}
	info, err := store.UserInfo(ctx, narrow.Access, start)
	if err != nil || info.Email != "" || narrow.ID.User.Email != "" {
		t.Errorf("less than was granted: %+v, %v", info, err)
	}
	wide, err := ask("openid email")
	if err != nil || wide.ID.User.Email != "ada@example.org" {
		t.Errorf("all again: %+v, %v", wide.ID.User, err)
	}
}

// TestRefreshTokensEnd: Pocket ID CVE-2026-43983, ZITADEL CVE-2023-22492, Authelia
// GHSA-x883-2vmg-xwf7. What ends the access ends the tokens, whoever has them, and the app
// is told.
func TestRefreshTokensEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		end    func(*connectedApp, db.Visitor, int64) error
		after  time.Duration
		kept   bool // the refresh token
		access bool // the access token
		told   bool
	}{
		{"nothing", func(*connectedApp, db.Visitor, int64) error { return nil }, 0, true, true, false},
		{"signed out: offline tokens stay", func(a *connectedApp, v db.Visitor, _ int64) error {
			return a.store.EndSession(ctx, v, db.Client{}, start)
		}, 0, true, false, true},
		{"deactivated", func(a *connectedApp, _ db.Visitor, id int64) error {
			return a.store.SetActive(ctx, id, false, byMachine, start)
		}, 0, false, false, true},
		{"removed", func(a *connectedApp, _ db.Visitor, id int64) error {
			return a.store.RemovePerson(ctx, id, byMachine, start)
		}, 0, false, false, true},
		{"all sessions ended", func(a *connectedApp, _ db.Visitor, id int64) error {
			return a.store.EndSessionsOf(ctx, id, byMachine, start)
		}, 0, false, false, true},
		{"all other sessions ended", func(a *connectedApp, v db.Visitor, _ int64) error {
			return a.store.EndOtherSessions(ctx, v, db.Client{}, start)
		}, 0, false, false, false},
		{"the password changed", func(a *connectedApp, v db.Visitor, _ int64) error {
			_, err := a.store.ChangePassword(ctx, v, dbtest.Password, dbtest.Password+"!", db.Client{}, start)
			return err
		}, 0, false, false, false},
		{"the password set on the machine", func(a *connectedApp, _ db.Visitor, id int64) error {
			return a.store.SetPassword(ctx, id, dbtest.Password+"!", db.Machine("root").Author(), start)
		}, 0, false, false, true},
		{"made an admin", func(a *connectedApp, _ db.Visitor, id int64) error {
			return a.store.SetRole(ctx, id, twofactor.Administrator, byMachine, start)
		}, 0, false, false, true},
		{"access taken away", func(a *connectedApp, _ db.Visitor, _ int64) error {
			return a.store.ChangeAppAccess(ctx, a.id, account.Seen{}, db.AppAccess{Roles: []string{"administrator"}}, byMachine, start)
		}, 0, false, false, true},
		{"access kept in another way", func(a *connectedApp, _ db.Visitor, _ int64) error {
			return a.store.ChangeAppAccess(ctx, a.id, account.Seen{}, db.AppAccess{People: []string{"ada@example.org"}}, byMachine, start)
		}, 0, true, true, false},
		{"taken out of the group", func(a *connectedApp, _ db.Visitor, _ int64) error {
			g, err := a.store.AddGroup(ctx, "staff", byMachine, start)
			if err != nil {
				return err
			}
			in, out := db.GroupChange{Add: []string{"ada@example.org"}}, db.GroupChange{Remove: []string{"ada@example.org"}}
			return errors.Join(
				a.store.ChangeGroupMembers(ctx, g, in, byMachine, start),
				a.store.ChangeAppAccess(ctx, a.id, account.Seen{}, db.AppAccess{Groups: []string{"staff"}}, byMachine, start),
				a.store.ChangeGroupMembers(ctx, g, out, byMachine, start))
		}, 0, false, false, true},
		{"a second step is required, which was not shown", func(a *connectedApp, _ db.Visitor, _ int64) error {
			return a.store.ChangeAppAccess(ctx, a.id, account.Seen{}, db.AppAccess{Everyone: true, SecondStep: true}, byMachine, start)
		}, 0, false, false, true},
		{"the policy asks for a factor", func(a *connectedApp, _ db.Visitor, _ int64) error {
			return a.store.SetPolicy(ctx, twofactor.Policy{Everyone: true}, byMachine, start)
		}, 0, false, false, true},
		{"a fresh sign-in is required, and this one is old", func(a *connectedApp, _ db.Visitor, _ int64) error {
			return a.store.ChangeAppAccess(ctx, a.id, account.Seen{}, db.AppAccess{Everyone: true, FreshMinutes: "5"}, byMachine, start)
		}, 6 * time.Minute, false, false, true},
		{"the app is paused", func(a *connectedApp, _ db.Visitor, _ int64) error {
			return a.store.PauseApp(ctx, a.id, true, byMachine, start)
		}, 0, false, false, false},
		{"the app is connected no more", func(a *connectedApp, _ db.Visitor, _ int64) error {
			c := aConnection("Grafana")
			c.Connected = false
			_, err := a.store.ChangeConnection(ctx, a.id, account.Seen{}, c, byMachine, start)
			return err
		}, 0, false, false, true},
		{"the person ends it", func(a *connectedApp, v db.Visitor, _ int64) error {
			return a.store.EndConnectedApp(ctx, v, a.id, db.Client{}, start)
		}, 0, false, false, true},
		{"the app revokes the refresh token", func(*connectedApp, db.Visitor, int64) error { return nil }, 0, false, false, false},
		{"ten minutes later", func(*connectedApp, db.Visitor, int64) error { return nil }, openid.AccessTokenTTL, true, false, false},
		{"30 days later", func(*connectedApp, db.Visitor, int64) error { return nil }, openid.RefreshIdle, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := dbtest.Open(t)
			id := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
			a := connect(t, store, "Grafana")
			v := signIn(t, store, "ada@example.org", start)
			tokens := a.tokens(v, "openid offline_access", start)
			if err := c.end(a, v, id); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(c.name, "revokes") {
				if err := store.Revoke(ctx, a.credentials(), tokens.Refresh, db.Client{}, start); err != nil {
					t.Fatal(err)
				}
			}
			at := start.Add(c.after)
			a.wantUserInfo(tokens.Access, at, c.access)
			got, err := a.refresh(tokens.Refresh, at)
			if c.kept && err != nil || !c.kept && !isRefused(err, openid.InvalidGrant) && !isRefused(err, openid.InvalidClient) {
				t.Errorf("refresh: %v", err)
			}
			if c.kept {
				a.wantUserInfo(got.Access, at, true)
			}
			if told := len(dueLogouts(t, store, start)) == 1; told != c.told {
				t.Errorf("the app is to be told: %v", told)
			}
		})
	}
}

func TestRefreshEndsAfter90Days(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	a := connect(t, store, "Grafana")
	token := a.tokens(signIn(t, store, "ada@example.org", start), "openid offline_access", start).Refresh
	at := start
	for at = at.Add(29 * 24 * time.Hour); at.Sub(start) < openid.RefreshMax; at = at.Add(29 * 24 * time.Hour) {
		if _, err := store.MakeSigningKeys(ctx, at); err != nil {
			t.Fatal(err)
		}
		token = a.wantRefresh(token, at, true)
	}
	a.wantRefresh(token, start.Add(openid.RefreshMax), false)
}

// TestRevoke: an app ends its own tokens, nobody else's, and is told no difference.
func TestRevoke(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	a, other := connect(t, store, "Grafana"), connect(t, store, "Gitea")
	v := signIn(t, store, "ada@example.org", start)
	tokens := a.tokens(v, "openid offline_access", start)
	revoke := func(by *connectedApp, token string) {
		t.Helper()
		if err := store.Revoke(ctx, by.credentials(), token, db.Client{}, start); err != nil {
			t.Error(err)
		}
	}
	revoke(other, tokens.Access)
	revoke(other, tokens.Refresh)
	revoke(a, "of nobody")
	a.wantUserInfo(tokens.Access, start, true)
	revoke(a, tokens.Access)
	a.wantUserInfo(tokens.Access, start, false)
	again := a.wantRefresh(tokens.Refresh, start, true)
	revoke(a, again)
	a.wantRefresh(again, start, false)
}

// TestLogoutsAreQueued: in the transaction that ends a session, once for each app, and not
// when it runs out by itself.
func TestLogoutsAreQueued(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	id := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	grafana, gitea := connect(t, store, "Grafana"), connect(t, store, "Gitea")
	v := signIn(t, store, "ada@example.org", start)
	grafana.tokens(v, "openid", start)
	grafana.tokens(v, "openid", start)
	gitea.tokens(v, "openid", start)
	if got := dueLogouts(t, store, start); got != nil {
		t.Fatalf("%q are to be told before anything has ended", got)
	}
	if err := store.EndSession(ctx, v, db.Client{}, start); err != nil {
		t.Fatal(err)
	}
	want := []string{"gitea.example.org " + v.Handle, "grafana.example.org " + v.Handle}
	if got := dueLogouts(t, store, start); !slices.Equal(got, want) {
		t.Errorf("%q are to be told; want %q", got, want)
	}

	due, err := store.DueLogouts(ctx, start)
	if err != nil {
		t.Fatal(err)
	}
	token, key, ok, err := store.ClaimLogout(ctx, due[0], start)
	if err != nil || !ok || key == nil || token.Session != v.Handle || token.Subject == "" || token.Client == "" || token.ID == "" {
		t.Fatalf("%+v, %v, %v", token, ok, err)
	}
	if _, _, ok, err := store.ClaimLogout(ctx, due[0], start); ok || err != nil {
		t.Errorf("another process makes the same call: %v", err)
	}
	if err := store.FinishLogout(ctx, due[0]); err != nil {
		t.Fatal(err)
	}
	if got := dueLogouts(t, store, start.Add(time.Hour)); len(got) != 1 {
		t.Errorf("%q are to be told", got)
	}

	// Signed in again, and left alone until the session has run out: nobody is told, until
	// the person is deactivated.
	w := signIn(t, store, "ada@example.org", start)
	gitea.tokens(w, "openid", start)
	if err := store.FinishLogout(ctx, due[1]); err != nil {
		t.Fatal(err)
	}
	if err := store.Sweep(ctx, start.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := dueLogouts(t, store, start.Add(3*time.Hour)); got != nil {
		t.Errorf("%q are to be told of a session that ran out", got)
	}
	if err := store.SetActive(ctx, id, false, byMachine, start.Add(3*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := dueLogouts(t, store, start.Add(3*time.Hour)); len(got) != 1 || !strings.HasPrefix(got[0], "gitea") {
		t.Errorf("%q are to be told of a deactivation", got)
	}
}

// TestLogoutsAreGivenUp: after three tries, with a row in the activity.
func TestLogoutsAreGivenUp(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	a := connect(t, store, "Grafana")
	v := signIn(t, store, "ada@example.org", start)
	a.tokens(v, "openid", start)
	if err := store.EndSession(ctx, v, db.Client{}, start); err != nil {
		t.Fatal(err)
	}
	at, tries := start, 0
	for ; tries < 10; tries++ {
		due, err := store.DueLogouts(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		if len(due) == 0 {
			break
		}
		if _, _, ok, err := store.ClaimLogout(ctx, due[0], at); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if err := store.FailLogout(ctx, due[0], at); err != nil {
			t.Fatal(err)
		}
		if soon := dueLogouts(t, store, at); soon != nil {
			t.Error("the next try comes at once")
		}
		at = at.Add(2 * time.Minute)
	}
	if tries != 3 {
		t.Errorf("%d tries", tries)
	}
	if got := eventsOf(t, store, "app_backchannel_fail"); len(got) != 1 {
		t.Errorf("the activity tells %q", got)
	}
}

// TestSigningKeys: made before they are used, kept after it, and replaced at once in an
// emergency.
func TestSigningKeys(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	if made, err := store.MakeSigningKeys(ctx, start); made != 0 || err != nil {
		t.Errorf("%d keys are made for no app: %v", made, err)
	}
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	a := connect(t, store, "Grafana")
	day := 24 * time.Hour
	signs := func(at time.Time) string {
		t.Helper()
		v := signIn(t, store, "ada@example.org", at)
		return a.tokens(v, "openid", at).Key.ID
	}
	published := func(at time.Time) int {
		t.Helper()
		keys, err := store.PublishedKeys(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		return len(keys)
	}
	first := signs(start)
	for _, step := range []struct {
		after     time.Duration
		made      int
		published int
		isFirst   bool
	}{
		{day, 0, 1, true},
		{89 * day, 1, 2, true},
		{89*day + time.Hour, 0, 2, true},
		{90 * day, 0, 2, false},
		{91*day - time.Hour, 0, 2, false},
		{91 * day, 0, 1, false},
		{178 * day, 0, 1, false},
		{179 * day, 1, 2, false},
	} {
		at := start.Add(step.after)
		made, err := store.MakeSigningKeys(ctx, at)
		if err != nil || made != step.made || published(at) != step.published || (signs(at) == first) != step.isFirst {
			t.Errorf("after %s: %d made, %d published, %v", step.after, made, published(at), err)
		}
	}
	at := start.Add(179*day + time.Hour)
	before := signs(at)
	if made, err := store.RotateSigningKeys(ctx, db.Machine("root"), at); made != 1 || err != nil {
		t.Fatal(made, err)
	}
	if signs(at) == before || published(at) != 1 {
		t.Error("an old key is used or published after an emergency")
	}
	if _, err := store.MakeNextKey(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.RotateKey(ctx, db.Machine("root"), at); err != nil {
		t.Fatal(err)
	}
	if err := store.Sweep(ctx, at.Add(300*day)); err != nil {
		t.Fatal(err)
	}
}

// TestConnection: an app's secrets, of which two work; its addresses; and who may change them.
func TestConnection(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	a := connect(t, store, "Grafana")
	works := func(secret string) bool {
		t.Helper()
		err := store.Revoke(ctx, openid.Credentials{ID: a.Client.ID, Secret: secret}, "x", db.Client{Address: "192.0.2.1"}, start)
		if err != nil && !isRefused(err, openid.InvalidClient) {
			t.Fatal(err)
		}
		return err == nil
	}
	if raw, err := base64.RawURLEncoding.DecodeString(a.secret); err != nil || len(raw) != 32 {
		t.Errorf("the secret has %d bytes", len(raw))
	}
	second, err := store.NewAppSecret(ctx, a.id, byMachine, start)
	if err != nil || !works(a.secret) || !works(second) || works("") {
		t.Error("of two secrets one does not work", err)
	}
	third, err := store.NewAppSecret(ctx, a.id, byMachine, start)
	if err != nil || works(a.secret) || !works(second) || !works(third) {
		t.Error("the first secret still works, or a newer one does not", err)
	}
	native := aConnection("Grafana")
	native.Kind = openid.Native
	if secret, err := store.ChangeConnection(ctx, a.id, account.Seen{}, native, byMachine, start); secret != "" || err != nil {
		t.Error(secret, err)
	}
	if works(second) || works(third) || !works("") {
		t.Error("a native app has a secret")
	}
	if _, err := store.NewAppSecret(ctx, a.id, byMachine, start); !errors.Is(err, db.ErrNotFound) {
		t.Error(err)
	}
	if err := store.AddRedirect(ctx, a.id, "https://grafana.example.org/other", false, byMachine, start); err != nil {
		t.Error(err)
	}
	for typed, want := range map[string]string{
		"http://grafana.example.org/x": "redirect: an address over http",
		"javascript:alert(1)":          "redirect: no address to send people to",
	} {
		if got := refusedFields(store.AddRedirect(ctx, a.id, typed, false, byMachine, start)); got != want {
			t.Errorf("%s: %q", typed, got)
		}
	}
	bad := db.NewConnection{Connected: true, Redirects: "https://a.example/#x", LogoutRedirects: "http://a.example", Backchannel: "https://169.254.169.254/", Kind: "x", Algorithm: "HS256"}
	_, err = store.ChangeConnection(ctx, a.id, account.Seen{}, bad, byMachine, start)
	if got := refusedFields(err); got != "algorithm: unknown, backchannel: an address on another host, kind: unknown, "+
		"logout_redirect: an address over http, redirect: no address to send people to" {
		t.Errorf("refused: %s", got)
	}
	now, err := store.ConnectionOf(ctx, a.id)
	if err != nil || len(now.Client.Redirects) != 2 {
		t.Errorf("%+v, %v", now.Client, err)
	}
	seen := account.Seen{Version: a.Version(), At: start}
	if _, err := store.ChangeConnection(ctx, a.id, seen, aConnection("Grafana"), byMachine, start); !errors.Is(err, account.ErrOutdated) {
		t.Errorf("an outdated form: %v", err)
	}
	member := signIn(t, store, "ada@example.org", start)
	if _, err := store.NewAppSecret(ctx, a.id, member.Author(db.Client{}), start); !errors.Is(err, account.ErrNotAllowed) {
		t.Errorf("a member makes a secret: %v", err)
	}
	if _, err := store.ConnectionByClient(ctx, "nobody"); !errors.Is(err, db.ErrNotFound) {
		t.Error(err)
	}
}

// runOpenID goes through what connected apps do.
func runOpenID(t *testing.T, store *db.Store, v db.Visitor, now time.Time) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(store.SetPolicy(ctx, twofactor.Policy{}, byMachine, now))
	a := connect(t, store, "Forgejo")
	now = now.Add(time.Second)
	_, err := store.ConnectionByClient(ctx, a.Client.ID)
	must(err)
	_, err = store.Standing(ctx, v, a.id, now)
	must(err)
	must(store.Agree(ctx, v, a.id, openid.ParseScopes("openid"), db.Client{}, now))
	_, err = store.MakeSigningKeys(ctx, now)
	must(err)
	tokens := a.tokens(v, "openid groups offline_access", now)
	_, err = store.UserInfo(ctx, tokens.Access, now)
	must(err)
	next, err := a.refresh(tokens.Refresh, now)
	must(err)
	must(store.Revoke(ctx, a.credentials(), next.Access, db.Client{}, now))
	must(store.Revoke(ctx, a.credentials(), next.Refresh, db.Client{}, now))
	code := a.code(v, "openid", now)
	_, err = a.exchange(code, now)
	must(err)
	if _, err = a.exchange(code, now); !isRefused(err, openid.InvalidGrant) {
		t.Fatal(err)
	}
	a.tokens(v, "openid", now)
	_, err = store.ConnectedApps(ctx, v, now)
	must(err)
	must(store.EndConnectedApp(ctx, v, a.id, db.Client{}, now))
	due, err := store.DueLogouts(ctx, now)
	must(err)
	for range 3 {
		_, _, _, err = store.ClaimLogout(ctx, due[0], now)
		must(err)
		must(store.FailLogout(ctx, due[0], now))
		due[0].Tries++
	}
	must(store.FinishLogout(ctx, due[0]))
	_, err = store.NewAppSecret(ctx, a.id, byMachine, now)
	must(err)
	must(store.AddRedirect(ctx, a.id, "https://forgejo.example.org/x", false, byMachine, now))
	must(store.ChangeAppAccess(ctx, a.id, account.Seen{}, db.AppAccess{}, byMachine, now))
	_, err = store.PublishedKeys(ctx, now)
	must(err)
	_, err = store.RotateSigningKeys(ctx, db.Machine("root"), now)
	must(err)
	_, err = store.MakeSigningKeys(ctx, now.Add(openid.KeyLife))
	must(err)
	native := aConnection("Forgejo")
	native.Kind = openid.Native
	_, err = store.ChangeConnection(ctx, a.id, account.Seen{}, native, byMachine, now)
	must(err)
	native.Connected = false
	_, err = store.ChangeConnection(ctx, a.id, account.Seen{}, native, byMachine, now)
	must(err)
}
