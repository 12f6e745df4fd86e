package roster_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"gatehouse/account"
	"gatehouse/roster"
	"gatehouse/twofactor"
	"gatehouse/typed"
)

// faults writes down what is wrong, in short.
func faults(f roster.File) []string {
	var out []string
	for _, fault := range f.Faults {
		text := fault.Err.Error()
		if p, ok := errors.AsType[roster.Problem](fault.Err); ok && p.Line > 0 {
			text += fmt.Sprint(" as ", p.Line)
		}
		out = append(out, fmt.Sprintf("%d %s", fault.Line, strings.TrimSpace(text)))
	}
	return out
}

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       roster.Format
	}{
		{"people.csv", "users:\n", roster.CSV},
		{"users_database.yml", "", roster.Authelia},
		{"users.yaml", "email,name\n", roster.Authelia},
		{"-", "---\n# people\nusers:\n  ada:\n", roster.Authelia},
		{".htpasswd", "", roster.Htpasswd},
		{"passwords", "# made by hand\nada:$2y$05$abc\n", roster.Htpasswd},
		{"-", "email;name\nada@example.org;Ada: the first\n", roster.CSV},
		{"-", "\ufeff\"email\",\"name\"\r\n", roster.CSV},
		{"-", "", roster.CSV},
	} {
		if got := roster.Detect(c.name, c.text); got != c.want {
			t.Errorf("%s with %q is %s", c.name, c.text, got)
		}
	}
}

// TestCSVAsSpreadsheetsWriteIt reads the same two people from tables of every habit.
func TestCSVAsSpreadsheetsWriteIt(t *testing.T) {
	want := []roster.Person{
		{Line: 2, Email: "ada@example.org", Name: "Ada; Lovelace", Role: twofactor.Member, UserName: "ada", Groups: []string{"ops", "dev"}},
		{Line: 3, Email: "bob@example.org", Name: "Bob \"B\" Li", Role: twofactor.Member, Inactive: true},
	}
	table := `email,name,role,user_name,groups,active
ada@example.org,"Ada; Lovelace",,ada,ops;dev,yes
bob@example.org,"Bob ""B"" Li",member,,,no
`
	for name, c := range map[string]struct {
		text    string
		shift   int
		ignored []string
	}{
		"as it is":            {text: table},
		"with a mark, CRLF":   {text: "\ufeff" + strings.ReplaceAll(table, "\n", "\r\n")},
		"without a last line": {text: strings.TrimSuffix(table, "\n")},
		"semicolons": {text: "E-Mail;Display name;Role;User name;Groups;Status\n" +
			"ADA@example.org ;\"Ada; Lovelace\";Member;Ada;ops,dev|ops;Active\nbob@example.org;\"Bob \"\"B\"\" Li\";;;;Deactivated\n"},
		"tabs, empty cells and lines at the end": {text: "email\tname\tuser_name\tgroups\tdisabled\t\n" +
			"ada@example.org\tAda; Lovelace\tada\tops,dev\t0\t\t\nbob@example.org\t\"Bob \"\"B\"\" Li\"\t\t\t1\n\t\t\t\t\n\n"},
		"sep=": {text: "sep=;\r\nemail;first name;last name;uid;group;active\r\n" +
			"ada@example.org;Ada;\"; Lovelace\";ada;ops,dev;1\r\nbob@example.org;\"Bob \"\"B\"\"\";Li;;;0\r\n", shift: 1},
		"columns that mean nothing": {text: "name,email,role,user_name,groups,active,last_sign_in,password\n" +
			"Ada; Lovelace,ada@example.org,,ada,ops|dev,,2030-01-01,secret\n" + `"Bob ""B"" Li",bob@example.org,,,,false,,` + "\n",
			ignored: []string{"last_sign_in", "password"}},
		"cells left out": {text: "email,name,active,user_name,groups\nada@example.org,Ada; Lovelace,,ada,ops;dev\n" +
			`bob@example.org,"Bob ""B"" Li",no` + "\n"},
	} {
		f := roster.Read(roster.CSV, c.text, roster.Options{})
		if len(f.Faults) > 0 {
			t.Errorf("%s: %v", name, faults(f))
			continue
		}
		for i := range f.People {
			f.People[i].Line -= c.shift
		}
		if name == "sep=" && len(f.People) > 0 {
			f.People[0].Name = strings.Replace(f.People[0].Name, "Ada ;", "Ada;", 1)
		}
		if !reflect.DeepEqual(f.People, want) || !reflect.DeepEqual(f.Ignored, c.ignored) {
			t.Errorf("%s:\n got %+v %q\nwant %+v", name, f.People, f.Ignored, want)
		}
	}
}

