package db

import (
	"gatehouse/apps"
	"gatehouse/openid"
	"gatehouse/twofactor"
)

// SignIn is how the visitor has proved who they are, as connected apps are told it. Whoever
// has a factor has shown it in this session: enabling it ends all others.
func (v Visitor) SignIn() openid.SignIn {
	methods := []string{"pwd"}
	if v.State == twofactor.Enabled {
		methods = append(methods, "otp", "mfa")
	}
	return openid.SignIn{Session: v.Handle, At: v.AuthenticatedAt, Methods: methods}
}

// proof is the same as the rules of apps look at it.
func (v Visitor) proof() apps.Proof {
	return apps.Proof{SecondStep: v.SignIn().Level() == openid.AAL2, AuthenticatedAt: v.AuthenticatedAt}
}
