package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"gatehouse/account"
	"gatehouse/db/files"
	"gatehouse/twofactor"
)

// Restored tells what a restore ended, and where it put what was there.
type Restored struct {
	Sessions, Challenges, Links int64
	Aside                       string // the database from before; "" when there was none
}

// Restore puts a backup in the place of the workspace's database. Whoever calls
// it holds the data directory's lock. The backup is copied, checked, upgraded and
// opened with the key before anything in the data directory changes; then one
// rename makes it the database. What was there is kept under another name.
//
// Sessions, challenges and links of the backup end: whoever ended one since must
// not find it open again. Codes of the time steps around now are used up, since one
// may have been accepted after the backup. Everything else is as it was: people,
// passwords, second steps, recovery codes, waits, activity. A recovery code that was
// used since the backup works again; voiding them all would lock out whoever has
// lost the phone.
func Restore(ctx context.Context, o Options, backup string, by Actor) (Restored, error) {
	return restore(ctx, o, backup, by, migrations)
}

func restore(ctx context.Context, o Options, backup string, by Actor, steps []string) (done Restored, err error) {
	o.KeyFile, o.Upgrade = o.keyFile(), true
	path := filepath.Join(o.Dir, FileName)
	copied := path + ".restoring"
	if _, err := os.Stat(backup); err != nil {
		return done, fmt.Errorf("cannot read the backup: %w", err)
	}
	if _, err := checkFile(ctx, backup, len(steps)+1); err != nil {
		return done, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return done, fmt.Errorf("cannot make the data directory: %w", err)
	}
	if err := copyDatabase(ctx, backup, copied); err != nil {
		return done, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, files.RemoveDatabase(copied))
		}
	}()
	if err := prepareRestored(ctx, copied, o, steps, by, &done); err != nil {
		return done, err
	}
	if err := files.OwnLikeDirectory(copied); err != nil {
		return done, err
	}
	if done.Aside, err = setAside(ctx, path, o.Now); err != nil {
		return done, err
	}
	if err := os.Rename(copied, path); err != nil {
		return done, fmt.Errorf("cannot put the backup in place: %w", err)
	}
	return done, files.SyncDir(o.Dir)
}

// prepareRestored upgrades the copy, proves the key and every seal, and ends
// what must not come back.
func prepareRestored(ctx context.Context, path string, o Options, steps []string, by Actor, done *Restored) error {
	s, err := openFile(ctx, path, o, steps, nil)
	if err != nil {
		return err
	}
	_, err = s.Check(ctx)
	if err == nil {
		err = s.endAll(ctx, by, o.Now, done)
	}
	return errors.Join(err, s.Close())
}

// endAll ends what a copy of yesterday must not open today, and tells all admins.
func (s *Store) endAll(ctx context.Context, by Actor, now time.Time, done *Restored) error {
	return s.write(ctx, lockWorkspace(), func(t *tx) (err error) {
		for _, end := range []struct {
			query string
			n     *int64
		}{
			{`DELETE FROM session`, &done.Sessions}, // pending enrolments go with them
			{`DELETE FROM challenge`, &done.Challenges},
			{`DELETE FROM link WHERE kind <> 'setup'`, &done.Links},
		} {
			if *end.n, err = t.exec(end.query); err != nil {
				return err
			}
		}
		newest := twofactor.TimeStep(now) + 1 // the newest that can have been accepted
		if _, err := t.exec(`UPDATE enrollment SET last_step = ? WHERE last_step < ?`, newest, newest); err != nil {
			return err
		}
		return t.recordBreakGlass(now, activity{event: account.WorkspaceRestored, actor: by})
	})
}

// setAside gives the present database another name beside its own, with all
// that its journal holds, and tells that name. The database keeps its own name too,
// so that a crash leaves it in place.
func setAside(ctx context.Context, path string, now time.Time) (aside string, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	aside = path + ".before-restore-" + now.UTC().Format("20060102T150405Z")
	if _, err := checkFile(ctx, path, math.MaxInt); err == nil {
		_ = checkpoint(ctx, path)
	} // else SQLite would throw the journal of a damaged one away: it goes aside too
	if err := os.Link(path, aside); err != nil {
		return "", fmt.Errorf("cannot keep the present database: %w", err)
	}
	for _, journal := range []string{"-wal", "-shm"} {
		if err := os.Rename(path+journal, aside+journal); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("cannot keep the present database's journal: %w", err)
		}
	}
	return aside, nil
}

// checkpoint writes the journal back into the file and removes it.
func checkpoint(ctx context.Context, path string) error {
	name, err := dsn(path, "rw")
	if err != nil {
		return err
	}
	file, err := sql.Open("sqlite", name)
	if err != nil {
		return err
	}
	_, err = file.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return errors.Join(err, file.Close())
}
