package twofactor_test

import (
	"fmt"
	"testing"

	"gatehouse/twofactor"
)

func TestPolicy(t *testing.T) {
	none, admins := twofactor.Policy{}, twofactor.Policy{Admins: true}
	everyone, both := twofactor.Policy{Everyone: true}, twofactor.Policy{Everyone: true, Admins: true}
	for _, c := range []struct {
		role    twofactor.Role
		known   bool
		admin   bool
		obliged map[twofactor.Policy]bool
	}{
		{twofactor.Member, true, false, map[twofactor.Policy]bool{
			none:     false,
			admins:   false,
			everyone: true,
			both:     true,
		}},
		{twofactor.Administrator, true, true, map[twofactor.Policy]bool{
			none:     false,
			admins:   true,
			everyone: true,
			both:     true,
		}},
		{twofactor.ITAdministrator, true, true, map[twofactor.Policy]bool{
			none:     false,
			admins:   true,
			everyone: true,
			both:     true,
		}},
		{twofactor.SuperAdmin, true, true, map[twofactor.Policy]bool{
			none:     false,
			admins:   true,
			everyone: true,
			both:     true,
		}},
		{"", false, false, map[twofactor.Policy]bool{none: false, admins: true, everyone: true, both: true}},
		{"Member", false, false, map[twofactor.Policy]bool{none: false, admins: true, everyone: true, both: true}},
		{"root", false, false, map[twofactor.Policy]bool{none: false, admins: true, everyone: true, both: true}},
	} {
		if c.role.Known() != c.known || c.role.Admin() != c.admin {
			t.Errorf("role %q: known %v, admin %v", c.role, c.role.Known(), c.role.Admin())
		}
		for policy, obliged := range c.obliged {
			for _, state := range allStates {
				t.Run(fmt.Sprintf("%+v for a %q who is %s", policy, c.role, state), func(t *testing.T) {
					if got := policy.Requires(c.role); got != obliged {
						t.Errorf("requires %v", got)
					}
					if got, want := policy.MustEnroll(c.role, state), obliged && state != twofactor.Enabled; got != want {
						t.Errorf("stops %v, want %v", got, want)
					}
				})
			}
		}
	}
}

func TestRolesListsEveryRoleOnce(t *testing.T) {
	want := []twofactor.Role{"member", "administrator", "it-administrator", "super-administrator"}
	if fmt.Sprint(twofactor.Roles) != fmt.Sprint(want) {
		t.Errorf("roles are %v", twofactor.Roles)
	}
}
