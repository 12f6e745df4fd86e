package db_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/db/dbtest/server"
	"gatehouse/twofactor"
)

// A workspace is a store with one person of each role.
type workspace struct {
	t     *testing.T
	store *db.Store
	dir   string
	id    map[string]int64
}

var roleByName = map[string]twofactor.Role{"super": twofactor.SuperAdmin, "super2": twofactor.SuperAdmin,
	"it":    twofactor.ITAdministrator,
	"admin": twofactor.Administrator, "admin2": twofactor.Administrator, "member": twofactor.Member,
	"member2": twofactor.Member}

// workspaceFiles makes the workspace once; its passwords cost time.
var workspaceFiles = sync.OnceValues(func() (files map[string][]byte, id map[string]int64) {
	dir, err := os.MkdirTemp("", "staff")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	schema, err := os.ReadFile("../schema.sql")
	if err != nil {
		panic(err)
	}
	id, err = fillWorkspace(db.Options{
		Dir:       dir,
		Schema:    string(schema),
		Workspace: "Acme",
		Times:     db.DefaultTimes,
		Now:       start,
		Hashing:   dbtest.CheapHashes,
	})
	if err != nil {
		panic(err)
	}
	files = map[string][]byte{}
	for _, name := range []string{db.FileName, db.KeyFileName} {
		if files[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			panic(err)
		}
	}
	return files, id
})

// fillWorkspace adds the people, in the same order each time.
func fillWorkspace(o db.Options) (id map[string]int64, err error) {
	store, err := db.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	id = map[string]int64{}
	for _, kind := range slices.Sorted(maps.Keys(roleByName)) {
		n := db.NewPerson{
			Name:     "Person of " + kind + "@example.org",
			Email:    kind + "@example.org",
			Password: dbtest.Password,
			Role:     roleByName[kind],
		}
		if id[kind], err = store.AddPerson(ctx, n, db.Machine("test"), start); err != nil {
			return nil, err
		}
	}
	return id, store.Close()
}

