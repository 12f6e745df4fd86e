package passkeys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Timeout is how long a browser waits for a person, and a ceremony for its answer.
const Timeout = 5 * time.Minute

// A Party is the relying party: what passkeys are made for, and where they are used.
type Party struct {
	ID      string   // a host name
	Name    string   // the workspace's
	Origins []string // the pages that may use them, as browsers write them
}

// A Ceremony is what a browser is asked for.
type Ceremony struct {
	Options   string // JSON, for navigator.credentials
	State     []byte // what verifying the answer takes: kept, or made again from the same challenge
	Challenge []byte
}

func (p Party) library() (*webauthn.WebAuthn, error) {
	timeout := webauthn.TimeoutConfig{Timeout: Timeout, TimeoutUVD: Timeout}
	w, err := webauthn.New(&webauthn.Config{
		RPID:                  p.ID,
		RPDisplayName:         p.Name,
		RPOrigins:             p.Origins,
		AttestationPreference: protocol.PreferNoAttestation,
		Timeouts:              webauthn.TimeoutsConfig{Login: timeout, Registration: timeout},
		// Password managers answer extensions that nobody asked for. Nothing depends on them.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("preparing WebAuthn for %s: %w", p.ID, err)
	}
	return w, nil
}

// algorithms are the kinds of keys that are asked for, the best first.
var algorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

// BeginRegistration asks for a new passkey on an authenticator that holds none of the
// owner's yet.
func (p Party) BeginRegistration(o Owner, existing []Passkey) (Ceremony, error) {
	w, err := p.library()
	if err != nil {
		return Ceremony{}, err
	}
	u := user{o, existing}
	creation, state, err := w.BeginRegistration(u,
		webauthn.WithCredentialParameters(algorithms),
		webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{
			ResidentKey:        protocol.ResidentKeyRequirementPreferred,
			RequireResidentKey: protocol.ResidentKeyNotRequired(),
			UserVerification:   protocol.VerificationPreferred,
		}),
		webauthn.WithExclusions(webauthn.Credentials(u.WebAuthnCredentials()).CredentialDescriptors()),
		webauthn.WithExtensions(webauthn.WithExtensionCredProps()))
	if err != nil {
		return Ceremony{}, fmt.Errorf("beginning a registration: %w", err)
	}
	return newCeremony(creation.Response, state, creation.Response.Challenge)
}

// BeginProof asks for one of the owner's passkeys. The challenge is of ChallengeSize
// random bytes, or of a keyed hash. verified says that the device must verify the person.
func (p Party) BeginProof(o Owner, keys []Passkey, verified bool, challenge []byte) (Ceremony, error) {
	w, err := p.library()
	if err != nil {
		return Ceremony{}, err
	}
	keys = p.Usable(keys)
	if len(keys) == 0 {
		return Ceremony{}, ErrRefused
	}
	assertion, state, err := w.BeginLogin(user{o, keys}, webauthn.WithChallenge(challenge),
		webauthn.WithUserVerification(verification(verified)))
	if err != nil {
		return Ceremony{}, fmt.Errorf("asking for a passkey: %w", err)
	}
	return newCeremony(assertion.Response, state, challenge)
}

// BeginSignIn asks for any passkey of anybody, which must verify the person.
func (p Party) BeginSignIn(challenge []byte) (Ceremony, error) {
	w, err := p.library()
	if err != nil {
		return Ceremony{}, err
	}
	assertion, state, err := w.BeginDiscoverableLogin(webauthn.WithChallenge(challenge),
		webauthn.WithUserVerification(verification(true)))
	if err != nil {
		return Ceremony{}, fmt.Errorf("asking for a passkey: %w", err)
	}
	return newCeremony(assertion.Response, state, challenge)
}

func verification(must bool) protocol.UserVerificationRequirement {
	if must {
		return protocol.VerificationRequired
	}
	return protocol.VerificationPreferred
}

func newCeremony(options any, state *webauthn.SessionData, challenge []byte) (Ceremony, error) {
	text, err := json.Marshal(options)
	if err != nil {
		return Ceremony{}, fmt.Errorf("writing a ceremony's options: %w", err)
	}
	kept, err := json.Marshal(state)
	if err != nil {
		return Ceremony{}, fmt.Errorf("writing a ceremony's state: %w", err)
	}
	return Ceremony{Options: string(text), State: kept, Challenge: challenge}, nil
}

// Usable returns the passkeys that were made for this party.
func (p Party) Usable(keys []Passkey) []Passkey {
	return slices.DeleteFunc(slices.Clone(keys), func(k Passkey) bool { return k.RPID != p.ID })
}

// A Registration is the answer of a browser that was asked for a new passkey.
type Registration struct {
	Challenge []byte // which ceremony it answers
	parsed    *protocol.ParsedCredentialCreationData
}

// ParseRegistration reads such an answer, and refuses with ErrRefused what is none.
func ParseRegistration(answer string) (Registration, error) {
	if len(answer) > MaxAnswer {
		return Registration{}, ErrRefused
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return Registration{}, refused(err)
	}
	challenge, err := decodeChallenge(parsed.Response.CollectedClientData.Challenge)
	return Registration{challenge, parsed}, err
}

