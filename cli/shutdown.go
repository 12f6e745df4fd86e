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
// one ends the process at once. It is not left to the system: a program that a shell has
// started in the background would go on ignoring interrupts.
func untilSignal(above context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(above)
	stopped := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case first := <-signals:
			if first == syscall.SIGTERM {
				cancel(errTerminated)
			}
			cancel(nil) // keeps the first cause
		case <-stopped:
			return
		}
		select {
		case second := <-signals:
			os.Exit(signalExit(second))
		case <-stopped:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
		close(stopped)
	}
}

// signalExit is what shells give for a program that a signal has ended.
func signalExit(ended os.Signal) int {
	if number, ok := ended.(syscall.Signal); ok {
		return 128 + int(number)
	}
	return exitFailed
}
