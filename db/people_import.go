package db

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"gatehouse/account"
	"gatehouse/db/engine"
	"gatehouse/db/hash"
	"gatehouse/passkeys"
	"gatehouse/roster"
	"gatehouse/twofactor"
)

// ErrNoMail says that mails were asked for and no server is set that sends them.
var ErrNoMail = errors.New("no mail server is set")

// StepImporting is the step of an import, in people.
const StepImporting engine.Step = "Importing people"

// importTimeout bounds an import.
const importTimeout = 30 * time.Minute

// A PasswordFate is what becomes of the password of somebody from a file.
type PasswordFate int

const (
	NoPassword      PasswordFate = iota // the file has none
	PasswordKept                        // it is taken over, and its hash renewed at the first sign-in
	PasswordUnknown                     // its hash is of a kind that is not taken over
	PasswordCostly                      // its hash costs more than is taken over
)

// An ImportedPerson is somebody who is to be added.
type ImportedPerson struct {
	roster.Person
	Password PasswordFate
	HashKind string // of a hash that is not taken over, in words
}

// IsInvited reports whether somebody needs a link to choose a password.
func (p ImportedPerson) IsInvited() bool { return p.Password != PasswordKept && !p.Inactive }

// An ImportPlan is what an import would do.
type ImportPlan struct {
	New       []ImportedPerson
	Existing  []roster.Person // stay as they are
	NewGroups []string
	Faults    []roster.Fault // with any, nothing is done

	HasSuperAdmin bool // when it is done
}

// Invited is how many of the new people need a link.
func (p ImportPlan) Invited() (n int) {
	for _, one := range p.New {
		if one.IsInvited() {
			n++
		}
	}
	return n
}

// ImportOptions say how people are imported.
type ImportOptions struct {
	CreateGroups bool                     // those that are missing
	MailLinks    bool                     // to who is invited
	WriteLinks   func([]Invitation) error // gets them before anything is committed, perhaps more than once; nil for no links
}

// An Invitation is the link of somebody who was invited.
type Invitation struct {
	Name, Email string
	Token       string
}

// An ImportError refuses an import: nothing was written.
type ImportError struct {
	Faults []roster.Fault
}

func (e ImportError) Error() string { return fmt.Sprintf("%d faults", len(e.Faults)) }

// PlanImport tells what an import of these people would do, or refuses with ErrNoMail.
func (s *Store) PlanImport(ctx context.Context, people []roster.Person, o ImportOptions) (ImportPlan, error) {
	return planImport(reading{s, ctx}, people, o)
}

// ImportPeople adds people, all of them or none, and tells what it did. Those whose address
// somebody has already are left alone. It refuses with an ImportError, and with ErrNoMail.
func (s *Store) ImportPeople(ctx context.Context, people []roster.Person, o ImportOptions, by Actor,
	now time.Time) (ImportPlan, error) {
	var plan ImportPlan
	err := s.writeWithin(ctx, importTimeout, lockWorkspace(), func(t *tx) (err error) {
		if plan, err = planImport(t, people, o); err != nil {
			return err
		}
		if len(plan.Faults) > 0 {
			return ImportError{plan.Faults}
		}
		return t.importPeople(plan, o, by, now, s.tellProgress(ctx))
	})
	return plan, err
}

// tellProgress tells how many people are done.
func (s *Store) tellProgress(ctx context.Context) func(done, total int) {
	hear := engine.ProgressOf(ctx)
	return func(done, total int) {
		if hear != nil {
			hear(StepImporting, int64(done), int64(total))
		}
	}
}

// planImport finds who is there already, and what is in the way of the others.
func planImport(q querier, people []roster.Person, o ImportOptions) (plan ImportPlan, err error) {
	if o.MailLinks {
		if domain, err := mailDomain(q); err != nil || domain == "" {
			return plan, errors.Join(err, ErrNoMail)
		}
	}
	err = q.row(`SELECT EXISTS (SELECT 1 FROM person WHERE role <> 'member' AND role = 'super-administrator' AND active = TRUE)`).
		Scan(&plan.HasSuperAdmin)
	if err != nil {
		return plan, fmt.Errorf("looking for a Super-administrator: %w", err)
	}
	emails := make([]string, 0, len(people))
	for _, p := range people {
		emails = append(emails, p.Email)
	}
	existing, err := findTexts(q, `SELECT email FROM person WHERE email IN `, emails)
	if err != nil {
		return plan, fmt.Errorf("looking for addresses: %w", err)
	}
	for _, p := range people {
		if existing[p.Email] {
			plan.Existing = append(plan.Existing, p)
			continue
		}
		plan.New = append(plan.New, importedPerson(p))
		plan.HasSuperAdmin = plan.HasSuperAdmin || p.Role == twofactor.SuperAdmin && !p.Inactive
	}
	if err := plan.checkUserNames(q); err != nil {
		return plan, err
	}
	if err := plan.checkGroups(q, o.CreateGroups); err != nil {
		return plan, err
	}
	roster.SortFaults(plan.Faults)
	return plan, nil
}