func newWorkspace(t *testing.T) *workspace {
	t.Helper()
	files, id := workspaceFiles()
	dir := t.TempDir()
	if server.IsUsed() {
		o := dbtest.Options(t, "")
		server.Database(t, dir, db.KeyFileName, "staff", func(dir, url string) error {
			o.Dir, o.Database = dir, url
			_, err := fillWorkspace(o)
			return err
		})
		return &workspace{t: t, store: dbtest.OpenIn(t, dir), id: id, dir: dir}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &workspace{t: t, store: dbtest.OpenIn(t, dir), id: id, dir: dir}
}

// author is one of these people, signed in, or the command line.
func (s *workspace) author(kind string) db.Author {
	s.t.Helper()
	if kind == "machine" {
		return db.Machine("test").Author()
	}
	return signIn(s.t, s.store, kind+"@example.org", start).Author(db.Client{Address: "192.0.2.1"})
}

func (s *workspace) person(kind string) db.Person {
	s.t.Helper()
	p, err := s.store.Person(ctx, s.id[kind])
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// rows returns the newest rows of activity.
func (s *workspace) rows() []db.ActivityRow {
	s.t.Helper()
	page, err := s.store.Activity(ctx, db.Filter{})
	if err != nil {
		s.t.Fatal(err)
	}
	return page.Rows
}

func setRole(to twofactor.Role) func(*workspace, db.Author, string) error {
	return func(s *workspace, by db.Author, whom string) error {
		return s.store.SetRole(ctx, s.id[whom], to, by, start)
	}
}

func editPerson(change func(*db.NewPerson)) func(*workspace, db.Author, string) error {
	return func(s *workspace, by db.Author, whom string) error {
		p := s.person(whom)
		n := db.NewPerson{Name: p.Name, Email: p.Email, Role: p.Role}
		change(&n)
		return s.store.ChangePerson(ctx, p.ID, account.Seen{}, n, by, start)
	}
}

func invite(to twofactor.Role) func(*workspace, db.Author, string) error {
	return func(s *workspace, by db.Author, _ string) error {
		_, _, err := s.store.Invite(ctx, db.NewPerson{Name: "Neo", Email: "neo@example.org", Role: to}, by, start)
		return err
	}
}

var (
	renamePerson = editPerson(func(n *db.NewPerson) { n.Name = "Another Name" })
	deactivate   = func(s *workspace, by db.Author, whom string) error {
		return s.store.SetActive(ctx, s.id[whom], false, by, start)
	}
	reactivate = func(s *workspace, by db.Author, whom string) error {
		return s.store.SetActive(ctx, s.id[whom], true, by, start)
	}
	endSessions = func(s *workspace, by db.Author, whom string) error {
		return s.store.EndSessionsOf(ctx, s.id[whom], by, start)
	}
	makeLink = func(s *workspace, by db.Author, whom string) error {
		_, err := s.store.NewLink(ctx, s.id[whom], by, start)
		return err
	}
	resetFactor = func(s *workspace, by db.Author, whom string) error {
		enrol(s.t, s.store, whom+"@example.org", start)
		return s.store.ResetTwoFactor(ctx, s.id[whom], by, start)
	}
	unlock = func(s *workspace, by db.Author, whom string) error {
		return s.store.Unlock(ctx, s.id[whom], by, start)
	}
)

// TestAuthorization holds every rule about who changes whom.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, author, whom string
		do                 func(*workspace, db.Author, string) error
		want               error
	}{
		{"a Super-administrator makes an admin", "super", "member", setRole(twofactor.Administrator), nil},
		{"a Super-administrator makes a Super-administrator", "super", "admin", setRole(twofactor.SuperAdmin), nil},
		{"a Super-administrator demotes another", "super", "super2", setRole(twofactor.Member), nil},
		{"an administrator makes no admin", "admin", "member", setRole(twofactor.Administrator), account.ErrNotAllowed},
		{"an IT administrator makes no admin", "it", "member", setRole(twofactor.ITAdministrator), account.ErrNotAllowed},
		{"an administrator demotes no admin", "admin", "it", setRole(twofactor.Member), account.ErrNotAllowed},
		{"a member changes nobody's role", "member", "member2", setRole(twofactor.Member), account.ErrNotAllowed},
		{"nobody raises their own role", "admin", "admin", setRole(twofactor.SuperAdmin), account.ErrNotAllowed},
		{"nobody changes their own role", "super", "super", setRole(twofactor.Member), account.ErrOwnRole},
		{"nobody changes their own role in the form", "super", "super",
			editPerson(func(n *db.NewPerson) { n.Role = twofactor.Member }), account.ErrOwnRole},
		{"the machine makes an admin", "machine", "member", setRole(twofactor.SuperAdmin), nil},
		{"a role that there is not is refused", "super", "member", setRole("owner"), account.FieldError{
			Field:  "role",
			Reason: account.Unknown,
		}},

		{"an administrator changes a member's name", "admin", "member", renamePerson, nil},
		{"an administrator changes no admin's name", "admin", "it", renamePerson, account.ErrNotAllowed},
		{"an administrator changes no other administrator's name", "admin", "admin2", renamePerson, account.ErrNotAllowed},
		{"a Super-administrator changes an admin's name", "super", "admin", renamePerson, nil},
		{"a member changes nobody's name", "member", "member2", renamePerson, account.ErrNotAllowed},
		{"an address that somebody has is refused", "admin", "member",
			editPerson(func(n *db.NewPerson) { n.Email = "IT@example.org " }), account.FieldError{
				Field:  "email",
				Reason: account.Taken,
			}},
		{"an empty name is refused", "admin", "member", editPerson(func(n *db.NewPerson) { n.Name = " \t" }),
			account.FieldError{
				Field:  "name",
				Reason: account.Missing,
			}},

		{"an administrator invites a member", "admin", "", invite(twofactor.Member), nil},
		{"an administrator invites no admin", "admin", "", invite(twofactor.ITAdministrator), account.ErrNotAllowed},
		{"a Super-administrator invites an admin", "super", "", invite(twofactor.SuperAdmin), nil},
		{"a member invites nobody", "member", "", invite(twofactor.Member), account.ErrNotAllowed},

		{"an administrator deactivates a member", "it", "member", deactivate, nil},
		{"an administrator deactivates no admin", "admin", "it", deactivate, account.ErrNotAllowed},
		{"a Super-administrator deactivates an admin", "super", "admin", deactivate, nil},
		{"nobody deactivates themselves", "super", "super", deactivate, account.ErrOwnAccount},
		{"an administrator reactivates a member", "admin", "member", reactivate, nil},

		{"an administrator ends a member's sessions", "admin", "member", endSessions, nil},
		{"an administrator ends no admin's sessions", "admin", "super", endSessions, account.ErrNotAllowed},
		{"one's own sessions are ended on My profile", "super", "super", endSessions, account.ErrOwnAccount},

		{"an administrator makes a link for a member", "admin", "member", makeLink, nil},
		{"an administrator makes no link for an admin", "admin", "super", makeLink, account.ErrNotAllowed},
		{"nobody makes a link for themselves", "super", "super", makeLink, account.ErrOwnAccount},

		{"an administrator resets a member's factor", "admin", "member", resetFactor, nil},
		{"an administrator resets no admin's factor", "admin", "it", resetFactor, account.ErrNotAllowed},
		{"a Super-administrator resets an admin's factor", "super", "it", resetFactor, nil},
		{"nobody resets their own factor without the password", "machine", "super",
			func(s *workspace, _ db.Author, whom string) error {
				e := enrol(s.t, s.store, whom+"@example.org", start)
				return s.store.ResetTwoFactor(ctx, s.id[whom], e.visitor.Author(db.Client{}), start)
			}, account.ErrOwnAccount},
		{"a factor that is not there is not reset", "admin", "member", func(s *workspace, by db.Author, whom string) error {
			return s.store.ResetTwoFactor(ctx, s.id[whom], by, start)
		}, twofactor.ErrNotEnabled},

		{"an administrator unlocks a member", "admin", "member", unlock, nil},
		{"an administrator unlocks no admin", "admin", "it", unlock, account.ErrNotAllowed},
		{"nobody unlocks themselves", "super", "super", unlock, account.ErrOwnAccount},

		{"a member dismisses no notice", "member", "",
			func(s *workspace, by db.Author, _ string) error { return s.store.DismissNotice(ctx, 1, by, start) },
			account.ErrNotAllowed},
		{"nobody is found under a wrong number", "super", "nobody", renameNobody, db.ErrNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newWorkspace(t)
			by := s.author(c.author)
			before := len(s.rows())
			err := c.do(s, by, c.whom)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if changed := slices.ContainsFunc(s.rows()[:len(s.rows())-before], func(r db.ActivityRow) bool {
				return r.Event != account.SignedIn && r.Event != account.FactorEnabled
			}); changed != (err == nil) && !isNoChange(c.name) {
				t.Errorf("activity was written: %v, want %v", changed, err == nil)
			}
		})
	}
}

