// Package e2e tries the whole program from outside, as people use it: a real browser, a real QR reader, a
// real authenticator and the program's own command line. It is a module of its own, so that the product's
// go.mod names only what the product needs.
package e2e
