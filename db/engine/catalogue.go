package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Kind is which database it is.
type Kind int

// The kinds.
const (
	SQLite Kind = iota
	Postgres
)

// A Type is what a column holds.
type Type int

// The types that the schemas use. What is a Flag on PostgreSQL is a Number on SQLite.
const (
	Number Type = iota
	Flag
	Fraction
	Text
	Bytes
)

// A Table is one table as the catalogue tells of it.
type Table struct {
	Name       string
	Columns    []Column // in their order
	Key        []string // the primary key's columns
	References []string // the tables whose rows its rows refer to, but itself
	Counted    string   // the column whose values the database counts by itself; "" for none
}

// A Column is one column of a table.
type Column struct {
	Name string
	Type Type
}

// Names gives the columns' names in their order.
func (t Table) Names() []string {
	names := make([]string, 0, len(t.Columns))
	for _, c := range t.Columns {
		names = append(names, c.Name)
	}
	return names
}

// A Querier runs queries: connections, one of them, or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Catalogue lists the tables of a database, each after those that it refers to.
func (k Kind) Catalogue(ctx context.Context, q Querier) ([]Table, error) {
	queries := sqliteCatalogue
	if k == Postgres {
		queries = postgresCatalogue
	}
	found := map[string]*Table{}
	err := eachRow(ctx, q, queries.columns, func(text []string) error {
		t := found[text[0]]
		if t == nil {
			t = &Table{Name: text[0]}
			found[t.Name] = t
		}
		kind, ok := columnTypes[strings.ToLower(text[2])]
		if !ok {
			return fmt.Errorf("column %s.%s has the type %s, which is not expected", text[0], text[1], text[2])
		}
		t.Columns = append(t.Columns, Column{Name: text[1], Type: kind})
		if text[3] != "" {
			t.Counted = text[1]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = eachRow(ctx, q, queries.keys, func(text []string) error {
		if t := found[text[0]]; t != nil {
			t.Key = append(t.Key, text[1])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = eachRow(ctx, q, queries.references, func(text []string) error {
		if t := found[text[0]]; t != nil && text[1] != text[0] {
			t.References = append(t.References, text[1])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return inOrderOfReferences(found)
}

// columnTypes are the types by the names that the catalogues give them.
var columnTypes = map[string]Type{
	"integer": Number,
	"real":    Fraction,
	"text":    Text,
	"blob":    Bytes,
	"int2":    Number,
	"int4":    Number,
	"int8":    Number,
	"bool":    Flag,
	"float8":  Fraction,
	"bytea":   Bytes,
}

// catalogueQueries give, all as text: table, column, type and whether it is counted; table
// and column of each primary key; table and table that it refers to.
type catalogueQueries struct{ columns, keys, references string }

var sqliteCatalogue = catalogueQueries{
	columns: `SELECT t.name, c.name, c.type, '' FROM pragma_table_list t JOIN pragma_table_info(t.name) c ON TRUE
		WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY t.name, c.cid`,
	keys: `SELECT t.name, c.name FROM pragma_table_list t JOIN pragma_table_info(t.name) c ON TRUE
		WHERE t.schema = 'main' AND t.type = 'table' AND c.pk > 0 ORDER BY t.name, c.pk`,
	references: `SELECT DISTINCT t.name, f."table" FROM pragma_table_list t JOIN pragma_foreign_key_list(t.name) f ON TRUE
		WHERE t.schema = 'main' AND t.type = 'table' ORDER BY t.name, f."table"`,
}

var postgresCatalogue = catalogueQueries{
	columns: `SELECT t.relname::text, c.attname::text, y.typname::text, c.attidentity::text
		FROM pg_catalog.pg_class t
		JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace AND n.nspname = current_schema()
		JOIN pg_catalog.pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped
		JOIN pg_catalog.pg_type y ON y.oid = c.atttypid
		WHERE t.relkind IN ('r', 'p') ORDER BY t.relname, c.attnum`,
	keys: `SELECT t.relname::text, c.attname::text
		FROM pg_catalog.pg_class t
		JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace AND n.nspname = current_schema()
		JOIN pg_catalog.pg_index i ON i.indrelid = t.oid AND i.indisprimary
		JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place) ON TRUE
		JOIN pg_catalog.pg_attribute c ON c.attrelid = t.oid AND c.attnum = k.attnum
		ORDER BY t.relname, k.place`,
	references: `SELECT DISTINCT t.relname::text, r.relname::text
		FROM pg_catalog.pg_constraint f
		JOIN pg_catalog.pg_class t ON t.oid = f.conrelid
		JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace AND n.nspname = current_schema()
		JOIN pg_catalog.pg_class r ON r.oid = f.confrelid
		WHERE f.contype = 'f' ORDER BY 1, 2`,
}

// eachRow calls do with every row of a query whose columns are text.
func eachRow(ctx context.Context, q Querier, query string, do func(text []string) error) error {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("reading the catalogue: %w", err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return fmt.Errorf("reading the catalogue: %w", err)
	}
	text := make([]string, len(columns))
	into := make([]any, len(columns))
	for i := range text {
		into[i] = &text[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("reading the catalogue: %w", err)
		}
		if err := do(text); err != nil {
			return err
		}
	}
	return rows.Err()
}

// inOrderOfReferences puts each table after those that it refers to, and otherwise in
// the order of names.
func inOrderOfReferences(found map[string]*Table) ([]Table, error) {
	var names []string
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	var all []Table
	placed := map[string]bool{}
	for len(all) < len(found) {
		before := len(all)
		for _, name := range names {
			t := found[name]
			missing := func(r string) bool { return found[r] != nil && !placed[r] }
			if placed[name] || slices.ContainsFunc(t.References, missing) {
				continue
			}
			placed[name] = true
			all = append(all, *t)
		}
		if len(all) == before {
			return nil, errors.New("tables refer to each other in a circle")
		}
	}
	return all, nil
}
