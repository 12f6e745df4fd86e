package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/passkeys"
	"gatehouse/twofactor"
)

// BeginPasskey asks the visitor's browser for a new passkey. The caller has checked that
// the proof is fresh. It refuses with ErrTooManyPasskeys.
func (s *Store) BeginPasskey(ctx context.Context, v Visitor, party passkeys.Party,
	now time.Time) (passkeys.Ceremony, error) {
	o, err := s.passkeyOwner(ctx, v.Person.ID)
	if err != nil {
		return passkeys.Ceremony{}, err
	}
	if len(o.keys) >= passkeys.MaxPerPerson {
		return passkeys.Ceremony{}, twofactor.ErrTooManyPasskeys
	}
	c, err := party.BeginRegistration(o.Owner, party.Usable(credentialsOf(o.keys)))
	if err != nil {
		return c, err
	}
	return c, s.beginCeremony(ctx, v, ceremonyRegister, c, now)
}

// An AddedPasskey is what AddPasskey returns.
type AddedPasskey struct {
	RotatedSession // its Codes are there when this is the person's first factor
	Enrollment     twofactor.Enrollment
	Name           string
}

// AddPasskey stores the passkey that a browser has made, rotates the session's id and ends
// all others. The first factor of a person comes with recovery codes. It refuses with
// ErrWrongPasskey, ErrPasskeyOver, ErrPasskeyTaken, ErrTooManyPasskeys and a FieldError of
// name; after ErrPasskeyOver and ErrWrongPasskey the ceremony is over.
func (s *Store) AddPasskey(ctx context.Context, v Visitor, party passkeys.Party, answer, name string, c Client,
	now time.Time) (AddedPasskey, error) {
	var out AddedPasskey
	if strings.TrimSpace(name) != "" {
		parsed, err := account.ParseName("name", name)
		if err != nil {
			return out, err
		}
		name = parsed
	} else {
		name = ""
	}
	r, err := passkeys.ParseRegistration(answer)
	if err != nil {
		return out, passkeyRefusal(err)
	}
	state, err := s.spendCeremony(ctx, v, ceremonyRegister, r.Challenge, now)
	if err != nil {
		return out, err
	}
	o, err := s.passkeyOwner(ctx, v.Person.ID)
	if err != nil {
		return out, err
	}
	made, err := party.FinishRegistration(o.Owner, state, r)
	if err != nil {
		return out, passkeyRefusal(err)
	}
	first, err := s.firstFactor(ctx, v, now)
	if err != nil {
		return out, err
	}
	defer first.end()
	err = s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		out = AddedPasskey{}
		if err := t.requireSession(v); err != nil {
			return err
		}
		keys, err := t.passkeys(v.Person.ID)
		if err != nil {
			return err
		}
		if len(keys) >= passkeys.MaxPerPerson {
			return twofactor.ErrTooManyPasskeys
		}
		p := Passkey{
			Passkey: made,
			Handle:  newHandle(),
			Name:    passkeyName(name, made, keys),
			person:  v.Person.ID,
		}
		if err := s.insertPasskey(t, p, now); err != nil {
			return err
		}
		out.Name = p.Name
		if out.Codes, err = s.giveFirstCodes(t, v, first, c, now); err != nil {
			return err
		}
		if err := t.updateEnrolled(v.Person.ID); err != nil {
			return err
		}
		if err := t.noteSecondStep(v, now, p.amr()...); err != nil {
			return err
		}
		if out.Session, err = t.rotateSession(v); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.PasskeyAdded,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			detail:  p.Name,
		})
		return err
	})
	return out, err
}

// insertPasskey writes a new row. A credential's id belongs to one person of the workspace.
func (s *Store) insertPasskey(t *tx, p Passkey, now time.Time) error {
	keys, err := s.keyring(t)
	if err != nil {
		return err
	}
	n, err := t.exec(`INSERT INTO passkey (id, handle, person_id, rp_id, name, public_key, aaguid, transports, attachment,
			attestation, flags, sign_count, discoverable, made_at, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (id) DO NOTHING`,
		p.ID, p.Handle, p.person, p.RPID, p.Name, p.PublicKey, p.AAGUID, strings.Join(p.Transports, " "), p.Attachment,
		p.Attestation, p.Flags, p.SignCount, p.Discoverable, unix(now), keys.MAC(p.context()))
	if err == nil && n == 0 {
		return twofactor.ErrPasskeyTaken
	}
	return err
}

