package hash

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/bcrypt"
)

// importedHash is a hash as Authelia makes it, of 64 MiB.
const importedHash = "$argon2id$v=19$m=65536,t=3,p=4$c2l4dGVlbiBieXRlcyBvZg$CTFhFdXPJO1aFaMaa6Mm5c8y7cJHAph8ArZWb2GRPPc"

// TestImportedHashesRunOneAtATime lets one run, which takes as many places as its memory is worth;
// whoever waits for the next one keeps nobody else from theirs.
func TestImportedHashesRunOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stored, err := Import(importedHash)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Recommended.Parse(stored)
		if err != nil || !s.IsImported() || !s.IsOutdated(Recommended) {
			t.Fatal(s, err)
		}
		l := NewLimiter()
		first, err := l.AcquireFor(ctx, Caller{}, s)
		if err != nil || l.Running() != min(4, concurrency()) {
			t.Fatalf("%v, and %d places are taken", err, l.Running())
		}
		first()
		cheap := Stored{imported: true, bcrypt: []byte("x")}
		first, err = l.AcquireFor(ctx, Caller{}, cheap)
		if err != nil || l.Running() != 1 {
			t.Fatalf("%v, and %d places are taken", err, l.Running())
		}
		second := make(chan error, 1)
		go func() {
			end, err := l.AcquireFor(ctx, Known("ada"), cheap)
			if err == nil {
				end()
			}
			second <- err
		}()
		synctest.Wait()
		if l.Running() != 1 || l.Waiting() != 1 {
			t.Errorf("%d run and %d wait beside an imported hash", l.Running(), l.Waiting())
		}
		if concurrency() > 1 {
			end, err := l.Acquire(ctx, Caller{})
			if err != nil {
				t.Error("an ordinary one: ", err)
			} else {
				end()
			}
		}
		if _, err := l.AcquireFor(ctx, Caller{}, cheap); !errors.Is(err, ErrBusy) {
			t.Errorf("a stranger's patience: %v", err)
		}
		first()
		if err := <-second; err != nil || l.Running() != 0 || l.Waiting() != 0 || l.Refused() != 1 {
			t.Errorf("%v; %d run, %d wait, %d were refused", err, l.Running(), l.Waiting(), l.Refused())
		}
		running := take(t, l)
		if _, err := l.AcquireFor(ctx, Caller{}, s); !errors.Is(err, ErrBusy) || l.imported.free != 1 {
			t.Errorf("without a place: %v, and %d free", err, l.imported.free)
		}
		for _, end := range running {
			end()
		}
		if l.free != concurrency() {
			t.Errorf("%d are free", l.free)
		}
	})
}

// TestStoredBoundsHold refuses what only somebody who writes to the database can have put there.
func TestStoredBoundsHold(t *testing.T) {
	for _, text := range []string{
		strings.Replace(importedHash, "m=65536", "m=65537", 1),
		strings.Replace(importedHash, "t=3", "t=5", 1),
		"$2y$31$" + strings.Repeat("a", 53),
		"",
	} {
		if s, err := Recommended.Parse(importedPrefix + text); err == nil {
			t.Errorf("%q is read as %+v", text, s)
		}
	}
	made, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Recommended.Parse(string(made)) // not marked: nobody has imported it
	if err != nil || s.IsImported() || s.Matches([]byte("secret")) {
		t.Errorf("an unmarked hash: %+v %v", s, err)
	}
}
