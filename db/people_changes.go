package db

import (
	"context"
	"errors"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// ResetTwoFactor takes a person's factor away, for somebody who has lost phone
// and recovery codes, and ends their sessions. On the machine it is break-glass
// and leaves a notice. It refuses with ErrNotEnabled, and with account.ErrOwnAccount:
// turning off one's own takes the password.
func (s *Store) ResetTwoFactor(ctx context.Context, person int64, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		if _, err := t.authorizeManage(by, person); err != nil {
			return err
		}
		n, err := t.exec(`DELETE FROM enrollment WHERE person_id = $1 AND state = 'enabled'`, person)
		if err != nil {
			return err
		}
		keys, err := t.exec(`DELETE FROM passkey WHERE person_id = $1`, person)
		if err != nil {
			return err
		}
		if n+keys == 0 {
			return twofactor.ErrNotEnabled
		}
		if err := t.updateEnrolled(person); err != nil {
			return err
		}
		if err := t.clearSuspicion(person); err != nil {
			return err
		}
		if err := t.endOtherSessions(person, nil); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM attempt WHERE kind IN ('code', 'recovery') AND subject = $1`,
			formatID(person)); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{event: account.FactorReset, actor: by.Actor, subject: person})
		return err
	})
}

// Invite adds a person without a password and makes the link that lets them choose one.
// It refuses with FieldErrors; only a Super-administrator invites admins:
// account.ErrNotAllowed.
func (s *Store) Invite(ctx context.Context, n NewPerson, by Author, now time.Time) (id int64, token string, err error) {
	return s.invite(ctx, n, by, false, now)
}

// InviteByMail is Invite, and mails the link. It returns the token only when no mail server
// is set.
func (s *Store) InviteByMail(ctx context.Context, n NewPerson, by Author, now time.Time) (id int64, token string, err error) {
	return s.invite(ctx, n, by, true, now)
}

func (s *Store) invite(ctx context.Context, n NewPerson, by Author, mailed bool, now time.Time) (id int64, token string, err error) {
	name, nameErr := account.ParseName("name", n.Name)
	email, emailErr := account.ParseEmail(n.Email)
	var roleErr error
	if !n.Role.Known() {
		roleErr = account.FieldError{Field: "role", Reason: account.Unknown}
	}
	userName, userNameErr := parseUserName(n.UserName)
	if err := errors.Join(nameErr, emailErr, roleErr, userNameErr); err != nil {
		return 0, "", err
	}
	err = s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		author, err := t.readAuthor(by)
		if err != nil {
			return err
		}
		if err := account.MayGive(author, account.Subject{}, n.Role); err != nil {
			return err
		}
		clean := NewPerson{Name: name, Email: email, Role: n.Role, UserName: userName}
		if id, err = t.addPerson(clean, "", by.Actor, now); err != nil {
			return err
		}
		token, err = t.newLink(id, account.Invitation, by.Actor, mailed, now)
		return err
	})
	return id, token, err
}

// endAccess ends everything through which somebody is in or comes in more easily:
// sessions, challenges and known browsers.
func (t *tx) endAccess(person int64) error {
	if err := t.endOtherSessions(person, nil); err != nil {
		return err
	}
	return t.forgetBrowsers(person, "")
}

// ChangePerson changes somebody's name, address, role and user name. It refuses with
// FieldErrors of name, email, role and user_name, and with account.ErrOwnRole, ErrNotAllowed or
// account.ErrLastSuperAdmin, and with account.ErrOutdated when they are not as the form
// showed them any more. A new address ends the person's sessions and links; a
// new role counts from their next request on.
func (s *Store) ChangePerson(ctx context.Context, person int64, seen account.Seen, n NewPerson, by Author,
	now time.Time) error {
	current, err := s.Person(ctx, person)
	if err != nil {
		return err
	}
	name, nameErr := account.ParseName("name", n.Name)
	email, emailErr := account.ParseEmail(n.Email)
	if account.OldNormalizeEmail(n.Email) == current.Email {
		email, emailErr = current.Email, nil // one of an older version may stay as it is
	}
	var roleErr error
	if !n.Role.Known() {
		roleErr = account.FieldError{Field: "role", Reason: account.Unknown}
	}
	userName, userNameErr := parseUserName(n.UserName)
	if err := errors.Join(nameErr, emailErr, roleErr, userNameErr); err != nil {
		return err
	}
	return s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		before, err := t.authorizeEdit(by, person)
		if err != nil {
			return err
		}
		if seen.Outdated(account.PersonVersion(before.Name, before.Email, before.UserName, before.Role)) {
			return account.ErrOutdated
		}
		if n.Role != before.Role {
			if err := t.changeRole(before, n.Role, by, now); err != nil {
				return err
			}
		}
		if userName != "" && userName != before.UserName {
			if err := t.changeUserName(before, userName, by, now); err != nil {
				return err
			}
		}
		if name == before.Name && email == before.Email {
			return nil
		}
		if err := t.rename(before, name, email); err != nil {
			return err
		}
		detail, mail := "name", mailFacts{}
		if email != before.Email {
			detail, mail.oldEmail = "e-mail address", before.Email
			if _, err := t.exec(`UPDATE person SET closed_email = $1 WHERE id = $2 AND closed_at IS NOT NULL`, email, person); err != nil {
				return err // an admin knows of the closing, and says where its links go now
			}
			if err := t.endLinks(person, now); err != nil { // the old address may have got it
				return err
			}
			if by.ID != person {
				if err := t.endOtherSessions(person, nil); err != nil {
					return err
				}
			}
		}
		_, err = t.appendActivity(now, activityEntry{
			event:   account.PersonChanged,
			actor:   by.Actor,
			subject: person,
			detail:  detail,
			mail:    mail,
		})
		return err
	})
}

// changeUserName gives somebody another user name.
func (t *tx) changeUserName(p Person, name string, by Author, now time.Time) error {
	if err := t.giveUserName(p.ID, name, p.Email); err != nil {
		return err
	}
	_, err := t.appendActivity(now, activityEntry{
		event:   account.PersonChanged,
		actor:   by.Actor,
		subject: p.ID,
		detail:  "user name " + p.UserName + " to " + name,
	})
	return err
}

// SetUserName gives somebody another user name, or refuses with a FieldError of user_name.
func (s *Store) SetUserName(ctx context.Context, person int64, typed string, by Author, now time.Time) error {
	name, err := account.ParseUserName(typed)
	if err != nil {
		return err
	}
	return s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		p, err := t.authorizeEdit(by, person)
		if err != nil || p.UserName == name {
			return err
		}
		return t.changeUserName(p, name, by, now)
	})
}

// changeRole gives a person a role, within the rules: only a Super-administrator makes
// admins, nobody changes their own, and the last Super-administrator stays. It ends open
// links: they may be in the hands of somebody who is not allowed to sign in with the new
// role. Whoever is given an admin's role signs in anew, so that nobody who had got hold
// of a session, a challenge or a known browser becomes an admin with them (ASVS 7.2.4).
func (t *tx) changeRole(p Person, role twofactor.Role, by Author, now time.Time) error {
	author, err := t.readAuthor(by)
	if err != nil {
		return err
	}
	if err := account.MayGive(author, account.Subject{ID: p.ID, Role: p.Role}, role); err != nil {
		return err
	}
	if err := t.execOne(`UPDATE person SET role = $1 WHERE id = $2`, string(role), p.ID); err != nil {
		return err
	}
	if err := t.requireSuperAdmin(p); err != nil {
		return err
	}
	if err := t.endLinks(p.ID, now); err != nil {
		return err
	}
	if role.Admin() {
		if err := t.endAccess(p.ID); err != nil {
			return err
		}
	}
	if err := t.endLostBy(p.ID); err != nil {
		return err
	}
	_, err = t.appendActivity(now, activityEntry{
		event:   account.RoleChanged,
		actor:   by.Actor,
		subject: p.ID,
		detail:  string(p.Role) + " to " + string(role),
		role:    role,
	})
	return err
}

// SetRole gives somebody a role, within the same rules.
func (s *Store) SetRole(ctx context.Context, person int64, role twofactor.Role, by Author, now time.Time) error {
	if !role.Known() {
		return account.FieldError{Field: "role", Reason: account.Unknown}
	}
	return s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		p, err := t.authorizeEdit(by, person)
		if err != nil || p.Role == role {
			return err
		}
		return t.changeRole(p, role, by, now)
	})
}

// SetActive deactivates somebody, which ends their sessions and links, or
// reactivates them. Nobody deactivates themselves (account.ErrOwnAccount), and the last
// active Super-administrator stays (account.ErrLastSuperAdmin).
func (s *Store) SetActive(ctx context.Context, person int64, active bool, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		p, err := t.authorizeManage(by, person)
		if err != nil || p.Active == active {
			return err
		}
		var enrolled bool
		if err := t.row(`UPDATE person SET active = $1 WHERE id = $2 RETURNING enrolled_here`, active, person).
			Scan(&enrolled); err != nil {
			return err
		}
		if active {
			t.countPerson(person, 1, one(enrolled))
		} else {
			t.countPerson(person, -1, -one(enrolled))
		}
		event := account.PersonReactivated
		if !active {
			event = account.PersonDeactivated
			if err := t.requireSuperAdmin(p); err != nil {
				return err
			}
			if err := t.endLinks(person, now); err != nil {
				return err
			}
			if _, err := t.exec(`DELETE FROM mailed_link WHERE person_id = $1`, person); err != nil {
				return err
			}
			if err := t.endAccess(person); err != nil {
				return err
			}
		}
		_, err = t.appendActivity(now, activityEntry{event: event, actor: by.Actor, subject: person})
		return err
	})
}

// EndSessionsOf ends all of somebody else's sessions and challenges, and forgets the
// browsers that they are known by; one's own are ended on My profile
// (account.ErrOwnAccount).
func (s *Store) EndSessionsOf(ctx context.Context, person int64, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		if _, err := t.authorizeManage(by, person); err != nil {
			return err
		}
		if err := t.endAccess(person); err != nil {
			return err
		}
		_, err := t.appendActivity(now, activityEntry{event: account.SessionsEnded, actor: by.Actor, subject: person})
		return err
	})
}

// Unlock clears somebody's failed attempts, from every browser, so that they need not
// wait. It is break-glass on the machine and leaves a notice. Nobody unlocks themselves:
// account.ErrOwnAccount.
func (s *Store) Unlock(ctx context.Context, person int64, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID, person), func(t *tx) error {
		if _, err := t.authorizeManage(by, person); err != nil {
			return err
		}
		if err := t.clearAttempts(person); err != nil {
			return err
		}
		_, err := t.appendActivity(now, activityEntry{event: account.PersonUnlocked, actor: by.Actor, subject: person})
		return err
	})
}
