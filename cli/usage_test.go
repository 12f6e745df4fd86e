package cli

import (
	"os"
	"strings"
	"testing"
)

// TestWrongUse types what a stranger types: each line is answered with what is wrong, and with
// whose help says what is right.
func TestWrongUse(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"foo":                          `there is no command "foo"; see gatehouse --help`,
		"user":                         "say what to do: add, list, invite,",
		"user foo":                     `there is no command "foo"; see gatehouse user --help`,
		"user ad":                      `there is no command "ad", did you mean "add"?; see gatehouse user --help`,
		"user add":                     "missing flags: --name=NAME; see gatehouse user add --help",
		"user add --name Ada":          "<email> is missing; see gatehouse user add --help",
		"user add a@b.org --name":      "--name needs a value; see gatehouse user add --help",
		"user list --jsn":              `unknown flag --jsn, did you mean "--json"?; see gatehouse user list --help`,
		"user set-role a b":            "<role> must be one of",
		"backup one two":               `"two" is one word too many; see gatehouse backup --help`,
		"serve more":                   `"more" is one word too many; see gatehouse serve --help`,
		"app check Wiki --wait long":   `--wait takes a time, e.g. 90s, 15m or 1h, and not "long"; see gatehouse app check --help`,
		"app show Wiki --nginx --json": "can't be used together",
		"help nonsense":                `there is no command "nonsense"; see gatehouse --help`,
		"activity prune":               "missing flags: --before=DATE",
	} {
		code, out, errs := ask(t, strings.Fields(line)...)
		if code != exitUsage || out != "" || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: %d %q %q; want %q", line, code, out, errs, want)
		}
	}
}

// TestHelpCommand prints the help of what is named, and the way to a workspace that serves.
func TestHelpCommand(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"help":          "Usage: gatehouse <command>",
		"help user":     "Usage: gatehouse user <command>",
		"help user add": "Usage: gatehouse user add",
		"help deploy":   "gatehouse doctor",
		"--version":     "gatehouse " + Version,
	} {
		if code, out, errs := ask(t, strings.Fields(line)...); code != exitOK || errs != "" || !strings.Contains(out, want) {
			t.Errorf("%s: %d %q %q", line, code, out, errs)
		}
	}
}

// TestEveryCommandHasAnExample demands one below the help of each.
func TestEveryCommandHasAnExample(t *testing.T) {
	t.Parallel()
	for _, leaf := range leaves(t) {
		if leaf.Tag.Get("example") == "" {
			t.Errorf("gatehouse %s has no example", leaf.Path())
		}
	}
}

// TestOutputThatNobodyReads closes the reader of a list, as head does: the program ends, and does
// not panic.
func TestOutputThatNobodyReads(t *testing.T) {
	t.Parallel()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	for _, args := range [][]string{{"man"}, {"help", "deploy"}, {"version", "--json"}, {"completion", "bash"}} {
		var errs strings.Builder
		code := Run(t.Context(), Process{Args: args, Stdout: write, Stderr: &errs})
		if code != exitFailed || !strings.Contains(errs.String(), "pipe") {
			t.Errorf("%v: %d %q", args, code, errs.String())
		}
	}
}

// TestPasswordOnTheCommandLine warns of one, wherever it stands, and of nothing else.
func TestPasswordOnTheCommandLine(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"version --database postgres://gatehouse:secret@127.0.0.1:1/x": true,
		"version --database=postgresql://gatehouse:secret@127.0.0.1/x": true,
		"version --database postgres://gatehouse@127.0.0.1:5432/x":     false,
		"version --data /var/lib/gatehouse":                            false,
	} {
		_, _, errs := ask(t, strings.Fields(line)...)
		if got := strings.Contains(errs, "--database-file"); got != want || strings.Contains(errs, "secret") {
			t.Errorf("%s: %q", line, errs)
		}
	}
}