// isNoChange names the rows that ask for what is so already.
func isNoChange(name string) bool { return name == "an administrator reactivates a member" }

func renameNobody(s *workspace, by db.Author, _ string) error {
	return s.store.ChangePerson(ctx, 4711, account.Seen{}, db.NewPerson{
		Name:  "A",
		Email: "a@example.org",
		Role:  twofactor.Member,
	}, by, start)
}

// TestActorIsCheckedInTheTransaction cannot finish what was begun.
func TestActorIsCheckedInTheTransaction(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*workspace) error{
		"an admin who was deactivated": func(s *workspace) error { return deactivate(s, s.author("super"), "admin") },
		"an admin whose sessions were ended": func(s *workspace) error {
			return endSessions(s, s.author("super"), "admin")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newWorkspace(t)
			by := s.author("admin")
			if err := end(s); err != nil {
				t.Fatal(err)
			}
			if err := renamePerson(s, by, "member"); !errors.Is(err, db.ErrSignedOut) {
				t.Errorf("got %v, want ErrSignedOut", err)
			}
		})
	}
	t.Run("an admin who was demoted", func(t *testing.T) {
		s := newWorkspace(t)
		by := s.author("admin")
		if err := setRole(twofactor.Member)(s, s.author("super"), "admin"); err != nil {
			t.Fatal(err)
		}
		if err := renamePerson(s, by, "member"); !errors.Is(err, account.ErrNotAllowed) {
			t.Errorf("got %v, want ErrNotAllowed", err)
		}
	})
}

func TestLastSuperAdministratorStays(t *testing.T) {
	t.Parallel()
	machine := db.Machine("root").Author()
	alone := func(t *testing.T) *workspace {
		s := newWorkspace(t)
		if err := setRole(twofactor.Member)(s, machine, "super2"); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, do := range map[string]func(*workspace) error{
		"is not demoted":     func(s *workspace) error { return setRole(twofactor.Member)(s, machine, "super") },
		"is not deactivated": func(s *workspace) error { return deactivate(s, machine, "super") },
		"is not demoted while the other one has not taken up the invitation": func(s *workspace) error {
			if _, _, err := s.store.Invite(ctx, db.NewPerson{
				Name:  "Neo",
				Email: "neo@example.org",
				Role:  twofactor.SuperAdmin,
			}, machine, start); err != nil {
				return err
			}
			return setRole(twofactor.Member)(s, machine, "super")
		},
		"is not demoted while the other one is deactivated": func(s *workspace) error {
			if err := errors.Join(setRole(twofactor.SuperAdmin)(s, machine, "super2"),
				deactivate(s, machine, "super2")); err != nil {
				return err
			}
			return setRole(twofactor.Member)(s, machine, "super")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := alone(t)
			if err := do(s); !errors.Is(err, account.ErrLastSuperAdmin) {
				t.Errorf("got %v, want account.ErrLastSuperAdmin", err)
			}
			if p := s.person("super"); p.Role != twofactor.SuperAdmin || !p.Active {
				t.Errorf("the last one is now %+v", p)
			}
		})
	}
	t.Run("and other roles change in a workspace that has none", func(t *testing.T) {
		store := dbtest.Open(t)
		id := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
		if err := store.SetRole(ctx, id, twofactor.Administrator, machine, start); err != nil {
			t.Error(err)
		}
	})
}

