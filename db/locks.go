package db

import (
	"fmt"
	"slices"

	"gatehouse/db/engine"
)

// What a write locks. Each write names the one thing that all writes which could
// decide against it name as well; SQLite, with its one writer, does not look at it.
//
// Most lock a person, found in the way that the write knows them by. What decides
// about other people, their roles, the policy or the key (whatever asks author)
// locks the workspace. Addresses, and the counts of names that nobody has, are locked
// by the statements that count them.

// lockStatements take the locks on PostgreSQL. NO KEY, since rows that refer to a person
// may be written meanwhile.
var lockStatements = engine.Locks{
	"workspace": {
		Query: `SELECT id FROM workspace FOR NO KEY UPDATE`,
		Keys:  `SELECT id FROM person WHERE id = $1 FOR NO KEY UPDATE`,
	},
	"person": {Keys: `SELECT id FROM person WHERE id = $1 FOR NO KEY UPDATE`},
	"email":  {Keys: `SELECT id FROM person WHERE email = $1 FOR NO KEY UPDATE`},
	"challenge": {Keys: `SELECT id FROM person
		WHERE id = (SELECT person_id FROM challenge WHERE id_hash = $1) FOR NO KEY UPDATE`},
	"ticket": {Keys: `SELECT id FROM person WHERE id = (SELECT s.person_id FROM ticket t
		JOIN session s ON s.handle = t.session_handle WHERE t.id_hash = $1) FOR NO KEY UPDATE`},
	"grant": {Keys: `SELECT id FROM person
		WHERE id = (SELECT person_id FROM app_grant WHERE id_hash = $1) FOR NO KEY UPDATE`},
	"family": {Keys: `SELECT id FROM person
		WHERE id = (SELECT person_id FROM app_grant WHERE family_hash = $1) FOR NO KEY UPDATE`},
	"attempts": {},
	"nothing":  {},
}

// lockPerson is for what one person does or has done to them.
func lockPerson(id int64) engine.Lock { return engine.LockOf("person", id) }

// lockEmail is for what begins with a sign-in name, which may be nobody's.
func lockEmail(email string) engine.Lock { return engine.LockOf("email", email) }

// lockChallenge is for what begins with the token of a challenge.
func lockChallenge(token string) engine.Lock { return engine.LockOf("challenge", hashToken(token)) }

// lockTicket is for what begins with the ticket to an app.
func lockTicket(ticket string) engine.Lock { return engine.LockOf("ticket", hashToken(ticket)) }

// lockGrant is for what begins with the code of a connected app.
func lockGrant(code string) engine.Lock { return engine.LockOf("grant", hashToken(code)) }

// lockFamily is for what begins with a refresh token, of which this is the part that all
// of its family have.
func lockFamily(family string) engine.Lock { return engine.LockOf("family", hashToken(family)) }

// lockWorkspace is for set-up, administration, policy and key: of two such writes
// the second sees all that the first did. People whom the write is about are locked
// after it, by rising id.
func lockWorkspace(people ...int64) engine.Lock {
	slices.Sort(people)
	keys := make([]any, 0, len(people))
	for _, id := range people {
		if id != 0 { // the machine is no person
			keys = append(keys, id)
		}
	}
	return engine.LockOf("workspace", keys...)
}

// lockAttempts is for a count alone: of an address, or of a name that nobody has.
func lockAttempts(subject string) engine.Lock { return engine.LockOf("attempts", subject) }

// lockNothing is for writes that decide nothing: a sweep, a health check.
func lockNothing() engine.Lock { return engine.LockOf("nothing") }

// claim locks the row of a count that no person's lock covers, and makes it where there is
// none: of two transactions that count, the second sees what the first did. SQLite, with
// its one writer, needs neither.
func (t *tx) claim(insert, lock string, key ...any) error {
	if t.Kind() == engine.SQLite {
		return nil
	}
	for {
		if _, err := t.exec(insert, key...); err != nil {
			return fmt.Errorf("locking a count: %w", err)
		}
		n, err := t.exec(lock, key...)
		if err != nil {
			return fmt.Errorf("locking a count: %w", err)
		}
		if n > 0 {
			return nil
		} // else it was deleted meanwhile
	}
}
