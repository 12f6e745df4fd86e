package cli

import (
	"bytes"
	"fmt"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/alecthomas/kong"
)

func TestParse(t *testing.T) {
	for line, want := range map[string]string{
		"":                                "*cli.serveCommand",
		"--data x --listen :1":            "*cli.serveCommand",
		"serve --log-format json":         "*cli.serveCommand",
		"user add a@b --name A --data x":  "*cli.userAdd",
		"--data x user set-role a member": "*cli.userSetRole",
		"policy set --everyone on":        "*cli.policySet",
		"version":                         "*cli.versionCommand",
		"user":                            `expected one of "add", "list"`,
		"user add a@b":                    "missing flags: --name=NAME",
		"user add --name A":               `expected "<email>"`,
		"user add a@b --name A --role x":  `--role must be one of "member",`,
		"user set-role a@b x":             `<role> must be one of "member",`,
		"serve --log-format x":            `--log-format must be one of "auto","text","json"`,
		"backup a b":                      "unexpected argument b",
		"usr":                             "unexpected argument usr",
		"--foo":                           "unknown flag --foo",
		"--session-idle x":                "--session-idle: expected duration",
	} {
		var got any
		parsed, err := parse(new(commands), Process{Args: strings.Fields(line)})
		if err == nil {
			got = parsed.Selected().Target.Addr().Interface()
		}
		if output := fmt.Sprintf("%T %v", got, err); !strings.Contains(output, want) ||
			(err == nil) != strings.HasPrefix(want, "*") {
			t.Errorf("gatehouse %s: got %s; want %s", line, output, want)
		}
	}
}

func TestParseReadsTheEnvironment(t *testing.T) {
	t.Setenv("GATEHOUSE_DATA", "there")
	t.Setenv("GATEHOUSE_TRUSTED_PROXY", "127.0.0.1/32,::1/128")
	t.Setenv("GATEHOUSE_LOG_FORMAT", "text")
	var flags commands
	if _, err := parse(&flags, Process{Args: []string{"--log-format", "json"}}); err != nil {
		t.Fatal(err)
	}
	if flags.Data != "there" || len(flags.Serve.TrustedProxy) != 2 || flags.Serve.LogFormat != "json" ||
		flags.Serve.Workspace != "" {
		t.Errorf("got %+v", flags)
	}
	t.Setenv("GATEHOUSE_LOG_FORMAT", "x")
	if _, err := parse(new(commands), Process{}); err == nil ||
		!strings.Contains(err.Error(), "--log-format: must be one of auto,text,json") ||
		!strings.Contains(err.Error(), "GATEHOUSE_LOG_FORMAT") {
		t.Errorf("a wrong value from the environment gave %v", err)
	}
}

// TestEmptyVariablesAreUnset gives every flag of every command an empty variable, as
// compose files and unit files do: the defaults stand.
func TestEmptyVariablesAreUnset(t *testing.T) {
	var plain commands
	if _, err := parse(&plain, Process{}); err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(new(commands), kong.Vars{"acme_directory": letsEncrypt})
	if err != nil {
		t.Fatal(err)
	}
	for _, empty := range []string{"", `""`, "''", "  "} {
		named := 0
		for _, leaf := range parser.Model.Leaves(false) {
			for _, group := range leaf.AllFlags(false) {
				for _, flag := range group {
					for _, name := range flag.Envs {
						t.Setenv(name, empty)
						named++
					}
				}
			}
		}
		var flags commands
		if _, err := parse(&flags, Process{}); err != nil {
			t.Errorf("%q: %v", empty, err)
		} else if !reflect.DeepEqual(flags, plain) {
			t.Errorf("%q: got %+v; want %+v", empty, flags, plain)
		}
		if named < 15 {
			t.Errorf("only %d variables", named)
		}
	}
}

func TestQuotedVariables(t *testing.T) {
	for given, want := range map[string]string{
		`"Acme"`:          "Acme",
		`'Acme & Söhne'`:  "Acme & Söhne",
		` Acme `:          "Acme",
		`"Acme" and "Co"`: `"Acme" and "Co"`,
		`Acme "North"`:    `Acme "North"`,
		`"`:               `"`,
		`"Acme's"`:        "Acme's",
	} {
		t.Setenv("GATEHOUSE_WORKSPACE", given)
		var flags commands
		if _, err := parse(&flags, Process{}); err != nil || flags.Serve.Workspace != want {
			t.Errorf("%s: got %q, %v; want %q", given, flags.Serve.Workspace, err, want)
		}
	}
	t.Setenv("GATEHOUSE_SESSION_IDLE", "an hour")
	if _, err := parse(new(commands), Process{}); err == nil ||
		!strings.Contains(err.Error(), "GATEHOUSE_SESSION_IDLE") {
		t.Errorf("a wrong value gave %v; want the variable's name in it", err)
	}
}

// ask runs a command line that looks at no workspace.
func ask(t *testing.T, args ...string) (code int, out, errors string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Run(t.Context(), Process{Args: args, Stdout: &stdout, Stderr: &stderr})
	return code, stdout.String(), stderr.String()
}

