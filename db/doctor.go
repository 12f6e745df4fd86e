package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gatehouse/doctor"
	"gatehouse/twofactor"
)

// unaskedNamed is how many apps without a proxy are named.
const unaskedNamed = 3

// DoctorFacts reads what the database knows of how the workspace is run. The server's own
// flags are not in it.
func (s *Store) DoctorFacts(ctx context.Context, now time.Time) (doctor.Facts, error) {
	f, err := s.doctorFacts(ctx, now)
	if err != nil {
		return f, fmt.Errorf("reading how the workspace is run: %w", err)
	}
	return f, nil
}

func (s *Store) doctorFacts(ctx context.Context, now time.Time) (f doctor.Facts, err error) {
	var made, backedUp, moved sql.NullInt64
	var mailFrom string
	err = s.row(ctx, `SELECT made_at, backed_up_at, mail_from, base_url, former_base_url, base_url_at FROM workspace`).
		Scan(&made, &backedUp, &mailFrom, &f.BaseURL, &f.Former, &moved)
	if err != nil {
		return f, err
	}
	if err := s.row(ctx, `SELECT EXISTS (SELECT 1 FROM person)`).Scan(&f.People); err != nil {
		return f, err
	}
	f.MadeAt, f.BackedUpAt, f.BaseURLAt, f.SendsMail = instant(made), instant(backedUp), instant(moved), mailFrom != ""
	if err := s.readAdmins(ctx, &f); err != nil {
		return f, err
	}
	if f.LeftBehind, err = s.LeftWithoutFactor(ctx); err != nil {
		return f, err
	}
	if err := s.readUnasked(ctx, &f); err != nil {
		return f, err
	}
	if err := s.readOutboxState(ctx, &f, now); err != nil {
		return f, err
	}
	if err := s.readBroken(ctx, &f, now); err != nil {
		return f, err
	}
	nodes, err := s.nodesThere(ctx, now)
	for _, n := range nodes {
		f.Nodes = append(f.Nodes, doctor.Node{
			Name:      n.Name,
			Version:   n.Version,
			Schema:    n.Schema,
			HasKey:    n.HasKey,
			Ahead:     n.Ahead,
			ClockTold: ClockWarns,
		})
	}
	return f, err
}

// readAdmins counts the active admins: the Super-administrators that can sign in, those
// without a second step, and the Super-administrators without a way back in.
func (s *Store) readAdmins(ctx context.Context, f *doctor.Facts) error {
	return s.row(ctx, `SELECT
			count(*) FILTER (WHERE role = $1 AND closed_at IS NULL AND (password_hash <> '' OR enrolled_here = TRUE)
				AND (enrolled = FALSE OR enrolled_here = TRUE OR unused_codes <> 0)),
			count(*) FILTER (WHERE enrolled_here = FALSE AND password_hash <> ''),
			count(*) FILTER (WHERE role = $2 AND enrolled = TRUE AND unused_codes = 0)
		FROM person WHERE role <> 'member' AND active = TRUE`, twofactor.SuperAdmin,
		twofactor.SuperAdmin).Scan(&f.SuperAdmins, &f.PlainAdmins, &f.WithoutCodes)
}

// readUnasked names guarded apps whose proxy has brought nobody here yet.
func (s *Store) readUnasked(ctx context.Context, f *doctor.Facts) error {
	return eachRow(reading{s, ctx}, func(scan func(...any) error) error {
		var name string
		if err := scan(&name); err != nil {
			return err
		}
		if f.UnaskedCount++; f.UnaskedCount <= unaskedNamed {
			f.UnaskedApps = append(f.UnaskedApps, name)
		}
		return nil
	}, `SELECT name FROM app WHERE guarded = TRUE AND paused = FALSE AND reached_at IS NULL ORDER BY sort_key, id`)
}

// readOutboxState counts the mails that wait, and those that failed.
func (s *Store) readOutboxState(ctx context.Context, f *doctor.Facts, now time.Time) error {
	var oldest sql.NullInt64
	err := s.row(ctx, `SELECT count(*), count(*) FILTER (WHERE tries > 0), min(made_at) FROM outbox WHERE state = 'waiting'`).
		Scan(&f.MailsWaiting, &f.MailsFailing, &oldest)
	if err != nil {
		return err
	}
	f.OldestWaiting = instant(oldest)
	var refused int
	err = s.row(ctx, `SELECT count(*) FROM outbox WHERE done_at > $1 AND state = 'given-up' AND tries > 0`,
		unix(now.AddDate(0, 0, -1))).Scan(&refused)
	f.MailsFailing += refused
	return err
}

// readBroken counts what a new base URL breaks, beside passkeys: one since when it is another,
// or one that is to come.
func (s *Store) readBroken(ctx context.Context, f *doctor.Facts, now time.Time) error {
	before := now
	if f.Former != "" {
		before = f.BaseURLAt
	}
	var mailed int
	err := s.row(ctx, `SELECT (SELECT count(*) FROM app WHERE connected = TRUE),
			(SELECT count(*) FROM link WHERE expires_at > $1 AND made_at < $2),
			(SELECT count(*) FROM mailed_link WHERE expires_at > $3 AND made_at < $4)`,
		unix(now), unix(before), unix(now), unix(before)).Scan(&f.Connected, &f.Links, &mailed)
	f.Links += mailed
	return err
}

// NoteBackup notes that a backup was made.
func (s *Store) NoteBackup(ctx context.Context, now time.Time) error {
	return s.write(ctx, lockNothing(), func(t *tx) error {
		_, err := t.exec(`UPDATE workspace SET backed_up_at = $1 WHERE id = 1`, unix(now))
		return err
	})
}

// SetBaseURL notes where browsers reach the workspace from now on; "" for whatever name
// they use. It is called when a server starts. What a new address breaks is told for a
// while.
func (s *Store) SetBaseURL(ctx context.Context, base string, now time.Time) error {
	err := s.write(ctx, lockNothing(), func(t *tx) error {
		_, err := t.exec(`UPDATE workspace SET base_url = $1,
				former_base_url = CASE WHEN base_url = '' THEN former_base_url ELSE base_url END, base_url_at = $2
			WHERE id = 1 AND base_url <> $3`, base, unix(now), base)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting the base URL: %w", err)
	}
	return nil
}
