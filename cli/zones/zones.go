// Package zones has the world's time zones for machines that have no list of their own. It is
// Go's own list, a seventh as large as time/tzdata.
package zones

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/gob"
	"fmt"
	"time"
)

// packed is a list, as write makes it.
//
//go:embed zones.gz
var packed []byte

// A list holds each file once, and which of them every name has.
type list struct {
	Files [][]byte
	Names map[string]int
}

// Load returns the zone of a name: as the machine knows it, else from the list.
func Load(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err == nil {
		return zone, nil
	}
	known, unpackErr := unpack()
	if unpackErr != nil {
		return nil, unpackErr
	}
	file, ok := known.Names[name]
	if !ok {
		return nil, err
	}
	return time.LoadLocationFromTZData(name, known.Files[file])
}

func unpack() (known list, err error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err == nil {
		err = gob.NewDecoder(r).Decode(&known)
	}
	if err != nil {
		return known, fmt.Errorf("reading the time zones: %w", err)
	}
	return known, nil
}
