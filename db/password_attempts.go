package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse/db/engine"
	"gatehouse/db/hash"
	"gatehouse/twofactor"
)

// A passwordAttempt is the count that an attempt at a password goes to: the
// browser's own when the person knows it, so that strangers cannot lock the
// owner out.
type passwordAttempt struct {
	kind, subject string
	address       string      // of whose network the bucket is charged as well; "" for none
	caller        hash.Caller // who waits for the slow hash
}

// signInAttempt finds the count of an attempt to sign in as somebody, or as nobody
// (0). A session that lives makes a known caller of the hash limiter, whoever's it is.
func (s *Store) signInAttempt(t *tx, person int64, email string, c Client, now time.Time) (passwordAttempt, error) {
	if known, _, err := t.isKnownBrowser(person, c, now); err != nil || known {
		return knownBrowserAttempt(person, c), err
	}
	a := passwordAttempt{kind: countPassword, subject: formatID(person), address: c.Address}
	if person == 0 {
		a.subject = unknownNameCount(s.hashUnknownName(email))
	}
	owner, err := s.sessionOwner(t, c, now)
	if owner != 0 {
		a.caller = personCaller(owner)
	}
	return a, err
}

// knownBrowserAttempt is the count of a browser that the person knows.
func knownBrowserAttempt(person int64, c Client) passwordAttempt {
	return passwordAttempt{
		kind:    countPasswordKnown,
		subject: formatID(person) + " " + fmt.Sprintf("%x", hashToken(c.Known)),
		caller:  personCaller(person),
	}
}

// sessionAttempt finds the count of an attempt within a session: its own where the
// browser is not known (forgotten, or its cookie was taken away), so that strangers do
// not make somebody wait who is signed in.
func (t *tx) sessionAttempt(v Visitor, c Client, now time.Time) (passwordAttempt, error) {
	if known, _, err := t.isKnownBrowser(v.Person.ID, c, now); err != nil || known {
		return knownBrowserAttempt(v.Person.ID, c), err
	}
	return passwordAttempt{
		kind:    countPasswordKnown,
		subject: formatID(v.Person.ID) + " session " + v.Handle,
		caller:  personCaller(v.Person.ID),
	}, nil
}

// countPasswordAttempt counts an attempt before the password is checked: for the address,
// unless the browser is known, and for the person.
func (t *tx) countPasswordAttempt(a passwordAttempt, now time.Time) error {
	if a.address != "" {
		if err := t.countAddressAttempt(a.address, now); err != nil {
			return err
		}
	}
	return t.countAttempt(a.kind, a.subject, twofactor.PasswordWaits, now)
}

// recordRefusal records an attempt as wrong and returns the refusal.
func (t *tx) recordRefusal(a passwordAttempt, at time.Time, refusal twofactor.Refusal) error {
	if err := t.recordFailure(a.kind, a.subject, at); err != nil {
		return err
	}
	return refusal
}

// refundPassword takes an attempt back that was right, or was not looked at.
func (t *tx) refundPassword(a passwordAttempt) error {
	if a.address != "" {
		if err := t.refundAddress(a.address); err != nil {
			return err
		}
	}
	return t.refundAttempt(a.kind, a.subject)
}

// refundUnchecked takes an attempt back whose answer a fault has kept from its sender:
// too many hashes were being computed, the client hung up, the disk is full. Nobody
// waits who has typed nothing wrong.
func (s *Store) refundUnchecked(ctx context.Context, lock engine.Lock, a passwordAttempt, fault error) error {
	return errors.Join(fault, s.write(context.WithoutCancel(ctx), lock,
		func(t *tx) error { return t.refundPassword(a) }))
}
