package openid

import (
	"encoding/json"
	"testing"
)

// TestClaimsByScope compares what each scope shows.
func TestClaimsByScope(t *testing.T) {
	ada := Person{Subject: "s", Name: "Ada", UserName: "ada", Email: "ada@example.org", Groups: []string{"administrator", "admins", "staff"}}
	for scopes, want := range map[string]string{
		"openid":         `{"sub":"s"}`,
		"openid profile": `{"sub":"s","name":"Ada","preferred_username":"ada"}`,
		"openid email":   `{"sub":"s","email":"ada@example.org","email_verified":true}`,
		"openid groups":  `{"sub":"s","groups":["administrator","admins","staff"]}`,
		"openid profile email groups offline_access address": `{"sub":"s","name":"Ada","preferred_username":"ada",` +
			`"email":"ada@example.org","email_verified":true,"groups":["administrator","admins","staff"]}`,
	} {
		got, err := json.Marshal(ada.Claims(ParseScopes(scopes)))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v; want %s", scopes, got, err, want)
		}
	}
}

func TestScopes(t *testing.T) {
	s := ParseScopes(" groups  openid openid phone ")
	if s.String() != "openid groups" || !s.Within(ParseScopes("openid email groups")) || ParseScopes("openid email").Within(s) {
		t.Error(s)
	}
}

// TestDiscovery: the document lists what is there, and nothing that is not.
func TestDiscovery(t *testing.T) {
	document, err := Discovery(issuer)
	if err != nil {
		t.Fatal(err)
	}
	var d map[string]any
	if err := json.Unmarshal(document, &d); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"issuer": issuer, "jwks_uri": issuer + "/oauth/keys", "code_challenge_methods_supported": `[S256]`,
		"response_types_supported": "[code]", "response_modes_supported": "[query]",
	} {
		got, err := json.Marshal(d[name])
		if err != nil {
			t.Fatal(err)
		}
		if plain := string(unquote(got)); plain != want {
			t.Errorf("%s: got %s; want %s", name, plain, want)
		}
	}
	for _, name := range []string{"request_parameter_supported", "request_uri_parameter_supported", "claims_parameter_supported"} {
		if d[name] != false {
			t.Errorf("%s is not false", name)
		}
	}
	if d["registration_endpoint"] != nil {
		t.Error("registration is offered")
	}
}

func unquote(text []byte) (out []byte) {
	for _, c := range text {
		if c != '"' {
			out = append(out, c)
		}
	}
	return out
}
