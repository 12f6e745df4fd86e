package db

import (
	"context"

	"gatehouse/db/engine"
)

// A Step is a part of long work: moving, copying, rotating the key.
type Step = engine.Step

// The steps.
const (
	StepCopying   = engine.StepCopying
	StepComparing = engine.StepComparing
	StepChecking  = engine.StepChecking
	StepOpening   = engine.StepOpening
	StepSealing   = engine.StepSealing
)

// WithProgress returns a context in which Backup, Restore, Move, Check and RotateKey tell how
// far they have come; total is 0 where nobody knows.
func WithProgress(ctx context.Context, hear func(step Step, done, total int64)) context.Context {
	return engine.WithProgress(ctx, hear)
}

// countingSealed returns what is to be called for each sealed value, so that somebody hears of
// it: it counts them first, if anybody wants to know.
func countingSealed(ctx context.Context, t rowsReader, step Step) (one func(), err error) {
	hear := engine.ProgressOf(ctx)
	if hear == nil {
		return func() {}, nil
	}
	var done, total int64
	for _, c := range sealedColumns {
		n, err := countSealed(t, c)
		if err != nil {
			return nil, err
		}
		total += n
	}
	return func() {
		done++
		hear(step, done, total)
	}, nil
}