func TestHelp(t *testing.T) {
	code, out, errors := ask(t, "user", "add", "--help")
	if code != exitOK || errors != "" {
		t.Errorf("got %d, %s", code, errors)
	}
	for _, want := range []string{"Usage: gatehouse user add --name=NAME <email>",
		"Example:\n\n    gatehouse user add ada@example.org"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

// leaves returns every command that people run.
func leaves(t *testing.T) []*kong.Node {
	t.Helper()
	parser, err := newParser(new(commands), Process{})
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model.Leaves(true)
}

func TestEveryCommandRuns(t *testing.T) {
	for _, leaf := range leaves(t) {
		if !leaf.Target.Addr().MethodByName("Run").IsValid() {
			t.Errorf("gatehouse %s has no Run", leaf.Path())
		}
	}
}

// TestExamplesParse parses the example of each command, and demands that it is of
// that command.
func TestExamplesParse(t *testing.T) {
	examples := 0
	for _, leaf := range leaves(t) {
		example := leaf.Tag.Get("example")
		if example == "" {
			continue
		}
		examples++
		line, _, _ := strings.Cut(strings.ReplaceAll(example, "'Ada Lovelace'", "Ada"), " > ")
		line, _, _ = strings.Cut(line, " < ")
		parsed, err := parse(new(commands), Process{Args: strings.Fields(line)[1:]})
		if err != nil {
			t.Errorf("%s: %v", example, err)
		} else if got := parsed.Selected().FullPath(); got != leaf.FullPath() {
			t.Errorf("%s is an example of %s", example, got)
		}
	}
	if examples < 5 {
		t.Errorf("only %d examples", examples)
	}
}

// completions are what is typed, with the place of the word as the last, and what may
// stand there.
var completions = map[string]string{
	"po":                               "policy",
	"comp":                             "completion", // not the command that the scripts ask
	"two-factor ":                      "reset status",
	"user set-":                        "set-password set-role set-user-name",
	"user set-role a@b adm":            "administrator",
	"user set-role a@b ":               "administrator it-administrator member super-administrator",
	"user set-role a@b member ":        "",
	"user set-role ":                   "",
	"user add a@b --role it":           "it-administrator",
	"user add --role it":               "it-administrator",
	"user add --name user --ro":        "--role",
	"user add --role=it":               "--role=it-administrator",
	"--data user user set-role a@b su": "super-administrator",
	"serve --session":                  "--session-idle --session-max",
	"--session":                        "--session-idle --session-max",
	"serve --log-format ":              "auto json text",
	"serve --data ":                    "",
	"backup --ke":                      "--key-file",
	"completion ":                      "bash fish zsh",
}

func TestCompleting(t *testing.T) {
	for typed, want := range completions {
		code, out, errors := ask(t, append([]string{"complete", "--"}, strings.Split(typed, " ")...)...)
		var words []string
		for line := range strings.Lines(out) {
			word, _, _ := strings.Cut(line, "\t")
			words = append(words, word)
		}
		slices.Sort(words)
		if got := strings.Join(words, " "); code != exitOK || errors != "" || got != want {
			t.Errorf("%s: got %d, %q %s; want %q", typed, code, got, errors, want)
		}
	}
}

// TestManual demands every command, flag and variable of the manual page, and that
// nothing in the sentences is a request to the formatter.
func TestManual(t *testing.T) {
	code, out, errors := ask(t, "man")
	if code != exitOK || errors != "" {
		t.Fatalf("got %d, %s", code, errors)
	}
	for _, leaf := range leaves(t) {
		if want := ".SS " + roffQuote("gatehouse "+summary(leaf)); !strings.Contains(out, want) {
			t.Errorf("%s is missing", want)
		}
		for _, flag := range leaf.Flags {
			for _, want := range append([]string{flag.String()}, flag.Envs...) {
				if !strings.Contains(out, roffEscape(want)) {
					t.Errorf("%s of %s is missing", want, leaf.FullPath())
				}
			}
		}
	}
	for line := range strings.Lines(out) {
		macro, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(line, "'") ||
			strings.HasPrefix(line, ".") &&
				!slices.Contains([]string{".TH", ".SH", ".SS", ".TP", ".B", ".I", ".PP", ".EX", ".EE"}, macro) {
			t.Errorf("the formatter would obey %s", line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r > unicode.MaxASCII }) {
			t.Errorf("man cannot read %s", line)
		}
	}
	if groff, err := exec.LookPath("groff"); err == nil {
		check := exec.Command(groff, "-man", "-ww", "-z")
		check.Stdin = strings.NewReader(out)
		if said, err := check.CombinedOutput(); err != nil || len(said) > 0 {
			t.Errorf("groff: %v %s", err, said)
		}
	}
}

func TestEscaped(t *testing.T) {
	for text, want := range map[string]string{
		".so /etc/passwd": `\&.so /etc/passwd`,
		"'tis":            `\&'tis`,
		`a\b`:             `a\eb`,
		"--tls-…":         `\-\-tls\-\[u2026]`,
	} {
		if got := roffEscape(text); got != want {
			t.Errorf("%s: got %s; want %s", text, got, want)
		}
	}
}
