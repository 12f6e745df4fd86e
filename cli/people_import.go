package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"gatehouse/db"
	"gatehouse/db/files"
	"gatehouse/roster"
	"gatehouse/typed"

	"golang.org/x/term"
)

type peopleCommands struct {
	Import peopleImport `cmd:"" help:"Add many people from a table (CSV), Authelia's users_database.yml or an htpasswd: all of them or none. It shows first what it would do. Who is there already is left alone." example:"gatehouse people import people.csv --links links.csv --base-url https://portal.example.org"`
	Export peopleExport `cmd:"" help:"Print everybody as a table (CSV) that import reads, without passwords." example:"gatehouse people export > people.csv"`
}

type peopleImport struct {
	File string `arg:"" help:"The file; - for standard input."`

	Format  string `help:"csv, authelia or htpasswd, where the file's name and its beginning do not tell." enum:"auto,csv,authelia,htpasswd" default:"auto" placeholder:"FORMAT"`
	Domain  string `help:"Makes addresses of user names without one, as in an htpasswd: ada is ada@DOMAIN." placeholder:"DOMAIN"`
	Admins  bool   `help:"Let the file make administrators. Without it a row with such a role is refused."`
	Yes     bool   `help:"Do it without asking, for scripts."`
	Preview bool   `help:"Only show what it would do."`

	CreateGroups bool     `name:"create-groups" help:"Make the groups that are missing."`
	MapGroup     []string `name:"map-group" sep:"none" help:"Another name for a group of the file; nothing after the = leaves it out. Repeat it for several." placeholder:"NAME=OTHER"`

	Invite  string `help:"How those are invited whose password is not taken over: mail, or later from their pages. See --links." enum:",mail,later" default:"" placeholder:"mail|later"`
	Links   string `help:"Write the links of those who are invited into this new file (CSV), for its owner alone." placeholder:"FILE" type:"path"`
	BaseURL string `name:"base-url" help:"What the links of --links begin with, e.g. https://portal.example.org." env:"GATEHOUSE_BASE_URL" placeholder:"URL"`
}

// Run shows what would be done, asks, and does it.
func (c *peopleImport) Run(env *commandEnv) error {
	options, err := c.check()
	if err != nil {
		return err
	}
	text, err := env.readPeople(c.File)
	if err != nil {
		return err
	}
	format := roster.Format(c.Format)
	if c.Format == "auto" {
		format = roster.Detect(c.File, text)
	}
	file := roster.Read(format, text, options)
	return env.withStore(func(store *db.Store) error { return c.importPeople(env, store, file) })
}

// check refuses what cannot go together, before anything is read.
func (c *peopleImport) check() (roster.Options, error) {
	o := roster.Options{Domain: strings.TrimPrefix(c.Domain, "@"), Admins: c.Admins, Groups: map[string]string{}}
	for _, pair := range c.MapGroup {
		name, other, ok := strings.Cut(pair, "=")
		if !ok {
			return o, usageError("--map-group takes NAME=OTHER, or NAME= to leave a group out")
		}
		o.Groups[strings.TrimSpace(name)] = other
	}
	switch {
	case c.Yes && c.Preview:
		return o, usageError("--preview only looks, --yes does it: choose one")
	case c.Invite != "" && c.Links != "":
		return o, usageError("--links writes the links into a file in place of --invite: choose one")
	case c.File == "-" && !c.Yes && !c.Preview:
		return o, usageError("with - nobody can be asked: add --preview or --yes")
	}
	if c.Links == "" {
		return o, nil
	}
	if _, err := linkBase(c.BaseURL); err != nil {
		return o, err
	}
	return o, requireNoFile(c.Links)
}

// requireNoFile refuses a name that is taken.
func requireNoFile(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fmt.Errorf("%s exists already; choose another name", path))
	}
	return nil
}

// readPeople reads a file with people, or standard input. A byte more than is allowed is
// enough to tell.
func (env *commandEnv) readPeople(path string) (string, error) {
	from := io.Reader(env.Stdin)
	if path != "-" {
		f, err := os.Open(path) //nolint:gosec // whoever runs the command names it
		if err != nil {
			return "", fmt.Errorf("cannot read the file: %w", err)
		}
		defer f.Close()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, roster.MaxSize+1))
	if err != nil {
		return "", fmt.Errorf("cannot read the file: %w", err)
	}
	return string(text), nil
}

