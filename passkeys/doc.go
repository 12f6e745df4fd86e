// Package passkeys makes and verifies WebAuthn ceremonies: what a browser is asked for
// when a passkey is added or used, and whether its answer is right. It is the one home of
// the library that does so, and knows no database, no network and no clock.
package passkeys
