package openid

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const issuer = "https://gate.example.org"

var testKeys = sync.OnceValue(func() map[Algorithm]*Key {
	keys := map[Algorithm]*Key{}
	for _, a := range Algorithms {
		key, err := NewKey(a)
		if err != nil {
			panic(err)
		}
		keys[a] = key
	}
	return keys
})

func publicOf(t *testing.T, keys ...*Key) (set [][]byte) {
	t.Helper()
	for _, k := range keys {
		public, err := k.Public()
		if err != nil {
			t.Fatal(err)
		}
		set = append(set, public)
	}
	return set
}

func part(t *testing.T, token string, i int) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

var someToken = IDToken{
	Issuer: issuer, Client: "grafana", Nonce: "n-0S6_WzA2Mj", AccessToken: "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y",
	User: Person{Subject: "sub1", Name: "Ada", UserName: "ada", Email: "ada@example.org", Groups: []string{"member"}}.
		Claims(ParseScopes("openid profile email groups")),
	SignIn: SignIn{Session: "sid1", At: time.Unix(1_799_999_000, 0), Methods: []string{"pwd", "otp", "mfa"}},
}

// TestIDToken checks a token with the standard library alone: its claims are those of the
// contract, no more and no less, and its signature is right.
func TestIDToken(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, a := range Algorithms {
		t.Run(string(a), func(t *testing.T) {
			key := testKeys()[a]
			token, err := key.SignIDToken(someToken, now)
			if err != nil {
				t.Fatal(err)
			}
			var header map[string]any
			if err := json.Unmarshal(part(t, token, 0), &header); err != nil {
				t.Fatal(err)
			}
			if want := map[string]any{"alg": string(a), "kid": key.ID, "typ": "JWT"}; !reflect.DeepEqual(header, want) {
				t.Errorf("header %v; want %v", header, want)
			}
			var claims map[string]any
			if err := json.Unmarshal(part(t, token, 1), &claims); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"iss": issuer, "aud": "grafana", "sub": "sub1", "exp": 1_800_000_600.0, "iat": 1_800_000_000.0,
				"auth_time": 1_799_999_000.0, "nonce": "n-0S6_WzA2Mj", "at_hash": "77QmUPtjPfzWtF2AnpK9RQ",
				"amr": []any{"pwd", "otp", "mfa"}, "acr": "aal2", "sid": "sid1",
				"name": "Ada", "preferred_username": "ada", "email": "ada@example.org", "email_verified": true, "groups": []any{"member"},
			}
			if !reflect.DeepEqual(claims, want) {
				t.Errorf("claims\n%v\nwant\n%v", claims, want)
			}
			checkSignature(t, key, token)
		})
	}
}

// checkSignature checks a signature without the library that made it.
func checkSignature(t *testing.T, key *Key, token string) {
	t.Helper()
	end := strings.LastIndex(token, ".")
	digest, signature := sha256.Sum256([]byte(token[:end])), part(t, token, 2)
	switch public := key.private.Public().(type) {
	case *rsa.PublicKey:
		if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature); err != nil {
			t.Error(err)
		}
	case *ecdsa.PublicKey:
		if len(signature) != 64 || !ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
			t.Error("the signature is wrong")
		}
	}
}

func TestAccessTokenHash(t *testing.T) {
	// OpenID Connect Core, A.3.
	if got := AccessTokenHash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"); got != "77QmUPtjPfzWtF2AnpK9RQ" {
		t.Error(got)
	}
}

// TestHints: a token of another issuer, another key, no algorithm, or an algorithm that
// would make the public key a shared secret, is no hint.
func TestHints(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	rs, es := testKeys()[RS256], testKeys()[ES256]
	stranger, err := NewKey(ES256)
	if err != nil {
		t.Fatal(err)
	}
	public := publicOf(t, rs, es)
	sign := func(k *Key, change func(*IDToken)) string {
		one := someToken
		if change != nil {
			change(&one)
		}
		token, err := k.SignIDToken(one, now)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	right := sign(rs, nil)
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	payload := strings.Split(right, ".")[1]
	unsigned := encode(`{"alg":"none","kid":"`+rs.ID+`"}`) + "." + payload + "."
	hs := encode(`{"alg":"HS256","kid":"`+rs.ID+`","typ":"JWT"}`) + "." + payload
	mac := hmac.New(sha256.New, public[0])
	mac.Write([]byte(hs))
	hs += "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	logout, err := rs.SignLogoutToken(LogoutToken{ID: "j", Issuer: issuer, Client: "grafana", Subject: "sub1", Session: "sid1"}, now)
	if err != nil {
		t.Fatal(err)
	}
	flipped := []byte(right)
	flipped[len(flipped)-10] ^= 1
	for _, c := range []struct {
		name, token string
		want        bool
	}{
		{"RS256", right, true},
		{"ES256", sign(es, nil), true},
		{"another issuer", sign(rs, func(t *IDToken) { t.Issuer = "https://evil.example" }), false},
		{"another key", sign(stranger, nil), false},
		{"algorithm none", unsigned, false},
		{"HS256 with the public key", hs, false},
		{"a logout token", logout, false},
		{"a flipped bit", string(flipped), false},
		{"the kid of the other key", encode(`{"alg":"RS256","kid":"`+es.ID+`"}`) + right[strings.Index(right, "."):], false},
		{"the algorithm of the other key", encode(`{"alg":"ES256","kid":"`+rs.ID+`"}`) + right[strings.Index(right, "."):], false},
		{"no kid", encode(`{"alg":"RS256"}`) + right[strings.Index(right, "."):], false},
		{"a key of its own in the header", withOwnKey(t, stranger), false},
		{"nothing", "", false},
		{"words", "not.a.token", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			hint, err := ReadHint(c.token, issuer, public)
			if (err == nil) != c.want {
				t.Fatalf("got %+v, %v", hint, err)
			}
			if c.want && hint != (Hint{Subject: "sub1", Session: "sid1", Client: "grafana"}) {
				t.Errorf("got %+v", hint)
			}
		})
	}
	if _, err := ReadHint(right, issuer, nil); err == nil {
		t.Error("a hint under a retired key counts")
	}
}

