//go:build bench

package db

import (
	"context"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// A FilledPerson is one that Fill has added: enrolled, and able to sign in.
type FilledPerson struct {
	Email  string
	Secret twofactor.Secret
}

// fillBatch is how many people or rows one transaction of Fill adds.
const fillBatch = 2000

// Fill adds people with enabled factors and rows of activity about them, through
// the same writing and sealing as the product's own. All share one password and
// its one hash, since a hash takes longer than everything else together. It
// exists under the build tag bench alone.
func (s *Store) Fill(ctx context.Context, people, rows int, password string, now time.Time) ([]FilledPerson, error) {
	p, err := account.NewPassword("password", password)
	if err != nil {
		return nil, err
	}
	hash, err := s.hashPassword(ctx, machineCaller(), p)
	if err != nil {
		return nil, err
	}
	hashed, err := s.hashCodes(ctx, machineCaller(), twofactor.NewRecoveryCodes())
	if err != nil {
		return nil, err
	}
	filled := make([]FilledPerson, 0, people)
	ids := make([]int64, 0, people)
	for len(filled) < people {
		err := s.writeWithin(ctx, allSecretsTimeout, lockWorkspace(), func(t *tx) error {
			for range min(fillBatch, people-len(filled)) {
				n := len(filled)
				person := FilledPerson{Email: fmt.Sprintf("person%06d@example.org", n), Secret: twofactor.NewSecret()}
				id, err := t.addPerson(NewPerson{
					Name:  fmt.Sprintf("Person %06d of Many", n),
					Email: person.Email,
					Role:  twofactor.Member,
				}, hash, Machine("fill"), now)
				if err != nil {
					return err
				}
				if err := s.fillEnrollment(t, id, person.Secret, hashed, now); err != nil {
					return err
				}
				filled, ids = append(filled, person), append(ids, id)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for done := 0; done < rows; done += fillBatch {
		err := s.writeWithin(ctx, allSecretsTimeout, lockNothing(), func(t *tx) error {
			for i := range min(fillBatch, rows-done) {
				id := ids[(done+i)*7919%len(ids)]
				if _, err := t.appendActivity(now, activityEntry{
					event:   account.SignedIn,
					actor:   personAt(id, "192.0.2.1"),
					subject: id,
					method:  account.ByCode,
				}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return filled, nil
}

// fillEnrollment writes an enabled enrolment as a confirmation would.
func (s *Store) fillEnrollment(t *tx, person int64, secret twofactor.Secret, hashed *hashedCodes, now time.Time) error {
	session, _, err := t.completeSignIn(credentials{id: person}, newHandle(), byPassword(now), Client{}, now)
	if err != nil {
		return err
	}
	r := enrollmentRow{person: person, session: hashToken(session), codes: hashed}
	if err := s.applyTransition(t, &r, now,
		func(e *twofactor.Enrollment) error { return e.Enable(secret, now, time.Minute) }); err != nil {
		return err
	}
	before := r
	r.Enrollment = twofactor.Enrollment{
		State:       twofactor.Enabled,
		Secret:      secret,
		ConfirmedAt: now,
		Sheet:       twofactor.NewSheet("", now),
	}
	if err := s.saveEnrollment(t, before, &r, now); err != nil {
		return err
	}
	return t.endOtherSessions(person, nil)
}

// OpenChallenge opens a challenge as a right password would, without its hash.
func (s *Store) OpenChallenge(ctx context.Context, email string, now time.Time) (token string, err error) {
	err = s.write(ctx, lockEmail(email), func(t *tx) error {
		p, err := t.readCredentials(`email = $1`, email)
		if err != nil {
			return err
		}
		token, err = s.createChallenge(t, p.id, false, "", now)
		return err
	})
	return token, err
}
