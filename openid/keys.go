package openid

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// An Algorithm is one by which tokens are signed.
type Algorithm string

// The algorithms. Nothing is signed or taken under another.
const (
	RS256 Algorithm = "RS256"
	ES256 Algorithm = "ES256"
)

// Algorithms lists them; the first is what every client understands.
var Algorithms = []Algorithm{RS256, ES256}

// allowed is what go-jose may take.
var allowed = []jose.SignatureAlgorithm{jose.RS256, jose.ES256}

// Known reports whether the algorithm is one of the two.
func (a Algorithm) Known() bool { return slices.Contains(Algorithms, a) }

// rsaBits is the length of RSA keys.
const rsaBits = 2048

// A Key signs tokens.
type Key struct {
	ID        string // the JWK thumbprint (RFC 7638)
	Algorithm Algorithm
	private   crypto.Signer
	signers   map[string]jose.Signer // by the type of token
}

// The types of tokens, as their headers name them.
const (
	idTokenType     = "JWT"
	logoutTokenType = "logout+jwt"
)

// NewKey makes a key. It takes up to a second of a processor: never in a request.
func NewKey(a Algorithm) (*Key, error) {
	var private crypto.Signer
	var err error
	switch a {
	case RS256:
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		return nil, fmt.Errorf("no such algorithm: %s", a)
	}
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return newKey(a, private)
}

func newKey(a Algorithm, private crypto.Signer) (*Key, error) {
	jwk := jose.JSONWebKey{Key: private.Public()}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("naming a key: %w", err)
	}
	k := &Key{
		ID:        base64.RawURLEncoding.EncodeToString(sum),
		Algorithm: a,
		private:   private,
		signers:   map[string]jose.Signer{},
	}
	for _, kind := range []string{idTokenType, logoutTokenType} {
		k.signers[kind], err = jose.NewSigner(
			jose.SigningKey{Algorithm: jose.SignatureAlgorithm(a), Key: jose.JSONWebKey{Key: private, KeyID: k.ID}},
			(&jose.SignerOptions{}).WithType(jose.ContentType(kind)))
		if err != nil {
			return nil, fmt.Errorf("preparing a key: %w", err)
		}
	}
	return k, nil
}

// Private returns the key as it is sealed (PKCS 8).
func (k *Key) Private() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k.private) }

// ParseKey reads what Private has returned.
func ParseKey(a Algorithm, private []byte) (*Key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	switch key := parsed.(type) {
	case *rsa.PrivateKey:
		if a == RS256 && key.N.BitLen() >= rsaBits {
			return newKey(a, key)
		}
	case *ecdsa.PrivateKey:
		if a == ES256 && key.Curve == elliptic.P256() {
			return newKey(a, key)
		}
	}
	return nil, fmt.Errorf("this key does not sign with %s", a)
}

// Public returns the public part as a JSON Web Key (RFC 7517).
func (k *Key) Public() ([]byte, error) {
	return json.Marshal(jose.JSONWebKey{
		Key:       k.private.Public(),
		KeyID:     k.ID,
		Algorithm: string(k.Algorithm),
		Use:       "sig",
	})
}

// KeySet joins public parts into the document at /oauth/keys.
func KeySet(public [][]byte) ([]byte, error) {
	set := struct {
		Keys []json.RawMessage `json:"keys"`
	}{Keys: []json.RawMessage{}}
	for _, one := range public {
		set.Keys = append(set.Keys, one)
	}
	return json.Marshal(set)
}

// sign returns a token of a type that holds the claims.
func (k *Key) sign(kind string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("writing claims: %w", err)
	}
	signed, err := k.signers[kind].Sign(payload)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return signed.CompactSerialize()
}

// errNotOurs refuses a token without saying why.
var errNotOurs = errors.New("not a token of ours")

// verify returns what a token holds if one of the public keys has signed it: the one that
// it names. An RSA key verifies RS256 alone of what is allowed, and one on P-256 ES256.
func verify(token string, public [][]byte) (payload []byte, err error) {
	parsed, err := jose.ParseSignedCompact(token, allowed)
	if err != nil || len(parsed.Signatures) != 1 {
		return nil, errNotOurs
	}
	header := parsed.Signatures[0].Header
	for _, one := range public {
		var key jose.JSONWebKey
		if err := json.Unmarshal(one, &key); err != nil {
			return nil, fmt.Errorf("reading a public key: %w", err)
		}
		if key.KeyID != header.KeyID {
			continue
		}
		if payload, err = parsed.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, errNotOurs
}

// AccessTokenHash returns at_hash: the left half of the token's SHA-256 (OpenID Connect
// Core, 3.1.3.6).
func AccessTokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
