package db

import (
	"context"
	"fmt"
	"strings"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// addWords stores what somebody is found by.
func (t *tx) addWords(person int64, name, email string) error {
	sortKey := account.SortKey(name)
	words := account.Endings(name, email)
	rows := make([][]any, len(words))
	for i, word := range words {
		rows[i] = []any{word, sortKey, person}
	}
	if err := t.insertMany(`INSERT INTO person_word (word, sort_key, person_id) VALUES `, rows); err != nil {
		return fmt.Errorf("writing the words of a person: %w", err)
	}
	return nil
}

// removeWords takes away what somebody with this name and address was found by.
func (t *tx) removeWords(person int64, name, email string) error {
	sortKey := account.SortKey(name)
	words := account.Endings(name, email)
	for len(words) > 0 {
		chunk := words[:min(len(words), maxArgs-2)]
		words = words[len(chunk):]
		args := []any{sortKey, person}
		for _, word := range chunk {
			args = append(args, word)
		}
		if _, err := t.exec(`DELETE FROM person_word WHERE sort_key = $1 AND person_id = $2 AND word IN `+
			placeholders(2, len(chunk)), args...); err != nil {
			return fmt.Errorf("removing the words of a person: %w", err)
		}
	}
	return nil
}

// rename gives somebody a name and an address, and with them what they are ordered
// and found by. It refuses an address that somebody else has with a FieldError.
func (t *tx) rename(before Person, name, email string) error {
	if name == before.Name && email == before.Email {
		return nil
	}
	var taken bool
	if err := t.row(`SELECT EXISTS (SELECT 1 FROM person WHERE email = $1 AND id <> $2)`,
		email, before.ID).Scan(&taken); err != nil {
		return fmt.Errorf("looking for an address: %w", err)
	}
	if taken {
		return account.FieldError{Field: "email", Reason: account.Taken}
	}
	if err := t.removeWords(before.ID, before.Name, before.Email); err != nil {
		return err
	}
	err := t.execOne(`UPDATE person SET name = $1, email = $2, sort_key = $3 WHERE id = $4`,
		name, email, account.SortKey(name), before.ID)
	if err != nil {
		return fmt.Errorf("renaming a person: %w", err)
	}
	return t.addWords(before.ID, name, email)
}

// maxSortedMatches is up to how many entries of the words are read and put in the order
// of names. When a search matches more, people come by the word that matches, and
// by their names where it is the same one.
const maxSortedMatches = 200

// maxScannedMatches is how many entries a page of a search by several words looks through
// at most: two words that many have, and nobody both, would otherwise read all.
const maxScannedMatches = 5000

// search lists a page of the people whom a filter leaves and who have every word of a search,
// as a part of a word of theirs. It begins after the key that the previous page returned.
func (s *Store) search(ctx context.Context, f account.PeopleFilter, words []string, after string,
	size int) (PeoplePage, error) {
	rarest, entries, err := s.rarestWord(ctx, words)
	if err != nil {
		return PeoplePage{}, err
	}
	if entries <= maxSortedMatches {
		return s.searchSorted(ctx, f, words, rarest, after, size)
	}
	return s.searchScanned(ctx, f, words, rarest, after, size)
}

// rarestWord returns the word that the fewest entries begin with, and how many those are,
// counted up to one more than are sorted.
func (s *Store) rarestWord(ctx context.Context, words []string) (word string, entries int, err error) {
	for i, w := range words {
		var n int
		err := s.row(ctx, `SELECT count(*)
			FROM (SELECT 1 FROM person_word WHERE word >= $1 AND word < $2 LIMIT $3) AS found`,
			w, account.AfterAll(w), maxSortedMatches+1).Scan(&n)
		if err != nil {
			return "", 0, fmt.Errorf("counting who matches: %w", err)
		}
		if i == 0 || n < entries {
			word, entries = w, n
		}
	}
	return word, entries, nil
}

// searchSorted puts the entries that match in order and reads a page of the people whom they
// find. By one word and in the order of names that is a page of entries; otherwise each who is
// found has to be looked at.
func (s *Store) searchSorted(ctx context.Context, f account.PeopleFilter, words []string, rarest, after string,
	size int) (PeoplePage, error) {
	const query = `SELECT ` + personColumns + ` WHERE p.id IN (SELECT person_id FROM
				(SELECT DISTINCT sort_key, person_id FROM person_word WHERE word >= $1 AND word < $2
					AND (sort_key, person_id) > ($3, $4) ORDER BY sort_key, person_id LIMIT $5) AS found)
			ORDER BY p.sort_key, p.id`
	if len(words) == 1 && !f.Narrows() && f.Order == account.ByName {
		id, sortKey := parsePeopleKey(after)
		return s.peoplePage(ctx, size, query, rarest, account.AfterAll(rarest), sortKey, id, size+1)
	}
	var found []Person
	err := s.eachPerson(ctx, func(p Person) error {
		if hasWords(p, words) && p.isTakenBy(f) {
			found = append(found, p)
		}
		return nil
	}, query, rarest, account.AfterAll(rarest), "", 0, maxSortedMatches)
	return peopleIn(f.Order, found, after, size), err
}

// isTakenBy reports whether somebody is among those whom a filter leaves, the search aside.
func (p Person) isTakenBy(f account.PeopleFilter) bool {
	return f.Takes(p.Role, p.State() == twofactor.Enabled, account.StandingOf(p.Active, p.Invited))
}

// searchScanned returns a page in the order of the entries that match.
func (s *Store) searchScanned(ctx context.Context, f account.PeopleFilter, words []string, rarest, after string,
	size int) (PeoplePage, error) {
	page := PeoplePage{Unordered: true}
	at := splitEntryKey(after)
	if at.word < rarest {
		at = entryKey{word: rarest}
	}
	for walked := 0; ; {
		entries, err := s.entriesAfter(ctx, at, account.AfterAll(rarest), size+1)
		if err != nil {
			return PeoplePage{}, err
		}
		for _, e := range entries {
			if len(page.People) == size {
				page.Next = at.String()
				return page, nil
			}
			at = e.entryKey
			walked++
			if isFirstMatch(e, rarest) && hasWords(e.Person, words) && e.isTakenBy(f) {
				page.People = append(page.People, e.Person)
			}
		}
		if len(entries) <= size {
			return page, nil
		}
		if walked >= maxScannedMatches {
			page.Next = at.String()
			return page, nil
		}
	}
}

// An entryKey is the key of an entry of person_word.
type entryKey struct {
	word    string
	sortKey string
	person  int64
}

// String returns the key as pages pass it on. Neither part holds a slash.
func (k entryKey) String() string { return formatID(k.person) + " " + k.word + "/" + k.sortKey }

// splitEntryKey reads it; a key that is none gives the zero key.
func splitEntryKey(key string) entryKey {
	id, rest := parsePeopleKey(key)
	word, sortKey, ok := strings.Cut(rest, "/")
	if !ok {
		return entryKey{}
	}
	return entryKey{word: word, sortKey: sortKey, person: id}
}

// An entry is an entry of person_word with the person whom it finds.
type entry struct {
	entryKey
	Person
}

// entriesAfter reads entries after a key and before a word.
func (s *Store) entriesAfter(ctx context.Context, at entryKey, before string, limit int) ([]entry, error) {
	rows, err := s.rows(ctx, `SELECT w.word, w.sort_key, `+personColumns+` JOIN person_word w ON w.person_id = p.id
		WHERE (w.word, w.sort_key, w.person_id) > ($1, $2, $3) AND w.word < $4
		ORDER BY w.word, w.sort_key, w.person_id LIMIT $5`,
		at.word, at.sortKey, at.person, before, limit)
	if err != nil {
		return nil, fmt.Errorf("searching people: %w", err)
	}
	defer rows.Close()
	var out []entry
	for rows.Next() {
		var e entry
		e.Person, err = scanPerson(func(dest ...any) error {
			return rows.Scan(append([]any{&e.word, &e.sortKey},
				dest...)...)
		})
		if err != nil {
			return nil, err
		}
		e.person = e.Person.ID
		out = append(out, e)
	}
	return out, rows.Err()
}

// isFirstMatch reports whether an entry is the first of its person's that begin with
// a word: each is listed once.
func isFirstMatch(e entry, word string) bool {
	if e.word == word {
		return true // nothing that begins like it comes before
	}
	return account.FirstEnding(account.PersonWords(e.Name, e.Email), word) == e.word
}

// hasWords reports whether somebody has every word as a part of a word of theirs.
func hasWords(p Person, words []string) bool {
	if len(words) == 1 {
		return true // they were found by it
	}
	own := account.PersonWords(p.Name, p.Email)
	for _, word := range words {
		if account.FirstEnding(own, word) == "" {
			return false
		}
	}
	return true
}
