package cli

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/alecthomas/kong"
)

//go:embed shell
var shellScripts embed.FS

type completionCommand struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish"`
}

// Run prints what the shell reads to complete commands, flags and roles.
func (c *completionCommand) Run(env *commandEnv) error {
	script, err := shellScripts.ReadFile("shell/gatehouse." + c.Shell)
	if err != nil {
		return fmt.Errorf("reading the script: %w", err)
	}
	_, err = env.Stdout.Write(script)
	return err
}

// completeCommand is what the shells' scripts ask.
type completeCommand struct {
	Words []string `arg:"" optional:""`
}

// Run prints what may stand in the place of the last word, a line each, with what it
// means after a tab. It prints nothing where a file's name may stand.
func (c *completeCommand) Run(line *kong.Context, env *commandEnv) error {
	for _, one := range candidates(line.Model, c.Words) {
		if _, err := fmt.Fprintf(env.Stdout, "%s\t%s\n", one.word, one.help); err != nil {
			return err
		}
	}
	return nil
}

// A candidate may stand where a word is being typed.
type candidate struct{ word, help string }

// candidates returns what may stand in the place of the last of the words.
func candidates(app *kong.Application, words []string) []candidate {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	node, expected, arguments := app.Node, (*kong.Value)(nil), 0
	for _, word := range words[:len(words)-1] {
		name, isFlag := strings.CutPrefix(word, "--")
		child := childNamed(node, word)
		switch {
		case word == "=": // bash takes --role=member for three words
		case expected != nil:
			expected = nil // this was the flag's value
		case isFlag:
			if flag := flagNamed(node, name); flag != nil && !flag.IsBool() {
				expected = flag.Value
			}
		case child != nil:
			node = child
		default:
			arguments++
		}
	}
	typed := strings.TrimPrefix(last, "=")
	var all []candidate
	switch name, _, given := strings.Cut(strings.TrimPrefix(last, "--"), "="); {
	case expected != nil:
		all = valuesOf(expected, "")
	case given && strings.HasPrefix(last, "--"):
		if flag := flagNamed(node, name); flag != nil {
			all = valuesOf(flag.Value, "--"+name+"=")
		}
	case strings.HasPrefix(last, "-"):
		for _, flag := range flagsOf(node) {
			all = append(all, candidate{"--" + flag.Name, flag.Help})
		}
	case len(node.Children) > 0:
		for _, child := range node.Children {
			if !child.Hidden {
				all = append(all, candidate{child.Name, child.Help})
			}
		}
	case arguments < len(node.Positional):
		all = valuesOf(node.Positional[arguments], "")
	}
	return slices.DeleteFunc(all, func(c candidate) bool { return !strings.HasPrefix(c.word, typed) })
}

// valuesOf returns the values that a flag or an argument may have, where they are few.
func valuesOf(value *kong.Value, prefix string) (all []candidate) {
	if value.Enum == "" {
		return nil
	}
	for _, one := range value.EnumSlice() {
		if one != "" {
			all = append(all, candidate{prefix + one, ""})
		}
	}
	return all
}

func childNamed(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name {
			return child
		}
	}
	return nil
}

// flagsOf returns the flags of a command, of those above it, and of the command that none
// names.
func flagsOf(node *kong.Node) (all []*kong.Flag) {
	if node.DefaultCmd != nil {
		all = append(all, node.DefaultCmd.Flags...)
	}
	for _, flags := range node.AllFlags(true) {
		all = append(all, flags...)
	}
	return all
}

func flagNamed(node *kong.Node, name string) *kong.Flag {
	for _, flag := range flagsOf(node) {
		if flag.Name == name {
			return flag
		}
	}
	return nil
}

type manCommand struct{}

// Run prints the manual page.
func (manCommand) Run(line *kong.Context, env *commandEnv) error {
	_, err := io.WriteString(env.Stdout, manual(line.Model))
	return err
}

// manual writes the manual page of an application in man(7)'s macros. It has no date,
// so that one program prints one page.
func manual(app *kong.Application) string {
	var b strings.Builder
	line := func(macro string, words ...string) {
		b.WriteString(macro)
		for _, word := range words {
			b.WriteString(" " + roffQuote(word))
		}
		b.WriteByte('\n')
	}
	line(".TH", "GATEHOUSE", "1", "", "gatehouse "+Version, "Gatehouse")
	line(".SH", "NAME")
	b.WriteString("gatehouse \\- " + roffEscape(lowerFirst(app.Help)) + "\n")
	line(".SH", "SYNOPSIS")
	line(".B", "gatehouse")
	b.WriteString("[command] [flags]\n")
	line(".SH", "FLAGS OF EVERY COMMAND")
	manualFlags(&b, app.Flags)
	line(".SH", "COMMANDS")
	for _, leaf := range app.Leaves(true) {
		line(".SS", "gatehouse "+summary(leaf))
		b.WriteString(roffEscape(leaf.Help) + "\n")
		for _, arg := range leaf.Positional {
			line(".TP")
			line(".I", "<"+arg.Name+">")
			b.WriteString(roffEscape(arg.Help) + "\n")
		}
		manualFlags(&b, leaf.Flags)
		if example := leaf.Tag.Get("example"); example != "" {
			line(".PP")
			line(".EX")
			b.WriteString(roffEscape(example) + "\n")
			line(".EE")
		}
	}
	line(".SH", "EXIT STATUS")
	for _, code := range []struct {
		n    int
		help string
	}{
		{exitOK, "Done, or yes."},
		{exitFailed, "It failed, or no: health, doctor, check, app why and app check answer with it. Standard error says why and what to do."},
		{exitUsage, "The command line is invalid; nothing was changed."},
	} {
		line(".TP")
		line(".B", fmt.Sprint(code.n))
		b.WriteString(roffEscape(code.help) + "\n")
	}
	line(".SH", "JSON")
	b.WriteString(roffEscape("--json prints one object, or one a line where a list is printed. Fields are added, and never renamed; "+
		"docs/commands.md has all of them.") + "\n")
	return b.String()
}

// summary is a command with its arguments, without the flags.
func summary(leaf *kong.Node) string {
	words := []string{strings.TrimPrefix(leaf.FullPath(), "gatehouse ")}
	for _, arg := range leaf.Positional {
		words = append(words, arg.Summary())
	}
	return strings.Join(words, " ")
}

// manualFlags writes flags with their help, defaults and variables.
func manualFlags(b *strings.Builder, flags []*kong.Flag) {
	for _, flag := range flags {
		if flag.Hidden {
			continue
		}
		b.WriteString(".TP\n.B " + roffQuote(flag.String()) + "\n" + roffEscape(flag.Help) + "\n")
		if flag.HasDefault && flag.Default != "" {
			b.WriteString("Default: " + roffEscape(flag.Default) + ".\n")
		}
		for _, name := range flag.Envs {
			b.WriteString("In the environment: " + roffEscape(name) + ".\n")
		}
	}
}

// roffEscape writes text so that nothing in it is a request to the formatter.
func roffEscape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(text)
	var b strings.Builder
	for _, r := range text {
		if r > unicode.MaxASCII {
			fmt.Fprintf(&b, `\[u%04X]`, r)
		} else {
			b.WriteRune(r)
		}
	}
	text = b.String()
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// roffQuote is escaped, for one argument of a macro.
func roffQuote(word string) string {
	return `"` + strings.ReplaceAll(roffEscape(word), `"`, `\(dq`) + `"`
}

func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }
