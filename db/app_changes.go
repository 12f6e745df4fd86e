package db

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/twofactor"
	"gatehouse/typed"
)

// A NewApp is what it takes to add an app, as typed.
type NewApp struct {
	AppFacts
	Access             AppAccess
	Guarded, Connected bool
	Public, Others     string // one a line
	RemoteUser         apps.RemoteUser
}

// AppFacts are an app's name and address, as typed.
type AppFacts struct {
	Name, Address, Mark string
	Icon                []byte // nil for leaving it as it is
	NoIcon              bool   // the icon goes
	PortalHost          string // in its one spelling; "" where it is not known: no app may have it
}

// AppAccess is who may open an app, as typed.
type AppAccess struct {
	Everyone     bool
	Roles        []string
	Groups       []string // by name
	People       []string // by e-mail address
	SecondStep   bool
	FreshMinutes string
}

// AppGuard is how an app is guarded, as typed.
type AppGuard struct {
	Guarded        bool
	Public, Others string // one a line
	RemoteUser     apps.RemoteUser
}

// appFacts are AppFacts that were checked.
type appFacts struct {
	name, mark string
	address    apps.Address
	kind       apps.IconKind
	AppFacts
}

func (f AppFacts) parse() (appFacts, error) {
	out := appFacts{AppFacts: f}
	var nameErr, addressErr, markErr, iconErr error
	out.name, nameErr = account.ParseName("name", f.Name)
	out.address, addressErr = apps.ParseAddress(f.Address, f.PortalHost)
	out.mark, markErr = apps.ParseMark(f.Mark, out.name)
	if len(f.Icon) > 0 {
		out.kind, iconErr = apps.ParseIcon(f.Icon)
	}
	return out, errors.Join(nameErr, addressErr, markErr, iconErr)
}

// guard is an AppGuard that was checked.
func (g AppGuard) parse() (apps.Guard, error) {
	out := apps.Guard{RemoteUser: g.RemoteUser}
	if out.RemoteUser == "" {
		out.RemoteUser = apps.ByUserName
	}
	var publicErr, othersErr, userErr error
	out.Public, publicErr = apps.ParsePublicPaths(g.Public)
	out.Others, othersErr = apps.ParseOthers(g.Others)
	if !out.RemoteUser.Known() {
		userErr = account.FieldError{Field: "remote_user", Reason: account.Unknown}
	}
	return out, errors.Join(publicErr, othersErr, userErr)
}

// AddApp adds an app. It refuses with FieldErrors of name, address, mark, icon, role, group,
// person, fresh_minutes, public, others and remote_user.
func (s *Store) AddApp(ctx context.Context, n NewApp, by Author, now time.Time) (id int64, err error) {
	facts, factsErr := n.AppFacts.parse()
	guard, guardErr := AppGuard{n.Guarded, n.Public, n.Others, n.RemoteUser}.parse()
	_, accessErr := n.Access.parse()
	if err := errors.Join(factsErr, guardErr, accessErr); err != nil {
		return 0, err
	}
	err = s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		if err := t.requireFreeApp(0, facts); err != nil {
			return err
		}
		slug, err := t.freeSlug(facts.name)
		if err != nil {
			return err
		}
		err = t.row(`INSERT INTO app (slug, name, sort_key, scheme, host, port, mark, guarded, connected, public_paths,
				other_origins, remote_user, made_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id`,
			slug, facts.name, account.SortKey(facts.name), facts.address.Scheme, facts.address.Host, facts.address.Port,
			facts.mark, n.Guarded, n.Connected, lines(guard.Public), lines(guard.Others), string(guard.RemoteUser),
			unix(now)).Scan(&id)
		if err != nil {
			return fmt.Errorf("adding an app: %w", err)
		}
		// SQLite may give the number of an app that was removed.
		if _, err := t.exec(`DELETE FROM portal_app WHERE app_id = $1`, id); err != nil {
			return err
		}
		if err := t.saveIcon(id, facts); err != nil {
			return err
		}
		if err := t.saveAccess(id, n.Access); err != nil {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{event: account.AppAdded, actor: by.Actor, detail: facts.name})
		return err
	})
	return id, err
}

