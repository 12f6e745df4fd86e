package db

import (
	"context"
	"time"

	"gatehouse/account"
	"gatehouse/passkeys"
	"gatehouse/twofactor"
)

// BeginStepUp asks the visitor's browser for one of their passkeys, which must verify
// them. It returns "" when none of theirs works here.
func (s *Store) BeginStepUp(ctx context.Context, v Visitor, party passkeys.Party,
	now time.Time) (options string, err error) {
	o, err := s.passkeyOwner(ctx, v.Person.ID)
	if err != nil {
		return "", err
	}
	if party.ID == "" || len(party.Usable(credentialsOf(o.keys))) == 0 {
		return "", nil
	}
	c, err := party.BeginProof(o.Owner, credentialsOf(o.keys), true, passkeys.NewChallenge())
	if err != nil {
		return "", err
	}
	return c.Options, s.beginCeremony(ctx, v, ceremonyStepUp, c, now)
}

// StepUpWithPasskey notes that the visitor has just proved who they are, with a passkey
// that has verified them: as good as the password. It refuses with ErrWrongPasskey and
// ErrPasskeyOver; the ceremony is over then.
func (s *Store) StepUpWithPasskey(ctx context.Context, v Visitor, party passkeys.Party, answer string, c Client,
	now time.Time) error {
	a, err := passkeys.ParseAssertion(answer)
	if err != nil {
		return passkeyRefusal(err)
	}
	state, err := s.spendCeremony(ctx, v, ceremonyStepUp, a.Challenge, now)
	if err != nil {
		return err
	}
	o, err := s.passkeyOwner(ctx, v.Person.ID)
	if err != nil {
		return err
	}
	used, refusal := o.verifyAnswer(party, state, a)
	if refusal != nil && !isWrongPasskey(refusal) {
		return refusal
	}
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		refusal := refusal
		if refusal == nil {
			refusal = s.usePasskey(t, used, now)
		}
		if isWrongPasskey(refusal) {
			return t.refuseStepUp(v, used, refusal, c, now)
		}
		if refusal != nil {
			return refusal
		}
		return t.noteProof(v, byPasskey(used, now), now)
	})
}

func (t *tx) refuseStepUp(v Visitor, u usedPasskey, refusal error, c Client, now time.Time) error {
	if err := t.noteCopied(u, refusal, now); err != nil {
		return err
	}
	if _, err := t.appendActivity(now, activityEntry{
		event:   account.PasskeyFailed,
		failed:  true,
		actor:   v.Actor(c),
		subject: v.Person.ID,
		method:  account.ByPasskey,
	}); err != nil {
		return err
	}
	return twofactor.ErrWrongPasskey
}
