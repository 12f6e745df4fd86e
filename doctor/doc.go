// Package doctor holds the rules by which an installation is looked at: of what is known
// of it, what is well, and what somebody has to do something about. It knows neither the
// database nor the machine, and has no sentences.
package doctor
