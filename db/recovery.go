package db

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/db/hash"
	"gatehouse/twofactor"
)

// usedCodes reads the bits of person.unused_codes: that of a code's number is set while
// the code is unused.
func usedCodes(unused uint8) [twofactor.RecoveryCodes]bool {
	var used [twofactor.RecoveryCodes]bool
	for i := range used {
		used[i] = unused&(1<<i) == 0
	}
	return used
}

// hashedCodes are a sheet's codes after the slow hash.
type hashedCodes struct {
	salt []byte
	slow [twofactor.RecoveryCodes][]byte
}

// hashCodes computes the slow hashes of a new sheet, before any transaction. The
// whole sheet waits once.
func (s *Store) hashCodes(ctx context.Context, c hash.Caller,
	codes [twofactor.RecoveryCodes]twofactor.RecoveryCode) (*hashedCodes, error) {
	h := &hashedCodes{salt: hash.NewSalt()}
	release, err := s.hashes.Acquire(ctx, c)
	if err != nil {
		return nil, err
	}
	defer release()
	for i, code := range codes {
		h.slow[i] = s.hashing.Derive([]byte(code.Symbols()), h.salt)
	}
	return h, nil
}

// saveSheet stores a person's new sheet in place of an older one.
func (s *Store) saveSheet(t *tx, person int64, sheet twofactor.Sheet, codes *hashedCodes) error {
	if codes == nil {
		return errors.New("a factor without its recovery codes")
	}
	if _, err := t.exec(`DELETE FROM recovery_sheet WHERE person_id = $1`, person); err != nil {
		return err
	}
	made := unix(sheet.MadeAt)
	if err := t.execOne(`INSERT INTO recovery_sheet (person_id, sheet, salt, made_at, checked_at)
		VALUES ($1, $2, $3, $4, $5)`, person, sheet.ID, codes.salt, made, made); err != nil {
		return fmt.Errorf("writing a recovery sheet: %w", err)
	}
	for number, slow := range codes.slow {
		salt := hash.NewSalt()
		if err := t.execOne(`INSERT INTO recovery_code (person_id, number, salt, hash) VALUES ($1, $2, $3, $4)`,
			person, number, salt, s.recoveryHash(codes.salt, number, salt, slow)); err != nil {
			return fmt.Errorf("writing a recovery code: %w", err)
		}
	}
	return nil
}

// recoveryHash is what is stored of a recovery code. NIST SP 800-63B-4 section
// 3.1.2.2 asks for a slow, salted hash of look-up secrets under 112 bits; the
// key makes a database that was stolen alone useless.
func (s *Store) recoveryHash(sheetSalt []byte, number int, salt, slow []byte) []byte {
	mac := hmac.New(sha256.New, s.lookup)
	mac.Write([]byte("recovery code"))
	mac.Write(sheetSalt)
	mac.Write([]byte{byte(number)})
	mac.Write(salt)
	mac.Write(slow)
	return mac.Sum(nil)
}

// findRecoveryCode compares with all eight codes and returns the number of the one that
// matches, or -1. The sheet must still be the one that the slow hash was made for.
func (s *Store) findRecoveryCode(t *tx, person int64, sheetSalt, slow []byte) (int, error) {
	rows, err := t.rows(`SELECT c.number, c.salt, c.hash FROM recovery_code c
		JOIN recovery_sheet r ON r.person_id = c.person_id
		WHERE c.person_id = $1 AND r.salt = $2`, person, sheetSalt)
	if err != nil {
		return -1, fmt.Errorf("reading recovery codes: %w", err)
	}
	defer rows.Close()
	found := -1
	for rows.Next() {
		var number int
		var salt, hash []byte
		if err := rows.Scan(&number, &salt, &hash); err != nil {
			return -1, fmt.Errorf("reading a recovery code: %w", err)
		}
		if hmac.Equal(hash, s.recoveryHash(sheetSalt, number, salt, slow)) {
			found = number
		}
	}
	return found, rows.Err()
}

// RegenerateRecoveryCodes replaces the visitor's recovery codes, rotates the session's id
// and ends all others. The caller has checked that the password was given recently
// (Reauthenticate). It refuses with ErrNotEnabled.
func (s *Store) RegenerateRecoveryCodes(ctx context.Context, v Visitor, c Client,
	now time.Time) (twofactor.Enrollment, RotatedSession, error) {
	before, err := s.TwoFactor(ctx, v)
	if err != nil {
		return before, RotatedSession{}, err
	}
	if !before.Sheet.Exists() {
		return before, RotatedSession{}, twofactor.ErrNotEnabled
	}
	end, err := s.turns.acquire(ctx, "sheet of "+formatID(v.Person.ID), 1) // of many at once one computes a sheet
	if err != nil {
		return before, RotatedSession{}, err
	}
	defer end()
	if err := s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error { return t.requireSession(v) }); err != nil {
		return before, RotatedSession{}, err
	}
	codes, sheet := twofactor.NewRecoveryCodes(), twofactor.NewSheet(before.Sheet.ID, now)
	hashed, err := s.hashCodes(ctx, personCaller(v.Person.ID), codes)
	if err != nil {
		return before, RotatedSession{}, err
	}
	var out RotatedSession
	e, err := s.updateEnrollment(ctx, v, func(t *tx, r *enrollmentRow) error {
		r.codes = hashed
		err := s.applyTransition(t, r, now, func(e *twofactor.Enrollment) error { return e.Regenerate(sheet) })
		if err != nil {
			return err
		}
		if out.Session, err = t.rotateSession(v); err != nil {
			return err
		}
		out.Codes = codes[:]
		_, err = t.appendActivity(now, activityEntry{
			event:   account.CodesRegenerated,
			actor:   v.Actor(c),
			subject: v.Person.ID,
			detail:  "sheet " + sheet.ID,
		})
		return err
	})
	return e, out, err
}
