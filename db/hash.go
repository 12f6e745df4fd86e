package db

import (
	"context"

	"gatehouse/account"
	"gatehouse/db/hash"
)

// HashMemory is what the slow hashes that run at once take together, in bytes.
func HashMemory() int64 { return hash.Memory() }

// hashPassword gives the PHC string to store for a new password.
func (s *Store) hashPassword(ctx context.Context, p account.Password) (string, error) {
	release, err := s.hashes.Acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return s.hashing.New(p.Bytes()), nil
}

// verifyPassword reports whether the text typed is the password behind a PHC
// string, and whether that string should be made anew because parameters have
// risen since. An empty or foreign string matches nothing and costs the same.
func (s *Store) verifyPassword(ctx context.Context, typed, stored string) (right, outdated bool, err error) {
	parsed, err := s.hashing.Parse(stored)
	if err != nil {
		return false, false, err
	}
	normal := account.NormalizePassword(typed)
	release, err := s.hashes.Acquire(ctx)
	if err != nil {
		return false, false, err
	}
	defer release()
	return parsed.Matches(normal), parsed.IsOutdated(s.hashing), nil
}
