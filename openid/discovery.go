package openid

import "encoding/json"

// Discovery returns the document by which apps find everything else (OpenID Connect
// Discovery 1.0, 3; RFC 8414).
func Discovery(issuer string) ([]byte, error) {
	yes, no := true, false
	return json.Marshal(map[string]any{
		"issuer":                 issuer,
		"authorization_endpoint": issuer + "/oauth/authorize",
		"token_endpoint":         issuer + "/oauth/token",
		"userinfo_endpoint":      issuer + "/oauth/userinfo",
		"jwks_uri":               issuer + "/oauth/keys",
		"revocation_endpoint":    issuer + "/oauth/revoke",
		"end_session_endpoint":   issuer + "/oauth/signout",

		"scopes_supported":                      scopeNames,
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query"},
		"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
		"acr_values_supported":                  []string{AAL1, AAL2},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": Algorithms,
		"code_challenge_methods_supported":      []string{"S256"},
		"prompt_values_supported":               []string{"none", "login", "consent", "select_account"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "none"},
		"revocation_endpoint_auth_methods_supported": []string{
			"client_secret_basic", "client_secret_post", "none",
		},
		"claims_supported": []string{
			"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "amr", "acr", "sid",
			"name", "preferred_username", "email", "email_verified", "groups",
		},

		"claims_parameter_supported":                     no,
		"request_parameter_supported":                    no,
		"request_uri_parameter_supported":                no,
		"authorization_response_iss_parameter_supported": yes,
		"backchannel_logout_supported":                   yes,
		"backchannel_logout_session_supported":           yes,
	})
}
