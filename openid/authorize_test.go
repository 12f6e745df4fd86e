package openid

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The challenge and verifier of RFC 7636, appendix B.
const (
	rfcVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	rfcChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

var webApp = Client{ID: "grafana", Kind: Web, Redirects: []string{"https://app.example.org/cb"}, Algorithm: RS256}

// request returns a right request with fields changed: "name=value", or "-name" to leave one out.
func request(changes ...string) url.Values {
	v := url.Values{
		"client_id": {"grafana"}, "redirect_uri": {"https://app.example.org/cb"}, "response_type": {"code"},
		"scope": {"openid email"}, "state": {"s1"}, "code_challenge": {rfcChallenge}, "code_challenge_method": {"S256"},
	}
	for _, change := range changes {
		if name, ok := strings.CutPrefix(change, "-"); ok {
			v.Del(name)
			continue
		}
		name, value, _ := strings.Cut(change, "=")
		if again, ok := strings.CutPrefix(name, "+"); ok {
			v.Add(again, value)
		} else {
			v.Set(name, value)
		}
	}
	return v
}

func codeOf(err error) Code {
	var refusal Refusal
	if err != nil && !errors.As(err, &refusal) {
		return "not a refusal"
	}
	return refusal.Code
}

func TestParseAuthorize(t *testing.T) {
	excused := webApp
	excused.NoPKCE = true
	native := excused
	native.Kind = Native
	for _, c := range []struct {
		name   string
		client Client
		values url.Values
		want   Code
	}{
		{"right", webApp, request(), ""},
		{"unknown fields are ignored", webApp, request("approval_prompt=force", "claims={}", "display=page"), ""},
		{"empty fields are left out", webApp, request("request=", "max_age=", "prompt="), ""},
		{"response_type missing", webApp, request("-response_type"), InvalidRequest},
		{"implicit flow", webApp, request("response_type=id_token"), UnsupportedResponseType},
		{"hybrid flow", webApp, request("response_type=code id_token"), UnsupportedResponseType},
		{"fragment", webApp, request("response_mode=fragment"), InvalidRequest},
		{"form_post", webApp, request("response_mode=form_post"), InvalidRequest},
		{"query", webApp, request("response_mode=query"), ""},
		{"request object", webApp, request("request=eyJ"), RequestNotSupported},
		{"request by reference", webApp, request("request_uri=https://x.example"), RequestURINotSupported},
		{"registration", webApp, request("registration={}"), RegistrationNotSupported},
		{"no openid", webApp, request("scope=email"), InvalidScope},
		{"no scope", webApp, request("-scope"), InvalidScope},
		{"unknown scopes are ignored", webApp, request("scope=openid address phone x"), ""},
		{"state twice", webApp, request("+state=s2"), InvalidRequest},
		{"scope twice", webApp, request("+scope=openid"), InvalidRequest},
		{"challenge twice", webApp, request("+code_challenge=x"), InvalidRequest},
		{"an unknown field twice", webApp, request("+x=1", "+x=2"), InvalidRequest},
		{"no challenge", webApp, request("-code_challenge", "-code_challenge_method"), InvalidRequest},
		{"no challenge, excused", excused, request("-code_challenge", "-code_challenge_method"), ""},
		{"no challenge, native", native, request("-code_challenge", "-code_challenge_method"), InvalidRequest},
		{"plain", webApp, request("code_challenge_method=plain"), InvalidRequest},
		{"plain, excused", excused, request("code_challenge_method=plain"), InvalidRequest},
		{"no method, which means plain", webApp, request("-code_challenge_method"), InvalidRequest},
		{"no method, excused", excused, request("-code_challenge_method"), InvalidRequest},
		{"a method without a challenge", excused, request("-code_challenge"), InvalidRequest},
		{"a short challenge", webApp, request("code_challenge=abc"), InvalidRequest},
		{"a challenge with signs of base64", webApp, request("code_challenge=" + strings.Repeat("+", 43)), InvalidRequest},
		{"prompt none alone", webApp, request("prompt=none"), ""},
		{"prompt none and login", webApp, request("prompt=none login"), InvalidRequest},
		{"unknown prompt", webApp, request("prompt=create"), ""},
		{"max_age", webApp, request("max_age=3600"), ""},
		{"max_age negative", webApp, request("max_age=-1"), InvalidRequest},
		{"max_age in words", webApp, request("max_age=soon"), InvalidRequest},
		{"max_age too large", webApp, request("max_age=99999999999"), InvalidRequest},
		{"state too long", webApp, request("state=" + strings.Repeat("x", 4097)), InvalidRequest},
		{"nonce too long", webApp, request("nonce=" + strings.Repeat("x", 1025)), InvalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := ParseAuthorize(c.values, c.client); codeOf(err) != c.want {
				t.Errorf("got %v; want %q", err, c.want)
			}
		})
	}
}