func TestCSVFaults(t *testing.T) {
	for text, want := range map[string][]string{
		"":                             {"1 nobody in it"},
		"email,name\n":                 {"1 nobody in it"},
		"name,role\nAda,member\n":      {"1 no column with addresses"},
		"email,mail\nada@x.org,a@b.cd": {"1 a column twice mail"},
		"email,name\nada@example.org,Ada\nbob,Bob\ncy@example.org,\nADA@example.org,Ada again\n": {
			"3 email: no e-mail address", "4 name: missing", "5 an address twice ada@example.org as 2"},
		"email,name,user_name\na@x.org,A,one\nb@x.org,B,One\nc@x.org,C,two words\n": {
			"3 a user name twice one as 2", "4 user_name: no plain name"},
		"email,name,role\na@x.org,A,boss\nb@x.org,B,Super-administrator\n\nc@x.org,C,IT administrator\n": {
			"2 no role boss", "3 an administrator's role super-administrator", "5 an administrator's role it-administrator"},
		"email,name,groups\na@x.org,A,ops;admins;Dev Team;member\n": {
			"2 a group reserved for a role admins", "2 no name of a group Dev Team", "2 a group reserved for a role member"},
		"email,name,active\na@x.org,A,maybe\n": {"2 neither yes nor no maybe"},
		"email,name\na@x.org,\"A\nb@x.org,B\n": {"2 quotes that do not close"},
		"email,name\na@x.org,A,more\n":         {"2 another number of cells than the first line"},
		"email,name\na@x.org,\xe4\n":           {"2 not UTF-8"},
		"e\x00mail,name\n":                     {"1 not UTF-8"},
		"\xff\xfee\x00m\x00":                   {"1 not UTF-8"},
	} {
		f := roster.Read(roster.CSV, text, roster.Options{})
		if got := faults(f); !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %q\nwant %q", text, got, want)
		}
	}
	if f := roster.Read(roster.CSV, strings.Repeat("x", roster.MaxSize+1), roster.Options{}); len(f.Faults) != 1 {
		t.Error("a file that is too large: ", faults(f))
	}
}

// TestOptions maps groups, and lets rows make administrators where that is asked for.
func TestOptions(t *testing.T) {
	f := roster.Read(roster.CSV, "email,name,role,groups\na@x.org,A,Super-administrator,admins;Dev Team;old\n", roster.Options{
		Admins: true,
		Groups: map[string]string{"admins": "operators", "Dev Team": "dev", "old": ""},
	})
	if len(f.Faults) > 0 || f.People[0].Role != twofactor.SuperAdmin || strings.Join(f.People[0].Groups, " ") != "operators dev" {
		t.Errorf("%+v %v", f.People, faults(f))
	}
}

const database = `---
# Authelia's file of people
users:
  ada:
    disabled: false
    displayname: 'Ada O''Connor'
    password: "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$AAAA"
    email: Ada@example.org
    given_name: ""
    address:
      locality: 'Paris'
    extra: {shoe: 42, list: [1, 2]}
    groups:
      - admins
      - "dev"
  'Bob Li':
    displayname: "Bob \u004ci"  # escaped
    password: $2b$12$abcdefghijklmnopqrstuv
    email: bob@example.org
    disabled: true
    groups: [dev, 'ops']
  1234:
    displayname: yes
    email: "n@example.org"
    password: ~
    groups: []
  true:
    displayname: True
    email: t@example.org
    groups:
    - ops
`

// TestAuthelia reads a users database with everything that people write into theirs.
func TestAuthelia(t *testing.T) {
	f := roster.Read(roster.Authelia, database, roster.Options{Groups: map[string]string{"admins": ""}})
	want := []roster.Person{
		{Line: 4, Email: "ada@example.org", Name: "Ada O'Connor", UserName: "ada", Role: twofactor.Member, Groups: []string{"dev"},
			Hash: "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$AAAA"},
		{Line: 16, Email: "bob@example.org", Name: "Bob Li", Unusable: "Bob Li", Role: twofactor.Member,
			Groups: []string{"dev", "ops"}, Inactive: true, Hash: "$2b$12$abcdefghijklmnopqrstuv"},
		{Line: 22, Email: "n@example.org", Name: "yes", UserName: "1234", Role: twofactor.Member},
		{Line: 27, Email: "t@example.org", Name: "True", UserName: "true", Role: twofactor.Member, Groups: []string{"ops"}},
	}
	if len(f.Faults) > 0 || !reflect.DeepEqual(f.People, want) {
		t.Errorf("%v\n got %+v\nwant %+v", faults(f), f.People, want)
	}
}

