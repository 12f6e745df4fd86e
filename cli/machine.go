package cli

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"gatehouse/db"
	"gatehouse/twofactor"
)

type userSetPassword struct {
	Email string `arg:"" help:"The sign-in name."`
}

// Run sets a password; the second step stays as it is.
func (c *userSetPassword) Run(s *session) error {
	password, err := s.readPassword()
	if err != nil {
		return err
	}
	return s.withPerson(c.Email, "%s has a new password now; all sessions have ended.\n",
		func(store *db.Store, id int64, by db.Author) error {
			return store.SetPassword(s.ctx, id, password, by, s.now())
		})
}

type userDeactivate struct {
	Email string `arg:"" help:"The sign-in name."`
}

// Run ends somebody's access.
func (c *userDeactivate) Run(s *session) error {
	return s.withPerson(c.Email, "%s cannot sign in any more.\n", func(store *db.Store, id int64, by db.Author) error {
		return store.SetActive(s.ctx, id, false, by, s.now())
	})
}

type userReactivate struct {
	Email string `arg:"" help:"The sign-in name."`
}

// Run gives somebody access again.
func (c *userReactivate) Run(s *session) error {
	return s.withPerson(c.Email, "%s can sign in again.\n", func(store *db.Store, id int64, by db.Author) error {
		return store.SetActive(s.ctx, id, true, by, s.now())
	})
}

type userUnlock struct {
	Email string `arg:"" help:"The sign-in name."`
}

// Run forgets somebody's wrong answers. All admins see a notice of it.
func (c *userUnlock) Run(s *session) error {
	return s.withPerson(c.Email, "%s need not wait any more.\n", func(store *db.Store, id int64, by db.Author) error {
		return store.Unlock(s.ctx, id, by, s.now())
	})
}

// withPerson opens the workspace, finds somebody, makes a change to them, and
// says so.
func (s *session) withPerson(email, done string, change func(store *db.Store, id int64, by db.Author) error) error {
	return s.with(func(store *db.Store) error {
		p, err := s.person(store, email)
		if err != nil {
			return err
		}
		if err := change(store, p.ID, s.machine().Author()); err != nil {
			return err
		}
		fmt.Fprintf(s.Stdout, done, p.Email)
		return nil
	})
}

type twoFactorStatus struct {
	JSON bool `name:"json" help:"One JSON object a line, for scripts."`
}

// enrolled is one line of two-factor status --json.
type enrolled struct {
	Email     string     `json:"email"`
	Active    bool       `json:"active"`
	TwoFactor bool       `json:"two_factor"`
	Since     *time.Time `json:"since,omitempty"`
	CodesLeft int        `json:"recovery_codes_left"`
}

// Run tells who is enrolled, since when, and how many codes they have left.
func (c *twoFactorStatus) Run(s *session) error {
	return s.with(func(store *db.Store) error {
		if c.JSON {
			enc := json.NewEncoder(s.Stdout)
			return store.EachPerson(s.ctx, func(p db.Person) error {
				return enc.Encode(enrolled{p.Email, p.Active, p.State() == twofactor.Enabled,
					instantOrNone(p.ConfirmedAt), p.CodesLeft})
			})
		}
		w := tabwriter.NewWriter(s.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "EMAIL\tTWO-FACTOR\tSINCE\tCODES LEFT")
		err := store.EachPerson(s.ctx, func(p db.Person) error {
			_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", p.Email, p.State(), date(p.ConfirmedAt), p.CodesLeft)
			return err
		})
		if err != nil {
			return err
		}
		return w.Flush()
	})
}

type backupCommand struct {
	File string `arg:"" help:"The copy to make; it must not exist yet." type:"path"`
}

// Run copies the database while the server goes on. The key is not in it.
func (c *backupCommand) Run(s *session) error {
	return s.with(func(store *db.Store) error {
		if err := store.Backup(s.ctx, c.File); err != nil {
			return err
		}
		fmt.Fprintf(s.Stdout, "%s holds a checked copy of the database. The key file is not in it: keep a copy of that elsewhere.\n", c.File)
		return nil
	})
}

type checkCommand struct{}

// Run checks the file, its references, and that every secret opens.
func (c *checkCommand) Run(s *session) error {
	return s.with(func(store *db.Store) error {
		n, err := store.Check(s.ctx)
		if err != nil {
			return err
		}
		newest, err := store.NewestActivity(s.ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Stdout, "The database is whole, and every sealed secret opens (%d).\nIts newest activity: %s.\n",
			n, date(newest))
		return nil
	})
}

type keyCommands struct {
	Rotate keyRotate `cmd:"" help:"Seal everything anew under a new key."`
}

type keyRotate struct{}

// Run puts a new key in the key file's place. All admins see a notice of it.
func (c *keyRotate) Run(s *session) error {
	return s.with(func(store *db.Store) error {
		n, err := store.RotateKey(s.ctx, s.machine(), s.now())
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Stdout, "Everything is sealed under a new key: %s. Copy the new key file to its safe-keeping; backups made before need the old one.\n", counted(n, "secret"))
		return nil
	})
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
