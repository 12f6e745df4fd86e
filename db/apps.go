package db

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/twofactor"
	"gatehouse/typed"
)

// appColumns are what scanApp reads. Who may open the app is in tables of its own.
const appColumns = `app.id, app.slug, app.name, app.scheme, app.host, app.port, app.mark, app.icon, app.guarded,
	app.connected, app.ours, app.paused, app.everyone, app.second_step, app.fresh_minutes, app.public_paths,
	app.other_origins, app.remote_user, app.watch_until, app.made_at FROM app`

func scanApp(scan func(...any) error) (apps.App, error) {
	var a apps.App
	var public, others string
	var watch, made sql.NullInt64
	err := scan(&a.ID, &a.Slug, &a.Name, &a.Address.Scheme, &a.Address.Host, &a.Address.Port, &a.Mark, &a.Icon,
		&a.Guarded, &a.Connected, &a.Ours, &a.Paused, &a.Access.Everyone, &a.Access.SecondStep, &a.Access.FreshMinutes,
		&public, &others, &a.Guard.RemoteUser, &watch, &made)
	if errors.Is(err, sql.ErrNoRows) {
		return a, ErrNotFound
	}
	if err != nil {
		return a, fmt.Errorf("reading an app: %w", err)
	}
	a.Guard.Public, a.Guard.Others = strings.Fields(public), strings.Fields(others)
	a.WatchUntil, a.MadeAt = instant(watch), instant(made)
	return a, nil
}

// A querier reads, in a transaction or without one.
type querier interface {
	row(query string, args ...any) row
	rows(query string, args ...any) (*sql.Rows, error)
}

// reading is a querier without a transaction.
type reading struct {
	s   *Store
	ctx context.Context
}

func (r reading) row(query string, args ...any) row { return r.s.row(r.ctx, query, args...) }

func (r reading) rows(query string, args ...any) (*sql.Rows, error) {
	return r.s.rows(r.ctx, query, args...)
}

// App finds an app by its number, or returns ErrNotFound.
func (s *Store) App(ctx context.Context, id int64) (apps.App, error) {
	return readApp(reading{s, ctx}, `SELECT `+appColumns+` WHERE app.id = $1`, id)
}

// AppBySlug finds an app by what names it in addresses, or returns ErrNotFound.
func (s *Store) AppBySlug(ctx context.Context, slug string) (apps.App, error) {
	return readApp(reading{s, ctx}, `SELECT `+appColumns+` WHERE app.slug = $1`, slug)
}

// AppByHost finds the app that has a host name in its one spelling (apps.CanonicalHost), or
// returns ErrNotFound.
func (s *Store) AppByHost(ctx context.Context, host string) (apps.App, error) {
	return readApp(reading{s, ctx}, `SELECT `+appColumns+` WHERE app.host = $1`, host)
}

// AppByName finds an app by its name or its slug, or returns ErrNotFound.
func (s *Store) AppByName(ctx context.Context, name string) (apps.App, error) {
	a, err := readApp(reading{s, ctx}, `SELECT `+appColumns+` WHERE app.name = $1`, name)
	if errors.Is(err, ErrNotFound) {
		return s.AppBySlug(ctx, strings.ToLower(name))
	}
	return a, err
}

// readApp reads an app with its access.
func readApp(q querier, query string, arg any) (apps.App, error) {
	a, err := scanApp(q.row(query, arg).Scan)
	if err != nil {
		return a, err
	}
	return a, readAccess(q, &a)
}

// readAccess reads the roles, groups and people of an app's access.
func readAccess(q querier, a *apps.App) error {
	a.Access.Roles, a.Access.Groups, a.Access.People = nil, nil, nil
	var roles []twofactor.Role
	err := eachRow(q, func(scan func(...any) error) error {
		var role twofactor.Role
		err := scan(&role)
		roles = append(roles, role)
		return err
	}, `SELECT role FROM app_role WHERE app_id = $1`, a.ID)
	for _, role := range twofactor.Roles { // the lowest first
		for _, has := range roles {
			if has == role {
				a.Access.Roles = append(a.Access.Roles, role)
			}
		}
	}
	if err == nil {
		err = eachRow(q, func(scan func(...any) error) error {
			var g apps.Group
			err := scan(&g.ID, &g.Name)
			a.Access.Groups = append(a.Access.Groups, g)
			return err
		}, `SELECT g.id, g.name FROM app_group x JOIN people_group g ON g.id = x.group_id
			WHERE x.app_id = $1 ORDER BY g.name`, a.ID)
	}
	if err == nil {
		err = eachRow(q, func(scan func(...any) error) error {
			var n apps.Named
			err := scan(&n.ID, &n.Name, &n.Email)
			a.Access.People = append(a.Access.People, n)
			return err
		}, `SELECT p.id, p.name, p.email FROM app_person x JOIN person p ON p.id = x.person_id
			WHERE x.app_id = $1 ORDER BY p.sort_key, p.id`, a.ID)
	}
	if err != nil {
		return fmt.Errorf("reading who may open an app: %w", err)
	}
	return nil
}