// requireFreeApp refuses a name and a host that another app has.
func (t *tx) requireFreeApp(id int64, f appFacts) error {
	var name, host bool
	err := t.row(`SELECT EXISTS (SELECT 1 FROM app WHERE name = $1 AND id <> $2),
		EXISTS (SELECT 1 FROM app WHERE host = $3 AND id <> $4)`, f.name, id, f.address.Host, id).Scan(&name, &host)
	if err != nil {
		return fmt.Errorf("looking for an app: %w", err)
	}
	var nameErr, hostErr error
	if name {
		nameErr = account.FieldError{Field: "name", Reason: account.Taken}
	}
	if host {
		hostErr = account.FieldError{Field: "address", Reason: account.Taken}
	}
	return errors.Join(nameErr, hostErr)
}

// freeSlug finds the first slug of a name that no app has.
func (t *tx) freeSlug(name string) (string, error) {
	slug := apps.Slug(name)
	for n := 1; ; n++ {
		numbered := slug
		if n > 1 {
			numbered = fmt.Sprintf("%s-%d", slug, n)
		}
		var taken bool
		if err := t.row(`SELECT EXISTS (SELECT 1 FROM app WHERE slug = $1)`, numbered).Scan(&taken); err != nil {
			return "", fmt.Errorf("looking for a slug: %w", err)
		}
		if !taken {
			return numbered, nil
		}
	}
}

// saveIcon stores or removes an app's picture.
func (t *tx) saveIcon(id int64, f appFacts) error {
	if f.kind == "" && !f.NoIcon {
		return nil
	}
	if _, err := t.exec(`DELETE FROM app_icon WHERE app_id = $1`, id); err != nil {
		return err
	}
	version := ""
	if f.kind != "" {
		sum := sha256.Sum256(f.Icon)
		version = hex.EncodeToString(sum[:6])
		if err := t.execOne(`INSERT INTO app_icon (app_id, kind, content) VALUES ($1, $2, $3)`,
			id, string(f.kind), base64.StdEncoding.EncodeToString(f.Icon)); err != nil {
			return fmt.Errorf("storing an icon: %w", err)
		}
	}
	return t.execOne(`UPDATE app SET icon = $1 WHERE id = $2`, version, id)
}

// parsedAccess is what of an AppAccess can be checked without looking anybody up.
type parsedAccess struct {
	roles   []twofactor.Role
	minutes int
	emails  []string
}

func (a AppAccess) parse() (parsedAccess, error) {
	var out parsedAccess
	var roleErr error
	for _, word := range a.Roles {
		role := twofactor.Role(word)
		if !role.Known() {
			roleErr = account.FieldError{Field: "role", Reason: account.Unknown}
		}
		out.roles = append(out.roles, role)
	}
	for _, given := range a.People {
		separate := func(r rune) bool { return typed.IsBlank(r) || r == ',' || r == ';' }
		out.emails = append(out.emails, strings.FieldsFunc(given, separate)...)
	}
	var minutesErr error
	out.minutes, minutesErr = parseMinutes(a.FreshMinutes)
	return out, errors.Join(roleErr, minutesErr)
}

// saveAccess stores who may open an app in place of who might before. It refuses groups and
// people who are not there with FieldErrors of group and person.
func (t *tx) saveAccess(id int64, a AppAccess) error {
	parsed, err := a.parse()
	if err != nil {
		return err
	}
	groups, groupErr := t.groupsByName(a.Groups)
	people, personErr := t.peopleByEmail(parsed.emails)
	if err := errors.Join(groupErr, personErr); err != nil {
		return err
	}
	for _, query := range []string{
		`DELETE FROM app_role WHERE app_id = $1`,
		`DELETE FROM app_group WHERE app_id = $1`,
		`DELETE FROM app_person WHERE app_id = $1`,
	} {
		if _, err := t.exec(query, id); err != nil {
			return err
		}
	}
	for _, role := range parsed.roles {
		if _, err := t.exec(`INSERT INTO app_role (app_id, role) VALUES ($1, $2) ON CONFLICT (app_id, role) DO NOTHING`,
			id, string(role)); err != nil {
			return err
		}
	}
	for _, group := range groups {
		if _, err := t.exec(`INSERT INTO app_group (app_id, group_id) VALUES ($1, $2)
			ON CONFLICT (app_id, group_id) DO NOTHING`, id, group); err != nil {
			return err
		}
	}
	for _, person := range people {
		if _, err := t.exec(`INSERT INTO app_person (app_id, person_id) VALUES ($1, $2)
			ON CONFLICT (app_id, person_id) DO NOTHING`, id, person); err != nil {
			return err
		}
	}
	return t.execOne(`UPDATE app SET everyone = $1, second_step = $2, fresh_minutes = $3 WHERE id = $4`,
		a.Everyone, a.SecondStep, parsed.minutes, id)
}

