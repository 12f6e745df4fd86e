package cli

import (
	"encoding/json"
	"io"

	"gatehouse/db"
	"gatehouse/roster"
	"gatehouse/typed"
)

type peopleExport struct {
	JSON bool `name:"json" help:"One JSON object a line, for scripts."`
}

// exportedJSON is one line of people export --json.
type exportedJSON struct {
	Email    string   `json:"email"`
	Name     string   `json:"name"`
	Role     string   `json:"role"`
	UserName string   `json:"user_name"`
	Groups   []string `json:"groups"`
	Active   bool     `json:"active"`
}

// Run prints everybody, in the order of their names. The table is as pages write theirs, so that a
// spreadsheet opens no formula in it.
func (c *peopleExport) Run(env *commandEnv) error {
	return env.withStore(func(store *db.Store) error {
		groups, err := store.MemberGroups(env.ctx)
		if err != nil {
			return err
		}
		enc := json.NewEncoder(env.Stdout)
		if !c.JSON {
			if _, err := io.WriteString(env.Stdout, typed.TableMark+typed.TableRow(roster.Header...)); err != nil {
				return err
			}
		}
		return store.EachPerson(env.ctx, func(p db.Person) error {
			if c.JSON {
				in := groups[p.ID]
				if in == nil {
					in = []string{}
				}
				return enc.Encode(exportedJSON{p.Email, p.Name, string(p.Role), p.UserName, in, p.Active})
			}
			row := roster.Person{
				Email:    p.Email,
				Name:     p.Name,
				Role:     p.Role,
				UserName: p.UserName,
				Groups:   groups[p.ID],
				Inactive: !p.Active,
			}.Row()
			_, err := io.WriteString(env.Stdout, typed.TableRow(row...))
			return err
		})
	})
}
