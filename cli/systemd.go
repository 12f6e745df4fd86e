package cli

import (
	"context"
	"log/slog"
	"time"

	"gatehouse/db"

	"github.com/coreos/go-systemd/v22/daemon"
)

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
