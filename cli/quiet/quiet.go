// Package quiet keeps what libraries say while the program starts out of what a command
// prints. Packages start in the order of their paths, as far as they do not need each other,
// so that this one is before those of others; main lets the standard log speak again.
package quiet

import (
	"io"
	"log"
)

func init() { log.SetOutput(io.Discard) }
