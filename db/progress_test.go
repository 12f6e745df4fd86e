package db_test

import (
	"path/filepath"
	"testing"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestProgressIsTold does everything that may take long, and demands of each step that it begins
// with its first part and ends with its last.
func TestProgressIsTold(t *testing.T) {
	t.Parallel()
	dbtest.OnlySQLite(t) // of a move to PostgreSQL the same code tells
	dir := t.TempDir()
	store := dbtest.OpenIn(t, dir)
	dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	enrol(t, store, "ada@example.org", start)
	type count struct{ done, total int64 }
	heard := map[db.Step][]count{}
	hearing := db.WithProgress(ctx, func(step db.Step, done, total int64) {
		heard[step] = append(heard[step], count{done, total})
	})
	backup := filepath.Join(t.TempDir(), "backup.db")
	if err := store.Backup(hearing, backup); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Check(hearing); err != nil {
		t.Fatal(err)
	}
	if _, err := store.RotateKey(hearing, db.Machine("test"), start); err != nil {
		t.Fatal(err)
	}
	for _, step := range []db.Step{db.StepOpening, db.StepSealing} {
		if all := heard[step]; len(all) != 2 || all[0] != (count{1, 2}) || all[1] != (count{2, 2}) {
			t.Errorf("%s: heard %v", step, all)
		}
	}
	if all := heard[db.StepCopying]; len(all) == 0 || all[0].total <= 0 {
		t.Errorf("of copying: heard %v", all)
	}
	if len(heard[db.StepChecking]) == 0 {
		t.Error("nothing was heard of checking")
	}
}
