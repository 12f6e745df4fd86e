package cli

import (
	"context"
	"encoding/json"
	"errors"
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
func (c *userSetPassword) Run(env *commandEnv) error {
	password, err := env.readPassword()
	if err != nil {
		return err
	}
	return env.changePerson(c.Email, "%s has a new password now; all sessions have ended.\n",
		func(store *db.Store, id int64, by db.Author) error {
			return store.SetPassword(env.ctx, id, password, by, env.now())
		})
}

type userDeactivate struct {
	Email string `arg:"" help:"The sign-in name."`
}

// Run ends somebody's access.
func (c *userDeactivate) Run(env *commandEnv) error {
	return env.changePerson(c.Email, "%s cannot sign in any more.\n", func(store *db.Store, id int64, by db.Author) error {
		return store.SetActive(env.ctx, id, false, by, env.now())
	})
}

type userReactivate struct {
	Email string `arg:"" help:"The sign-in name."`
}

// Run gives somebody access again.
func (c *userReactivate) Run(env *commandEnv) error {
	return env.changePerson(c.Email, "%s can sign in again.\n", func(store *db.Store, id int64, by db.Author) error {
		return store.SetActive(env.ctx, id, true, by, env.now())
	})
}

type userUnlock struct {
	Email string `arg:"" help:"The sign-in name."`
}

// Run clears somebody's failed attempts. All admins see a notice of it.
func (c *userUnlock) Run(env *commandEnv) error {
	return env.changePerson(c.Email, "Unlocked %s.\n", func(store *db.Store, id int64, by db.Author) error {
		return store.Unlock(env.ctx, id, by, env.now())
	})
}

// changePerson opens the workspace, finds somebody, makes a change to them, and
// says so.
func (env *commandEnv) changePerson(email, done string, change func(store *db.Store, id int64, by db.Author) error) error {
	return env.withStore(func(store *db.Store) error {
		p, err := env.findPerson(store, email)
		if err != nil {
			return err
		}
		if err := change(store, p.ID, env.actor().Author()); err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, done, p.Email)
		return nil
	})
}

type twoFactorStatus struct {
	JSON bool `name:"json" help:"One JSON object a line, for scripts."`
}

// enrollmentJSON is one line of two-factor status --json.
type enrollmentJSON struct {
	Email     string     `json:"email"`
	Active    bool       `json:"active"`
	TwoFactor bool       `json:"two_factor"`
	Since     *time.Time `json:"since,omitempty"`
	CodesLeft int        `json:"recovery_codes_left"`
	Passkeys  int        `json:"passkeys"`
}

// Run tells who is enrolled, since when, and how many codes they have left.
func (c *twoFactorStatus) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		if c.JSON {
			enc := json.NewEncoder(env.Stdout)
			return store.EachPerson(env.ctx, func(p db.Person) error {
				return enc.Encode(enrollmentJSON{p.Email, p.Active, p.State() == twofactor.Enabled,
					optionalInstant(p.ConfirmedAt), p.CodesLeft, p.Passkeys})
			})
		}
		w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "EMAIL\tTWO-FACTOR\tSINCE\tCODES LEFT\tPASSKEYS")
		err := store.EachPerson(env.ctx, func(p db.Person) error {
			_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\n", p.Email, p.State(), env.date(p.ConfirmedAt),
				p.CodesLeft, p.Passkeys)
			return err
		})
		if err != nil {
			return err
		}
		return w.Flush()
	})
}

type backupCommand struct {
	File string `arg:"" optional:"" help:"The copy to make; it must not exist yet." type:"path"`
	Note bool   `help:"Make none, and note that something else did: Litestream, pg_dump, a snapshot. doctor and the Overview tell its age."`
}

// Run copies the database while the server goes on. The key is not in it. When that was done
// is noted, for whoever looks after the workspace.
func (c *backupCommand) Run(env *commandEnv) error {
	if c.Note == (c.File != "") {
		return usageError("name the copy to make, or say --note when something else has made one")
	}
	return env.withStore(func(store *db.Store) error {
		if c.Note {
			if err := store.NoteBackup(env.ctx, env.now()); err != nil {
				return err
			}
			fmt.Fprintln(env.Stdout, "Noted that a backup was made now.")
			return nil
		}
		begun := env.now() // what happens meanwhile may be missing in it
		err := env.withProgress(func(ctx context.Context) error { return store.Backup(ctx, c.File) })
		if err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, "%s holds a checked copy of the database. The key file is not in it: keep a copy of that elsewhere.\n", c.File)
		if err := store.NoteBackup(env.ctx, begun); err != nil {
			return fmt.Errorf("the copy is whole, but when it was made could not be noted: %w", err)
		}
		return nil
	})
}

type checkCommand struct{}

// Run checks the file, its references, and that every secret opens.
func (c *checkCommand) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		var n int
		err := env.withProgress(func(ctx context.Context) (err error) {
			n, err = store.Check(ctx)
			return err
		})
		if err != nil {
			return err
		}
		newest, err := store.NewestActivity(env.ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, "The database is whole, and every sealed secret opens (%d).\nIts newest activity: %s.\n",
			n, env.date(newest))
		return nil
	})
}

type keyCommands struct {
	Rotate keyRotate `cmd:"" help:"Encrypt everything again under a new key." example:"gatehouse key rotate --data /var/lib/gatehouse --key-file /etc/gatehouse/gatehouse.key"`
	Next   keyNext   `cmd:"" help:"Make the key for the next rotation, where several servers share a database on PostgreSQL." example:"gatehouse key next --database-file /etc/gatehouse/database --key-file /etc/gatehouse/gatehouse.key"`
}

type keyNext struct{}

// Run makes gatehouse.key.next beside the key file.
func (c *keyNext) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		if !store.IsShared() {
			return errors.New("one server has this workspace: gatehouse key rotate makes the new key by itself")
		}
		path, err := store.MakeNextKey()
		if err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, "%s is the key for the next rotation. Copy it beside the key file of every node; "+
			"gatehouse status shows who has it. Then: gatehouse key rotate\n", path)
		return nil
	})
}

type keyRotate struct{}

// Run puts a new key in the key file's place. All admins see a notice of it.
func (c *keyRotate) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		var n int
		err := env.withProgress(func(ctx context.Context) (err error) {
			n, err = store.RotateKey(ctx, env.actor(), env.now())
			return err
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, "Everything is sealed under a new key: %s. Keep a copy of the new key file elsewhere; earlier backups need the old one.\n", countOf(n, "secret"))
		return nil
	})
}

func countOf(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
