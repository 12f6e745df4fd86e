package cli

import (
	"errors"
	"fmt"
	"strings"

	"gatehouse/db"
	"gatehouse/roster"
	"gatehouse/views"
)

// formatNames are the formats in words.
var formatNames = map[roster.Format]string{
	roster.CSV:      "a table (CSV)",
	roster.Authelia: "a users database of Authelia",
	roster.Htpasswd: "an htpasswd",
}

// show prints what an import would do, and what becomes of each who is special.
func (c *peopleImport) show(env *commandEnv, file roster.File, plan db.ImportPlan, refused bool) {
	out := env.Stdout
	fmt.Fprintf(out, "%s is %s with %s.\n", c.File, formatNames[file.Format], countPeople(len(file.People)))
	if len(file.Ignored) > 0 {
		fmt.Fprintf(out, "Not read: %s.\n", plain(strings.Join(file.Ignored, ", ")))
	}
	if refused {
		return
	}
	if len(plan.Existing) > 0 {
		fmt.Fprintf(out, "There already, and left as they are: %d.\n", len(plan.Existing))
	}
	if len(plan.New) == 0 {
		fmt.Fprintln(out, "Nobody is new: there is nothing to do.")
		return
	}
	kept, inactive := 0, 0
	for _, p := range plan.New {
		if p.Password == db.PasswordKept {
			kept++
		}
		if p.Inactive {
			inactive++
		}
	}
	fmt.Fprintf(out, "New: %d.\n", len(plan.New))
	for _, line := range []struct {
		n    int
		text string
	}{
		{kept, "sign in with the password that they have"},
		{plan.Invited(), "choose a password with a link" + c.inviteWords()},
		{inactive, "are deactivated"},
	} {
		if line.n > 0 {
			fmt.Fprintf(out, "  %d %s\n", line.n, line.text)
		}
	}
	if len(plan.NewGroups) > 0 {
		fmt.Fprintf(out, "New groups: %s.\n", strings.Join(plan.NewGroups, ", "))
	}
	for _, p := range plan.New {
		for _, remark := range remarks(p) {
			fmt.Fprintf(out, "line %d, %s: %s\n", p.Line, p.Email, remark)
		}
	}
}

// inviteWords say how links reach people.
func (c *peopleImport) inviteWords() string {
	switch {
	case c.Links != "":
		return " from " + c.Links
	case c.Invite == "mail":
		return " from a mail"
	case c.Invite == "later":
		return " that is made later"
	}
	return ""
}

// remarks are what somebody should know of one person before it is done.
func remarks(p db.ImportedPerson) []string {
	var all []string
	if p.Role.Admin() {
		all = append(all, "becomes "+string(p.Role))
	}
	instead := "a link in its place"
	if p.Inactive {
		instead = "none in its place, since the account is deactivated"
	}
	switch p.Password {
	case db.PasswordUnknown:
		all = append(all, fmt.Sprintf("the password's hash (%s) cannot be taken over: %s", p.HashKind, instead))
	case db.PasswordCostly:
		all = append(all, fmt.Sprintf("the password's hash (%s) costs more than is taken over: %s", p.HashKind, instead))
	}
	if p.Unusable != "" {
		all = append(all, fmt.Sprintf("%q cannot be a user name for apps: one is made of the address", p.Unusable))
	}
	switch p.UserName {
	case "admin", "administrator", "root", "guest":
		all = append(all, fmt.Sprintf("the user name %s gives rights in some apps", p.UserName))
	}
	return all
}

// report says what was done.
func (c *peopleImport) report(env *commandEnv, plan db.ImportPlan) {
	fmt.Fprintf(env.Stdout, "Added %s.\n", countPeople(len(plan.New)))
	if n := plan.Invited(); n > 0 {
		switch {
		case c.Links != "":
			fmt.Fprintf(env.Stdout, "%s holds %s, which work once and for a day. Whoever has a link has the account: "+
				"remove the file when they are given out.\n", c.Links, countOf(n, "link"))
		case c.Invite == "mail":
			fmt.Fprintf(env.Stdout, "%s on the way; the links work once and for a day.\n", areMails(n))
		}
	}
	if !plan.HasSuperAdmin {
		fmt.Fprintln(env.Stdout, "Nobody is Super-administrator yet: gatehouse user set-role EMAIL super-administrator")
	}
}

