package db_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// TestPeopleLists holds every filter, with and without a search, in every order and page by page,
// against a model that has everybody in memory.
func TestPeopleLists(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	everybody := manyKindsOfPeople(t, store)
	for _, order := range account.Orders {
		for _, role := range append([]twofactor.Role{""}, twofactor.Roles...) {
			for _, factors := range []account.Factors{"", account.WithTwoFactor, account.WithoutTwoFactor} {
				for _, standing := range append([]account.Standing{""}, account.Standings...) {
					for _, search := range []string{"", "same", "same 1", "p0"} {
						requireListed(t, store, everybody, account.PeopleFilter{
							Search:   search,
							Role:     role,
							Factors:  factors,
							Standing: standing,
							Order:    order,
						})
					}
				}
			}
		}
	}
}

// manyKindsOfPeople adds more than a page of people of every kind, of whom some never signed in
// and many did in the same second.
func manyKindsOfPeople(t *testing.T, store *db.Store) []db.Person {
	t.Helper()
	for i := range 3 * db.PageSize {
		inviteNamed(t, store, fmt.Sprintf("Same %d", i%40), fmt.Sprintf("p%03d@example.org", i))
	}
	err := store.Transaction(ctx, func(exec func(string, ...any) error) error {
		for _, change := range []string{
			`UPDATE person SET role = 'administrator' WHERE id % 5 = 0`,
			`UPDATE person SET role = 'super-administrator' WHERE id % 11 = 0`,
			`UPDATE person SET password_hash = 'x' WHERE id % 3 > 0`,
			`UPDATE person SET active = FALSE WHERE id % 7 = 0`,
			`UPDATE tally SET n = (SELECT count(*) FROM person WHERE active = TRUE AND id % 16 = shard)
				WHERE day = 0 AND what = 'people'`,
			`UPDATE person SET enrolled = TRUE, enrolled_at = 1 WHERE id % 4 > 1`,
			`UPDATE person SET last_sign_in_at = 1000 + id / 9 WHERE id % 6 > 1`,
		} {
			if err := exec(change); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var everybody []db.Person
	err = store.EachPerson(ctx, func(p db.Person) error {
		everybody = append(everybody, p)
		return nil
	})
	if err != nil || len(everybody) != 3*db.PageSize {
		t.Fatal(len(everybody), err)
	}
	return everybody
}

// requireListed compares the pages of a filter with the model.
func requireListed(t *testing.T, store *db.Store, everybody []db.Person, f account.PeopleFilter) {
	t.Helper()
	var want []int64
	people := slices.Clone(everybody)
	slices.SortFunc(people, func(a, b db.Person) int {
		by := strings.Compare(account.SortKey(a.Name), account.SortKey(b.Name))
		if f.Order == account.BySignIn || f.Order == account.BySignInOldest {
			by = a.LastSignInAt.Compare(b.LastSignInAt) // zero, for never, is the earliest
		}
		by = cmp.Or(by, cmp.Compare(a.ID, b.ID))
		if f.Order == account.ByNameBackward || f.Order == account.BySignIn {
			return -by
		}
		return by
	})
	for _, p := range people {
		standing := account.ActivePerson
		if p.Invited {
			standing = account.InvitedPerson
		}
		if !p.Active {
			standing = account.DeactivatedPerson
		}
		enrolled := account.WithoutTwoFactor
		if !p.ConfirmedAt.IsZero() {
			enrolled = account.WithTwoFactor
		}
		if (f.Role == "" || f.Role == p.Role) && (f.Standing == "" || f.Standing == standing) &&
			(f.Factors == "" || f.Factors == enrolled) && matches(p, f.Search) {
			want = append(want, p.ID)
		}
	}
	var got []int64
	for after, pages := "", 0; ; pages++ {
		page, err := store.People(ctx, f, after)
		if err != nil {
			t.Fatalf("%+v after %q: %v", f, after, err)
		}
		for _, p := range page.People {
			got = append(got, p.ID)
		}
		if after = page.Next; after == "" {
			if want := max(0, (len(want)-1)/db.PageSize); pages != want {
				t.Errorf("%+v: %d more pages, want %d", f, pages, want)
			}
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v: %v, want %v", f, got, want)
	}
	var exported []int64
	if err := store.EachListedPerson(ctx, f, func(p db.Person) error {
		exported = append(exported, p.ID)
		return nil
	}); err != nil || !slices.Equal(exported, want) {
		t.Errorf("%+v, all at once: %v, %v; want %v", f, exported, err, want)
	}
}

// matches reports whether somebody has every word of a search that is made of pieces of "same",
// a number, and the address.
func matches(p db.Person, search string) bool {
	for _, word := range strings.Fields(search) {
		if !strings.Contains(strings.ToLower(p.Name), word) && !strings.Contains(p.Email, word) {
			return false
		}
	}
	return true
}

// TestPeopleFilterTakesAnything has values in the filter, and keys, that no list knows.
func TestPeopleFilterTakesAnything(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	for _, bad := range []string{"x", "'", "\x00", "\xff", "-1 -1", "1 9223372036854775808", "9223372036854775807 9"} {
		for _, order := range append(account.Orders, account.Order(bad)) {
			f := account.PeopleFilter{
				Role:     twofactor.Role(bad),
				Factors:  account.Factors(bad),
				Standing: account.Standing(bad),
				Order:    order,
			}
			for _, search := range []string{"", "ada", bad} {
				f.Search = search
				if _, err := store.People(ctx, f, bad); err != nil {
					t.Errorf("%+v after %q: %v", f, bad, err)
				}
				if page, err := store.People(ctx, f, ""); err != nil || search != bad && len(page.People) != 1 {
					t.Errorf("%+v: %d people, %v", f, len(page.People), err)
				}
			}
		}
	}
}
