package cli

import (
	"fmt"
	"os"
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
	environment := takeEnvironment(line.Flags())
	if err := line.Reset(); err != nil { // the defaults
		return nil, err
	}
	for _, given := range environment {
		if err := given.apply(); err != nil {
			return nil, err
		}
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

// A givenVariable is a flag's value from the environment.
type givenVariable struct {
	flag        *kong.Flag
	name, value string
}

// takeEnvironment reads the variables of flags in kong's place, which takes a
// variable that is set to nothing for a value.
func takeEnvironment(flags []*kong.Flag) (given []givenVariable) {
	for _, flag := range flags {
		for _, name := range flag.Tag.Envs {
			if value := unquoted(os.Getenv(name)); value != "" {
				given = append(given, givenVariable{flag: flag, name: name, value: value})
				break
			}
		}
		flag.Tag.Envs = nil
	}
	return given
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

// apply sets the flag, and names the variable when it cannot.
func (g givenVariable) apply() error {
	scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: g.value})
	if err := g.flag.Parse(scan, g.flag.Target); err != nil {
		return fmt.Errorf("%w (from %s in the environment)", err, g.name)
	}
	return nil
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
