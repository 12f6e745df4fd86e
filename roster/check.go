package roster

import (
	"cmp"
	"errors"
	"slices"
	"sort"
	"strings"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/twofactor"
)

// A draft is one person as a file has them.
type draft struct {
	line     int
	email    string
	name     string
	userName string // as given for apps: refused if it cannot be
	login    string // what they signed in with there: taken for the user name where it can be
	role     string
	groups   []string
	inactive bool
	hash     string
}

// check makes people of drafts, and notes what is wrong with each.
func (f *File) check(drafts []draft, o Options) {
	emails, names := map[string]int{}, map[string]int{}
	for _, d := range drafts {
		p, faults := d.parse(o)
		if first, ok := emails[p.Email]; ok && p.Email != "" {
			faults = append(faults, Problem{Kind: EmailTwice, Text: p.Email, Line: first})
		} else {
			emails[p.Email] = d.line
		}
		if first, ok := names[p.UserName]; ok && p.UserName != "" {
			faults = append(faults, Problem{Kind: NameTwice, Text: p.UserName, Line: first})
		} else {
			names[p.UserName] = d.line
		}
		for _, err := range faults {
			f.Faults = append(f.Faults, Fault{Line: d.line, Err: err})
		}
		f.People = append(f.People, p)
	}
	if len(f.People)+len(f.Faults) == 0 {
		f.Faults = []Fault{{Line: 1, Err: Problem{Kind: Empty}}}
	}
	SortFaults(f.Faults)
}

// SortFaults puts faults in the order of their lines.
func SortFaults(faults []Fault) {
	sort.SliceStable(faults, func(i, j int) bool { return faults[i].Line < faults[j].Line })
}

// parse gives the clean form of a draft, and everything that is wrong with it.
func (d draft) parse(o Options) (p Person, faults []error) {
	note := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	p = Person{Line: d.line, Inactive: d.inactive, Hash: strings.TrimSpace(d.hash)}
	var err error
	switch {
	case d.email == "" && d.login != "" && !strings.Contains(d.login, "@") && o.Domain == "":
		note(Problem{Kind: NoDomain, Text: d.login})
	default:
		p.Email, err = account.ParseEmail(d.address(o.Domain))
		note(err)
	}
	p.Name, err = account.ParseName("name", cmp.Or(d.name, d.login))
	note(err)
	if d.userName != "" {
		p.UserName, err = account.ParseUserName(d.userName)
		note(err)
	} else if d.login != "" {
		if p.UserName, err = account.ParseUserName(d.login); err != nil {
			p.Unusable = d.login
		}
	}
	p.Role, err = parseRole(d.role, o.Admins)
	note(err)
	for _, typed := range d.groups {
		name, err := parseGroup(typed, o.Groups)
		note(err)
		if name != "" && !slices.Contains(p.Groups, name) {
			p.Groups = append(p.Groups, name)
		}
	}
	return p, faults
}

// address is where somebody gets mail: what the file says, or the user name at a domain.
func (d draft) address(domain string) string {
	switch {
	case d.email != "" || d.login == "":
		return d.email
	case strings.Contains(d.login, "@"):
		return d.login
	}
	return d.login + "@" + domain
}

// parseRole reads a role, as its word or as pages show it; none is a member's.
func parseRole(text string, admins bool) (twofactor.Role, error) {
	role := twofactor.Role(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text)), " ", "-"))
	switch {
	case role == "":
		return twofactor.Member, nil
	case !role.Known():
		return "", Problem{Kind: NoRole, Text: text}
	case role.Admin() && !admins:
		return "", Problem{Kind: AdminRole, Text: string(role)}
	}
	return role, nil
}

// parseGroup reads the name of a group; "" for one that is left out.
func parseGroup(text string, others map[string]string) (string, error) {
	text = strings.TrimSpace(text)
	if other, ok := others[text]; ok {
		text = strings.TrimSpace(other)
	}
	if text == "" {
		return "", nil
	}
	name, err := apps.ParseGroupName(text)
	if field, ok := errors.AsType[account.FieldError](err); ok && field.Reason == account.Reserved {
		return "", Problem{Kind: OwnGroup, Text: text}
	}
	if err != nil {
		return "", Problem{Kind: BadGroup, Text: text}
	}
	return name, nil
}

// yesNo reads what programs and people write for yes and no.
func yesNo(text string) (yes, ok bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "yes", "true", "1", "y", "on":
		return true, true
	case "no", "false", "0", "n", "off":
		return false, true
	}
	return false, false
}
