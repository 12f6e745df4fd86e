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
func (c *activityPrune) Run(env *commandEnv) error {
	before, err := time.Parse(time.DateOnly, c.Before)
	if err != nil {
		return usageError("--before takes a day, e.g. 2026-01-01")
	}
	return env.withStore(func(store *db.Store) error {
		n, err := store.PruneActivity(env.ctx, before, env.actor(), env.now())
		if errors.Is(err, db.ErrFuture) {
			return usageError("--before takes a day that is not in the future")
		}
		if err != nil {
			return err
		}
		if n == 0 {
			fmt.Fprintf(env.Stdout, "There is no activity from before %s.\n", c.Before)
			return nil
		}
		fmt.Fprintf(env.Stdout, "Deleted %s of activity from before %s. The activity says so, and admins see a notice.\n",
			countOf(int(n), "row"), c.Before)
		return nil
	})
}
