package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// A command is what a command line runs.
type command interface{ Run(s *session) error }

// parse reads a command line into all and gives the command that it names, or nil
// when it asked for help, which is printed. It does kong's steps itself: kong's
// Parse and Run look methods up by name, for which the linker keeps every exported
// method, 1.4 MB.
func parse(all *commands, p Process) (command, error) {
	parser, err := kong.New(all, kong.Name("gatehouse"),
		kong.Description("The front door of a small workspace: passwords, a second step, recovery codes."),
		kong.Writers(p.Stdout, p.Stderr), kong.Vars{"acme_directory": letsEncrypt}, kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		return nil, err
	}
	line, err := kong.Trace(parser, p.Args)
	if err != nil {
		return nil, err
	}
	if line.Error != nil {
		return nil, line.Error
	}
	if slices.ContainsFunc(line.Path, func(at *kong.Path) bool { return at.Flag == parser.Model.HelpFlag }) {
		return nil, line.PrintUsage(false)
	}
	if err := line.Reset(); err != nil { // the defaults, and the environment
		return nil, err
	}
	if _, err := line.Apply(); err != nil {
		return nil, err
	}
	named := line.Selected()
	if err := complete(named, line.Flags()); err != nil {
		return nil, err
	}
	return named.Target.Addr().Interface().(command), nil
}

// complete refuses a command line that lacks a command, an argument or a flag, or
// has a value that is not among those allowed.
func complete(named *kong.Node, flags []*kong.Flag) error {
	if len(named.Children) > 0 {
		var names []string
		for _, child := range named.Children {
			names = append(names, child.Name)
		}
		return fmt.Errorf("expected one of %s", strings.Join(names, ", "))
	}
	values := slices.Clone(named.Positional)
	for _, flag := range flags {
		values = append(values, flag.Value)
	}
	for _, v := range values {
		switch {
		case v.Required && !v.Set && v.Flag == nil:
			return fmt.Errorf("expected %s", v.Summary())
		case v.Required && !v.Set:
			return fmt.Errorf("missing flags: %s", v.Summary())
		case v.Set && v.Enum != "" && !slices.Contains(v.EnumSlice(), v.Target.String()):
			return fmt.Errorf("%s must be one of %s but got %q", v.ShortSummary(), strings.Trim(v.Enum, ","), v.Target)
		}
	}
	return nil
}
