package db

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"gatehouse/db/seal"
	"gatehouse/twofactor"
)

// A sealedColumn is a column whose values the key file's key opens, or proves. This table
// is the only place that knows them: gatehouse check opens them all, key rotate seals
// them all again, and a move opens them before it commits. A column that is missing here
// would be lost with the next rotation; a test looks for those in the catalogue.
type sealedColumn struct {
	table, column string
	id            string   // the primary key, one column
	first         any      // comes before every id: "", []byte{} or int64(0)
	bound         []string // further columns that the context is made of
	person        string   // the column that says whose the value is; "" for nobody's

	// context is what the value is bound to: what was moved to another row by hand
	// opens there no more.
	context func(r sealedRow) string

	// keyed columns hold Keyring.MAC of the context, and nothing that is secret.
	keyed bool
}

// sealedColumns are all of them. NULL is a value that is not there.
var sealedColumns = []sealedColumn{
	{
		table:   "workspace",
		column:  "lookup_key",
		id:      "id",
		first:   int64(0),
		context: func(sealedRow) string { return lookupKeyLabel },
	},
	{
		table:  "enrollment",
		column: "secret",
		id:     "id",
		first:  []byte{},
		bound:  []string{"state", "person_id"},
		person: "person_id",
		context: func(r sealedRow) string {
			state := twofactor.Pending
			if r.text(0) == "enabled" {
				state = twofactor.Enabled
			}
			return sealContext(state, r.number(1), r.id.([]byte))
		},
	},
	{
		table:  "passkey",
		column: "mac",
		id:     "id",
		first:  []byte{},
		bound:  []string{"person_id", "rp_id", "public_key"},
		person: "person_id",
		keyed:  true,
		context: func(r sealedRow) string {
			return passkeyContext(r.id.([]byte), r.bytes(2), r.number(0), r.text(1))
		},
	},
	{
		table:  "signing_key",
		column: "private_key",
		id:     "id",
		first:  "",
		bound:  []string{"algorithm"},
		context: func(r sealedRow) string {
			id, _ := r.id.(string)
			return signingKeyContext(id, r.text(0))
		},
	},
	{
		table:   "outbox",
		column:  "secret",
		id:      "id",
		first:   int64(0),
		bound:   []string{"message_id"},
		context: func(r sealedRow) string { return mailSealContext(r.text(0)) },
	},
}

// isOwn reports whether the column is the workspace's own key, which is nobody's secret.
func (c sealedColumn) isOwn() bool { return c.table == "workspace" }

// A sealedRow is one value with what it is bound to, as the database gives it.
type sealedRow struct {
	id     any // int64, string or []byte
	value  []byte
	person int64
	bound  []any
}

// text, number and bytes read one of the bound columns.

func (r sealedRow) text(i int) string {
	text, _ := r.bound[i].(string)
	return text
}

func (r sealedRow) number(i int) int64 {
	number, _ := r.bound[i].(int64)
	return number
}

func (r sealedRow) bytes(i int) []byte {
	bytes, _ := r.bound[i].([]byte)
	return bytes
}

// open proves a value, and gives its plaintext if it has one.
func (c sealedColumn) open(keys *seal.Keyring, r sealedRow) ([]byte, error) {
	if c.keyed {
		return nil, keys.Prove(r.value, c.context(r))
	}
	return keys.Open(r.value, c.context(r))
}

// seal makes the value that another key would have made.
func (c sealedColumn) seal(keys *seal.Keyring, r sealedRow, plaintext []byte) ([]byte, error) {
	if c.keyed {
		return keys.MAC(c.context(r)), nil
	}
	return keys.Seal(plaintext, c.context(r))
}

// A rowsReader runs queries: a transaction of the store, or one of a move.
type rowsReader interface {
	rows(query string, args ...any) (*sql.Rows, error)
}

// eachSealed calls do for every value of every sealed column. The rows are read a
// thousand at a time, since do may write.
func eachSealed(ctx context.Context, t rowsReader, step Step, do func(sealedColumn, sealedRow) error) error {
	tell, err := countingSealed(ctx, t, step)
	if err != nil {
		return err
	}
	for _, c := range sealedColumns {
		last := c.first
		for {
			page, err := rowsSealedAfter(t, c, last)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				if err := do(c, r); err != nil {
					return err
				}
				tell()
			}
			last = page[len(page)-1].id
		}
	}
	return nil
}

// rowsSealedAfter reads the next values in the order of the primary key.
func rowsSealedAfter(t rowsReader, c sealedColumn, last any) ([]sealedRow, error) {
	columns := append([]string{c.id, c.column, "0"}, c.bound...)
	if c.person != "" {
		columns[2] = c.person
	}
	rows, err := t.rows(fmt.Sprintf(`SELECT %s FROM %s WHERE %s > $1 AND %s IS NOT NULL ORDER BY %s LIMIT 1000`,
		strings.Join(columns, ", "), c.table, c.id, c.column, c.id), last)
	if err != nil {
		return nil, fmt.Errorf("reading sealed secrets of %s: %w", c.table, err)
	}
	defer rows.Close()
	var page []sealedRow
	for rows.Next() {
		r := sealedRow{bound: make([]any, len(c.bound))}
		into := []any{&r.id, &r.value, &r.person}
		for i := range r.bound {
			into = append(into, &r.bound[i])
		}
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("reading a sealed secret of %s: %w", c.table, err)
		}
		page = append(page, r)
	}
	return page, rows.Err()
}

// countSealed counts the values of one column.
func countSealed(t rowsReader, c sealedColumn) (n int64, err error) {
	rows, err := t.rows(fmt.Sprintf(`SELECT count(%s) FROM %s`, c.column, c.table))
	if err != nil {
		return 0, fmt.Errorf("counting sealed secrets of %s: %w", c.table, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&n); err != nil {
			return 0, fmt.Errorf("counting sealed secrets of %s: %w", c.table, err)
		}
	}
	return n, rows.Err()
}

// reseal seals every secret under the next key.
func (t *tx) reseal(ctx context.Context, old, next *seal.Keyring) (secrets int, err error) {
	err = eachSealed(ctx, t, StepSealing, func(c sealedColumn, r sealedRow) error {
		plaintext, err := c.open(old, r)
		if err != nil {
			return fmt.Errorf("%s: %w; run gatehouse check to see what does not open", c.describe(r), err)
		}
		sealed, err := c.seal(next, r, plaintext)
		if err != nil {
			return err
		}
		if !c.isOwn() {
			secrets++
		}
		return t.execOne(fmt.Sprintf(`UPDATE %s SET %s = $1 WHERE %s = $2`, c.table, c.column, c.id), sealed, r.id)
	})
	return secrets, err
}

// describe names a value for the machine's administrator.
func (c sealedColumn) describe(r sealedRow) string {
	if c.person != "" {
		return fmt.Sprintf("the secret of person %d (%s.%s)", r.person, c.table, c.column)
	}
	if id, ok := r.id.([]byte); ok {
		return fmt.Sprintf("the secret of row %x (%s.%s)", id, c.table, c.column)
	}
	return fmt.Sprintf("the secret of row %v (%s.%s)", r.id, c.table, c.column)
}
