package apps

import (
	"slices"

	"gatehouse/twofactor"
)

// A RuleKind names a rule that decides whether somebody may open an app.
type RuleKind string

// The rules, in the order in which they are explained.
const (
	RuleActive     RuleKind = "active"      // the account is active
	RuleAccepted   RuleKind = "accepted"    // the invitation is accepted
	RuleNotPaused  RuleKind = "not paused"  // the app is not paused
	RuleEveryone   RuleKind = "everyone"    // a way in: the app is for everyone
	RuleRole       RuleKind = "role"        // a way in: a role
	RuleGroup      RuleKind = "group"       // a way in: a group
	RulePerson     RuleKind = "person"      // a way in: by name
	RuleNobody     RuleKind = "nobody"      // there is no way in: the app names nobody
	RulePolicy     RuleKind = "policy"      // the workspace's policy asks for nothing that is missing
	RuleSecondStep RuleKind = "second step" // there is a second step, where the app needs one
	RuleFresh      RuleKind = "fresh"       // the password was given recently: asked for at the door
)

// RuleKinds lists every rule, so that a test can ask for the words of each.
var RuleKinds = []RuleKind{RuleActive, RuleAccepted, RuleNotPaused, RuleEveryone, RuleRole, RuleGroup, RulePerson,
	RuleNobody, RulePolicy, RuleSecondStep, RuleFresh}

// IsWay reports whether the rule is one of the ways in, of which one is enough.
func (k RuleKind) IsWay() bool {
	return k == RuleEveryone || k == RuleRole || k == RuleGroup || k == RulePerson || k == RuleNobody
}

// A Rule is one rule and whether somebody meets it.
type Rule struct {
	Kind    RuleKind
	Met     bool
	Role    twofactor.Role // of RuleRole
	Group   Group          // of RuleGroup
	Minutes int            // of RuleFresh
}

// An Explanation says why somebody may open an app, or not.
type Explanation struct {
	May   bool   // they may, though something may be asked of them at the door
	Rules []Rule // those that speak about this app and this person
}

// Missing returns the rules that are not met and stand against opening the app now. Of
// several ways in, each of which would be enough, all are returned.
func (e Explanation) Missing() []Rule {
	in := slices.ContainsFunc(e.Rules, func(r Rule) bool { return r.Kind.IsWay() && r.Met })
	var out []Rule
	for _, r := range e.Rules {
		if !r.Met && (!in || !r.Kind.IsWay()) {
			out = append(out, r)
		}
	}
	return out
}

// Explain says for each rule whether somebody meets it. The policy is the workspace's.
func (a App) Explain(p Person, policy twofactor.Policy) Explanation {
	e := Explanation{May: !a.Paused && a.Access.Allows(p)}
	e.Rules = append(e.Rules, Rule{Kind: RuleActive, Met: p.Active})
	if p.Invited {
		e.Rules = append(e.Rules, Rule{Kind: RuleAccepted})
	}
	e.Rules = append(e.Rules, Rule{Kind: RuleNotPaused, Met: !a.Paused})
	e.Rules = append(e.Rules, a.Access.ways(p)...)
	if policy.Requires(p.Role) {
		e.Rules = append(e.Rules, Rule{Kind: RulePolicy, Met: p.Factor})
	}
	if a.Access.SecondStep {
		e.Rules = append(e.Rules, Rule{Kind: RuleSecondStep, Met: p.Factor})
	}
	if a.Access.FreshMinutes > 0 {
		e.Rules = append(e.Rules, Rule{Kind: RuleFresh, Met: true, Minutes: a.Access.FreshMinutes})
	}
	return e
}

// ways are the ways in that the access has, each met or not. An access that is for everyone
// has that one alone, and one that names nobody has RuleNobody, which nobody meets.
func (a Access) ways(p Person) []Rule {
	if a.Everyone {
		return []Rule{{Kind: RuleEveryone, Met: true}}
	}
	var out []Rule
	for _, role := range a.Roles {
		out = append(out, Rule{Kind: RuleRole, Met: p.Role == role, Role: role})
	}
	for _, group := range a.Groups {
		out = append(out, Rule{Kind: RuleGroup, Met: slices.Contains(p.Groups, group.ID), Group: group})
	}
	if len(a.People) > 0 {
		named := slices.ContainsFunc(a.People, func(n Named) bool { return n.ID == p.ID })
		out = append(out, Rule{Kind: RulePerson, Met: named})
	}
	if len(out) == 0 {
		return []Rule{{Kind: RuleNobody}}
	}
	return out
}
