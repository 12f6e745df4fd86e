package db_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// inviteNamed adds somebody without a password, which is quick.
func inviteNamed(t *testing.T, store *db.Store, name, email string) int64 {
	t.Helper()
	id, _, err := store.Invite(ctx, db.NewPerson{
		Name:  name,
		Email: email,
		Role:  twofactor.Member,
	}, db.Machine("test").Author(), start)
	if err != nil {
		t.Fatalf("%s, %s: %v", name, email, err)
	}
	return id
}

// found returns the names on every page of a search, in order.
func found(t *testing.T, store *db.Store, search string) []string {
	t.Helper()
	var names []string
	for after := ""; ; {
		page, err := store.People(ctx, account.PeopleFilter{Search: search}, after)
		if err != nil {
			t.Fatalf("%q after %q: %v", search, after, err)
		}
		for _, p := range page.People {
			names = append(names, p.Name)
		}
		if after = page.Next; after == "" {
			return names
		}
	}
}

// requireFound checks what a search finds.
func requireFound(t *testing.T, store *db.Store, search, want string) {
	t.Helper()
	if got := strings.Join(found(t, store, search), ", "); got != want {
		t.Errorf("searching %q finds %s; want %s", search, got, want)
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	for _, p := range [][2]string{
		{"山田太郎", "yamada@example.jp"}, {"Miles O'Connor", "miles@example.org"}, {"Ana Strauß", "ana@bücher.example"},
		{"José Núñez", "jose@example.org"},
		{"Łucja Żak", "lucja@example.org"}, {"Anastasia", "stas@example.org"}, {"ＡＤＡ", "ada@example.org"},
		{"100% _Wild_", "wild@example.org"},
	} {
		inviteNamed(t, store, p[0], p[1])
	}
	for search, want := range map[string]string{
		"太郎":                     "山田太郎",
		"oconnor":                "Miles O'Connor",
		"O’CONNOR":               "Miles O'Connor",
		"conn":                   "Miles O'Connor",
		"strauss":                "Ana Strauß",
		"STRAUẞ":                 "Ana Strauß",
		"nunez":                  "José Núñez",
		"Nu\u0301n":              "José Núñez",
		"lucja zak":              "Łucja Żak",
		"ada":                    "ＡＤＡ, 山田太郎",
		"ａｄａ":                    "ＡＤＡ, 山田太郎",
		"ana":                    "Ana Strauß, Anastasia",
		"stas org":               "Anastasia",
		"bücher":                 "Ana Strauß",
		"ana@bücher.example":     "Ana Strauß",
		"ana@xn--bcher-kva":      "Ana Strauß",
		"%":                      "100% _Wild_, ＡＤＡ, Ana Strauß, Anastasia, José Núñez, Łucja Żak, Miles O'Connor, 山田太郎",
		"w_ld":                   "100% _Wild_", // w and ld
		"nobody":                 "",
		"ana nobody":             "",
		"\x00ana\xff nunez":      "",
		"jose\x00nunez":          "José Núñez",
		"' OR 1=1 --":            "100% _Wild_", // or stands in org, and 1 in 100
		strings.Repeat("a", 600): "",
	} {
		requireFound(t, store, search, want)
	}
}

func TestSearchAfterAChange(t *testing.T) {
	t.Parallel()
	s := newWorkspace(t)
	by := s.author("super")
	change := func(name, email string) {
		t.Helper()
		s.must(s.store.ChangePerson(ctx, s.id["member"], account.Seen{}, db.NewPerson{
			Name:  name,
			Email: email,
			Role:  twofactor.Member,
		}, by, start))
	}
	change("Zoë Quux", "zoe@example.org")
	requireFound(t, s.store, "quux", "Zoë Quux")
	change("Zoë Strauß", "zoe@example.net")
	requireFound(t, s.store, "quux", "")
	requireFound(t, s.store, "strauss", "Zoë Strauß")
	requireFound(t, s.store, "zoe net", "Zoë Strauß")
	s.must(s.store.Close())
	path := filepath.Join(s.dir, db.FileName)
	if got := queryText(t, path, `SELECT count(*) FROM person_word WHERE word LIKE 'quux%' OR sort_key = 'zoe quux'`); got !=
		"0" {
		t.Errorf("%s entries of the old name are left", got)
	}
}

// TestSearchManyMatch goes through more matches than are put in the order of names:
// pages follow each other, everybody comes once, and who shares a whole word comes in
// the order of names.
func TestSearchManyMatch(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	const people = 230
	for i := range people {
		name := fmt.Sprintf("Aaron %03d aardvark", (i*97)%people)
		if i%2 == 1 {
			name = fmt.Sprintf("Álvaro %03d aardvark", (i*97)%people)
		}
		inviteNamed(t, store, name, fmt.Sprintf("p%03d@example.org", i))
	}
	inOrder := func(a, b string) int { return strings.Compare(account.SortKey(a), account.SortKey(b)) }
	for search, want := range map[string]int{"aardvark": people, "example": people, "a": people, "aar": people,
		"alva": people / 2, "alvaro example": people / 2, "aaron alvaro": 0,
		"alvaro 001": 2 /* by name and by address */} {
		names := found(t, store, search)
		if len(names) != want {
			t.Errorf("searching %q finds %d; want %d", search, len(names), want)
		}
		if search != "a" && search != "aar" && !slices.IsSortedFunc(names, inOrder) {
			t.Errorf("%q is not in the order of names: %q", search, names)
		}
		slices.Sort(names)
		if n := len(slices.Compact(names)); n != want {
			t.Errorf("searching %q finds %d people, some of them twice; want %d", search, n, want)
		}
	}
	for _, after := range []string{"x", "3 nonsense", "3 zzz/zzz", "\x00\xff", "-1 /",
		"9223372036854775807 example/x"} {
		if _, err := store.People(ctx, account.PeopleFilter{Search: "example"}, after); err != nil {
			t.Errorf("after %q: %v", after, err)
		}
	}
}

func TestPeopleAreSortedForPeople(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	for i, name := range []string{"zoë", "Émile", "adam", "Ada", "Øystein", "Ángel", "O'Neill", "Onassis", "eva", "Ｂｏｂ",
		"山田"} {
		inviteNamed(t, store, name, fmt.Sprintf("p%d@example.org", i))
	}
	const want = "Ada, adam, Ángel, Ｂｏｂ, Émile, eva, Onassis, O'Neill, Øystein, zoë, 山田"
	requireFound(t, store, "", want)
	requireFound(t, store, "example", want)
	var listed, open []string
	if err := store.EachPerson(ctx,
		func(p db.Person) error { listed = append(listed, p.Name); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := store.EachNotEnrolled(ctx,
		func(p db.Person) error { open = append(open, p.Name); return nil }); err != nil {
		t.Fatal(err)
	}
	for _, got := range [][]string{listed, open} {
		if strings.Join(got, ", ") != want {
			t.Errorf("%s; want %s", got, want)
		}
	}
}

// TestEnrolledIsKept holds the column of person that the store's code keeps: after
// each move it says what the enrolments say.
func TestEnrolledIsKept(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	admin := dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	bob := dbtest.Add(t, store, "bob@example.org", twofactor.Member)
	kept := func(move string, enrolled ...string) {
		t.Helper()
		var not []string
		if err := store.EachNotEnrolled(ctx,
			func(p db.Person) error { not = append(not, p.Email); return nil }); err != nil {
			t.Fatal(err)
		}
		if err := store.EachPerson(ctx, func(p db.Person) error {
			is := !slices.Contains(not, p.Email)
			if is != (p.State() == twofactor.Enabled) || is != slices.Contains(enrolled, p.Email) {
				t.Errorf("after %s: %s counts as enrolled: %v; the factor is %s", move, p.Email, is, p.State())
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	machine, client := db.Machine("root").Author(), db.Client{}
	kept("nothing")
	v := signIn(t, store, "bob@example.org", start)
	_, err := store.EnableTwoFactor(ctx, v, start)
	must(err)
	kept("enabling")
	_, _, err = store.ConfirmTwoFactor(ctx, v, "000000", client, start)
	if !db.IsRefusal(err) {
		t.Fatal(err)
	}
	kept("a wrong code")
	e := enrol(t, store, "bob@example.org", start)
	kept("confirming", "bob@example.org")
	_, renewed, err := store.RegenerateRecoveryCodes(ctx, e.visitor, client, start)
	must(err)
	kept("regenerating", "bob@example.org")
	_, _, err = store.DisableTwoFactor(ctx, visitor(t, store, renewed.Session, start), dbtest.Password, client, start)
	must(err)
	kept("disabling")
	enrol(t, store, "bob@example.org", start)
	enrol(t, store, "ada@example.org", start)
	kept("confirming twice", "ada@example.org", "bob@example.org")
	must(store.ResetTwoFactor(ctx, bob, machine, start))
	kept("a reset", "ada@example.org")
	must(store.EndSessionsOf(ctx, admin, machine, start))
	must(store.Sweep(ctx, start.AddDate(1, 0, 0)))
	kept("the end of all sessions", "ada@example.org")
}
