package db

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/account"
	"gatehouse/passkeys"
	"gatehouse/twofactor"
)

// verifyAnswer verifies an assertion of an owner's, outside of any transaction. The
// refusal is passkeys.ErrRefused or passkeys.ErrCounter.
func (o passkeyOwner) verifyAnswer(party passkeys.Party, state []byte, a passkeys.Assertion) (usedPasskey, error) {
	k, ok := o.key(a.ID)
	if !ok {
		return usedPasskey{}, passkeys.ErrRefused
	}
	next, proof, err := party.Verify(o.Owner, credentialsOf(o.keys), state, a)
	return usedPasskey{k, next, proof}, err
}

// secondStep is the ceremony of a challenge. It is made anew for every page and every
// answer from what the challenge is, so that showing a page stores nothing and several
// tabs ask for the same: its own challenge is a keyed hash that changes with each answer
// that was refused, and the right one ends the sign-in's challenge.
func (s *Store) secondStep(party passkeys.Party, o passkeyOwner, c Challenge) (passkeys.Ceremony, error) {
	mac := hmac.New(sha256.New, s.lookup)
	fmt.Fprintf(mac, "passkey second step\x00%x\x00%d", c.hash, c.wrong)
	return party.BeginProof(o.Owner, credentialsOf(o.keys), false, mac.Sum(nil))
}

// PasskeyStep is what the second step offers of passkeys.
type PasskeyStep struct {
	Options string   // "" without a passkey that works here
	MadeFor []string // the domains of the passkeys, where none works here
	NoApp   bool     // there is no authenticator app beside them
}

// PasskeyStep returns what a challenge offers of passkeys.
func (s *Store) PasskeyStep(ctx context.Context, party passkeys.Party, c Challenge) (PasskeyStep, error) {
	o, err := s.passkeyOwner(ctx, c.person)
	if err != nil {
		return PasskeyStep{}, err
	}
	if len(o.keys) == 0 {
		return PasskeyStep{}, nil
	}
	out := PasskeyStep{NoApp: !o.app}
	if party.ID == "" || len(party.Usable(credentialsOf(o.keys))) == 0 {
		for _, k := range o.keys {
			if !slices.Contains(out.MadeFor, k.RPID) {
				out.MadeFor = append(out.MadeFor, k.RPID)
			}
		}
		return out, nil
	}
	ceremony, err := s.secondStep(party, o, c)
	out.Options = ceremony.Options
	return out, err
}

// VerifyPasskey passes a challenge with a passkey. The signature is verified first; the
// passkey's counter, the session, the end of the challenge and the activity row are one
// transaction: of many posts of one answer, one signs in. It refuses with ErrWrongPasskey,
// whose left of 0 says that the challenge is over, with ErrPasskeyOver when another answer
// was refused meanwhile, and with ErrChallengeOver.
func (s *Store) VerifyPasskey(ctx context.Context, party passkeys.Party, token, answer string, client Client,
	now time.Time) (out SignInResult, left int, err error) {
	before, err := s.Challenge(ctx, token, now)
	if err != nil {
		return out, 0, err
	}
	o, err := s.passkeyOwner(ctx, before.person)
	if err != nil {
		return out, 0, err
	}
	used, refusal := s.verifySecondStep(party, o, before, answer)
	if refusal != nil && !isWrongPasskey(refusal) {
		return out, 0, refusal
	}
	err = s.write(ctx, lockChallenge(token), func(t *tx) error {
		out, left = SignInResult{}, 0
		c, err := t.openChallenge(token, now)
		if err != nil {
			return err
		}
		if left = c.Left(); c.WrongCodes != before.wrong {
			return twofactor.ErrPasskeyOver
		}
		refusal := refusal
		if refusal == nil {
			refusal = s.usePasskey(t, used, now)
		}
		if isWrongPasskey(refusal) {
			if err := t.noteCopied(used, refusal, now); err != nil {
				return err
			}
			if left, err = t.failChallenge(c, account.ByPasskey, client, now); err != nil {
				return err
			}
			return twofactor.ErrWrongPasskey
		}
		if refusal != nil {
			return refusal
		}
		out, err = t.completeChallenge(c, account.ByPasskey, used.amr(), client, now)
		return err
	})
	if err != nil {
		return SignInResult{}, left, err
	}
	return out, left, nil
}

func (s *Store) verifySecondStep(party passkeys.Party, o passkeyOwner, c Challenge,
	answer string) (usedPasskey, error) {
	a, err := passkeys.ParseAssertion(answer)
	if err != nil {
		return usedPasskey{}, err
	}
	ceremony, err := s.secondStep(party, o, c)
	if err != nil {
		return usedPasskey{}, err
	}
	return o.verifyAnswer(party, ceremony.State, a)
}

func isWrongPasskey(err error) bool {
	return errors.Is(err, passkeys.ErrRefused) || errors.Is(err, passkeys.ErrCounter)
}

// noteCopied tells the owner of a passkey whose counter did not rise, which happens when
// it was copied.
func (t *tx) noteCopied(u usedPasskey, refusal error, now time.Time) error {
	if !errors.Is(refusal, passkeys.ErrCounter) {
		return nil
	}
	_, err := t.appendActivity(now, activityEntry{
		event:   account.PasskeyCopied,
		failed:  true,
		actor:   strangerAt(""),
		subject: u.person,
		method:  account.ByPasskey,
		detail:  u.Name,
	})
	return err
}

