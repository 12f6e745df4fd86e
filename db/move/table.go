package move

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math"
	"strconv"
	"strings"

	"gatehouse/db/engine"
)

// A Content is what a table holds: how many rows, and SHA-256 over all of them in the
// order of the primary key, names and types included. It is the same on either engine.
type Content struct {
	Table string
	Rows  int64
	Sum   [sha256.Size]byte
}

// batchRows is how many rows one INSERT carries at most, and batchValues how many
// parameters: SQLite takes 32,766, PostgreSQL twice as many.
const (
	batchRows   = 500
	batchValues = 16_000
)

// copyTable copies one table, and returns what was read.
func copyTable(ctx context.Context, source, target *sql.Tx, kind engine.Kind, t engine.Table,
	one func()) (Content, error) {
	rows := min(batchRows, batchValues/len(t.Columns))
	full := insertStatement(t, rows)
	var batch []any
	content, err := eachInOrder(ctx, source, t, func(values []any) error {
		one()
		for i, v := range values {
			batch = append(batch, forColumn(v, t.Columns[i].Type))
		}
		if len(batch) < rows*len(t.Columns) {
			return nil
		}
		_, err := target.ExecContext(ctx, full, batch...)
		batch = batch[:0]
		return err
	})
	if err == nil && len(batch) > 0 {
		_, err = target.ExecContext(ctx, insertStatement(t, len(batch)/len(t.Columns)), batch...)
	}
	if err == nil && t.Counted != "" && kind == engine.Postgres {
		// Else the next row would get a number that a copied one has.
		_, err = target.ExecContext(ctx, fmt.Sprintf(`SELECT setval(pg_get_serial_sequence('%s', '%s'),
			greatest((SELECT max(%s) FROM %s), 1), EXISTS (SELECT 1 FROM %s))`, t.Name, t.Counted, t.Counted, t.Name, t.Name))
	}
	return content, err
}

// insertStatement writes some rows at once.
func insertStatement(t engine.Table, rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + t.Name + " (" + strings.Join(t.Names(), ", ") + ") VALUES ")
	for n := range rows * len(t.Columns) {
		switch {
		case n == 0:
			b.WriteString("($")
		case n%len(t.Columns) == 0:
			b.WriteString("), ($")
		default:
			b.WriteString(", $")
		}
		b.WriteString(strconv.Itoa(n + 1))
	}
	b.WriteByte(')')
	return b.String()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// readContent reads what a table holds.
func readContent(ctx context.Context, tx *sql.Tx, t engine.Table, one func()) (Content, error) {
	return eachInOrder(ctx, tx, t, func([]any) error {
		one()
		return nil
	})
}

// eachInOrder calls do with every row in the order of the primary key.
func eachInOrder(ctx context.Context, tx *sql.Tx, t engine.Table, do func(values []any) error) (Content, error) {
	c := Content{Table: t.Name}
	if len(t.Key) == 0 {
		return c, errors.New("the table has no primary key")
	}
	rows, err := tx.QueryContext(ctx, fmt.Sprintf(`SELECT %s FROM %s ORDER BY %s`, strings.Join(t.Names(), ", "), t.Name,
		strings.Join(t.Key, ", ")))
	if err != nil {
		return c, err
	}
	defer rows.Close()
	sum := sha256.New()
	for _, column := range t.Columns {
		if err := writeValue(sum, column.Name); err != nil {
			return c, err
		}
	}
	values, into := make([]any, len(t.Columns)), make([]any, len(t.Columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return c, err
		}
		for i, v := range values {
			if err := writeValue(sum, v); err != nil {
				return c, fmt.Errorf("%s: %w", t.Columns[i].Name, err)
			}
		}
		c.Rows++
		if err := do(values); err != nil {
			return c, err
		}
	}
	sum.Sum(c.Sum[:0])
	return c, rows.Err()
}

// writeValue adds a value to a sum: its type, its length where that varies, and itself.
// A flag is a number here, as on SQLite.
func writeValue(sum hash.Hash, value any) error {
	var head [9]byte
	put := func(kind byte, n uint64) {
		head[0] = kind
		binary.BigEndian.PutUint64(head[1:], n)
		sum.Write(head[:])
	}
	switch v := value.(type) {
	case nil:
		put('0', 0)
	case int64:
		put('n', uint64(v)) //nolint:gosec // the bits are what counts
	case bool:
		put('n', uint64(btoi(v))) //nolint:gosec // 0 or 1
	case float64:
		put('f', math.Float64bits(v))
	case string:
		put('t', uint64(len(v)))
		sum.Write([]byte(v))
	case []byte:
		put('b', uint64(len(v)))
		sum.Write(v)
	default:
		return fmt.Errorf("a value of the type %T is not expected", value)
	}
	return nil
}

// forColumn gives a value as the target's column takes it.
func forColumn(value any, kind engine.Type) any {
	switch v := value.(type) {
	case int64:
		if kind == engine.Flag {
			return v != 0
		}
	case bool:
		if kind != engine.Flag {
			return int64(btoi(v))
		}
	}
	return value
}
