package cli

import (
	"errors"
	"fmt"
	"time"

	"gatehouse/db"
)

type activityCommands struct {
	Prune activityPrune `cmd:"" help:"Delete the activity of the days before a date. A row and a notice say so." example:"gatehouse activity prune --before 2026-01-01"`
}

type activityPrune struct {
	Before string `help:"The first day (UTC) that is kept, e.g. 2026-01-01." required:"" placeholder:"DATE"`
}

// Run deletes old activity. All admins see a notice of it.
func (c *activityPrune) Run(s *session) error {
	before, err := time.Parse(time.DateOnly, c.Before)
	if err != nil {
		return usageError("--before takes a day, e.g. 2026-01-01")
	}
	return s.with(func(store *db.Store) error {
		n, err := store.PruneActivity(s.ctx, before, s.machine(), s.now())
		if errors.Is(err, db.ErrFuture) {
			return usageError("--before takes a day that is not in the future")
		}
		if err != nil {
			return err
		}
		if n == 0 {
			fmt.Fprintf(s.Stdout, "There is no activity from before %s.\n", c.Before)
			return nil
		}
		fmt.Fprintf(s.Stdout, "Deleted %s of activity from before %s. The activity says so, and admins see a notice.\n",
			counted(int(n), "row"), c.Before)
		return nil
	})
}
