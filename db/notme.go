package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
)

// A NotMe is a link "This wasn't me" as its page shows it.
type NotMe struct {
	Event   account.Event // what the mail told of
	At      time.Time     // when that was
	Name    string
	Account string // the sign-in name
	Email   string // where the link to choose a new password goes: the address before that
	Mailed  bool   // that link was mailed; false when no mail server is set any more

	person int64
}

// notMeQuery finds an open one. Somebody who was deactivated has none that opens, and one
// made in the future, before a clock was set back, would outlive its week.
const notMeQuery = `SELECT m.person_id, m.event, m.occasion_at, m.email, p.name, p.email FROM mailed_link m
	JOIN person p ON p.id = m.person_id AND p.active = TRUE
	WHERE m.token_hash = $1 AND m.kind = 'not-me' AND m.expires_at > $2 AND m.made_at - 60 <= $2`

func scanNotMe(r row) (n NotMe, err error) {
	var at sql.NullInt64
	err = r.Scan(&n.person, &n.Event, &at, &n.Email, &n.Name, &n.Account)
	if errors.Is(err, sql.ErrNoRows) {
		return n, ErrNotFound
	}
	if err != nil {
		return n, fmt.Errorf("reading a link: %w", err)
	}
	n.At = instant(at)
	return n, nil
}

// NotMe finds the link "This wasn't me" that a token opens, or returns ErrNotFound when it was
// used, has expired, or the person was deactivated. It changes nothing: mail scanners open
// every link.
func (s *Store) NotMe(ctx context.Context, token string, now time.Time) (NotMe, error) {
	return scanNotMe(s.row(ctx, notMeQuery, hashToken(token), unix(now)))
}

// CloseAccount does what "This wasn't me" says. All sessions, challenges, known browsers and
// links of the person end. Nobody signs in until a new password is chosen with the link that
// is mailed to the address from before. Factors that were added since the mail's occasion are
// switched off: they still demand a second step, and pass none. Nothing is removed, and
// nobody is let in, so that whoever reads the person's mail gains nothing that Forgot
// password? would not give them. Admins get a notice.
//
// A link works once, and takes the others of the person along: all of them are about what
// has been dealt with. One that does not exist counts against the client's address and is
// refused with ErrNotFound or Wait.
func (s *Store) CloseAccount(ctx context.Context, token string, c Client, now time.Time) (NotMe, error) {
	n, err := s.NotMe(ctx, token, now)
	if errors.Is(err, ErrNotFound) {
		return n, s.countUnknownLink(ctx, c, now)
	}
	if err != nil {
		return n, err
	}
	err = s.write(ctx, lockPerson(n.person), func(t *tx) error {
		if n, err = scanNotMe(t.row(notMeQuery, hashToken(token), unix(now))); err != nil {
			return err
		}
		if err := t.execOne(`DELETE FROM mailed_link WHERE token_hash = $1`, hashToken(token)); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM mailed_link WHERE person_id = $1`, n.person); err != nil {
			return err
		}
		if err := t.endAccess(n.person); err != nil {
			return err
		}
		if err := t.closeAccount(n, now); err != nil {
			return err
		}
		if _, err := t.appendActivity(now, activityEntry{
			event:   account.AccountClosed,
			actor:   strangerAt(c.Address),
			subject: n.person,
			method:  account.ByLink,
			detail:  string(n.Event),
		}); err != nil {
			return err
		}
		shown, err := t.newLinkAs(n.person, account.PasswordLink, strangerAt(c.Address), account.MailClosed, now)
		n.Mailed = shown == ""
		return err
	})
	return n, err
}

// closeAccount closes the account and switches off the factors that are newer than the
// mail's occasion. An earlier one that nobody has answered yet keeps its beginning.
func (t *tx) closeAccount(n NotMe, now time.Time) error {
	var from sql.NullInt64
	var closedEmail string
	if err := t.row(`SELECT suspect_from, closed_email FROM person WHERE id = $1`, n.person).Scan(&from, &closedEmail); err != nil {
		return fmt.Errorf("reading a person: %w", err)
	}
	since := unix(n.At)
	if from.Valid {
		since = min(since, from.Int64)
	}
	if closedEmail == "" {
		closedEmail = n.Email
	}
	return t.execOne(`UPDATE person SET closed_at = $1, closed_email = $2, suspect_from = $3, suspect_until = $1 WHERE id = $4`,
		unix(now), closedEmail, since, n.person)
}

// isSwitchedOff reports whether a factor that a person has since some instant is switched
// off because of "This wasn't me". Every factor asks before it passes a second step, and
// before it signs in.
func (t *tx) isSwitchedOff(person int64, since time.Time) (off bool, err error) {
	err = t.row(`SELECT EXISTS (SELECT 1 FROM person WHERE id = $1 AND suspect_from <= $2 AND suspect_until >= $2)`,
		person, unix(since)).Scan(&off)
	if err != nil {
		return false, fmt.Errorf("looking whether a factor is switched off: %w", err)
	}
	return off, nil
}

// A Suspicion says between which instants factors that were added are switched off. The zero
// Suspicion is none.
type Suspicion struct{ From, Until time.Time }

// Covers reports whether a factor that somebody has since an instant is switched off.
func (s Suspicion) Covers(since time.Time) bool {
	return !s.From.IsZero() && !since.Before(s.From) && !since.After(s.Until)
}

// Suspicion reads which of a person's factors are switched off.
func (s *Store) Suspicion(ctx context.Context, person int64) (Suspicion, error) {
	var from, until sql.NullInt64
	err := s.row(ctx, `SELECT suspect_from, suspect_until FROM person WHERE id = $1`, person).Scan(&from, &until)
	if err != nil {
		return Suspicion{}, fmt.Errorf("reading a person: %w", err)
	}
	return Suspicion{From: instant(from), Until: instant(until)}, nil
}

// TurnFactorsOn turns the factors on again that "This wasn't me" has switched off. Whoever
// is signed in has passed the second step since then, with a recovery code or a factor from
// before: every session has ended with the closing, and what is switched off passes nothing.
func (s *Store) TurnFactorsOn(ctx context.Context, v Visitor, c Client, now time.Time) error {
	return s.write(ctx, lockPerson(v.Person.ID), func(t *tx) error {
		if err := t.requireSession(v); err != nil {
			return err
		}
		n, err := t.exec(`UPDATE person SET suspect_from = NULL, suspect_until = NULL WHERE id = $1 AND suspect_from IS NOT NULL`,
			v.Person.ID)
		if err != nil || n == 0 {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{event: account.FactorsTurnedOn, actor: v.Actor(c), subject: v.Person.ID})
		return err
	})
}

// clearSuspicion forgets what was switched off, when an admin has removed every factor.
func (t *tx) clearSuspicion(person int64) error {
	_, err := t.exec(`UPDATE person SET suspect_from = NULL, suspect_until = NULL WHERE id = $1 AND suspect_from IS NOT NULL`, person)
	return err
}
