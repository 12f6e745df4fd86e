package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/twofactor"
)

type userCommands struct {
	Add     userAdd     `cmd:"" help:"Add a person; the password comes from the terminal or standard input." example:"gatehouse user add ada@example.org --name 'Ada Lovelace' --role administrator"`
	List    userList    `cmd:"" help:"List everybody." example:"gatehouse user list --json"`
	Invite  userInvite  `cmd:"" help:"Add a person who chooses the password with a one-time link, which is mailed, or printed once where no mail server is set." example:"gatehouse user invite ada@example.org --name 'Ada Lovelace' --base-url https://portal.example.org"`
	SetRole userSetRole `cmd:"" name:"set-role" help:"Give somebody a role." example:"gatehouse user set-role ada@example.org it-administrator"`

	SetUserName userSetUserName `cmd:"" name:"set-user-name" help:"Give somebody another user name, by which apps know them." example:"gatehouse user set-user-name ada@example.org ada"`
	SetPassword userSetPassword `cmd:"" name:"set-password" help:"Set somebody's password, from the terminal or standard input." example:"gatehouse user set-password ada@example.org < password.txt"`
	Deactivate  userDeactivate  `cmd:"" help:"Stop somebody from signing in." example:"gatehouse user deactivate ada@example.org"`
	Reactivate  userReactivate  `cmd:"" help:"Let somebody sign in again." example:"gatehouse user reactivate ada@example.org"`
	Remove      userRemove      `cmd:"" help:"Remove an account for good, or take an invitation back. To end access only for now, deactivate it." example:"gatehouse user remove ada@example.org"`
	Unlock      userUnlock      `cmd:"" help:"Clear somebody's failed attempts, so that they can sign in again without waiting." example:"gatehouse user unlock ada@example.org"`
}

type userAdd struct {
	Email string `arg:"" help:"The sign-in name."`
	Name  string `help:"The display name." required:"" placeholder:"NAME"`
	Role  string `help:"member, administrator, it-administrator or super-administrator." enum:"member,administrator,it-administrator,super-administrator" default:"member" placeholder:"ROLE"`

	UserName string `name:"user-name" help:"By which apps know them; made of the address when none is given." placeholder:"NAME"`

	NewWorkspace bool `name:"new-workspace" help:"Make the workspace when the data directory holds none, without asking."`
}

// Run adds a person. Before the server's first start it makes the workspace as well,
// and says where: the directory may be mistyped, or its disk not mounted. At a terminal
// it asks first.
func (c *userAdd) Run(env *commandEnv) error {
	has, err := env.hasWorkspace()
	if err == nil && !has && !c.NewWorkspace {
		err = env.confirmNewWorkspace()
	}
	if err != nil {
		return err
	}
	password, err := env.readPassword()
	if err != nil {
		return err
	}
	n := db.NewPerson{
		Name:     c.Name,
		Email:    c.Email,
		Password: password,
		Role:     twofactor.Role(c.Role),
		UserName: c.UserName,
	}
	if !has { // a refusal makes none
		if err := n.Check(defaultWorkspace); err != nil {
			return err
		}
	}
	store, err := env.openOrMake(c.NewWorkspace)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if !has {
		fmt.Fprintf(env.Stderr, "There was no workspace in %s, so a new one was made there.\n", env.dataName())
	}
	if _, err := store.AddPerson(env.ctx, n, env.actor(), env.now()); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "%s can sign in now.\n", account.NormalizeEmail(c.Email))
	return nil
}

type userList struct {
	JSON bool `name:"json" help:"One JSON object a line, for scripts."`
}

// personJSON is one line of user list --json. Instants that never were are absent.
type personJSON struct {
	Email     string     `json:"email"`
	Name      string     `json:"name"`
	Role      string     `json:"role"`
	Active    bool       `json:"active"`
	TwoFactor bool       `json:"two_factor"`
	Since     *time.Time `json:"two_factor_since,omitempty"`
	CodesLeft int        `json:"recovery_codes_left"`
	LastIn    *time.Time `json:"last_sign_in,omitempty"`
	UserName  string     `json:"user_name"`
}

