package views

import (
	"strconv"
	"strings"
	"time"

	"gatehouse/apps"
	"gatehouse/openid"
)

// A Connect is how an app speaks OpenID Connect, on its page.
type Connect struct {
	App       int64
	Connected bool // now
	Known     bool // it has an id
	NoBase    bool // the workspace has no base URL: nothing can be connected

	Issuer       string
	ClientID     string
	Secret       string // in the answer that has made it
	SecretMadeAt time.Time
	TwoSecrets   bool
	Template     apps.Template // zero for an app that is of none
	Address      apps.Address

	On                                    bool // the form's tick
	Kind                                  openid.Kind
	Algorithm                             openid.Algorithm
	Redirect, LogoutRedirect, Backchannel Field
	PKCE, Ours                            bool
	KindError, AlgorithmError             string
	Seen                                  string
}

// wrong names the first field that is refused, or "".
func (c Connect) wrong() string {
	switch {
	case c.Redirect.Error != "":
		return "redirect"
	case c.LogoutRedirect.Error != "":
		return "logout_redirect"
	case c.Backchannel.Error != "":
		return "backchannel"
	}
	return ""
}

// secretOr is the secret where it is shown, and what stands for it otherwise.
func (c Connect) secretOr() string {
	if c.Secret != "" {
		return c.Secret
	}
	return "THE-SECRET"
}

// A setting is one line of what is pasted into an app: where, and what.
type setting struct{ where, what string }

// discovery is where an app reads everything else.
func (c Connect) discovery() string { return c.Issuer + "/.well-known/openid-configuration" }

