package db

import (
	"context"
	"database/sql"
)

// nodeTable4 is the table of step 4, letter for letter as in schema.sql.
const nodeTable4 = `CREATE TABLE node (
    id          TEXT    PRIMARY KEY, -- random, another one after each start
    name        TEXT    NOT NULL, -- the machine's, and where it listens
    version     TEXT    NOT NULL, -- of the program
    schema      INTEGER NOT NULL, -- the newest that it knows
    key_id      BLOB    NOT NULL, -- which key file it has
    next_key_id BLOB, -- which key file it has for the next rotation; NULL for none
    ahead       INTEGER NOT NULL, -- by how many milliseconds its clock is ahead of the database's
    started_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;`

// newestSchema is the schema that this program writes, and oldestSchema the one that a
// program must know at least to serve what this one writes.
var newestSchema = len(migrations) + 1

// NewestSchema is the newest schema that this program knows.
func NewestSchema() int { return newestSchema }

const oldestSchema = 10

// noteSchema keeps the schema's version where other programs look for it. Schemas before
// 4 have no such columns.
func noteSchema(ctx context.Context, c *sql.Conn, version int) error {
	var has bool
	err := c.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pragma_table_info('workspace') WHERE name = 'oldest')`).Scan(&has)
	if err != nil || !has {
		return err
	}
	_, err = c.ExecContext(ctx, `UPDATE workspace SET schema = $1, oldest = $2`, version, min(version, oldestSchema))
	return err
}
