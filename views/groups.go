package views

import "gatehouse/apps"

// Groups is the page /admin/groups.
type Groups struct {
	Rows  []Group
	Name  Field // of the group to add, as typed
	Alert Message
}

// A Group is a row of the list of groups.
type Group struct {
	apps.Group
	Members int
	Apps    int
}

// GroupDetail is the page of one group.
type GroupDetail struct {
	apps.Group
	Members   []apps.Named
	Apps      []AppMark // that refer to it
	Typed     Field     // further addresses, as typed
	Name      Field
	Seen      string
	AskRemove bool
	Success   Message
	Alert     Message
}
