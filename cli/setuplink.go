package cli

import (
	"errors"
	"fmt"

	"gatehouse/db"
)

type setupLinkCommand struct {
	BaseURL string `name:"base-url" help:"How browsers reach the workspace, e.g. https://portal.example.org." env:"GATEHOUSE_BASE_URL" placeholder:"URL"`
}

// Run makes the link for the first Super-administrator anew, and prints it on a line of
// its own. The one before ends.
func (c *setupLinkCommand) Run(env *commandEnv) error {
	at, err := linkBase(c.BaseURL)
	if err != nil {
		return err
	}
	return env.withStore(func(store *db.Store) error {
		token, err := store.NewSetupToken(env.ctx, env.now())
		if errors.Is(err, db.ErrNotFound) {
			return errors.New("the workspace has people, and no set-up link any more; for another way in see gatehouse user add --help")
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(env.Stderr, "This link names the workspace and makes its first Super-administrator. It works once, and ends the one before.")
		fmt.Fprintf(env.Stdout, "%s/setup/%s\n", at, token)
		return nil
	})
}
