package account_test

import (
	"errors"
	"slices"
	"testing"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// below has, for each role, those whose accounts it may change.
var below = map[twofactor.Role][]twofactor.Role{
	twofactor.Member:          nil,
	twofactor.Administrator:   {twofactor.Member},
	twofactor.ITAdministrator: {twofactor.Member},
	twofactor.SuperAdmin:      twofactor.Roles,
	"root":                    nil,
	"":                        nil,
}

func refusal(allowed bool) error {
	if allowed {
		return nil
	}
	return account.ErrNotAllowed
}

// TestWhoMayChangeWhom goes through every role over every other.
func TestWhoMayChangeWhom(t *testing.T) {
	for own, others := range below {
		by := account.Author{Kind: account.ActorPerson, ID: 1, Role: own}
		if got, want := account.MayAdminister(by), refusal(own.Admin()); !errors.Is(got, want) {
			t.Errorf("a %q administers: %v, want %v", own, got, want)
		}
		if got := account.RolesToGive(by); !slices.Equal(got, others) {
			t.Errorf("a %q gives %v, want %v", own, got, others)
		}
		for _, other := range twofactor.Roles {
			subject, want := account.Subject{ID: 2, Role: other}, refusal(slices.Contains(others, other))
			for name, rule := range map[string]func(account.Author, account.Subject) error{"edit": account.MayEdit,
				"manage": account.MayManage} {
				if got := rule(by, subject); !errors.Is(got, want) {
					t.Errorf("%s: a %q and a %q: %v, want %v", name, own, other, got, want)
				}
			}
			for _, role := range twofactor.Roles {
				want := refusal(slices.Contains(others, other) && slices.Contains(others, role))
				if got := account.MayGive(by, subject, role); !errors.Is(got, want) {
					t.Errorf("a %q makes a %q a %q: %v, want %v", own, other, role, got, want)
				}
			}
		}
	}
}

func TestOnesOwnAccount(t *testing.T) {
	by := account.Author{Kind: account.ActorPerson, ID: 1, Role: twofactor.SuperAdmin}
	own := account.Subject{ID: 1, Role: twofactor.SuperAdmin}
	if err := account.MayEdit(by, own); err != nil {
		t.Errorf("name and address: %v", err)
	}
	if err := account.MayManage(by, own); !errors.Is(err, account.ErrOwnAccount) {
		t.Errorf("what is done to others: %v", err)
	}
	if err := account.MayGive(by, own, twofactor.Member); !errors.Is(err, account.ErrOwnRole) {
		t.Errorf("the role: %v", err)
	}
	if r := account.RightsOver(by, own); !r.Own || !r.Edit || r.Manage || len(r.Roles) != 0 {
		t.Errorf("the page offers %+v", r)
	}
}

// TestOnlyTheMachineIsTheMachine tries every kind of author but a person: the machine
// may everything, and a zero value nothing, whatever role or id it carries.
func TestOnlyTheMachineIsTheMachine(t *testing.T) {
	subjects := []account.Subject{{}, {ID: 2, Role: twofactor.Member}, {ID: 2, Role: twofactor.SuperAdmin}}
	for _, s := range subjects {
		machine := account.Author{Kind: account.ActorMachine}
		for _, err := range []error{account.MayAdminister(machine), account.MayEdit(machine, s),
			account.MayManage(machine, s), account.MayGive(machine, s, twofactor.SuperAdmin)} {
			if err != nil {
				t.Errorf("the machine and %+v: %v", s, err)
			}
		}
		for _, nobody := range []account.Author{{}, {Role: twofactor.SuperAdmin}, {ID: 1, Role: twofactor.SuperAdmin}, {
			Kind: account.ActorStranger,
			Role: twofactor.SuperAdmin,
		}, {Kind: "root", Role: twofactor.SuperAdmin}} {
			for _, err := range []error{account.MayAdminister(nobody), account.MayEdit(nobody, s),
				account.MayManage(nobody, s), account.MayGive(nobody, s, twofactor.Member)} {
				if !errors.Is(err, account.ErrNotAllowed) {
					t.Errorf("%+v and %+v: %v, want ErrNotAllowed", nobody, s, err)
				}
			}
			if r := account.RightsOver(nobody, s); r.Edit || r.Manage || len(r.Roles) != 0 {
				t.Errorf("%+v is offered %+v", nobody, r)
			}
		}
	}
}
