package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// usageText says what is wrong with a command line, and whose help says what is right.
func usageText(args []string, err error) string {
	node := lastCommand(err)
	if node != nil && node.Parent != nil && node.Parent.DefaultCmd == node && !slices.Contains(args, node.Name) {
		node = node.Parent // nobody named it
	}
	path := "gatehouse"
	if node != nil && node.Type == kong.CommandNode {
		path = node.FullPath()
	}
	return fmt.Sprintf("%s; see %s --help", wrongText(err.Error(), node), path)
}

// lastCommand is the command that a line had got to.
func lastCommand(err error) *kong.Node {
	var parsing *kong.ParseError
	if !errors.As(err, &parsing) || parsing.Context == nil {
		return nil
	}
	for i := len(parsing.Context.Path) - 1; i >= 0; i-- {
		if node := parsing.Context.Path[i].Node(); node != nil && parsing.Context.Path[i].Flag == nil {
			return node
		}
	}
	return nil
}

// wrongText words what the parser says.
func wrongText(said string, node *kong.Node) string {
	flag, value, isValue := strings.Cut(said, ": expected ")
	switch {
	case strings.HasPrefix(said, "unexpected argument "):
		word, suggestion, _ := strings.Cut(strings.TrimPrefix(said, "unexpected argument "), ", ")
		if suggestion != "" {
			suggestion = ", " + suggestion
		}
		if node != nil && len(node.Children) > 0 {
			return fmt.Sprintf("there is no command %q%s", word, suggestion)
		}
		return fmt.Sprintf("%q is one word too many", word)
	case strings.HasPrefix(said, "expected one of ") && node != nil:
		var names []string
		for _, child := range node.Children {
			if !child.Hidden {
				names = append(names, child.Name)
			}
		}
		return "say what to do: " + strings.Join(names, ", ")
	case strings.HasPrefix(said, `expected "`):
		return strings.NewReplacer(`"`, "", "expected ", "").Replace(said) + " is missing"
	case isValue && strings.Contains(value, `got "EOL"`):
		return flag + " needs a value"
	case isValue && strings.HasPrefix(value, "duration but got "):
		got, _, _ := strings.Cut(strings.TrimPrefix(value, "duration but got "), ":")
		return fmt.Sprintf("%s takes a time, e.g. 90s, 15m or 1h, and not %s", flag, got)
	}
	return said
}

// showsPassword reports whether the address of a database with a password stands on a command
// line.
func showsPassword(args []string) bool {
	for _, arg := range args {
		_, address, isAddress := strings.Cut(arg, "postgres://")
		if !isAddress {
			_, address, isAddress = strings.Cut(arg, "postgresql://")
		}
		user, _, hasUser := strings.Cut(address, "@")
		if isAddress && hasUser && strings.Contains(user, ":") {
			return true
		}
	}
	return false
}