// importedPerson looks at somebody's hash.
func importedPerson(p roster.Person) ImportedPerson {
	one := ImportedPerson{Person: p}
	if p.Hash == "" {
		return one
	}
	_, err := hash.Import(p.Hash)
	switch {
	case err == nil:
		one.Password = PasswordKept
		return one
	case errors.Is(err, hash.ErrCostlyHash):
		one.Password = PasswordCostly
	default:
		one.Password = PasswordUnknown
	}
	one.HashKind = hash.Describe(p.Hash)
	return one
}

// findTexts returns those of some texts that a statement finds.
func findTexts(q querier, query string, texts []string) (map[string]bool, error) {
	found := map[string]bool{}
	err := lookUp(q, query, texts, func(scan func(...any) error) error {
		var text string
		err := scan(&text)
		found[text] = true
		return err
	})
	return found, err
}

// checkUserNames refuses user names that somebody else has or had.
func (p *ImportPlan) checkUserNames(q querier) error {
	var names []string
	for _, one := range p.New {
		if one.UserName != "" {
			names = append(names, one.UserName)
		}
	}
	taken, err := findUserNames(q, names)
	if err != nil {
		return err
	}
	for _, one := range p.New {
		if taken[one.UserName] {
			p.Faults = append(p.Faults, roster.Fault{
				Line: one.Line,
				Err:  roster.Problem{Kind: roster.NameTaken, Text: one.UserName},
			})
		}
	}
	return nil
}

func findUserNames(q querier, names []string) (map[string]bool, error) {
	taken, err := findTexts(q, `SELECT name FROM user_name WHERE name IN `, names)
	if err != nil {
		return nil, fmt.Errorf("looking for user names: %w", err)
	}
	return taken, nil
}

// checkGroups finds the groups that are missing, and refuses those that cannot be made.
func (p *ImportPlan) checkGroups(q querier, create bool) error {
	firsts := map[string]int{} // where a group is named first
	for _, one := range p.New {
		for _, name := range one.Groups {
			if _, ok := firsts[name]; !ok {
				firsts[name] = one.Line
			}
		}
	}
	known, err := groupIDs(q)
	if err != nil {
		return err
	}
	for name, line := range firsts {
		if known[name] != 0 {
			continue
		}
		p.NewGroups = append(p.NewGroups, name)
		kind := roster.NoGroup
		if create {
			err := requireFreeGroupName(q, 0, name)
			if err == nil {
				continue
			}
			if field, ok := errors.AsType[account.FieldError](err); !ok || field.Reason != account.Taken {
				return err
			}
			kind = roster.GroupTaken
		}
		p.Faults = append(p.Faults, roster.Fault{Line: line, Err: roster.Problem{Kind: kind, Text: name}})
	}
	slices.Sort(p.NewGroups)
	return nil
}

// groupIDs are the groups that there are, by their names.
func groupIDs(q querier) (map[string]int64, error) {
	known := map[string]int64{}
	err := eachRow(q, func(scan func(...any) error) error {
		var id int64
		var name string
		err := scan(&id, &name)
		known[name] = id
		return err
	}, `SELECT id, name FROM people_group`)
	if err != nil {
		return nil, fmt.Errorf("reading groups: %w", err)
	}
	return known, nil
}