func TestLinks(t *testing.T) {
	t.Parallel()
	const next = "lantern sofa marble"
	client := db.Client{Address: "198.51.100.4"}
	t.Run("an invitation sets name and password, once, and signs nobody in", func(t *testing.T) {
		s := newWorkspace(t)
		_, token, err := s.store.Invite(ctx, db.NewPerson{
			Name:  "Neo",
			Email: "neo@example.org",
			Role:  twofactor.Member,
		}, s.author("admin"), start)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.store.SignIn(ctx, "neo@example.org", "", "", client, start); !errors.Is(err,
			twofactor.ErrWrongPassword) {
			t.Errorf("before it is taken up an empty password gives %v", err)
		}
		l, err := s.store.UseLink(ctx, token, "Thomas Anderson", next, client, start.Add(time.Hour))
		if err != nil || l.Kind != "invitation" || l.Email != "neo@example.org" {
			t.Fatalf("got %+v, %v", l, err)
		}
		p, err := s.store.PersonByEmail(ctx, "neo@example.org")
		if err != nil || p.Name != "Thomas Anderson" || p.Invited || !p.LastSignInAt.IsZero() {
			t.Errorf("got %+v, %v", p, err)
		}
		if _, err := s.store.UseLink(ctx, token, "Smith", next, client, start.Add(time.Hour)); !errors.Is(err,
			db.ErrNotFound) {
			t.Errorf("the second time got %v", err)
		}
		if _, err := s.store.SignIn(ctx, "neo@example.org", next, "", client, start.Add(time.Hour)); err != nil {
			t.Error(err)
		}
	})
	t.Run("a password link leaves the factor, ends sessions, and keeps the name", func(t *testing.T) {
		s := newWorkspace(t)
		ada := enrol(t, s.store, "member@example.org", start)
		token, err := s.store.NewLink(ctx, s.id["member"], s.author("admin"), start)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.store.Visitor(ctx, ada.token, start); err != nil {
			t.Fatalf("making the link ended the session: %v", err)
		}
		if _, err := s.store.UseLink(ctx, token, "Mallory", next, client, start); err != nil {
			t.Fatal(err)
		}
		if p := s.person("member"); p.Name != "Person of member@example.org" || p.ConfirmedAt.IsZero() ||
			p.CodesLeft != 8 {
			t.Errorf("got %+v", p)
		}
		if _, err := s.store.Visitor(ctx, ada.token, start); !errors.Is(err, db.ErrSignedOut) {
			t.Errorf("the session goes on: %v", err)
		}
		result, err := s.store.SignIn(ctx, "member@example.org", next, "", client, start)
		if err != nil || result.Challenge == "" || result.Session != "" {
			t.Errorf("the new password opened %+v, %v; want the second step", result, err)
		}
	})
	for name, change := range map[string]func(s *workspace, token string) time.Time{
		"a link ends after a day": func(*workspace, string) time.Time { return start.Add(db.LinkTTL) },
		"a new link ends the one before": func(s *workspace,
			_ string) time.Time {
			s.must(makeLink(s, s.author("admin"), "member"))
			return start
		},
		"deactivating ends the link": func(s *workspace,
			_ string) time.Time {
			s.must(deactivate(s, s.author("admin"), "member"))
			return start
		},
		"reactivating brings none back": func(s *workspace, _ string) time.Time {
			s.must(deactivate(s, s.author("admin"), "member"))
			s.must(reactivate(s, s.author("admin"), "member"))
			return start
		},
		"becoming an admin ends the link": func(s *workspace, _ string) time.Time {
			s.must(setRole(twofactor.Administrator)(s, s.author("super"), "member"))
			return start
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newWorkspace(t)
			token, err := s.store.NewLink(ctx, s.id["member"], s.author("admin"), start)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.store.Link(ctx, token, start); err != nil {
				t.Fatal(err)
			}
			at := change(s, token)
			if _, err := s.store.Link(ctx, token, at); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("the link gives %v", err)
			}
			if _, err := s.store.UseLink(ctx, token, "", next, client, at); !errors.Is(err, db.ErrNotFound) {
				t.Errorf("taking it up gives %v", err)
			}
		})
	}
	t.Run("somebody deactivated gets no link", func(t *testing.T) {
		s := newWorkspace(t)
		s.must(deactivate(s, s.author("admin"), "member"))
		if err := makeLink(s, s.author("admin"), "member"); !errors.Is(err, account.ErrInactive) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("guessing links counts against the address", func(t *testing.T) {
		s := newWorkspace(t)
		for n := 0; ; n++ {
			_, err := s.store.UseLink(ctx, "x", "", next, client, start)
			if errors.As(err, new(twofactor.Wait)) {
				break
			}
			if !errors.Is(err, db.ErrNotFound) || n > 100 {
				t.Fatalf("the attempt %d gave %v", n, err)
			}
		}
	})
	t.Run("a refused password keeps the link", func(t *testing.T) {
		s := newWorkspace(t)
		token, err := s.store.NewLink(ctx, s.id["member"], s.author("admin"), start)
		s.must(err)
		if _, err := s.store.UseLink(ctx, token, "", "short", client, start); !errors.Is(err, account.FieldError{
			Field:  "password",
			Reason: account.TooShort,
			Limit:  account.PasswordMin,
		}) {
			t.Errorf("got %v", err)
		}
		if _, err := s.store.Link(ctx, token, start); err != nil {
			t.Error(err)
		}
	})
	t.Run("no link stands in the activity", func(t *testing.T) {
		s := newWorkspace(t)
		token, err := s.store.NewLink(ctx, s.id["member"], s.author("admin"), start)
		s.must(err)
		for _, r := range s.rows() {
			if strings.Contains(fmt.Sprintf("%+v", r), token) {
				t.Errorf("%+v", r)
			}
		}
	})
}

func (s *workspace) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestSetupLinkEnds when somebody was added on the machine meanwhile.
func TestSetupLinkEnds(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	token, err := store.NewSetupToken(ctx, start)
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	if err := store.CheckSetup(ctx, token); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("the link gives %v", err)
	}
	n := db.NewPerson{Name: "Mallory", Email: "mallory@example.org", Password: dbtest.Password}
	if _, err := store.SetUp(ctx, token, "Acme", n, db.Client{}, start); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("using it gives %v", err)
	}
}

