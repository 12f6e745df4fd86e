// Package twofactor holds the rules of the second sign-in step and nothing
// else: what a code is worth, what moves an enrolment from one state to the
// next, how long somebody waits after wrong answers, whom the policy stops.
//
// It knows no network, no database, no clock and no log. Every function that
// depends on the time takes it as an argument, so that a rule can be read, and
// tested, as a sentence. Randomness comes from crypto/rand alone.
package twofactor
