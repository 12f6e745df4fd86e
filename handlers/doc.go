// Package handlers serves HTTP: it reads a request, makes one call to the store, and
// renders one view. routes.go lists every address, who may use it, and its handler. Rules
// and sentences are elsewhere.
package handlers