// importPeople shows the plan, and carries it out once that is confirmed.
func (c *peopleImport) importPeople(env *commandEnv, store *db.Store, file roster.File) error {
	o := db.ImportOptions{CreateGroups: c.CreateGroups, MailLinks: c.Invite == "mail"}
	plan, err := store.PlanImport(env.ctx, withoutFaults(file), o)
	if err != nil {
		return importError(err)
	}
	faults := slices.Concat(file.Faults, plan.Faults)
	roster.SortFaults(faults)
	c.show(env, file, plan, len(faults) > 0)
	if len(faults) > 0 {
		return refuseFaults(env, c.File, faults)
	}
	if len(plan.New) == 0 || c.Preview {
		return nil
	}
	if n := plan.Invited(); n > 0 && c.Invite == "" && c.Links == "" {
		return usageError(countPeople(n) + " without a link could not sign in: add --links FILE --base-url URL for a file " +
			"with the links, --invite mail, or --invite later to do it from their pages")
	}
	if err := c.confirm(env, len(plan.New)); err != nil {
		return err
	}
	if plan, err = c.carryOut(env, store, file.People, o); err != nil {
		if refused, ok := errors.AsType[db.ImportError](err); ok { // somebody was quicker
			return refuseFaults(env, c.File, refused.Faults)
		}
		return importError(err)
	}
	c.report(env, plan)
	return nil
}

// withoutFaults are the people of the lines in which nothing is wrong.
func withoutFaults(file roster.File) []roster.Person {
	wrong := map[int]bool{}
	for _, f := range file.Faults {
		wrong[f.Line] = true
	}
	var right []roster.Person
	for _, p := range file.People {
		if !wrong[p.Line] {
			right = append(right, p)
		}
	}
	return right
}

// confirm asks at a terminal. A script says --yes.
func (c *peopleImport) confirm(env *commandEnv, n int) error {
	if c.Yes {
		return nil
	}
	if !term.IsTerminal(int(env.Stdin.Fd())) {
		return usageError("nothing was written: add --yes to do it, or --preview to only look")
	}
	fmt.Fprintf(env.Stderr, "Add %s now? (y/N) ", countPeople(n))
	answer, err := readLine(env.Stdin)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return errors.New("nothing was written")
	}
	return nil
}

// carryOut imports the people. The file of links is whole before anything is committed: links
// that nobody has would be worth nothing, and a file without people does no harm.
func (c *peopleImport) carryOut(env *commandEnv, store *db.Store, people []roster.Person,
	o db.ImportOptions) (plan db.ImportPlan, err error) {
	if c.Links != "" {
		base, err := linkBase(c.BaseURL)
		if err != nil {
			return plan, err
		}
		f, err := files.Create(c.Links)
		if err != nil {
			return plan, fmt.Errorf("cannot make the file for the links: %w", err)
		}
		defer f.Close()
		until := env.now().Add(db.LinkTTL).UTC().Format("2006-01-02T15:04:05Z")
		o.WriteLinks = func(all []db.Invitation) error { return writeLinks(f, base, until, all) }
		defer func() {
			if err != nil && !db.IsUnknown(err) {
				_ = os.Remove(c.Links)
			}
		}()
	}
	err = env.withProgress(func(ctx context.Context) (err error) {
		plan, err = store.ImportPeople(ctx, people, o, env.actor(), env.now())
		return err
	})
	return plan, err
}

// writeLinks writes the table of links; whatever the file held goes.
func writeLinks(f *os.File, base, until string, all []db.Invitation) error {
	var b strings.Builder
	b.WriteString(typed.TableMark + typed.TableRow("name", "email", "link", "works_until"))
	for _, one := range all {
		b.WriteString(typed.TableRow(one.Name, one.Email, base+"/welcome/"+one.Token, until))
	}
	err := f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(b.String()), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("writing the links: %w", err)
	}
	return nil
}
