package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/db/engine"
)

// ErrFuture refuses to prune what has not happened yet.
var ErrFuture = errors.New("the day is in the future")

// pruneBatch is how many rows one transaction of PruneActivity deletes: a server that
// runs beside it must not wait long for its turn to write.
const pruneBatch = 2000

// PruneActivity deletes the activity from before an instant, with the notices of those
// rows, and returns how many rows there were. Only the machine may; the row that says so
// is written before anything is deleted, so that nothing goes without one. Cut off in the
// middle it leaves the newer part, and running it again goes on.
func (s *Store) PruneActivity(ctx context.Context, before time.Time, by Actor, now time.Time) (rows int64, err error) {
	if before.After(now) {
		return 0, ErrFuture
	}
	if err := s.requireOwner(ctx); err != nil {
		return 0, err
	}
	err = s.write(ctx, lockWorkspace(), func(t *tx) error {
		if by.kind != account.ActorMachine {
			return account.ErrNotAllowed
		}
		if err := t.row(`SELECT count(*) FROM activity WHERE at < $1`, unix(before)).Scan(&rows); err != nil {
			return fmt.Errorf("counting activity: %w", err)
		}
		if rows == 0 {
			return nil
		}
		detail := fmt.Sprintf("before %s, %d rows", before.UTC().Format(time.DateOnly), rows)
		_, err := t.appendActivity(now, activityEntry{event: account.ActivityPruned, actor: by, detail: detail})
		return err
	})
	for more := err == nil && rows > 0; more && err == nil; {
		more, err = s.pruneSome(ctx, before)
	}
	return rows, err
}

// pruneSome deletes the oldest rows from before an instant, and reports whether there
// may be more. The trigger that keeps every row is lifted inside its transaction alone:
// no other ever runs without it.
func (s *Store) pruneSome(ctx context.Context, before time.Time) (more bool, err error) {
	err = s.write(ctx, lockWorkspace(), func(t *tx) error {
		var last int64 // newest row of the batch in the order of time
		err := t.row(`SELECT coalesce(max(at), 0) FROM
			(SELECT at FROM activity WHERE at < $1 ORDER BY at, id LIMIT $2) AS oldest`,
			unix(before), pruneBatch).Scan(&last)
		if err != nil {
			return fmt.Errorf("looking for the oldest activity: %w", err)
		}
		if last == 0 {
			more = false
			return nil
		}
		lift, keep := `DROP TRIGGER activity_stays`, activityStays
		if t.Kind() == engine.Postgres { // for the role that owns the table
			lift, keep = `ALTER TABLE activity DISABLE TRIGGER activity_stays`, `ALTER TABLE activity ENABLE TRIGGER activity_stays`
		}
		if _, err := t.exec(lift); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM notice WHERE activity_id IN (SELECT id FROM activity WHERE at <= $1)`,
			last); err != nil {
			return fmt.Errorf("deleting notices: %w", err)
		}
		if _, err := t.exec(`DELETE FROM outbox WHERE activity_id IN (SELECT id FROM activity WHERE at <= $1)`,
			last); err != nil {
			return fmt.Errorf("deleting mails: %w", err)
		}
		n, err := t.exec(`DELETE FROM activity WHERE at <= $1`, last)
		if err != nil {
			return fmt.Errorf("deleting activity: %w", err)
		}
		more = n > 0
		_, err = t.exec(keep)
		return err
	})
	return more, err
}

// activityStays is the trigger, letter for letter as in schema.sql.
const activityStays = `CREATE TRIGGER activity_stays BEFORE DELETE ON activity BEGIN SELECT RAISE(ABORT, 'activity is append only'); END`
