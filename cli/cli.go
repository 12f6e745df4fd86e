// Package cli holds the commands: serve, and what an administrator does on the
// machine itself.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse/cli/zones"
	"gatehouse/db"

	"golang.org/x/term"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Files are what is embedded in the program.
type Files struct {
	Schema         string
	PostgresSchema string
	Static         fs.FS
	Units          fs.FS // docs: what install writes for systemd
}

// A Process is what a command may use of its surroundings.
type Process struct {
	Args   []string
	Stdin  *os.File
	Stdout io.Writer
	Stderr io.Writer
	Files  Files
	Root   string // where the machine's own files are, / ; "" for nowhere
}

// commands is the command line, as kong reads it. An example is shown by --help.
type commands struct {
	Data    string `help:"Directory of the workspace's data, ./data unless named." default:"./data" env:"GATEHOUSE_DATA" placeholder:"DIR"`
	KeyFile string `help:"The key file, when it is not gatehouse.key in the data directory." env:"GATEHOUSE_KEY_FILE" placeholder:"FILE"`
	Zone    string `name:"time-zone" help:"Time zone of mails, of a policy's day and of this terminal, e.g. Europe/Berlin; the machine's unless named." env:"GATEHOUSE_TIME_ZONE" placeholder:"NAME"`

	databaseFlags

	Install    installCommand    `cmd:"" help:"Set the service up on this machine, as root: its key file, its settings and its units for systemd." example:"gatehouse install --base-url https://portal.example.org"`
	Serve      serveCommand      `cmd:"" default:"withargs" help:"Serve the workspace (the default)." example:"gatehouse serve --data /var/lib/gatehouse --base-url https://portal.example.org"`
	User       userCommands      `cmd:"" help:"Add people, list them, change their roles."`
	People     peopleCommands    `cmd:"" help:"Add many people from a file, and write everybody into one."`
	TwoFactor  twoFactorCommand  `cmd:"" name:"two-factor" help:"Manage people's two-factor."`
	Policy     policyCommands    `cmd:"" help:"Show or set who must use two-factor."`
	App        appCommands       `cmd:"" help:"Add apps, list them, say who may open them."`
	Proxy      proxyCommand      `cmd:"" help:"Print what makes a proxy lead to the portal. For an app see app add and app show." example:"gatehouse proxy --caddy > /etc/caddy/Caddyfile"`
	Group      groupCommands     `cmd:"" help:"Manage groups of people."`
	Activity   activityCommands  `cmd:"" help:"Manage the activity log."`
	Status     statusCommand     `cmd:"" help:"Show the database, its schema, and who serves it." example:"gatehouse status --data /var/lib/gatehouse"`
	SetupLink  setupLinkCommand  `cmd:"" name:"setup-link" help:"Make the link for the first Super-administrator anew." example:"gatehouse setup-link --base-url https://portal.example.org --data /var/lib/gatehouse"`
	Backup     backupCommand     `cmd:"" help:"Copy the database to a file, while the server runs or not." example:"gatehouse backup /backup/gatehouse-today.db --data /var/lib/gatehouse"`
	Restore    restoreCommand    `cmd:"" help:"Put a backup in the database's place, while no server runs." example:"gatehouse restore /backup/gatehouse-today.db --data /var/lib/gatehouse"`
	Migrate    migrateCommand    `cmd:"" help:"Make or upgrade the tables in a PostgreSQL database, with the role that owns them." example:"gatehouse migrate --server-role gatehouse --database-file /etc/gatehouse/owner"`
	Move       moveCommand       `cmd:"" help:"Move the workspace into another database, while no server runs." example:"gatehouse move --from /var/lib/gatehouse --to /etc/gatehouse/database"`
	Check      checkCommand      `cmd:"" help:"Check the database and open every sealed secret." example:"gatehouse check --data /var/lib/gatehouse"`
	Health     healthCommand     `cmd:"" help:"Ask whether the server is well: exit 0 or 1." example:"gatehouse health --url http://127.0.0.1:8080"`
	Doctor     doctorCommand     `cmd:"" help:"Look at the whole installation, and say for each thing what to do: exit 0 or 1." example:"gatehouse doctor"`
	Mail       mailCommands      `cmd:"" help:"Try the mail settings out."`
	Key        keyCommands       `cmd:"" help:"Manage the encryption key."`
	Completion completionCommand `cmd:"" help:"Print what a shell reads to complete commands." example:"gatehouse completion bash > /etc/bash_completion.d/gatehouse"`
	Complete   completeCommand   `cmd:"" hidden:""`
	Help       helpCommand       `cmd:"" help:"Show the help of a command, or how to deploy." example:"gatehouse help deploy"`
	Man        manCommand        `cmd:"" help:"Print the manual page." example:"gatehouse man > /usr/local/share/man/man1/gatehouse.1"`
	Version    versionCommand    `cmd:"" help:"Print the version." example:"gatehouse version"`
}

// commandEnv is what every command runs with.
type commandEnv struct {
	Process
	ctx   context.Context
	flags *commands
	now   func() time.Time
}

