package cli

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/views"
)

// A snippetFlags asks for what makes a proxy guard an app.
type snippetFlags struct {
	Nginx     bool   `help:"Print the configuration for nginx." xor:"form"`
	Caddy     bool   `help:"Print the configuration for Caddy." xor:"form"`
	Traefik   bool   `help:"Print the configuration for Traefik." xor:"form"`
	Gatehouse string `help:"Where the proxy reaches Gatehouse: also unix:/PATH, or several nodes with blanks for Caddy." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
}

// An appSnippetFlags says what the configuration for an app begins with and leads to.
type appSnippetFlags struct {
	Upstream string `help:"In the configuration: where the app itself runs." placeholder:"HOST:PORT"`
	Further  bool   `help:"In the configuration: leave out what stands once for all apps, since this is not the first."`
}

// snippet is an app's configuration for a proxy.
func (f appSnippetFlags) snippet(a apps.App, at snippetFlags) string {
	text := a.SnippetTo(at.proxy(), at.Gatehouse, f.Upstream)
	if f.Further {
		text = apps.Further(at.proxy(), text)
	}
	return text
}

// proxyCommand prints how a proxy leads to the portal.
type proxyCommand struct {
	BaseURL string `name:"base-url" help:"How browsers reach the portal, e.g. https://portal.example.org." env:"GATEHOUSE_BASE_URL" placeholder:"URL"`
	snippetFlags
}

// Run prints the configuration of a proxy for the portal itself.
func (c *proxyCommand) Run(env *commandEnv) error {
	if c.proxy() == "" {
		return usageError("name the proxy: --caddy, --nginx or --traefik")
	}
	if c.BaseURL == "" {
		return usageError("name the portal's address with --base-url, e.g. https://portal.example.org")
	}
	base, err := canonicalBaseURL(c.BaseURL)
	if err != nil {
		return err
	}
	at := apps.Address{Scheme: base.Scheme, Host: base.Hostname(), Port: base.Port()}
	_, err = fmt.Fprint(env.Stdout, apps.PortalSnippet(c.proxy(), at, c.Gatehouse))
	return err
}

// proxy is which one was asked for, or "".
func (f snippetFlags) proxy() apps.Proxy {
	switch {
	case f.Nginx:
		return apps.Nginx
	case f.Caddy:
		return apps.Caddy
	case f.Traefik:
		return apps.Traefik
	}
	return ""
}

type appCheck struct {
	Name string        `arg:"" help:"The app's name."`
	Wait time.Duration `help:"How long to wait for the proxy, a minute at most." default:"1m" placeholder:"TIME"`
}

// checkEvery is how often it is looked whether the proxy has asked.
const checkEvery = 250 * time.Millisecond

// Run waits until an app's proxy has asked, and says what it found. It fails where something
// is wrong, or nothing came.
func (c *appCheck) Run(env *commandEnv) error {
	if c.Wait <= 0 || c.Wait > db.WatchTTL {
		return usageError("--wait takes a time of up to a minute, e.g. 30s")
	}
	return env.withStore(func(store *db.Store) error {
		a, err := env.findApp(store, c.Name)
		if err != nil {
			return err
		}
		if err := store.WatchApp(env.ctx, a.ID, env.actor().Author(), env.now()); err != nil {
			return err
		}
		fmt.Fprintf(env.Stderr, "Now open %s in a browser.\n", a.Address)
		r, err := c.await(env, store, a.ID)
		if errors.Is(err, db.ErrNotFound) {
			m := views.CheckNothing(a)
			return errors.New(m.Text + " " + m.Advice)
		}
		if err != nil {
			return err
		}
		found := views.GuardRequest{
			At:      r.At,
			Peer:    r.Peer,
			Family:  r.Family,
			Method:  r.Method,
			Address: r.Address,
			Status:  r.Status,
			Fault:   r.Fault,
		}
		w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
		for _, row := range views.CheckRows(found) {
			if _, err := fmt.Fprintf(w, "%s:\t%s\n", row[0], row[1]); err != nil {
				return err
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
		m, fine := views.CheckFound(a, found)
		if !fine {
			return errors.New(m.Text + " " + m.Advice)
		}
		fmt.Fprintln(env.Stdout, m.Text, m.Advice)
		return nil
	})
}

// await returns what the proxy asked, or db.ErrNotFound when the time is over.
func (c *appCheck) await(env *commandEnv, store *db.Store, app int64) (db.AppRequest, error) {
	over := time.After(c.Wait)
	for {
		r, err := store.LastAppRequest(env.ctx, app)
		if !errors.Is(err, db.ErrNotFound) {
			return r, err
		}
		select {
		case <-env.ctx.Done():
			return r, env.ctx.Err()
		case <-over:
			return r, db.ErrNotFound
		case <-time.After(checkEvery):
		}
	}
}
