// Package account holds the rules of accounts: what a name, an e-mail address
// and a password must be, who may change whom, and how long a proof of identity
// counts. Like twofactor it is pure: no network, no database, no clock, no log.
package account
