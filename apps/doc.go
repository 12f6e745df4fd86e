// Package apps holds the rules of the apps that the workspace opens: what an app is, who
// may open it and why not, where it is, which of its paths are public, and what a group
// of people may be called.
//
// Like twofactor it is pure: no network, no database, no clock, no log.
package apps
