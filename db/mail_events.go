package db

import (
	"fmt"
	"time"

	"gatehouse/account"
)

// NotMeTTL is how long the link "This wasn't me" of a mail works.
const NotMeTTL = 7 * 24 * time.Hour

// mailFacts are what a mail about an activity row tells that the row does not hold.
type mailFacts struct {
	newBrowser bool   // the sign-in came from a browser that the person was not known by
	browser    string // its User-Agent header
	oldEmail   string // the address before it was changed
}

// mailActivity puts into the outbox what the table of events mails: to the person whom a row is
// about, and to all admins.
func (t *tx) mailActivity(id int64, now time.Time, a activityEntry) error {
	toPerson, toAdmins := a.mailsPerson(), a.event.MailsAdmins(a.actor.kind, a.role)
	if !toPerson && !toAdmins {
		return nil
	}
	if domain, err := t.mailDomain(); err != nil || domain == "" {
		return err
	}
	if toPerson {
		if err := t.mailPerson(id, now, a); err != nil {
			return err
		}
	}
	if !toAdmins {
		return nil
	}
	admins, err := t.adminsToMail()
	if err != nil {
		return err
	}
	for _, admin := range admins {
		if toPerson && admin.ID == a.subject {
			continue // has the other mail
		}
		if err := t.putMail(newMail{kind: account.MailAdmins, person: admin.ID, email: admin.Email, activity: id}, now); err != nil {
			return err
		}
	}
	return nil
}

// mailsPerson reports whether a row is mailed to the person whom it is about.
func (a activityEntry) mailsPerson() bool {
	switch {
	case a.subject == 0 || !a.event.MailsPerson():
		return false
	case a.event == account.SignedIn:
		return a.mail.newBrowser || a.method == account.ByRecovery
	case a.event == account.PersonChanged:
		return a.mail.oldEmail != ""
	}
	return true
}

// mailPerson mails a row to the person whom it is about, and a change of the address to the
// one before as well. Each mail has a link "This wasn't me" of its own. Somebody who cannot
// sign in yet or any more gets none, and a sign-in is not told to whoever does not want to
// hear of it; one with a recovery code always is.
func (t *tx) mailPerson(id int64, now time.Time, a activityEntry) error {
	var email string
	var reachable, signInMails bool
	err := t.row(`SELECT email, active = TRUE AND password_hash <> '', sign_in_mails = TRUE FROM person WHERE id = $1`, a.subject).
		Scan(&email, &reachable, &signInMails)
	if err != nil {
		return fmt.Errorf("reading whom to mail: %w", err)
	}
	if !reachable || a.event == account.SignedIn && a.method != account.ByRecovery && !signInMails {
		return nil
	}
	if a.event == account.SignedIn && a.method != account.ByRecovery {
		if many, err := t.hasManyMails(a.subject, now); err != nil || many {
			return err
		}
	}
	before, detail, to := email, "", []string{email}
	if a.mail.oldEmail != "" {
		before, detail, to = a.mail.oldEmail, a.mail.oldEmail, append(to, a.mail.oldEmail)
	}
	if a.mail.newBrowser {
		detail = truncateUserAgent(a.mail.browser)
	}
	for _, address := range to {
		token := newToken()
		if err := t.execOne(`INSERT INTO mailed_link (token_hash, kind, person_id, event, email, occasion_at, made_at, expires_at)
			VALUES ($1, 'not-me', $2, $3, $4, $5, $6, $7)`, hashToken(token), a.subject, string(a.event), before, unix(now),
			unix(now), unix(now.Add(NotMeTTL))); err != nil {
			return fmt.Errorf("making a link: %w", err)
		}
		if err := t.putMail(newMail{
			kind:     account.MailEvent,
			person:   a.subject,
			email:    address,
			activity: id,
			detail:   detail,
			token:    token,
		}, now); err != nil {
			return err
		}
	}
	return nil
}

// signInMailsAnHour bounds the mails about sign-ins: whoever has the password and no cookies must
// not bury the others of the owner.
const signInMailsAnHour = 10

// hasManyMails reports whether somebody has had that many mails within the hour.
func (t *tx) hasManyMails(person int64, now time.Time) (bool, error) {
	var n int
	err := t.row(`SELECT count(*) FROM (SELECT 1 FROM outbox WHERE person_id = $1 AND made_at > $2 LIMIT $3) AS newest`,
		person, unix(now.Add(-time.Hour)), signInMailsAnHour).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("counting mails: %w", err)
	}
	return n >= signInMailsAnHour, nil
}

// adminsToMail lists the admins who can sign in.
func (t *tx) adminsToMail() ([]Person, error) {
	rows, err := t.rows(`SELECT id, email FROM person
		WHERE role <> 'member' AND active = TRUE AND password_hash <> '' ORDER BY role, id`)
	if err != nil {
		return nil, fmt.Errorf("reading the admins: %w", err)
	}
	defer rows.Close()
	var list []Person
	for rows.Next() {
		var p Person
		if err := rows.Scan(&p.ID, &p.Email); err != nil {
			return nil, fmt.Errorf("reading the admins: %w", err)
		}
		list = append(list, p)
	}
	return list, rows.Err()
}