// Run lists everybody, in the order of their names.
func (c *userList) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		if c.JSON {
			enc := json.NewEncoder(env.Stdout)
			return store.EachPerson(env.ctx, func(p db.Person) error {
				return enc.Encode(personJSON{p.Email, p.Name, string(p.Role), p.Active, p.State() == twofactor.Enabled,
					optionalInstant(p.ConfirmedAt), p.CodesLeft, optionalInstant(p.LastSignInAt), p.UserName})
			})
		}
		w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "EMAIL\tNAME\tROLE\tACTIVE\tTWO-FACTOR\tLAST SIGN-IN")
		err := store.EachPerson(env.ctx, func(p db.Person) error {
			_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Email, p.Name, p.Role, yesNo(p.Active), p.State(),
				env.date(p.LastSignInAt))
			return err
		})
		if err != nil {
			return err
		}
		return w.Flush()
	})
}

type userSetRole struct {
	Email string `arg:"" help:"The sign-in name."`
	Role  string `arg:"" help:"The new role." enum:"member,administrator,it-administrator,super-administrator"`
}

// Run gives somebody a role.
func (c *userSetRole) Run(env *commandEnv) error {
	return env.changePerson(c.Email, "%s is "+c.Role+" now.\n", func(store *db.Store, id int64, by db.Author) error {
		return store.SetRole(env.ctx, id, twofactor.Role(c.Role), by, env.now())
	})
}

type userSetUserName struct {
	Email    string `arg:"" help:"The sign-in name."`
	UserName string `arg:"" name:"user-name" help:"The new user name."`
}

// Run gives somebody another user name.
func (c *userSetUserName) Run(env *commandEnv) error {
	return env.changePerson(c.Email, "%s has another user name now; apps may take them for somebody new.\n",
		func(store *db.Store, id int64, by db.Author) error {
			return store.SetUserName(env.ctx, id, c.UserName, by, env.now())
		})
}

type twoFactorCommand struct {
	Status twoFactorStatus `cmd:"" help:"Show who is enrolled, since when, and how many codes they have left." example:"gatehouse two-factor status --json"`
	Reset  twoFactorReset  `cmd:"" help:"Take somebody's second step away, for a lost phone without recovery codes." example:"gatehouse two-factor reset ada@example.org"`
}

type twoFactorReset struct {
	Email string `arg:"" help:"The sign-in name."`
}

// Run resets a factor. All admins see a notice of it.
func (c *twoFactorReset) Run(env *commandEnv) error {
	return env.changePerson(c.Email, "%s signs in with the password alone now and can set up two-factor anew.\n",
		func(store *db.Store, id int64, by db.Author) error {
			return store.ResetTwoFactor(env.ctx, id, by, env.now())
		})
}

type policyCommands struct {
	Show policyShow `cmd:"" help:"Show the two policy settings, and how long people stay signed in." example:"gatehouse policy show"`
	Set  policySet  `cmd:"" help:"Change the policy settings: the way back in when the policy locks everybody out. Or how long people stay signed in." example:"gatehouse policy set --everyone off --admins 2026-12-03"`
}

type policyShow struct {
	JSON bool `name:"json" help:"One JSON object, for scripts."`
}

// policyJSON is what policy show --json prints. A setting that turns on by itself has its
// instant in UTC.
type policyJSON struct {
	Everyone     bool       `json:"require_everyone"`
	Admins       bool       `json:"require_admins"`
	EveryoneFrom *time.Time `json:"everyone_from,omitempty"`
	AdminsFrom   *time.Time `json:"admins_from,omitempty"`
	SessionIdle  int64      `json:"session_idle_seconds,omitempty"`
	SessionMax   int64      `json:"session_max_seconds,omitempty"`
}

// Run shows the two policy settings.
func (c *policyShow) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		if !c.JSON {
			return env.printPolicy(store)
		}
		p, err := env.policy(store)
		if err != nil {
			return err
		}
		l, err := store.ChosenSessionLengths(env.ctx)
		if err != nil {
			return err
		}
		if l == account.DefaultSessionLengths {
			l = account.SessionLengths{} // nobody has chosen others
		}
		return json.NewEncoder(env.Stdout).Encode(policyJSON{p.Everyone, p.Admins, optionalInstant(p.EveryoneFrom),
			optionalInstant(p.AdminsFrom), int64(l.Idle / time.Second), int64(l.Max / time.Second)})
	})
}

// policy reads the policy as it is now.
func (env *commandEnv) policy(store *db.Store) (twofactor.Policy, error) {
	w, err := store.Workspace(env.ctx)
	return w.Policy.At(env.now()), err
}