func countPeople(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

func areMails(n int) string {
	if n == 1 {
		return "1 mail is"
	}
	return fmt.Sprintf("%d mails are", n)
}

// refuseFaults lists everything that is wrong.
func refuseFaults(env *commandEnv, file string, faults []roster.Fault) error {
	for _, f := range faults {
		fmt.Fprintf(env.Stderr, "%s:%d: %s\n", file, f.Line, faultText(f.Err))
	}
	return fmt.Errorf("nothing was written: %s to mend in the file", countOf(len(faults), "fault"))
}

// importError is an error of the store in words.
func importError(err error) error {
	if errors.Is(err, db.ErrNoMail) {
		return errors.New("no mail server is set, so nobody can be invited by mail: start the server with --smtp and --mail-from, " +
			"or use --links FILE")
	}
	return err
}

// problemTexts are the sentences of problems; %s is what the file has there.
var problemTexts = map[roster.ProblemKind]string{
	roster.TooLarge:    "the file is larger than 32 MiB; divide it",
	roster.NotText:     "this is not UTF-8 text; save the file as CSV UTF-8",
	roster.Empty:       "there is nobody in this file",
	roster.NoEmails:    "no column is called email; the first line names the columns: email,name,role,user_name,groups,active",
	roster.ColumnTwice: "there are two columns for the same thing (%s); remove one",
	roster.WrongCells:  "this line has more cells than the first line; put texts with a separator in them into quotes",
	roster.WrongQuotes: "the quotes in this line do not close, or stand inside a cell; write \" inside a cell as \"\"",
	roster.NoUsers:     "there are no users in this file; is it Authelia's users_database.yml? Other formats: --format",
	roster.NotAMap:     "keys and values are expected here (%s)",
	roster.NotAText:    "one text is expected here (%s)",
	roster.NotPlainYML: "this YAML is not read: %s; write it plainly, a key and its value a line",
	roster.NoColon:     "not a line of an htpasswd (expected name:hash)",
	roster.NoDomain:    "%s has no e-mail address, by which people sign in; name a domain for addresses: --domain example.org",
	roster.NotYesNo:    "%s is neither yes nor no",
	roster.NoRole:      "%s is no role (expected member, administrator, it-administrator or super-administrator)",
	roster.AdminRole:   "this would make somebody %s; allow it with --admins",
	roster.BadGroup:    "%s cannot be the name of a group (letters from a to z, digits and . _ -); give it another with --map-group, e.g. --map-group '%s=staff'",
	roster.OwnGroup:    "the name %s is reserved for a role; give the group another with --map-group %s=operators, or leave it out with --map-group %s=",
	roster.EmailTwice:  "%s stands in line %d already",
	roster.NameTwice:   "the user name %s stands in line %d already",
	roster.NameTaken:   "the user name %s belongs to somebody else, or did once; choose another",
	roster.NoGroup:     "there is no group %s; make it with gatehouse group add, or those that are missing with --create-groups",
	roster.GroupTaken:  "a group was called %s before, and an app still refers to it; choose another name with --map-group",
}

// faultText says what is wrong in a line, and what to do.
func faultText(err error) string {
	p, ok := errors.AsType[roster.Problem](err)
	if !ok {
		return views.TerminalText(err)
	}
	text := strings.ReplaceAll(problemTexts[p.Kind], "%d", fmt.Sprint(p.Line))
	return strings.TrimSuffix(strings.ReplaceAll(text, "%s", plain(p.Text)), " ()")
}

// plain keeps what a file holds from acting on a terminal.
func plain(text string) string {
	const most = 100
	quoted := fmt.Sprintf("%q", text)
	quoted = quoted[1 : len(quoted)-1]
	if len(quoted) > most {
		return strings.ToValidUTF8(quoted[:most], "") + "…"
	}
	return quoted
}