// passkeyName returns the name that was typed, or the provider's, or a number.
func passkeyName(typed string, made passkeys.Passkey, others []Passkey) string {
	if typed != "" {
		return typed
	}
	isTaken := func(name string) bool {
		return slices.ContainsFunc(others, func(p Passkey) bool { return p.Name == name })
	}
	name := passkeys.ProviderName(made.AAGUID)
	if name != "" && !isTaken(name) {
		return name
	}
	if name == "" {
		name = "Passkey"
		if !isTaken(name) && len(others) == 0 {
			return name
		}
	}
	for n := 2; ; n++ {
		if numbered := fmt.Sprintf("%s %d", name, n); !isTaken(numbered) {
			return numbered
		}
	}
}

// RenamePasskey gives one of the visitor's passkeys another name. It refuses with a
// FieldError, or ErrNotFound.
func (s *Store) RenamePasskey(ctx context.Context, v Visitor, handle, typed string, c Client, now time.Time) error {
	name, err := account.ParseName("name", typed)
	if err != nil {
		return err
	}
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		p, err := t.passkeyByHandle(v.Person.ID, handle)
		if err != nil || p.Name == name {
			return err
		}
		if err := t.execOne(`UPDATE passkey SET name = $1 WHERE id = $2`, name, p.ID); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.PasskeyRenamed,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			detail:  name,
		})
		return err
	})
}

// RemovePasskey removes one of the visitor's passkeys, rotates the session's id and ends
// all others. The caller has checked that the proof is fresh. The last factor goes like
// the app: with DisableTwoFactor, which asks for the password; it is ErrLastFactor here.
func (s *Store) RemovePasskey(ctx context.Context, v Visitor, handle string, c Client,
	now time.Time) (RotatedSession, error) {
	var out RotatedSession
	err := s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		out = RotatedSession{}
		if err := t.requireSession(v); err != nil {
			return err
		}
		p, err := t.passkeyByHandle(v.Person.ID, handle)
		if err != nil {
			return err
		}
		if err := t.execOne(`DELETE FROM passkey WHERE id = $1`, p.ID); err != nil {
			return err
		}
		if err := t.updateEnrolled(v.Person.ID); err != nil {
			return err
		}
		var enrolled bool
		if err := t.row(`SELECT enrolled FROM person WHERE id = $1`, v.Person.ID).Scan(&enrolled); err != nil {
			return fmt.Errorf("reading a person: %w", err)
		}
		if !enrolled {
			return errUndo
		}
		if out.Session, err = t.rotateSession(v); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.PasskeyRemoved,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			detail:  p.Name,
		})
		return err
	})
	if errors.Is(err, errUndo) {
		err = twofactor.ErrLastFactor
	}
	return out, err
}

// errUndo undoes a transaction.
var errUndo = errors.New("undone")

// passkeyRefusal makes the one refusal of an answer that is not right. Anything else is a
// fault.
func passkeyRefusal(err error) error {
	if errors.Is(err, passkeys.ErrRefused) || errors.Is(err, passkeys.ErrCounter) {
		return twofactor.ErrWrongPasskey
	}
	return err
}

// RemoveAuthenticatorApp takes the visitor's app away and leaves passkeys and recovery codes,
// when the password is right; it rotates the session's id and ends all others. It refuses
// with ErrWrongPassword or Wait, with ErrNotEnabled, and with ErrLastFactor when there is no
// passkey.
func (s *Store) RemoveAuthenticatorApp(ctx context.Context, v Visitor, password string, c Client,
	now time.Time) (RotatedSession, error) {
	hash, err := s.checkPassword(ctx, v, password, c, now)
	if err != nil {
		return RotatedSession{}, err
	}
	var out RotatedSession
	err = s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		out = RotatedSession{}
		if err := t.requireSession(v); err != nil {
			return err
		}
		if err := t.requireUnchangedPassword(v.Person.ID, hash); err != nil {
			return err
		}
		keys, err := t.passkeys(v.Person.ID)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return twofactor.ErrLastFactor
		}
		n, err := t.exec(`DELETE FROM enrollment WHERE person_id = $1 AND state = 'enabled'`, v.Person.ID)
		if err != nil {
			return err
		}
		if n == 0 {
			return twofactor.ErrNotEnabled
		}
		if err := t.updateEnrolled(v.Person.ID); err != nil {
			return err
		}
		if out.Session, err = t.rotateSession(v); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.FactorRemoved,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			method:  account.ByPassword,
		})
		return err
	})
	return out, err
}