// paste says where in the app what belongs, and what to paste there: settings one by one, or
// a block of text.
func (c Connect) paste() (place string, settings []setting, block string) {
	lines := func(all ...string) string { return strings.Join(all, "\n") }
	secret := c.secretOr()
	switch c.Template.Key {
	case "grafana":
		return "Put this into Grafana's environment, then restart it.", nil, lines(
			"GF_AUTH_GENERIC_OAUTH_ENABLED=true",
			"GF_AUTH_GENERIC_OAUTH_NAME=Gatehouse",
			"GF_AUTH_GENERIC_OAUTH_CLIENT_ID="+c.ClientID,
			"GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET="+secret,
			"GF_AUTH_GENERIC_OAUTH_SCOPES=openid profile email groups",
			"GF_AUTH_GENERIC_OAUTH_AUTH_URL="+c.Issuer+"/oauth/authorize",
			"GF_AUTH_GENERIC_OAUTH_TOKEN_URL="+c.Issuer+"/oauth/token",
			"GF_AUTH_GENERIC_OAUTH_API_URL="+c.Issuer+"/oauth/userinfo",
			"GF_AUTH_GENERIC_OAUTH_USE_PKCE=true",
			"GF_AUTH_GENERIC_OAUTH_LOGIN_ATTRIBUTE_PATH=preferred_username",
			"GF_AUTH_GENERIC_OAUTH_ROLE_ATTRIBUTE_PATH=contains(groups[*], 'admins') && 'Admin' || 'Viewer'",
			"GF_SERVER_ROOT_URL="+c.Address.String())
	case "gitea", "forgejo":
		return "Run this once on its server.", nil, lines(
			c.Template.Key+" admin auth add-oauth --name gatehouse --provider openidConnect \\",
			"  --key "+c.ClientID+" --secret "+secret+" \\",
			"  --auto-discover-url "+c.discovery()+" \\",
			"  --scopes profile --scopes email --scopes groups --group-claim-name groups --admin-group admins")
	case "nextcloud":
		return "Install the app OpenID Connect user backend (user_oidc), then run this once on its server. For sign-out everywhere, enter " +
				c.Address.String() + "/apps/user_oidc/backchannel-logout/gatehouse below.", nil, lines(
				"php occ user_oidc:provider gatehouse --clientid="+c.ClientID+" --clientsecret="+secret+" \\",
				"  --discoveryuri="+c.discovery()+" \\",
				"  --scope='openid profile email groups' --unique-uid=0 --mapping-uid=preferred_username \\",
				"  --mapping-groups=groups --group-provisioning=1")
	case "jellyfin":
		return "Install the plugin SSO Authentication and add an OpenID provider to it.", []setting{
			{"Name of OpenID Provider", "gatehouse"}, {"OpenID Endpoint", c.Issuer}, {"OpenID Client ID", c.ClientID},
			{"OpenID client secret", secret}, {"Enable Authorization by Plugin", "on"}, {"Admin Roles", "admins"},
			{"Role Claim", "groups"}, {"Request Additional Scopes", "groups"}, {"Set default username claim", "preferred_username"},
		}, ""
	case "immich":
		return "Administration → Settings → Authentication → OAuth.", []setting{
			{"Issuer URL", c.Issuer}, {"Client ID", c.ClientID}, {"Client secret", secret}, {"Scope", "openid email profile"},
			{"Signing algorithm", string(c.Algorithm)}, {"Storage label claim", "preferred_username"},
		}, ""
	case "paperless":
		return "Put this into Paperless' environment, then restart it.", nil, lines(
			"PAPERLESS_APPS=allauth.socialaccount.providers.openid_connect",
			`PAPERLESS_SOCIALACCOUNT_PROVIDERS={"openid_connect":{"OAUTH_PKCE_ENABLED":true,"APPS":[{"provider_id":"gatehouse",`+
				`"name":"Gatehouse","client_id":"`+c.ClientID+`","secret":"`+secret+`","settings":{"server_url":"`+c.discovery()+`"}}]}}`)
	case "home-assistant":
		return "Install the integration OpenID Connect (hass-oidc-auth), put this into configuration.yaml and restart.", nil, lines(
			"auth_oidc:",
			"  client_id: "+c.ClientID,
			"  client_secret: "+secret,
			"  discovery_url: "+c.discovery())
	case "vaultwarden":
		return "Put this into Vaultwarden's environment, then restart it.", nil, lines(
			"SSO_ENABLED=true",
			"SSO_AUTHORITY="+c.Issuer,
			"SSO_CLIENT_ID="+c.ClientID,
			"SSO_CLIENT_SECRET="+secret,
			"SSO_SCOPES=email profile offline_access",
			"SSO_PKCE=true")
	case "miniflux":
		return "Put this into Miniflux' environment, then restart it.", nil, lines(
			"OAUTH2_PROVIDER=oidc",
			"OAUTH2_OIDC_DISCOVERY_ENDPOINT="+c.Issuer,
			"OAUTH2_CLIENT_ID="+c.ClientID,
			"OAUTH2_CLIENT_SECRET="+secret,
			"OAUTH2_REDIRECT_URL="+c.Address.String()+"/oauth2/oidc/callback",
			"OAUTH2_USER_CREATION=1")
	}
	return "Copy these into the app's settings. Most apps need the first three only.", []setting{
		{"Issuer", c.Issuer}, {"Client ID", c.ClientID}, {"Client secret", secret}, {"Scopes", "openid profile email groups"},
		{"Discovery", c.discovery()}, {"Authorization", c.Issuer + "/oauth/authorize"}, {"Token", c.Issuer + "/oauth/token"},
		{"User info", c.Issuer + "/oauth/userinfo"}, {"Keys", c.Issuer + "/oauth/keys"}, {"Sign-out", c.Issuer + "/oauth/signout"},
	}, ""
}

var kindOptions = [][2]string{
	{string(openid.Web), "A web app, on a server"},
	{string(openid.Native), "An app on people's devices (no secret)"},
}

var algorithmOptions = [][2]string{
	{string(openid.RS256), "RS256: every app understands it"},
	{string(openid.ES256), "ES256: shorter, newer"},
}

// SecretMade says that a secret was made.
func SecretMade() Message {
	return Message{
		Text:   "The app has a new secret.",
		Advice: "It is shown once, below. The one before works until you make the next, so that you can exchange it without a break.",
	}
}

// ConnectNeedsBase says what must be set before an app can be connected.
func ConnectNeedsBase() Message {
	return Message{
		Text:   "Apps can be connected once the server knows its own address.",
		Advice: "Start it with --base-url (GATEHOUSE_BASE_URL) set to the address that people use.",
	}
}

// linesOf is how many lines a field of several shows of what it holds.
func linesOf(value string) string {
	return strconv.Itoa(min(max(2, strings.Count(strings.TrimSpace(value), "\n")+1), 8))
}
