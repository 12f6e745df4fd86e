package cli

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"gatehouse/backchannel"
	"gatehouse/db"
)

// connectedInterval is how often it is looked what connected apps are to be told, and
// whether a key is due.
const connectedInterval = 2 * time.Second

// maxCalls is how many apps are called at once, so that slow ones do not keep others waiting.
const maxCalls = 8

// serveConnected does what connected apps need outside of requests, until the context ends:
// it makes the keys that sign, and tells apps of sign-outs.
func serveConnected(ctx context.Context, env *commandEnv, store *db.Store, issuer string, log *slog.Logger) {
	caller := backchannel.New(backchannel.Timeout)
	ticker := time.NewTicker(connectedInterval)
	defer ticker.Stop()
	for {
		if _, err := store.MakeSigningKeys(ctx, env.now()); err != nil && ctx.Err() == nil {
			log.Error("cannot make signing keys", "error", err)
		}
		if err := tellApps(ctx, env, store, issuer, caller, log); err != nil && ctx.Err() == nil {
			log.Error("cannot tell apps of sign-outs", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// tellApps calls the apps that are to be told now.
func tellApps(ctx context.Context, env *commandEnv, store *db.Store, issuer string, caller *backchannel.Caller, log *slog.Logger) error {
	due, err := store.DueLogouts(ctx, env.now())
	if err != nil {
		return err
	}
	places := make(chan struct{}, maxCalls)
	var calls sync.WaitGroup
	for _, one := range due {
		places <- struct{}{}
		calls.Go(func() {
			defer func() { <-places }()
			if err := tellApp(ctx, env, store, issuer, caller, one, log); err != nil && ctx.Err() == nil {
				log.Error("cannot tell an app of a sign-out", "app", one.Host, "error", err)
			}
		})
	}
	calls.Wait()
	return nil
}

// tellApp tells one app of one session. An app that has no address for it is let be.
func tellApp(ctx context.Context, env *commandEnv, store *db.Store, issuer string, caller *backchannel.Caller, one db.Logout,
	log *slog.Logger) error {
	if one.Backchannel == "" {
		return store.FinishLogout(ctx, one)
	}
	token, key, ok, err := store.ClaimLogout(ctx, one, env.now())
	if err != nil || !ok {
		return err
	}
	token.Issuer = issuer
	signed, err := key.SignLogoutToken(token, env.now())
	if err != nil {
		return err
	}
	err = caller.Tell(ctx, one.Backchannel, one.Host, signed)
	if err == nil {
		return store.FinishLogout(ctx, one)
	}
	log.Warn("an app could not be told of a sign-out", "app", one.Host, "try", one.Tries+1, "error", err)
	return store.FailLogout(context.WithoutCancel(ctx), one, env.now())
}
