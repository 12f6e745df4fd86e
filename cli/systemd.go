package cli

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"time"

	"gatehouse/db"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// handedOver returns the sockets that systemd has opened for this process, as
// gatehouse.socket says. There are none without one.
func handedOver() ([]net.Listener, error) {
	all, err := activation.Listeners()
	if err != nil {
		return nil, err
	}
	for _, listener := range all {
		switch {
		case listener == nil:
			return nil, usageError("systemd has handed over what nobody can connect to: use ListenStream= in gatehouse.socket")
		case strings.HasPrefix(listener.Addr().String(), "@"):
			return nil, usageError("a socket needs a path, whose permissions say who may use it: " +
				"ListenStream=/run/gatehouse/gatehouse.sock in gatehouse.socket")
		}
	}
	return all, nil
}

// notifySystemd sends a state to systemd; without systemd it does nothing.
func notifySystemd(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("cannot notify systemd", "error", err)
	}
}

// watchdog tells systemd that the server is alive, as often as its unit asks for it. A
// database that returns errors is no reason for a restart, since a full disk stays full;
// one that never answers is: the process has stopped, if the database is a file in it. A
// database on a server is not asked: while that is away, all nodes would restart for ever.
func watchdog(ctx context.Context, env *commandEnv, store *db.Store, log *slog.Logger) {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil || limit == 0 {
		return
	}
	tick := time.NewTicker(limit / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if !store.IsShared() {
				_ = store.Ping(ctx, env.now())
			}
			notifySystemd(log, daemon.SdNotifyWatchdog)
		}
	}
}
