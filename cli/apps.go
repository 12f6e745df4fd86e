package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/views"
)

type appCommands struct {
	Add    appAdd    `cmd:"" help:"Add an app that people open from My portal." example:"gatehouse app add Grafana https://grafana.example.org --guard --everyone"`
	List   appList   `cmd:"" help:"List the apps." example:"gatehouse app list --json"`
	Show   appShow   `cmd:"" help:"Show an app." example:"gatehouse app show Grafana --nginx"`
	Set    appSet    `cmd:"" help:"Change an app: what is named replaces what was set." example:"gatehouse app set Grafana --no-everyone --group ops --fresh 15m"`
	Pause  appPause  `cmd:"" help:"Close an app for everybody, until it is resumed." example:"gatehouse app pause Grafana"`
	Resume appResume `cmd:"" help:"Open a paused app again." example:"gatehouse app resume Grafana"`
	Remove appRemove `cmd:"" help:"Remove an app for good. To close it only for now, pause it." example:"gatehouse app remove Grafana --yes"`
	Secret appSecret `cmd:"" help:"Make another secret for a connected app. The one before works until the next is made." example:"gatehouse app secret Grafana"`
	Keys   appKeys   `cmd:"" help:"Manage the keys that sign what connected apps are told."`
	Check  appCheck  `cmd:"" help:"Say what an app's proxy asks, and what is wrong with it: exit 0 or 1. It takes up to a minute, in which somebody opens the app." example:"gatehouse app check Grafana"`
	Why    appWhy    `cmd:"" help:"Say why somebody may open an app, or not: exit 0 or 1." example:"gatehouse app why Grafana ada@example.org"`
}

// An accessFlags says who may open an app. A list that is named replaces what was set.
type accessFlags struct {
	Everyone   *bool          `help:"Everyone in the workspace may open it." negatable:""`
	Role       []string       `help:"Whoever has this role may open it. Repeat it for several." placeholder:"ROLE"`
	Group      []string       `help:"Whoever is in this group may open it. Repeat it for several." placeholder:"GROUP"`
	Person     []string       `help:"This person may open it. Repeat it for several." placeholder:"EMAIL"`
	SecondStep *bool          `name:"second-step" help:"Nobody opens it without two-factor, even where the policy asks nobody." negatable:""`
	Fresh      *time.Duration `help:"Ask for the password again when it was given longer ago, e.g. 15m; 0 for never." placeholder:"TIME"`
}

// A guardFlags says how an app is guarded. A list that is named replaces what was set.
type guardFlags struct {
	Guard       *bool    `help:"A proxy asks Gatehouse before each request." negatable:""`
	Public      []string `help:"A path that needs no sign-in; all below it, if it ends in /. Repeat it for several." placeholder:"PATH"`
	OtherOrigin []string `name:"other-origin" help:"Another origin whose pages may send it forms and open WebSockets. Repeat it for several." placeholder:"URL"`
	RemoteUser  string   `name:"remote-user" help:"What Remote-User says: user-name or e-mail." enum:",user-name,e-mail" default:"" placeholder:"WHAT"`
}

// A factFlags says what an app is called and where it is found.
type factFlags struct {
	Mark    string `help:"One or two letters that stand for it." placeholder:"LETTERS"`
	Icon    string `help:"A square PNG or SVG of at most 48 KiB." type:"existingfile" placeholder:"FILE"`
	BaseURL string `name:"base-url" help:"How browsers reach the portal, whose host name no app may have." env:"GATEHOUSE_BASE_URL" placeholder:"URL"`
}

// notEmpty drops the empty texts of a list: --role "" takes all roles away.
func notEmpty(list []string) []string {
	var out []string
	for _, text := range list {
		if strings.TrimSpace(text) != "" {
			out = append(out, text)
		}
	}
	return out
}

// freshMinutes words a duration as the form does.
func freshMinutes(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Minute-1)/time.Minute), 10)
}

// onto puts the flags that are given onto an access.
func (f accessFlags) onto(a db.AppAccess) db.AppAccess {
	if f.Everyone != nil {
		a.Everyone = *f.Everyone
	}
	if f.Role != nil {
		a.Roles = notEmpty(f.Role)
	}
	if f.Group != nil {
		a.Groups = notEmpty(f.Group)
	}
	if f.Person != nil {
		a.People = notEmpty(f.Person)
	}
	if f.SecondStep != nil {
		a.SecondStep = *f.SecondStep
	}
	if f.Fresh != nil {
		a.FreshMinutes = freshMinutes(*f.Fresh)
	}
	return a
}

