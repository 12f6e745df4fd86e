package db

import (
	"context"
	"fmt"
	"time"

	"gatehouse/account"
)

// RemovePerson removes somebody's account for good: name, address, password, second
// step, sessions, links and known browsers go, and the address is free for somebody
// else. The user name is not: apps would take the next for the one before. The row stays,
// empty and hidden, since the activity points at it; what stands there of the person is a
// number. It is also how a mistaken invitation is taken back.
// Nobody removes themselves (account.ErrOwnAccount), and the last active
// Super-administrator stays (account.ErrLastSuperAdmin). Somebody who is removed
// already is ErrNotFound.
func (s *Store) RemovePerson(ctx context.Context, person int64, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		p, err := t.authorizeManage(by, person)
		if err != nil {
			return err
		}
		if err := t.clearAttempts(person); err != nil {
			return err
		}
		for _, query := range []string{
			`DELETE FROM link WHERE person_id = $1`,
			`DELETE FROM mailed_link WHERE person_id = $1`,
			`DELETE FROM outbox WHERE person_id = $1`,  // also those that are about others: they hold the address
			`DELETE FROM session WHERE person_id = $1`, // pending enrolments go with them
			`DELETE FROM challenge WHERE person_id = $1`,
			`DELETE FROM passkey WHERE person_id = $1`,
			`DELETE FROM known_browser WHERE person_id = $1`,
			`DELETE FROM group_member WHERE person_id = $1`,
			`DELETE FROM app_person WHERE person_id = $1`,
			`DELETE FROM app_grant WHERE person_id = $1`, // tokens go with it
			`DELETE FROM app_consent WHERE person_id = $1`,
			`UPDATE connected_session SET expired = FALSE WHERE person_id = $1`, // the apps are told
			`DELETE FROM app_noted WHERE person_id = $1`,
			`DELETE FROM portal_app WHERE person_id = $1`,
			`DELETE FROM enrollment WHERE person_id = $1 AND state = 'enabled'`, // recovery codes go with it
		} {
			if _, err := t.exec(query, person); err != nil {
				return fmt.Errorf("removing a person: %w", err)
			}
		}
		if err := t.erasePerson(p, now); err != nil {
			return err
		}
		if err := t.requireSuperAdmin(p); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.PersonRemoved,
			actor:   by.Actor,
			subject: person,
			detail:  string(p.Role),
		})
		return err
	})
}

// erasePerson leaves of somebody's row that there was one. What stands in the place of
// the address is no address, so that nobody can sign in with it or be given it.
func (t *tx) erasePerson(p Person, now time.Time) error {
	if err := t.removeWords(p.ID, p.Name, p.Email); err != nil {
		return err
	}
	active, enrolled, err := t.standing(p.ID)
	if err != nil {
		return err
	}
	t.countPerson(p.ID, -one(active), -one(enrolled))
	return t.execOne(`UPDATE person
		SET email = $1, name = '', sort_key = '', role = 'member', active = FALSE, password_hash = '',
			enrolled = FALSE, enrolled_here = FALSE, user_handle = NULL, user_name = '', password_changed_at = NULL, last_sign_in_at = NULL,
			closed_at = NULL, closed_email = '', suspect_from = NULL, suspect_until = NULL, removed_at = $2
		WHERE id = $3`,
		"removed:"+formatID(p.ID), unix(now), p.ID)
}
