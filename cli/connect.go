package cli

import (
	"errors"
	"fmt"
	"strings"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/openid"
)

// A connectFlags says how an app speaks OpenID Connect.
type connectFlags struct {
	Connect        bool     `help:"The app asks by OpenID Connect: print its id and secret."`
	Redirect       []string `help:"Where it wants people back; a known app's own addresses unless named. Repeat it for several." placeholder:"URI"`
	LogoutRedirect []string `name:"logout-redirect" help:"Where people may go on to after a sign-out in it. Repeat it for several." placeholder:"URI"`
	Backchannel    string   `help:"Where it is told of sign-outs, on its own host." placeholder:"URL"`
	Native         bool     `help:"It runs on people's devices and keeps no secret."`
	NoPKCE         bool     `name:"no-pkce" help:"It cannot do PKCE."`
	Foreign        bool     `help:"It is not the workspace's own: people are asked before it knows them."`
	ES256          bool     `name:"es256" help:"Sign with ES256 instead of RS256."`
}

// connect connects an app that was just added, and prints what is copied into it.
func (f connectFlags) connect(env *commandEnv, store *db.Store, a apps.App, baseURL string) error {
	if !f.Connect {
		return nil
	}
	template, known := apps.TemplateOf(a, nil)
	if len(f.Redirect) == 0 && known {
		f.Redirect = template.Redirects(a.Address)
	}
	n := db.NewConnection{
		Connected:       true,
		Redirects:       strings.Join(f.Redirect, "\n"),
		LogoutRedirects: strings.Join(f.LogoutRedirect, "\n"),
		Backchannel:     f.Backchannel,
		Kind:            openid.Web,
		Algorithm:       openid.RS256,
		PKCE:            !f.NoPKCE,
		Ours:            !f.Foreign,
		Plain:           strings.HasPrefix(baseURL, "http://"),
	}
	if f.Native {
		n.Kind = openid.Native
	}
	if f.ES256 {
		n.Algorithm = openid.ES256
	}
	secret, err := store.ChangeConnection(env.ctx, a.ID, account.Seen{}, n, env.actor().Author(), env.now())
	if err != nil {
		return fmt.Errorf("%s was added, but is not connected: %w", a.Name, err)
	}
	if _, err := store.MakeSigningKeys(env.ctx, env.now()); err != nil {
		return err
	}
	c, err := store.ConnectionOf(env.ctx, a.ID)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "Client ID:     %s\n", c.Client.ID)
	if secret != "" {
		fmt.Fprintf(env.Stdout, "Client secret: %s\n", secret)
	}
	if baseURL != "" {
		fmt.Fprintf(env.Stdout, "Discovery:     %s/.well-known/openid-configuration\n", strings.TrimSuffix(baseURL, "/"))
	}
	return nil
}

type appSecret struct {
	Name string `arg:"" help:"The app's name."`
}

// Run makes another secret and prints it.
func (c *appSecret) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		a, err := env.findApp(store, c.Name)
		if err != nil {
			return err
		}
		secret, err := store.NewAppSecret(env.ctx, a.ID, env.actor().Author(), env.now())
		if errors.Is(err, db.ErrNotFound) {
			return fmt.Errorf("%s has no secret: it is not connected, or runs on people's devices", a.Name)
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(env.Stdout, secret)
		return nil
	})
}

type appKeys struct {
	Rotate appKeysRotate `cmd:"" help:"Replace the signing keys at once, because one may have leaked. They are replaced every 90 days by themselves." example:"gatehouse app keys rotate"`
}

type appKeysRotate struct{}

// Run replaces the signing keys.
func (c *appKeysRotate) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		made, err := store.RotateSigningKeys(env.ctx, env.actor(), env.now())
		if err != nil {
			return err
		}
		if made == 0 {
			fmt.Fprintln(env.Stdout, "No app is connected, so there are no keys.")
			return nil
		}
		fmt.Fprintln(env.Stdout, "The signing keys are replaced. Apps fetch the new ones by themselves.")
		return nil
	})
}
