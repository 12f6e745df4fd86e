package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/typed"
)

// A Group is a group of people as the list shows it.
type Group struct {
	apps.Group
	Members int
	Apps    int // that refer to it
}

// A GroupDetail is one group, with its members and the apps that refer to it.
type GroupDetail struct {
	apps.Group
	Members []apps.Named
	Apps    []NamedApp
}

// A NamedApp is an app by name.
type NamedApp struct {
	ID   int64
	Name string
}

// Groups lists every group, in the order of names.
func (s *Store) Groups(ctx context.Context) ([]Group, error) {
	var out []Group
	err := eachRow(reading{s, ctx}, func(scan func(...any) error) error {
		var g Group
		err := scan(&g.ID, &g.Name, &g.Members, &g.Apps)
		out = append(out, g)
		return err
	}, `SELECT g.id, g.name, (SELECT count(*) FROM group_member m WHERE m.group_id = g.id),
			(SELECT count(*) FROM app_group x WHERE x.group_id = g.id)
		FROM people_group g ORDER BY g.name`)
	if err != nil {
		return nil, fmt.Errorf("reading groups: %w", err)
	}
	return out, nil
}

// Group reads one group, or returns ErrNotFound.
func (s *Store) Group(ctx context.Context, id int64) (GroupDetail, error) {
	return readGroup(reading{s, ctx}, `SELECT id, name FROM people_group WHERE id = $1`, id)
}

// GroupByName finds a group by its name, or returns ErrNotFound.
func (s *Store) GroupByName(ctx context.Context, name string) (GroupDetail, error) {
	return readGroup(reading{s, ctx}, `SELECT id, name FROM people_group WHERE name = $1`,
		strings.ToLower(strings.TrimSpace(name)))
}

func readGroup(q querier, query string, arg any) (GroupDetail, error) {
	var g GroupDetail
	err := q.row(query, arg).Scan(&g.ID, &g.Name)
	if errors.Is(err, sql.ErrNoRows) {
		return g, ErrNotFound
	}
	if err == nil {
		err = eachRow(q, func(scan func(...any) error) error {
			var n apps.Named
			err := scan(&n.ID, &n.Name, &n.Email)
			g.Members = append(g.Members, n)
			return err
		}, `SELECT p.id, p.name, p.email FROM group_member m JOIN person p ON p.id = m.person_id
			WHERE m.group_id = $1 ORDER BY p.sort_key, p.id`, g.ID)
	}
	if err == nil {
		err = eachRow(q, func(scan func(...any) error) error {
			var a NamedApp
			err := scan(&a.ID, &a.Name)
			g.Apps = append(g.Apps, a)
			return err
		}, `SELECT app.id, app.name FROM app_group x JOIN app ON app.id = x.app_id
			WHERE x.group_id = $1 ORDER BY app.sort_key, app.id`, g.ID)
	}
	if err != nil {
		return g, fmt.Errorf("reading a group: %w", err)
	}
	return g, nil
}

// GroupsOf lists the groups that somebody is in, in the order of names.
func (s *Store) GroupsOf(ctx context.Context, person int64) ([]apps.Group, error) {
	var out []apps.Group
	err := eachRow(reading{s, ctx}, func(scan func(...any) error) error {
		var g apps.Group
		err := scan(&g.ID, &g.Name)
		out = append(out, g)
		return err
	}, `SELECT g.id, g.name FROM group_member m JOIN people_group g ON g.id = m.group_id
		WHERE m.person_id = $1 ORDER BY g.name`, person)
	if err != nil {
		return nil, fmt.Errorf("reading somebody's groups: %w", err)
	}
	return out, nil
}

// AddGroup adds a group without members, or refuses its name with a FieldError of name.
func (s *Store) AddGroup(ctx context.Context, typed string, by Author, now time.Time) (id int64, err error) {
	name, err := apps.ParseGroupName(typed)
	if err != nil {
		return 0, err
	}
	err = s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		if err := requireFreeGroupName(t, 0, name); err != nil {
			return err
		}
		if err := t.row(`INSERT INTO people_group (name, made_at) VALUES ($1, $2) RETURNING id`, name, unix(now)).
			Scan(&id); err != nil {
			return fmt.Errorf("adding a group: %w", err)
		}
		_, err := t.appendActivity(now, activityEntry{event: account.GroupAdded, actor: by.Actor, detail: name})
		return err
	})
	return id, err
}

// requireFreeGroupName refuses a name that another group has, or had while an app still
// refers to that group: the app would take the one for the other.
func requireFreeGroupName(q querier, id int64, name string) error {
	var taken bool
	err := q.row(`SELECT EXISTS (SELECT 1 FROM people_group WHERE name = $1 AND id <> $2)
		OR EXISTS (SELECT 1 FROM former_group_name f JOIN app_group x ON x.group_id = f.group_id
			WHERE f.name = $3 AND f.group_id <> $4)`, name, id, name, id).Scan(&taken)
	if err != nil {
		return fmt.Errorf("looking for a group: %w", err)
	}
	if taken {
		return account.FieldError{Field: "name", Reason: account.Taken}
	}
	return nil
}

// changeGroup runs one change to a group. It returns ErrNotFound for one that is not there.
// What do returns names what was changed; "" for nothing, which leaves no row.
func (s *Store) changeGroup(ctx context.Context, id int64, by Author, event account.Event, now time.Time,
	do func(t *tx, before GroupDetail) (detail string, err error)) error {
	return s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		before, err := readGroup(t, `SELECT id, name FROM people_group WHERE id = $1`, id)
		if err != nil {
			return err
		}
		detail, err := do(t, before)
		if err != nil || detail == "" {
			return err
		}
		_, err = t.appendActivity(now, activityEntry{event: event, actor: by.Actor, detail: detail})
		return err
	})
}

