package cli

import (
	"fmt"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/twofactor"
)

type userInvite struct {
	Email string `arg:"" help:"The sign-in name."`
	Name  string `help:"The display name; they can change it when they accept." required:"" placeholder:"NAME"`
	Role  string `help:"member, administrator, it-administrator or super-administrator." enum:"member,administrator,it-administrator,super-administrator" default:"member" placeholder:"ROLE"`

	UserName string `name:"user-name" help:"By which apps know them; made of the address when none is given." placeholder:"NAME"`

	ShowLink bool `name:"show-link" help:"Print the link instead of mailing it, where a mail server is set."`

	BaseURL string `name:"base-url" help:"How browsers reach the workspace, e.g. https://portal.example.org." env:"GATEHOUSE_BASE_URL" placeholder:"URL"`
}

// Run adds a person without a password. The link with which they choose one is mailed by the
// server, or printed, once, on a line of its own, where none sends mails.
func (c *userInvite) Run(env *commandEnv) error {
	if has, err := env.hasWorkspace(); c.BaseURL != "" || err == nil && !has {
		if _, err := linkBase(c.BaseURL); err != nil {
			return err
		}
	}
	return env.withStore(func(store *db.Store) error {
		mails, err := store.SendsMails(env.ctx)
		if err != nil {
			return err
		}
		mails = mails && !c.ShowLink
		at := ""
		if !mails {
			if at, err = linkBase(c.BaseURL); err != nil {
				return err
			}
		}
		invite := store.Invite
		if mails {
			invite = store.InviteByMail
		}
		now := env.now()
		_, token, err := invite(env.ctx, db.NewPerson{
			Name:     c.Name,
			Email:    c.Email,
			Role:     twofactor.Role(c.Role),
			UserName: c.UserName,
		}, env.actor().Author(), now)
		if err != nil {
			return err
		}
		until := env.date(now.Add(db.LinkTTL).UTC())
		if mails {
			fmt.Fprintf(env.Stderr, "A link was mailed to %s. It works once, until %s. To print it instead: --show-link.\n",
				account.NormalizeEmail(c.Email), until)
			return nil
		}
		fmt.Fprintf(env.Stderr, "Give this link to %s. It works once, until %s, and is not shown again.\n", c.Email, until)
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