func TestAddressee(t *testing.T) {
	for _, c := range []struct {
		name   string
		values url.Values
		ok     bool
	}{
		{"right", request(), true},
		{"no client", request("-client_id"), false},
		{"no address", request("-redirect_uri"), false},
		{"an empty address", request("redirect_uri="), false},
		{"two clients", request("+client_id=x"), false},
		{"two addresses", request("+redirect_uri=https://evil.example"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, redirect, err := Addressee(c.values)
			if (err == nil) != c.ok || c.ok && (client != "grafana" || redirect != "https://app.example.org/cb") {
				t.Errorf("got %q, %q, %v", client, redirect, err)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	r, err := ParseAuthorize(request("state=a b&c"), webApp)
	if err != nil {
		t.Fatal(err)
	}
	got := r.Answer("https://gate.example.org", "c0de")
	if want := "https://app.example.org/cb?code=c0de&iss=https%3A%2F%2Fgate.example.org&state=a+b%26c"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	refused, err := ParseAuthorize(request("state=s9", "response_type=token"), webApp)
	var refusal Refusal
	if !errors.As(err, &refusal) {
		t.Fatal(err)
	}
	u, err := url.Parse(refused.Refuse("https://gate.example.org", refusal))
	if err != nil || u.Host != "app.example.org" || u.Query().Get("error") != "unsupported_response_type" ||
		u.Query().Get("state") != "s9" || u.Query().Get("iss") != "https://gate.example.org" || u.Query().Has("code") {
		t.Error(u, err)
	}
	for address, want := range map[string]string{
		"https://a.example/cb":      "https://a.example/cb?x=1",
		"https://a.example/cb?":     "https://a.example/cb?x=1",
		"https://a.example/cb?a=b":  "https://a.example/cb?a=b&x=1",
		"com.example.app:/callback": "com.example.app:/callback?x=1",
	} {
		if got := withQuery(address, url.Values{"x": {"1"}}); got != want {
			t.Errorf("got %s; want %s", got, want)
		}
	}
}

// TestProofAge: an old password satisfies neither prompt=login nor max_age, not even one of
// the same second.
func TestProofAge(t *testing.T) {
	asked := time.UnixMilli(1_800_000_000_500)
	for _, c := range []struct {
		name    string
		request url.Values
		proved  time.Time
		want    bool
	}{
		{"nothing asked", request(), asked.Add(-time.Hour), false},
		{"login, before", request("prompt=login"), asked.Add(-time.Millisecond), true},
		{"login, at the very instant", request("prompt=login"), asked, true},
		{"login, after", request("prompt=login"), asked.Add(time.Millisecond), false},
		{"max_age, younger", request("max_age=60"), asked.Add(-59 * time.Second), false},
		{"max_age, older", request("max_age=60"), asked.Add(-61 * time.Second), true},
		{"max_age=0, before", request("max_age=0"), asked.Add(-time.Millisecond), true},
		{"max_age=0, after", request("max_age=0"), asked.Add(time.Millisecond), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := ParseAuthorize(c.request, webApp)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.IsProofOld(c.proved, asked, asked); got != c.want {
				t.Errorf("got %v; want %v", got, c.want)
			}
		})
	}
}

func TestPKCE(t *testing.T) {
	for _, c := range []struct {
		name, challenge, verifier string
		want                      bool
	}{
		{"RFC 7636, appendix B", rfcChallenge, rfcVerifier, true},
		{"another verifier", rfcChallenge, strings.Repeat("a", 43), false},
		{"left out", rfcChallenge, "", false},
		{"the challenge itself, as plain would have it", rfcChallenge, rfcChallenge, false},
		{"added where no challenge was sent", "", rfcVerifier, false},
		{"neither", "", "", true},
		{"too short", rfcChallenge, rfcVerifier[:42], false},
		{"signs that are not allowed", rfcChallenge, rfcVerifier[:42] + "=", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := VerifyPKCE(c.challenge, c.verifier); got != c.want {
				t.Errorf("got %v; want %v", got, c.want)
			}
		})
	}
}

func TestStamps(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_123).UTC()
	field := JoinStamp(now, "mac")
	at, mac, ok := SplitStamp(field, AskedTTL, now.Add(time.Minute))
	if !ok || mac != "mac" || !at.Equal(now) {
		t.Error(at, mac, ok)
	}
	for _, bad := range []string{"", "x", "1800000000123", "01800000000123.mac", "+1800000000123.mac", ".mac", "9999999999999999999.mac"} {
		if _, _, ok := SplitStamp(bad, AskedTTL, now); ok {
			t.Errorf("%q counts", bad)
		}
	}
	if _, _, ok := SplitStamp(field, AskedTTL, now.Add(AskedTTL)); ok {
		t.Error("it counts when its time is over")
	}
	if _, _, ok := SplitStamp(JoinStamp(now.Add(time.Hour), "mac"), AskedTTL, now); ok {
		t.Error("one from the future counts")
	}
	a, b := request("asked=1.x", "agreed=2.y"), request()
	if RequestText(a) != RequestText(b) || RequestText(request("state=other")) == RequestText(b) {
		t.Error("the text of a request is not what the app sent")
	}
}
