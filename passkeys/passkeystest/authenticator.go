// Package passkeystest is an authenticator and a browser by hand: it answers WebAuthn
// options with Go's own cryptography, rightly, or wrongly in one chosen way. It shares no
// code with the library that verifies.
package passkeystest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// The bits of an authenticator's flags.
const (
	UserPresent    = 1 << 0
	UserVerified   = 1 << 2
	BackupEligible = 1 << 3
	BackupState    = 1 << 4
	attestedData   = 1 << 6
)

// COSE algorithms.
const (
	ES256 = -7
	EdDSA = -8
	RS256 = -257
)

// An Authenticator holds one credential.
type Authenticator struct {
	Algorithm  int
	ID         []byte
	UserHandle []byte
	Counter    uint32
	Flags      byte // of every answer
	AAGUID     [16]byte
	Resident   bool // tells whose it is in every answer

	key crypto.Signer
}

// New makes an authenticator without a credential, like a phone that verifies its owner.
func New() *Authenticator {
	return &Authenticator{Algorithm: ES256, Flags: UserPresent | UserVerified, Resident: true}
}

// NewU2F makes one like an old security key: it neither verifies nor knows whose it is.
func NewU2F() *Authenticator { return &Authenticator{Algorithm: ES256, Flags: UserPresent} }

// Clone returns a copy of the authenticator, with its key.
func (a *Authenticator) Clone() *Authenticator {
	out := *a
	return &out
}

// Rekey gives it another key under the same id.
func (a *Authenticator) Rekey() { a.key = newKey(a.Algorithm) }

// A Page is the browser's page on which a ceremony runs.
type Page struct {
	Origin      string
	CrossOrigin bool
	TopOrigin   string
	RPID        string // "" for what the options say
	Type        string // "" for the right one
	Challenge   string // "" for what the options say
}

// An Answer is what a page's script sends, with its parts still apart.
type Answer struct {
	ID           []byte
	ClientData   []byte
	AuthData     []byte // of an assertion
	Signature    []byte // of an assertion
	UserHandle   []byte // of an assertion
	Attestation  []byte // of a registration
	RK           *bool
	Transports   []string
	ClaimedRawID []byte // instead of ID
	Extra        map[string]any
}