// An act is something that is done on the machine, or over the web, and what the
// activity says of it.
type act struct {
	do    func(*workspace, db.Author) error
	event account.Event
}

// acts are those of the machine of which every admin is told.
var acts = map[string]act{
	"policy set": {func(s *workspace, by db.Author) error {
		return s.store.SetPolicy(ctx, twofactor.Policy{Admins: true}, by, start)
	}, account.PolicyChanged},
	"two-factor reset": {func(s *workspace, by db.Author) error { return resetFactor(s, by, "member") },
		account.FactorReset},
	"user unlock": {func(s *workspace, by db.Author) error { return unlock(s, by, "member") },
		account.PersonUnlocked},
	"user set-role, to an admin": {func(s *workspace, by db.Author) error {
		return setRole(twofactor.Administrator)(s, by,
			"member")
	}, account.RoleChanged},
	"user set-role, from an admin": {func(s *workspace, by db.Author) error { return setRole(twofactor.Member)(s, by, "it") },
		account.RoleChanged},
	"user deactivate, an admin": {func(s *workspace, by db.Author) error { return deactivate(s, by, "it") },
		account.PersonDeactivated},
	"user deactivate, a member": {func(s *workspace, by db.Author) error { return deactivate(s, by, "member") },
		account.PersonDeactivated},
	"user reactivate":             {reactivated, account.PersonReactivated},
	"user set-password, a member": {setPassword("member"), account.PasswordChanged},
	"user set-password, a super":  {setPassword("super2"), account.PasswordChanged},
	"user remove, a member": {func(s *workspace, by db.Author) error {
		return s.store.RemovePerson(ctx,
			s.id["member"], by, start)
	}, account.PersonRemoved},
	"user remove, an admin": {func(s *workspace, by db.Author) error {
		return s.store.RemovePerson(ctx, s.id["it"],
			by, start)
	}, account.PersonRemoved},
	"user invite, an administrator": {func(s *workspace, by db.Author) error {
		return invite(twofactor.Administrator)(s, by,
			"")
	}, account.PersonAdded},
	"user invite, a super": {func(s *workspace, by db.Author) error { return invite(twofactor.SuperAdmin)(s, by, "") },
		account.PersonAdded},
}

func setPassword(whom string) func(*workspace, db.Author) error {
	return func(s *workspace, by db.Author) error {
		return s.store.SetPassword(ctx, s.id[whom], "another violet kettle", by, start)
	}
}

// reactivated reactivates somebody whom an admin has deactivated.
func reactivated(s *workspace, by db.Author) error {
	s.must(deactivate(s, s.author("super"), "member"))
	return s.store.SetActive(ctx, s.id["member"], true, by, start)
}

// notices returns the open notices; those that were there before do not count.
func (s *workspace) notices(before int) []db.OpenNotice {
	s.t.Helper()
	open, err := s.store.Notices(ctx)
	if err != nil || open.Count != len(open.Newest) || open.Count < before {
		s.t.Fatalf("notices: %+v, %v", open, err)
	}
	return open.Newest[:open.Count-before]
}

// TestBreakGlass leaves a row with the operating system's user, and a notice
// until an admin dismisses it; the same change over the web leaves a row alone.
func TestBreakGlass(t *testing.T) {
	t.Parallel()
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			s := newWorkspace(t)
			before := len(s.notices(0))
			s.must(act.do(s, db.Machine("root").Author()))
			open := s.notices(before)
			root := account.Party{Kind: account.ActorMachine, Name: "os:root"}
			if len(open) != 1 || open[0].Actor != root || open[0].Event != act.event {
				t.Fatalf("notices: %+v", open)
			}
			isShown := false
			for _, r := range s.rows() {
				isShown = isShown ||
					r.Event == act.event && r.Actor == root && r.Method == account.ByCommand &&
						r.Subject == open[0].Subject
			}
			if !isShown {
				t.Error("there is no row")
			}
			admin := s.author("admin")
			s.must(s.store.DismissNotice(ctx, open[0].ID, admin, start))
			s.must(s.store.DismissNotice(ctx, open[0].ID, admin, start))
			if open := s.notices(before); len(open) != 0 {
				t.Errorf("after dismissing: %+v", open)
			}
			dismissed := 0
			for _, r := range s.rows() {
				if r.Event == account.NoticeDismissed {
					dismissed++
				}
			}
			if dismissed != 1 {
				t.Errorf("%d rows tell of the dismissal", dismissed)
			}
		})
		t.Run(name+" over the web", func(t *testing.T) {
			s := newWorkspace(t)
			before := len(s.notices(0))
			s.must(act.do(s, s.author("super")))
			if open := s.notices(before); len(open) != 0 {
				t.Errorf("notices: %+v", open)
			}
		})
	}
}

