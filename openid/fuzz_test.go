package openid

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzAuthorize: an answer goes to a registered address or nowhere, and what a refusal says
// is text that RFC 6749 allows.
func FuzzAuthorize(f *testing.F) {
	f.Add(request().Encode())
	f.Add(request("prompt=none login", "+state=2").Encode())
	f.Add("client_id=grafana&redirect_uri=http://127.0.0.1:80/x")
	client := Client{ID: "grafana", Kind: Native, Redirects: []string{"https://app.example.org/cb", "http://127.0.0.1/x"}}
	f.Fuzz(func(t *testing.T, query string) {
		values, _ := url.ParseQuery(query)
		_, redirect, err := Addressee(values)
		if err != nil || !client.AllowsRedirect(redirect) {
			return
		}
		if !strings.HasPrefix(redirect, "https://app.example.org/cb") && !strings.HasPrefix(redirect, "http://127.0.0.1") {
			t.Fatalf("%q is allowed", redirect)
		}
		r, err := ParseAuthorize(values, client)
		if refusal, ok := err.(Refusal); ok && !isPrintable(refusal.Text) {
			t.Fatalf("refusal %q", refusal.Text)
		}
		u, err := url.Parse(r.Answer(issuer, "c"))
		if err != nil || u.Host != "app.example.org" && u.Hostname() != "127.0.0.1" || u.Query().Get("code") != "c" {
			t.Fatalf("%q: %v, %v", redirect, u, err)
		}
	})
}

// FuzzRedirect: what is registered is an address of http, https or a private scheme, as
// browsers read it.
func FuzzRedirect(f *testing.F) {
	for _, seed := range []string{"https://a.example/cb", "http://127.0.0.1:1/x", "com.example.app:/x", `https:\\a`, "https://a@b/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		address, err := ParseRedirect(typed, Native, true)
		if err != nil {
			return
		}
		u, err := url.Parse(address)
		if err != nil || u.User != nil || u.Fragment != "" || u.Scheme == "javascript" || u.Scheme == "data" {
			t.Fatalf("%q is registered", address)
		}
	})
}

// FuzzToken: no form breaks the readers.
func FuzzToken(f *testing.F) {
	f.Add("Basic YTpi", "grant_type=authorization_code&code=c")
	f.Add("", "client_id=a&client_secret=b&grant_type=refresh_token&refresh_token=r")
	f.Fuzz(func(t *testing.T, header, form string) {
		values, _ := url.ParseQuery(form)
		c, err := ReadCredentials([]string{header}, values)
		if err == nil && c.ID == "" {
			t.Fatal("a client without a name")
		}
		r, err := ParseToken(values)
		if err == nil && (r.Code == "") == (r.Refresh == "") {
			t.Fatalf("%+v", r)
		}
		if _, err := ReadHint(form, issuer, nil); err == nil {
			t.Fatal("a hint without a key")
		}
	})
}