// Run runs one command and returns its exit code.
func Run(ctx context.Context, p Process) (code int) {
	defer func() {
		switch fault := recover().(type) {
		case nil:
		case exit:
			code = int(fault)
		default:
			panic(fault)
		}
	}()
	var flags commands
	line, err := parse(&flags, p)
	if err != nil {
		fmt.Fprintln(p.Stderr, "gatehouse:", usageText(p.Args, err))
		return exitUsage
	}
	env := &commandEnv{
		Process: p,
		ctx:     ctx,
		flags:   &flags,
		now:     time.Now,
	}
	if showsPassword(p.Args) {
		fmt.Fprintln(p.Stderr, "gatehouse: other users of this machine can read the password on this command line: "+
			"write the address into a file, and name it with --database-file")
	}
	if _, err = env.zone(); err == nil {
		err = line.Run(env)
	}
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintln(p.Stderr, "gatehouse:", err)
		return exitUsage
	}
	fmt.Fprintln(p.Stderr, "gatehouse:", env.withAdvice(err))
	return exitFailed
}

// A usageError reports an invalid command line.
type usageError string

func (e usageError) Error() string { return string(e) }

// zone is the time zone of mails, of a policy's day and of the terminal.
func (env *commandEnv) zone() (*time.Location, error) {
	name := env.flags.Zone
	if name == "" {
		return time.Local, nil
	}
	zone, err := zones.Load(name)
	if err != nil || name == "Local" {
		return nil, usageError("--time-zone takes the name of a time zone, e.g. Europe/Berlin or UTC")
	}
	return zone, nil
}

// defaultWorkspace is the name that a workspace gets when none is given.
const defaultWorkspace = "Workspace"

// hasWorkspace reports whether the data directory, or the database, holds a workspace.
func (env *commandEnv) hasWorkspace() (bool, error) {
	if env.isOnServer() {
		o, err := env.options()
		if err != nil {
			return false, err
		}
		return db.HasWorkspace(env.ctx, o)
	}
	_, err := os.Stat(filepath.Join(env.flags.Data, db.FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot look into the data directory: %w", err)
	}
	return true, nil
}

// requireWorkspace refuses a data directory that holds no workspace: it may be
// mistyped, or its disk not mounted.
func (env *commandEnv) requireWorkspace(orElse string) error {
	has, err := env.hasWorkspace()
	if err == nil && !has && env.isOnServer() {
		return fmt.Errorf("there is no workspace in the database; name the right one with --database, %s", orElse)
	}
	if err == nil && !has {
		err = fmt.Errorf("there is no workspace in %s; name its directory with --data, %s", env.flags.Data, orElse)
	}
	return err
}

// confirmNewWorkspace asks at a terminal whether a workspace is to be made in the data
// directory, which holds none. A script is not asked.
func (env *commandEnv) confirmNewWorkspace() error {
	if !term.IsTerminal(int(env.Stdin.Fd())) {
		return nil
	}
	fmt.Fprintf(env.Stderr, "There is no workspace in %s. Make a new one there? (y/N) ", env.dataName())
	answer, err := readLine(env.Stdin)
	if err != nil && !errors.Is(err, io.EOF) { // which is no answer, hence no
		return fmt.Errorf("reading the answer: %w", err)
	}
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return env.requireWorkspace("or answer y to make one there")
	}
	return nil
}

// dataName is where the workspace is, in words.
func (env *commandEnv) dataName() string {
	if env.isOnServer() {
		return "the database"
	}
	return env.flags.Data
}

// readLine reads one line and nothing after it: what follows may be a password.
func readLine(from io.Reader) (string, error) {
	var line []byte
	for one := make([]byte, 1); ; line = append(line, one[0]) {
		if _, err := io.ReadFull(from, one); err != nil {
			return "", err
		}
		if one[0] == '\n' {
			return string(line), nil
		}
	}
}

// openStore opens the workspace for a command beside a server that may be running.
func (env *commandEnv) openStore() (*db.Store, error) { return env.openOrMake(false) }

// openOrMake is openStore for a command that may make a workspace, and on a server its key.
func (env *commandEnv) openOrMake(newWorkspace bool) (*db.Store, error) {
	if err := env.prepareData(); err != nil {
		return nil, err
	}
	o, err := env.options()
	if err != nil {
		return nil, err
	}
	o.NewWorkspace = newWorkspace
	return db.Open(env.ctx, o)
}

// withStore opens the workspace, runs do, and closes it again.
func (env *commandEnv) withStore(do func(*db.Store) error) error {
	if err := env.requireWorkspace("or start the server there to make one"); err != nil {
		return err
	}
	store, err := env.openStore()
	if err != nil {
		return err
	}
	return errors.Join(do(store), store.Close())
}

// findPerson finds somebody by e-mail; the error says where to look.
func (env *commandEnv) findPerson(store *db.Store, email string) (db.Person, error) {
	p, err := store.PersonByEmail(env.ctx, email)
	if errors.Is(err, db.ErrNotFound) {
		return p, fmt.Errorf("nobody has the e-mail address %s; see gatehouse user list", email)
	}
	return p, err
}

// actor is the author of changes made here: the operating system's user.
func (env *commandEnv) actor() db.Actor {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return db.Machine(name)
}
