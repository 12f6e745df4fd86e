package db

import (
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// An Actor is who does what the activity tells. Only the functions below make one: the
// zero Actor is nobody, and no row is written in its name.
type Actor struct {
	ID      int64 // the person, or 0
	kind    account.ActorKind
	label   string // who, where it is no person: "os:root", or the keyed hash of an unknown name
	address string
}

// Machine is the actor of the command line: the operating system's user.
func Machine(user string) Actor { return Actor{kind: account.ActorMachine, label: "os:" + user} }

// personAt is a person who acts from an address.
func personAt(id int64, address string) Actor {
	return Actor{kind: account.ActorPerson, ID: id, address: address}
}

// strangerAt is whoever acts from an address without being signed in.
func strangerAt(address string) Actor {
	return Actor{kind: account.ActorStranger, address: address}
}

// activityEntry is one row as it is written.
type activityEntry struct {
	event   account.Event
	failed  bool
	actor   Actor
	subject int64
	method  account.Method
	detail  string
	role    twofactor.Role // that the act gives, if it gives one
	mail    mailFacts      // what a mail of it tells besides
	quiet   bool           // there is nobody yet who could read a notice
}

// appendActivity writes an activity row in the transaction of what it tells, and returns
// its number. An act of the machine that is break-glass leaves a notice, too, which every
// admin sees until one of them dismisses it. What the table of events mails is put into the
// outbox here.
func (t *tx) appendActivity(now time.Time, a activityEntry) (int64, error) {
	if !slices.Contains(account.ActorKinds, a.actor.kind) ||
		(a.actor.kind == account.ActorPerson) != (a.actor.ID != 0) {
		return 0, fmt.Errorf("activity %s without an actor", a.event)
	}
	machine := a.actor.kind == account.ActorMachine
	if machine && a.method == "" {
		a.method = account.ByCommand
	}
	var id int64
	err := t.row(`INSERT INTO activity (at, event, ok, actor_kind, actor_id, actor, subject_id, method, detail, address)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id`,
		unix(now), string(a.event), !a.failed,
		string(a.actor.kind), idOrNull(a.actor.ID), a.actor.label, idOrNull(a.subject),
		string(a.method), a.detail, a.actor.address).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("writing activity %s: %w", a.event, err)
	}
	if isCounted(a.event) {
		t.signIns = append(t.signIns, SignInCount{Event: a.event, Method: a.method, Count: 1})
	}
	t.tally(now, a)
	if a.quiet {
		return id, nil
	}
	if a.event.NeedsNotice(a.actor.kind, a.role) {
		if err := t.execOne(`INSERT INTO notice (activity_id) VALUES ($1)`, id); err != nil {
			return 0, err
		}
	}
	return id, t.mailActivity(id, now, a)
}

// appendActivities writes many rows at once, of what is everyday work: it refuses events that
// are told to somebody.
func (t *tx) appendActivities(now time.Time, entries []activityEntry) error {
	rows := make([][]any, 0, len(entries))
	for _, a := range entries {
		if a.actor.kind != account.ActorMachine || isCounted(a.event) || a.event.NeedsNotice(a.actor.kind, a.role) ||
			a.event.MailsPerson() || a.event.MailsAdmins(a.actor.kind, a.role) {
			return fmt.Errorf("activity %s is not for many at once", a.event)
		}
		method := a.method
		if method == "" {
			method = account.ByCommand
		}
		rows = append(rows, []any{unix(now), string(a.event), true, string(a.actor.kind), a.actor.label, a.subject,
			string(method), a.detail})
	}
	return t.insertMany(`INSERT INTO activity (at, event, ok, actor_kind, actor, subject_id, method, detail) VALUES `, rows)
}

func idOrNull(id int64) sql.NullInt64 { return sql.NullInt64{Int64: id, Valid: id != 0} }

func formatID(id int64) string { return strconv.FormatInt(id, 10) }

// sqlList gives texts of our own as a list for SQL's IN: 'a', 'b'. It is for the
// constants of a table, never for what somebody typed.
func sqlList[T ~string](texts ...T) string {
	quoted := make([]string, 0, len(texts))
	for _, text := range texts {
		quoted = append(quoted, "'"+string(text)+"'")
	}
	return strings.Join(quoted, ", ")
}