// withOwnKey is a token that brings the key along that has signed it.
func withOwnKey(t *testing.T, k *Key) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.private}, (&jose.SignerOptions{EmbedJWK: true}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(`{"iss":"` + issuer + `","sub":"sub1","sid":"sid1","aud":"grafana"}`))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestKeysAreKept(t *testing.T) {
	for _, a := range Algorithms {
		key := testKeys()[a]
		private, err := key.Private()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseKey(a, private)
		if err != nil || again.ID != key.ID {
			t.Fatal(again, err)
		}
		token, err := again.SignIDToken(someToken, time.Unix(1_800_000_000, 0))
		if err != nil {
			t.Fatal(err)
		}
		checkSignature(t, key, token)
		for _, other := range Algorithms {
			if _, err := ParseKey(other, private); (err == nil) != (other == a) {
				t.Errorf("a key of %s as %s: %v", a, other, err)
			}
		}
		if strings.Contains(string(publicOf(t, key)[0]), `"d"`) {
			t.Error("the private part is published")
		}
	}
	if _, err := ParseKey(RS256, []byte("x")); err == nil {
		t.Error("words are a key")
	}
	if _, err := NewKey("HS256"); err == nil {
		t.Error("HS256 has a key")
	}
}

func TestKeySet(t *testing.T) {
	empty, err := KeySet(nil)
	if err != nil || string(empty) != `{"keys":[]}` {
		t.Fatal(string(empty), err)
	}
	document, err := KeySet(publicOf(t, testKeys()[RS256], testKeys()[ES256]))
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(document, &set); err != nil || len(set.Keys) != 2 {
		t.Fatal(err, string(document))
	}
	for i, names := range [][]string{{"kty", "kid", "use", "alg", "n", "e"}, {"kty", "kid", "use", "alg", "crv", "x", "y"}} {
		if len(set.Keys[i]) != len(names) {
			t.Errorf("got %v; want the members %v", set.Keys[i], names)
		}
	}
}

func TestLogoutToken(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	key := testKeys()[ES256]
	token, err := key.SignLogoutToken(LogoutToken{ID: "j1", Issuer: issuer, Client: "grafana", Subject: "sub1", Session: "sid1"}, now)
	if err != nil {
		t.Fatal(err)
	}
	var header, claims map[string]any
	if err := json.Unmarshal(part(t, token, 0), &header); err != nil || header["typ"] != "logout+jwt" {
		t.Error(header, err)
	}
	if err := json.Unmarshal(part(t, token, 1), &claims); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"iss": issuer, "sub": "sub1", "aud": "grafana", "iat": 1_800_000_000.0, "exp": 1_800_000_120.0, "jti": "j1", "sid": "sid1",
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if !reflect.DeepEqual(claims, want) {
		t.Errorf("claims\n%v\nwant\n%v", claims, want)
	}
	checkSignature(t, key, token)
}

func TestNextKey(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	day := 24 * time.Hour
	for _, c := range []struct {
		name   string
		newest time.Time
		now    time.Time
		from   time.Time
		due    bool
	}{
		{"the first signs at once", time.Time{}, start, start, true},
		{"young", start, start.Add(30 * day), time.Time{}, false},
		{"a day before its end", start, start.Add(89 * day), start.Add(90 * day), true},
		{"long after its end", start, start.Add(200 * day), start.Add(201 * day), true},
		{"made and not used yet", start.Add(90 * day), start.Add(89 * day), time.Time{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if from, due := NextKey(c.newest, c.now); due != c.due || !from.Equal(c.from) {
				t.Errorf("got %v, %v", from, due)
			}
		})
	}
}
