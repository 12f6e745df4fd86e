package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// NewSetupToken makes the link for the first Super-administrator, in place of an earlier
// one, while the workspace has no people. It returns ErrNotFound once there is somebody:
// the link is gone for ever.
func (s *Store) NewSetupToken(ctx context.Context, now time.Time) (token string, err error) {
	err = s.write(ctx, lockWorkspace(), func(t *tx) error {
		var people bool
		if err := t.row(`SELECT EXISTS (SELECT 1 FROM person)`).Scan(&people); err != nil {
			return fmt.Errorf("looking for people: %w", err)
		}
		if people {
			return ErrNotFound
		}
		if _, err := t.exec(`DELETE FROM link WHERE kind = 'setup'`); err != nil {
			return err
		}
		token = newToken()
		return t.execOne(`INSERT INTO link (token_hash, kind, made_at) VALUES ($1, 'setup', $2)`, hashToken(token), unix(now))
	})
	return token, err
}

// ErrLinkPrinted means that another process has made a set-up link already, and that it
// was not used yet.
var ErrLinkPrinted = errors.New("there is a set-up link already")

// FirstSetupToken makes the link for the first Super-administrator where several processes
// serve: the one that starts first, and none that comes later, so that the link which was
// printed goes on working. The others get ErrLinkPrinted.
func (s *Store) FirstSetupToken(ctx context.Context, now time.Time) (token string, err error) {
	err = s.write(ctx, lockWorkspace(), func(t *tx) error {
		var people, link bool
		if err := t.row(`SELECT EXISTS (SELECT 1 FROM person)`).Scan(&people); err != nil {
			return fmt.Errorf("looking for people: %w", err)
		}
		if err := t.row(`SELECT EXISTS (SELECT 1 FROM link WHERE kind = 'setup')`).Scan(&link); err != nil {
			return fmt.Errorf("looking for a set-up link: %w", err)
		}
		switch {
		case people:
			return ErrNotFound
		case link:
			return ErrLinkPrinted
		}
		token = newToken()
		return t.execOne(`INSERT INTO link (token_hash, kind, made_at) VALUES ($1, 'setup', $2)`, hashToken(token), unix(now))
	})
	return token, err
}

// CheckSetup gives ErrNotFound unless the token is that of the set-up link, and
// nobody has been added on the machine meanwhile.
func (s *Store) CheckSetup(ctx context.Context, token string) error {
	var found int
	err := s.row(ctx, `SELECT 1 FROM link
		WHERE token_hash = $1 AND kind = 'setup' AND NOT EXISTS (SELECT 1 FROM person)`, hashToken(token)).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// SetUp names the workspace, adds its first Super-administrator and signs them
// in. The link works once: of two posts one gets ErrNotFound. It refuses with
// FieldErrors of workspace, name, email and password. A link that does not exist
// counts against the client's address, and is refused with ErrNotFound or Wait.
func (s *Store) SetUp(ctx context.Context, token, workspace string, n NewPerson, c Client,
	now time.Time) (SignInResult, error) {
	err := s.CheckSetup(ctx, token) // before the slow hash
	if errors.Is(err, ErrNotFound) {
		return SignInResult{}, s.countUnknownLink(ctx, c, now)
	}
	if err != nil {
		return SignInResult{}, err
	}
	end, err := s.turns.acquire(ctx, "link "+token, 1)
	if err != nil {
		return SignInResult{}, err
	}
	defer end()
	if err := s.CheckSetup(ctx, token); err != nil { // of many at once one computes a slow hash
		return SignInResult{}, err
	}
	name, nameErr := account.ParseName("workspace", workspace)
	n.Role = twofactor.SuperAdmin
	clean, password, err := n.parse(workspace)
	if err := errors.Join(nameErr, err); err != nil {
		return SignInResult{}, err
	}
	hash, err := s.hashPassword(ctx, linkCaller(token), password)
	if err != nil {
		return SignInResult{}, err
	}
	var out SignInResult
	err = s.writeName(ctx, func(t *tx) error {
		n, err := t.exec(`DELETE FROM link
			WHERE token_hash = $1 AND kind = 'setup' AND NOT EXISTS (SELECT 1 FROM person)`, hashToken(token))
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		if err := t.execOne(`UPDATE workspace SET name = $1 WHERE id = 1`, name); err != nil {
			return err
		}
		id, err := t.addPerson(clean, hash, strangerAt(c.Address), now)
		if err != nil {
			return err
		}
		if _, err := t.appendActivity(now, activityEntry{
			event:   account.WorkspaceSetUp,
			actor:   personAt(id, c.Address),
			subject: id,
			method:  account.ByLink,
		}); err != nil {
			return err
		}
		out.CodesLeft = -1
		out.Session, out.Browser, err = t.completeSignIn(credentials{id: id}, newHandle(), byPassword(now), c, now)
		return err
	})
	return out, err
}
