package db

import (
	"context"
	"database/sql"
	"fmt"

	"gatehouse/account"
)

// fillWords brings every address of an older file to the form in which it is looked
// up now, and fills in what people are ordered and found by. An address stays as it
// is when it has no such form, or when somebody else has that already: findPerson
// looks for those too.
func fillWords(ctx context.Context, c *sql.Conn) error {
	const batch = 1000
	for last, more := int64(0), true; more; {
		people, err := namesAfter(ctx, c, last, batch)
		if err != nil {
			return err
		}
		for _, p := range people {
			if err := fillWordsOf(ctx, c, p); err != nil {
				return err
			}
			last = p.ID
		}
		more = len(people) == batch
	}
	return nil
}

// namesAfter reads id, name and address of the people after one.
func namesAfter(ctx context.Context, c *sql.Conn, last int64, limit int) ([]Person, error) {
	rows, err := c.QueryContext(ctx, `SELECT id, name, email FROM person WHERE id > $1 ORDER BY id LIMIT $2`, last, limit)
	if err != nil {
		return nil, fmt.Errorf("reading people: %w", err)
	}
	defer rows.Close()
	var people []Person
	for rows.Next() {
		var p Person
		if err := rows.Scan(&p.ID, &p.Name, &p.Email); err != nil {
			return nil, fmt.Errorf("reading a person: %w", err)
		}
		people = append(people, p)
	}
	return people, rows.Err()
}

// fillWordsOf does it for one person.
func fillWordsOf(ctx context.Context, c *sql.Conn, p Person) error {
	if email := account.NormalizeEmail(p.Email); email != "" && email != p.Email {
		var taken bool
		err := c.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM person WHERE email = $1)`, email).Scan(&taken)
		if err != nil {
			return fmt.Errorf("looking for an address: %w", err)
		}
		if !taken {
			p.Email = email
		}
	}
	sortKey := account.SortKey(p.Name)
	_, err := c.ExecContext(ctx, `UPDATE person SET email = $1, sort_key = $2 WHERE id = $3`, p.Email, sortKey, p.ID)
	if err != nil {
		return fmt.Errorf("writing a person: %w", err)
	}
	for _, word := range account.Endings(p.Name, p.Email) {
		_, err := c.ExecContext(ctx, `INSERT INTO person_word (word, sort_key, person_id) VALUES ($1, $2, $3)`,
			word, sortKey, p.ID)
		if err != nil {
			return fmt.Errorf("writing the words of a person: %w", err)
		}
	}
	return nil
}