// peopleByEmail finds people by their sign-in names. It refuses one that nobody has.
func (t *tx) peopleByEmail(emails []string) ([]int64, error) {
	var out []int64
	for _, email := range emails {
		p, err := t.credentialsByEmail(email)
		if errors.Is(err, ErrNotFound) {
			return nil, account.FieldError{Field: "person", Reason: account.NoPerson}
		}
		if err != nil {
			return nil, err
		}
		out = append(out, p.id)
	}
	return out, nil
}

// changeApp runs one change to an app. It returns ErrNotFound for one that is not there.
// What do returns names what was changed; "" for nothing, which leaves no row.
func (s *Store) changeApp(ctx context.Context, id int64, by Author, now time.Time,
	do func(t *tx, before apps.App) (what string, err error)) error {
	return s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		before, err := readApp(t, `SELECT `+appColumns+` WHERE app.id = $1`, id)
		if err != nil {
			return err
		}
		what, err := do(t, before)
		if err != nil || what == "" {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{
			event:  account.AppChanged,
			actor:  by.Actor,
			detail: before.Name + ": " + what,
		})
		return err
	})
}

// ChangeApp changes an app's name, address, mark and icon. It refuses with FieldErrors of
// these, and with account.ErrOutdated when they are not as the form showed them any more.
func (s *Store) ChangeApp(ctx context.Context, id int64, seen account.Seen, f AppFacts, by Author, now time.Time) error {
	facts, err := f.parse()
	if err != nil {
		return err
	}
	return s.changeApp(ctx, id, by, now, func(t *tx, before apps.App) (string, error) {
		if seen.Outdated(before.FactsVersion()) {
			return "", account.ErrOutdated
		}
		return t.changeAppFacts(before, facts)
	})
}

// changeAppFacts says what it changes; "" for nothing.
func (t *tx) changeAppFacts(before apps.App, facts appFacts) (string, error) {
	if err := t.requireFreeApp(before.ID, facts); err != nil {
		return "", err
	}
	var what []string
	if facts.name != before.Name {
		what = append(what, "name now "+facts.name)
	}
	if facts.address != before.Address {
		what = append(what, "address "+before.Address.String()+" to "+facts.address.String())
	}
	if facts.mark != before.Mark {
		what = append(what, "mark")
	}
	if facts.kind != "" || facts.NoIcon && before.Icon != "" {
		what = append(what, "icon")
	}
	if len(what) == 0 {
		return "", nil
	}
	if err := t.saveIcon(before.ID, facts); err != nil {
		return "", err
	}
	if facts.address.Host != before.Address.Host { // the cookies of the old host open nothing
		if err := t.endAppSessions(before.ID); err != nil {
			return "", err
		}
	}
	return strings.Join(what, ", "), t.execOne(`UPDATE app
		SET name = $1, sort_key = $2, scheme = $3, host = $4, port = $5, mark = $6 WHERE id = $7`,
		facts.name, account.SortKey(facts.name), facts.address.Scheme, facts.address.Host, facts.address.Port,
		facts.mark, before.ID)
}

