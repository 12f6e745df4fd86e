package db

import (
	"context"
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
		n, err := t.exec(`UPDATE workspace SET name = ? WHERE id = 1 AND name <> ?`, name, name)
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

// Workspace reads the workspace's name and policy.
func (s *Store) Workspace(ctx context.Context) (Workspace, error) {
	var w Workspace
	err := s.row(ctx, `SELECT name, require_everyone, require_admins FROM workspace`).
		Scan(&w.Name, &w.Policy.Everyone, &w.Policy.Admins)
	if err != nil {
		return w, fmt.Errorf("reading the workspace: %w", err)
	}
	return w, nil
}

// WorkspaceName returns the workspace's name, for pages that anybody may ask for. It is
// kept in memory: only the process that serves changes it, and only by renaming.
func (s *Store) WorkspaceName(ctx context.Context) (string, error) {
	if name := s.name.Load(); name != nil {
		return *name, nil
	}
	s.nameMu.Lock()
	defer s.nameMu.Unlock()
	w, err := s.Workspace(ctx)
	if err == nil {
		s.name.Store(&w.Name)
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
