package move

import (
	"context"
	"database/sql"
	"fmt"

	"gatehouse/db/engine"
)

// counting returns what is to be called for each row of a step, so that somebody hears of it:
// it counts the rows first, if anybody wants to know.
func counting(ctx context.Context, tx *sql.Tx, tables []engine.Table) (one func(engine.Step) func(), err error) {
	hear := engine.ProgressOf(ctx)
	if hear == nil {
		return func(engine.Step) func() { return func() {} }, nil
	}
	var total int64
	for _, t := range tables {
		var n int64
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM `+t.Name).Scan(&n); err != nil {
			return nil, fmt.Errorf("counting the rows of %s: %w", t.Name, err)
		}
		total += n
	}
	done := map[engine.Step]int64{}
	return func(step engine.Step) func() {
		return func() {
			done[step]++
			hear(step, done[step], total)
		}
	}, nil
}
