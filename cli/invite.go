package cli

import (
	"fmt"

	"gatehouse/db"
	"gatehouse/twofactor"
)

type userInvite struct {
	Email string `arg:"" help:"The sign-in name."`
	Name  string `help:"The display name; they can change it when they accept." required:"" placeholder:"NAME"`
	Role  string `help:"member, administrator, it-administrator or super-administrator." enum:"member,administrator,it-administrator,super-administrator" default:"member" placeholder:"ROLE"`

	UserName string `name:"user-name" help:"By which apps know them; made of the address when none is given." placeholder:"NAME"`

	BaseURL string `name:"base-url" help:"How browsers reach the workspace, e.g. https://portal.example.org." env:"GATEHOUSE_BASE_URL" placeholder:"URL"`
}

// Run adds a person without a password and prints the link with which they choose one,
// once, on a line of its own.
func (c *userInvite) Run(env *commandEnv) error {
	at, err := linkBase(c.BaseURL)
	if err != nil {
		return err
	}
	return env.withStore(func(store *db.Store) error {
		n := db.NewPerson{Name: c.Name, Email: c.Email, Role: twofactor.Role(c.Role), UserName: c.UserName}
		now := env.now()
		_, token, err := store.Invite(env.ctx, n, env.actor().Author(), now)
		if err != nil {
			return err
		}
		fmt.Fprintf(env.Stderr, "Give this link to %s. It works once, until %s, and is not shown again.\n", c.Email,
			env.date(now.Add(db.LinkTTL).UTC()))
		fmt.Fprintf(env.Stdout, "%s/welcome/%s\n", at, token)
		return nil
	})
}

// linkBase is what a link begins with. A command does not know how the server is
// reached, so it has to be told.
func linkBase(baseURL string) (string, error) {
	if baseURL == "" {
		return "", usageError("the link needs the workspace's own address: --base-url https://portal.example.org, or GATEHOUSE_BASE_URL")
	}
	base, err := canonicalBaseURL(baseURL)
	if err != nil {
		return "", err
	}
	return base.String(), nil
}

type userRemove struct {
	Email string `arg:"" help:"The sign-in name."`
}

// Run removes an account for good, or takes an invitation back. All admins see a
// notice of it.
func (c *userRemove) Run(env *commandEnv) error {
	return env.changePerson(c.Email,
		"Removed %s. The address can be used again; the activity keeps what was done, without the name.\n",
		func(store *db.Store, id int64, by db.Author) error {
			return store.RemovePerson(env.ctx, id, by, env.now())
		})
}
