package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// linkMails are the kinds whose link opens the account: they end with the links of a person.
var linkMails = sqlList(account.MailInvitation, account.MailPassword, account.MailForgot, account.MailClosed)

// retryWaits are how long after each failure a mail is tried again. After the last it is
// given up.
var retryWaits = [...]time.Duration{
	time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

const (
	// claimTTL is how long a sender has a mail for itself. It is longer than a sending may
	// take, so that none is sent twice but after a crash.
	claimTTL = 5 * time.Minute

	// outboxTTL is how long a mail that is done stays in the list.
	outboxTTL = 30 * 24 * time.Hour

	// MailsShown is how many mails the list of admins shows.
	MailsShown = 50
)

// A newMail is a mail as it is put into the outbox.
type newMail struct {
	kind      account.MailKind
	person    int64
	email     string
	activity  int64  // what it tells of; 0 for nothing
	detail    string // what the activity does not hold
	token     string // of its link; "" for none
	uselessAt time.Time
}

// mailDomain returns the domain that mails come from; "" while no mail server is set. What
// is in the database decides, not a flag: a command beside the server sends none and yet
// knows whether mails go out.
func (t *tx) mailDomain() (string, error) { return mailDomain(t) }

func mailDomain(q querier) (string, error) {
	var from string
	if err := q.row(`SELECT mail_from FROM workspace`).Scan(&from); err != nil {
		return "", fmt.Errorf("looking whether mails are sent: %w", err)
	}
	return domainOf(from), nil
}

// SendsMails reports whether a mail server is set.
func (s *Store) SendsMails(ctx context.Context) (bool, error) {
	domain, err := mailDomain(reading{s, ctx})
	return domain != "", err
}

func domainOf(email string) string {
	for i := len(email) - 1; i >= 0; i-- {
		if email[i] == '@' {
			return email[i+1:]
		}
	}
	return ""
}

// putMail writes a mail into the outbox, in the transaction of its occasion. Without a mail
// server it does nothing. The token of its link is sealed.
func (t *tx) putMail(m newMail, now time.Time) error {
	domain, err := t.mailDomain()
	if err != nil || domain == "" {
		return err
	}
	return t.putMails(domain, []newMail{m}, now)
}

// putMails writes mails from a domain into the outbox.
func (t *tx) putMails(domain string, mails []newMail, now time.Time) error {
	rows := make([][]any, 0, len(mails))
	for _, m := range mails {
		id := NewMessageID() + "@" + domain
		var secret []byte
		if m.token != "" {
			keys, err := t.store.keyring(t)
			if err != nil {
				return err
			}
			if secret, err = keys.Seal([]byte(m.token), mailSealContext(id)); err != nil {
				return err
			}
		}
		rows = append(rows, []any{id, string(m.kind), m.person, m.email, idOrNull(m.activity), m.detail, secret, unix(now),
			nullable(m.uselessAt), unix(now)})
	}
	err := t.insertMany(`INSERT INTO outbox
		(message_id, kind, person_id, email, activity_id, detail, secret, made_at, useless_at, next_at) VALUES `, rows)
	if err != nil {
		return fmt.Errorf("putting mails into the outbox: %w", err)
	}
	return nil
}

// NewMessageID returns what stands before the @ of a Message-ID: random.
func NewMessageID() string { return newToken()[:26] }

// mailSealContext binds the sealed token of a link to its mail.
func mailSealContext(messageID string) string { return "gatehouse mail secret\x00" + messageID }

// SetMailFrom notes from which address mails are sent from now on; "" when no mail server is
// set, which gives up what waits: nobody wants to read weeks later that somebody has signed
// in.
func (s *Store) SetMailFrom(ctx context.Context, from string, now time.Time) error {
	var before string
	if err := s.row(ctx, `SELECT mail_from FROM workspace`).Scan(&before); err != nil {
		return fmt.Errorf("looking whether mails are sent: %w", err)
	}
	if before == from {
		return nil
	}
	return s.write(ctx, lockWorkspace(), func(t *tx) error {
		if err := t.execOne(`UPDATE workspace SET mail_from = $1 WHERE id = 1`, from); err != nil {
			return err
		}
		if from != "" {
			return nil
		}
		return t.giveUpMails("no mail server is set any more", now)
	})
}

// giveUpMails gives up every mail that waits.
func (t *tx) giveUpMails(reason string, now time.Time) error {
	_, err := t.exec(`UPDATE outbox SET state = 'given-up', secret = NULL, done_at = $1, answer = $2 WHERE state = 'waiting'`,
		unix(now), reason)
	return err
}

// endLinkMails gives up the mails whose links have ended, and erases the links.
func (t *tx) endLinkMails(person int64, now time.Time) error {
	_, err := t.exec(`UPDATE outbox SET state = 'given-up', secret = NULL, done_at = $1, answer = $2
		WHERE person_id = $3 AND state = 'waiting' AND kind IN (`+linkMails+`)`,
		unix(now), "its link has ended", person)
	return err
}

// A Mail is a mail as the one who sends it gets it, with everything that its text tells.
type Mail struct {
	MessageID string
	Kind      account.MailKind
	Email     string // where it goes
	Name      string // whose it is
	Account   string // the sign-in name of the person, which may be another address than Email
	Role      twofactor.Role
	CodesLeft int // recovery codes of the person, now
	Workspace string
	Detail    string
	Token     string // of its link; "" for none
	MadeAt    time.Time
	Activity  ActivityRow // zero when it tells of none

	id    int64
	claim string
}

// ClaimMail takes the next mail that is due, for claimTTL: no other process gets it
// meanwhile. A mail whose link has ended is given up instead. It returns ErrNotFound when
// none is due.
//
// The condition stands in the UPDATE itself: of two that look at the same row the second
// finds it claimed, whatever the database.
func (s *Store) ClaimMail(ctx context.Context, now time.Time) (Mail, error) {
	var out Mail
	if due, err := s.isMailDue(ctx, now); err != nil || !due {
		return out, errors.Join(err, ErrNotFound)
	}
	err := s.write(ctx, lockNothing(), func(t *tx) error {
		out = Mail{claim: newToken()[:22]}
		if err := t.giveUpUseless(now); err != nil {
			return err
		}
		err := t.row(`UPDATE outbox SET claim = $1, claimed_until = $2 WHERE state = 'waiting' AND claimed_until <= $3
				AND id = (SELECT id FROM outbox WHERE state = 'waiting' AND next_at <= $3 AND claimed_until <= $3
					ORDER BY next_at, id LIMIT 1)
			RETURNING id`, out.claim, unix(now.Add(claimTTL)), unix(now)).Scan(&out.id)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("claiming a mail: %w", err)
		}
		return t.readMail(&out)
	})
	return out, err
}

