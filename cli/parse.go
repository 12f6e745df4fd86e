package cli

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// An exit is what ends the program early, with its code: help was printed.
type exit int

// newParser reads the commands' tags.
func newParser(flags *commands, p Process) (*kong.Kong, error) {
	parser, err := kong.New(flags,
		kong.Name("gatehouse"),
		kong.Description("The front door of a small workspace: passwords, a second step, recovery codes."),
		kong.Writers(p.Stdout, p.Stderr),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.Vars{"acme_directory": letsEncrypt},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Resolvers(environment{installed(p)}),
	)
	if err != nil {
		return nil, fmt.Errorf("reading the commands: %w", err)
	}
	err = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		switch node := node.(type) {
		case *kong.Flag:
			node.Tag.Envs = nil // kong would take a variable that is set to nothing for a value
		case *kong.Node:
			if example := node.Tag.Get("example"); example != "" {
				node.Detail = "Example:\n\n    " + example
			}
		}
		return next(nil)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the commands: %w", err)
	}
	return parser, nil
}

// parse reads a command line into all.
func parse(flags *commands, p Process) (*kong.Context, error) {
	parser, err := newParser(flags, p)
	if err != nil {
		return nil, err
	}
	args := p.Args
	if slices.Equal(args, []string{"--version"}) {
		args = []string{"version"}
	}
	return parser.Parse(args)
}

// environment returns the flags' values from the environment in kong's place: a variable
// that is set to nothing is not set, as compose files and unit files mean it, and one
// that is wrong is named. What is not set there is as the installed service has it, for
// every command but serve and install.
type environment struct{ installed map[string]string }

// Validate has nothing to object.
func (environment) Validate(*kong.Application) error { return nil }

// Resolve returns a flag's value, or nil for none.
func (e environment) Resolve(line *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		value, from := unquoted(os.Getenv(name)), "the environment"
		if value == "" && isBesideTheService(line) {
			value, from = unquoted(e.installed[name]), "/"+installedSettings
		}
		if value == "" {
			continue
		}
		trial := reflect.New(flag.Target.Type()).Elem()
		scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: value})
		if err := flag.Parse(scan, trial); err != nil {
			if inner := errors.Unwrap(err); inner != nil {
				err = inner // kong names the flag once more
			}
			return nil, fmt.Errorf("%w (from %s in %s)", err, name, from)
		}
		if flag.Enum != "" && !slices.Contains(flag.EnumSlice(), value) {
			return nil, fmt.Errorf("must be one of %s but got %q (from %s in %s)", flag.Enum, value, name, from)
		}
		return value, nil
	}
	return nil, nil
}

// isBesideTheService reports whether a command works on a workspace that a service has.
func isBesideTheService(line *kong.Context) bool {
	node := line.Selected()
	return node != nil && node.Name != "serve" && node.Name != "install"
}

// unquoted takes away blanks, and the quotes that some tools hand on from a file
// of variables as they stand there (docker --env-file, lists in compose files).
func unquoted(value string) string {
	value = strings.TrimSpace(value)
	for _, quote := range []string{`"`, "'"} {
		inner, ok := strings.CutPrefix(value, quote)
		if ok && inner != "" && strings.Index(inner, quote) == len(inner)-1 {
			return strings.TrimSpace(inner[:len(inner)-1])
		}
	}
	return value
}