// Options are what both ceremonies' options have in common.
type Options struct {
	Challenge string `json:"challenge"`
	RPID      string `json:"rpId"`
	RP        struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"rp"`
	User struct {
		ID          string `json:"id"`
		Name        string `json:"name"`
		DisplayName string `json:"displayName"`
	} `json:"user"`
	Parameters []struct {
		Type      string `json:"type"`
		Algorithm int    `json:"alg"`
	} `json:"pubKeyCredParams"`
	Timeout          int            `json:"timeout"`
	UserVerification string         `json:"userVerification"`
	Allow            []Descriptor   `json:"allowCredentials"`
	Exclude          []Descriptor   `json:"excludeCredentials"`
	Attestation      string         `json:"attestation"`
	Selection        map[string]any `json:"authenticatorSelection"`
	Extensions       map[string]any `json:"extensions"`
}

// A Descriptor names a credential in options.
type Descriptor struct {
	ID         string   `json:"id"`
	Type       string   `json:"type"`
	Transports []string `json:"transports"`
}

// ReadOptions parses the JSON of options.
func ReadOptions(text string) (Options, error) {
	var o Options
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return o, fmt.Errorf("options: %w", err)
	}
	return o, nil
}

func newKey(algorithm int) crypto.Signer {
	switch algorithm {
	case EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		must(err)
		return key
	case RS256:
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		must(err)
		return key
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	return key
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Create answers navigator.credentials.create.
func (a *Authenticator) Create(options string, page Page) (Answer, error) {
	id := make([]byte, 32)
	rand.Read(id)
	return a.CreateWithID(options, page, id)
}

// CreateWithID is Create for an id that the authenticator chooses so.
func (a *Authenticator) CreateWithID(options string, page Page, id []byte) (Answer, error) {
	o, err := ReadOptions(options)
	if err != nil {
		return Answer{}, err
	}
	a.ID = id
	if a.UserHandle, err = decode(o.User.ID); err != nil {
		return Answer{}, err
	}
	a.key = newKey(a.Algorithm)
	a.Counter++
	data := authData(orElse(page.RPID, o.RP.ID), a.Flags|attestedData, a.Counter)
	data = append(data, a.AAGUID[:]...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.ID)))
	data = append(data, a.ID...)
	data = append(data, a.PublicKey()...)
	return Answer{
		ID:          a.ID,
		ClientData:  clientData(page, "webauthn.create", o.Challenge),
		Attestation: AttestationObject(data),
		RK:          &a.Resident,
		Transports:  []string{"internal"},
	}, nil
}

// AttestationObject wraps authenticator data in an attestation of the kind "none".
func AttestationObject(authData []byte) []byte {
	return cborMap(
		cborText("fmt"), cborText("none"),
		cborText("attStmt"), []byte{0xa0},
		cborText("authData"), cborBytes(authData),
	)
}

// PublicKey returns the credential's key as COSE.
func (a *Authenticator) PublicKey() []byte {
	switch key := a.key.Public().(type) {
	case ed25519.PublicKey:
		return cborMap(cborInt(1), cborInt(1), cborInt(3), cborInt(EdDSA), cborInt(-1), cborInt(6),
			cborInt(-2), cborBytes(key))
	case *rsa.PublicKey:
		return cborMap(cborInt(1), cborInt(3), cborInt(3), cborInt(RS256), cborInt(-1), cborBytes(key.N.Bytes()),
			cborInt(-2), cborBytes([]byte{1, 0, 1}))
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		must(err)
		return cborMap(cborInt(1), cborInt(2), cborInt(3), cborInt(ES256), cborInt(-1), cborInt(1),
			cborInt(-2), cborBytes(point[1:33]), cborInt(-3), cborBytes(point[33:]))
	}
	panic("no such key")
}

// Get answers navigator.credentials.get.
func (a *Authenticator) Get(options string, page Page) (Answer, error) {
	o, err := ReadOptions(options)
	if err != nil {
		return Answer{}, err
	}
	a.Counter++
	answer := Answer{
		ID:         a.ID,
		ClientData: clientData(page, "webauthn.get", o.Challenge),
		AuthData:   authData(orElse(page.RPID, o.RPID), a.Flags, a.Counter),
	}
	if a.Resident {
		answer.UserHandle = a.UserHandle
	}
	a.Sign(&answer)
	return answer, nil
}

// Sign signs an assertion, whatever stands in it.
func (a *Authenticator) Sign(answer *Answer) {
	hash := sha256.Sum256(answer.ClientData)
	signed := append(append([]byte{}, answer.AuthData...), hash[:]...)
	var err error
	if a.Algorithm == EdDSA {
		answer.Signature, err = a.key.Sign(rand.Reader, signed, crypto.Hash(0))
	} else {
		digest := sha256.Sum256(signed)
		answer.Signature, err = a.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	}
	must(err)
}

// JSON is what the page's script sends.
func (a Answer) JSON() string {
	response := map[string]any{"clientDataJSON": encode(a.ClientData)}
	if a.Attestation != nil {
		response["attestationObject"] = encode(a.Attestation)
		response["transports"] = a.Transports
	} else {
		response["authenticatorData"] = encode(a.AuthData)
		response["signature"] = encode(a.Signature)
		if len(a.UserHandle) > 0 {
			response["userHandle"] = encode(a.UserHandle)
		}
	}
	results := map[string]any{}
	if a.RK != nil && a.Attestation != nil {
		results["credProps"] = map[string]any{"rk": *a.RK}
	}
	raw := a.ID
	if a.ClaimedRawID != nil {
		raw = a.ClaimedRawID
	}
	out := map[string]any{
		"id": encode(raw), "rawId": encode(raw), "type": "public-key", "response": response,
		"clientExtensionResults": results,
	}
	for k, v := range a.Extra {
		out[k] = v
	}
	text, err := json.Marshal(out)
	must(err)
	return string(text)
}

func clientData(page Page, kind, challenge string) []byte {
	data := map[string]any{
		"type": orElse(page.Type, kind), "challenge": orElse(page.Challenge, challenge), "origin": page.Origin,
		"crossOrigin": page.CrossOrigin,
	}
	if page.TopOrigin != "" {
		data["topOrigin"] = page.TopOrigin
	}
	text, err := json.Marshal(data)
	must(err)
	return text
}

func authData(rpID string, flags byte, counter uint32) []byte {
	hash := sha256.Sum256([]byte(rpID))
	data := append(hash[:], flags)
	return binary.BigEndian.AppendUint32(data, counter)
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func encode(raw []byte) string           { return base64.RawURLEncoding.EncodeToString(raw) }
func decode(text string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(text) }

// What little CBOR (RFC 8949) a key and an attestation take.

func cborHead(kind byte, n int) []byte {
	switch {
	case n < 24:
		return []byte{kind<<5 | byte(n)}
	case n < 1<<8:
		return []byte{kind<<5 | 24, byte(n)}
	}
	return binary.BigEndian.AppendUint16([]byte{kind<<5 | 25}, uint16(n))
}

func cborInt(n int) []byte {
	if n < 0 {
		return cborHead(1, -1-n)
	}
	return cborHead(0, n)
}

func cborBytes(raw []byte) []byte { return append(cborHead(2, len(raw)), raw...) }
func cborText(text string) []byte { return append(cborHead(3, len(text)), text...) }

func cborMap(entries ...[]byte) []byte {
	out := cborHead(5, len(entries)/2)
	for _, e := range entries {
		out = append(out, e...)
	}
	return out
}
