package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// RenameWorkspace changes the workspace's name. It refuses with a FieldError, and with
// account.ErrOutdated when the name is not the one that the form showed any more.
func (s *Store) RenameWorkspace(ctx context.Context, seen account.Seen, typed string, by Author, now time.Time) error {
	name, err := account.ParseName("workspace", typed)
	if err != nil {
		return err
	}
	return s.writeName(ctx, func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		var before string
		if err := t.row(`SELECT name FROM workspace`).Scan(&before); err != nil {
			return fmt.Errorf("reading the workspace's name: %w", err)
		}
		if seen.Outdated(account.WorkspaceVersion(before)) {
			return account.ErrOutdated
		}
		n, err := t.exec(`UPDATE workspace SET name = $1 WHERE id = 1 AND name <> $2`, name, name)
		if err != nil || n == 0 {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{event: account.WorkspaceRenamed, actor: by.Actor, detail: name})
		return err
	})
}

// A Workspace is what everybody may know of it.
type Workspace struct {
	Name   string
	Policy twofactor.Policy
}

// Workspace reads the workspace's name and policy. Policy.At tells what of it is on.
func (s *Store) Workspace(ctx context.Context) (Workspace, error) {
	var w Workspace
	var everyone, admins sql.NullInt64
	err := s.row(ctx, `SELECT name, require_everyone, require_admins, everyone_from, admins_from FROM workspace`).
		Scan(&w.Name, &w.Policy.Everyone, &w.Policy.Admins, &everyone, &admins)
	w.Policy.EveryoneFrom, w.Policy.AdminsFrom = instant(everyone), instant(admins)
	if err != nil {
		return w, fmt.Errorf("reading the workspace: %w", err)
	}
	return w, nil
}

// A readName is the workspace's name, and when it was read.
type readName struct {
	name string
	at   time.Time
}

// nameTTL is how old the name that is kept may be where other processes rename, too.
const nameTTL = 5 * time.Second

// isFresh reports whether the name need not be read again.
func (n *readName) isFresh(shared bool, now time.Time) bool {
	if n == nil {
		return false
	}
	age := now.Sub(n.at)
	return !shared || age >= 0 && age < nameTTL
}

// WorkspaceName returns the workspace's name, for pages that anybody may ask for. It is
// kept in memory: where only this process serves, nobody else changes it, and elsewhere
// what is kept is at most five seconds old.
func (s *Store) WorkspaceName(ctx context.Context, now time.Time) (string, error) {
	if kept := s.name.Load(); kept.isFresh(s.shared, now) {
		return kept.name, nil
	}
	s.nameMu.Lock()
	defer s.nameMu.Unlock()
	if kept := s.name.Load(); kept.isFresh(s.shared, now) { // read by another request meanwhile
		return kept.name, nil
	}
	w, err := s.Workspace(ctx)
	if err == nil {
		s.name.Store(&readName{w.Name, now})
	}
	return w.Name, err
}

// writeName runs a write that changes the workspace's name. The lock keeps a concurrent
// reader from caching the old name.
func (s *Store) writeName(ctx context.Context, do func(*tx) error) error {
	s.nameMu.Lock()
	defer s.nameMu.Unlock()
	defer s.name.Store(nil)
	return s.write(ctx, lockWorkspace(), do)
}
