package account_test

import (
	"slices"
	"testing"

	"gatehouse/account"
	"gatehouse/twofactor"
)

func TestMayChange(t *testing.T) {
	admins := []twofactor.Role{twofactor.Administrator, twofactor.ITAdministrator, twofactor.SuperAdmin}
	for own, others := range map[twofactor.Role][]twofactor.Role{
		twofactor.Member:          nil,
		twofactor.Administrator:   {twofactor.Member},
		twofactor.ITAdministrator: {twofactor.Member},
		twofactor.SuperAdmin:      append([]twofactor.Role{twofactor.Member}, admins...),
		"root":                    nil,
		"":                        nil,
	} {
		for _, other := range twofactor.Roles {
			if got, want := account.MayChange(own, other), slices.Contains(others, other); got != want {
				t.Errorf("a %q changes a %q: %v, want %v", own, other, got, want)
			}
		}
		if got := account.RolesToGive(own); !slices.Equal(got, others) {
			t.Errorf("a %q gives %v, want %v", own, got, others)
		}
	}
}
