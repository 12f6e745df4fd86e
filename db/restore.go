package db

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gatehouse/account"
	"gatehouse/db/files"
	"gatehouse/twofactor"
)

// RestoreResult tells what a restore ended, and where it put what was there.
type RestoreResult struct {
	Sessions, Challenges, Links int64
	Previous                    string // the database from before; "" when there was none

	NewestActivity time.Time // of the backup: what happened later is not in it
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
//
// On a server the backup is copied into a database that holds no workspace.
func Restore(ctx context.Context, o Options, backup string, by Actor) (RestoreResult, error) {
	return restore(ctx, o, backup, by, migrations)
}

func restore(ctx context.Context, o Options, backup string, by Actor, steps []migration) (done RestoreResult, err error) {
	o.KeyFile, o.Upgrade = o.keyFile(), true
	path := filepath.Join(o.Dir, FileName)
	if _, err := os.Stat(backup); err != nil {
		return done, fmt.Errorf("cannot read the backup: %w", err)
	}
	if _, err := files.CheckBackup(ctx, backup, len(steps)+1); err != nil {
		return done, err
	}
	if err := files.MakeDir(o.Dir); err != nil {
		return done, fmt.Errorf("cannot make the data directory: %w", err)
	}
	if o.Database != "" {
		if err := requireNoWorkspace(ctx, o); err != nil {
			return done, err
		}
	}
	copied, err := files.CopyBackupBeside(ctx, backup, path)
	if err != nil {
		return done, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, files.RemoveDatabase(copied))
		}
	}()
	if err := prepareRestored(ctx, copied, o, steps, by, &done); err != nil {
		return done, fmt.Errorf("%s cannot be restored: %w", backup, err)
	}
	if o.Database != "" {
		err := copyToServer(ctx, copied, o)
		return done, errors.Join(err, files.RemoveDatabase(copied))
	}
	if done.Previous, err = files.SetAside(ctx, path, "before-restore", o.Now); err != nil {
		return done, err
	}
	if err := files.Replace(copied, path); err != nil {
		return done, fmt.Errorf("cannot put the backup in place: %w", err)
	}
	return done, nil
}

// prepareRestored upgrades the copy, proves the key and every seal, and ends the access
// that must not come back.
func prepareRestored(ctx context.Context, path string, o Options, steps []migration, by Actor, done *RestoreResult) error {
	s, err := openFile(ctx, path, o, steps, nil)
	if err != nil {
		return err
	}
	_, err = s.Check(ctx)
	if err == nil {
		done.NewestActivity, err = s.NewestActivity(ctx)
	}
	if err == nil {
		err = s.endSessions(ctx, by, o.Now, done)
	}
	return errors.Join(err, s.Close())
}

// endSessions ends the access that an old copy must not restore, and notifies all admins.
func (s *Store) endSessions(ctx context.Context, by Actor, now time.Time, done *RestoreResult) error {
	return s.write(ctx, lockWorkspace(), func(t *tx) (err error) {
		for _, end := range []struct {
			query string
			n     *int64
		}{
			{`UPDATE connected_session SET expired = TRUE`, new(int64)}, // an old copy calls no app
			{`DELETE FROM app_grant`, new(int64)},                       // tokens go with it
			{`DELETE FROM session`, &done.Sessions},                     // pending enrolments go with them
			{`DELETE FROM ceremony`, new(int64)},
			{`DELETE FROM challenge`, &done.Challenges},
			{`DELETE FROM link WHERE kind <> 'setup'`, &done.Links},
		} {
			if *end.n, err = t.exec(end.query); err != nil {
				return err
			}
		}
		if _, err := t.exec(`DELETE FROM mailed_link`); err != nil {
			return err
		}
		if err := t.giveUpMails("restored", now); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM node`); err != nil { // nobody serves what was restored
			return err
		}
		// A browser that was forgotten since the backup is not known again.
		if _, err := t.exec(`DELETE FROM known_browser`); err != nil {
			return err
		}
		newest := twofactor.TimeStep(now) + 1 // the newest that can have been accepted
		if _, err := t.exec(`UPDATE enrollment SET last_step = $1 WHERE last_step < $2`, newest, newest); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{event: account.WorkspaceRestored, actor: by})
		return err
	})
}

// requireNoWorkspace refuses a server's database that is in use, before anything is copied.
func requireNoWorkspace(ctx context.Context, o Options) error {
	target, err := newServerTarget(ctx, o)
	if err != nil {
		return err
	}
	return target.abandon()
}

// copyToServer copies the workspace of a file, which is prepared, into a server's database.
func copyToServer(ctx context.Context, path string, o Options) error {
	file := o
	file.Database = ""
	prepared, err := openFile(ctx, path, file, migrations, nil)
	if err != nil {
		return err
	}
	_, whole, err := copyTo(ctx, prepared, o)
	if err == nil && whole {
		err = errHasWorkspace
	}
	return errors.Join(err, prepared.Close())
}

// RestoreInPlace does what Restore does to a workspace whose tables were put back on a
// server by its own means, such as pg_restore: access of before ends.
func RestoreInPlace(ctx context.Context, o Options, by Actor) (done RestoreResult, err error) {
	o.KeyFile, o.Upgrade = o.keyFile(), true
	if o.Database == "" {
		return done, errors.New("there is no server: name its database with --database, or the backup's file")
	}
	o.Schema = "" // makes no workspace where there is none
	s, err := openPostgres(ctx, o)
	if err != nil {
		return done, err
	}
	if err := s.requireUnserved(ctx, o.Now); err != nil {
		return done, errors.Join(err, s.Close())
	}
	_, err = s.Check(ctx)
	if err == nil {
		done.NewestActivity, err = s.NewestActivity(ctx)
	}
	if err == nil {
		err = s.endSessions(ctx, by, o.Now, &done)
	}
	return done, errors.Join(err, s.Close())
}