// count returns how many rows of an event there are.
func (s *workspace) count(event account.Event) (n int) {
	s.t.Helper()
	for _, r := range s.rows() {
		if r.Event == event {
			n++
		}
	}
	return n
}

// TestAdditionsByTheMachine tells of admins that are added on the machine, but not of the
// first person, when there is nobody to tell, nor of members.
func TestAdditionsByTheMachine(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	s := &workspace{t: t, store: store}
	dbtest.Add(t, store, "ada@example.org", twofactor.SuperAdmin)
	if open := s.notices(0); len(open) != 0 {
		t.Errorf("of the first person: %+v", open)
	}
	dbtest.Add(t, store, "ben@example.org", twofactor.Member)
	if open := s.notices(0); len(open) != 0 {
		t.Errorf("of a member: %+v", open)
	}
	for i, role := range []twofactor.Role{twofactor.Administrator, twofactor.ITAdministrator, twofactor.SuperAdmin} {
		id := dbtest.Add(t, store, string(role)+"@example.org", role)
		if open := s.notices(0); len(open) != i+1 || open[0].Subject.ID != id || open[0].Event != account.PersonAdded ||
			open[0].Detail != string(role) {
			t.Errorf("of a %s: %+v", role, open)
		}
	}
}

// TestNobodyIsNotTheMachine gives every change an author and an actor that nobody has
// made: the zero value must not pass for the machine, which may everything.
func TestNobodyIsNotTheMachine(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]db.Author{
		"the zero author":             {},
		"the author of a zero actor":  db.Actor{}.Author(),
		"the author of a bare number": db.Actor{ID: 1}.Author(),
		"a visitor who is nobody":     db.Visitor{}.Author(db.Client{}),
	} {
		for what, act := range acts {
			s := newWorkspace(t)
			before := s.count(act.event)
			if err := act.do(s, by); err == nil {
				t.Errorf("%s: %s is done", what, name)
			}
			if after := s.count(act.event); after != before {
				t.Errorf("%s: %s leaves %d rows", what, name, after-before)
			}
		}
	}
	s := newWorkspace(t)
	for name, by := range map[string]db.Actor{"the zero actor": {}, "a bare number": {ID: s.id["super"]}} {
		before := len(s.rows())
		n := db.NewPerson{Name: "Eve", Email: "eve@example.org", Password: dbtest.Password, Role: twofactor.SuperAdmin}
		if _, err := s.store.AddPerson(ctx, n, by, start); err == nil {
			t.Errorf("%s adds a person", name)
		}
		if _, err := s.store.RotateKey(ctx, by, start); err == nil {
			t.Errorf("%s rotates the key", name)
		}
		if after := len(s.rows()); after != before {
			t.Errorf("%s leaves %d rows", name, after-before)
		}
	}
}

func TestPeopleInPages(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	want := map[string]bool{}
	for i := range 2*db.PageSize + 3 {
		email := fmt.Sprintf("p%03d@example.org", i)
		_, _, err := store.Invite(ctx, db.NewPerson{
			Name:  fmt.Sprintf("Same %d", i%3),
			Email: email,
			Role:  twofactor.Member,
		}, db.Machine("test").Author(), start)
		if err != nil {
			t.Fatal(err)
		}
		want[email] = true
	}
	lists := map[string]func(after string) (db.PeoplePage, error){
		"everybody": func(after string) (db.PeoplePage, error) { return store.People(ctx, account.PeopleFilter{}, after) },
		"a search": func(after string) (db.PeoplePage, error) {
			return store.People(ctx, account.PeopleFilter{Search: "sam"}, after)
		},
		"the not enrolled": func(after string) (db.PeoplePage, error) { return store.NotEnrolled(ctx, after) },
	}
	for name, list := range lists {
		t.Run(name, func(t *testing.T) {
			seen := map[string]bool{}
			after, last := "", ""
			for range 3 {
				page, err := list(after)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range page.People {
					if seen[p.Email] {
						t.Errorf("%s twice", p.Email)
					}
					if p.Name < last {
						t.Errorf("%s after %s", p.Name, last)
					}
					seen[p.Email], last = true, p.Name
				}
				after = page.Next
			}
			if len(seen) != len(want) || after != "" {
				t.Errorf("%d people of %d, and then %q", len(seen), len(want), after)
			}
		})
	}
	for search, n := range map[string]int{"p007": 1, "P007@EXAMPLE": 1, "same 2": 46 /* 34 names, and 12 other addresses with a 2 */, "nobody": 0, `"'*()^ p008`: 1, `" NEAR x --`: 0, "': ": db.PageSize} {
		page, err := store.People(ctx, account.PeopleFilter{Search: search}, "")
		if err != nil || (n < db.PageSize) != (len(page.People) < db.PageSize) ||
			n < db.PageSize && len(page.People) != n {
			t.Errorf("searching %q found %d, %v; want %d", search, len(page.People), err, n)
		}
	}
	for _, key := range []string{"x", "9223372036854775808 a", " ", "-1", "\x00"} {
		if page, err := store.People(ctx, account.PeopleFilter{}, key); err != nil || len(page.People) == 0 {
			t.Errorf("after %q: %d people, %v", key, len(page.People), err)
		}
	}
}