// RenameGroup gives a group another name, or refuses it with a FieldError of name.
func (s *Store) RenameGroup(ctx context.Context, id int64, typed string, by Author, now time.Time) error {
	name, err := apps.ParseGroupName(typed)
	if err != nil {
		return err
	}
	return s.changeGroup(ctx, id, by, account.GroupChanged, now, func(t *tx, before GroupDetail) (string, error) {
		if before.Name == name {
			return "", nil
		}
		if err := requireFreeGroupName(t, id, name); err != nil {
			return "", err
		}
		if _, err := t.exec(`DELETE FROM former_group_name WHERE name = $1`, name); err != nil {
			return "", err
		}
		if err := t.noteFormerGroupName(before.Group); err != nil {
			return "", err
		}
		return before.Name + ": name now " + name,
			t.execOne(`UPDATE people_group SET name = $1 WHERE id = $2`, name, id)
	})
}

// noteFormerGroupName keeps a name for the group that has it until now.
func (t *tx) noteFormerGroupName(g apps.Group) error {
	if _, err := t.exec(`DELETE FROM former_group_name WHERE name = $1`, g.Name); err != nil {
		return err
	}
	return t.execOne(`INSERT INTO former_group_name (name, group_id) VALUES ($1, $2)`, g.Name, g.ID)
}

// RemoveGroup removes a group. One that an app refers to stays: account.ErrGroupInUse.
func (s *Store) RemoveGroup(ctx context.Context, id int64, by Author, now time.Time) error {
	return s.changeGroup(ctx, id, by, account.GroupRemoved, now, func(t *tx, before GroupDetail) (string, error) {
		if len(before.Apps) > 0 {
			return "", account.ErrGroupInUse
		}
		return before.Name, t.execOne(`DELETE FROM people_group WHERE id = $1`, id) // memberships go with it
	})
}

// A GroupChange is a change of a group's members, by their e-mail addresses.
type GroupChange struct {
	Add, Remove []string
}

// ChangeGroupMembers adds people to a group and takes others out, as typed. It refuses an
// address that nobody has with a FieldError of person, and then changes nothing. It counts
// from their next request on.
func (s *Store) ChangeGroupMembers(ctx context.Context, id int64, c GroupChange, by Author, now time.Time) error {
	return s.changeGroup(ctx, id, by, account.GroupChanged, now, func(t *tx, before GroupDetail) (string, error) {
		add, err := t.peopleByEmail(splitEmails(c.Add))
		if err != nil {
			return "", err
		}
		remove, err := t.peopleByEmail(splitEmails(c.Remove))
		if err != nil {
			return "", err
		}
		return t.setGroupMembers(before, add, remove)
	})
}

// SetGroupMembers makes these people, by their e-mail addresses, a group's only members. It
// refuses as ChangeGroupMembers does, and with account.ErrOutdated when the members are
// not as the form showed them any more.
func (s *Store) SetGroupMembers(ctx context.Context, id int64, seen account.Seen, emails []string, by Author,
	now time.Time) error {
	return s.changeGroup(ctx, id, by, account.GroupChanged, now, func(t *tx, before GroupDetail) (string, error) {
		if seen.Outdated(before.Version()) {
			return "", account.ErrOutdated
		}
		wanted, err := t.peopleByEmail(splitEmails(emails))
		if err != nil {
			return "", err
		}
		var remove []int64
		for _, m := range before.Members {
			if !slices.Contains(wanted, m.ID) {
				remove = append(remove, m.ID)
			}
		}
		return t.setGroupMembers(before, wanted, remove)
	})
}

// setGroupMembers adds and removes members, and says how many that were.
func (t *tx) setGroupMembers(g GroupDetail, add, remove []int64) (string, error) {
	var added, removed int64
	for _, person := range add {
		n, err := t.exec(`INSERT INTO group_member (group_id, person_id) VALUES ($1, $2)
			ON CONFLICT (group_id, person_id) DO NOTHING`, g.ID, person)
		if err != nil {
			return "", fmt.Errorf("adding to a group: %w", err)
		}
		added += n
	}
	for _, person := range remove {
		n, err := t.exec(`DELETE FROM group_member WHERE group_id = $1 AND person_id = $2`, g.ID, person)
		if err != nil {
			return "", fmt.Errorf("taking out of a group: %w", err)
		}
		removed += n
	}
	if added+removed == 0 {
		return "", nil
	}
	for _, person := range remove {
		if err := t.endLostBy(person); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s: %d added, %d removed", g.Name, added, removed), nil
}

// Version is the version of what the form with a group's members shows.
func (g GroupDetail) Version() account.Version {
	texts := []string{"group", g.Name}
	for _, m := range g.Members {
		texts = append(texts, formatID(m.ID))
	}
	return account.HashVersion(texts...)
}

// splitEmails separates addresses that were typed into one field.
func splitEmails(given []string) []string {
	var out []string
	for _, text := range given {
		out = append(out, strings.FieldsFunc(text, func(r rune) bool { return typed.IsBlank(r) || r == ',' || r == ';' })...)
	}
	return out
}

// groupsByName finds groups. It refuses a name that none has with a FieldError of group.
func (t *tx) groupsByName(names []string) ([]int64, error) {
	var out []int64
	for _, name := range names {
		var id int64
		err := t.row(`SELECT id FROM people_group WHERE name = $1`, strings.ToLower(strings.TrimSpace(name))).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, account.FieldError{Field: "group", Reason: account.NoGroup}
		}
		if err != nil {
			return nil, fmt.Errorf("looking for a group: %w", err)
		}
		out = append(out, id)
	}
	return out, nil
}
