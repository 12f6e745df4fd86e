package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
)

// noticesShown is how many notices a page shows at most.
const noticesShown = 20

// An OpenNotice is a notice that no admin has dismissed yet, with the row that it
// tells of.
type OpenNotice struct {
	ID int64
	ActivityRow
}

// OpenNotices are the notices that no admin has dismissed yet.
type OpenNotices struct {
	Newest []OpenNotice // the newest first, as many as a page shows
	Count  int          // of all
}

// Notices lists the open notices.
func (s *Store) Notices(ctx context.Context) (OpenNotices, error) {
	var out OpenNotices
	if err := s.row(ctx, `SELECT count(*) FROM notice WHERE dismissed_at IS NULL`).Scan(&out.Count); err != nil {
		return out, fmt.Errorf("counting notices: %w", err)
	}
	rows, err := s.rows(ctx, `SELECT n.id, a.at, a.event, `+actorColumns+`, `+subjectColumns+`, a.detail
		FROM notice n JOIN activity a ON a.id = n.activity_id`+actorJoin+subjectJoin+`
		WHERE n.dismissed_at IS NULL ORDER BY n.id DESC LIMIT $1`, noticesShown)
	if err != nil {
		return out, fmt.Errorf("reading notices: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n OpenNotice
		var at int64
		var actor, subject scannedParty
		err := rows.Scan(&n.ID, &at, &n.Event,
			&actor.kind, &actor.id, &actor.name, &actor.email,
			&subject.id, &subject.name, &subject.email,
			&n.Detail)
		if err != nil {
			return out, fmt.Errorf("reading a notice: %w", err)
		}
		n.At, n.Actor, n.Subject = time.Unix(at, 0).UTC(), actor.party(), subject.party()
		out.Newest = append(out.Newest, n)
	}
	return out, rows.Err()
}

// DismissNotice takes a notice away for all admins. It is not an error if the notice is
// already gone.
func (s *Store) DismissNotice(ctx context.Context, id int64, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		var event string
		err := t.row(`UPDATE notice SET dismissed_at = $1, dismissed_by = $2 WHERE id = $3 AND dismissed_at IS NULL
			RETURNING (SELECT event FROM activity WHERE activity.id = activity_id)`, unix(now), by.ID, id).Scan(&event)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("dismissing a notice: %w", err)
		}
		_, err = t.appendActivity(now, activityEntry{event: account.NoticeDismissed, actor: by.Actor, detail: event})
		return err
	})
}

// DismissNotices takes all notices up to one away for all admins: the newest that the
// admin was shown, so that one which came meanwhile stays.
func (s *Store) DismissNotices(ctx context.Context, through int64, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		n, err := t.exec(`UPDATE notice SET dismissed_at = $1, dismissed_by = $2 WHERE id <= $3 AND dismissed_at IS NULL`,
			unix(now), by.ID, through)
		if err != nil || n == 0 {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:  account.NoticeDismissed,
			actor:  by.Actor,
			detail: fmt.Sprintf("all %d", n),
		})
		return err
	})
}
