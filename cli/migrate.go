package cli

import (
	"fmt"

	"gatehouse/db"
)

type migrateCommand struct {
	ServerRole string `name:"server-role" help:"Let this role of the database serve: it may do what a server does, and can neither change nor delete activity." env:"GATEHOUSE_SERVER_ROLE" placeholder:"ROLE"`
}

// Run makes or upgrades the tables on a server as the role that owns them.
func (c *migrateCommand) Run(env *commandEnv) error {
	if !env.isOnServer() {
		return usageError("migrate is for a PostgreSQL database: name it with --database; a file is upgraded when its server starts")
	}
	o, err := env.options()
	if err != nil {
		return err
	}
	done, err := db.Migrate(env.ctx, db.MigrateOptions{Options: o, ServerRole: c.ServerRole})
	if err != nil {
		return err
	}
	switch {
	case done.From == 0:
		fmt.Fprintf(env.Stdout, "The tables are made, of schema %d.\n", done.To)
	case done.From < done.To:
		fmt.Fprintf(env.Stdout, "The tables are upgraded from schema %d to schema %d.\n", done.From, done.To)
	default:
		fmt.Fprintf(env.Stdout, "The tables are of schema %d already.\n", done.To)
	}
	if c.ServerRole != "" {
		fmt.Fprintf(env.Stdout, "The role %s may serve; it owns nothing, and can neither change nor delete activity.\n", c.ServerRole)
	}
	return nil
}
