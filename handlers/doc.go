// Package handlers carries: it takes a request apart, makes one call to the
// store, and shows one view. routes.go is the map: every address, who may come,
// and what answers. No rule and no sentence stands here.
package handlers