func (env *commandEnv) printPolicy(store *db.Store) error {
	p, err := env.policy(store)
	if err != nil {
		return err
	}
	l, err := store.ChosenSessionLengths(env.ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "Require MFA for everyone: %s\nRequire MFA for admins: %s\n",
		env.setting(p.Everyone, p.EveryoneFrom), env.setting(p.Admins, p.AdminsFrom))
	if l != account.DefaultSessionLengths {
		fmt.Fprintf(env.Stdout, "Sessions: %s\n", l)
	}
	return nil
}

// setting describes one of the two.
func (env *commandEnv) setting(on bool, from time.Time) string {
	if from.IsZero() {
		return onOff(on)
	}
	return "on from " + env.date(from)
}

type policySet struct {
	Everyone string `help:"on, off, or the day from which it is on, e.g. 2026-12-03." default:"" placeholder:"on|off|DAY"`
	Admins   string `help:"on, off, or the day from which it is on." default:"" placeholder:"on|off|DAY"`

	SessionIdle *time.Duration `help:"How long a session lasts without a request, from 5m." placeholder:"TIME"`
	SessionMax  *time.Duration `help:"How long a session lasts at most, to 2160h." placeholder:"TIME"`
}

// Run changes the policy settings that are named. All admins see a notice of it.
func (c *policySet) Run(env *commandEnv) error {
	if c.Everyone == "" && c.Admins == "" && c.SessionIdle == nil && c.SessionMax == nil {
		return usageError("name a setting: --everyone on|off|DAY, --admins on|off|DAY")
	}
	change := func(flag, value string, on *bool, from *time.Time) error {
		if value == "" {
			return nil
		}
		var err error
		*on, *from, err = env.parseSetting(flag, value)
		return err
	}
	var trial twofactor.Policy // a mistake is refused before anything is opened
	if err := errors.Join(change("everyone", c.Everyone, &trial.Everyone, &trial.EveryoneFrom),
		change("admins", c.Admins, &trial.Admins, &trial.AdminsFrom)); err != nil {
		return err
	}
	return env.withStore(func(store *db.Store) error {
		p, err := env.policy(store)
		if err != nil {
			return err
		}
		if err := errors.Join(change("everyone", c.Everyone, &p.Everyone, &p.EveryoneFrom),
			change("admins", c.Admins, &p.Admins, &p.AdminsFrom)); err != nil {
			return err
		}
		if err := c.setSessionLengths(env, store); err != nil {
			return err
		}
		if err := store.SetPolicy(env.ctx, p, env.actor().Author(), env.now()); err != nil {
			return err
		}
		return env.printPolicy(store)
	})
}

// setSessionLengths changes those that are named.
func (c *policySet) setSessionLengths(env *commandEnv, store *db.Store) error {
	if c.SessionIdle == nil && c.SessionMax == nil {
		return nil
	}
	l, err := store.ChosenSessionLengths(env.ctx)
	if err != nil {
		return err
	}
	if c.SessionIdle != nil {
		l.Idle = *c.SessionIdle
	}
	if c.SessionMax != nil {
		l.Max = *c.SessionMax
	}
	return store.ChangeSessionLengths(env.ctx, account.Seen{}, l, env.actor().Author(), env.now())
}

// parseSetting reads on, off or a day. Today's day is now.
func (env *commandEnv) parseSetting(flag, value string) (on bool, from time.Time, err error) {
	switch value {
	case "on":
		return true, time.Time{}, nil
	case "off":
		return false, time.Time{}, nil
	}
	zone, err := env.zone()
	if err != nil {
		return false, time.Time{}, err
	}
	day, err := account.ParseDay(flag, value, zone)
	if err != nil {
		return false, time.Time{}, usageError("--" + flag + " takes on, off, or a day like 2026-12-03")
	}
	switch days := account.DaysUntil(day, env.now(), zone); {
	case days < 0:
		return false, time.Time{}, usageError("--" + flag + ": this day has passed; name a later one, or on")
	case days == 0:
		return true, time.Time{}, nil
	}
	return false, day, nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// date returns an instant as the terminal shows it: RFC 3339 in the time zone that was named.
func (env *commandEnv) date(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	zone, err := env.zone()
	if err != nil {
		zone = time.UTC
	}
	return at.In(zone).Format(time.RFC3339)
}

func optionalInstant(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
