package db

import (
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// An Actor is who makes a change: a person over the web, or somebody with a
// shell on the machine.
type Actor struct {
	ID      int64  // the person, or 0
	Label   string // who, where it is no person: "os:root"
	Address string
}

// Machine is the actor of the command line: the operating system's user.
func Machine(user string) Actor { return Actor{Label: machineLabel + user} }

// machineLabel begins the label of an actor on the machine.
const machineLabel = "os:"

// activity is one row as it is written.
type activity struct {
	event   account.Event
	failed  bool
	actor   Actor
	subject int64
	method  account.Method
	detail  string
}

// record writes an activity row in the transaction of what it tells, and gives
// its number.
func (t *tx) record(now time.Time, a activity) (int64, error) {
	var id int64
	if a.method == "" && strings.HasPrefix(a.actor.Label, machineLabel) {
		a.method = account.ByCommand
	}
	err := t.row(`INSERT INTO activity (at, event, ok, actor_id, actor, subject_id, method, detail, address) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		unix(now), string(a.event), !a.failed, idOrNull(a.actor.ID), a.actor.Label, idOrNull(a.subject), string(a.method), a.detail, a.actor.Address).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("writing activity %s: %w", a.event, err)
	}
	return id, nil
}

// recordBreakGlass writes an activity row and the notice that every admin sees
// until one of them dismisses it.
func (t *tx) recordBreakGlass(now time.Time, a activity) error {
	a.method = account.ByCommand
	id, err := t.record(now, a)
	if err != nil {
		return err
	}
	return t.one(`INSERT INTO notice (activity_id) VALUES (?)`, id)
}

func idOrNull(id int64) sql.NullInt64 { return sql.NullInt64{Int64: id, Valid: id != 0} }

// onOff words a lever for the activity.
func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func policyDetail(p twofactor.Policy) string {
	return "everyone " + onOff(p.Everyone) + ", admins " + onOff(p.Admins)
}

func id10(id int64) string { return strconv.FormatInt(id, 10) }

// sqlList gives texts of our own as a list for SQL's IN: 'a', 'b'. It is for the
// constants of a table, never for what somebody typed.
func sqlList[T ~string](texts ...T) string {
	quoted := make([]string, 0, len(texts))
	for _, text := range texts {
		quoted = append(quoted, "'"+string(text)+"'")
	}
	return strings.Join(quoted, ", ")
}
