package files

import (
	"context"
	"database/sql"
	"os"
	"time"

	"gatehouse/db/engine"
)

// copyLook is how often it is looked how large a copy has become.
const copyLook = 200 * time.Millisecond

// watchCopy tells how much of a database has been copied, by the size of the copy: SQLite
// itself says nothing. It goes on until the function that it returns is called.
func watchCopy(ctx context.Context, source *sql.DB, target string) (stop func(), err error) {
	hear := engine.ProgressOf(ctx)
	if hear == nil {
		return func() {}, nil
	}
	var pages, free, size int64
	for pragma, into := range map[string]*int64{"page_count": &pages, "freelist_count": &free, "page_size": &size} {
		if err := source.QueryRowContext(ctx, `PRAGMA `+pragma).Scan(into); err != nil {
			return nil, err
		}
	}
	total := (pages - free) * size
	hear(engine.StepCopying, 0, total)
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(copyLook)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if info, err := os.Stat(target); err == nil {
					hear(engine.StepCopying, min(info.Size(), total), total)
				}
			}
		}
	}()
	return func() {
		close(done)
		<-over
	}, nil
}
