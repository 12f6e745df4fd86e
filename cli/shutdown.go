package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// errTerminated is why a server's context ends on SIGTERM: somebody else may have
// to be told first. An interrupt from the keyboard ends it without a cause.
var errTerminated = errors.New("terminated")

// untilSignal returns a context that ends with the first interrupt or SIGTERM. The second
// one ends the process at once, as the system does by itself.
func untilSignal(above context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(above)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case got := <-signals:
			signal.Stop(signals)
			if got == syscall.SIGTERM {
				cancel(errTerminated)
				return
			}
			cancel(nil)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}
