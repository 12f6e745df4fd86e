package openid

import (
	"encoding/base64"
	"net/url"
	"testing"
)

func basic(text string) []string {
	return []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(text))}
}

func TestReadCredentials(t *testing.T) {
	form := func(pairs ...string) url.Values {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Add(pairs[i], pairs[i+1])
		}
		return v
	}
	for _, c := range []struct {
		name   string
		header []string
		form   url.Values
		want   Credentials
		code   Code
	}{
		{"basic", basic("app:s3cret"), form(), Credentials{"app", "s3cret", true}, ""},
		{"basic, encoded", basic("a%3Ap:s%2Bc"), form(), Credentials{"a:p", "s+c", true}, ""},
		{"basic in small letters", []string{"basic " + basic("app:s")[0][6:]}, form(), Credentials{"app", "s", true}, ""},
		{"basic and the same id", basic("app:s"), form("client_id", "app"), Credentials{"app", "s", true}, ""},
		{"post", nil, form("client_id", "app", "client_secret", "s"), Credentials{"app", "s", false}, ""},
		{"none", nil, form("client_id", "app"), Credentials{"app", "", false}, ""},
		{"two at once", basic("app:s"), form("client_id", "app", "client_secret", "s"), Credentials{}, InvalidRequest},
		{"two ids", basic("app:s"), form("client_id", "other"), Credentials{}, InvalidRequest},
		{"a secret twice", nil, form("client_id", "app", "client_secret", "s", "client_secret", "s"), Credentials{}, InvalidRequest},
		{"two headers", append(basic("app:s"), basic("app:s")...), form(), Credentials{}, InvalidRequest},
		{"bearer", []string{"Bearer x"}, form(), Credentials{}, InvalidClient},
		{"basic without a colon", basic("app"), form(), Credentials{}, InvalidClient},
		{"basic, no base64", []string{"Basic !!"}, form(), Credentials{}, InvalidClient},
		{"basic, broken encoding", basic("app:%zz"), form(), Credentials{}, InvalidClient},
		{"basic, no id", basic(":s"), form(), Credentials{}, InvalidClient},
		{"basic, an id that no database holds", basic("app%00:s"), form(), Credentials{}, InvalidClient},
		{"basic, an id that is no text", basic("app%ff:s"), form(), Credentials{}, InvalidClient},
		{"an assertion", nil, form("client_id", "app", "client_assertion", "eyJ"), Credentials{}, InvalidClient},
		{"nobody", nil, form(), Credentials{}, InvalidClient},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ReadCredentials(c.header, c.form)
			if codeOf(err) != c.code || err == nil && got != c.want {
				t.Errorf("got %+v, %v; want %+v, %q", got, err, c.want, c.code)
			}
		})
	}
}

func TestParseToken(t *testing.T) {
	for _, c := range []struct {
		name string
		form url.Values
		want Code
	}{
		{"code", url.Values{"grant_type": {"authorization_code"}, "code": {"c"}}, ""},
		{"refresh", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"r"}}, ""},
		{"nothing", url.Values{}, InvalidRequest},
		{"no code", url.Values{"grant_type": {"authorization_code"}}, InvalidRequest},
		{"no refresh token", url.Values{"grant_type": {"refresh_token"}}, InvalidRequest},
		{"a code twice", url.Values{"grant_type": {"authorization_code"}, "code": {"c", "d"}}, InvalidRequest},
		{"the password grant", url.Values{"grant_type": {"password"}, "username": {"ada"}, "password": {"x"}}, UnsupportedGrantType},
		{"client credentials", url.Values{"grant_type": {"client_credentials"}}, UnsupportedGrantType},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := ParseToken(c.form); codeOf(err) != c.want {
				t.Errorf("got %v; want %q", err, c.want)
			}
		})
	}
	if _, err := ParseRevoke(url.Values{}); codeOf(err) != InvalidRequest {
		t.Error(err)
	}
	if token, err := ParseRevoke(url.Values{"token": {"x"}, "token_type_hint": {"unheard_of"}}); token != "x" || err != nil {
		t.Error(token, err)
	}
}

func TestReadBearer(t *testing.T) {
	for header, want := range map[string]string{"Bearer abc": "abc", "bearer abc": "abc", "Basic abc": "", "Bearer ": "", "Bearer": "", "": ""} {
		if got, ok := ReadBearer([]string{header}); ok != (want != "") || ok && got != want {
			t.Errorf("%q: got %q, %v", header, got, ok)
		}
	}
	if _, ok := ReadBearer([]string{"Bearer a", "Bearer b"}); ok {
		t.Error("two headers are taken")
	}
	if _, ok := ReadBearer(nil); ok {
		t.Error("no header is taken")
	}
}