func TestAutheliaFaults(t *testing.T) {
	for text, want := range map[string][]string{
		"":                         {"1 no users"},
		"users:\n":                 {"1 no users"},
		"users: {}\n":              {"1 nobody in it"},
		"users: [a]\n":             {"1 not keys and values users"},
		"- users\n":                {"1 not keys and values"},
		"other:\n  a: b\n":         {"1 no users"},
		"users:\n  ada: text\n":    {"2 not keys and values ada"},
		"users:\n  ada:\n  bob:\n": {"2 not keys and values ada", "3 not keys and values bob"},
		"users:\n  ada:\n    displayname: Ada\n  bob:\n    email: bob@\n    groups: {a: b}\n    displayname: Bob\n": {
			"2 a user name without an address ada", "6 not a text groups"},
		"users:\n  ada:\n    email: [a]\n":                       {"3 not a text email"},
		"users:\n  ada:\n    disabled: perhaps\n":                {"3 neither yes nor no perhaps"},
		"users:\n  ada:\n    email: a@x.org\n    groups: [[a]]":  {"4 not a text groups"},
		"users: &a\n  ada: *a\n":                                 {"1 YAML that is not read an anchor or an alias"},
		"users:\n  ada: *a\n":                                    {"2 YAML that is not read an anchor or an alias"},
		"users:\n  <<: {}\n":                                     {"2 YAML that is not read a line that is no key and value"},
		"users:\n  ada:\n    email: !!str a\n":                   {"3 YAML that is not read a tag"},
		"users:\n  ada:\n    displayname: |\n      Ada\n":        {"3 YAML that is not read a text of several lines"},
		"users:\n  ada:\n    displayname: Ada\n      Lovelace\n": {"4 YAML that is not read a text of several lines, or indentation"},
		"users:\n  ada:\n    email: a\n   name: b\n":             {"4 YAML that is not read indentation"},
		"users:\n\tada:\n":                                       {"2 YAML that is not read a tab or a control character"},
		"users:\n  ada:\n    email: a\n    email: b\n":           {"4 YAML that is not read the key email twice"},
		"users:\n  ada:\n    displayname: \"Ada\n":               {"3 YAML that is not read quotes that do not close on their line"},
		"users:\n  ada:\n    groups: [a,\n      b]\n":            {"3 YAML that is not read a list that does not end on its line"},
		"users:\n  ada:\n    email: a: b\n":                      {"3 YAML that is not read a text that needs quotes"},
		"users:\n  ada:\n    email: @a\n":                        {"3 YAML that is not read a text that needs quotes"},
		"a: b\n---\nc: d\n":                                      {"2 YAML that is not read more than one document"},
		"users:\n  ? ada\n":                                      {"2 YAML that is not read a line that is no key and value"},
	} {
		f := roster.Read(roster.Authelia, text, roster.Options{})
		if got := faults(f); !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %q\nwant %q", text, got, want)
		}
	}
}

func TestHtpasswd(t *testing.T) {
	text := "# staff\nada:$2y$05$abc\r\n\nbob@example.net:$apr1$x$y\nCy D:{SHA}abc:comment\n:x\nnothing\n"
	f := roster.Read(roster.Htpasswd, text, roster.Options{Domain: "example.org"})
	want := []roster.Person{
		{Line: 2, Email: "ada@example.org", Name: "ada", UserName: "ada", Role: twofactor.Member, Hash: "$2y$05$abc"},
		{Line: 4, Email: "bob@example.net", Name: "bob@example.net", Unusable: "bob@example.net", Role: twofactor.Member, Hash: "$apr1$x$y"},
	}
	if got := faults(f); !reflect.DeepEqual(got, []string{"5 email: no e-mail address", "6 no colon", "7 no colon"}) ||
		!reflect.DeepEqual(f.People[:2], want) {
		t.Errorf("%q %+v", got, f.People)
	}
	f = roster.Read(roster.Htpasswd, text, roster.Options{})
	if got := faults(f); len(got) != 4 || got[0] != "2 a user name without an address ada" {
		t.Errorf("without a domain: %q", got)
	}
}

// FuzzRead reads anything in every format: whoever comes out is clean, and a table of them is
// read as the same people again.
func FuzzRead(f *testing.F) {
	f.Add("email,name\nada@example.org,Ada\n")
	f.Add("email;name;groups\nada@example.org;\"=1;\"\"+x\";ops,dev\n")
	f.Add("ada:$2y$05$abc\n")
	f.Add(database)
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range []roster.Format{roster.CSV, roster.Authelia, roster.Htpasswd} {
			read := roster.Read(format, text, roster.Options{Domain: "example.org", Admins: true})
			if len(read.People)+len(read.Faults) == 0 {
				t.Fatalf("%q as %s: neither people nor faults", text, format)
			}
			if len(read.Faults) > 0 {
				continue
			}
			table := typed.TableMark + typed.TableRow(roster.Header...)
			for _, p := range read.People {
				if email, err := account.ParseEmail(p.Email); err != nil || email != p.Email || !p.Role.Known() {
					t.Fatalf("%q as %s gives %+v: %v", text, format, p, err)
				}
				if name, err := account.ParseName("name", p.Name); err != nil || name != p.Name {
					t.Fatalf("%q as %s gives %+v: %v", text, format, p, err)
				}
				table += typed.TableRow(p.Row()...)
			}
			again := roster.Read(roster.CSV, table, roster.Options{Admins: true})
			for i := range read.People {
				read.People[i].Hash, read.People[i].Unusable, read.People[i].Line = "", "", i+2
			}
			if len(again.Faults) > 0 || !reflect.DeepEqual(again.People, read.People) {
				t.Fatalf("%q as %s\n gives %+v\n again %+v %v", text, format, read.People, again.People, faults(again))
			}
		}
	})
}