// importPeople adds the people of a plan that has no faults.
func (t *tx) importPeople(plan ImportPlan, o ImportOptions, by Actor, now time.Time, tell func(done, total int)) error {
	if len(plan.New) == 0 {
		return nil
	}
	if _, err := t.exec(`DELETE FROM link WHERE kind = 'setup'`); err != nil { // it makes the first person and no other
		return err
	}
	people, err := t.insertPeople(plan.New, now, tell)
	if err != nil {
		return err
	}
	if err := t.noteImported(people, by, now); err != nil {
		return err
	}
	if err := t.fillGroups(people, plan.NewGroups, by, now); err != nil {
		return err
	}
	return t.inviteImported(people, o, by, now)
}

// An addedPerson is one who is in the database now.
type addedPerson struct {
	ImportedPerson
	id int64
}

// insertPeople writes the rows of people, their user names, and the words that they are found
// by.
func (t *tx) insertPeople(people []ImportedPerson, now time.Time, tell func(done, total int)) ([]addedPerson, error) {
	names, err := t.importedUserNames(people)
	if err != nil {
		return nil, err
	}
	rows := make([][]any, 0, len(people))
	for i, p := range people {
		stored := ""
		if p.Password == PasswordKept {
			if stored, err = hash.Import(p.Hash); err != nil {
				return nil, err
			}
		}
		rows = append(rows, []any{p.Email, p.Name, account.SortKey(p.Name), string(p.Role), !p.Inactive, stored, unix(now), newSub(),
			passkeys.NewUserHandle(), names[i]})
	}
	ids := map[string]int64{}
	err = t.insertInChunks(rows, func(values string, args []any, _ int) error {
		return eachRow(t, func(scan func(...any) error) error {
			var id int64
			var email string
			err := scan(&id, &email)
			ids[email] = id
			tell(len(ids)/2, len(people)) // their words are the other half
			return err
		}, `INSERT INTO person (email, name, sort_key, role, active, password_hash, made_at, sub, user_handle, user_name)
			VALUES `+values+` RETURNING id, email`, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("adding people: %w", err)
	}
	added := make([]addedPerson, 0, len(people))
	rows = rows[:0]
	for i, p := range people {
		id, ok := ids[p.Email]
		if !ok {
			return nil, fmt.Errorf("adding people: no row of the one in line %d", p.Line)
		}
		added = append(added, addedPerson{p, id})
		t.countPerson(id, one(!p.Inactive), 0)
		rows = append(rows, []any{names[i], id})
	}
	if err := t.insertMany(`INSERT INTO user_name (name, person_id) VALUES `, rows); err != nil {
		return nil, fmt.Errorf("giving user names: %w", err)
	}
	return added, t.insertWords(added, tell)
}

// importedUserNames finds a user name for everybody: the file's own, or one that is made of the
// address and that nobody has or had.
func (t *tx) importedUserNames(people []ImportedPerson) ([]string, error) {
	used := map[string]bool{}
	var likely []string
	for _, p := range people {
		if p.UserName != "" {
			used[p.UserName] = true
		} else if name := account.UserNameOf(p.Email, 1); name != "" {
			likely = append(likely, name)
		}
	}
	taken, err := findUserNames(t, likely)
	if err != nil {
		return nil, err
	}
	looked := map[string]bool{}
	for _, name := range likely {
		looked[name] = true
	}
	take := func(name string) (bool, error) {
		if used[name] || taken[name] {
			return false, nil
		}
		if !looked[name] {
			var exists bool
			if err := t.row(`SELECT EXISTS (SELECT 1 FROM user_name WHERE name = $1)`, name).Scan(&exists); err != nil {
				return false, fmt.Errorf("looking for a user name: %w", err)
			}
			looked[name], taken[name] = true, exists
		}
		used[name] = !taken[name]
		return used[name], nil
	}
	names := make([]string, 0, len(people))
	for _, p := range people {
		name := p.UserName
		if name == "" {
			if name, err = freeUserName(p.Email, take); err != nil {
				return nil, err
			}
		}
		names = append(names, name)
	}
	return names, nil
}

// insertWords writes what people are found by, in the order of the table.
func (t *tx) insertWords(people []addedPerson, tell func(done, total int)) error {
	var rows [][]any
	for _, p := range people {
		key := account.SortKey(p.Name)
		for _, word := range account.Endings(p.Name, p.Email) {
			rows = append(rows, []any{word, key, p.id})
		}
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i][0].(string) < rows[j][0].(string) })
	done, total := 0, len(rows)
	err := t.insertInChunks(rows, func(values string, args []any, n int) error {
		_, err := t.exec(`INSERT INTO person_word (word, sort_key, person_id) VALUES `+values, args...)
		done += n
		tell((len(people)+len(people)*done/total)/2, len(people))
		return err
	})
	if err != nil {
		return fmt.Errorf("writing the words of people: %w", err)
	}
	return nil
}

