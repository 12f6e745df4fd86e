package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"

	"gatehouse/db"
)

type groupCommands struct {
	Add     groupAdd     `cmd:"" help:"Add a group of people, without members." example:"gatehouse group add ops"`
	List    groupList    `cmd:"" help:"List the groups." example:"gatehouse group list"`
	Remove  groupRemove  `cmd:"" help:"Remove a group that no app names." example:"gatehouse group remove ops"`
	Members groupMembers `cmd:"" help:"Show who is in a group, and add people or take them out." example:"gatehouse group members ops --add ada@example.org --remove mia@example.org"`
}

type groupAdd struct {
	Name string `arg:"" help:"Letters from a to z, digits and . _ -."`
}

// Run adds a group.
func (c *groupAdd) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		id, err := store.AddGroup(env.ctx, c.Name, env.actor().Author(), env.now())
		if err != nil {
			return err
		}
		g, err := store.Group(env.ctx, id)
		if err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, "Added the group %s.\n", g.Name)
		return nil
	})
}

type groupList struct {
	JSON bool `name:"json" help:"One JSON object a line, for scripts."`
}

// Run lists the groups, in the order of their names.
func (c *groupList) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		list, err := store.Groups(env.ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			enc := json.NewEncoder(env.Stdout)
			for _, g := range list {
				if err := enc.Encode(groupJSON{g.Name, g.Members, g.Apps}); err != nil {
					return err
				}
			}
			return nil
		}
		w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tMEMBERS\tAPPS")
		for _, g := range list {
			fmt.Fprintf(w, "%s\t%d\t%d\n", g.Name, g.Members, g.Apps)
		}
		return w.Flush()
	})
}

// findGroup finds a group by its name; the error says where to look.
func (env *commandEnv) findGroup(store *db.Store, name string) (db.GroupDetail, error) {
	g, err := store.GroupByName(env.ctx, name)
	if errors.Is(err, db.ErrNotFound) {
		return g, fmt.Errorf("no group is called %s; see gatehouse group list", name)
	}
	return g, err
}

type groupRemove struct {
	Name string `arg:"" help:"The group's name."`
}

// Run removes a group.
func (c *groupRemove) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		g, err := env.findGroup(store, c.Name)
		if err != nil {
			return err
		}
		if err := store.RemoveGroup(env.ctx, g.ID, env.actor().Author(), env.now()); err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, "Removed the group %s.\n", g.Name)
		return nil
	})
}

type groupMembers struct {
	Name   string   `arg:"" help:"The group's name."`
	Add    []string `help:"Add this person. Repeat it for several." placeholder:"EMAIL"`
	Remove []string `help:"Take this person out. Repeat it for several." placeholder:"EMAIL"`
	JSON   bool     `name:"json" help:"One JSON object a line, for scripts."`
}

// memberJSON is one line of group members --json.
type memberJSON struct {
	Email string `json:"email"`
	Name  string `json:"name"`
}

// groupJSON is one line of group list --json.
type groupJSON struct {
	Name    string `json:"name"`
	Members int    `json:"members"`
	Apps    int    `json:"apps"`
}

// Run changes the members where that is asked for, and prints who they are, a line each.
func (c *groupMembers) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		g, err := env.findGroup(store, c.Name)
		if err != nil {
			return err
		}
		if len(c.Add)+len(c.Remove) > 0 {
			change := db.GroupChange{Add: c.Add, Remove: c.Remove}
			if err := store.ChangeGroupMembers(env.ctx, g.ID, change, env.actor().Author(), env.now()); err != nil {
				return err
			}
			if g, err = store.Group(env.ctx, g.ID); err != nil {
				return err
			}
		}
		enc := json.NewEncoder(env.Stdout)
		for _, m := range g.Members {
			if c.JSON {
				err = enc.Encode(memberJSON{m.Email, m.Name})
			} else {
				_, err = fmt.Fprintln(env.Stdout, m.Email)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