// publicMAC proves the challenge of a sign-in that nothing is stored of.
func (s *Store) publicMAC(text string) string { return s.MAC("passkey", text) }

// BeginPasskeySignIn asks a browser, named by a cookie, for a passkey of anybody's. It
// stores nothing.
func (s *Store) BeginPasskeySignIn(party passkeys.Party, browser string, now time.Time) (passkeys.Ceremony, error) {
	return party.BeginSignIn(passkeys.NewPublicChallenge(browser, now, s.publicMAC))
}

// SignInWithPasskey signs somebody in with a passkey that has verified them: no password
// and no code. It refuses with ErrWrongPasskey, the same for a passkey that nobody has, a
// person who is deactivated, a wrong signature and a counter that did not rise; with
// ErrPasskeyOver when the browser took too long, or sent the answer twice; and with Wait,
// which says that nothing was looked at. unknown says that no row has the passkey.
func (s *Store) SignInWithPasskey(ctx context.Context, party passkeys.Party, browser, answer, next string,
	client Client,
	now time.Time) (out SignInResult, unknown []byte, err error) {
	o, used, until, challenge, refusal := s.verifySignIn(ctx, party, browser, answer, now)
	if refusal != nil && !isWrongPasskey(refusal) && !errors.Is(refusal, twofactor.ErrPasskeyOver) {
		return out, nil, refusal
	}
	lock := lockAttempts(network(client.Address))
	if o.person != 0 {
		lock = lockPerson(o.person)
	} else if used.ID != nil {
		unknown = used.ID
	}
	err = s.write(ctx, lock, func(t *tx) error {
		out = SignInResult{}
		known, _, err := t.isKnownBrowser(o.person, client, now)
		if err != nil {
			return err
		}
		if !known {
			if err := t.countAddressAttempt(client.Address, now); err != nil {
				return err
			}
		}
		if errors.Is(refusal, twofactor.ErrPasskeyOver) {
			return refusal
		}
		if spent, err := t.isSpent(challenge); err != nil {
			return err
		} else if spent { // sent twice, which is no sign of a copied key
			return twofactor.ErrPasskeyOver
		}
		refusal := refusal
		var p credentials
		if refusal == nil {
			if p, err = t.readCredentials(`id = $1`, o.person); err != nil {
				return err
			}
			if !p.active {
				refusal = passkeys.ErrRefused
			}
		}
		if refusal == nil {
			if err := t.spendSignIn(challenge, until); err != nil {
				return err
			}
			refusal = s.usePasskey(t, used, now)
		}
		if isWrongPasskey(refusal) {
			return t.refusePasskeySignIn(o, used, refusal, client, now)
		}
		if refusal != nil {
			return refusal
		}
		if !known {
			if err := t.refundAddress(client.Address); err != nil {
				return err
			}
		}
		out = SignInResult{Next: next, CodesLeft: -1}
		out.Session, out.Browser, err = t.completeSignIn(p, newHandle(), byPasskey(used, now), client, now)
		return err
	})
	if err != nil {
		return SignInResult{}, unknown, err
	}
	return out, nil, nil
}

// refusePasskeySignIn writes the row of a refused sign-in. A passkey that nobody has leaves
// none: whoever makes them up could fill the activity, which is append only.
func (t *tx) refusePasskeySignIn(o passkeyOwner, u usedPasskey, refusal error, client Client, now time.Time) error {
	if o.person == 0 {
		return twofactor.ErrWrongPasskey
	}
	if err := t.noteCopied(u, refusal, now); err != nil {
		return err
	}
	if _, err := t.appendActivity(now, activityEntry{
		event:   account.SignInFailed,
		failed:  true,
		method:  account.ByPasskey,
		subject: o.person,
		actor:   strangerAt(client.Address),
	}); err != nil {
		return err
	}
	return twofactor.ErrWrongPasskey
}

// verifySignIn verifies the answer to a public ceremony. The owner is zero when nobody has
// the passkey; then the used one has its id alone.
func (s *Store) verifySignIn(ctx context.Context, party passkeys.Party, browser, answer string,
	now time.Time) (o passkeyOwner, used usedPasskey, until time.Time, challenge []byte, err error) {
	a, err := passkeys.ParseAssertion(answer)
	if err != nil {
		return o, used, until, nil, err
	}
	until, err = passkeys.CheckPublicChallenge(a.Challenge, browser, now, s.publicMAC, EqualMAC)
	if err != nil {
		return o, used, until, nil, twofactor.ErrPasskeyOver
	}
	o, err = s.ownerOfPasskey(ctx, a.ID)
	if errors.Is(err, ErrNotFound) {
		used.ID = a.ID
		return passkeyOwner{}, used, until, a.Challenge, passkeys.ErrRefused
	}
	if err != nil {
		return o, used, until, a.Challenge, err
	}
	ceremony, err := party.BeginSignIn(a.Challenge)
	if err != nil {
		return o, used, until, a.Challenge, err
	}
	used, err = o.verifyAnswer(party, ceremony.State, a)
	return o, used, until, a.Challenge, err
}