// FinishRegistration verifies the answer to BeginRegistration and returns the new passkey.
func (p Party) FinishRegistration(o Owner, state []byte, r Registration) (Passkey, error) {
	w, kept, err := p.resume(state)
	if err != nil {
		return Passkey{}, err
	}
	if err := p.checkOrigin(r.parsed.Response.CollectedClientData); err != nil {
		return Passkey{}, err
	}
	c, err := w.CreateCredential(user{Owner: o}, kept, r.parsed)
	if err != nil {
		return Passkey{}, refused(err)
	}
	if len(c.ID) == 0 || len(c.ID) > MaxCredentialID || !bytes.Equal(c.ID, r.parsed.RawID) {
		return Passkey{}, ErrRefused
	}
	made := Passkey{
		ID:          c.ID,
		PublicKey:   c.PublicKey,
		RPID:        p.ID,
		AAGUID:      c.Authenticator.AAGUID,
		Attachment:  string(c.Authenticator.Attachment),
		Attestation: attestation(*c),
		Flags:       c.Flags.MsgpByte(),
		SignCount:   c.Authenticator.SignCount,
	}
	for _, t := range c.Transport[:min(len(c.Transport), maxTransports)] {
		if isWord(string(t)) {
			made.Transports = append(made.Transports, string(t))
		}
	}
	if !isWord(made.Attachment) {
		made.Attachment = ""
	}
	if rk := c.Extensions.RK; rk != nil {
		made.Discoverable = No
		if *rk {
			made.Discoverable = Yes
		}
	}
	return made, nil
}

// isWord reports whether a text of the browser's is like those of the specification.
func isWord(text string) bool {
	for _, r := range text {
		if (r < 'a' || r > 'z') && r != '-' {
			return false
		}
	}
	return text != "" && len(text) <= maxTransportChars
}

// An Assertion is the answer of a browser that was asked for a passkey.
type Assertion struct {
	ID         []byte // which passkey it says it is
	UserHandle []byte // whose, or nothing
	Challenge  []byte // which ceremony it answers
	parsed     *protocol.ParsedCredentialAssertionData
}

// ParseAssertion reads such an answer, and refuses with ErrRefused what is none.
func ParseAssertion(answer string) (Assertion, error) {
	if len(answer) > MaxAnswer {
		return Assertion{}, ErrRefused
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return Assertion{}, refused(err)
	}
	if len(parsed.RawID) > MaxCredentialID {
		return Assertion{}, ErrRefused
	}
	challenge, err := decodeChallenge(parsed.Response.CollectedClientData.Challenge)
	return Assertion{parsed.RawID, parsed.Response.UserHandle, challenge, parsed}, err
}

// Verify verifies the answer to BeginProof or BeginSignIn for one passkey of the owner. It
// returns the passkey with its new counter and backup flags, and what is proved.
func (p Party) Verify(o Owner, keys []Passkey, state []byte, a Assertion) (Passkey, Proof, error) {
	w, kept, err := p.resume(state)
	if err != nil {
		return Passkey{}, Proof{}, err
	}
	keys = p.Usable(keys)
	i := slices.IndexFunc(keys, func(k Passkey) bool { return bytes.Equal(k.ID, a.ID) })
	if i < 0 {
		return Passkey{}, Proof{}, ErrRefused
	}
	if err := p.checkOrigin(a.parsed.Response.CollectedClientData); err != nil {
		return Passkey{}, Proof{}, err
	}
	flags := a.parsed.Response.AuthenticatorData.Flags
	if flags.HasBackupEligible() {
		// A passkey that was on one device alone may begin to be synced; the library wants it
		// as it was. The way back is refused, and so is "is synced" without "may be synced".
		keys[i].Flags |= byte(protocol.FlagBackupEligible)
	}
	u := user{o, keys}
	var c *webauthn.Credential
	if len(kept.UserID) == 0 {
		c, err = w.ValidateDiscoverableLogin(func([]byte, []byte) (webauthn.User, error) { return u, nil }, kept, a.parsed)
	} else {
		c, err = w.ValidateLogin(u, kept, a.parsed)
	}
	if err != nil {
		return Passkey{}, Proof{}, refused(err)
	}
	if c.Authenticator.CloneWarning {
		return keys[i], Proof{}, ErrCounter
	}
	used := keys[i]
	used.Flags, used.SignCount = c.Flags.MsgpByte(), c.Authenticator.SignCount
	return used, Proof{UserVerified: flags.HasUserVerified(), Synced: used.Synced()}, nil
}

// resume returns the library with the state of a ceremony of this party.
func (p Party) resume(state []byte) (*webauthn.WebAuthn, webauthn.SessionData, error) {
	var kept webauthn.SessionData
	if err := json.Unmarshal(state, &kept); err != nil {
		return nil, kept, fmt.Errorf("reading a ceremony's state: %w", err)
	}
	if kept.RelyingPartyID != p.ID {
		return nil, kept, ErrRefused // the base URL has moved meanwhile
	}
	w, err := p.library()
	return w, kept, err
}

// checkOrigin demands the origin letter for letter, and no page that another frames.
func (p Party) checkOrigin(c protocol.CollectedClientData) error {
	if !slices.Contains(p.Origins, c.Origin) || c.CrossOrigin || c.TopOrigin != "" {
		return fmt.Errorf("%w: from %.200q, framed: %t", ErrRefused, c.Origin, c.CrossOrigin || c.TopOrigin != "")
	}
	return nil
}

// refused makes a refusal of the library's errors, whose texts are for the log.
func refused(err error) error {
	if detail, ok := errors.AsType[*protocol.Error](err); ok {
		return fmt.Errorf("%w: %s", ErrRefused, detail.Details)
	}
	return fmt.Errorf("%w: %.200s", ErrRefused, err.Error())
}