// TestNotEnrolled follows the factor through all its moves.
func TestNotEnrolled(t *testing.T) {
	t.Parallel()
	s := newWorkspace(t)
	listed := func() string {
		t.Helper()
		var emails []string
		s.must(s.store.EachNotEnrolled(ctx, func(p db.Person) error {
			emails = append(emails, strings.TrimSuffix(p.Email, "@example.org"))
			return nil
		}))
		page, err := s.store.NotEnrolled(ctx, "")
		s.must(err)
		if len(page.People) != len(emails) {
			t.Errorf("the page lists %d, the export %d", len(page.People), len(emails))
		}
		return strings.Join(emails, " ")
	}
	const all = "admin admin2 it member member2 super super2"
	if got := listed(); got != all {
		t.Errorf("got %s", got)
	}
	e := enrol(t, s.store, "member@example.org", start)
	if got := listed(); got != strings.Replace(all, " member ", " ", 1) {
		t.Errorf("after enrolling: %s", got)
	}
	if _, _, err := s.store.DisableTwoFactor(ctx, e.visitor, dbtest.Password, db.Client{}, start); err != nil {
		t.Fatal(err)
	}
	if got := listed(); got != all {
		t.Errorf("after disabling: %s", got)
	}
	s.must(resetFactor(s, s.author("super"), "it"))
	s.must(deactivate(s, s.author("super"), "member2"))
	if got := listed(); got != strings.Replace(all, " member2", "", 1) {
		t.Errorf("after a reset and a deactivation: %s", got)
	}
}

func TestPolicyImpact(t *testing.T) {
	t.Parallel()
	s := newWorkspace(t)
	enrol(t, s.store, "admin@example.org", start)
	s.must(deactivate(s, s.author("super"), "admin2"))
	v := signIn(t, s.store, "super@example.org", start)
	everyone, err := s.store.PolicyImpact(ctx, v, twofactor.Policy{Everyone: true})
	if err != nil || everyone.Count != 5 || len(everyone.First) != 5 || !everyone.You || everyone.More {
		t.Errorf("everyone: %+v, %v", everyone, err)
	}
	admins, err := s.store.PolicyImpact(ctx, v, twofactor.Policy{Admins: true})
	if err != nil || admins.Count != 3 || !admins.You {
		t.Errorf("admins: %+v, %v", admins, err)
	}
	for _, person := range admins.First {
		if signedIn := person.Name == "Person of super@example.org"; person.NeverSignedIn == signedIn {
			t.Errorf("%+v", person)
		}
	}
	if none, err := s.store.AdminsWithoutCodes(ctx); err != nil || none {
		t.Errorf("admins without codes: %v, %v", none, err)
	}
	s.must(s.store.ResetTwoFactor(ctx, s.id["admin"], s.author("super"), start))
	if none, err := s.store.AdminsWithoutCodes(ctx); err != nil || !none {
		t.Errorf("after the reset, admins without codes: %v, %v", none, err)
	}
}

func TestActivityInPages(t *testing.T) {
	t.Parallel()
	s := newWorkspace(t)
	admin := s.author("admin")
	begin := start.Add(time.Hour)
	const n = 2*db.PageSize + 7
	for i := range n {
		at := begin.Add(time.Duration(i/3) * time.Second) // three to a second: the key needs both its halves
		if err := s.store.EndSessionsOf(ctx, s.id["member"], admin, at); err != nil {
			t.Fatal(err)
		}
	}
	// the clock was set back
	s.must(s.store.Unlock(ctx, s.id["member2"], db.Machine("root").Author(), begin.Add(-time.Minute)))
	for name, c := range map[string]struct {
		filter db.Filter
		want   int
	}{
		"of one event":             {db.Filter{Event: account.SessionsEnded}, n},
		"about somebody":           {db.Filter{Person: s.id["member"], From: begin}, n},
		"by somebody":              {db.Filter{Person: s.id["admin"], From: begin}, n},
		"by somebody, of an event": {db.Filter{Person: s.id["admin"], Event: account.SessionsEnded}, n},
		"of a time":                {db.Filter{From: begin, Until: begin.Add(10 * time.Second)}, 30},
		"of a time and an event": {db.Filter{
			From:  begin.Add(time.Second),
			Until: begin.Add(2 * time.Second),
			Event: account.SessionsEnded,
		}, 3},
		"that was written later":       {db.Filter{From: begin.Add(-time.Hour / 2), Until: begin}, 1},
		"of nobody":                    {db.Filter{Person: 4711}, 0},
		"of an event that there isn't": {db.Filter{Event: "x"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			seen := map[int64]bool{}
			var last db.ActivityRow
			for pages := 0; ; pages++ {
				page, err := s.store.Activity(ctx, c.filter)
				if err != nil || pages > 5 {
					t.Fatal(pages, err)
				}
				for _, r := range page.Rows {
					if seen[r.ID] ||
						!last.At.IsZero() && (r.At.After(last.At) || r.At.Equal(last.At) && r.ID > last.ID) {
						t.Errorf("row %d twice or out of order", r.ID)
					}
					seen[r.ID], last = true, r
				}
				if c.filter.After = page.Next; page.Next == "" {
					break
				}
			}
			if len(seen) != c.want {
				t.Errorf("%d rows, want %d", len(seen), c.want)
			}
			exported := 0
			c.filter.After = ""
			s.must(s.store.EachActivity(ctx, c.filter, func(db.ActivityRow) error { exported++; return nil }))
			if exported != c.want {
				t.Errorf("%d rows exported, want %d", exported, c.want)
			}
		})
	}
}

