package engine

import "context"

// A Step is a part of long work.
type Step string

// The steps.
const (
	StepCopying   Step = "copying"   // rows, or bytes of a file
	StepComparing Step = "comparing" // what was copied, row by row
	StepChecking  Step = "checking"  // a file's pages, of which nobody knows how many are done
	StepOpening   Step = "opening"   // sealed secrets
	StepSealing   Step = "sealing"   // them again
)

// A Progress hears how far a step has come; total is 0 where nobody knows. It is called often,
// by one goroutine at a time.
type Progress func(step Step, done, total int64)

type progressKey struct{}

// WithProgress returns a context in which long work tells how far it has come.
func WithProgress(ctx context.Context, hear Progress) context.Context {
	return context.WithValue(ctx, progressKey{}, hear)
}

// ProgressOf is what hears of the progress, or nil.
func ProgressOf(ctx context.Context) Progress {
	hear, _ := ctx.Value(progressKey{}).(Progress)
	return hear
}
