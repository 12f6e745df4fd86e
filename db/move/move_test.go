package move

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/db/engine"
)

const schema = `CREATE TABLE b_owner (id INTEGER PRIMARY KEY, name TEXT NOT NULL, active INTEGER NOT NULL) STRICT;
CREATE TABLE a_thing (owner INTEGER NOT NULL REFERENCES b_owner (id), word TEXT NOT NULL, level REAL, seal BLOB,
	PRIMARY KEY (word, owner)) STRICT, WITHOUT ROWID;`

func open(t *testing.T, script string) Side {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := engine.OpenFile(path, "rw", "foreign_keys(ON)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Exec(script); err != nil {
		t.Fatal(err)
	}
	return Side{Kind: engine.SQLite, DB: db}
}

const someRows = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1203)
	INSERT INTO b_owner SELECT i * 3, 'Åsa ' || i, i % 2 FROM n;
INSERT INTO a_thing SELECT id, name, CASE WHEN id % 4 = 0 THEN NULL ELSE id / 7.0 END, CASE WHEN id % 5 = 0 THEN NULL ELSE randomblob(20) END FROM b_owner;`

// TestCopy copies rows of every type, more than one INSERT carries, in the order of references.
func TestCopy(t *testing.T) {
	ctx := context.Background()
	heard := map[engine.Step][]int64{} // how many rows were done, and how many there are
	telling := engine.WithProgress(ctx, func(step engine.Step, done, total int64) {
		heard[step] = append(heard[step], done, total)
	})
	from, to := open(t, schema+someRows), open(t, schema)
	copied, err := Copy(telling, from, to, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []engine.Step{engine.StepCopying, engine.StepComparing} {
		all := heard[step]
		if len(all) != 2*2*1203 || !slices.Equal(all[:2], []int64{1, 2406}) || !slices.Equal(all[len(all)-2:], []int64{2406, 2406}) {
			t.Errorf("heard %d numbers of %s", len(all), step)
		}
	}
	if len(copied) != 2 || copied[0].Table != "b_owner" || copied[1].Table != "a_thing" || copied[1].Rows != 1203 {
		t.Errorf("copied %v", copied)
	}
	for _, side := range []Side{from, to} {
		if found, err := Contents(ctx, side); err != nil || !slices.Equal(found, copied) {
			t.Errorf("%v, %v; want %v", found, err, copied)
		}
	}
	if _, err := Copy(ctx, from, to, nil); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("into a target with rows: %v", err)
	}
}

// TestContentsDiffer changes one thing each time: the sum is another one.
func TestContentsDiffer(t *testing.T) {
	ctx := context.Background()
	of := open(t, schema+`INSERT INTO b_owner VALUES (1, 'Ada', 1), (2, 'Bo', 0); INSERT INTO a_thing VALUES (1, 'x', 1.5, x'00')`)
	seen := map[[32]byte]string{}
	for _, change := range []string{
		`SELECT 1`,
		`UPDATE b_owner SET name = 'Adb' WHERE id = 1`,
		`UPDATE b_owner SET active = 0 WHERE id = 1`,
		`INSERT INTO b_owner VALUES (3, '', 0)`,
		`UPDATE a_thing SET seal = x'01'`,
		`UPDATE a_thing SET seal = NULL`,
		`UPDATE a_thing SET level = 2`,
		`UPDATE a_thing SET word = 'xx'`,
	} {
		if _, err := of.DB.Exec(change); err != nil {
			t.Fatal(err)
		}
		found, err := Contents(ctx, of)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(found, func(c Content) bool { return strings.Contains(change, c.Table) })
		if i < 0 {
			for _, c := range found {
				seen[c.Sum] = "at first"
			}
			continue
		}
		if before, ok := seen[found[i].Sum]; ok {
			t.Errorf("after %s the sum is that of %s", change, before)
		}
		seen[found[i].Sum] = change
	}
}

// TestCopyKeepsNothing wants the target empty when something went wrong.
func TestCopyKeepsNothing(t *testing.T) {
	ctx := context.Background()
	from := open(t, schema+someRows)
	wrong := errors.New("wrong")
	for name, c := range map[string]struct {
		schema string
		prove  func(context.Context, *sql.Tx) error
		want   string
	}{
		"what proves refuses": {schema, func(context.Context, *sql.Tx) error { return wrong }, "wrong"},
		"a trigger changes a row": {schema + `CREATE TRIGGER t AFTER INSERT ON a_thing WHEN new.owner = 9
			BEGIN UPDATE b_owner SET name = '' WHERE id = 9; END`, nil, "reads back differently"},
		"a table is missing":  {strings.Split(schema, ";")[0], nil, "has no table a_thing"},
		"a table is too many": {schema + `CREATE TABLE c (id INTEGER PRIMARY KEY) STRICT`, nil, "has no table c"},
		"a column is another": {strings.ReplaceAll(schema, "level", "height"), nil, "columns of a_thing differ"},
	} {
		to := open(t, c.schema)
		if _, err := Copy(ctx, from, to, c.prove); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
		var rows int
		if err := to.DB.QueryRow(`SELECT count(*) FROM b_owner`).Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%s: %d rows are left, %v", name, rows, err)
		}
	}
}
