package db

import (
	"cmp"
	"context"
	"sort"
	"strconv"
	"strings"

	"gatehouse/account"
	"gatehouse/twofactor"
	"gatehouse/typed"
)

// PageSize is how many people or activity rows a page lists.
const PageSize = 50

// A PeoplePage is one page of the list of people.
type PeoplePage struct {
	People []Person
	Next   string // where the next page begins; "" when this is the last

	// Unordered: so many people match the search that they come by the word that matches,
	// whatever order was asked for.
	Unordered bool
}

// People lists a page of the people whom a filter leaves, in its order. A search leaves those
// who have every word of it as a part of a word of their name or address. The page begins after
// the key that the previous page returned; an invalid key begins at the start.
func (s *Store) People(ctx context.Context, f account.PeopleFilter, after string) (PeoplePage, error) {
	return s.people(ctx, f.Known(), after, PageSize)
}

// EachListedPerson calls do for everybody whom a filter leaves, in its order.
func (s *Store) EachListedPerson(ctx context.Context, f account.PeopleFilter, do func(Person) error) error {
	for after := ""; ; {
		page, err := s.people(ctx, f.Known(), after, exportPage)
		if err != nil {
			return err
		}
		for _, p := range page.People {
			if err := do(p); err != nil {
				return err
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

func (s *Store) people(ctx context.Context, f account.PeopleFilter, after string, size int) (PeoplePage, error) {
	if words := account.SearchWords(f.Search); len(words) > 0 {
		return s.search(ctx, f, words, after, size)
	}
	if f.Order.IsBySignIn() {
		return s.peopleBySignIn(ctx, f, after, size)
	}
	if f.Narrows() || f.Order.Backward() {
		return s.peopleByName(ctx, f, after, size)
	}
	id, sortKey := parsePeopleKey(after)
	return s.peoplePage(ctx, size,
		`SELECT `+personColumns+
			` WHERE p.removed_at IS NULL AND (p.sort_key, p.id) > ($1, $2) ORDER BY p.sort_key, p.id LIMIT $3`,
		sortKey, id, size+1)
}

// peopleOfKinds returns the statement that lists people of the kinds that a filter leaves: of
// each kind (role, second step, standing) an index has them in order, and the union merges those.
// It goes by the key and then by the number; begins says after which of both.
func peopleOfKinds(f account.PeopleFilter, key, begins string, limit int) string {
	direction := ""
	if f.Order.Backward() {
		direction = " DESC"
	}
	var kinds []string
	for _, role := range twofactor.Roles {
		for _, enrolled := range []string{"FALSE", "TRUE"} {
			for number, standing := range account.Standings {
				if f.Takes(role, enrolled == "TRUE", standing) {
					kinds = append(kinds, `SELECT `+key+` AS k, p.id FROM person p WHERE p.removed_at IS NULL AND p.role = '`+
						string(role)+`' AND p.enrolled = `+enrolled+` AND `+personStanding+` = `+strconv.Itoa(number)+` AND `+begins)
				}
			}
		}
	}
	return `SELECT ` + personColumns + ` WHERE p.id IN (SELECT id FROM (` + strings.Join(kinds, ` UNION ALL `) +
		` ORDER BY 1` + direction + `, 2` + direction + ` LIMIT ` + strconv.Itoa(limit) + `) AS page)
		ORDER BY ` + key + direction + `, p.id` + direction
}

// personStanding is somebody's standing as its number in account.Standings, as the indexes of
// kinds hold it.
const personStanding = `CASE WHEN p.active = FALSE THEN 2 WHEN p.password_hash = '' THEN 1 ELSE 0 END`

// peopleByName reads a page by name, forward or backward.
func (s *Store) peopleByName(ctx context.Context, f account.PeopleFilter, after string, size int) (PeoplePage, error) {
	id, sortKey := parsePeopleKey(after)
	begins := `(p.sort_key, p.id) > ($1, $2)`
	if f.Order.Backward() {
		begins = `(p.sort_key, p.id) < ($1, $2)`
		if id == 0 {
			id, sortKey = lastID, lastSortKey
		}
	}
	var found []Person
	err := s.eachPerson(ctx, appendTo(&found), peopleOfKinds(f, `p.sort_key`, begins, size+1), sortKey, id)
	return cutPage(found, size, f.Order), err
}

// lastSortKey comes after every sort key, and lastID after every number.
const (
	lastSortKey = "\U0010FFFF"
	lastID      = int64(1<<63 - 1)
)

// peopleBySignIn reads a page by the last sign-in. Whoever has never signed in comes after all
// others, or before them when the oldest come first, in the order of being added.
func (s *Store) peopleBySignIn(ctx context.Context, f account.PeopleFilter, after string, size int) (PeoplePage, error) {
	backward := f.Order.Backward()
	last := parsePlace(f.Order, after)
	if last.id <= 0 { // the beginning
		if last = (place{second: neverSignedIn}); backward {
			last = place{second: lastID, id: lastID}
		}
	}
	wasNever := last.second == neverSignedIn
	var found []Person
	if !wasNever {
		var err error
		if found, err = s.signedInPeople(ctx, f, last, size+1); err != nil {
			return PeoplePage{}, err
		}
		last.id = lastID
	}
	if (backward || wasNever) && len(found) <= size {
		begins := `p.last_sign_in_at IS NULL AND p.id > $1`
		if backward {
			begins = `p.last_sign_in_at IS NULL AND p.id < $1`
		}
		err := s.eachPerson(ctx, appendTo(&found), peopleOfKinds(f, `p.id`, begins, size+1-len(found)), last.id)
		if err != nil {
			return PeoplePage{}, err
		}
	}
	if !backward && wasNever && len(found) <= size {
		rest, err := s.signedInPeople(ctx, f, place{second: neverSignedIn}, size+1-len(found))
		if err != nil {
			return PeoplePage{}, err
		}
		found = append(found, rest...)
	}
	return cutPage(found, size, f.Order), nil
}

// signedInPeople reads people who have signed in, after a place.
func (s *Store) signedInPeople(ctx context.Context, f account.PeopleFilter, after place, limit int) ([]Person, error) {
	begins := `(p.last_sign_in_at, p.id) > ($1, $2)`
	if f.Order.Backward() {
		begins = `(p.last_sign_in_at, p.id) < ($1, $2)`
	}
	var found []Person
	err := s.eachPerson(ctx, appendTo(&found), peopleOfKinds(f, `p.last_sign_in_at`, begins, limit),
		after.second, after.id)
	return found, err
}

// appendTo collects people.
func appendTo(list *[]Person) func(Person) error {
	return func(p Person) error {
		*list = append(*list, p)
		return nil
	}
}

// peopleIn lists a page of people who were found in whatever order, a bounded number of them.
func peopleIn(order account.Order, found []Person, after string, size int) PeoplePage {
	sort.Slice(found, func(i, j int) bool { return placeOf(order, found[i]).compare(placeOf(order, found[j]), order) < 0 })
	if last := parsePlace(order, after); last.id != 0 {
		first := 0
		for first < len(found) && placeOf(order, found[first]).compare(last, order) <= 0 {
			first++
		}
		found = found[first:]
	}
	return cutPage(found, size, order)
}

// A place is where somebody stands in a list: by name, or by second.
type place struct {
	sortKey    string
	second, id int64
}

// neverSignedIn stands for the second of a sign-in that never was.
const neverSignedIn = int64(-1)

func placeOf(order account.Order, p Person) place {
	if !order.IsBySignIn() {
		return place{sortKey: account.SortKey(p.Name), id: p.ID}
	}
	if p.LastSignInAt.IsZero() {
		return place{second: neverSignedIn, id: p.ID}
	}
	return place{second: unix(p.LastSignInAt), id: p.ID}
}

func (a place) compare(b place, order account.Order) int {
	by := cmp.Or(cmp.Compare(a.sortKey, b.sortKey), cmp.Compare(a.second, b.second), cmp.Compare(a.id, b.id))
	if order.Backward() {
		return -by
	}
	return by
}

// key returns a place as pages pass it on: "id key".
func (a place) key(order account.Order) string {
	if order.IsBySignIn() {
		return formatID(a.id) + " " + formatID(a.second)
	}
	return formatID(a.id) + " " + a.sortKey
}

// parsePlace reads it; the zero place for a key that is none.
func parsePlace(order account.Order, key string) place {
	id, text := parsePeopleKey(key)
	if !order.IsBySignIn() {
		return place{sortKey: text, id: id}
	}
	second, err := strconv.ParseInt(text, 10, 64)
	if err != nil || second < neverSignedIn {
		return place{}
	}
	return place{second: second, id: id}
}

// cutPage cuts what was read to a page, and says where the next begins if there is more.
func cutPage(found []Person, size int, order account.Order) PeoplePage {
	if len(found) <= size {
		return PeoplePage{People: found}
	}
	return PeoplePage{People: found[:size], Next: placeOf(order, found[size-1]).key(order)}
}

// parsePeopleKey reads "id key"; 0 for a key that is none.
func parsePeopleKey(text string) (id int64, key string) {
	number, key, _ := strings.Cut(typed.Line(text), " ")
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, ""
	}
	return id, key
}
