package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// remindBatch is how many people one transaction reminds.
const remindBatch = 100

// RemindOfPolicy reminds those again who are not ready for a policy that is to come: their
// mails are written into the outbox by SendReminders.
func (s *Store) RemindOfPolicy(ctx context.Context, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		return t.execOne(`UPDATE workspace SET remind_at = $1 WHERE id = 1`, unix(now))
	})
}

// LastReminded is when an admin last asked to remind people; zero for never.
func (s *Store) LastReminded(ctx context.Context) (time.Time, error) {
	var at sql.NullInt64
	if err := s.row(ctx, `SELECT remind_at FROM workspace`).Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("reading the policy: %w", err)
	}
	return instant(at), nil
}

// SendReminders writes the next mails about a policy that is to come: to active people to whom
// it will apply and who have no factor, when it was set or somebody asked for it, seven days
// before and one day before. It reports whether there may be more to write. Each is
// written once, whatever dies in the middle and however many processes do this.
func (s *Store) SendReminders(ctx context.Context, now time.Time) (more bool, err error) {
	due, err := readReminder(s.row(ctx, reminderQuery), now)
	if err != nil || due.occasion.IsZero() {
		return false, err
	}
	err = s.write(ctx, lockWorkspace(), func(t *tx) error {
		more = false
		if due, err = readReminder(t.row(reminderQuery), now); err != nil || due.occasion.IsZero() {
			return err
		}
		people, err := t.peopleToRemind(due)
		if err != nil {
			return err
		}
		for _, p := range people {
			if err := t.remind(p, due, now); err != nil {
				return err
			}
			if err := t.execOne(`UPDATE person SET reminded_at = $1 WHERE id = $2`, unix(due.occasion), p.id); err != nil {
				return err
			}
		}
		if more = len(people) == remindBatch; more {
			return nil
		}
		return t.execOne(`UPDATE workspace SET reminded_at = $1 WHERE id = 1`, unix(due.occasion))
	})
	return more, err
}

// remind mails one person, unless it is the other setting's occasion.
func (t *tx) remind(p remindedPerson, due reminder, now time.Time) error {
	begins := due.policy.RequiresFrom(p.role)
	if begins.IsZero() || !twofactor.LastReminder(due.asked, begins, now).After(p.last) {
		return nil
	}
	return t.putMail(newMail{
		kind:      account.MailPolicy,
		person:    p.id,
		email:     p.email,
		detail:    formatID(unix(begins)),
		uselessAt: begins,
	}, now)
}

// A remindedPerson is somebody who may have to be reminded.
type remindedPerson struct {
	id    int64
	email string
	role  twofactor.Role
	last  time.Time // which occasion they were reminded of
}

// A reminder is an occasion to remind people of a policy; its occasion is zero when there is
// none, or all have been reminded.
type reminder struct {
	policy   twofactor.Policy
	asked    time.Time // when it was set, or somebody asked to remind people
	occasion time.Time // the newest of any setting
}

const reminderQuery = `SELECT require_everyone, require_admins, everyone_from, admins_from, remind_at, reminded_at, mail_from
	FROM workspace`

func readReminder(r row, now time.Time) (due reminder, err error) {
	var everyone, admins, asked, done sql.NullInt64
	var from string
	if err := r.Scan(&due.policy.Everyone, &due.policy.Admins, &everyone, &admins, &asked, &done, &from); err != nil {
		return due, fmt.Errorf("reading the policy: %w", err)
	}
	due.policy.EveryoneFrom, due.policy.AdminsFrom = instant(everyone), instant(admins)
	due.policy, due.asked = due.policy.At(now), instant(asked)
	for _, begins := range []time.Time{due.policy.EveryoneFrom, due.policy.AdminsFrom} {
		if begins.IsZero() || from == "" {
			continue
		}
		if at := twofactor.LastReminder(due.asked, begins, now); at.After(due.occasion) {
			due.occasion = at
		}
	}
	if done.Valid && !due.occasion.After(instant(done)) {
		due.occasion = time.Time{}
	}
	return due, nil
}

// peopleToRemind lists the next who have not been reminded of an occasion.
func (t *tx) peopleToRemind(due reminder) ([]remindedPerson, error) {
	whom := ` FROM person WHERE active = TRUE AND enrolled_here = FALSE`
	if due.policy.EveryoneFrom.IsZero() {
		// The few admins first, since SQLite would otherwise look at everybody.
		whom = ` FROM person WHERE id IN (SELECT id FROM person WHERE role <> 'member' AND active = TRUE) AND enrolled_here = FALSE`
	}
	rows, err := t.rows(`SELECT id, email, role, reminded_at`+whom+`
		AND password_hash <> '' AND reminded_at < $1 LIMIT $2`, unix(due.occasion), remindBatch)
	if err != nil {
		return nil, fmt.Errorf("reading whom to remind: %w", err)
	}
	defer rows.Close()
	var list []remindedPerson
	for rows.Next() {
		var p remindedPerson
		var last sql.NullInt64
		if err := rows.Scan(&p.id, &p.email, &p.role, &last); err != nil {
			return nil, fmt.Errorf("reading whom to remind: %w", err)
		}
		p.last = instant(last)
		list = append(list, p)
	}
	return list, rows.Err()
}
