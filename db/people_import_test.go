package db_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/roster"
	"gatehouse/twofactor"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// oldPassword is what everybody from a file has.
const oldPassword = "Gruen-Öl ﬁnal 7" // the ligature is two letters once it is normalised

// foreignArgon2id is a hash as Authelia makes it.
func foreignArgon2id(t *testing.T, memory, passes uint32, threads uint8) string {
	t.Helper()
	salt, b64 := []byte("sixteen bytes of"), base64.RawStdEncoding
	tag := argon2.IDKey([]byte(oldPassword), salt, passes, memory, threads, 32)
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", memory, passes, threads, b64.EncodeToString(salt), b64.EncodeToString(tag))
}

func foreignBcrypt(t *testing.T, prefix string) string {
	t.Helper()
	made, err := bcrypt.GenerateFromPassword([]byte(oldPassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(made), "$2a$", prefix, 1)
}

func person(line int, name string) roster.Person {
	return roster.Person{Line: line, Email: name + "@example.org", Name: "Person " + name, Role: twofactor.Member}
}

func imported(t *testing.T, store *db.Store, people []roster.Person, o db.ImportOptions) db.ImportPlan {
	t.Helper()
	plan, err := store.ImportPeople(ctx, people, o, db.Machine("root"), start)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func storedHash(t *testing.T, store *db.Store, email string) (stored string) {
	t.Helper()
	if err := store.Scan(ctx, `SELECT password_hash FROM person WHERE email = $1`, []any{email}, &stored); err != nil {
		t.Fatal(err)
	}
	return stored
}

// TestImportedHashesAreRenewed signs in with the passwords of other programs: a wrong one leaves
// the hash as it is, the right one leaves ours, and it works again.
func TestImportedHashesAreRenewed(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	hashes := map[string]string{
		"argon2id":   foreignArgon2id(t, 65536, 3, 4),
		"onethread":  foreignArgon2id(t, 4096, 1, 1),
		"bcrypt-2a":  foreignBcrypt(t, "$2a$"),
		"bcrypt-2b":  foreignBcrypt(t, "$2b$"),
		"bcrypt-2y":  foreignBcrypt(t, "$2y$"),
		"deactivate": foreignBcrypt(t, "$2y$"),
	}
	var people []roster.Person
	for name, text := range hashes {
		p := person(len(people)+2, name)
		p.Hash, p.Inactive = text, name == "deactivate"
		people = append(people, p)
	}
	if plan := imported(t, store, people, db.ImportOptions{}); len(plan.New) != len(people) || plan.Invited() != 0 {
		t.Fatalf("%+v", plan)
	}
	for name := range hashes {
		email := name + "@example.org"
		before := storedHash(t, store, email)
		_, err := store.SignIn(ctx, email, oldPassword+"x", "", db.Client{}, start)
		if !errors.Is(err, twofactor.ErrWrongPassword) || storedHash(t, store, email) != before {
			t.Errorf("%s, a wrong password: %v", name, err)
		}
		for range 2 {
			_, err = store.SignIn(ctx, email, oldPassword, "", db.Client{}, start)
			after := storedHash(t, store, email)
			if name == "deactivate" {
				if !errors.Is(err, twofactor.ErrWrongPassword) || after != before {
					t.Errorf("somebody deactivated: %v, %s", err, after)
				}
				continue
			}
			if err != nil || !strings.HasPrefix(after, "$argon2id$v=19$m=512,t=2,p=1$") {
				t.Errorf("%s: %v, and %s is kept", name, err, after)
			}
		}
	}
}

// TestForeignHashesOutOfBounds are not taken over: who has one is invited.
func TestForeignHashesOutOfBounds(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	cheap := foreignArgon2id(t, 64, 1, 1)
	change := func(from, to string) string { return strings.Replace(cheap, from, to, 1) }
	var people []roster.Person
	for _, c := range []struct {
		hash string
		fate db.PasswordFate
	}{
		{"", db.NoPassword},
		{cheap, db.PasswordKept},
		{change("m=64", "m=65537"), db.PasswordCostly},
		{change("t=1", "t=5"), db.PasswordCostly},
		{change("p=1", "p=17") + "", db.PasswordUnknown}, // less memory than its threads need
		{change("m=64,t=1,p=1", "m=65536,t=1,p=17"), db.PasswordCostly},
		{change("m=64", "m=064"), db.PasswordUnknown},
		{change("m=64", "m=4294967360"), db.PasswordUnknown},
		{change("t=1", "t=0"), db.PasswordUnknown},
		{change("v=19", "v=16"), db.PasswordUnknown},
		{change("argon2id", "argon2i"), db.PasswordUnknown},
		{cheap[:len(cheap)-30], db.PasswordUnknown},
		{strings.Replace(foreignBcrypt(t, "$2y$"), "$04$", "$13$", 1), db.PasswordCostly},
		{strings.Replace(foreignBcrypt(t, "$2y$"), "$04$", "$03$", 1), db.PasswordUnknown},
		{"$2x$04$" + strings.Repeat("a", 53), db.PasswordUnknown},
		{"$apr1$abcdefgh$abcdefghabcdefghabcdef", db.PasswordUnknown},
		{"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", db.PasswordUnknown},
		{"rqXexS6ZhobKA", db.PasswordUnknown},
		{"password", db.PasswordUnknown},
	} {
		p := person(len(people)+2, fmt.Sprint("p", len(people)))
		p.Hash = c.hash
		plan, err := store.PlanImport(ctx, []roster.Person{p}, db.ImportOptions{})
		if err != nil || plan.New[0].Password != c.fate {
			t.Errorf("%q: %+v %v, want fate %d", c.hash, plan.New, err, c.fate)
		}
		people = append(people, p)
	}
	plan := imported(t, store, people, db.ImportOptions{})
	for _, p := range plan.New {
		if stored := storedHash(t, store, p.Email); (stored == "") != p.IsInvited() {
			t.Errorf("of %+v is stored %q", p, stored)
		}
	}
}

// TestImportIsAllOrNothing refuses a file for one row, an unwritable file of links, and a failed
// commit's like, and each time nobody was added; the second of two imports leaves everybody alone.
func TestImportIsAllOrNothing(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	people := []roster.Person{person(2, "bob"), person(3, "cy"), person(4, "ada")}
	people[1].UserName, people[1].Groups = "ada", []string{"ops", "dev"} // the user name of somebody else
	count := func() int64 {
		n, err := store.Number(ctx, `SELECT (SELECT count(*) FROM person) * 1000000 + (SELECT count(*) FROM activity) * 1000
			+ (SELECT count(*) FROM people_group) + (SELECT count(*) FROM link)`)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := count()
	refuse := func(what string, o db.ImportOptions, want ...string) {
		t.Helper()
		_, err := store.ImportPeople(ctx, people, o, db.Machine("root"), start)
		var got []string
		if refused, ok := errors.AsType[db.ImportError](err); ok {
			for _, f := range refused.Faults {
				got = append(got, fmt.Sprint(f.Line, " ", f.Err))
			}
		} else if err != nil {
			got = []string{err.Error()}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) || count() != before {
			t.Errorf("%s: %q, and something was written: %v", what, got, count() != before)
		}
	}
	refuse("a user name and groups", db.ImportOptions{}, "3 a group that is missing dev", "3 a group that is missing ops",
		"3 a user name of somebody else ada")
	refuse("a user name", db.ImportOptions{CreateGroups: true}, "3 a user name of somebody else ada")
	people[1].UserName = "admin"
	refuse("no mail server", db.ImportOptions{CreateGroups: true, MailLinks: true}, db.ErrNoMail.Error())
	refuse("a full disk", db.ImportOptions{
		CreateGroups: true,
		WriteLinks:   func([]db.Invitation) error { return errors.New("no room") },
	}, "no room")
	var links []db.Invitation
	plan := imported(t, store, people, db.ImportOptions{
		CreateGroups: true,
		WriteLinks:   func(all []db.Invitation) error { links = all; return nil },
	})
	if len(plan.New) != 2 || len(plan.Existing) != 1 || len(links) != 2 || !slices.Equal(plan.NewGroups, []string{"dev", "ops"}) {
		t.Errorf("%+v, %d links", plan, len(links))
	}
	for _, l := range links {
		if found, err := store.Link(ctx, l.Token, start); err != nil || found.Email != l.Email || found.Kind != account.Invitation {
			t.Errorf("the link of %s: %+v %v", l.Email, found, err)
		}
	}
	before = count()
	plan = imported(t, store, people, db.ImportOptions{CreateGroups: true})
	if len(plan.New) != 0 || len(plan.Existing) != 3 || count() != before {
		t.Errorf("once more: %+v", plan)
	}
}

// TestImportedPeopleAreWhole compares somebody imported with somebody added: found by each part of
// the name, in the order of lists, with an own user name, sub and handle, and told in the activity.
func TestImportedPeopleAreWhole(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "li@example.net", twofactor.SuperAdmin)
	var people []roster.Person
	for i := range 450 { // more than one statement of each kind
		p := person(i+2, fmt.Sprintf("li%d", i))
		p.Groups = []string{"ops"}
		people = append(people, p)
	}
	people[7].Email, people[8].Email = "li@example.org", "li@example.com" // li is taken, li-2 and li-3 follow
	people[9].Role, people[10].UserName = twofactor.Administrator, "li-2"
	imported(t, store, people, db.ImportOptions{CreateGroups: true})
	names := map[string]string{}
	if err := store.EachPerson(ctx, func(p db.Person) error {
		names[p.Email] = p.UserName
		if len(p.Sub) != 26 || !p.Active {
			t.Errorf("%+v", p)
		}
		return nil
	}); err != nil || len(names) != 451 {
		t.Fatal(err, len(names))
	}
	if names["li@example.org"] != "li-3" || names["li@example.com"] != "li-4" || names["li10@example.org"] != "li-2" ||
		names["li11@example.org"] != "li11" {
		t.Errorf("the user names: %s %s %s", names["li@example.org"], names["li@example.com"], names["li10@example.org"])
	}
	for _, search := range []string{"son li44", "i449@exa", "ample.org"} {
		if found, err := store.People(ctx, account.PeopleFilter{Search: search}, ""); err != nil || len(found.People) == 0 {
			t.Errorf("%q finds %d, %v", search, len(found.People), err)
		}
	}
	groups, err := store.MemberGroups(ctx)
	if err != nil || len(groups) != 450 {
		t.Errorf("%d are in groups: %v", len(groups), err)
	}
	for query, want := range map[string]int64{
		`SELECT count(*) FROM activity WHERE event = 'user_created' AND actor = 'os:root'`:                       450,
		`SELECT count(*) FROM notice n JOIN activity a ON a.id = n.activity_id WHERE a.detail = 'administrator'`: 1,
		`SELECT count(*) FROM user_name`:                 451,
		`SELECT count(DISTINCT user_handle) FROM person`: 451,
		`SELECT count(*) FROM activity WHERE event = 'group_updated' AND detail = 'ops: 450 added, 0 removed'`: 1,
	} {
		if got, err := store.Number(ctx, query); err != nil || got != want {
			t.Errorf("%s: %d, want %d, %v", query, got, want, err)
		}
	}
}

// TestTwoImportsAtOnce adds everybody once.
func TestTwoImportsAtOnce(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	var people []roster.Person
	for i := range 300 {
		people = append(people, person(i+2, fmt.Sprintf("p%d", i)))
	}
	var wait sync.WaitGroup
	added := make([]int, 4)
	for i := range added {
		wait.Go(func() {
			plan, err := store.ImportPeople(ctx, people, db.ImportOptions{}, db.Machine("root"), start)
			if err != nil {
				t.Error(err)
			}
			added[i] = len(plan.New)
		})
	}
	wait.Wait()
	slices.Sort(added)
	if n, err := store.Number(ctx, `SELECT count(*) FROM person`); !slices.Equal(added, []int{0, 0, 0, 300}) || n != 300 || err != nil {
		t.Errorf("%v were added, %d are there, %v", added, n, err)
	}
}

// TestImportMailsInvitations puts a mail with a link that works into the outbox for each.
func TestImportMailsInvitations(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	if err := store.SetMailFrom(ctx, "door@example.org", start); err != nil {
		t.Fatal(err)
	}
	kept := person(3, "kept")
	kept.Hash = foreignBcrypt(t, "$2y$")
	gone := person(4, "gone")
	gone.Inactive = true
	imported(t, store, []roster.Person{person(2, "bob"), kept, gone}, db.ImportOptions{MailLinks: true})
	m, err := store.ClaimMail(ctx, start)
	if err != nil || m.Email != "bob@example.org" || m.Kind != account.MailInvitation {
		t.Fatalf("%+v %v", m, err)
	}
	if _, err := store.UseLink(ctx, m.Token, "Bob", dbtest.Password, db.Client{}, start.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	if _, err := store.ClaimMail(ctx, start); !errors.Is(err, db.ErrNotFound) {
		t.Error("somebody else has a mail too: ", err)
	}
}
