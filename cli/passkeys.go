package cli

import (
	"context"
	"log/slog"
	"net/url"
	"strings"

	"gatehouse/db"
	"gatehouse/handlers"
)

// checkPasskeys checks the flags of passkeys, and brings them to the form in which browsers
// send them.
func (c *serveCommand) checkPasskeys(base *url.URL) error {
	if c.PasskeyDomain == "" && len(c.PasskeyOrigins) == 0 {
		return nil
	}
	if base == nil || base.Scheme != "https" {
		return usageError("--passkey-domain and --passkey-origins need an https --base-url")
	}
	if c.PasskeyDomain == "" {
		return usageError("--passkey-origins needs the --passkey-domain whose passkeys they may use")
	}
	domain, err := canonicalBaseURL("https://" + c.PasskeyDomain)
	if err != nil || domain.Port() != "" || !strings.Contains(domain.Host, ".") {
		return usageError("--passkey-domain takes a domain, e.g. example.org")
	}
	if _, unable := handlers.PasskeyDomain("https", domain.Host, ""); unable != "" {
		return usageError("--passkey-domain takes a domain, e.g. example.org")
	}
	c.PasskeyDomain = domain.Host
	for i, text := range c.PasskeyOrigins {
		origin, err := canonicalBaseURL(strings.TrimSpace(text))
		if err != nil || origin.Scheme != "https" {
			return usageError("--passkey-origins takes https addresses without a path, e.g. https://old.example.org")
		}
		c.PasskeyOrigins[i] = origin.String()
	}
	return nil
}

// notePasskeyDomain stores what passkeys work for from now on, and tells the operator when
// that leaves people without a factor that works.
func (c *serveCommand) notePasskeyDomain(ctx context.Context, store *db.Store, base *url.URL, log *slog.Logger) error {
	scheme, host := "http", "localhost" // without a base URL browsers have passkeys there alone
	if base != nil {
		scheme, host = base.Scheme, base.Hostname()
	}
	domain, _ := handlers.PasskeyDomain(scheme, host, c.PasskeyDomain)
	left, err := store.SetPasskeyDomain(ctx, domain)
	if err == nil && left > 0 {
		log.Warn("people are left without a second factor that works: their passkeys were made for another address",
			"people", left, "passkeys_work_for", domain,
			"what_to_do", "keep the old address with --passkey-domain (GATEHOUSE_PASSKEY_DOMAIN), or let them sign in with "+
				"a recovery code and add a passkey")
	}
	return err
}