func TestEventsSince(t *testing.T) {
	t.Parallel()
	s := newWorkspace(t)
	ada := enrol(t, s.store, "member@example.org", start)
	at := start.Add(time.Hour)
	if _, err := s.store.VerifyCode(ctx, challenged(t, s.store, "member@example.org", at), "000000",
		db.Client{Address: "203.0.113.5"}, at); err == nil {
		t.Fatal("a wrong code signed in")
	}
	result, _, err := s.store.RedeemRecoveryCode(ctx, challenged(t, s.store, "member@example.org", at),
		ada.codes[0].Text(), db.Client{}, at)
	s.must(err)
	self, err := s.store.Visitor(ctx, result.Session, at)
	s.must(err)
	events, err := s.store.EventsSince(ctx, self)
	s.must(err)
	for _, accountEvent := range events {
		if accountEvent.Event == account.SignedIn {
			t.Error("a sign-in is told of its own recovery code")
		}
	}
	s.must(s.store.ResetTwoFactor(ctx, s.id["member"], s.author("admin"), at.Add(time.Minute)))
	v := signIn(t, s.store, "member@example.org", at.Add(time.Hour))
	events, err = s.store.EventsSince(ctx, v)
	s.must(err)
	got := map[account.Event]string{}
	for _, accountEvent := range events {
		got[accountEvent.Event] = fmt.Sprint(accountEvent.Count, accountEvent.By.Name)
	}
	for event, want := range map[account.Event]string{account.SignedIn: "1",
		account.FactorReset: "1Person of admin@example.org"} {
		if got[event] != want {
			t.Errorf("%s: %q, want %q", event, got[event], want)
		}
	}
	next := signIn(t, s.store, "member@example.org", at.Add(2*time.Hour))
	if events, err := s.store.EventsSince(ctx, next); err != nil || len(events) != 0 {
		t.Errorf("the sign-in after is told %+v, %v", events, err)
	}
}

// TestEventsWithinASecond lets everything fall into one second, and a clock be set back:
// each thing that happened is told at the sign-in after it, and at no other.
func TestEventsWithinASecond(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]time.Duration{
		"all in one second":    0,
		"a second apart":       time.Second,
		"a clock that is slow": -time.Minute,
		"a clock set far back": -100 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			s := newWorkspace(t)
			at := start
			next := func() time.Time { at = at.Add(step); return at }
			told := func(v db.Visitor) map[account.Event]int {
				t.Helper()
				list, err := s.store.EventsSince(ctx, v)
				s.must(err)
				got := map[account.Event]int{}
				for _, event := range list {
					got[event.Event] += event.Count
				}
				return got
			}
			roles := []twofactor.Role{twofactor.Administrator, twofactor.Member}
			change := func() {
				t.Helper()
				s.must(s.store.SetRole(ctx, s.id["member"], roles[0], db.Machine("root").Author(), next()))
				roles[0], roles[1] = roles[1], roles[0]
			}
			change()
			if got := told(signIn(t, s.store, "member@example.org", next())); len(got) != 0 {
				t.Errorf("the first sign-in is told %v", got)
			}
			change()
			change()
			one := signIn(t, s.store, "member@example.org", next())
			change()
			two := signIn(t, s.store, "member@example.org", next())
			three := signIn(t, s.store, "member@example.org", next())
			change()
			for session, want := range map[int]int{0: 2, 1: 1, 2: 0} {
				v := []db.Visitor{one, two, three}[session]
				if got := told(v)[account.RoleChanged]; got != want {
					t.Errorf("sign-in %d is told of %d changes, want %d", session+2, got, want)
				}
			}
			if got := told(signIn(t, s.store, "member@example.org", next()))[account.RoleChanged]; got != 1 {
				t.Errorf("the last sign-in is told of %d changes, want 1", got)
			}
		})
	}
}
