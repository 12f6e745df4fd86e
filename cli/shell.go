package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
)

type completionCommand struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish"`
}

// Run prints what the shell reads to complete commands, flags and roles.
func (c *completionCommand) Run(line *kong.Context) error {
	return (&kongcompletion.Completion{Shell: c.Shell, Code: true}).Run(line)
}

type manCommand struct{}

// Run prints the manual page.
func (manCommand) Run(line *kong.Context, s *session) error {
	_, err := io.WriteString(s.Stdout, manual(line.Model))
	return err
}

// manual writes the manual page of an application in man(7)'s macros. It has no date,
// so that one program prints one page.
func manual(app *kong.Application) string {
	var b strings.Builder
	line := func(macro string, words ...string) {
		b.WriteString(macro)
		for _, word := range words {
			b.WriteString(" " + quoted(word))
		}
		b.WriteByte('\n')
	}
	line(".TH", "GATEHOUSE", "1", "", "gatehouse "+Version, "Gatehouse")
	line(".SH", "NAME")
	b.WriteString("gatehouse \\- " + escaped(lowerFirst(app.Help)) + "\n")
	line(".SH", "SYNOPSIS")
	line(".B", "gatehouse")
	b.WriteString("[command] [flags]\n")
	line(".SH", "FLAGS OF EVERY COMMAND")
	manualFlags(&b, app.Flags)
	line(".SH", "COMMANDS")
	for _, leaf := range app.Leaves(true) {
		line(".SS", "gatehouse "+summary(leaf))
		b.WriteString(escaped(leaf.Help) + "\n")
		for _, arg := range leaf.Positional {
			line(".TP")
			line(".I", "<"+arg.Name+">")
			b.WriteString(escaped(arg.Help) + "\n")
		}
		manualFlags(&b, leaf.Flags)
		if example := leaf.Tag.Get("example"); example != "" {
			line(".PP")
			line(".EX")
			b.WriteString(escaped(example) + "\n")
			line(".EE")
		}
	}
	line(".SH", "EXIT STATUS")
	for _, code := range []struct {
		n    int
		help string
	}{
		{done, "Done."},
		{failed, "It failed; standard error says why and what to do."},
		{wrongUsage, "The command line cannot be meant."},
	} {
		line(".TP")
		line(".B", fmt.Sprint(code.n))
		b.WriteString(escaped(code.help) + "\n")
	}
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
		b.WriteString(".TP\n.B " + quoted(flag.String()) + "\n" + escaped(flag.Help) + "\n")
		if flag.HasDefault && flag.Default != "" {
			b.WriteString("Default: " + escaped(flag.Default) + ".\n")
		}
		for _, name := range flag.Envs {
			b.WriteString("In the environment: " + escaped(name) + ".\n")
		}
	}
}

// escaped writes text so that nothing in it is a request to the formatter.
func escaped(text string) string {
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

// quoted is escaped, for one argument of a macro.
func quoted(word string) string {
	return `"` + strings.ReplaceAll(escaped(word), `"`, `\(dq`) + `"`
}

func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }
