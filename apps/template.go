package apps

// A Template is an app that many have, with what connecting it takes.
type Template struct {
	Key   string
	Name  string
	Paths []string // where it wants people back: paths of its address, or whole addresses
}

// Templates are the apps that a form offers, by name.
var Templates = []Template{
	{Key: "forgejo", Name: "Forgejo", Paths: []string{"/user/oauth2/gatehouse/callback"}},
	{Key: "gitea", Name: "Gitea", Paths: []string{"/user/oauth2/gatehouse/callback"}},
	{Key: "grafana", Name: "Grafana", Paths: []string{"/login/generic_oauth"}},
	{Key: "home-assistant", Name: "Home Assistant", Paths: []string{"/auth/oidc/callback"}},
	{Key: "immich", Name: "Immich",
		Paths: []string{"/auth/login", "/user-settings", "app.immich:///oauth-callback"}},
	{Key: "jellyfin", Name: "Jellyfin", Paths: []string{"/sso/OID/redirect/gatehouse"}},
	{Key: "miniflux", Name: "Miniflux", Paths: []string{"/oauth2/oidc/callback"}},
	{Key: "nextcloud", Name: "Nextcloud", Paths: []string{"/apps/user_oidc/code"}},
	{Key: "paperless", Name: "Paperless-ngx", Paths: []string{"/accounts/oidc/gatehouse/login/callback/"}},
	{Key: "vaultwarden", Name: "Vaultwarden", Paths: []string{"/identity/connect/oidc-signin"}},
}

// TemplateByKey finds a template; it is not ok for "" and for a key that is none.
func TemplateByKey(key string) (t Template, ok bool) {
	for _, t := range Templates {
		if t.Key == key {
			return t, true
		}
	}
	return Template{}, false
}