// onto puts the flags that are given onto a guard.
func (f guardFlags) onto(g db.AppGuard) db.AppGuard {
	if f.Guard != nil {
		g.Guarded = *f.Guard
	}
	if f.Public != nil {
		g.Public = strings.Join(f.Public, "\n")
	}
	if f.OtherOrigin != nil {
		g.Others = strings.Join(f.OtherOrigin, "\n")
	}
	if f.RemoteUser != "" {
		g.RemoteUser = apps.RemoteUser(f.RemoteUser)
	}
	return g
}

// onto puts the flags that are given onto an app's facts.
func (f factFlags) onto(facts db.AppFacts) (db.AppFacts, error) {
	if f.Mark != "" {
		facts.Mark = f.Mark
	}
	if f.Icon != "" {
		var err error
		if facts.Icon, err = readIcon(f.Icon); err != nil {
			return facts, err
		}
	}
	if f.BaseURL != "" {
		base, err := canonicalBaseURL(f.BaseURL)
		if err != nil {
			return facts, err
		}
		facts.PortalHost = base.Hostname()
	}
	return facts, nil
}

// readIcon reads a picture, or refuses one that is too large before reading it.
func readIcon(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > apps.MaxIcon {
		return nil, account.FieldError{Field: "icon", Reason: account.TooLarge, Limit: apps.MaxIcon >> 10}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the icon: %w", err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the icon: %w", err)
	}
	if len(content) == 0 {
		return nil, account.FieldError{Field: "icon", Reason: account.NotIcon}
	}
	return content, nil
}

type appAdd struct {
	Name    string `arg:"" help:"What it is called."`
	Address string `arg:"" help:"Where browsers find it, e.g. https://grafana.example.org."`
	connectFlags
	accessFlags
	guardFlags
	factFlags
	snippetFlags
	appSnippetFlags
}

// Run adds an app. Nobody may open it where no flag says who. With the name of a proxy its
// configuration alone is printed, to be added to the proxy's own.
func (c *appAdd) Run(env *commandEnv) error {
	if c.proxy() != "" && (c.Guard == nil || !*c.Guard) {
		return usageError("a proxy's configuration is for a guarded app: add --guard")
	}
	facts, err := c.factFlags.onto(db.AppFacts{Name: c.Name, Address: c.Address})
	if err != nil {
		return err
	}
	guard := c.guardFlags.onto(db.AppGuard{})
	n := db.NewApp{
		AppFacts:   facts,
		Access:     c.accessFlags.onto(db.AppAccess{}),
		Guarded:    guard.Guarded,
		Public:     guard.Public,
		Others:     guard.Others,
		RemoteUser: guard.RemoteUser,
	}
	return env.withStore(func(store *db.Store) error {
		id, err := store.AddApp(env.ctx, n, env.actor().Author(), env.now())
		if err != nil {
			return err
		}
		a, err := store.App(env.ctx, id)
		if err != nil {
			return err
		}
		out := env.Stdout
		if c.proxy() != "" {
			out = env.Stderr
		}
		fmt.Fprintf(out, "%s is at /enter/%s on the portal. Who may open it: %s.\n", a.Name, a.Slug, a.Access)
		if c.proxy() != "" {
			if _, err := fmt.Fprint(env.Stdout, c.snippet(a, c.snippetFlags)); err != nil {
				return err
			}
		}
		return c.connectFlags.connect(env, store, a, c.BaseURL)
	})
}

// findApp finds an app by its name; the error says where to look.
func (env *commandEnv) findApp(store *db.Store, name string) (apps.App, error) {
	a, err := store.AppByName(env.ctx, name)
	if errors.Is(err, db.ErrNotFound) {
		return a, fmt.Errorf("no app is called %s; see gatehouse app list", name)
	}
	return a, err
}

// changeApp opens the workspace, finds an app, makes a change to it, and says so.
func (env *commandEnv) changeApp(name, done string, change func(store *db.Store, a apps.App, by db.Author) error) error {
	return env.withStore(func(store *db.Store) error {
		a, err := env.findApp(store, name)
		if err != nil {
			return err
		}
		if err := change(store, a, env.actor().Author()); err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, done, a.Name)
		return nil
	})
}

// appJSON is what scripts get of an app. It is a promise: fields are added, never changed.
type appJSON struct {
	Name         string   `json:"name"`
	Slug         string   `json:"slug"`
	Address      string   `json:"address"`
	Guarded      bool     `json:"guarded"`
	Connected    bool     `json:"connected"`
	Paused       bool     `json:"paused"`
	Everyone     bool     `json:"everyone"`
	Roles        []string `json:"roles,omitempty"`
	Groups       []string `json:"groups,omitempty"`
	People       []string `json:"people,omitempty"`
	SecondStep   bool     `json:"second_step"`
	FreshMinutes int      `json:"fresh_minutes,omitempty"`
	Public       []string `json:"public,omitempty"`
	OtherOrigins []string `json:"other_origins,omitempty"`
	RemoteUser   string   `json:"remote_user"`
}

