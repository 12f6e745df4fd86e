package db

import (
	"slices"

	"gatehouse/apps"
	"gatehouse/openid"
)

// SignIn is how the visitor has proved who they are, as connected apps are told it.
func (v Visitor) SignIn() openid.SignIn {
	methods := slices.Clone(v.Methods)
	if hasTwo(methods) {
		methods = append(methods, amrTwo)
	}
	return openid.SignIn{Session: v.Handle, At: v.AuthenticatedAt, Methods: methods}
}

// proof is the same as the rules of apps look at it.
func (v Visitor) proof() apps.Proof {
	return apps.Proof{SecondStep: v.SignIn().Level() == openid.AAL2, AuthenticatedAt: v.AuthenticatedAt}
}
