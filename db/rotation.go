package db

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"gatehouse/db/seal"
)

// MakeNextKey makes the key for the next rotation beside the key file, or finds that it is
// there. It is for workspaces that several processes serve; a rotation makes it by itself
// elsewhere. It gives the file's name.
func (s *Store) MakeNextKey() (path string, err error) {
	_, err = seal.ReadOrMakeNextKey(s.keyFile)
	return s.keyFile + seal.NextSuffix, err
}

// readNextKey is the key to rotate to.
func (s *Store) readNextKey() (*seal.Keyring, error) {
	if s.shared {
		return seal.ReadNextKey(s.keyFile)
	}
	return seal.ReadOrMakeNextKey(s.keyFile)
}

// requireNextKeyEverywhere refuses a rotation after which a node could not go on.
func (s *Store) requireNextKeyEverywhere(ctx context.Context, now time.Time) error {
	if !s.shared {
		return nil
	}
	next, err := s.readNextKey()
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s; make it with gatehouse key next, copy it beside the key file of every node, "+
			"and rotate then", s.keyFile+seal.NextSuffix)
	}
	if err != nil {
		return err
	}
	nodes, err := s.nodesThere(ctx, now)
	if err != nil {
		return err
	}
	var without []string
	for _, n := range nodes {
		if n.NextKey != hex.EncodeToString(next.ID()) {
			without = append(without, n.Name)
		}
	}
	if len(without) > 0 {
		return fmt.Errorf("%s would not go on: copy %s beside its key file first (a node says within %s that it has it; "+
			"see gatehouse status)", strings.Join(without, " and "), s.keyFile+seal.NextSuffix, BeatInterval)
	}
	return nil
}