// SetApp changes everything of an app at once, as ChangeApp, ChangeAppAccess and
// ChangeAppGuard do each: all of it or nothing.
func (s *Store) SetApp(ctx context.Context, id int64, f AppFacts, a AppAccess, g AppGuard, by Author,
	now time.Time) error {
	facts, factsErr := f.parse()
	guard, guardErr := g.parse()
	if err := errors.Join(factsErr, guardErr); err != nil {
		return err
	}
	return s.changeApp(ctx, id, by, now, func(t *tx, before apps.App) (string, error) {
		var what []string
		for _, change := range []func() (string, error){
			func() (string, error) { return t.changeAppFacts(before, facts) },
			func() (string, error) { return t.changeAppAccess(before, a) },
			func() (string, error) { return t.changeAppGuard(before, g.Guarded, guard) },
		} {
			changed, err := change()
			if err != nil {
				return "", err
			}
			if changed != "" {
				what = append(what, changed)
			}
		}
		return strings.Join(what, "; "), nil
	})
}

// ChangeAppAccess changes who may open an app, and how. It refuses with FieldErrors of role,
// group, person and fresh_minutes, and with account.ErrOutdated as ChangeApp does. It
// counts from everybody's next request on.
func (s *Store) ChangeAppAccess(ctx context.Context, id int64, seen account.Seen, a AppAccess, by Author,
	now time.Time) error {
	return s.changeApp(ctx, id, by, now, func(t *tx, before apps.App) (string, error) {
		if seen.Outdated(before.AccessVersion()) {
			return "", account.ErrOutdated
		}
		return t.changeAppAccess(before, a)
	})
}

// changeAppAccess says what it changes; "" for nothing.
func (t *tx) changeAppAccess(before apps.App, a AppAccess) (string, error) {
	if err := t.saveAccess(before.ID, a); err != nil {
		return "", err
	}
	after, err := readApp(t, `SELECT `+appColumns+` WHERE app.id = $1`, before.ID)
	if err != nil || after.AccessVersion() == before.AccessVersion() {
		return "", err
	}
	return "access for " + after.Access.String(), t.endLostAt(before.ID)
}

// ChangeAppGuard changes whether and how an app is guarded. It refuses with FieldErrors of
// public, others and remote_user, and with account.ErrOutdated as ChangeApp does.
func (s *Store) ChangeAppGuard(ctx context.Context, id int64, seen account.Seen, g AppGuard, by Author,
	now time.Time) error {
	guard, err := g.parse()
	if err != nil {
		return err
	}
	return s.changeApp(ctx, id, by, now, func(t *tx, before apps.App) (string, error) {
		if seen.Outdated(before.GuardVersion()) {
			return "", account.ErrOutdated
		}
		return t.changeAppGuard(before, g.Guarded, guard)
	})
}

// changeAppGuard says what it changes; "" for nothing.
func (t *tx) changeAppGuard(before apps.App, guarded bool, guard apps.Guard) (string, error) {
	after := before
	after.Guarded, after.Guard = guarded, guard
	if after.GuardVersion() == before.GuardVersion() {
		return "", nil
	}
	what := "guard"
	if after.Guarded != before.Guarded {
		what = "guarded " + onOff(after.Guarded)
	}
	return what, t.execOne(`UPDATE app
		SET guarded = $1, public_paths = $2, other_origins = $3, remote_user = $4 WHERE id = $5`,
		guarded, lines(guard.Public), lines(guard.Others), string(guard.RemoteUser), before.ID)
}

// PauseApp pauses an app, which nobody opens from the next request on, or resumes it.
func (s *Store) PauseApp(ctx context.Context, id int64, paused bool, by Author, now time.Time) error {
	return s.changeApp(ctx, id, by, now, func(t *tx, before apps.App) (string, error) {
		if before.Paused == paused {
			return "", nil
		}
		what := "resumed"
		if paused {
			what = "paused"
		}
		return what, t.execOne(`UPDATE app SET paused = $1 WHERE id = $2`, paused, id)
	})
}

// RemoveApp removes an app for good, and with it everybody's sessions in it. It returns
// ErrNotFound for one that is not there.
func (s *Store) RemoveApp(ctx context.Context, id int64, by Author, now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		a, err := readApp(t, `SELECT `+appColumns+` WHERE app.id = $1`, id)
		if err != nil {
			return err
		}
		if err := t.execOne(`DELETE FROM app WHERE id = $1`, id); err != nil { // what refers to it goes with it
			return fmt.Errorf("removing an app: %w", err)
		}
		_, err = t.appendActivity(now, activityEntry{event: account.AppRemoved, actor: by.Actor, detail: a.Name})
		return err
	})
}
