package passkeys

import (
	"errors"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Limits of WebAuthn and of ours.
const (
	MaxPerPerson      = 20
	MaxCredentialID   = 1023 // bytes; WebAuthn Level 3, 7.1 step 26
	MaxAnswer         = 60 * 1024
	UserHandleSize    = 32
	ChallengeSize     = 32
	maxTransports     = 10
	maxTransportChars = 32
)

// The refusals of an answer. All of them are one sentence to people: which it was is for
// the activity and for tests.
var (
	ErrRefused = errors.New("the passkey's answer is not right")
	ErrCounter = errors.New("the passkey's counter did not rise: it may have been copied")
)

// A Passkey is a credential as it is stored. Every field is given back to the library as
// it was, since it compares some of them with the next answer.
type Passkey struct {
	ID           []byte // the credential's id, as the authenticator chose it
	PublicKey    []byte // a COSE key
	RPID         string // what it was made for
	AAGUID       []byte // the authenticator's model; zeros when it does not tell
	Transports   []string
	Attachment   string
	Attestation  string // type and format of its attestation
	Flags        byte   // of the authenticator data, of the registration, with the backup flags of its last use
	SignCount    uint32
	Discoverable Answered // whether it signs in without a name
}

// Answered is a yes or no that an authenticator may leave open.
type Answered int

// The three answers.
const (
	Unsaid Answered = iota
	No
	Yes
)

// Synced reports whether the passkey is, or may be, on other devices too.
func (p Passkey) Synced() bool { return protocol.AuthenticatorFlags(p.Flags).HasBackupEligible() }

// Verifies reports whether the person was verified when the passkey was made: then it can
// stand in place of password and code.
func (p Passkey) Verifies() bool { return protocol.AuthenticatorFlags(p.Flags).HasUserVerified() }

// attestation joins type and format, of which only the format may hold a "-".
func attestation(c webauthn.Credential) string { return c.AttestationType + "/" + c.AttestationFormat }

// credential returns the passkey as the library has it.
func (p Passkey) credential() webauthn.Credential {
	kind, format, _ := strings.Cut(p.Attestation, "/")
	c := webauthn.Credential{
		ID:                p.ID,
		PublicKey:         p.PublicKey,
		AttestationType:   kind,
		AttestationFormat: format,
		Flags:             webauthn.NewCredentialFlags(protocol.AuthenticatorFlags(p.Flags)),
		Authenticator: webauthn.Authenticator{
			AAGUID:     p.AAGUID,
			SignCount:  p.SignCount,
			Attachment: protocol.AuthenticatorAttachment(p.Attachment),
		},
	}
	for _, t := range p.Transports {
		c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
	}
	return c
}

// A Proof is what a right answer proves.
type Proof struct {
	UserVerified bool // the device has verified the person: a finger, a face, a PIN
	Synced       bool
}

// An Owner is whose passkeys a ceremony is about.
type Owner struct {
	Handle []byte // 32 random bytes, never an id or address
	Name   string // what people know their account by: the e-mail address
	Shown  string // the person's name
}

// user is an owner with passkeys as the library asks for it.
type user struct {
	Owner
	keys []Passkey
}

func (u user) WebAuthnID() []byte          { return u.Handle }
func (u user) WebAuthnName() string        { return u.Name }
func (u user) WebAuthnDisplayName() string { return u.Shown }

func (u user) WebAuthnCredentials() []webauthn.Credential {
	out := make([]webauthn.Credential, 0, len(u.keys))
	for _, k := range u.keys {
		out = append(out, k.credential())
	}
	return out
}