// noteImported writes a row of activity for each; admins are told of new admins.
func (t *tx) noteImported(people []addedPerson, by Actor, now time.Time) error {
	var members []activityEntry
	for _, p := range people {
		entry := activityEntry{
			event:   account.PersonAdded,
			actor:   by,
			subject: p.id,
			detail:  string(p.Role),
			role:    p.Role,
		}
		if !p.Role.Admin() {
			members = append(members, entry)
			continue
		}
		if _, err := t.appendActivity(now, entry); err != nil {
			return err
		}
	}
	return t.appendActivities(now, members)
}

// fillGroups makes the groups that are missing, and puts people into theirs.
func (t *tx) fillGroups(people []addedPerson, missing []string, by Actor, now time.Time) error {
	for _, name := range missing {
		if err := t.execOne(`INSERT INTO people_group (name, made_at) VALUES ($1, $2)`, name, unix(now)); err != nil {
			return fmt.Errorf("adding a group: %w", err)
		}
		if _, err := t.appendActivity(now, activityEntry{event: account.GroupAdded, actor: by, detail: name}); err != nil {
			return err
		}
	}
	ids, err := groupIDs(t)
	if err != nil {
		return err
	}
	members := map[string]int{}
	var rows [][]any
	for _, p := range people {
		for _, name := range p.Groups {
			rows = append(rows, []any{ids[name], p.id})
			members[name]++
		}
	}
	if err := t.insertMany(`INSERT INTO group_member (group_id, person_id) VALUES `, rows); err != nil {
		return fmt.Errorf("adding to groups: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if _, err := t.appendActivity(now, activityEntry{
			event:  account.GroupChanged,
			actor:  by,
			detail: fmt.Sprintf("%s: %d added, 0 removed", name, members[name]),
		}); err != nil {
			return err
		}
	}
	return nil
}

// inviteImported makes the links of those who need one, and mails them or hands them over.
func (t *tx) inviteImported(people []addedPerson, o ImportOptions, by Actor, now time.Time) error {
	if !o.MailLinks && o.WriteLinks == nil {
		return nil
	}
	domain, err := t.mailDomain()
	if err != nil {
		return err
	}
	var links [][]any
	var entries []activityEntry
	var mails []newMail
	var invitations []Invitation
	for _, p := range people {
		if !p.IsInvited() {
			continue
		}
		token := newToken()
		links = append(links, []any{hashToken(token), string(account.Invitation), p.id, unix(now), unix(now.Add(LinkTTL))})
		entries = append(entries, activityEntry{
			event:   account.LinkMade,
			actor:   by,
			subject: p.id,
			method:  account.ByLink,
			detail:  string(account.Invitation),
		})
		mails = append(mails, newMail{
			kind:      account.MailInvitation,
			person:    p.id,
			email:     p.Email,
			token:     token,
			uselessAt: now.Add(LinkTTL),
		})
		invitations = append(invitations, Invitation{Name: p.Name, Email: p.Email, Token: token})
	}
	if err := t.insertMany(`INSERT INTO link (token_hash, kind, person_id, made_at, expires_at) VALUES `, links); err != nil {
		return fmt.Errorf("making links: %w", err)
	}
	if err := t.appendActivities(now, entries); err != nil {
		return err
	}
	if o.MailLinks {
		return t.putMails(domain, mails, now)
	}
	return o.WriteLinks(invitations)
}

// MemberGroups returns the names of the groups that each person is in, in order.
func (s *Store) MemberGroups(ctx context.Context) (map[int64][]string, error) {
	out := map[int64][]string{}
	err := eachRow(reading{s, ctx}, func(scan func(...any) error) error {
		var person int64
		var name string
		err := scan(&person, &name)
		out[person] = append(out[person], name)
		return err
	}, `SELECT gm.person_id, g.name FROM group_member gm JOIN people_group g ON g.id = gm.group_id ORDER BY g.name`)
	if err != nil {
		return nil, fmt.Errorf("reading who is in which group: %w", err)
	}
	return out, nil
}