func jsonOf(a apps.App) appJSON {
	out := appJSON{
		Name: a.Name, Slug: a.Slug, Address: a.Address.String(),
		Guarded: a.Guarded, Connected: a.Connected, Paused: a.Paused,
		Everyone: a.Access.Everyone, SecondStep: a.Access.SecondStep, FreshMinutes: a.Access.FreshMinutes,
		Public: a.Guard.Public, OtherOrigins: a.Guard.Others, RemoteUser: string(a.Guard.RemoteUser),
	}
	for _, role := range a.Access.Roles {
		out.Roles = append(out.Roles, string(role))
	}
	for _, group := range a.Access.Groups {
		out.Groups = append(out.Groups, group.Name)
	}
	for _, person := range a.Access.People {
		out.People = append(out.People, person.Email)
	}
	return out
}

type appList struct {
	JSON bool `name:"json" help:"One JSON object a line, for scripts."`
}

// Run lists the apps, in the order of their names.
func (c *appList) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		if c.JSON {
			enc := json.NewEncoder(env.Stdout)
			return store.EachApp(env.ctx, func(a apps.App) error { return enc.Encode(jsonOf(a)) })
		}
		w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tADDRESS\tSTATE\tWHO MAY OPEN IT")
		err := store.EachApp(env.ctx, func(a apps.App) error {
			_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", a.Name, a.Address, appState(a), a.Access)
			return err
		})
		if err != nil {
			return err
		}
		return w.Flush()
	})
}

// appState says in a word or two how an app stands.
func appState(a apps.App) string {
	var words []string
	if a.Guarded {
		words = append(words, "guarded")
	}
	if a.Connected {
		words = append(words, "connected")
	}
	if len(words) == 0 {
		words = append(words, "link only")
	}
	if a.Paused {
		words = append(words, "paused")
	}
	return strings.Join(words, ", ")
}

type appShow struct {
	Name string `arg:"" help:"The app's name."`
	JSON bool   `name:"json" help:"One JSON object, for scripts." xor:"form"`
	snippetFlags
	appSnippetFlags
}

// Run shows an app.
func (c *appShow) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		a, err := env.findApp(store, c.Name)
		if err != nil {
			return err
		}
		if c.proxy() != "" {
			_, err := fmt.Fprint(env.Stdout, c.snippet(a, c.snippetFlags))
			return err
		}
		if c.JSON {
			return json.NewEncoder(env.Stdout).Encode(jsonOf(a))
		}
		w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
		rows := [][2]string{
			{"Name:", a.Name},
			{"Address:", a.Address.String()},
			{"On the portal:", "/enter/" + a.Slug},
			{"State:", appState(a)},
			{"Who may open it:", a.Access.String()},
		}
		for _, person := range a.Access.People {
			rows = append(rows, [2]string{"Person:", person.Email})
		}
		if a.Guarded {
			rows = append(rows, [2]string{"Public paths:", orNone(a.Guard.Public)},
				[2]string{"Other origins:", orNone(a.Guard.Others)}, [2]string{"Remote-User:", string(a.Guard.RemoteUser)})
		}
		for _, row := range rows {
			if _, err := fmt.Fprintf(w, "%s\t%s\n", row[0], row[1]); err != nil {
				return err
			}
		}
		return w.Flush()
	})
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

type appSet struct {
	App     string `arg:"" name:"name" help:"The app's name."`
	Name    string `name:"name" help:"Another name." placeholder:"NAME"`
	Address string `help:"Another address." placeholder:"URL"`
	NoIcon  bool   `name:"no-icon" help:"Take the icon away."`
	accessFlags
	guardFlags
	factFlags
}

