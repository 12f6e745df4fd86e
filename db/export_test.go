package db

import "context"

// OpenSteps opens a workspace as a program does that has these migrations.
func OpenSteps(ctx context.Context, o Options, steps []string) (*Store, error) {
	return open(ctx, o, steps)
}

// Newest is the schema that this program writes.
func Newest() int { return len(migrations) + 1 }
