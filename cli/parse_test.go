package cli

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

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
		"user":                            "expected one of add, list",
		"user add a@b":                    "missing flags: --name=NAME",
		"user add":                        "expected <email>",
		"user add a@b --name A --role x":  "--role must be one of member,",
		"user set-role a@b x":             "<role> must be one of member,",
		"policy set --admins x":           "--admins must be one of on,off",
		"backup":                          "expected <file>",
		"backup a b":                      "unexpected argument b",
		"usr":                             "unexpected argument usr",
		"--foo":                           "unknown flag --foo",
		"--session-idle x":                "--session-idle: expected duration",
	} {
		got, err := parse(new(commands), Process{Args: strings.Fields(line)})
		if said := fmt.Sprintf("%T %v", got, err); !strings.Contains(said, want) || (err == nil) != strings.HasPrefix(want, "*") {
			t.Errorf("gatehouse %s: got %s; want %s", line, said, want)
		}
	}
}

func TestParseReadsTheEnvironment(t *testing.T) {
	t.Setenv("GATEHOUSE_DATA", "there")
	t.Setenv("GATEHOUSE_TRUSTED_PROXY", "127.0.0.1/32,::1/128")
	t.Setenv("GATEHOUSE_LOG_FORMAT", "text")
	var all commands
	if _, err := parse(&all, Process{Args: []string{"--log-format", "json"}}); err != nil {
		t.Fatal(err)
	}
	if all.Data != "there" || len(all.Serve.TrustedProxy) != 2 || all.Serve.LogFormat != "json" || all.Serve.Workspace != "Workspace" {
		t.Errorf("got %+v", all)
	}
	t.Setenv("GATEHOUSE_LOG_FORMAT", "x")
	if _, err := parse(new(commands), Process{}); err == nil || !strings.Contains(err.Error(), "--log-format must be one of") {
		t.Errorf("a wrong value from the environment gave %v", err)
	}
}

// TestAnEmptyVariableIsUnset gives every flag of every command an empty variable, as
// compose files and unit files do: the defaults stand.
func TestAnEmptyVariableIsUnset(t *testing.T) {
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
		var all commands
		if _, err := parse(&all, Process{}); err != nil {
			t.Errorf("%q: %v", empty, err)
		} else if !reflect.DeepEqual(all, plain) {
			t.Errorf("%q: got %+v; want %+v", empty, all, plain)
		}
		if named < 15 {
			t.Errorf("only %d variables", named)
		}
	}
}

func TestAQuotedVariable(t *testing.T) {
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
		var all commands
		if _, err := parse(&all, Process{}); err != nil || all.Serve.Workspace != want {
			t.Errorf("%s: got %q, %v; want %q", given, all.Serve.Workspace, err, want)
		}
	}
	t.Setenv("GATEHOUSE_SESSION_IDLE", "an hour")
	if _, err := parse(new(commands), Process{}); err == nil || !strings.Contains(err.Error(), "GATEHOUSE_SESSION_IDLE") {
		t.Errorf("a wrong value gave %v; want the variable's name in it", err)
	}
}

func TestHelp(t *testing.T) {
	var said bytes.Buffer
	if got, err := parse(new(commands), Process{Args: []string{"user", "add", "--help"}, Stdout: &said}); got != nil || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if !strings.HasPrefix(said.String(), "Usage: gatehouse user add --name=NAME <email>") {
		t.Errorf("got %s", said.String())
	}
}

func TestEveryCommandRuns(t *testing.T) {
	parser, err := kong.New(new(commands), kong.Vars{"acme_directory": letsEncrypt})
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(false) {
		if _, runs := leaf.Target.Addr().Interface().(command); !runs {
			t.Errorf("gatehouse %s has no Run", leaf.Path())
		}
	}
}