// Run changes what is named, and leaves the rest as it is.
func (c *appSet) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		a, err := env.findApp(store, c.App)
		if err != nil {
			return err
		}
		facts := db.AppFacts{Name: a.Name, Address: a.Address.String(), Mark: a.Mark, NoIcon: c.NoIcon}
		if c.Name != "" {
			facts.Name = c.Name
		}
		if c.Address != "" {
			facts.Address = c.Address
		}
		if facts, err = c.factFlags.onto(facts); err != nil {
			return err
		}
		now := jsonOf(a)
		access := c.accessFlags.onto(db.AppAccess{Everyone: now.Everyone, Roles: now.Roles, Groups: now.Groups,
			People: now.People, SecondStep: now.SecondStep, FreshMinutes: strconv.Itoa(now.FreshMinutes)})
		guard := c.guardFlags.onto(db.AppGuard{Guarded: now.Guarded, Public: strings.Join(now.Public, "\n"),
			Others: strings.Join(now.OtherOrigins, "\n"), RemoteUser: a.Guard.RemoteUser})
		if err := store.SetApp(env.ctx, a.ID, facts, access, guard, env.actor().Author(), env.now()); err != nil {
			return err
		}
		if a, err = store.App(env.ctx, a.ID); err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, "%s: %s, %s. Who may open it: %s.\n", a.Name, a.Address, appState(a), a.Access)
		return nil
	})
}

type appPause struct {
	Name string `arg:"" help:"The app's name."`
}

// Run closes an app for everybody.
func (c *appPause) Run(env *commandEnv) error {
	return env.changeApp(c.Name, "%s is paused; nobody can open it.\n",
		func(store *db.Store, a apps.App, by db.Author) error {
			return store.PauseApp(env.ctx, a.ID, true, by, env.now())
		})
}

type appResume struct {
	Name string `arg:"" help:"The app's name."`
}

// Run opens a paused app again.
func (c *appResume) Run(env *commandEnv) error {
	return env.changeApp(c.Name, "%s is open again.\n",
		func(store *db.Store, a apps.App, by db.Author) error {
			return store.PauseApp(env.ctx, a.ID, false, by, env.now())
		})
}

type appRemove struct {
	Name string `arg:"" help:"The app's name."`
	Yes  bool   `help:"Remove it without asking."`
}

// Run removes an app for good. All admins see a notice of it.
func (c *appRemove) Run(env *commandEnv) error {
	if !c.Yes {
		return usageError("this removes the app's settings and ends everybody's sessions in it; add --yes to do it, or see gatehouse app pause")
	}
	return env.changeApp(c.Name, "Removed %s. Remove it from your proxy too.\n",
		func(store *db.Store, a apps.App, by db.Author) error {
			return store.RemoveApp(env.ctx, a.ID, by, env.now())
		})
}

type appWhy struct {
	Name  string `arg:"" help:"The app's name."`
	Email string `arg:"" help:"The sign-in name."`
	JSON  bool   `name:"json" help:"One JSON object, for scripts."`
}

// whyJSON is what app why --json prints.
type whyJSON struct {
	App   string        `json:"app"`
	Email string        `json:"email"`
	May   bool          `json:"may"`
	Rules []whyRuleJSON `json:"rules"`
}

type whyRuleJSON struct {
	Met  bool   `json:"met"`
	Text string `json:"text"`
}

// Run says of each rule whether somebody meets it. It fails where they may not open the app.
func (c *appWhy) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		a, err := env.findApp(store, c.Name)
		if err != nil {
			return err
		}
		p, err := env.findPerson(store, c.Email)
		if err != nil {
			return err
		}
		person, err := store.AppPerson(env.ctx, p.ID)
		if err != nil {
			return err
		}
		w, err := store.Workspace(env.ctx)
		if err != nil {
			return err
		}
		e := a.Explain(person, w.Policy)
		if c.JSON {
			return c.printJSON(env, a, p, e)
		}
		for _, rule := range e.Rules {
			text, change := views.RuleText(rule, p.Name)
			sign := "no "
			if rule.Met {
				sign = "yes"
			} else if change != "" && (!rule.Kind.IsWay() || !e.May) {
				text += " " + change
			}
			fmt.Fprintf(env.Stdout, "%s  %s\n", sign, text)
		}
		if !e.May {
			return fmt.Errorf("%s cannot open %s", p.Name, a.Name)
		}
		fmt.Fprintf(env.Stdout, "%s.\n", views.WhyTitle(e, p.Name, a.Name))
		return nil
	})
}

// printJSON prints the same for scripts.
func (c *appWhy) printJSON(env *commandEnv, a apps.App, p db.Person, e apps.Explanation) error {
	out := whyJSON{App: a.Name, Email: p.Email, May: e.May, Rules: []whyRuleJSON{}}
	for _, rule := range e.Rules {
		text, _ := views.RuleText(rule, p.Name)
		out.Rules = append(out.Rules, whyRuleJSON{rule.Met, text})
	}
	if err := json.NewEncoder(env.Stdout).Encode(out); err != nil {
		return err
	}
	if !e.May {
		return fmt.Errorf("%s cannot open %s", p.Name, a.Name)
	}
	return nil
}
