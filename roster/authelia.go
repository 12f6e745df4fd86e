package roster

// readAuthelia reads the file of people of Authelia's file backend, with its hashes.
func readAuthelia(text string) (drafts []draft, faults []Fault) {
	top, err := parseYAML(text)
	if err != nil {
		return nil, []Fault{*err}
	}
	users, ok := top.child("users")
	if !ok || users.kind == yamlNull {
		return nil, []Fault{{Line: max(1, users.line), Err: Problem{Kind: NoUsers}}}
	}
	if users.kind != yamlMap {
		return nil, []Fault{{Line: users.line, Err: Problem{Kind: NotAMap, Text: "users"}}}
	}
	for _, entry := range users.entries {
		d, err := readAutheliaUser(entry)
		if err != nil {
			faults = append(faults, *err)
			continue
		}
		drafts = append(drafts, d)
	}
	return drafts, faults
}

// readAutheliaUser reads one person. Attributes that have no place here are passed over.
func readAutheliaUser(entry yamlEntry) (draft, *Fault) {
	d := draft{line: entry.line, login: entry.key}
	if entry.value.kind != yamlMap {
		return d, &Fault{Line: entry.line, Err: Problem{Kind: NotAMap, Text: entry.key}}
	}
	for key, to := range map[string]*string{"displayname": &d.name, "email": &d.email, "password": &d.hash} {
		value, ok := entry.value.child(key)
		if !ok || value.kind == yamlNull {
			continue
		}
		if value.kind != yamlText {
			return d, &Fault{Line: value.line, Err: Problem{Kind: NotAText, Text: key}}
		}
		*to = value.text
	}
	if value, ok := entry.value.child("disabled"); ok && value.kind != yamlNull {
		yes, ok := yesNo(value.text)
		if !ok || value.kind != yamlText {
			return d, &Fault{Line: value.line, Err: Problem{Kind: NotYesNo, Text: value.text}}
		}
		d.inactive = yes
	}
	groups, _ := entry.value.child("groups")
	switch groups.kind {
	case yamlText:
		d.groups = []string{groups.text}
	case yamlList:
		for _, group := range groups.items {
			if group.kind != yamlText {
				return d, &Fault{Line: group.line, Err: Problem{Kind: NotAText, Text: "groups"}}
			}
			d.groups = append(d.groups, group.text)
		}
	case yamlMap:
		return d, &Fault{Line: groups.line, Err: Problem{Kind: NotAText, Text: "groups"}}
	}
	return d, nil
}