// isMailDue looks without writing whether there is anything to claim.
func (s *Store) isMailDue(ctx context.Context, now time.Time) (due bool, err error) {
	err = s.row(ctx, `SELECT EXISTS (SELECT 1 FROM outbox WHERE state = 'waiting' AND next_at <= $1 AND claimed_until <= $1)`,
		unix(now)).Scan(&due)
	if err != nil {
		return false, fmt.Errorf("looking for mails: %w", err)
	}
	return due, nil
}

// giveUpUseless gives up the mails whose links have expired.
func (t *tx) giveUpUseless(now time.Time) error {
	_, err := t.exec(`UPDATE outbox SET state = 'given-up', secret = NULL, done_at = $1, answer = $2
		WHERE state = 'waiting' AND useless_at <= $1`, unix(now), "its link has expired")
	return err
}

// readMail reads what a claimed mail tells.
func (t *tx) readMail(m *Mail) error {
	var secret []byte
	var made, activity sql.NullInt64
	var unused uint8
	err := t.row(`SELECT o.message_id, o.kind, o.email, o.activity_id, o.detail, o.secret, o.made_at, w.name,
			p.name, p.email, p.role, p.unused_codes
		FROM outbox o JOIN workspace w ON w.id = 1 JOIN person p ON p.id = o.person_id WHERE o.id = $1`, m.id).
		Scan(&m.MessageID, &m.Kind, &m.Email, &activity, &m.Detail, &secret, &made, &m.Workspace,
			&m.Name, &m.Account, &m.Role, &unused)
	if err != nil {
		return fmt.Errorf("reading a mail: %w", err)
	}
	m.MadeAt, m.CodesLeft = instant(made), bits.OnesCount8(unused)
	if activity.Valid {
		rows, err := scanActivity(t.rows(`SELECT `+activityColumns+` WHERE a.id = $1`, activity.Int64))
		if err != nil || len(rows) != 1 {
			return fmt.Errorf("reading what a mail tells of: %d rows, %w", len(rows), err)
		}
		m.Activity = rows[0]
	}
	if secret == nil {
		return nil
	}
	keys, err := t.store.keyring(t)
	if err != nil {
		return err
	}
	token, err := keys.Open(secret, mailSealContext(m.MessageID))
	if err != nil {
		return fmt.Errorf("opening the link of a mail: %w", err)
	}
	m.Token = string(token)
	return nil
}

// MailSent notes that the server has taken a mail, and what it answered. The link is erased.
// A mail that somebody has given up meanwhile stays so.
func (s *Store) MailSent(ctx context.Context, m Mail, answer string, now time.Time) error {
	return s.write(ctx, lockNothing(), func(t *tx) error {
		_, err := t.exec(`UPDATE outbox SET state = 'sent', secret = NULL, done_at = $1, answer = $2
			WHERE id = $3 AND claim = $4 AND state = 'waiting'`, unix(now), answer, m.id, m.claim)
		return err
	})
}

