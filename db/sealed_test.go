package db

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatehouse/account"
	"gatehouse/passkeys"
)

// plainBytes are the names of columns of bytes that are neither sealed nor keyed: random
// identifiers, salts, and hashes of what a browser holds. A column with another name is
// declared in sealedColumns, or here with the reason.
var plainBytes = regexp.MustCompile(`^(id|salt|hash|.+_hash|.+_id|` +
	`user_handle|public_key|aaguid|` + // a passkey's public parts
	`state|` + // of a ceremony: what a browser was asked for
	`key_id` + // tells key files apart, and is derived from the key one way
	`)$`)

// TestEverySealedColumnIsDeclared walks the catalogue: a column whose comment says that it
// is sealed, or whose bytes are nothing that is plain, is one that check, key rotate and
// move go through.
func TestEverySealedColumnIsDeclared(t *testing.T) {
	onlySQLite(t)
	t.Parallel()
	s := openIn(t, t.TempDir())
	defer func() { _ = s.Close() }()
	declared := map[string]bool{}
	for _, c := range sealedColumns {
		declared[c.table+"."+c.column] = true
	}
	found := map[string]bool{}
	for table, sql := range tablesOf(t, s) {
		for _, line := range strings.Split(sql, "\n") {
			name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			definition, comment, _ := strings.Cut(rest, "--")
			isBytes := strings.Contains(definition, "BLOB") && !plainBytes.MatchString(name)
			if !isBytes && !strings.HasPrefix(strings.TrimSpace(comment), "sealed") {
				continue
			}
			found[table+"."+name] = true
			if !declared[table+"."+name] {
				t.Errorf("%s.%s is sealed, or its bytes are not known to be plain; declare it in db/sealed.go", table, name)
			}
		}
	}
	for name := range declared {
		if !found[name] {
			t.Errorf("%s is declared, and the schema has no such sealed column", name)
		}
	}
}

// fillKeyed adds a row to each table with a keyed column.
func fillKeyed(t *testing.T, s *Store) {
	t.Helper()
	err := s.write(context.Background(), lockNothing(), func(t *tx) error {
		return s.insertPasskey(t, Passkey{
			Passkey: passkeys.Passkey{ID: []byte("an id"), PublicKey: []byte("a key"), RPID: "example.org", AAGUID: []byte{0}},
			Handle:  newHandle(),
			Name:    "Phone",
			person:  1,
		}, rotateStart)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tablesOf gives the statements that made the tables.
func tablesOf(t *testing.T, s *Store) map[string]string {
	t.Helper()
	rows, err := s.rows(context.Background(), `SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var name, sql string
		if err := rows.Scan(&name, &sql); err != nil {
			t.Fatal(err)
		}
		all[name] = sql
	}
	if err := rows.Err(); err != nil || len(all) == 0 {
		t.Fatal("no tables", err)
	}
	return all
}

// TestRotationReachesEverySealedColumn fills every declared column, rotates the key, and
// wants each value to be another one that opens with the new key alone.
func TestRotationReachesEverySealedColumn(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := openIn(t, t.TempDir())
	defer func() { _ = s.Close() }()
	fillSecrets(t, s, 2)
	fillKeyed(t, s)
	fillSigningKey(t, s)
	fillMail(t, s)
	old := s.keys.Load()
	before := sealedValues(t, s)
	if _, err := s.MakeNextKey(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RotateKey(ctx, Machine("test"), rotateStart); err != nil {
		t.Fatal(err)
	}
	after := sealedValues(t, s)
	for _, c := range sealedColumns {
		if !slices.ContainsFunc(before, func(v sealedValue) bool { return v.c.table == c.table && v.c.column == c.column }) {
			t.Errorf("%s.%s: this test has no row that fills it; add one to fillSecrets", c.table, c.column)
		}
	}
	for i, v := range after {
		if bytes.Equal(v.r.value, before[i].r.value) {
			t.Errorf("%s is as it was", v.c.describe(v.r))
		}
		if _, err := v.c.open(s.keys.Load(), v.r); err != nil {
			t.Errorf("%s: %v", v.c.describe(v.r), err)
		}
		if _, err := v.c.open(old, v.r); err == nil {
			t.Errorf("%s still opens with the old key", v.c.describe(v.r))
		}
	}
}

// fillMail puts a mail with a link into the outbox.
func fillMail(t *testing.T, s *Store) {
	t.Helper()
	if err := s.SetMailFrom(context.Background(), "portal@example.org", rotateStart); err != nil {
		t.Fatal(err)
	}
	err := s.write(context.Background(), lockWorkspace(), func(t *tx) error {
		return t.putMail(newMail{
			kind:   account.MailForgot,
			person: 1,
			email:  "0@example.org",
			token:  newToken(),
		}, rotateStart)
	})
	if err != nil {
		t.Fatal(err)
	}
}

type sealedValue struct {
	c sealedColumn
	r sealedRow
}

func sealedValues(t *testing.T, s *Store) (all []sealedValue) {
	t.Helper()
	err := s.write(context.Background(), lockNothing(), func(t *tx) error {
		all = nil
		return eachSealed(context.Background(), t, StepOpening, func(c sealedColumn, r sealedRow) error {
			all = append(all, sealedValue{c, r})
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestCheckNamesWhatDoesNotOpen breaks a value of every declared column, one by one.
func TestCheckNamesWhatDoesNotOpen(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := openIn(t, t.TempDir())
	defer func() { _ = s.Close() }()
	fillSecrets(t, s, 1)
	fillKeyed(t, s)
	fillMail(t, s)
	for _, v := range sealedValues(t, s) {
		set := func(value []byte) {
			err := s.write(ctx, lockNothing(), func(t *tx) error {
				return t.execOne(fmt.Sprintf(`UPDATE %s SET %s = $1 WHERE %s = $2`, v.c.table, v.c.column, v.c.id), value, v.r.id)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		set(append([]byte{v.r.value[0] ^ 1}, v.r.value[1:]...))
		if _, err := s.Check(ctx); err == nil {
			t.Errorf("%s was changed, and check says nothing", v.c.describe(v.r))
		}
		set(v.r.value)
		if _, err := s.Check(ctx); err != nil {
			t.Errorf("%s is as it was: %v", v.c.describe(v.r), err)
		}
	}
}
