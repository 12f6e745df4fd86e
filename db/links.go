package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
)

// LinkTTL is how long an invitation or a password link works.
const LinkTTL = 24 * time.Hour

// newLink makes a person's one-time link; it ends the one before, and a mail that waits with
// it. A link that is mailed is for nobody else's eyes: the token is "" then. Without a mail
// server it is given back all the same.
func (t *tx) newLink(person int64, kind account.LinkKind, by Actor, mailed bool, now time.Time) (token string, err error) {
	mail := account.MailPassword
	if kind == account.Invitation {
		mail = account.MailInvitation
	}
	if !mailed {
		mail = ""
	}
	return t.newLinkAs(person, kind, by, mail, now)
}

// newLinkAs is newLink with the mail that carries the link; "" for none.
func (t *tx) newLinkAs(person int64, kind account.LinkKind, by Actor, mail account.MailKind, now time.Time) (token string, err error) {
	if _, err := t.exec(`DELETE FROM link WHERE person_id = $1`, person); err != nil {
		return "", err
	}
	if err := t.endLinkMails(person, now); err != nil {
		return "", err
	}
	token = newToken()
	if err := t.execOne(`INSERT INTO link (token_hash, kind, person_id, made_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
		hashToken(token), kind, person, unix(now), unix(now.Add(LinkTTL))); err != nil {
		return "", fmt.Errorf("making a link: %w", err)
	}
	if _, err = t.appendActivity(now, activityEntry{
		event:   account.LinkMade,
		actor:   by,
		subject: person,
		method:  account.ByLink,
		detail:  string(kind),
	}); err != nil || mail == "" {
		return token, err
	}
	return t.mailLink(person, token, mail, now)
}

// mailLink mails a link to the person whose it is, and returns "" for what they alone get to
// see. While their account is closed it goes to the address from before.
func (t *tx) mailLink(person int64, token string, kind account.MailKind, now time.Time) (string, error) {
	if domain, err := t.mailDomain(); err != nil || domain == "" {
		return token, err
	}
	var email, closedEmail string
	if err := t.row(`SELECT email, closed_email FROM person WHERE id = $1`, person).Scan(&email, &closedEmail); err != nil {
		return "", fmt.Errorf("reading whom to mail: %w", err)
	}
	if closedEmail != "" {
		email = closedEmail
	}
	return "", t.putMail(newMail{
		kind:      kind,
		person:    person,
		email:     email,
		token:     token,
		uselessAt: now.Add(LinkTTL),
	}, now)
}

// NewLink makes a link that lets somebody else choose a new password: an invitation for
// those who have none yet. The factor is not touched. It refuses with
// account.ErrOwnAccount and account.ErrInactive.
func (s *Store) NewLink(ctx context.Context, person int64, by Author, now time.Time) (token string, err error) {
	return s.makeLink(ctx, person, by, false, now)
}

// MailLink is NewLink, and mails the link to the person. It returns the token only when no
// mail server is set.
func (s *Store) MailLink(ctx context.Context, person int64, by Author, now time.Time) (token string, err error) {
	return s.makeLink(ctx, person, by, true, now)
}

func (s *Store) makeLink(ctx context.Context, person int64, by Author, mailed bool, now time.Time) (token string, err error) {
	err = s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		p, err := t.authorizeManage(by, person)
		if err != nil {
			return err
		}
		if !p.Active {
			return account.ErrInactive // the link would not work
		}
		kind := account.PasswordLink
		if p.Invited {
			kind = account.Invitation
		}
		token, err = t.newLink(person, kind, by.Actor, mailed, now)
		return err
	})
	return token, err
}

// A Link is a one-time link as its page shows it.
type Link struct {
	Kind   account.LinkKind
	Person int64 // whose it is
	Name   string
	Email  string
}

// linkQuery finds an open link, one that was asked for at the sign-in included. One made in
// the future, before a clock was set back, would outlive its day.
const linkQuery = `SELECT l.kind, l.person_id, p.name, p.email FROM link l
	JOIN person p ON p.id = l.person_id AND p.active = TRUE
	WHERE l.token_hash = $1 AND l.expires_at > $2 AND l.made_at - 60 <= $2
	UNION ALL SELECT 'password', m.person_id, p.name, p.email FROM mailed_link m
	JOIN person p ON p.id = m.person_id AND p.active = TRUE
	WHERE m.token_hash = $1 AND m.kind = 'forgot' AND m.expires_at > $2 AND m.made_at - 60 <= $2`

// Link finds the link that a token opens, or returns ErrNotFound when it was used, has
// expired, was replaced by another, or the person was deactivated. Looking is not
// counted, since opening a page writes nothing; 256 random bits are not guessed, and
// posting one that does not exist is counted.
func (s *Store) Link(ctx context.Context, token string, now time.Time) (Link, error) {
	l, _, err := scanLink(s.row(ctx, linkQuery, hashToken(token), unix(now)))
	return l, err
}

// countUnknownLink counts a post of a link that does not exist against the client's
// address. It returns ErrNotFound, or Wait.
func (s *Store) countUnknownLink(ctx context.Context, c Client, now time.Time) error {
	err := s.write(ctx, lockAttempts(c.Address), func(t *tx) error { return t.countAddressAttempt(c.Address, now) })
	if err != nil {
		return err
	}
	return ErrNotFound
}

func scanLink(r row) (l Link, person int64, err error) {
	err = r.Scan(&l.Kind, &l.Person, &l.Name, &l.Email)
	if errors.Is(err, sql.ErrNoRows) {
		return l, 0, ErrNotFound
	}
	if err != nil {
		return l, 0, fmt.Errorf("reading a link: %w", err)
	}
	return l, l.Person, nil
}

// UseLink sets the password that somebody chose through their link, and for
// an invitation the name. It ends all sessions of the person, never touches the
// factor, and signs nobody in: the sign-in follows, second step included. It
// refuses with FieldErrors of name and password. A link works once; one that does not
// exist counts against the client's address and is refused with ErrNotFound or Wait.
// One that exists costs nothing: many people of one office have an address in common.
func (s *Store) UseLink(ctx context.Context, token, name, password string, c Client, now time.Time) (Link, error) {
	if _, err := s.Link(ctx, token, now); errors.Is(err, ErrNotFound) {
		return Link{}, s.countUnknownLink(ctx, c, now)
	} else if err != nil {
		return Link{}, err
	}
	end, err := s.turns.acquire(ctx, "link "+token, 1)
	if err != nil {
		return Link{}, err
	}
	defer end()
	l, err := s.Link(ctx, token, now) // of many at once one computes a slow hash
	if err != nil {
		return l, err
	}
	w, err := s.Workspace(ctx)
	if err != nil {
		return l, err
	}
	var nameErr error
	if l.Kind == account.Invitation {
		name, nameErr = account.ParseName("name", name)
	} else {
		name = l.Name
	}
	next, err := account.NewPassword("password", password, name, l.Email, w.Name)
	if err := errors.Join(nameErr, err); err != nil {
		return l, err
	}
	hash, err := s.hashPassword(ctx, linkCaller(token), next)
	if err != nil {
		return l, err
	}
	return l, s.write(ctx, lockPerson(l.Person), func(t *tx) error {
		before, person, err := scanLink(t.row(linkQuery, hashToken(token), unix(now)))
		if err != nil {
			return err
		}
		if err := t.useLinkUp(token); err != nil {
			return err
		}
		if err := t.rename(Person{ID: person, Name: before.Name, Email: before.Email}, name, before.Email); err != nil {
			return err
		}
		if err := t.setPassword(person, hash, now); err != nil {
			return err
		}
		if _, err := t.appendActivity(now, activityEntry{
			event:   account.LinkUsed,
			actor:   personAt(person, c.Address),
			subject: person,
			method:  account.ByLink,
			detail:  string(l.Kind),
		}); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.PasswordChanged,
			actor:   personAt(person, c.Address),
			subject: person,
			method:  account.ByLink,
		})
		return err
	})
}

// useLinkUp deletes a link of either kind: exactly one, or it was used meanwhile.
func (t *tx) useLinkUp(token string) error {
	n, err := t.exec(`DELETE FROM link WHERE token_hash = $1`, hashToken(token))
	if err != nil || n == 1 {
		return err
	}
	return t.execOne(`DELETE FROM mailed_link WHERE token_hash = $1 AND kind = 'forgot'`, hashToken(token))
}

// endLinks ends the one-time links of somebody who proves that they do not need one,
// or whose account a link was not made for any more: a password that was changed or
// given, an address, a role, a deactivation. Mails that wait with one are not sent.
func (t *tx) endLinks(person int64, now time.Time) error {
	links, err := t.exec(`DELETE FROM link WHERE person_id = $1`, person)
	if err != nil {
		return err
	}
	forgotten, err := t.exec(`DELETE FROM mailed_link WHERE person_id = $1 AND kind = 'forgot'`, person)
	if err != nil || links+forgotten == 0 {
		return err
	}
	return t.endLinkMails(person, now)
}
