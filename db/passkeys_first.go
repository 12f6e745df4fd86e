package db

import (
	"context"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// firstCodes are the recovery codes of a first factor, hashed before the transaction that
// stores them.
type firstCodes struct {
	codes  [twofactor.RecoveryCodes]twofactor.RecoveryCode
	hashed *hashedCodes // nil for somebody who has a factor
	sheet  twofactor.Sheet
	end    func()
}

// firstFactor makes the recovery codes that come with a first factor, when the visitor
// has none.
func (s *Store) firstFactor(ctx context.Context, v Visitor, now time.Time) (firstCodes, error) {
	end, err := s.turns.acquire(ctx, "sheet of "+formatID(v.Person.ID), 1) // of many at once one computes a sheet
	if err != nil {
		return firstCodes{}, err
	}
	out := firstCodes{codes: twofactor.NewRecoveryCodes(), sheet: twofactor.NewSheet("", now), end: end}
	e, err := s.TwoFactor(ctx, v)
	if err == nil && !e.Sheet.Exists() {
		out.hashed, err = s.hashCodes(ctx, personCaller(v.Person.ID), out.codes)
	}
	if err != nil {
		end()
	}
	return out, err
}

// giveFirstCodes stores them if the person still has none, and returns what is shown once.
// Somebody whose factor went away meanwhile begins again: there is nothing hashed to store.
func (s *Store) giveFirstCodes(t *tx, v Visitor, first firstCodes, c Client,
	now time.Time) ([]twofactor.RecoveryCode, error) {
	sheet, err := scanSheet(t.row(sheetQuery, v.Person.ID))
	if err != nil || sheet.Exists() {
		return nil, err
	}
	if first.hashed == nil {
		return nil, twofactor.ErrPasskeyOver
	}
	if err := s.saveSheet(t, v.Person.ID, first.sheet, first.hashed); err != nil {
		return nil, err
	}
	_, err = t.appendActivity(now, activityEntry{
		event:   account.FactorEnabled,
		actor:   v.Actor(c),
		subject: v.Person.ID,
		method:  account.ByPasskey,
		detail:  "sheet " + first.sheet.ID,
	})
	return first.codes[:], err
}
