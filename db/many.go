package db

import (
	"fmt"
	"strconv"
	"strings"
)

// maxArgs bounds how many arguments one statement about many rows has. SQLite's driver looks each
// one up by its name, which takes longer the more there are: with 1,000 an import takes three
// times as long.
const maxArgs = 90

// placeholders lists the arguments of one row of n, after the first so many: ($1, $2).
func placeholders(after, n int) string {
	var b strings.Builder
	b.WriteByte('(')
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(after+i+1))
	}
	return b.String() + ")"
}

// insertMany writes rows, all of the same width, with few statements: INSERT … VALUES.
func (t *tx) insertMany(insert string, rows [][]any) error {
	return t.insertInChunks(rows, func(values string, args []any, n int) error {
		changed, err := t.exec(insert+values, args...)
		if err == nil && changed != int64(n) {
			err = fmt.Errorf("running %q: %d rows written, not %d", insert, changed, n)
		}
		return err
	})
}

// insertInChunks calls do with the places and the arguments of some rows at a time.
func (t *tx) insertInChunks(rows [][]any, do func(values string, args []any, n int) error) error {
	if len(rows) == 0 {
		return nil
	}
	width := len(rows[0])
	size := max(1, maxArgs/width)
	for len(rows) > 0 {
		chunk := rows[:min(size, len(rows))]
		rows = rows[len(chunk):]
		places := make([]string, len(chunk))
		args := make([]any, 0, len(chunk)*width)
		for i, row := range chunk {
			places[i] = placeholders(i*width, width)
			args = append(args, row...)
		}
		if err := do(strings.Join(places, ", "), args, len(chunk)); err != nil {
			return err
		}
	}
	return nil
}

// lookUpSize is how many keys one statement looks up.
const lookUpSize = 200

// lookUp reads the rows that some keys find: SELECT … IN. The last statement repeats a key, so
// that all of them are one statement.
func lookUp(q querier, query string, keys []string, each func(scan func(...any) error) error) error {
	for len(keys) > 0 {
		chunk := keys[:min(lookUpSize, len(keys))]
		keys = keys[len(chunk):]
		args := make([]any, lookUpSize)
		for i := range args {
			args[i] = chunk[min(i, len(chunk)-1)]
		}
		if err := eachRow(q, each, query+placeholders(0, lookUpSize), args...); err != nil {
			return err
		}
	}
	return nil
}