// eachRow calls do for each row of a query.
func eachRow(q querier, do func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := q.rows(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	scan := rows.Scan
	for rows.Next() {
		if err := do(scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// An AppPage is one page of the list of apps.
type AppPage struct {
	Apps []apps.App
	Next string // where the next page begins; "" when this is the last
}

// Apps lists a page of apps in the order of their names: all, or those whose name or
// address has every word of the search in it. It begins after the key that the previous page returned.
func (s *Store) Apps(ctx context.Context, search, after string) (AppPage, error) {
	var page AppPage
	id, sortKey := parsePeopleKey(after)
	words := account.SearchWords(search)
	err := eachRow(reading{s, ctx}, func(scan func(...any) error) error {
		a, err := scanApp(scan)
		if err == nil && account.HasWords(a.Name+" "+a.Address.Host, words) {
			page.Apps = append(page.Apps, a)
		}
		return err
	}, `SELECT `+appColumns+` WHERE (app.sort_key, app.id) > ($1, $2) ORDER BY app.sort_key, app.id LIMIT $3`,
		sortKey, id, maxListedApps)
	if err != nil {
		return page, fmt.Errorf("reading apps: %w", err)
	}
	if len(page.Apps) > PageSize {
		page.Apps = page.Apps[:PageSize]
		last := page.Apps[PageSize-1]
		page.Next = formatID(last.ID) + " " + account.SortKey(last.Name)
	}
	for i := range page.Apps {
		if err := readAccess(reading{s, ctx}, &page.Apps[i]); err != nil {
			return page, err
		}
	}
	return page, nil
}

// maxListedApps is how many apps are looked through for a page: more than a workspace has.
const maxListedApps = 5000

// EachApp calls do for every app, in the order of their names.
func (s *Store) EachApp(ctx context.Context, do func(apps.App) error) error {
	for after := ""; ; {
		page, err := s.Apps(ctx, "", after)
		if err != nil {
			return err
		}
		for _, a := range page.Apps {
			if err := do(a); err != nil {
				return err
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

// AppIcon reads an app's picture, or returns ErrNotFound: there is no such app, it has
// none, or the visitor is neither an admin nor one of those who may open it.
func (s *Store) AppIcon(ctx context.Context, id int64, v Visitor) (kind apps.IconKind, content []byte, err error) {
	a, err := s.App(ctx, id)
	if err != nil {
		return "", nil, err
	}
	if !v.Person.Role.Admin() {
		p, err := s.AppPerson(ctx, v.Person.ID)
		if err != nil {
			return "", nil, err
		}
		if !a.Access.Allows(p) {
			return "", nil, ErrNotFound
		}
	}
	var text string
	err = s.row(ctx, `SELECT kind, content FROM app_icon WHERE app_id = $1`, id).Scan(&kind, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil, ErrNotFound
	}
	if err == nil {
		content, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil {
		return "", nil, fmt.Errorf("reading an icon: %w", err)
	}
	return kind, content, nil
}

// AppPerson reads somebody as the rules of apps look at them, or returns ErrNotFound.
func (s *Store) AppPerson(ctx context.Context, person int64) (apps.Person, error) {
	return readAppPerson(reading{s, ctx}, person)
}

func readAppPerson(q querier, person int64) (apps.Person, error) {
	p := apps.Person{ID: person}
	err := q.row(`SELECT role, active, password_hash = '', enrolled_here FROM person
		WHERE id = $1 AND removed_at IS NULL`, person).Scan(&p.Role, &p.Active, &p.Invited, &p.Factor)
	if errors.Is(err, sql.ErrNoRows) {
		return p, ErrNotFound
	}
	if err == nil {
		err = eachRow(q, func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			p.Groups = append(p.Groups, id)
			return err
		}, `SELECT group_id FROM group_member WHERE person_id = $1 ORDER BY group_id`, person)
	}
	if err != nil {
		return p, fmt.Errorf("reading a person: %w", err)
	}
	return p, nil
}

// lines joins what stands one a line.
func lines(list []string) string { return strings.Join(list, "\n") }

// parseMinutes reads a number of minutes as typed: "" is 0, which asks for nothing.
func parseMinutes(text string) (int, error) {
	text = strings.TrimSpace(typed.Line(text))
	if text == "" || text == "0" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > apps.MaxFreshMinutes {
		return 0, account.FieldError{Field: "fresh_minutes", Reason: account.NotMinutes}
	}
	return n, nil
}
