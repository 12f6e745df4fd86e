package apps

import (
	"slices"
	"testing"
	"time"

	"gatehouse/twofactor"

	"pgregory.net/rapid"
)

var now = time.Date(2026, 11, 26, 18, 0, 0, 0, time.UTC)

var (
	ops  = Group{ID: 7, Name: "ops"}
	crew = Group{ID: 8, Name: "crew"}
	ada  = Named{ID: 1, Name: "Ada", Email: "ada@example.org"}
)

func member(id int64, groups ...int64) Person {
	return Person{ID: id, Role: twofactor.Member, Active: true, Groups: groups}
}

func TestWhoMayOpenAnApp(t *testing.T) {
	t.Parallel()
	admin := Person{ID: 2, Role: twofactor.SuperAdmin, Active: true}
	for _, c := range []struct {
		name   string
		access Access
		person Person
		may    bool
	}{
		{"everyone may open what is for everyone", Access{Everyone: true}, member(1), true},
		{"nobody who is deactivated", Access{Everyone: true}, Person{ID: 1, Role: twofactor.Member}, false},
		{"nobody who has not accepted their invitation", Access{Everyone: true},
			Person{ID: 1, Role: twofactor.Member, Active: true, Invited: true}, false},
		{"nobody may open what names nobody", Access{}, member(1), false},
		{"not even the highest role", Access{}, admin, false},
		{"a role", Access{Roles: []twofactor.Role{twofactor.Member}}, member(1), true},
		{"a higher role is another role", Access{Roles: []twofactor.Role{twofactor.Member}}, admin, false},
		{"a group", Access{Groups: []Group{ops, crew}}, member(1, 8), true},
		{"another group", Access{Groups: []Group{ops}}, member(1, 8), false},
		{"by name", Access{People: []Named{ada}}, member(1), true},
		{"another name", Access{People: []Named{ada}}, member(3), false},
		{"one way of several is enough", Access{Roles: []twofactor.Role{twofactor.SuperAdmin},
			Groups: []Group{ops}, People: []Named{ada}}, member(3, 7), true},
		{"a second step and a fresh sign-in are other questions", Access{Everyone: true, SecondStep: true,
			FreshMinutes: 5}, member(1), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.access.Allows(c.person); got != c.may {
				t.Errorf("may %v, want %v", got, c.may)
			}
			e := App{Access: c.access}.Explain(c.person, twofactor.Policy{})
			if e.May != c.may {
				t.Errorf("explained as %v, want %v", e.May, c.may)
			}
			if stands := slices.ContainsFunc(e.Missing(), func(r Rule) bool {
				return r.Kind != RuleSecondStep && r.Kind != RulePolicy
			}); stands == c.may {
				t.Errorf("may %v, and what stands against it is %v", c.may, e.Missing())
			}
		})
	}
}

