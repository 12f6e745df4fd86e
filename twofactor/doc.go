// Package twofactor holds the rules of the second sign-in step and nothing else: which
// codes are valid, what moves an enrolment from one state to the next, how long somebody
// waits after wrong answers, whom the policy stops.
//
// It uses no network, no database, no clock and no log. Every function that depends on
// the time takes it as an argument, so that each rule can be read and tested on its own.
// Randomness comes from crypto/rand alone.
package twofactor
