package db

import (
	"context"
	"fmt"
)

// SetPasskeyDomain notes the domain (WebAuthn's RP id) that passkeys work for from now on,
// "" for none, and keeps who has a factor that works there. It is called when a server
// starts. left is how many people have a factor, and none that works.
func (s *Store) SetPasskeyDomain(ctx context.Context, domain string) (left int, err error) {
	err = s.write(ctx, lockWorkspace(), func(t *tx) error {
		n, err := t.exec(`UPDATE workspace SET passkey_domain = $1 WHERE id = 1 AND passkey_domain <> $2`, domain, domain)
		if err != nil || n == 0 {
			return err
		}
		return eachRow(t, func(scan func(...any) error) error {
			var person int64
			var active, works bool
			if err := scan(&person, &active, &works); err != nil || !active {
				return err
			}
			t.countPerson(person, 0, one(works)-one(!works))
			return nil
		}, `UPDATE person SET enrolled_here = NOT enrolled_here
			WHERE id IN (SELECT person_id FROM passkey) AND enrolled_here <> (
				EXISTS (SELECT 1 FROM enrollment e WHERE e.person_id = person.id AND e.state = 'enabled')
				OR EXISTS (SELECT 1 FROM passkey k WHERE k.person_id = person.id AND k.rp_id = $1))
			RETURNING id, active, enrolled_here`, domain)
	})
	if err != nil {
		return 0, fmt.Errorf("noting the domain of passkeys: %w", err)
	}
	return s.LeftWithoutFactor(ctx)
}

// LeftWithoutFactor counts the active people who have a factor, and none that works at
// today's address: their passkeys were made for another.
func (s *Store) LeftWithoutFactor(ctx context.Context) (n int, err error) {
	err = s.row(ctx, `SELECT count(*) FROM person
		WHERE active = TRUE AND enrolled = TRUE AND enrolled_here = FALSE`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting people without a factor that works: %w", err)
	}
	return n, nil
}