func TestWhatIsAskedAtTheDoor(t *testing.T) {
	t.Parallel()
	open := Access{Everyone: true}
	strict := Access{Everyone: true, SecondStep: true, FreshMinutes: 15}
	for _, c := range []struct {
		name   string
		app    App
		proof  Proof
		answer Answer
	}{
		{"nothing", App{Access: open}, Proof{AuthenticatedAt: now.Add(-9 * time.Hour)}, May},
		{"a paused app opens to nobody", App{Access: open, Paused: true}, Proof{AuthenticatedAt: now}, MayNot},
		{"who may not is asked for nothing", App{Access: Access{SecondStep: true}}, Proof{}, MayNot},
		{"the second step comes first", App{Access: strict}, Proof{}, SecondStepDue},
		{"then the password", App{Access: strict},
			Proof{SecondStep: true, AuthenticatedAt: now.Add(-15 * time.Minute)}, FreshDue},
		{"one second before it is old", App{Access: strict},
			Proof{SecondStep: true, AuthenticatedAt: now.Add(time.Second - 15*time.Minute)}, May},
		{"a clock that was set back a little", App{Access: strict},
			Proof{SecondStep: true, AuthenticatedAt: now.Add(time.Minute)}, May},
		{"a clock that ran ahead", App{Access: strict},
			Proof{SecondStep: true, AuthenticatedAt: now.Add(61 * time.Second)}, FreshDue},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.app.Answer(member(1), c.proof, now); got != c.answer {
				t.Errorf("answer %d, want %d", got, c.answer)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	app := App{Access: Access{Roles: []twofactor.Role{twofactor.Administrator}, Groups: []Group{ops, crew},
		People: []Named{ada}, SecondStep: true, FreshMinutes: 30}}
	e := app.Explain(member(3, 8), twofactor.Policy{Everyone: true})
	want := []Rule{
		{Kind: RuleActive, Met: true},
		{Kind: RuleNotPaused, Met: true},
		{Kind: RuleRole, Role: twofactor.Administrator},
		{Kind: RuleGroup, Group: ops},
		{Kind: RuleGroup, Met: true, Group: crew},
		{Kind: RulePerson},
		{Kind: RulePolicy},
		{Kind: RuleSecondStep},
		{Kind: RuleFresh, Met: true, Minutes: 30},
	}
	if !e.May || !slices.Equal(e.Rules, want) {
		t.Errorf("got %+v", e)
	}
	if missing := e.Missing(); !slices.Equal(missing, []Rule{{Kind: RulePolicy}, {Kind: RuleSecondStep}}) {
		t.Errorf("missing: %+v", missing)
	}
	app.Paused = true
	e = app.Explain(Person{ID: 9, Role: twofactor.Member, Active: true, Invited: true}, twofactor.Policy{})
	var kinds []RuleKind
	for _, r := range e.Missing() {
		kinds = append(kinds, r.Kind)
	}
	if e.May || !slices.Equal(kinds, []RuleKind{RuleAccepted, RuleNotPaused, RuleRole, RuleGroup, RuleGroup,
		RulePerson, RuleSecondStep}) {
		t.Errorf("missing: %v", kinds)
	}
}

// TestTakingAwayNeverGives draws accesses and people: taking a role, a group or a name out of
// an access, or somebody out of a group, lets nobody in who was not; an explanation says
// the same as the decision, and of whoever may not it names at least one rule.
func TestTakingAwayNeverGives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		roles := rapid.SliceOfDistinct(rapid.SampledFrom(twofactor.Roles), rapid.ID[twofactor.Role])
		ids := rapid.SliceOfDistinct(rapid.Int64Range(1, 5), rapid.ID[int64])
		a := Access{
			Everyone:     rapid.Bool().Draw(t, "everyone"),
			Roles:        roles.Draw(t, "roles"),
			SecondStep:   rapid.Bool().Draw(t, "second step"),
			FreshMinutes: rapid.IntRange(0, MaxFreshMinutes).Draw(t, "fresh"),
		}
		for _, id := range ids.Draw(t, "groups") {
			a.Groups = append(a.Groups, Group{ID: id})
		}
		for _, id := range ids.Draw(t, "people") {
			a.People = append(a.People, Named{ID: id})
		}
		p := Person{
			ID:      rapid.Int64Range(1, 5).Draw(t, "person"),
			Role:    rapid.SampledFrom(twofactor.Roles).Draw(t, "role"),
			Active:  rapid.Bool().Draw(t, "active"),
			Invited: rapid.Bool().Draw(t, "invited"),
			Groups:  ids.Draw(t, "of groups"),
			Factor:  rapid.Bool().Draw(t, "factor"),
		}
		app := App{Access: a, Paused: rapid.Bool().Draw(t, "paused")}
		proof := Proof{SecondStep: rapid.Bool().Draw(t, "shown"), AuthenticatedAt: now}
		may := a.Allows(p)
		e := app.Explain(p, twofactor.Policy{Everyone: rapid.Bool().Draw(t, "policy")})
		answer := app.Answer(p, proof, now)
		if e.May != (answer != MayNot) {
			t.Fatalf("explained as %v, answered with %d", e.May, answer)
		}
		if !e.May && len(e.Missing()) == 0 {
			t.Fatal("no rule stands against it")
		}
		if answer == May && (!p.Active || app.Paused || !may || a.SecondStep && !proof.SecondStep) {
			t.Fatal("it opened")
		}
		less := a
		less.Everyone = false
		less.Roles, less.Groups, less.People = dropFirst(a.Roles), dropFirst(a.Groups), dropFirst(a.People)
		fewer := p
		fewer.Groups = dropFirst(p.Groups)
		if !may && (less.Allows(p) || a.Allows(fewer)) {
			t.Fatal("taking away has let somebody in")
		}
	})
}

func dropFirst[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list[1:]
}
