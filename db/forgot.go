package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
)

// ForgotTTL is how long the link works that somebody has asked for at the sign-in.
const ForgotTTL = time.Hour

// forgotInterval is how often one person gets such a link at most, however often and from
// wherever it is asked for.
const forgotInterval = time.Hour

// ForgotPassword mails a link to choose a new password to whoever has an address, if somebody
// has it who may sign in; the second step stays. An invitation that is open is mailed anew
// instead. It tells nobody whether there is such an account: the answer is the same, the
// mail waits in the outbox, and an attempt costs a place of the client's address either way.
// It refuses with Wait alone.
func (s *Store) ForgotPassword(ctx context.Context, given string, c Client, now time.Time) error {
	return s.write(ctx, lockEmail(account.NormalizeEmail(given)), func(t *tx) error {
		if err := t.countAddressAttempt(c.Address, now); err != nil {
			return err
		}
		p, err := t.credentialsByEmail(given)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return t.mailForgotten(p.id, now)
	})
}

// mailForgotten mails the link, once an hour.
func (t *tx) mailForgotten(person int64, now time.Time) error {
	var email, closedEmail string
	var active, invited, open, isMailed bool
	err := t.row(`SELECT p.email, p.closed_email, p.active = TRUE, p.password_hash = '',
			EXISTS (SELECT 1 FROM link l WHERE l.person_id = p.id AND l.kind = 'invitation' AND l.expires_at > $2),
			EXISTS (SELECT 1 FROM outbox o WHERE o.person_id = p.id AND o.made_at > $3
				AND o.kind IN (`+linkMails+`) AND o.state <> 'given-up')
		FROM person p WHERE p.id = $1`, person, unix(now), unix(now.Add(-forgotInterval))).
		Scan(&email, &closedEmail, &active, &invited, &open, &isMailed)
	if err != nil {
		return fmt.Errorf("reading whom to mail: %w", err)
	}
	domain, err := t.mailDomain()
	if err != nil || domain == "" || !active || isMailed || invited && !open {
		return err
	}
	if invited {
		_, err := t.newLink(person, account.Invitation, strangerAt(""), true, now)
		return err
	}
	if closedEmail != "" {
		email = closedEmail // the other address may be that of whoever it was closed against
	}
	if err := t.endForgotten(person, now); err != nil {
		return err
	}
	token := newToken()
	if err := t.execOne(`INSERT INTO mailed_link (token_hash, kind, person_id, event, email, occasion_at, made_at, expires_at)
		VALUES ($1, 'forgot', $2, '', '', 0, $3, $4)`,
		hashToken(token), person, unix(now), unix(now.Add(ForgotTTL))); err != nil {
		return fmt.Errorf("making a link: %w", err)
	}
	if err := t.putMail(newMail{
		kind:      account.MailForgot,
		person:    person,
		email:     email,
		token:     token,
		uselessAt: now.Add(ForgotTTL),
	}, now); err != nil {
		return err
	}
	_, err = t.appendActivity(now, activityEntry{
		event:   account.LinkMade,
		actor:   strangerAt(""),
		subject: person,
		method:  account.ByLink,
		detail:  string(account.MailForgot),
	})
	return err
}

// endForgotten ends the links that somebody has asked for before.
func (t *tx) endForgotten(person int64, now time.Time) error {
	n, err := t.exec(`DELETE FROM mailed_link WHERE person_id = $1 AND kind = 'forgot'`, person)
	if err != nil || n == 0 {
		return err
	}
	_, err = t.exec(`UPDATE outbox SET state = 'given-up', secret = NULL, done_at = $1, answer = $2
		WHERE person_id = $3 AND state = 'waiting' AND kind = 'forgot'`, unix(now), "its link has ended", person)
	return err
}