// MailFailed notes that a mail was not taken. It is tried again later, or given up after
// the last try and when the server refuses it for good. Admins get a notice of that, one at a
// time.
func (s *Store) MailFailed(ctx context.Context, m Mail, permanent bool, reason string, now time.Time) error {
	return s.write(ctx, lockWorkspace(), func(t *tx) error {
		var tries int
		var person int64
		err := t.row(`UPDATE outbox SET tries = tries + 1, answer = $1, claimed_until = 0
			WHERE id = $2 AND claim = $3 AND state = 'waiting' RETURNING tries, person_id`, reason, m.id, m.claim).
			Scan(&tries, &person)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // it was given up meanwhile
		}
		if err != nil {
			return fmt.Errorf("noting that a mail failed: %w", err)
		}
		if !permanent && tries <= len(retryWaits) {
			return t.execOne(`UPDATE outbox SET next_at = $1 WHERE id = $2`, unix(now.Add(retryWaits[tries-1])), m.id)
		}
		if err := t.execOne(`UPDATE outbox SET state = 'given-up', secret = NULL, done_at = $1 WHERE id = $2`,
			unix(now), m.id); err != nil {
			return err
		}
		return t.noticeMailGivenUp(person, reason, now)
	})
}

// MailReturned gives a mail back that was not sent, because the process is being stopped.
func (s *Store) MailReturned(ctx context.Context, m Mail) error {
	return s.write(ctx, lockNothing(), func(t *tx) error {
		_, err := t.exec(`UPDATE outbox SET claimed_until = 0 WHERE id = $1 AND claim = $2 AND state = 'waiting'`, m.id, m.claim)
		return err
	})
}

// noticeMailGivenUp tells admins that a mail was given up, unless they are told so already: a
// server that refuses everything must not bury the other notices.
func (t *tx) noticeMailGivenUp(person int64, reason string, now time.Time) error {
	var isTold bool
	err := t.row(`SELECT EXISTS (SELECT 1 FROM notice n JOIN activity a ON a.id = n.activity_id
		WHERE n.dismissed_at IS NULL AND a.event = $1)`, string(account.MailGivenUp)).Scan(&isTold)
	if err != nil || isTold {
		return err
	}
	_, err = t.appendActivity(now, activityEntry{
		event:   account.MailGivenUp,
		failed:  true,
		actor:   strangerAt(""),
		subject: person,
		detail:  reason,
	})
	return err
}

// ReleaseMails gives back what a process had claimed that is not there any more. It is for
// whoever is the only one to send.
func (s *Store) ReleaseMails(ctx context.Context) error {
	return s.write(ctx, lockNothing(), func(t *tx) error {
		_, err := t.exec(`UPDATE outbox SET claimed_until = 0 WHERE state = 'waiting' AND claimed_until > 0`)
		return err
	})
}

// AddTestMail notes a mail with which an admin has tried the settings out: it is sent while
// they wait.
func (s *Store) AddTestMail(ctx context.Context, v Visitor, answer string, failed bool, now time.Time) error {
	state := "sent"
	if failed {
		state = "given-up"
	}
	return s.write(ctx, lockNothing(), func(t *tx) error {
		return t.execOne(`INSERT INTO outbox (message_id, kind, person_id, email, made_at, next_at, state, done_at, answer)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			NewMessageID(), string(account.MailTest), v.Person.ID, v.Person.Email, unix(now), unix(now), state, unix(now), answer)
	})
}

// An OutboxRow is a mail as admins see it: never its text or its link.
type OutboxRow struct {
	MadeAt time.Time
	Kind   account.MailKind
	Event  account.Event // of account.MailEvent and account.MailAdmins
	Person int64
	Name   string // of the person; "" once they are removed
	Email  string // where it went
	State  string // waiting, sent, given-up
	Tries  int    // that failed
	NextAt time.Time
	DoneAt time.Time // zero while it waits
	Answer string    // of the server, or why it was given up
}

// Outbox lists the newest mails.
func (s *Store) Outbox(ctx context.Context) ([]OutboxRow, error) {
	rows, err := s.rows(ctx, `SELECT o.made_at, o.kind, coalesce(a.event, ''), p.id, p.name, o.email, o.state,
			o.tries, o.next_at, o.done_at, o.answer
		FROM outbox o JOIN person p ON p.id = o.person_id LEFT JOIN activity a ON a.id = o.activity_id
		ORDER BY o.id DESC LIMIT $1`, MailsShown)
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	defer rows.Close()
	var list []OutboxRow
	for rows.Next() {
		var r OutboxRow
		var made, next, done sql.NullInt64
		err := rows.Scan(&made, &r.Kind, &r.Event, &r.Person, &r.Name, &r.Email, &r.State, &r.Tries, &next, &done, &r.Answer)
		if err != nil {
			return nil, fmt.Errorf("reading the outbox: %w", err)
		}
		r.MadeAt, r.NextAt, r.DoneAt = instant(made), instant(next), instant(done)
		list = append(list, r)
	}
	return list, rows.Err()
}
