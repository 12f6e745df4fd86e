package cli

import (
	_ "embed"
	"io"
	"slices"
)

//go:embed help/deploy.txt
var deployText string

type helpCommand struct {
	Topic []string `arg:"" optional:"" help:"A command, or deploy."`
}

// Run prints the help of a command, or the shortest way to a workspace that serves.
func (c *helpCommand) Run(env *commandEnv) error {
	if slices.Equal(c.Topic, []string{"deploy"}) {
		_, err := io.WriteString(env.Stdout, deployText)
		return err
	}
	_, err := parse(new(commands), Process{
		Args:   append(slices.Clone(c.Topic), "--help"),
		Stdout: env.Stdout,
		Stderr: env.Stderr,
	})
	if err != nil {
		return usageError(usageText(c.Topic, err))
	}
	return nil // never: help ends the program
}
