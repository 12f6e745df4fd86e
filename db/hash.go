package db

import (
	"context"

	"gatehouse/account"
	"gatehouse/db/hash"
)

// HashMemory is what the slow hashes that run at once take together, in bytes.
func HashMemory() int64 { return hash.Memory() }

// Who computes slow hashes. Everybody but strangers waits in a queue that strangers
// do not reach.

// personCaller is somebody who has shown a session, a known browser or a challenge.
// Whoever holds a challenge has given the right password, from whatever browser, and
// the counts bound how often recovery codes are tried.
func personCaller(id int64) hash.Caller { return hash.Known("person " + formatID(id)) }

// linkCaller is whoever holds a one-time link that works.
func linkCaller(token string) hash.Caller { return hash.Known("link " + token) }

// machineCaller is the command line.
func machineCaller() hash.Caller { return hash.Known("machine") }

// hashPassword returns the PHC string to store for a new password.
func (s *Store) hashPassword(ctx context.Context, c hash.Caller, p account.Password) (string, error) {
	release, err := s.hashes.Acquire(ctx, c)
	if err != nil {
		return "", err
	}
	defer release()
	return s.hashing.New(p.Bytes()), nil
}

// verifyPassword reports whether the text typed is the password behind a PHC
// string. Where the parameters have risen since that was made, and where another program
// has made it, it also gives the string to store in its place, otherwise "". An empty string,
// or one of an unknown form, matches nothing and costs the same.
func (s *Store) verifyPassword(ctx context.Context, c hash.Caller,
	typed, stored string) (right bool, rehashed string, err error) {
	parsed, err := s.hashing.Parse(stored)
	if err != nil {
		return false, "", err
	}
	normal := account.NormalizePassword(typed)
	release, err := s.hashes.AcquireFor(ctx, c, parsed)
	if err != nil {
		return false, "", err
	}
	defer release()
	if parsed.IsImported() {
		right := parsed.Matches([]byte(typed)) // other programs take a password as it is typed
		renewed := s.hashing.New(normal)       // for a wrong one too: both answers take as long
		if !right {
			return false, "", nil
		}
		return true, renewed, nil
	}
	if !parsed.Matches(normal) {
		return false, "", nil
	}
	if parsed.IsOutdated(s.hashing) {
		rehashed = s.hashing.New(normal)
	}
	return true, rehashed, nil
}
